//! From program headers to memory, segment by segment.

use crate::read::image::{Image, PAGE, page_end, page_start};
use crate::read::program_header::{PF_W, ProgramHeader};

/// More zeroes than any kernel promises.
const MOST_ZEROES: u64 = 1 << 38;

/// A `PT_LOAD` as `struct loadcmd` of glibc's `elf/dl-load.h`.
#[derive(Clone, Copy)]
pub(crate) struct LoadCommand {
    pub(crate) map_start: u64,
    pub(crate) map_end: u64,
    pub(crate) data_end: u64,
    pub(crate) alloc_end: u64,
    pub(crate) map_offset: u64,
    pub(crate) flags: u32,
}

/// Why a segment cannot be mapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unmappable {
    /// Its address and its offset do not agree modulo the page.
    Incongruent,
    /// It does not fit into memory.
    Range,
    /// The zeroes behind it begin on a page behind the end of the file; the address of the segment, and the length that
    /// the file would have to have.
    Truncated { map_start: u64, len: u64 },
    /// It wants more zeroes than any kernel promises, in bytes.
    Zeroes(u64),
}

/// The part of memory that a segment takes, all of it below `reach`.
pub(crate) fn command(load: &ProgramHeader, reach: u64) -> Result<LoadCommand, Unmappable> {
    let &ProgramHeader { vaddr, offset, .. } = load;
    if !vaddr.wrapping_sub(offset).is_multiple_of(PAGE) {
        return Err(Unmappable::Incongruent);
    }
    let ends = [load.file_len, load.memory_len].map(|len| vaddr.checked_add(len));
    let command = match ends {
        [Some(data_end), Some(alloc_end)] => page_end(data_end).map(|map_end| LoadCommand {
            map_start: page_start(vaddr),
            map_end,
            data_end,
            alloc_end,
            map_offset: page_start(offset),
            flags: load.flags & 7,
        }),
        _ => None,
    };
    command
        .filter(|command| command.map_end.max(command.alloc_end) <= reach && offset < u64::MAX / 2)
        .ok_or(Unmappable::Range)
}

/// Maps a segment as glibc does.
pub(crate) fn map_command(
    command: LoadCommand,
    file_len: u64,
    image: &mut Image,
) -> Result<(), Unmappable> {
    let LoadCommand {
        map_start,
        map_end,
        data_end,
        alloc_end,
        map_offset,
        flags,
    } = command;
    if map_start < map_end {
        image.map_file([map_start, map_end], map_offset, flags, file_len);
    }
    if alloc_end <= data_end {
        return Ok(());
    }
    let page = map_end.min(alloc_end);
    if !image.zero(data_end, page) {
        let len = (data_end - map_start).saturating_add(map_offset);
        return Err(Unmappable::Truncated { map_start, len });
    }
    map_zeroes(image, page, page_end(alloc_end).unwrap_or(alloc_end), flags)
}

/// Maps the zeroes behind a segment.
pub(crate) fn map_zeroes(
    image: &mut Image,
    start: u64,
    end: u64,
    flags: u32,
) -> Result<(), Unmappable> {
    if start < end {
        if flags & PF_W != 0 && MOST_ZEROES < end - start {
            return Err(Unmappable::Zeroes(end - start));
        }
        image.map_zeroes(start, end, flags);
    }
    Ok(())
}

/// Maps what can be mapped, for whoever reads a file that a loader need not take: as glibc does, but for segments that are
/// not where their addresses say, of which no more is taken than they name.
pub(crate) fn map_what_is_there(headers: &[ProgramHeader], file_len: u64) -> Image {
    let mut image = Image::default();
    for load in headers.iter().filter(|header| header.is_load()) {
        if let Ok(command) = command(load, u64::MAX) {
            // What has no room for its zeroes has them nowhere.
            let _unmapped = map_command(command, file_len, &mut image);
        } else {
            let end = load.vaddr.saturating_add(load.file_len);
            let flags = load.flags & 7;
            image.map_bytes([load.vaddr, end], load.offset, flags, file_len);
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::program_header::SegmentKind;

    #[test]
    fn a_segment_as_long_as_memory_is_mapped_without_a_panic() {
        let load = ProgramHeader {
            kind: SegmentKind::LOAD,
            flags: 5,
            offset: 0xff_ffff_f000,
            vaddr: 0x1000,
            paddr: 0,
            file_len: u64::MAX - 0x2800,
            memory_len: u64::MAX - 0x1800,
            align: 0x1000,
        };
        // Found by fuzzing: the message of a segment without room for its zeroes.
        drop(map_what_is_there(&[load], 0x2000));
    }
}
