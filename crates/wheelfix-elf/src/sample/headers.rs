//! The program headers and the ELF header of a sample.

use super::{Builder, DATA_LEAD, Data};
use crate::encoding::{ByteOrder, Class};
use crate::read::program_header::{PF_R, PF_W, PF_X, ProgramHeader, SegmentKind};

/// A program header of what is in memory as it is in the file.
fn header(kind: SegmentKind, flags: u32, place: Data, align: u64) -> ProgramHeader {
    let Data { offset, vaddr, len } = place;
    ProgramHeader {
        kind,
        flags,
        offset,
        vaddr,
        paddr: vaddr,
        file_len: len,
        memory_len: len,
        align,
    }
}

impl Builder<'_> {
    pub(super) fn program_headers(&self, text_end: u64, data: Data) -> Vec<ProgramHeader> {
        let encoding = self.sample.encoding;
        let align = self.sample.align;
        let place = |offset, len| Data {
            offset,
            vaddr: offset,
            len,
        };
        let part = |kind, name: &str| {
            let section = &self
                .parts
                .iter()
                .find(|part| part.section.name == name)
                .unwrap()
                .section;
            header(
                kind,
                PF_R,
                place(section.offset, section.len),
                section.align,
            )
        };
        let table = encoding.header_len() as u64;
        let table_len = (self.segment_count() * encoding.program_header_len()) as u64;
        let mut headers = Vec::new();
        if self.sample.program {
            headers.push(header(SegmentKind::PHDR, PF_R, place(table, table_len), 8));
            headers.push(part(SegmentKind::INTERP, ".interp"));
        }
        let rw = PF_R | PF_W;
        let lead = DATA_LEAD as u64;
        let whole = Data {
            offset: data.offset - lead,
            vaddr: data.vaddr - lead,
            len: data.len + lead,
        };
        let mut writable = header(SegmentKind::LOAD, rw, whole, align);
        // A `.bss` of 64 bytes.
        writable.memory_len += 64;
        headers.extend([
            header(SegmentKind::LOAD, PF_R | PF_X, place(0, text_end), align),
            writable,
            header(SegmentKind::DYNAMIC, rw, data, 8),
            part(SegmentKind::NOTE, ".note.gnu.build-id"),
            header(SegmentKind::GNU_STACK, rw, place(0, 0), 16),
            header(SegmentKind::GNU_RELRO, PF_R, whole, 1),
        ]);
        headers
    }

    pub(super) fn write_headers(
        &self,
        file: &mut [u8],
        program_headers: &[ProgramHeader],
        section_headers_offset: usize,
        section_count: usize,
    ) {
        let encoding = self.sample.encoding;
        let class = if encoding.class == Class::Elf32 { 1 } else { 2 };
        let order = if encoding.byte_order == ByteOrder::Little {
            1
        } else {
            2
        };
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, order, 1, 0];
        bytes.resize(16, 0);
        let mut writer = self.writer();
        let half = |len: usize| u16::try_from(len).unwrap();
        let (offset, names) = if section_count == 0 {
            (0, 0)
        } else {
            (section_headers_offset, section_count - 1)
        };
        writer
            .u16(3)
            .u16(self.sample.machine.0)
            .u32(1)
            .word(0)
            .word(encoding.header_len() as u64)
            .word(offset as u64);
        writer
            .u32(0)
            .u16(half(encoding.header_len()))
            .u16(half(encoding.program_header_len()));
        writer
            .u16(half(program_headers.len()))
            .u16(half(encoding.section_header_len()));
        writer.u16(half(section_count)).u16(half(names));
        for header in program_headers {
            header.write(&mut writer, encoding.class);
        }
        bytes.extend(writer.finish());
        file[..bytes.len()].copy_from_slice(&bytes);
    }
}
