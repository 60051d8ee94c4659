//! Files of other machines: 32 and 64 bits, both byte orders.

use wheelfix_elf::load::{self, Condition, LoaderKind, Refusal};
use wheelfix_elf::{ByteOrder, Class, Elf, Tag, fuzzing};
use wheelfix_testkit::elf::{
    Cross, Kind, Layout, Platform, Toolchain, damaged_fields, scribbled, truncated,
};

use crate::opinion::compare;

#[test]
fn files_of_other_machines_are_read_as_others_read_them() {
    for cross in &Cross::ALL {
        let toolchain = Toolchain::new(Platform::Cross(cross));
        let probe = toolchain.dir().join("probe");
        for kind in Kind::ALL {
            toolchain.link(kind, Layout::Lld, &probe);
            compare(&fs_err::read(&probe).unwrap());
        }
        let bytes = fs_err::read(toolchain.libraries().join("libdep.so.1")).unwrap();
        let mutants = damaged_fields(&bytes).chain(truncated(&bytes));
        for mutant in mutants.chain(scribbled(&bytes, 1, 500)) {
            fuzzing::check_read(&mutant.bytes);
        }
    }
}

fn relocate(bytes: &[u8]) -> Result<(), Refusal> {
    let elf = Elf::read(bytes).unwrap();
    if let Some(refusal) = load::refusal(&elf, bytes, LoaderKind::Glibc) {
        return Err(refusal);
    }
    let table = elf.symbols(bytes).unwrap();
    load::relocate(&elf, bytes, &table, LoaderKind::Glibc).map(drop)
}

/// Gives the first relocation a type that no machine has.
fn break_relocation(bytes: &mut [u8]) {
    let elf = Elf::read(bytes).unwrap();
    let array = &elf.dynamic.as_ref().unwrap().array;
    let tables = [Tag::RELA, Tag::REL, Tag::JMPREL];
    let vaddr = tables.iter().find_map(|tag| array.get(*tag)).unwrap();
    let loads = elf.program_headers.iter();
    let mut loads = loads.filter(|load| load.is_load() && load.vaddr <= vaddr);
    let load = loads.rfind(|load| vaddr < load.memory_end()).unwrap();
    let at = usize::try_from(vaddr - load.vaddr + load.offset).unwrap();
    // The type is the lowest byte of the second word.
    let encoding = elf.header.encoding;
    let (word, is_little) = (
        if encoding.class == Class::Elf64 { 8 } else { 4 },
        encoding.byte_order == ByteOrder::Little,
    );
    let lowest = if is_little { 0 } else { word - 1 };
    bytes[at + word + lowest] = 0xee;
}

#[test]
fn relocations_of_other_machines_are_those_that_the_loader_knows() {
    for cross in &Cross::ALL {
        let toolchain = Toolchain::new(Platform::Cross(cross));
        let probe = toolchain.dir().join("probe");
        for kind in Kind::ALL {
            toolchain.link(kind, Layout::Lld, &probe);
            let mut bytes = fs_err::read(&probe).unwrap();
            assert_eq!(relocate(&bytes), Ok(()), "{}, {kind:?}", cross.name);
            break_relocation(&mut bytes);
            let condition = relocate(&bytes).map_err(|refusal| refusal.condition);
            let want = Err(Condition::RelocationType);
            assert_eq!(condition, want, "{}, {kind:?}", cross.name);
        }
    }
}
