//! The file under examination, read without taking anything for granted.

use crate::encoding::Encoding;
use crate::error::ReadError;
use crate::read::dynamic::{DynamicArray, StringTable};
use crate::read::dynamic_tag::Tag;
use crate::read::elf::is_debug_file;
use crate::read::header::{Header, ObjectType};
use crate::read::image::Image;
use crate::read::mapping::map_what_is_there;
use crate::read::program_header::{self, PF_W, ProgramHeader, SegmentKind};
use crate::read::section_header::SectionHeader;
use crate::read::window::Window;
use crate::source::Source;
use crate::verify::rule::{Report, Rule};

/// The headers of a program or library.
pub(crate) struct ElfImage<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) header: Header,
    pub(crate) program_headers: Vec<ProgramHeader>,
    pub(crate) sections: Vec<SectionHeader>,
    pub(crate) image: Image,
    pub(crate) file_len: u64,
}

/// The dynamic section and its string table.
pub(crate) struct Linking {
    pub(crate) segment: ProgramHeader,
    pub(crate) array: DynamicArray,
    pub(crate) strings: StringTable,
}

impl<'a> ElfImage<'a> {
    /// Reads the headers. `None` for a file that is not loaded: an object file, a memory image, debug information.
    pub(crate) fn read(
        source: &'a dyn Source,
        report: &mut Report,
    ) -> Result<Option<Self>, ReadError> {
        let mut window = Window::new(source);
        let header = Header::read(&mut window)?;
        if !matches!(
            header.object_type,
            ObjectType::Executable | ObjectType::Dynamic
        ) {
            return Ok(None);
        }
        let program_headers = ProgramHeader::read_all(&window, &header)?;
        let sections = SectionHeader::read_all(&mut window, &header)?;
        let word_len = header.encoding.word_len() as u64;
        let (pht, sht) = (header.program_headers_offset, header.section_headers_offset);
        report.check(pht.is_multiple_of(word_len), Rule::PhtAlign, pht, || {
            format!("not a multiple of {word_len}")
        });
        report.check(sht.is_multiple_of(word_len), Rule::ShtAlign, sht, || {
            format!("not a multiple of {word_len}")
        });
        let file_len = source.file_len();
        let image = map_what_is_there(&program_headers, file_len);
        let elf_image = Self {
            source,
            header,
            program_headers,
            sections,
            image,
            file_len,
        };
        let is_loaded = !is_debug_file(&elf_image.program_headers, &elf_image.sections);
        Ok(is_loaded.then_some(elf_image))
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.header.encoding
    }

    pub(crate) fn first(&self, kind: SegmentKind) -> Option<&ProgramHeader> {
        self.program_headers
            .iter()
            .find(|header| header.kind == kind)
    }

    pub(crate) fn loads(&self) -> impl Iterator<Item = &ProgramHeader> {
        self.program_headers
            .iter()
            .filter(|header| header.is_load())
    }

    /// File offset of a program header.
    pub(crate) fn header_offset(&self, header: &ProgramHeader) -> u64 {
        let index = self
            .program_headers
            .iter()
            .position(|other| std::ptr::eq(other, header))
            .unwrap_or_default();
        self.header.program_headers_offset
            + index as u64 * self.encoding().program_header_len() as u64
    }

    /// File offset of the `len` bytes at an address, if one segment has them all from the file.
    pub(crate) fn locate(&self, vaddr: u64, len: u64) -> Option<u64> {
        program_header::locate(&self.program_headers, vaddr)
            .filter(|(_, left)| len <= *left)
            .map(|(offset, _)| offset)
    }

    /// Returns the segment that has the `len` bytes at an address in memory.
    pub(crate) fn segment_of(&self, vaddr: u64, len: u64) -> Option<&ProgramHeader> {
        let end = vaddr.checked_add(len)?;
        self.loads()
            .find(|load| load.vaddr <= vaddr && end <= load.memory_end())
    }

    /// Reads the dynamic section. `None` if there is none, or none that can be read further.
    pub(crate) fn linking(&self, report: &mut Report) -> Result<Option<Linking>, ReadError> {
        let Some(&segment) = self.first(SegmentKind::DYNAMIC) else {
            return Ok(None);
        };
        let at = segment.offset;
        match self.segment_of(segment.vaddr, segment.memory_len) {
            None => report.add(
                Rule::DynUnmapped,
                at,
                "the dynamic section is in no segment",
            ),
            Some(load) => {
                let detail = || "the dynamic section is in a read-only segment".to_owned();
                report.check(load.flags & PF_W != 0, Rule::DynRo, at, detail);
            }
        }
        let array = DynamicArray::read(&Window::new(self.source), self.encoding(), &segment);
        let Some(array) = report.take(Rule::DynNoterm, at, array)? else {
            return Ok(None);
        };
        let strings = StringTable::find(&array, &self.image);
        let strings = report.take(Rule::StrtabRange, at, strings)?.flatten();
        if let Some(StringTable { vaddr, len, .. }) = strings {
            let detail = || format!("{len} bytes at {vaddr:#x} are not in one segment of the file");
            let whole = self.locate(vaddr, len.max(1)).is_some();
            report.check(whole, Rule::StrtabRange, at, detail);
        }
        Ok(strings.map(|strings| Linking {
            segment,
            array,
            strings,
        }))
    }
}

impl Linking {
    pub(crate) fn get(&self, tag: Tag) -> Option<u64> {
        self.array.get(tag)
    }

    /// File offset of the first entry with a tag.
    pub(crate) fn entry_offset(&self, encoding: Encoding, tag: Tag) -> u64 {
        let index = self
            .array
            .entries
            .iter()
            .position(|entry| entry.tag == tag)
            .unwrap_or_default();
        self.array.offset + (index * encoding.dynamic_entry_len()) as u64
    }
}
