//! Extended headers: names that do not fit a header, and other records about the next member.
//!
//! <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03>

use crate::fault::printable;
use crate::tar::TarMember;
use crate::tar::fault::TarProblem;
use crate::tar::header::{HeaderKind, TarHeader};

/// Longest extended header in bytes; a name has at most a few thousand.
pub(super) const MAX_LEN: u64 = 1 << 20;

/// The values that the extended headers before a member set.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    /// Length of the content in bytes.
    len: Option<u64>,
    is_any: bool,
}

impl Extensions {
    /// Whether there was an extended header.
    pub(super) fn is_any(&self) -> bool {
        self.is_any
    }

    /// Adds the content of an extended header.
    pub(super) fn add(&mut self, kind: HeaderKind, content: &[u8]) -> Result<(), TarProblem> {
        // One for all members does not wait for the next.
        self.is_any |= kind != HeaderKind::PaxGlobal;
        match kind {
            HeaderKind::LongName => set(&mut self.name, until_nul(content), "name"),
            HeaderKind::LongLink => set(&mut self.link, until_nul(content), "link target"),
            HeaderKind::Pax => self.add_records(content, false),
            HeaderKind::PaxGlobal => self.add_records(content, true),
            _ => Ok(()),
        }
    }

    fn add_records(&mut self, mut content: &[u8], is_global: bool) -> Result<(), TarProblem> {
        while !content.is_empty() {
            let (key, value, rest) = record(content).ok_or(TarProblem::ExtensionMalformed)?;
            content = rest;
            let changes_reading =
                matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse");
            match key {
                b"path" if !is_global => set(&mut self.name, value, "name")?,
                b"linkpath" if !is_global => set(&mut self.link, value, "link target")?,
                b"size" if !is_global => {
                    let text = str::from_utf8(value).ok();
                    let len = text.and_then(|text| text.parse().ok());
                    self.len = Some(len.ok_or(TarProblem::ExtensionMalformed)?);
                }
                _ if changes_reading => return Err(TarProblem::ExtensionField(printable(key))),
                _ => {}
            }
        }
        Ok(())
    }

    /// The member that a header describes, with what was said about it.
    pub(super) fn member(self, mut header: TarHeader) -> Extended {
        if let Some(name) = self.name {
            header.name = name;
        }
        if let Some(link) = self.link {
            header.link = link;
        }
        // Readers that do not know of it would go on at another place.
        let member = if self.len.is_some_and(|len| len != header.len) {
            Err(TarProblem::ExtensionField("another size".to_owned()))
        } else {
            header.member()
        };
        Extended {
            member,
            name: header.name,
            len: header.len,
        }
    }
}

/// A member, and what is known of it even if it is refused.
#[derive(Debug)]
pub(super) struct Extended {
    /// `None` for the directory that everything is unpacked to.
    pub(super) member: Result<Option<TarMember>, TarProblem>,
    /// As in the archive.
    pub(super) name: Vec<u8>,
    /// Length of its content in bytes.
    pub(super) len: u64,
}

fn set(slot: &mut Option<Vec<u8>>, value: &[u8], what: &'static str) -> Result<(), TarProblem> {
    match slot.replace(value.to_vec()) {
        None => Ok(()),
        Some(other) if other == value => Ok(()),
        Some(_) => Err(TarProblem::ExtensionTwice(what)),
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Splits off the first record: its key, its value, and what follows it. A record is its own length in
/// decimal, a space, the key, `=`, the value and a line break.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let digits = bytes.get(..space)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let len: usize = str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(len)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = record.split_at(equals);
    Some((key, value.get(1..)?, rest))
}
