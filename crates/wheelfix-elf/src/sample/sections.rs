//! The section headers of a sample, and the sections that are not in memory.

use super::{Builder, Data};
use crate::encoding::Class;
use crate::read::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_VERNEED, SHT_NOBITS,
    SHT_NULL, SHT_PROGBITS, SHT_STRTAB, SHT_SYMTAB, SectionHeader,
};

fn section(name: &str, kind: u32, offset: u64, len: u64) -> SectionHeader {
    SectionHeader {
        name: name.to_owned(),
        name_offset: 0,
        kind,
        flags: 0,
        vaddr: 0,
        offset,
        len,
        link: 0,
        info: 0,
        align: 8,
        entry_len: 0,
    }
}

/// The number of the section with a name.
fn number(sections: &[SectionHeader], name: &str) -> u16 {
    u16::try_from(
        sections
            .iter()
            .position(|section| section.name == name)
            .unwrap(),
    )
    .unwrap()
}

impl Builder<'_> {
    /// Appends `.symtab`, `.strtab` and `.shstrtab` to the file and returns the section headers.
    pub(super) fn sections(&self, data: Data, file: &mut Vec<u8>) -> Vec<SectionHeader> {
        if !self.sample.sections {
            return Vec::new();
        }
        let encoding = self.sample.encoding;
        let mut sections = vec![section("", SHT_NULL, 0, 0)];
        sections.extend(self.parts.iter().map(|part| part.section.clone()));
        let flags = SHF_ALLOC | SHF_WRITE;
        let entry_len = encoding.dynamic_entry_len() as u64;
        let dynamic = section(".dynamic", SHT_DYNAMIC, data.offset, data.len);
        sections.push(SectionHeader {
            vaddr: data.vaddr,
            flags,
            entry_len,
            ..dynamic
        });
        let bss = section(".bss", SHT_NOBITS, data.offset + data.len, 64);
        sections.push(SectionHeader {
            vaddr: data.vaddr + data.len,
            flags,
            ..bss
        });
        let strings = number(&sections, ".dynstr").into();
        let symbol_len = encoding.symbol_len() as u64;
        for section in &mut sections {
            match section.kind {
                SHT_DYNSYM => {
                    section.entry_len = symbol_len;
                    (section.link, section.info) = (strings, 1);
                }
                SHT_DYNAMIC => section.link = strings,
                SHT_GNU_VERNEED => (section.link, section.info) = (strings, 1),
                SHT_PROGBITS if section.name == ".text" => section.flags |= SHF_EXECINSTR,
                _ => {}
            }
        }
        self.add_symbols(&mut sections, data, file);
        sections.push(section(".strtab", SHT_STRTAB, file.len() as u64, 1));
        file.push(0);
        add_names(&mut sections, file);
        sections
    }

    /// Adds `.symtab` with a section symbol of the note, and `_DYNAMIC`.
    fn add_symbols(&self, sections: &mut Vec<SectionHeader>, data: Data, file: &mut Vec<u8>) {
        let encoding = self.sample.encoding;
        let note = number(sections, ".note.gnu.build-id");
        let vaddr = sections[usize::from(note)].vaddr;
        let mut symbols = vec![0; encoding.symbol_len()];
        symbols.extend(self.symbol(vaddr, 3, note));
        symbols.extend(self.symbol(data.vaddr, 1, number(sections, ".dynamic")));
        file.resize(file.len().next_multiple_of(8), 0);
        let table = section(
            ".symtab",
            SHT_SYMTAB,
            file.len() as u64,
            symbols.len() as u64,
        );
        file.extend(symbols);
        let link = u32::try_from(sections.len()).unwrap() + 1;
        sections.push(SectionHeader {
            link,
            info: 3,
            entry_len: encoding.symbol_len() as u64,
            ..table
        });
    }

    fn symbol(&self, value: u64, info: u8, section: u16) -> Vec<u8> {
        let mut place = self.writer();
        place.word(value).word(0);
        let mut number = self.writer();
        number.u16(section);
        let kind = vec![info, 0];
        let name = vec![0; 4];
        let order = match self.sample.encoding.class {
            Class::Elf32 => [name, place.finish(), kind, number.finish()],
            Class::Elf64 => [name, kind, number.finish(), place.finish()],
        };
        order.concat()
    }
}

fn add_names(sections: &mut Vec<SectionHeader>, file: &mut Vec<u8>) {
    sections.push(section(".shstrtab", SHT_STRTAB, file.len() as u64, 0));
    let mut names = vec![0];
    for section in sections.iter_mut().skip(1) {
        section.name_offset = u32::try_from(names.len()).unwrap();
        names.extend(section.name.bytes().chain([0]));
    }
    sections.last_mut().unwrap().len = names.len() as u64;
    file.extend(names);
}
