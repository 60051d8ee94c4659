//! Plans of edits: the writes as plain data, and their text for people.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::error::ReadError;
use crate::source::Source;
use crate::verify::{Checked, Rule, verify_edit};

/// The most writes of a plan that are read back one by one; renaming symbols makes thousands.
const MAX_COMPARED: usize = 1024;

/// The writes that turn a file into the one asked for, in the order in which they are made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The writes.
    pub writes: Vec<Write>,
    /// Length of the file before, in bytes.
    pub old_len: u64,
    /// Length of the file after, in bytes; it is cut or extended to this.
    pub new_len: u64,
    /// The changes, and how room is made for them; one line each.
    pub summary: Vec<String>,
    /// The drawbacks of the result that the caller should know.
    pub warnings: Vec<Warning>,
    /// Rules that the edits break knowingly.
    #[serde(skip)]
    pub(crate) accepted: Vec<Rule>,
}

/// A drawback of the result, which is correct in spite of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Warning {
    /// The dynamic section had no room for another entry and moved to where it stays writable.
    DynamicNotRelro,
    /// The program headers had no room to grow and moved to the end: the file works, but `strip` would break it.
    ProgramHeadersAtEnd,
    /// Address and offset of a segment do not agree with its alignment, as earlier tools left it: glibc before 2.35 does not
    /// load the file.
    LoadMisaligned,
    /// Not everything that may refer to the string table is known, so that retired strings stay in the file.
    StringsKept,
    /// The program headers are at the end of a program's file, and in memory not as far from the first segment as there:
    /// kernels before 5.18 compute a wrong address of them.
    NeedsLinux518,
    /// Data follows what the file's tables describe, and the file grew behind it: a program that looks for its data at the
    /// end of itself, as self-extracting archives do, does not find it there.
    DataBehindEnd,
}

impl Warning {
    /// The rules that the result breaks with this warning.
    pub(crate) fn accepts(self) -> &'static [Rule] {
        match self {
            Self::DynamicNotRelro => &[Rule::DynNotRelro],
            Self::ProgramHeadersAtEnd => &[Rule::PhtOldKernel],
            Self::LoadMisaligned
            | Self::StringsKept
            | Self::NeedsLinux518
            | Self::DataBehindEnd => &[],
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DynamicNotRelro => {
                "the dynamic section moved and is no longer read-only after relocation"
            }
            Self::ProgramHeadersAtEnd => {
                "the program headers are at the end of the file now: do not strip it"
            }
            Self::LoadMisaligned => {
                "a segment does not lie at its alignment, as an earlier tool left it: glibc before 2.35 does not load the file"
            }
            Self::StringsKept => {
                "retired strings stay in the file, since not all users of strings are known"
            }
            Self::NeedsLinux518 => "the program starts on Linux from 5.18 on, and not on older ones",
            Self::DataBehindEnd => {
                "the file grew behind data that was appended to it: a program that reads that from its own end does not find it"
            }
        })
    }
}

/// Bytes to be written at one place.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Write {
    /// File offset.
    pub offset: u64,
    /// The name of the part that is written, such as `string`.
    pub what: &'static str,
    /// The bytes.
    pub data: Data,
}

/// The bytes of a [`Write`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Data {
    /// These bytes.
    Bytes(#[serde(skip)] Vec<u8>),
    /// This many zero bytes.
    Zeros(u64),
    /// Bytes from another place of the same file, as they were before all writes. The places may overlap.
    Copy {
        /// File offset of the bytes.
        from: u64,
        /// How many they are.
        len: u64,
    },
}

impl Write {
    /// How many bytes are written.
    pub fn len(&self) -> u64 {
        match &self.data {
            Data::Bytes(bytes) => bytes.len() as u64,
            Data::Zeros(len) | Data::Copy { len, .. } => *len,
        }
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// File offset of the first byte after the write.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.len())
    }
}

impl Plan {
    /// A plan that changes nothing.
    pub(crate) fn noop(len: u64) -> Self {
        Self {
            writes: Vec::new(),
            old_len: len,
            new_len: len,
            summary: Vec::new(),
            warnings: Vec::new(),
            accepted: Vec::new(),
        }
    }

    /// Whether the file is as it is asked for already.
    pub fn is_noop(&self) -> bool {
        self.writes.is_empty() && self.old_len == self.new_len
    }

    /// Checks the file as it will be, against all rules and against the file before.
    ///
    /// Returns the violations that are new, and all that the result has.
    pub(crate) fn check(&self, source: &dyn Source) -> Result<Checked, ReadError> {
        let warnings = self.warnings.iter();
        let accepted = warnings.flat_map(|warning| warning.accepts()).copied();
        let accepted: Vec<Rule> = accepted.chain(self.accepted.iter().copied()).collect();
        let touched: Vec<Range<u64>> = self
            .writes
            .iter()
            .map(|write| write.offset..write.end())
            .collect();
        verify_edit(source, &Planned::new(source, self), &accepted, &touched)
    }

    /// Whether `file` has the bytes that the plan says, where it says them outright.
    pub(crate) fn is_written(&self, file: &dyn Source) -> std::io::Result<bool> {
        let mut same = file.file_len() == self.new_len;
        let mut later: Vec<(u64, u64)> = Vec::new();
        for write in self.writes.iter().rev() {
            // Of two writes to one place, the last one counts.
            let overwritten = later
                .iter()
                .any(|(start, end)| *start < write.end() && write.offset < *end);
            if let (Data::Bytes(bytes), false) = (&write.data, overwritten) {
                let mut written = vec![0; bytes.len()];
                file.read_exact_at(&mut written, write.offset)?;
                same &= written == *bytes;
            }
            if later.len() < MAX_COMPARED {
                later.push((write.offset, write.end()));
            } else {
                break;
            }
        }
        Ok(same)
    }

    /// How many bytes are written in all.
    pub fn written_len(&self) -> u64 {
        self.writes.iter().map(Write::len).sum()
    }
}

/// Begins a line of a message. A newline within a text is escaped where messages are printed; one
/// that is written as a `char` is not.
const BREAK: char = '\n';

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_noop() {
            return write!(f, "nothing to change{BREAK}");
        }
        for line in &self.summary {
            write!(f, "{line}{BREAK}")?;
        }
        for write in &self.writes {
            write!(
                f,
                "write {:#x}..{:#x} {}{BREAK}",
                write.offset,
                write.end(),
                write.what
            )?;
        }
        write!(
            f,
            "length {} -> {}, {} bytes written{BREAK}",
            self.old_len,
            self.new_len,
            self.written_len()
        )?;
        for line in &self.warnings {
            write!(f, "warning: {line}{BREAK}")?;
        }
        Ok(())
    }
}

/// The file as it will be after a plan, without writing it.
#[derive(Clone, Copy)]
pub struct Planned<'a> {
    source: &'a dyn Source,
    plan: &'a Plan,
}

impl fmt::Debug for Planned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Planned({} bytes)", self.plan.new_len)
    }
}

impl<'a> Planned<'a> {
    /// Lays `plan`, which was made for `source`, over it.
    pub fn new(source: &'a dyn Source, plan: &'a Plan) -> Self {
        Self { source, plan }
    }

    /// Reads the whole file as it will be: for files that are in memory anyway.
    pub fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let len = usize::try_from(self.plan.new_len).map_err(std::io::Error::other)?;
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Puts what `write` has for the bytes from `start` on into `buffer`.
    fn assign_addresses(
        &self,
        write: &Write,
        buffer: &mut [u8],
        start: u64,
    ) -> std::io::Result<()> {
        let from = write.offset.max(start);
        let to = write.end().min(start + buffer.len() as u64);
        if from >= to {
            return Ok(());
        }
        // Both differences are below the length of a buffer in memory.
        let place = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
        let Some(target) = buffer.get_mut(place(from)..place(to)) else {
            return Ok(());
        };
        let inside = from - write.offset;
        match &write.data {
            Data::Zeros(_) => target.fill(0),
            Data::Copy { from, .. } => self.source.read_exact_at(target, from + inside)?,
            Data::Bytes(bytes) => {
                let inside = usize::try_from(inside).unwrap_or(usize::MAX);
                if let Some(bytes) = bytes.get(inside..inside.saturating_add(target.len())) {
                    target.copy_from_slice(bytes);
                }
            }
        }
        Ok(())
    }
}

impl Source for Planned<'_> {
    fn file_len(&self) -> u64 {
        self.plan.new_len
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        let end = offset
            .checked_add(buffer.len() as u64)
            .filter(|end| *end <= self.plan.new_len);
        let end = end.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let kept = usize::try_from(self.plan.old_len.min(end).saturating_sub(offset))
            .unwrap_or(usize::MAX);
        let (kept, new) = buffer.split_at_mut(kept.min(buffer.len()));
        if !kept.is_empty() {
            self.source.read_exact_at(kept, offset)?;
        }
        // Bytes past the old end are zero unless they are written.
        new.fill(0);
        for write in &self.plan.writes {
            self.assign_addresses(write, buffer, offset)?;
        }
        Ok(())
    }
}
