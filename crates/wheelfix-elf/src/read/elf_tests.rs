//! The reader against an independent one, over the files that every Linux test run has at hand: its own program, the
//! loader of it and the libraries that it needs.

use goblin::elf::Elf as Goblin;

use crate::read::elf::{Elf, RunPath};
use crate::read::hash::HashedName;
use crate::read::symbol_table::WantedVersion;
use crate::source::FileSource;

/// The running program, its loader, and every library mapped into it.
fn files() -> Vec<std::path::PathBuf> {
    let maps = fs_err::read_to_string("/proc/self/maps").unwrap();
    let mut paths: Vec<_> = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| path.starts_with('/'))
        .map(std::path::PathBuf::from)
        .collect();
    paths.sort();
    paths.dedup();
    assert!(
        paths.len() >= 3,
        "a dynamically linked test program: {paths:?}"
    );
    paths
}

#[test]
fn goblin_reads_the_same() {
    for path in files() {
        let bytes = fs_err::read(&path).unwrap();
        let theirs = Goblin::parse(&bytes).unwrap();
        let ours = Elf::read(&FileSource::open(&path).unwrap()).unwrap();
        let dynamic = ours.dynamic.as_ref().unwrap();
        assert_eq!(dynamic.needed, theirs.libraries, "{path:?}");
        assert_eq!(dynamic.soname.as_deref(), theirs.soname, "{path:?}");
        assert_eq!(ours.interpreter.as_deref(), theirs.interpreter, "{path:?}");
        assert_eq!(
            ours.sections.len(),
            theirs.section_headers.len(),
            "{path:?}"
        );
        for (section, their_section) in ours.sections.iter().zip(&theirs.section_headers) {
            assert_eq!(
                Some(section.name.as_str()),
                theirs.shdr_strtab.get_at(their_section.sh_name)
            );
        }
        assert_eq!(
            matches!(dynamic.run_path, RunPath::None),
            theirs.runpaths.is_empty() && theirs.rpaths.is_empty()
        );

        let symbols = ours.symbols(bytes.as_slice()).unwrap();
        assert_eq!(symbols.len(), theirs.dynsyms.len(), "{path:?}");
        for symbol in symbols.iter() {
            let their_symbol = theirs.dynsyms.get(symbol.index as usize).unwrap();
            let name = theirs.dynstrtab.get_at(their_symbol.st_name).unwrap();
            assert_eq!(symbol.name, name.as_bytes());
            assert_eq!(
                (symbol.value, symbol.len),
                (their_symbol.st_value, their_symbol.st_size)
            );
            assert_eq!(
                (symbol.binding.0, symbol.kind.0),
                (their_symbol.st_bind(), their_symbol.st_type())
            );
            let index = theirs
                .versym
                .as_ref()
                .and_then(|table| table.get_at(symbol.index as usize));
            assert_eq!(
                symbol.version.map(|index| index.0),
                index.map(|index| index.vs_val)
            );
        }
    }
}

#[test]
fn every_exported_symbol_is_found_through_the_hash_table() {
    for path in files() {
        let source = FileSource::open(&path).unwrap();
        let symbols = Elf::read(&source).unwrap().symbols(&source).unwrap();
        for symbol in symbols
            .iter()
            .filter(crate::read::symbol::Symbol::is_exported)
        {
            let name = HashedName::new(symbol.name);
            assert!(
                symbols
                    .lookup(&name)
                    .any(|found| found.index == symbol.index),
                "{path:?} {symbol:?}"
            );
            let version = symbols
                .version(&symbol)
                .filter(|version| version.file.is_none());
            let wanted = version.map(|version| WantedVersion {
                name: &version.name,
                hidden: true,
            });
            if wanted.is_some() || !symbols.is_versioned() {
                let found = symbols.definition(&name, wanted).unwrap();
                assert_eq!(found.index, symbol.index, "{path:?} {symbol:?}");
            }
        }
        let missing = HashedName::new(b"no_library_defines_this");
        assert_eq!(symbols.lookup(&missing).count(), 0);
        assert!(symbols.definition(&missing, None).is_none());
    }
}

#[test]
fn a_file_cut_short_anywhere_is_an_error_or_a_shorter_file() {
    let bytes = fs_err::read(std::env::current_exe().unwrap()).unwrap();
    let whole = Elf::read(&bytes).unwrap();
    let head: Vec<usize> = (0..2048)
        .chain((2048..bytes.len()).step_by(bytes.len() / 500 + 1))
        .collect();
    for len in head {
        let cut = bytes[..len].to_vec();
        // The section headers are at the end of the file, so that every cut is seen.
        let error = Elf::read(&cut).expect_err("the section headers are cut off");
        assert!(!error.to_string().is_empty());
        if let Ok(elf) = Elf::read_without_sections(&cut) {
            assert_eq!(elf.program_headers, whole.program_headers);
            elf.symbols(&cut).ok();
        }
    }
}
