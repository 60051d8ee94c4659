//! Files of wheels that are not as `RECORD` says: many are told by the first, with one option that accepts all.

use std::fmt::{self, Display};

use wheelfix_link::Remedy;

use crate::message::BREAK;
use crate::next_step;
use crate::remedy::{self, Mendable};

/// So many files are told each by itself.
pub(crate) const FEW: usize = 5;

/// A fault of a file that is not as RECORD says, and its path in the wheel if accepting it would mend
/// the fault.
pub(crate) struct Mismatch<'f, T>(pub(crate) T, pub(crate) Option<&'f str>);

impl<T: Display> Display for Mismatch<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Display> Mendable for Mismatch<'_, T> {
    fn remedies(&self) -> Vec<Remedy> {
        accepted(self.1.into_iter()).into_iter().collect()
    }
}

impl<T: Display> Mendable for &Mismatch<'_, T> {
    fn remedies(&self) -> Vec<Remedy> {
        Mismatch::remedies(self)
    }
}

/// The remedy that accepts files; `None` for no file.
pub(crate) fn accepted<'p>(paths: impl Iterator<Item = &'p str>) -> Option<Remedy> {
    let paths: Vec<String> = paths.map(str::to_owned).collect();
    (!paths.is_empty()).then_some(Remedy::AcceptMismatch { paths })
}

/// Prints faults of files, each by itself if there are few, or if all is asked for.
pub(crate) fn print<'f, T: Display>(faults: impl Iterator<Item = Mismatch<'f, T>>, all: bool) {
    let (same, others): (Vec<_>, Vec<_>) = faults.partition(|fault| fault.1.is_some());
    if all || same.len() <= FEW {
        next_step::print_faults(others.iter().chain(&same));
    } else {
        next_step::print_faults(others);
        next_step::print_faults([Many(same)]);
    }
}

/// Many files that can be accepted.
struct Many<'f, T>(Vec<Mismatch<'f, T>>);

impl<T: Display> Display for Many<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.len();
        write!(f, "{len} files are not as `RECORD` says")?;
        let mut first = self.0.iter().take(FEW);
        first.try_for_each(|fault| write!(f, "{BREAK}  {fault}"))?;
        let all = if remedy::has("--verbose") {
            ", all with --verbose"
        } else {
            ""
        };
        write!(f, "{BREAK}  and {} more{all}", len.saturating_sub(FEW))
    }
}

impl<T: Display> Mendable for Many<'_, T> {
    fn remedies(&self) -> Vec<Remedy> {
        let paths = self.0.iter().filter_map(|fault| fault.1);
        accepted(paths).into_iter().collect()
    }
}
