//! Comparisons of our reader with others: they find the same in a file.

use std::collections::BTreeMap;

use goblin::elf::dynamic::{DT_RPATH, DT_RUNPATH};
use wheelfix_elf::{Elf, HashedName, RunPath, Tag};
use wheelfix_testkit::elf::{Image, Linking, tag};

/// Compares all that two other readers have an opinion on.
#[track_caller]
pub(crate) fn compare(bytes: &[u8]) {
    let ours = Elf::read(bytes).unwrap();
    let theirs = goblin::elf::Elf::parse(bytes).unwrap();
    let image = Image::parse(bytes).unwrap();
    let dynamic = ours.dynamic.as_ref().unwrap();
    assert_eq!(ours.header.machine.0, theirs.header.e_machine);
    assert_eq!(ours.interpreter.as_deref(), theirs.interpreter);
    assert_eq!(dynamic.needed, theirs.libraries);
    assert_eq!(dynamic.soname.as_deref(), theirs.soname);
    assert_eq!(dynamic.run_path, run_path(&theirs));
    let stack = theirs
        .program_headers
        .iter()
        .find(|header| header.p_type == 0x6474_e551);
    assert_eq!(
        ours.executable_stack,
        stack.map(|stack| stack.p_flags & 1 != 0)
    );
    assert_eq!(ours.program_headers.len(), theirs.program_headers.len());
    assert_eq!(ours.sections.len(), theirs.section_headers.len());
    compare_versions(&ours, &image);
    compare_symbols(&ours, &theirs, bytes);
}

fn run_path(theirs: &goblin::elf::Elf<'_>) -> RunPath {
    let tags = theirs.dynamic.as_ref().unwrap();
    let text = |tag: u64| {
        let entry = tags.dyns.iter().find(|entry| entry.d_tag == tag)?;
        let offset = usize::try_from(entry.d_val).unwrap();
        Some(theirs.dynstrtab.get_at(offset).unwrap().to_owned())
    };
    match (text(DT_RPATH), text(DT_RUNPATH)) {
        (None, None) => RunPath::None,
        (Some(path), None) => RunPath::Rpath { path },
        (None, Some(path)) => RunPath::Runpath { path },
        (Some(rpath), Some(runpath)) => RunPath::Both { rpath, runpath },
    }
}

fn compare_versions(ours: &Elf, image: &Image<'_>) {
    let dynamic = ours.dynamic.as_ref().unwrap();
    let theirs = Linking::read(image).unwrap();
    let needs: Vec<(String, Vec<(String, u32)>)> = dynamic
        .version_needs
        .iter()
        .map(|need| {
            let versions = need.versions.iter();
            let names = versions.map(|version| (version.name.clone(), version.hash));
            (need.file.clone(), names.collect())
        })
        .collect();
    let their_needs: Vec<(String, Vec<(String, u32)>)> = theirs
        .version_needs()
        .unwrap()
        .into_iter()
        .map(|need| (need.file, need.versions))
        .collect();
    assert_eq!(needs, their_needs);
    let definitions = dynamic.version_definitions.iter();
    let names: Vec<String> = definitions
        .flat_map(|definition| std::iter::once(&definition.name).chain(&definition.parents))
        .cloned()
        .collect();
    assert_eq!(names, theirs.version_definitions().unwrap());
    assert_eq!(dynamic.array.get(Tag::STRSZ), theirs.first(tag::STRSZ));
}

fn compare_symbols(ours: &Elf, theirs: &goblin::elf::Elf<'_>, bytes: &[u8]) {
    let symbols = ours.symbols(bytes).unwrap();
    assert_eq!(symbols.len(), theirs.dynsyms.len());
    let mut exported: BTreeMap<&str, u64> = BTreeMap::new();
    for (symbol, other) in symbols.iter().zip(theirs.dynsyms.iter().skip(1)) {
        let name = theirs.dynstrtab.get_at(other.st_name).unwrap();
        assert_eq!(symbol.name, name.as_bytes());
        assert_eq!(
            (symbol.value, symbol.len),
            (other.st_value, other.st_size),
            "{name}"
        );
        assert_eq!(usize::from(symbol.section), other.st_shndx, "{name}");
        if symbol.is_exported() {
            exported.insert(name, symbol.value);
        }
    }
    for (name, value) in exported {
        let name = HashedName::new(name.as_bytes());
        let found = symbols.lookup(&name).map(|symbol| symbol.value);
        assert!(
            found.collect::<Vec<_>>().contains(&value),
            "lookup of {name:?}"
        );
    }
    assert_eq!(
        symbols.lookup(&HashedName::new(b"no such symbol")).count(),
        0
    );
}
