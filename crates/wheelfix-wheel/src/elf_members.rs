//! The ELF files in a wheel, read without unpacking it.

use std::collections::BTreeSet;

use rayon::prelude::*;
use wheelfix_archive::{ContentError, Member};
use wheelfix_elf::{Elf, ReadError};

use crate::{GpuCode, Wheel, WheelMember, loads};

/// An ELF file in a wheel.
#[derive(Debug)]
pub struct ElfMember<'a> {
    /// The file in the archive.
    pub file: &'a Member,
    /// Its headers and dynamic section, or the reason why they cannot be read.
    pub elf: Result<Elf, ElfMemberError>,
    /// The symbols of Python's C interface that it takes from the interpreter, sorted. Empty for files
    /// that [claim no stable ABI](Wheel::claims_stable_abi).
    pub python_symbols: Vec<String>,
    /// Its code for GPUs; `None` if it has nothing to do with them. Without targets unless they were
    /// asked for.
    pub gpu_code: Option<GpuCode>,
    /// The libraries and places that it may load or look for while it runs; empty unless they were
    /// asked for.
    pub loads: BTreeSet<String>,
}

/// The amount of data that is read from the ELF files in a wheel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ElfOptions {
    /// Whether all of their contents are searched, for the GPUs that they have code for and for
    /// what they may load while they run.
    pub contents: bool,
}

/// Why an ELF file in a wheel cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElfMemberError {
    /// It could not be inflated.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// It is not a sound ELF file.
    #[error(transparent)]
    Elf(#[from] ReadError),
}

/// The first bytes of every ELF file.
const MAGIC: &[u8] = b"\x7fELF";

/// Larger members are not inflated into memory; the largest real library has some 1 GB.
const MAX_LEN: u64 = 4 << 30;

/// Files that are text by their names, which is most of a wheel: not even their first bytes are looked at.
const TEXT_SUFFIXES: [&str; 22] = [
    ".c", ".cc", ".cmake", ".cpp", ".css", ".cu", ".cuh", ".f90", ".h", ".hpp", ".html", ".inc",
    ".js", ".json", ".md", ".pxd", ".py", ".pyi", ".pyx", ".rst", ".txt", ".yaml",
];

impl Wheel {
    /// Reads all ELF files, in the order of their paths, in parallel on the current thread pool.
    ///
    /// A file is one by its first bytes. The largest are read first, as many at once as there are
    /// threads. Checksums are not compared; [`verify_contents`](Self::verify_contents) does.
    pub fn elf_members(&self, options: ElfOptions) -> Vec<ElfMember<'_>> {
        let candidates = self
            .archive()
            .members_by_path()
            .filter(|member| !is_text(member));
        let mut candidates: Vec<&Member> = candidates.collect();
        candidates.sort_by_key(|member| std::cmp::Reverse(member.len));
        // Handed out one by one in this order, so that no large one is left to the end.
        let read = candidates.into_iter().par_bridge();
        let mut found: Vec<ElfMember<'_>> = read
            .filter_map(|member| self.read_elf(member, options))
            .collect();
        found.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        found
    }

    /// The ELF files, in the order of the archive: known by their first bytes.
    pub fn elf_files(&self) -> Vec<WheelMember<'_>> {
        let members = self.members().filter(|member| !is_text(member.file));
        members.filter(|member| self.is_elf(member.file)).collect()
    }

    fn is_elf(&self, file: &Member) -> bool {
        let magic = self.archive().read_prefix(file, MAGIC.len() as u64);
        magic.is_ok_and(|magic| magic == MAGIC)
    }

    fn read_elf<'a>(&self, file: &'a Member, options: ElfOptions) -> Option<ElfMember<'a>> {
        if !self.is_elf(file) {
            return None;
        }
        let mut member = ElfMember {
            file,
            elf: Err(ElfMemberError::Content(ContentError::Corrupt)),
            python_symbols: Vec::new(),
            gpu_code: None,
            loads: BTreeSet::new(),
        };
        if MAX_LEN < file.len {
            let (expected, got) = (MAX_LEN, file.len);
            member.elf = Err(ContentError::TooLarge { expected, got }.into());
            return Some(member);
        }
        let claims_stable_abi = self.claims_stable_abi(file.path.as_str());
        let content = self.archive().inflate_whole(file, MAX_LEN);
        member.elf = content.map_err(ElfMemberError::from).and_then(|content| {
            let elf = Elf::read(&*content)?;
            if claims_stable_abi {
                member.python_symbols = imported_from_python(&elf, &content)?;
            }
            let searched = options.contents.then_some(&*content);
            member.gpu_code = GpuCode::find(&elf, searched);
            if let Some(content) = searched {
                member.loads = loads::in_library(&elf, content);
            }
            Ok(elf)
        });
        Some(member)
    }
}

/// Whether a file is text by its name.
pub(crate) fn is_text(member: &Member) -> bool {
    TEXT_SUFFIXES
        .iter()
        .any(|suffix| member.path.as_str().ends_with(suffix))
}

fn imported_from_python(elf: &Elf, bytes: &[u8]) -> Result<Vec<String>, ReadError> {
    let table = elf.symbols(bytes)?;
    let undefined = table.iter().filter(|symbol| !symbol.is_defined());
    let names = undefined.filter_map(|symbol| str::from_utf8(symbol.name).ok());
    let mut names: Vec<String> = names
        .filter(|name| name.starts_with("Py") || name.starts_with("_Py"))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}
