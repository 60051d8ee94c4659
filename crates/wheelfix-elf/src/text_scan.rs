//! Strings in the read-only data of a file, where the names of libraries loaded by `dlopen` are.

use crate::elf::Elf;
use crate::error::ReadError;
use crate::section_header::{SHF_EXECINSTR, SHF_WRITE, SHT_PROGBITS, SectionHeader};
use crate::source::Source;
use crate::window::read_range;

/// The limits of [`Elf::scan_text`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScanLimits {
    /// How many bytes of one file are read.
    pub total_len: u64,
    /// The shortest string that is reported, in bytes without its NUL.
    pub min_len: usize,
    /// The longest string that is reported, in bytes without its NUL.
    pub max_len: usize,
}

/// How much is read at once, in bytes.
const BLOCK: u64 = 1 << 16;

impl Elf {
    /// Reports the NUL-terminated strings of printable ASCII in the `.rodata` sections, each with its file offset.
    ///
    /// A string is what stands between two bytes that are not printable; it need not be one that the program uses. Without
    /// section headers nothing is read. Returns whether all was read, or the limit was met before.
    pub fn scan_text<S: Source + ?Sized>(
        &self,
        source: &S,
        limits: ScanLimits,
        report: &mut dyn FnMut(u64, &str),
    ) -> Result<bool, ReadError> {
        let mut budget = limits.total_len;
        for section in self
            .sections
            .iter()
            .filter(|section| is_read_only_data(section))
        {
            let len = section.len.min(budget);
            scan(&source, limits, section.offset, len, report)?;
            budget -= len;
            if len < section.len {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn is_read_only_data(section: &SectionHeader) -> bool {
    section.kind == SHT_PROGBITS
        && section.is_alloc()
        && section.flags & (SHF_WRITE | SHF_EXECINSTR) == 0
        && (section.name == ".rodata" || section.name.starts_with(".rodata."))
}

fn scan(
    source: &dyn Source,
    limits: ScanLimits,
    start: u64,
    len: u64,
    report: &mut dyn FnMut(u64, &str),
) -> Result<(), ReadError> {
    let mut text = String::new();
    let mut done = 0;
    while done < len {
        let offset = start.saturating_add(done);
        let block = read_range(source, "read-only data", offset, (len - done).min(BLOCK))?;
        for (byte, at) in block.iter().zip(offset..) {
            if byte.is_ascii_graphic() || *byte == b' ' {
                if text.len() <= limits.max_len {
                    text.push(char::from(*byte));
                }
                continue;
            }
            if *byte == 0 && limits.min_len <= text.len() && text.len() <= limits.max_len {
                report(at - text.len() as u64, &text);
            }
            text.clear();
        }
        done += block.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], want: &[(u64, &str)]) {
        let bytes = bytes.to_vec();
        let limits = ScanLimits {
            total_len: 0,
            min_len: 3,
            max_len: 8,
        };
        let mut got = Vec::new();
        scan(&bytes, limits, 0, bytes.len() as u64, &mut |at, text| {
            got.push((at, text.to_owned()));
        })
        .unwrap();
        let got: Vec<(u64, &str)> = got.iter().map(|(at, text)| (*at, text.as_str())).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn only_whole_strings_of_the_right_length_are_reported() {
        check(b"libz.so\0ab\0", &[(0, "libz.so")]);
        check(b"\x01libz.so\x02libm.so\0not ended", &[(9, "libm.so")]);
        check(b"much too long\0libc.so\0", &[(14, "libc.so")]);
    }

    #[test]
    fn a_string_may_lie_across_two_blocks() {
        let mut bytes = vec![0; 65_533];
        bytes.extend(b"libz.so\0");
        check(&bytes, &[(65_533, "libz.so")]);
    }
}
