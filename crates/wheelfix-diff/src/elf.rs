//! ELF files, by what the loader reads of them, and by their sections.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use wheelfix_elf::{Elf, FileSource, ReadError, RunPath, Symbol, SymbolTable};

use crate::bytes::same_range;
use crate::comparison::Difference;

/// How two ELF files differ; `None` if one of them is not an ELF file that can be read.
pub(crate) fn differences(a: &Path, b: &Path) -> io::Result<Option<Vec<Difference>>> {
    let (Some(a), Some(b)) = (read(a)?, read(b)?) else {
        return Ok(None);
    };
    let pairs = facts(&a).into_iter().zip(facts(&b));
    let facts = pairs.filter_map(|((what, a), (_, b))| Difference::of_lists(what, a, b));
    let mut found: Vec<Difference> = facts.collect();
    found.extend(of_sections(&a, &b)?);
    Ok(Some(found))
}

/// An ELF file that was read.
struct File {
    elf: Elf,
    source: FileSource,
    symbols: SymbolTable,
}

/// Reads a file; `None` if it is not an ELF file that can be read.
fn read(path: &Path) -> io::Result<Option<File>> {
    let source = FileSource::open(path)?;
    let parts = || {
        let elf = Elf::read(&source)?;
        let symbols = elf.symbols(&source)?;
        Ok((elf, symbols))
    };
    match parts() {
        Ok((elf, symbols)) => Ok(Some(File {
            elf,
            source,
            symbols,
        })),
        Err(ReadError::Io { source, .. }) => Err(source),
        Err(_) => Ok(None),
    }
}

/// The facts of an ELF file, in the order in which they are told: a name, and a list of values.
fn facts(file: &File) -> [(&'static str, Vec<String>); 14] {
    let elf = &file.elf;
    let one = |value: Option<String>| value.into_iter().collect();
    let dynamic = elf.dynamic.as_ref();
    let (rpath, runpath) = run_paths(dynamic.map(|dynamic| &dynamic.run_path));
    let names = |is_meant: fn(&Symbol<'_>) -> bool| names(&file.symbols, is_meant);
    let align = elf.program_headers.iter().filter(|header| header.is_load());
    let align = align.map(|header| header.align).max();
    let needed = dynamic.iter().flat_map(|it| &it.version_needs);
    let needed = needed.flat_map(|need| {
        let versions = need.versions.iter();
        versions.map(|version| format!("{} of {}", version.name, need.file))
    });
    let defined = dynamic.iter().flat_map(|it| &it.version_definitions);
    [
        ("machine", vec![elf.header.machine.to_string()]),
        ("type", vec![elf.header.object_type.to_string()]),
        ("interpreter", one(elf.interpreter.clone())),
        ("soname", one(dynamic.and_then(|it| it.soname.clone()))),
        (
            "needed libraries",
            dynamic.map(|it| it.needed.clone()).unwrap_or_default(),
        ),
        ("RPATH", rpath),
        ("RUNPATH", runpath),
        ("needed versions", needed.collect()),
        (
            "defined versions",
            defined.map(|it| it.name.clone()).collect(),
        ),
        ("exported symbols", names(is_exported)),
        (
            "undefined symbols",
            names(|symbol| !symbol.is_defined() && !symbol.name.is_empty()),
        ),
        (
            "alignment of segments",
            one(align.map(|align| align.to_string())),
        ),
        (
            "executable stack",
            one(elf
                .executable_stack
                .map(|it| if it { "yes" } else { "no" }.to_owned())),
        ),
        ("build id", one(elf.notes.build_id.clone())),
    ]
}

fn is_exported(symbol: &Symbol<'_>) -> bool {
    symbol.is_exported()
}

/// The elements of `DT_RPATH` and of `DT_RUNPATH`.
fn run_paths(run_path: Option<&RunPath>) -> (Vec<String>, Vec<String>) {
    let split = |path: &str| path.split(':').map(str::to_owned).collect::<Vec<_>>();
    match run_path {
        None | Some(RunPath::None) => Default::default(),
        Some(RunPath::Rpath { path }) => (split(path), Vec::new()),
        Some(RunPath::Runpath { path }) => (Vec::new(), split(path)),
        Some(RunPath::Both { rpath, runpath }) => (split(rpath), split(runpath)),
    }
}

/// The names of symbols with their versions, sorted: the linker orders them by hash.
fn names(symbols: &SymbolTable, is_meant: fn(&Symbol<'_>) -> bool) -> Vec<String> {
    let name = |symbol: Symbol<'_>| {
        let name = String::from_utf8_lossy(symbol.name);
        match symbols.version(&symbol) {
            Some(version) => format!("{name}@{}", version.name),
            None => name.into_owned(),
        }
    };
    let mut names: Vec<String> = symbols.iter().filter(is_meant).map(name).collect();
    names.sort();
    names
}

/// The sections that only one of two files has, and those with other bytes.
fn of_sections(a: &File, b: &File) -> io::Result<Vec<Difference>> {
    let (of_a, of_b) = (sections(&a.elf), sections(&b.elf));
    let list = |of: &Sections<'_>| of.keys().map(|(name, _)| (*name).to_owned()).collect();
    let mut other = Vec::new();
    for (key, (offset, len)) in &of_a {
        if let Some((other_offset, other_len)) = of_b.get(key)
            && (len != other_len
                || !same_range(&a.source, *offset, &b.source, *other_offset, *len)?)
        {
            other.push(key.0.to_owned());
        }
    }
    let other = (!other.is_empty()).then(|| Difference {
        what: "sections with other bytes",
        a: other.clone(),
        b: other,
    });
    let only = Difference::of_lists("sections", list(&of_a), list(&of_b));
    Ok(only.into_iter().chain(other).collect())
}

/// Offset and length of sections in the file, by name and by how many of that name stand before.
type Sections<'e> = BTreeMap<(&'e str, usize), (u64, u64)>;

fn sections(elf: &Elf) -> Sections<'_> {
    let mut sections = Sections::new();
    let mut seen = BTreeMap::<&str, usize>::new();
    for section in &elf.sections {
        let before = seen.entry(&section.name).or_default();
        let len = if section.has_bytes() { section.len } else { 0 };
        if !section.name.is_empty() {
            sections.insert((&section.name, *before), (section.offset, len));
        }
        *before += 1;
    }
    sections
}
