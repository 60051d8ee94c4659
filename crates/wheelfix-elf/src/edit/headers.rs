//! The headers as they will be, written where they differ.

use crate::edit::error::EditError;
use crate::edit::model::Model;
use crate::edit::plan::Data;
use crate::encoding::{Encoding, FieldWriter};
use crate::error::ReadError;
use crate::read::window::read_range;

/// The largest number of program headers or sections that the ELF header holds itself.
const MAX_COUNT: usize = 0xfeff;

/// Adds the writes of the section headers, the program headers and the ELF header.
pub(crate) fn emit(model: &mut Model<'_>) -> Result<(), EditError> {
    emit_section_headers(model);
    emit_program_headers(model)?;
    emit_header(model)
}

fn emit_section_headers(model: &mut Model<'_>) {
    let entry_len = model.encoding().section_header_len() as u64;
    let moved = model.section_headers_offset != model.elf.header.section_headers_offset;
    let mut all = Vec::new();
    for (index, section) in model.sections.clone().iter().enumerate() {
        let mut writer = FieldWriter::new(model.encoding());
        section.write(&mut writer);
        let bytes = writer.finish();
        if moved {
            all.extend(bytes);
        } else if model.elf.sections.get(index) != Some(section) {
            let offset = model.section_headers_offset + index as u64 * entry_len;
            model.put(offset, "section header", Data::Bytes(bytes));
        }
    }
    model.put(
        model.section_headers_offset,
        "section headers",
        Data::Bytes(all),
    );
}

fn emit_program_headers(model: &mut Model<'_>) -> Result<(), ReadError> {
    let mut writer = FieldWriter::new(model.encoding());
    for header in &model.program_headers {
        header.write(&mut writer, model.encoding().class);
    }
    let bytes = writer.finish();
    let offset = model.program_headers_offset;
    let same_place = offset == model.elf.header.program_headers_offset;
    if same_place && model.program_headers.len() == model.elf.program_headers.len() {
        return model.put_changed(offset, "program headers", &bytes);
    }
    model.put(offset, "program headers", Data::Bytes(bytes));
    Ok(())
}

/// Writes the fields of the ELF header that change: counts, the places of the tables, the OS ABI.
fn emit_header(model: &mut Model<'_>) -> Result<(), EditError> {
    let encoding = model.encoding();
    let mut header = RawHeader::read(model)?;
    header.set_word(header.program_headers_at(), model.program_headers_offset);
    header.set_word(header.section_headers_at(), model.section_headers_offset);
    let count = count("number of program headers", model.program_headers.len())?;
    header.set_half(header.counts_at() + 2, count);
    if model.sections.len() != model.elf.sections.len() {
        let count = self::count("number of section headers", model.sections.len())?;
        header.set_half(header.counts_at() + 6, count);
    }
    if let Some(os_abi) = model.os_abi {
        header.set(7, &[os_abi]);
    }
    debug_assert_eq!(
        header.bytes.len(),
        encoding.header_len(),
        "nothing was added"
    );
    model.put_changed(0, "ELF header", &header.bytes)?;
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
    fn read(model: &Model<'_>) -> Result<Self, ReadError> {
        let encoding = model.encoding();
        let bytes = read_range(model.source, "ELF header", 0, encoding.header_len() as u64)?;
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
        let mut writer = FieldWriter::new(self.encoding);
        writer.word(value);
        self.set(at, &writer.finish());
    }

    fn set_half(&mut self, at: usize, value: u16) {
        let mut writer = FieldWriter::new(self.encoding);
        writer.u16(value);
        self.set(at, &writer.finish());
    }

    fn set(&mut self, at: usize, value: &[u8]) {
        if let Some(target) = self.bytes.get_mut(at..at + value.len()) {
            target.copy_from_slice(value);
        }
    }
}
