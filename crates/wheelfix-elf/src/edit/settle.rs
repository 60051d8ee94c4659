//! An edit that leaves more to heal than there was before: it is followed by another one, as part of the same plan.
//!
//! The reason for which a segment is kept may go with the edit: a program header that makes way for another one, tables
//! that move. Which of them do is known when everything has its place, and a segment that is retired may be that place. So
//! the file is looked at again as it will be, until nothing is left.

use std::io;

use crate::edit::error::EditError;
use crate::edit::plan::{Data, Plan, Planned, Write};
use crate::edit::request::Request;
use crate::error::ReadError;
use crate::read::elf::Elf;
use crate::source::Source;

/// How often a file is looked at again. Each time a program header goes, of which there are few.
const MOST: usize = 8;

/// Adds to a plan what the same request would do to the file as it will be.
pub(crate) fn settle(
    source: &dyn Source,
    mut plan: Plan,
    request: &Request,
) -> Result<Plan, EditError> {
    for _ in 0..MOST {
        let planned = Planned::new(source, &plan);
        // What was damaged before may be in the way, or the result is not a sound file, which its check tells.
        let Ok(elf) = Elf::read(&planned) else {
            return Ok(plan);
        };
        let next = match super::plan(&planned, &elf, request) {
            Ok(next) if !next.is_noop() => next,
            _ => return Ok(plan),
        };
        plan = followed_by(source, plan, next).map_err(|source| ReadError::Io {
            what: "the file as planned",
            offset: 0,
            len: 0,
            source,
        })?;
    }
    Err(EditError::Unsettled)
}

/// One plan for two, of which the second one was made for the result of the first one.
fn followed_by(source: &dyn Source, first: Plan, second: Plan) -> io::Result<Plan> {
    let planned = Planned::new(source, &first);
    let mut writes = Vec::new();
    for write in second.writes {
        // A copy is one of the file before all writes.
        let data = match write.data {
            Data::Copy { from, len } => {
                let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
                planned.read_exact_at(&mut bytes, from)?;
                Data::Bytes(bytes)
            }
            data => data,
        };
        writes.push(Write { data, ..write });
    }
    let mut merged = first.writes;
    if first.new_len < first.old_len.min(second.new_len) {
        merged.push(Write {
            offset: first.new_len,
            what: "unused room",
            data: Data::Zeros(first.old_len.min(second.new_len) - first.new_len),
        });
    }
    merged.extend(writes);
    let mut warnings = first.warnings;
    for warning in second.warnings {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    Ok(Plan {
        writes: merged
            .into_iter()
            .filter_map(|write| cut(write, second.new_len))
            .collect(),
        old_len: first.old_len,
        new_len: second.new_len,
        summary: [first.summary, second.summary].concat(),
        warnings,
        accepted: [first.accepted, second.accepted].concat(),
    })
}

/// The part of a write that is in a file of this length.
fn cut(write: Write, file_len: u64) -> Option<Write> {
    let room = file_len
        .checked_sub(write.offset)
        .filter(|room| *room > 0)?;
    let data = match write.data {
        Data::Bytes(mut bytes) => {
            bytes.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            Data::Bytes(bytes)
        }
        Data::Zeros(len) => Data::Zeros(len.min(room)),
        Data::Copy { from, len } => Data::Copy {
            from,
            len: len.min(room),
        },
    };
    Some(Write { data, ..write })
}
