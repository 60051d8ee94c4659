//! The headers as they will be, written where they differ.

use crate::edit::error::EditError;
use crate::edit::layout::Layout;
use crate::edit::plan::Data;
use crate::edit::writes::Writes;
use crate::encoding::{Encoding, FieldWriter};
use crate::error::ReadError;
use crate::read::window::read_range;

/// The largest number of program headers or sections that the ELF header holds itself.
const MAX_COUNT: usize = 0xfeff;

/// Adds the writes of the section headers, the program headers and the ELF header.
pub(crate) fn emit(writes: &mut Writes<'_>) -> Result<(), EditError> {
    emit_section_headers(writes);
    emit_program_headers(writes)?;
    emit_header(writes)
}

fn emit_section_headers(writes: &mut Writes<'_>) {
    let layout = writes.layout;
    let entry_len = layout.edits.encoding().section_header_len() as u64;
    let moved = layout.section_headers_offset != layout.edits.elf.header.section_headers_offset;
    let mut all = Vec::new();
    for (index, section) in layout.tables.sections.clone().iter().enumerate() {
        let mut fields = FieldWriter::new(layout.edits.encoding());
        section.write(&mut fields);
        let bytes = fields.finish();
        if moved {
            all.extend(bytes);
        } else if layout.edits.elf.sections.get(index) != Some(section) {
            let offset = layout.section_headers_offset + index as u64 * entry_len;
            writes.put(offset, "section header", Data::Bytes(bytes));
        }
    }
    writes.put(
        layout.section_headers_offset,
        "section headers",
        Data::Bytes(all),
    );
}

fn emit_program_headers(writes: &mut Writes<'_>) -> Result<(), ReadError> {
    let layout = writes.layout;
    let mut fields = FieldWriter::new(layout.edits.encoding());
    for header in &layout.tables.program_headers {
        header.write(&mut fields, layout.edits.encoding().class);
    }
    let bytes = fields.finish();
    let offset = layout.program_headers_offset;
    let same_place = offset == layout.edits.elf.header.program_headers_offset;
    if same_place && layout.tables.program_headers.len() == layout.edits.elf.program_headers.len() {
        return writes.put_changed(offset, "program headers", &bytes);
    }
    writes.put(offset, "program headers", Data::Bytes(bytes));
    Ok(())
}

/// Writes the fields of the ELF header that change: counts, the places of the tables, the OS ABI.
fn emit_header(writes: &mut Writes<'_>) -> Result<(), EditError> {
    let layout = writes.layout;
    let encoding = layout.edits.encoding();
    let mut header = RawHeader::read(layout)?;
    header.set_word(header.program_headers_at(), layout.program_headers_offset);
    header.set_word(header.section_headers_at(), layout.section_headers_offset);
    let count = count(
        "number of program headers",
        layout.tables.program_headers.len(),
    )?;
    header.set_half(header.counts_at() + 2, count);
    if layout.tables.sections.len() != layout.edits.elf.sections.len() {
        let count = self::count("number of section headers", layout.tables.sections.len())?;
        header.set_half(header.counts_at() + 6, count);
    }
    if let Some(os_abi) = layout.edits.os_abi {
        header.set(7, &[os_abi]);
    }
    debug_assert_eq!(
        header.bytes.len(),
        encoding.header_len(),
        "nothing was added"
    );
    writes.put_changed(0, "ELF header", &header.bytes)?;
    Ok(())
}

fn count(what: &'static str, count: usize) -> Result<u16, EditError> {
    let small = u16::try_from(count).ok().filter(|_| count <= MAX_COUNT);
    small.ok_or(EditError::AddressSpace {
        what,
        got: count as u64,
        limit: MAX_COUNT as u64,
    })
}

/// The bytes of the ELF header.
struct RawHeader {
    encoding: Encoding,
    bytes: Vec<u8>,
}

impl RawHeader {
    fn read(layout: &Layout<'_>) -> Result<Self, ReadError> {
        let encoding = layout.edits.encoding();
        let bytes = read_range(
            layout.edits.source,
            "ELF header",
            0,
            encoding.header_len() as u64,
        )?;
        Ok(Self { encoding, bytes })
    }

    /// `e_phoff`, behind `e_ident` (16), `e_type`, `e_machine`, `e_version` (8) and `e_entry`.
    fn program_headers_at(&self) -> usize {
        24 + self.encoding.word_len()
    }

    /// `e_shoff`.
    fn section_headers_at(&self) -> usize {
        24 + 2 * self.encoding.word_len()
    }

    /// `e_phentsize`, behind `e_flags` (4) and `e_ehsize` (2); then come `e_phnum`, `e_shentsize` and `e_shnum`.
    fn counts_at(&self) -> usize {
        24 + 3 * self.encoding.word_len() + 6
    }

    fn set_word(&mut self, at: usize, value: u64) {
        let mut fields = FieldWriter::new(self.encoding);
        fields.word(value);
        self.set(at, &fields.finish());
    }

    fn set_half(&mut self, at: usize, value: u16) {
        let mut fields = FieldWriter::new(self.encoding);
        fields.u16(value);
        self.set(at, &fields.finish());
    }

    fn set(&mut self, at: usize, value: &[u8]) {
        if let Some(target) = self.bytes.get_mut(at..at + value.len()) {
            target.copy_from_slice(value);
        }
    }
}
