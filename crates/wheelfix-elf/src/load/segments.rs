//! From the program headers to memory, as the loaders do it.

use crate::encoding::Class;
use crate::load::refusal::{Condition, Refusal};
use crate::load::{LoaderKind, Loading};
use crate::read::elf::Elf;
use crate::read::image::{Image, PAGE, page_end, page_start};
use crate::read::mapping::{LoadCommand, Unmappable, command, map_command, map_zeroes};
use crate::read::program_header::{PF_W, ProgramHeader, SegmentKind};

/// More thread-local data than any thread gets.
const MOST_THREAD_LOCAL: u64 = 1 << 30;

/// Maps the segments.
pub(crate) fn map(loading: &Loading<'_>) -> Result<Image, Refusal> {
    let loads = loading.elf.program_headers.iter();
    let loads: Vec<&ProgramHeader> = loads.filter(|header| header.is_load()).collect();
    match loading.loader {
        LoaderKind::Glibc => map_by_glibc(loading, &loads),
        LoaderKind::Musl => map_by_musl(loading, &loads),
    }
}

/// First address that programs cannot have.
fn address_space(elf: &Elf) -> u64 {
    match elf.header.encoding.class {
        Class::Elf32 => 1 << 32,
        Class::Elf64 => 1 << 47,
    }
}

/// `_dl_map_object_from_fd`, then `_dl_map_segments` of `elf/dl-map-segments.h`.
fn map_by_glibc(loading: &Loading<'_>, loads: &[&ProgramHeader]) -> Result<Image, Refusal> {
    let reach = address_space(loading.elf);
    let commands = loads.iter().map(|load| {
        command(load, reach).map_err(|reason| {
            if reason == Unmappable::Incongruent {
                return Refusal::incongruent(loading.elf, load);
            }
            let text = format!(
                "its PT_LOAD of {:#x} bytes at address {:#x}, offset {:#x}, does not fit into memory",
                load.file_len.max(load.memory_len),
                load.vaddr,
                load.offset
            );
            Refusal::new(Condition::SegmentRange, text)
        })
    });
    let commands: Vec<LoadCommand> = commands.collect::<Result<_, _>>()?;
    let (Some(first), Some(last)) = (commands.first(), commands.last()) else {
        return Err(Refusal::new(Condition::NoSegment, "has no PT_LOAD"));
    };
    let range = last.alloc_end.checked_sub(first.map_start);
    let range = range.filter(|len| *len > 0).and_then(page_end);
    let Some(end) = range.and_then(|len| first.map_start.checked_add(len)) else {
        let text = "its PT_LOADs do not lie in ascending order, or the last one is empty";
        return Err(Refusal::new(Condition::SegmentOrder, text));
    };
    let is_below =
        |pair: &[LoadCommand]| matches!(pair, [before, this] if before.map_end == this.map_start);
    let is_contiguous = commands.windows(2).all(is_below);
    if !is_contiguous && last.map_start < first.map_end {
        let text = "its first and its last PT_LOAD lie over each other";
        return Err(Refusal::new(Condition::SegmentOrder, text));
    }
    let mut image = Image::default();
    for command in &commands {
        let command_end = command.map_end.max(command.alloc_end);
        if command.map_start < first.map_start || end < command_end {
            let text = format!(
                "its PT_LOAD at {:#x} lies outside of the memory from the first to the last one, {:#x} to {end:#x}",
                command.map_start, first.map_start
            );
            return Err(Refusal::new(Condition::SegmentOrder, text));
        }
        let mapped = map_command(*command, loading.elf.file_len, &mut image);
        mapped.map_err(|reason| refused(loading, reason))?;
    }
    Ok(image)
}

/// The refusal of a segment that is being mapped.
fn refused(loading: &Loading<'_>, reason: Unmappable) -> Refusal {
    match reason {
        Unmappable::Truncated { map_start, len } => {
            let file_len = loading.elf.file_len;
            let text = format!(
                "its PT_LOAD at {map_start:#x} has {len:#x} bytes in a file of {file_len:#x}: the loader fills up a page behind the end of it, which is the signal `SIGBUS`"
            );
            Refusal::new(Condition::Truncated, text)
        }
        Unmappable::Zeroes(len) => Refusal::new(
            Condition::SegmentRange,
            format!("wants {len:#x} bytes of zeroes"),
        ),
        Unmappable::Incongruent | Unmappable::Range => {
            Refusal::new(Condition::SegmentRange, "does not fit into memory")
        }
    }
}

/// `map_library` of musl's `ldso/dynlink.c`. It asks for nothing: what does not agree with a page is mapped from the
/// page it is on.
fn map_by_musl(loading: &Loading<'_>, loads: &[&ProgramHeader]) -> Result<Image, Refusal> {
    let mut image = Image::default();
    let reach = address_space(loading.elf);
    if loads.is_empty() {
        return Err(Refusal::new(Condition::NoSegment, "has no PT_LOAD"));
    }
    for load in loads {
        let end = load.vaddr.checked_add(load.memory_len).and_then(page_end);
        let data_end = load.vaddr.checked_add(load.file_len);
        let (Some(end), Some(data_end)) = (end.filter(|end| *end <= reach), data_end) else {
            let text = format!(
                "its PT_LOAD of {:#x} bytes at address {:#x} does not fit into memory",
                load.memory_len, load.vaddr
            );
            return Err(Refusal::new(Condition::SegmentRange, text));
        };
        let flags = load.flags & 7;
        let start = page_start(load.vaddr);
        let offset = page_start(load.offset);
        image.map_file([start, end], offset, flags, loading.elf.file_len);
        if load.memory_len <= load.file_len || flags & PF_W == 0 {
            continue;
        }
        let page = page_end(data_end).unwrap_or(end).min(end);
        if !image.zero(data_end, page) {
            let text = format!(
                "its PT_LOAD at {start:#x} reaches beyond the end of the file, and the loader writes there, which is the signal `SIGBUS`"
            );
            return Err(Refusal::new(Condition::Truncated, text));
        }
        let mapped = map_zeroes(&mut image, page, end, flags);
        mapped.map_err(|reason| refused(loading, reason))?;
    }
    Ok(image)
}

/// Checks what is asked of the other program headers once everything is mapped and relocated: that what becomes
/// read-only is there (`_dl_protect_relro`), and that the thread-local data can be copied.
pub(crate) fn check_others(loading: &Loading<'_>, image: &Image) -> Result<(), Refusal> {
    let headers = loading.elf.program_headers.iter();
    for header in headers {
        let end = header.vaddr.checked_add(header.memory_len);
        match header.kind {
            SegmentKind::GNU_RELRO => {
                let start = page_start(header.vaddr);
                let len = end.and_then(|end| page_start(end).checked_sub(start));
                let is_there = len.is_some_and(|len| image.is_mapped(start, len, 0));
                if !is_there {
                    let text = format!(
                        "its PT_GNU_RELRO, {:#x} bytes at {:#x}, is not in memory",
                        header.memory_len, header.vaddr
                    );
                    return Err(Refusal::new(Condition::Relro, text));
                }
            }
            SegmentKind::TLS if header.memory_len != 0 => {
                // An address of 0 is taken for none.
                let is_there = (header.vaddr != 0 || header.file_len == 0)
                    && image.is_readable(header.vaddr, header.file_len)
                    && header.file_len <= header.memory_len
                    && header.memory_len < MOST_THREAD_LOCAL
                    && (header.align == 0 && loading.loader == LoaderKind::Glibc
                        || header.align.is_power_of_two());
                if !is_there {
                    let text = format!(
                        "its PT_TLS cannot be used: {:#x} bytes at {:#x}, {:#x} in memory, alignment {:#x}",
                        header.file_len, header.vaddr, header.memory_len, header.align
                    );
                    return Err(Refusal::new(Condition::ThreadLocal, text));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The demands of glibc on alignments before 2.35: each `p_align` is a multiple of the page, and
/// address and offset agree with it.
pub(crate) fn old_alignment(elf: &Elf) -> Result<(), Refusal> {
    for load in elf.program_headers.iter().filter(|header| header.is_load()) {
        let &ProgramHeader {
            vaddr,
            offset,
            align,
            ..
        } = load;
        let text = if align.is_multiple_of(PAGE) && align != 0 {
            let agree = vaddr.wrapping_sub(offset) & align.wrapping_sub(1) == 0;
            (!agree).then_some("address and offset do not agree with it")
        } else {
            (align != 0).then_some("it is not a multiple of the page")
        };
        if let Some(text) = text {
            let text = format!("its PT_LOAD at {vaddr:#x} has the alignment {align:#x}: {text}");
            return Err(Refusal::new(Condition::OldAlignment, text));
        }
    }
    Ok(())
}
