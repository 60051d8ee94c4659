//! Reasons why an archive is refused, all in one list.

use std::error::Error;
use std::fmt::{self, Write as _};

/// Begins a line of a message. A newline within a text is escaped where messages are printed; one
/// that is written as a `char` is not.
pub(crate) const BREAK: char = '\n';

/// Faults that are listed; an archive may have one for each of its members and more.
const MAX_LISTED: usize = 50;

/// All reasons why an archive is refused, in the order in which they were found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FaultList<P> {
    list: Vec<Fault<P>>,
    unlisted: usize,
}

/// One reason why an archive is refused, and where it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault<P> {
    /// Name of the member as the archive has it, made printable; `None` for the archive as a whole.
    pub member: Option<String>,
    /// Offset of the structure that is at fault: in the file, or if that is compressed as a whole, in
    /// what it holds.
    pub offset: u64,
    /// The reason itself.
    pub problem: P,
}

impl<P> Fault<P> {
    /// A fault of the archive as a whole.
    pub(crate) fn archive(offset: u64, problem: P) -> Self {
        Self {
            member: None,
            offset,
            problem,
        }
    }

    /// A fault of the member with this name.
    pub(crate) fn member(name: &[u8], offset: u64, problem: P) -> Self {
        Self {
            member: Some(printable(name)),
            offset,
            problem,
        }
    }
}

impl<P> FaultList<P> {
    /// The reasons, at least one; of very many only the first.
    pub fn list(&self) -> &[Fault<P>] {
        &self.list
    }

    /// Number of further reasons that are not in the list.
    pub fn unlisted(&self) -> usize {
        self.unlisted
    }

    pub(crate) fn push(&mut self, fault: Fault<P>) {
        if self.list.len() < MAX_LISTED {
            self.list.push(fault);
        } else {
            self.unlisted += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Itself as an error unless there is no fault.
    pub(crate) fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl<P> Default for FaultList<P> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            unlisted: 0,
        }
    }
}

impl<P> From<Fault<P>> for FaultList<P> {
    fn from(fault: Fault<P>) -> Self {
        Self {
            list: vec![fault],
            unlisted: 0,
        }
    }
}

impl<P: Error> Error for FaultList<P> {}

impl<P: fmt::Display> fmt::Display for FaultList<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([fault], 0) = (self.list.as_slice(), self.unlisted) {
            return fault.fmt(f);
        }
        write!(
            f,
            "{} faults in the archive",
            self.list.len() + self.unlisted
        )?;
        for fault in &self.list {
            write!(f, "{BREAK}  {fault}")?;
        }
        if 0 < self.unlisted {
            write!(f, "{BREAK}  and {} more", self.unlisted)?;
        }
        Ok(())
    }
}

impl<P: Error> Error for Fault<P> {}

impl<P: fmt::Display> fmt::Display for Fault<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.member, self.offset) {
            (Some(member), offset) => write!(f, "member `{member}` at {offset:#x}: ")?,
            // At its start, or of no one place.
            (None, 0) => {}
            (None, offset) => write!(f, "at {offset:#x}: ")?,
        }
        self.problem.fmt(f)
    }
}

/// A name from an archive for people: what is not UTF-8, and what a terminal would obey, is escaped,
/// and it is cut after 200 characters.
pub(crate) fn printable(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '"' => text.push(c),
                c => text.extend(c.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").ok();
        }
    }
    match text.char_indices().nth(200) {
        Some((at, _)) => {
            text.truncate(at);
            text + "..."
        }
        None => text,
    }
}
