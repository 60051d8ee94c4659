//! Reads an archive from its first member to its end marker.

use std::io::{self, Read};

use crate::fault::Fault;
use crate::member_path::MemberPath;
use crate::tar::decode::Decoded;
use crate::tar::extension::{self, Extended, Extensions};
use crate::tar::fault::{TarFaults, TarProblem};
use crate::tar::header::{BLOCK, HeaderKind, TarHeader};
use crate::tar::links::Names;
use crate::tar::{TarArchive, TarError, TarKind, TarMember};

/// Who gets the members, as in [`TarArchive::visit`].
pub(super) type Visitor<'v> = dyn FnMut(&TarMember, &mut dyn Read) -> io::Result<()> + 'v;

struct Reader<'a> {
    decoded: Decoded<'a>,
    names: Names,
    /// Symbolic links, with the offsets of their headers.
    links: Vec<(u64, MemberPath, String)>,
    faults: TarFaults,
}

/// Why reading ends early.
enum Stop {
    /// Nothing after this offset can be read.
    Problem(u64, TarProblem),
    /// The visitor's own error.
    Visitor(io::Error),
}

/// Reads all members. Faults of members are collected; those of the stream end it.
pub(super) fn read(archive: &TarArchive, visitor: &mut Visitor<'_>) -> Result<(), TarError> {
    let at_start = |problem| TarFaults::from(Fault::archive(0, problem));
    let decoded = Decoded::new(&archive.bytes, archive.compression, &archive.limits);
    let mut reader = Reader {
        decoded: decoded.map_err(at_start)?,
        names: Names::default(),
        links: Vec::new(),
        faults: TarFaults::default(),
    };
    match reader.read_members(archive.limits.members, visitor) {
        Ok(()) => reader.check_links(),
        Err(Stop::Problem(offset, problem)) => {
            reader.faults.push(Fault::archive(offset, problem));
        }
        Err(Stop::Visitor(error)) => return Err(error.into()),
    }
    Ok(reader.faults.into_result()?)
}

impl Reader<'_> {
    /// Reads members up to the end marker.
    fn read_members(&mut self, limit: u64, visitor: &mut Visitor<'_>) -> Result<(), Stop> {
        let mut extensions = Extensions::default();
        let mut count = 0;
        loop {
            let offset = self.decoded.offset();
            let stop = |problem| Stop::Problem(offset, problem);
            let Some(header) = self.header().map_err(stop)? else {
                if extensions.is_any() {
                    return Err(stop(TarProblem::ExtensionLast));
                }
                return self.end().map_err(stop);
            };
            if let Some(kind) = header.extension() {
                self.extension(kind, header.len, &mut extensions)
                    .map_err(stop)?;
                continue;
            }
            count += 1;
            if limit < count {
                return Err(stop(TarProblem::TooManyMembers { expected: limit }));
            }
            let member = std::mem::take(&mut extensions).member(header);
            self.member(offset, member, visitor)?;
        }
    }

    /// Reads the next header; `None` at the end marker.
    fn header(&mut self) -> Result<Option<TarHeader>, TarProblem> {
        let mut block = [0; BLOCK];
        if !self.decoded.fill(&mut block)? {
            return Err(TarProblem::Truncated);
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        TarHeader::parse(&block).map(Some)
    }

    /// Reads the content of an extended header.
    fn extension(
        &mut self,
        kind: HeaderKind,
        len: u64,
        extensions: &mut Extensions,
    ) -> Result<(), TarProblem> {
        if extension::MAX_LEN < len {
            return Err(TarProblem::ExtensionMalformed);
        }
        let mut text = Vec::new();
        let mut content = Content::new(&mut self.decoded, len);
        // The content keeps the error, and `finish` returns it.
        content.read_to_end(&mut text).ok();
        content.finish()?;
        extensions.add(kind, &text)
    }

    /// Hands a member to the visitor, unless there is a fault. A fault of its own is noted.
    fn member(
        &mut self,
        offset: u64,
        extended: Extended,
        visitor: &mut Visitor<'_>,
    ) -> Result<(), Stop> {
        let added = extended.member.and_then(|member| {
            if let Some(member) = &member {
                self.names.add(member)?;
            }
            Ok(member)
        });
        let mut content = Content::new(&mut self.decoded, extended.len);
        let mut visited = Ok(());
        match added {
            Ok(Some(member)) => {
                if self.faults.is_empty() {
                    visited = visitor(&member, &mut content);
                }
                if let TarKind::Symlink(target) = member.kind {
                    self.links.push((offset, member.path, target));
                }
            }
            Ok(None) => {}
            Err(problem) => {
                let fault = Fault::member(&extended.name, offset, problem);
                self.faults.push(fault);
            }
        }
        // An error of the content that the visitor passed on is found again here, with its reason.
        content
            .finish()
            .map_err(|problem| Stop::Problem(offset, problem))?;
        visited.map_err(Stop::Visitor)
    }

    /// Checks that nothing but NUL bytes follows the end marker.
    fn end(&mut self) -> Result<(), TarProblem> {
        let mut block = [0; BLOCK];
        loop {
            match self.decoded.read(&mut block)? {
                0 => return Ok(()),
                len if block.iter().take(len).all(|byte| *byte == 0) => {}
                _ => return Err(TarProblem::TrailingData),
            }
        }
    }

    fn check_links(&mut self) {
        for (offset, path, target) in &self.links {
            if let Err(problem) = self.names.check_link(path, target) {
                let fault = Fault::member(path.as_str().as_bytes(), *offset, problem);
                self.faults.push(fault);
            }
        }
    }
}

/// The content of a member, which is padded to whole blocks.
struct Content<'c, 'a> {
    decoded: &'c mut Decoded<'a>,
    /// Number of bytes that are not read yet.
    left: u64,
    padding: u64,
    problem: Option<TarProblem>,
}

impl<'c, 'a> Content<'c, 'a> {
    fn new(decoded: &'c mut Decoded<'a>, len: u64) -> Self {
        Self {
            decoded,
            left: len,
            padding: len.next_multiple_of(BLOCK as u64) - len,
            problem: None,
        }
    }

    /// Skips what is not read and the padding, or tells what went wrong before.
    fn finish(mut self) -> Result<(), TarProblem> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        self.left += self.padding;
        let mut buffer = vec![0; 64 << 10];
        while 0 < self.left {
            self.next(&mut buffer)?;
        }
        Ok(())
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, TarProblem> {
        let len = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let got = self
            .decoded
            .read(buffer.get_mut(..len).unwrap_or_default())?;
        if got == 0 && 0 < len {
            return Err(TarProblem::Truncated);
        }
        self.left -= got as u64;
        Ok(got)
    }
}

impl Read for Content<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(|problem| {
            let error = io::Error::new(io::ErrorKind::InvalidData, problem.clone());
            self.problem = Some(problem);
            error
        })
    }
}
