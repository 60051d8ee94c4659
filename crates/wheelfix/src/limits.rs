//! Limits on what an archive may unpack to.

use std::error::Error;

use wheelfix_archive::{Faults, Limits, TarFaults, TarProblem, ZipProblem};

use crate::remedy::ask_plain;

/// How large an archive may be unpacked
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArgs {
    /// Refuse archives that unpack to more than this; K, M, G and T stand for powers of 1024
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = size)]
    max_size: u64,
    /// Refuse archives that unpack to more than N times their size, beyond 64M
    #[arg(long, value_name = "N", default_value_t = Limits::default().ratio, value_parser = size)]
    max_ratio: u64,
}

impl LimitArgs {
    pub(crate) fn resolve(&self) -> Limits {
        let mut limits = Limits::default();
        limits.total = self.max_size;
        limits.ratio = self.max_ratio;
        limits
    }
}

/// Advice on a refusal, if it is for a limit.
pub(crate) fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    let is_zip = error.downcast_ref::<Faults>().is_some_and(|faults| {
        faults.list().iter().any(|fault| {
            matches!(
                fault.problem,
                ZipProblem::TotalTooLarge { .. } | ZipProblem::RatioTooLarge { .. }
            )
        })
    });
    let is_tar = error.downcast_ref::<TarFaults>().is_some_and(|faults| {
        faults.list().iter().any(|fault| {
            matches!(
                fault.problem,
                TarProblem::TotalTooLarge { .. } | TarProblem::RatioTooLarge { .. }
            )
        })
    });
    (is_zip || is_tar).then(|| {
        let (size, ratio) = (ask_plain("--max-size"), ask_plain("--max-ratio"));
        format!("allow more with {size} or {ratio}")
    })
}

/// Why a text is not a size.
#[derive(Debug, thiserror::Error)]
#[error("expected a number, or a number with K, M, G or T")]
pub(crate) struct SizeError;

/// Parses a number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, SizeError> {
    let (digits, shift) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (at, 10),
        Some((at, 'M' | 'm')) => (at, 20),
        Some((at, 'G' | 'g')) => (at, 30),
        Some((at, 'T' | 't')) => (at, 40),
        _ => (text.len(), 0),
    };
    let number: u64 = text
        .get(..digits)
        .and_then(|digits| digits.parse().ok())
        .ok_or(SizeError)?;
    number.checked_mul(1 << shift).ok_or(SizeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<u64>) {
        assert_eq!(size(text).ok(), want, "for {text:?}");
    }

    #[test]
    fn sizes_are_numbers_with_a_unit() {
        check("0", Some(0));
        check("1000", Some(1000));
        check("3k", Some(3072));
        check("64G", Some(64 << 30));
        check("1T", Some(1 << 40));
        check("", None);
        check("K", None);
        check("-1", None);
        check("1.5G", None);
        check("20000000000T", None);
        check("1ü", None);
    }
}
