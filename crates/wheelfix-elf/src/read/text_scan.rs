//! Texts in the read-only data of a file, where the names of libraries loaded by `dlopen` are.

use std::io;
use std::ops::Range;

use memchr::memmem::Finder;

use crate::read::elf::Elf;
use crate::read::section_header::{SHT_NOBITS, SectionHeader};
use crate::source::Source;

/// The longest text that is reported, in bytes without its NUL.
const MAX_LEN: usize = 256;

/// How much is read at once, in bytes.
const BLOCK: usize = 1 << 20;

impl Elf {
    /// Reports the NUL-terminated texts of printable ASCII in the `.rodata` sections that contain one of the words.
    ///
    /// A text is what stands between two bytes that are not printable; it need not be one that the program uses. Without
    /// section headers nothing is read.
    pub fn texts_with<S: Source + ?Sized>(
        &self,
        source: &S,
        words: &[&str],
        report: &mut dyn FnMut(&str),
    ) -> io::Result<()> {
        let finders: Vec<Finder<'_>> = words.iter().map(Finder::new).collect();
        self.read_only_data(source, &mut |block, is_first| {
            for finder in &finders {
                texts(block, is_first, finder, report);
            }
        })
    }

    /// The same for the data that a program may write as well.
    pub fn all_texts_with<S: Source + ?Sized>(
        &self,
        source: &S,
        words: &[&str],
        report: &mut dyn FnMut(&str),
    ) -> io::Result<()> {
        let finders: Vec<Finder<'_>> = words.iter().map(Finder::new).collect();
        let is_data = |it: &&SectionHeader| {
            is_read_only_data(it) || it.kind != SHT_NOBITS && it.name == ".data"
        };
        let sections = self.sections.iter().filter(is_data);
        for range in ranges(source.file_len(), sections) {
            let start = range.start;
            blocks(&source, range, &mut |at, block| {
                for finder in &finders {
                    texts(block, at == start, finder, report);
                }
                true
            })?;
        }
        Ok(())
    }

    /// Gives the `.rodata` sections block by block, and whether a block is the first one of its section. Each other one begins
    /// with the end of the one before, so that no name is cut.
    pub fn read_only_data<S: Source + ?Sized>(
        &self,
        source: &S,
        look: &mut dyn FnMut(&[u8], bool),
    ) -> io::Result<()> {
        let sections = self.sections.iter().filter(|it| is_read_only_data(it));
        for range in ranges(source.file_len(), sections) {
            let start = range.start;
            blocks(&source, range, &mut |at, block| {
                look(block, at == start);
                true
            })?;
        }
        Ok(())
    }

    /// Whether `dlopen` or `dlmopen` is among the names of the dynamic symbols.
    pub fn imports_dlopen<S: Source + ?Sized>(&self, source: &S) -> io::Result<bool> {
        let finders = ["dlopen\0", "dlmopen\0"].map(Finder::new);
        let mut found = false;
        let tables = self.sections.iter().filter(|it| it.name == ".dynstr");
        for range in ranges(source.file_len(), tables) {
            blocks(&source, range, &mut |_, block| {
                found |= finders.iter().any(|finder| finder.find(block).is_some());
                !found
            })?;
        }
        Ok(found)
    }
}

fn is_read_only_data(section: &SectionHeader) -> bool {
    section.kind != SHT_NOBITS
        && (section.name == ".rodata" || section.name.starts_with(".rodata."))
}

/// The ranges of sections within the file, together no longer than it: what lies in each other is not read again and again.
fn ranges<'a>(file_len: u64, sections: impl Iterator<Item = &'a SectionHeader>) -> Vec<Range<u64>> {
    let mut budget = file_len;
    let ranges = sections.map(|section| {
        let end = section.offset.saturating_add(section.len.min(budget));
        let range = section.offset..end.min(file_len);
        budget -= range.end.saturating_sub(range.start);
        range
    });
    ranges.collect()
}

/// Gives the bytes of a range to `look` until that has enough, in blocks that overlap by the longest text and the bytes
/// around it, each with its offset.
fn blocks(
    source: &dyn Source,
    range: Range<u64>,
    look: &mut dyn FnMut(u64, &[u8]) -> bool,
) -> io::Result<()> {
    let (mut at, end) = (range.start, range.end);
    let mut buffer = Vec::new();
    while at < end {
        let len = usize::try_from(end - at).map_or(BLOCK, |len| len.min(BLOCK));
        buffer.resize(len, 0);
        source.read_exact_at(&mut buffer, at)?;
        if !look(at, &buffer) || at + len as u64 == end {
            break;
        }
        at += (len - (MAX_LEN + 2)) as u64;
    }
    Ok(())
}

/// Reports the texts in a block around the words that are found. One that begins before a block was seen in the one before.
fn texts(block: &[u8], is_first: bool, finder: &Finder<'_>, report: &mut dyn FnMut(&str)) {
    let mut from = 0;
    for at in finder.find_iter(block) {
        if at < from {
            continue;
        }
        let (before, after) = block.split_at(at);
        let Some(len) = after.iter().position(|byte| !is_printable(*byte)) else {
            break;
        };
        from = at + len;
        let start = before.iter().rposition(|byte| !is_printable(*byte));
        let is_whole = block.get(from) == Some(&0) && (is_first || start.is_some());
        let start = start.map_or(0, |start| start + 1);
        let text = block.get(start..from).unwrap_or_default();
        if let Ok(text) = str::from_utf8(text)
            && is_whole
            && text.len() <= MAX_LEN
        {
            report(text);
        }
    }
}

fn is_printable(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], want: &[&str]) {
        let bytes = bytes.to_vec();
        let finder = Finder::new(".so");
        let mut got = Vec::new();
        blocks(&bytes, 0..bytes.len() as u64, &mut |at, block| {
            texts(block, at == 0, &finder, &mut |text| {
                got.push(text.to_owned());
            });
            true
        })
        .unwrap();
        assert_eq!(got, want);
    }

    #[test]
    fn texts_end_with_a_zero_and_begin_behind_what_is_no_text() {
        check(
            b"\x01liba.so\0not libb.so\0/x/libc.so.1\0\xfflibd.so.2\0libe.so",
            &["liba.so", "not libb.so", "/x/libc.so.1", "libd.so.2"],
        );
        check(b"libz.so.so\0ab\0", &["libz.so.so"]);
        check(b"\x01libz.so\x02libm.so\0not ended", &["libm.so"]);
        let long = [&[b'x'; MAX_LEN][..], b".so\0libc.so\0"].concat();
        check(&long, &["libc.so"]);
    }

    #[test]
    fn a_text_may_lie_across_two_blocks() {
        for before in BLOCK - 9..BLOCK {
            let mut bytes = vec![0; before];
            bytes.extend(b"libz.so\0");
            check(&bytes, &["libz.so"]);
        }
    }

    #[test]
    fn the_end_of_a_text_that_is_too_long_is_not_one() {
        let mut bytes = vec![b'x'; BLOCK];
        bytes.extend(b"libz.so\0");
        check(&bytes, &[]);
    }
}
