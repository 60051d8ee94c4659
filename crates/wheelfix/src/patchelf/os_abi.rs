//! `EI_OSABI`, the operating system in the ELF header, by the names that patchelf gives it.
//!
//! <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>

use std::fmt;
use std::str::FromStr;

/// The name that is printed, the value, and the names that are read beside it, in lower case.
const NAMES: &[(&str, u8, &[&str])] = &[
    ("System V", 0, &["system-v", "sysv"]),
    ("HP-UX", 1, &[]),
    ("NetBSD", 2, &[]),
    ("Linux", 3, &["gnu"]),
    ("GNU Hurd", 4, &["gnu-hurd", "hurd"]),
    ("Solaris", 6, &[]),
    ("AIX", 7, &[]),
    ("IRIX", 8, &[]),
    ("FreeBSD", 9, &[]),
    ("Tru64", 10, &[]),
    ("OpenBSD", 12, &[]),
    ("OpenVMS", 13, &[]),
];

/// The value of `EI_OSABI`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct OsAbi(pub(super) u8);

impl FromStr for OsAbi {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim().to_ascii_lowercase();
        NAMES
            .iter()
            .find(|(name, _, others)| {
                name.eq_ignore_ascii_case(&text) || others.contains(&text.as_str())
            })
            .map(|(_, value, _)| Self(*value))
            .ok_or(())
    }
}

impl fmt::Display for OsAbi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, value, _)| *value == self.0) {
            Some((name, ..)) => f.write_str(name),
            None => write!(f, "0x{:02X}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<&str>) {
        let got = text.parse::<OsAbi>().ok().map(|abi| abi.to_string());
        assert_eq!(got.as_deref(), want, "for `{text}`");
    }

    #[test]
    fn names_are_read_in_any_case_and_printed_in_one() {
        check("System V", Some("System V"));
        check(" sysv ", Some("System V"));
        check("gnu", Some("Linux"));
        check("HURD", Some("GNU Hurd"));
        check("gnu/linux", None);
        check("", None);
    }

    #[test]
    fn a_value_without_a_name_is_a_number() {
        assert_eq!(OsAbi(0x40).to_string(), "0x40");
        assert_eq!(OsAbi(5).to_string(), "0x05");
    }
}
