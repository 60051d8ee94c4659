//! The section headers beside what the loader sees. It does not look at them; but linkers write both from one layout, and
//! where they say different things of one address, the program headers or the dynamic section were changed without them:
//! the loader then finds other bytes there than the code was linked for.

use crate::load::Loading;
use crate::load::dynamic::Linking;
use crate::load::refusal::{Condition, Refusal};
use crate::load::start;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::Elf;
use crate::read::image::{Image, page_start, protection};
use crate::read::program_header::{PF_W, PF_X, SegmentKind};
use crate::read::section_header::{
    SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERDEF,
    SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_HASH, SHT_NOBITS, SectionHeader,
};

/// `sh_type` of relocations with addends, and of those without.
const RELOCATIONS: [u32; 2] = [4, 9];

/// Sections of these types are where these entries say.
const TABLES: [(u32, Tag); 6] = [
    (SHT_DYNSYM, Tag::SYMTAB),
    (SHT_HASH, Tag::HASH),
    (SHT_GNU_HASH, Tag::GNU_HASH),
    (SHT_GNU_VERSYM, Tag::VERSYM),
    (SHT_GNU_VERNEED, Tag::VERNEED),
    (SHT_GNU_VERDEF, Tag::VERDEF),
];

/// Checks every section that has a place in memory.
pub(crate) fn check(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
) -> Result<(), Refusal> {
    let sections = &loading.elf.sections;
    let in_memory = sections
        .iter()
        .filter(|section| section.is_alloc() && section.len != 0);
    check_code(loading, linking)?;
    check_read_only(loading)?;
    let tables = relocation_tables(linking);
    for section in in_memory {
        check_place(image, section, used_len(section, linking))?;
        if RELOCATIONS.contains(&section.kind) {
            let end = section.vaddr.saturating_add(section.len);
            let is_used = tables
                .iter()
                .any(|[start, behind]| *start <= section.vaddr && end <= *behind);
            if !is_used && !tables.is_empty() {
                let text = "the dynamic section does not name its relocations";
                return Err(differs(section, text));
            }
        }
        let named = TABLES.iter().find(|(kind, _)| *kind == section.kind);
        let Some(vaddr) = named.and_then(|(_, tag)| linking.get(*tag)) else {
            continue;
        };
        let has_twin = sections
            .iter()
            .any(|other| other.kind == section.kind && other.vaddr == vaddr);
        if !has_twin {
            let text = format!("the dynamic section says {vaddr:#x}");
            return Err(differs(section, &text));
        }
    }
    Ok(())
}

/// Checks that what is run on load and on unload begins where code begins.
fn check_code(loading: &Loading<'_>, linking: &Linking<'_>) -> Result<(), Refusal> {
    let sections = &loading.elf.sections;
    if !start::PLAIN.contains(&linking.machine) {
        return Ok(());
    }
    for (tag, name) in [(Tag::INIT, ".init"), (Tag::FINI, ".fini")] {
        let mut code = sections.iter().filter(|section| {
            section.is_alloc() && section.flags & SHF_EXECINSTR != 0 && section.len != 0
        });
        let Some(at) = linking.get(tag).filter(|_| code.clone().next().is_some()) else {
            continue;
        };
        let section = code.find(|section| section.vaddr <= at && at < section.memory_end());
        let is_start = section.is_some_and(|section| section.name != name || section.vaddr == at);
        if !is_start && !is_beside_sections(loading.elf, at) {
            let text = format!(
                "contradicts itself: its {tag} says {at:#x}, where no function begins by its section headers"
            );
            return Err(Refusal::new(Condition::Sections, text));
        }
    }
    Ok(())
}

/// Whether an address lies in a segment of code that no section tells of, as tools that protect programs add one.
fn is_beside_sections(elf: &Elf, at: u64) -> bool {
    let mut loads = elf.program_headers.iter().filter(|header| {
        let is_code = header.kind == SegmentKind::LOAD && header.flags & PF_X != 0;
        is_code && header.vaddr <= at && at < header.vaddr.saturating_add(header.file_len)
    });
    loads.any(|load| {
        let mut sections = elf.sections.iter().filter(|section| section.is_alloc());
        !sections
            .any(|section| section.vaddr < load.memory_end() && load.vaddr < section.memory_end())
    })
}

/// Checks that what becomes read-only is not data that changes.
fn check_read_only(loading: &Loading<'_>) -> Result<(), Refusal> {
    let Some(relro) = loading.elf.program_header(SegmentKind::GNU_RELRO) else {
        return Ok(());
    };
    let end = page_start(relro.memory_end());
    let changes = |section: &&SectionHeader| {
        let is_data = section.is_alloc() && (section.name == ".data" || section.name == ".bss");
        is_data && section.vaddr < end && page_start(relro.vaddr) < section.memory_end()
    };
    match loading.elf.sections.iter().find(changes) {
        Some(section) => Err(differs(section, "PT_GNU_RELRO makes it read-only")),
        None => Ok(()),
    }
}

/// The tables of relocations that the loader goes through, each as `[start, end]`.
fn relocation_tables(linking: &Linking<'_>) -> Vec<[u64; 2]> {
    let tags = [
        (Tag::RELA, Tag::RELASZ),
        (Tag::REL, Tag::RELSZ),
        (Tag::JMPREL, Tag::PLTRELSZ),
    ];
    let table = |(tag, len): &(Tag, Tag)| {
        let start = linking.get(*tag)?;
        Some([start, start.saturating_add(linking.get(*len)?)])
    };
    let mut tables: Vec<[u64; 2]> = tags.iter().filter_map(table).collect();
    tables.sort_unstable();
    // One table may begin where another ends, and one section be in both.
    tables.dedup_by(|next, before| {
        let touches = next[0] <= before[1];
        if touches {
            before[1] = before[1].max(next[1]);
        }
        touches
    });
    tables
}

/// The length of a section as far as the loader goes: it reads the dynamic section up to `DT_NULL`, and old editors
/// leave the end of one behind the memory that is mapped for it.
fn used_len(section: &SectionHeader, linking: &Linking<'_>) -> u64 {
    if section.kind == SHT_DYNAMIC && section.vaddr == linking.vaddr() {
        section.len.min(linking.len())
    } else {
        section.len
    }
}

fn check_place(image: &Image, section: &SectionHeader, len: u64) -> Result<(), Refusal> {
    let vaddr = section.vaddr;
    let is_empty = section.kind == SHT_NOBITS;
    if is_empty && section.flags & SHF_TLS != 0 {
        return Ok(());
    }
    let last = len - 1;
    let is_there = if is_empty {
        image.is_mapped(vaddr, len, 0)
    } else {
        let offset = |inside: u64| image.offset(vaddr.checked_add(inside)?);
        image.is_mapped(vaddr, len, 0)
            && offset(0) == Some(section.offset)
            && offset(last) == section.offset.checked_add(last)
    };
    if !is_there {
        return Err(differs(
            section,
            "the program headers map something else there",
        ));
    }
    if section.flags & SHF_EXECINSTR == 0 && !image.is_readable(vaddr, len) {
        return Err(differs(section, "the program headers let it not be read"));
    }
    let wanted = [(SHF_WRITE, PF_W), (SHF_EXECINSTR, PF_X)];
    for (flag, protected) in wanted {
        // Of the dynamic section the loader writes some entries only: `dynamic::check` knows them.
        let is_partly_written = section.kind == SHT_DYNAMIC && flag == SHF_WRITE;
        if section.flags & flag != 0
            && !is_partly_written
            && !image.is_mapped(vaddr, len, protected)
        {
            let flags = image.flags(vaddr).unwrap_or_default();
            let text = format!("the program headers map it {}", protection(flags));
            return Err(differs(section, &text));
        }
    }
    Ok(())
}

fn differs(section: &SectionHeader, how: &str) -> Refusal {
    let text = format!(
        "contradicts itself: its section `{}` has {:#x} bytes at {:#x}, offset {:#x}, and {how}",
        section.name, section.len, section.vaddr, section.offset
    );
    Refusal::new(Condition::Sections, text)
}
