//! Names of libraries in the read-only data of an object that calls `dlopen`: what it may open.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::path::Path;

use memchr::memmem::Finder;
use wheelfix_elf::{Elf, FileSource, SectionHeader, Source as _};
use wheelfix_format::LibraryName;

use crate::object::Object;

/// How much is read at once, in bytes.
const BLOCK: usize = 1 << 20;

/// The longest text that is taken for a name, in bytes.
const MAX_LEN: usize = 256;

/// `sh_type` of a section without bytes in the file.
const SHT_NOBITS: u32 = 8;
/// `sh_flags` of data that can be written, and of code.
const WRITE_OR_EXECUTE: u64 = 0x1 | 0x4;

/// The names of libraries in the `.rodata` of the file at `file`, sorted, without what `object`
/// needs anyway and without its own.
///
/// Nothing for an object that does not import `dlopen`, and for one without section headers. What
/// cannot be read has no names.
pub(crate) fn text_names(object: &Object, file: &Path) -> Vec<String> {
    let mut names = scan(file).unwrap_or_default();
    names.retain(|name| !object.needed.contains(name) && !object.answers_to(name));
    names.into_iter().collect()
}

fn scan(file: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let source = FileSource::open(file)?;
    let elf = Elf::read(&source)?;
    let mut names = BTreeSet::new();
    if !imports_dlopen(&elf, &source)? {
        return Ok(names);
    }
    for section in elf.sections.iter().filter(|section| is_text(section)) {
        in_blocks(&source, section, &mut |block| {
            collect(block, &mut names);
            true
        })?;
    }
    Ok(names)
}

/// Whether the name `dlopen` is among those of the dynamic symbols.
fn imports_dlopen(elf: &Elf, source: &FileSource) -> io::Result<bool> {
    let finders = ["dlopen\0", "dlmopen\0"].map(Finder::new);
    let mut found = false;
    let tables = elf
        .sections
        .iter()
        .filter(|section| section.name == ".dynstr");
    for table in tables {
        in_blocks(source, table, &mut |block| {
            found = finders.iter().any(|finder| finder.find(block).is_some());
            !found
        })?;
    }
    Ok(found)
}

fn is_text(section: &SectionHeader) -> bool {
    section.kind != SHT_NOBITS
        && section.flags & WRITE_OR_EXECUTE == 0
        && (section.name == ".rodata" || section.name.starts_with(".rodata."))
}

/// Gives the bytes of a section to `look` until that has enough, in blocks that overlap by the
/// longest name.
fn in_blocks(
    source: &FileSource,
    section: &SectionHeader,
    look: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let end = section
        .offset
        .saturating_add(section.len)
        .min(source.file_len());
    let mut at = section.offset;
    let mut buffer = vec![0; BLOCK];
    while at < end {
        let len = usize::try_from(end - at).unwrap_or(BLOCK).min(BLOCK);
        let Some(block) = buffer.get_mut(..len) else {
            break;
        };
        source.read_exact_at(block, at)?;
        if !look(block) || at + len as u64 == end {
            break;
        }
        at += (len - len.min(BLOCK / 2).min(MAX_LEN)) as u64;
    }
    Ok(())
}

/// Adds the names in a block. A text that begins before it was seen in the one before.
fn collect(block: &[u8], names: &mut BTreeSet<String>) {
    let mut from = 0;
    for at in Finder::new(".so").find_iter(block) {
        if at < from {
            continue;
        }
        let (before, after) = block.split_at(at);
        let Some(len) = after.iter().position(|byte| *byte == 0) else {
            break;
        };
        from = at + len;
        let start = before.iter().rposition(|byte| !is_printable(*byte));
        let start = start.map_or(0, |start| start + 1);
        let text = block.get(start..at + len).unwrap_or_default();
        if let Some(name) = str::from_utf8(text).ok().and_then(library_in) {
            names.insert(name.to_owned());
        }
    }
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

/// The file name of the library that a text names, alone or as a path. `None` for other texts, also
/// for those that only mention one.
///
/// A name begins with `lib`, or has a version and several words, as `nvshmem_bootstrap_uid.so.3`.
pub(crate) fn library_in(text: &str) -> Option<&str> {
    if MAX_LEN < text.len() || text.contains(' ') {
        return None;
    }
    let name = text.rsplit_once('/').map_or(text, |(_, name)| name);
    let library = LibraryName::parse(name)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = library.version().is_empty() || library.version().split('.').all(is_number);
    let is_soname = library.stem().starts_with("lib") && 3 < library.stem().len()
        || !library.version().is_empty() && library.stem().contains('_');
    (is_version && !name.ends_with('.') && is_soname && name.chars().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_texts_are_names() {
        let rows = [
            ("libnvrtc.so.13", Some("libnvrtc.so.13")),
            ("/usr/lib/libibverbs.so.1", Some("libibverbs.so.1")),
            (
                "nvshmem_bootstrap_uid.so.3",
                Some("nvshmem_bootstrap_uid.so.3"),
            ),
            ("libstdc++.so.6", Some("libstdc++.so.6")),
            ("cannot load libnvrtc.so.13", None),
            ("libx.so.%d", None),
            ("lib%s.so", None),
            ("lib.so", None),
            ("plugin.so", None),
            ("libx.so.1.txt", None),
            ("libx.so.", None),
            (".so.1", None),
        ];
        for (text, want) in rows {
            assert_eq!(library_in(text), want, "{text}");
        }
    }

    #[test]
    fn texts_end_with_a_zero_and_begin_behind_what_is_no_text() {
        let mut names = BTreeSet::new();
        collect(
            b"\x01liba.so\0not libb.so\0/x/libc.so.1\0\xfflibd.so.2\0libe.so",
            &mut names,
        );
        assert_eq!(Vec::from_iter(names), ["liba.so", "libc.so.1", "libd.so.2"]);
    }
}
