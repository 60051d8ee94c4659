//! From an ELF file to the facts of an [`Object`].

use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wheelfix_elf::dynamic_tag::{flags, flags_1};
use wheelfix_elf::load::{self, LoaderKind};
use wheelfix_elf::{
    ByteOrder, Class, Dynamic, Elf, FileSource, Machine, ObjectType, SegmentKind, Source, Tag,
    VersionNeeds, sysv_hash,
};

use crate::abi::Abi;
use crate::causes::with_causes;
use crate::object::{ContentId, DlopenNote, LoadConditions, Object, VersionNeed};
use crate::run_path::{PathKind, RunPath};
use crate::stop::Stop;

/// The result of reading a file.
#[derive(Debug)]
pub enum ReadOutcome {
    /// An object that the loader loads.
    Object(Arc<Object>),
    /// Not an ELF file.
    NoElf,
    /// An ELF file that the loader has nothing to do with, and why.
    Skipped(&'static str),
    /// A program that is linked statically: it needs nothing, and the kernel alone starts it.
    Static {
        /// Its ABI.
        abi: Abi,
        /// `EI_OSABI`.
        os_abi: u8,
    },
    /// It begins as an ELF file does, but its tables make no sense.
    Malformed(String),
}

/// Why a file that is linked statically is skipped.
pub const STATIC: &str = "is linked statically";

/// Reads the facts of the file at `file`, which will be used at `path`.
pub fn read_object(path: PathBuf, file: &Path) -> io::Result<ReadOutcome> {
    let source = open_elf(file)?;
    Ok(source.map_or(ReadOutcome::NoElf, |source| object_of(path, file, &source)))
}

/// Opens a file that begins as an ELF file does; `None` for another one.
pub fn open_elf(file: &Path) -> io::Result<Option<FileSource>> {
    let mut start = [0; 4];
    let mut open = fs_err::File::open(file)?;
    match open.read_exact(&mut start) {
        Ok(()) if start == *b"\x7fELF" => Ok(Some(FileSource::new(open)?)),
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a loader gives up on a file, whatever else is loaded; each is the end of a sentence that begins with the path, and
/// `None` if the loader takes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answers {
    /// The loader.
    pub(crate) loader: LoaderKind,
    /// Why it gives up.
    pub(crate) refusal: Option<Stop>,
    /// Why glibc before 2.35 does, where later ones take it.
    pub(crate) old_glibc: Option<Stop>,
}

impl Answers {
    /// The answers to a file. It takes what cannot be read, which others tell of.
    pub(crate) fn of(file: &Path, loader: LoaderKind) -> Self {
        let mut answers = Self {
            loader,
            refusal: None,
            old_glibc: None,
        };
        let Ok(source) = FileSource::open(file) else {
            return answers;
        };
        if let Ok(elf) = Elf::read_without_sections(&source) {
            let refusal = load::refusal(&elf, &source, loader);
            answers.refusal = refusal.map(Stop::from);
            if loader == LoaderKind::Glibc {
                let refusal = load::old_glibc_refusal(&elf);
                answers.old_glibc = refusal.map(Stop::from);
            }
        }
        answers
    }
}

/// Turns the bytes of an ELF file into facts.
pub fn object_of<S: Source + ?Sized>(path: PathBuf, file: &Path, source: &S) -> ReadOutcome {
    match Elf::read_without_sections(source) {
        Ok(elf) => from_elf(path, file, elf),
        Err(error) => ReadOutcome::Malformed(with_causes(&error)),
    }
}

fn from_elf(path: PathBuf, file: &Path, mut elf: Elf) -> ReadOutcome {
    match elf.header.object_type {
        ObjectType::Dynamic | ObjectType::Executable => {}
        ObjectType::Relocatable => return ReadOutcome::Skipped("is an object file for the linker"),
        ObjectType::Core => return ReadOutcome::Skipped("is a memory image"),
        ObjectType::Other(_) => return ReadOutcome::Skipped("is of a type that is never loaded"),
    }
    if elf.is_debug_file() {
        return ReadOutcome::Skipped("is separate debug information");
    }
    let abi = Abi::new(
        elf.header.encoding.class == Class::Elf64,
        elf.header.encoding.byte_order == ByteOrder::Little,
        elf.header.machine,
    );
    let os_abi = elf.header.os_abi;
    let Some(dynamic) = elf.dynamic.take().filter(|dynamic| {
        // A program that relocates itself has a dynamic section, and no use for a loader.
        let is_pie = dynamic.flags_1 & flags_1::PIE != 0;
        !(is_pie && elf.interpreter.is_none() && dynamic.needed.is_empty())
    }) else {
        return ReadOutcome::Static { abi, os_abi };
    };
    let load_conditions = load_conditions(&elf, &dynamic);
    let run_path = match dynamic.run_path {
        wheelfix_elf::RunPath::None => None,
        wheelfix_elf::RunPath::Rpath { path } => Some(RunPath::parse(PathKind::Rpath, &path)),
        wheelfix_elf::RunPath::Runpath { path } => Some(RunPath::parse(PathKind::Runpath, &path)),
        // The loader ignores DT_RPATH then.
        wheelfix_elf::RunPath::Both { runpath, .. } => {
            Some(RunPath::parse(PathKind::Runpath, &runpath))
        }
    };
    let definitions = dynamic
        .version_definitions
        .into_iter()
        // Versions are found by their hashes.
        .filter(|version| !version.base && version.hash == sysv_hash(version.name.as_bytes()));
    let notes = elf.notes.dlopen.iter();
    ReadOutcome::Object(Arc::new(Object {
        path,
        file: file.to_path_buf(),
        abi,
        os_abi: elf.header.os_abi,
        soname: dynamic.soname,
        needed: dynamic.needed,
        run_path,
        interpreter: elf.interpreter,
        flags_1: dynamic.flags_1,
        load_conditions,
        version_needs: version_needs(dynamic.version_needs),
        version_definitions: definitions.map(|version| version.name).collect(),
        dlopen_notes: notes.flat_map(|json| dlopen_note(json)).collect(),
        names: Vec::new(),
        content: None,
    }))
}

fn load_conditions(elf: &Elf, dynamic: &Dynamic) -> LoadConditions {
    let static_tls = dynamic.flags & flags::STATIC_TLS != 0;
    let tls = elf.program_header(SegmentKind::TLS);
    let base = dynamic.version_definitions.iter();
    LoadConditions {
        is_fixed: elf.header.object_type == ObjectType::Executable,
        executable_stack: elf
            .executable_stack
            .unwrap_or_else(|| has_executable_stack(elf.header.machine)),
        static_tls: tls.filter(|_| static_tls).map_or(0, |tls| tls.memory_len),
        has_symbol_versions: dynamic.array.get(Tag::VERSYM).is_some(),
        base_version: base
            .filter(|version| version.base)
            .map(|version| version.name.clone())
            .next(),
        filters: dynamic.filters.clone(),
        x86_level: elf
            .notes
            .x86_level
            .filter(|_| elf.header.machine == Machine::X86_64),
    }
}

/// Whether code may lie on the stack of a machine where no header says whether it does. Of those that are not known, MIPS
/// takes it for granted.
fn has_executable_stack(machine: Machine) -> bool {
    let facts = machine.facts();
    facts.map_or(machine == Machine::MIPS, |facts| facts.executable_stack)
}

fn version_needs(needs: Vec<VersionNeeds>) -> Vec<VersionNeed> {
    let mut flat = Vec::new();
    for VersionNeeds { file, versions, .. } in needs {
        flat.extend(versions.into_iter().map(|version| VersionNeed {
            file: file.clone(),
            version: version.name,
            weak: version.weak,
        }));
    }
    flat
}

/// The entries of one note. A note of another shape is passed over, as its specification asks.
fn dlopen_note(json: &str) -> Vec<DlopenNote> {
    serde_json::from_str(json).unwrap_or_default()
}

/// Hashes a whole file.
pub fn content_of(file: &Path) -> io::Result<ContentId> {
    let mut open = fs_err::File::open(file)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match open.read(&mut buffer)? {
            0 => return Ok(ContentId(hash.finalize().into())),
            length => hash.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}
