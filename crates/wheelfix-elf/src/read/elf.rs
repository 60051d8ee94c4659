//! An ELF file as the loader sees it.

use serde::Serialize;

use crate::error::ReadError;
use crate::read::dynamic::{DynamicArray, StringTable};
use crate::read::dynamic_tag::{Tag, flags_1};
use crate::read::header::{Header, ObjectType};
use crate::read::image::{Image, PAGE};
use crate::read::mapping::map_what_is_there;
use crate::read::notes::Notes;
use crate::read::program_header::{PF_X, ProgramHeader, SegmentKind};
use crate::read::section_header::{SHF_TLS, SHT_NOBITS, SectionHeader};
use crate::read::versions::{Chain, VersionDefinition, VersionNeeds, VersionReader};
use crate::read::window::{Window, read_range};
use crate::source::Source;

/// The headers and the dynamic section of an ELF file. Everything is owned; the source is not kept.
#[derive(Clone, Debug, Serialize)]
pub struct Elf {
    /// The ELF header.
    pub header: Header,
    /// The program headers.
    pub program_headers: Vec<ProgramHeader>,
    /// The section headers; empty if the file has none or they were not asked for.
    pub sections: Vec<SectionHeader>,
    /// `None` for a file that is not linked dynamically, and for separate debug information.
    pub dynamic: Option<Dynamic>,
    /// The program that loads this one, from `PT_INTERP`.
    pub interpreter: Option<String>,
    /// Whether the stack is executable. `None` without `PT_GNU_STACK`: then the machine's default holds.
    pub executable_stack: Option<bool>,
    /// The build id and the `dlopen` notes.
    pub notes: Notes,
    /// Length of the file in bytes.
    pub file_len: u64,
    /// The memory that the segments become.
    #[serde(skip)]
    image: Image,
}

/// The dynamic section, with the strings and versions that it names.
#[derive(Clone, Debug, Serialize)]
pub struct Dynamic {
    /// The entries.
    pub array: DynamicArray,
    /// The string table. `None` if there is none; then no entry has a string.
    pub strings: Option<StringTable>,
    /// The libraries that are needed, in order.
    pub needed: Vec<String>,
    /// The libraries that have the symbols this one only shows (`DT_FILTER`): they are needed, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// The library's own name.
    pub soname: Option<String>,
    /// The search path.
    pub run_path: RunPath,
    /// `DT_FLAGS`, 0 if not given; see [`crate::read::dynamic_tag::flags`].
    pub flags: u64,
    /// `DT_FLAGS_1`, 0 if not given; see [`crate::read::dynamic_tag::flags_1`].
    pub flags_1: u64,
    /// The versions that are needed, by library.
    pub version_needs: Vec<VersionNeeds>,
    /// The versions that are defined.
    pub version_definitions: Vec<VersionDefinition>,
}

/// The search path for needed libraries, with the tag it is under. Directories are separated by colons.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum RunPath {
    /// There is none.
    #[default]
    None,
    /// `DT_RPATH`: comes before `LD_LIBRARY_PATH`; inherited by what is loaded from here.
    Rpath {
        /// The directories.
        path: String,
    },
    /// `DT_RUNPATH`: comes after `LD_LIBRARY_PATH`; for this object's own needs alone.
    Runpath {
        /// The directories.
        path: String,
    },
    /// Both tags; glibc and musl then ignore `DT_RPATH`.
    Both {
        /// `DT_RPATH`.
        rpath: String,
        /// `DT_RUNPATH`.
        runpath: String,
    },
}

impl RunPath {
    /// The path that a loader uses, or `None` without one.
    pub fn effective(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Rpath { path } | Self::Runpath { path } => Some(path),
            Self::Both { runpath, .. } => Some(runpath),
        }
    }
}

impl Elf {
    /// Reads a file: a few kilobytes, whatever its length.
    pub fn read<S: Source + ?Sized>(source: &S) -> Result<Self, ReadError> {
        let mut window = Window::new(&source);
        let header = Header::read(&mut window)?;
        let sections = SectionHeader::read_all(&mut window, &header)?;
        Self::assemble(&mut window, header, sections)
    }

    /// Whether bytes that are not padding lie behind all segments, sections and their headers, as an archive or a signature
    /// that somebody looks for at the end of the file. Of many, the first ones are looked at.
    pub fn has_appended_data<S: Source + ?Sized>(&self, source: &S) -> Result<bool, ReadError> {
        let headers_len = self.sections.len() * self.header.encoding.section_header_len();
        let headers_end = self
            .header
            .section_headers_offset
            .saturating_add(headers_len as u64);
        let sections = self.sections.iter().filter(|section| section.has_bytes());
        let end = self
            .program_headers
            .iter()
            .map(ProgramHeader::file_end)
            .chain(sections.map(SectionHeader::file_end))
            .chain([headers_end])
            .max()
            .unwrap_or_default()
            .min(self.file_len);
        let len = (self.file_len - end).min(PAGE);
        let bytes = read_range(&source, "appended data", end, len)?;
        Ok(bytes.iter().any(|byte| *byte != 0))
    }

    /// Like [`Self::read`], without the section headers, which are at the end of most files.
    pub fn read_without_sections<S: Source + ?Sized>(source: &S) -> Result<Self, ReadError> {
        let mut window = Window::new(&source);
        let header = Header::read(&mut window)?;
        Self::assemble(&mut window, header, Vec::new())
    }

    fn assemble(
        window: &mut Window<'_>,
        header: Header,
        sections: Vec<SectionHeader>,
    ) -> Result<Self, ReadError> {
        let program_headers = ProgramHeader::read_all(window, &header)?;
        let file_len = window.source().file_len();
        let mut elf = Self {
            header,
            image: map_what_is_there(&program_headers, file_len),
            program_headers,
            sections,
            dynamic: None,
            interpreter: None,
            executable_stack: None,
            notes: Notes::default(),
            file_len,
        };
        if matches!(
            elf.header.object_type,
            ObjectType::Core | ObjectType::Relocatable
        ) {
            return Ok(elf);
        }
        elf.executable_stack = elf
            .program_header(SegmentKind::GNU_STACK)
            .map(|stack| stack.flags & PF_X != 0);
        if elf.is_debug_file() {
            return Ok(elf);
        }
        if let Some(interp) = elf.program_header(SegmentKind::INTERP).copied() {
            elf.interpreter = Some(window.text("PT_INTERP", interp.offset, interp.file_end())?);
        }
        let dynamic = elf.program_header(SegmentKind::DYNAMIC);
        // A linker script may ask for a segment that nothing is put into.
        if let Some(dynamic) = dynamic.filter(|dynamic| dynamic.file_len != 0) {
            elf.dynamic = Some(Dynamic::read(window, &elf.header, dynamic, &elf.image)?);
        }
        elf.notes = Notes::read(
            window,
            elf.header.encoding,
            &elf.program_headers,
            &elf.sections,
        )?;
        Ok(elf)
    }

    /// Returns the first program header of a kind.
    pub fn program_header(&self, kind: SegmentKind) -> Option<&ProgramHeader> {
        self.program_headers
            .iter()
            .find(|header| header.kind == kind)
    }

    /// Whether the file is separate debug information: it has a dynamic segment, but not its bytes.
    pub fn is_debug_file(&self) -> bool {
        is_debug_file(&self.program_headers, &self.sections)
    }

    /// Whether the file is a program: it has an interpreter, a fixed address, or says so in `DT_FLAGS_1`.
    pub fn is_program(&self) -> bool {
        self.header.object_type == ObjectType::Executable
            || self.interpreter.is_some()
                && self
                    .dynamic
                    .as_ref()
                    .is_none_or(|dynamic| dynamic.soname.is_none())
            || self
                .dynamic
                .as_ref()
                .is_some_and(|dynamic| dynamic.flags_1 & flags_1::PIE != 0)
    }

    /// The memory that the segments become: which bytes of the file lie at an address.
    pub(crate) fn image(&self) -> &Image {
        &self.image
    }
}

/// See [`Elf::is_debug_file`].
pub(crate) fn is_debug_file(program_headers: &[ProgramHeader], sections: &[SectionHeader]) -> bool {
    let mut headers = program_headers.iter();
    let dynamic = headers.find(|header| header.kind == SegmentKind::DYNAMIC);
    dynamic.is_some_and(|dynamic| {
        // A `.tbss` has no addresses of its own and may be at the dynamic segment's.
        let emptied = |section: &SectionHeader| {
            section.kind == SHT_NOBITS
                && section.is_alloc()
                && section.flags & SHF_TLS == 0
                && section.vaddr == dynamic.vaddr
                && section.len != 0
        };
        dynamic.file_len == 0 && dynamic.memory_len != 0 || sections.iter().any(emptied)
    })
}

impl Dynamic {
    /// That of a file without one.
    pub(crate) fn absent() -> Self {
        Self {
            array: DynamicArray::ABSENT,
            strings: None,
            needed: Vec::new(),
            filters: Vec::new(),
            soname: None,
            run_path: RunPath::None,
            flags: 0,
            flags_1: 0,
            version_needs: Vec::new(),
            version_definitions: Vec::new(),
        }
    }

    fn read(
        window: &mut Window<'_>,
        header: &Header,
        segment: &ProgramHeader,
        image: &Image,
    ) -> Result<Self, ReadError> {
        let array = DynamicArray::read(window, header.encoding, segment)?;
        let strings = StringTable::find(&array, image)?;
        let mut dynamic = Self {
            flags: array.get(Tag::FLAGS).unwrap_or_default(),
            flags_1: array.get(Tag::FLAGS_1).unwrap_or_default(),
            array,
            strings,
            ..Self::absent()
        };
        let Some(strings) = strings else {
            return Ok(dynamic);
        };
        dynamic.read_strings(window, strings)?;
        let mut reader = VersionReader::new(window, header.encoding, strings);
        if let Some(chain) = find_chain(&dynamic.array, image, [Tag::VERNEED, Tag::VERNEEDNUM])? {
            dynamic.version_needs = reader.needs(chain)?;
        }
        if let Some(chain) = find_chain(&dynamic.array, image, [Tag::VERDEF, Tag::VERDEFNUM])? {
            dynamic.version_definitions = reader.definitions(chain)?;
        }
        Ok(dynamic)
    }

    fn read_strings(
        &mut self,
        window: &mut Window<'_>,
        strings: StringTable,
    ) -> Result<(), ReadError> {
        for value in self.array.all(Tag::NEEDED) {
            self.needed.push(strings.text(window, "DT_NEEDED", value)?);
        }
        for value in self.array.all(Tag::FILTER) {
            self.filters.push(strings.text(window, "DT_FILTER", value)?);
        }
        let mut text = |tag, what| {
            self.array
                .get(tag)
                .map(|value| strings.text(window, what, value))
                .transpose()
        };
        self.soname = text(Tag::SONAME, "DT_SONAME")?;
        self.run_path = match (
            text(Tag::RPATH, "DT_RPATH")?,
            text(Tag::RUNPATH, "DT_RUNPATH")?,
        ) {
            (None, None) => RunPath::None,
            (Some(path), None) => RunPath::Rpath { path },
            (None, Some(path)) => RunPath::Runpath { path },
            (Some(rpath), Some(runpath)) => RunPath::Both { rpath, runpath },
        };
        Ok(())
    }
}

/// Finds a chain of version structures by the tags of its address and of its number.
fn find_chain(
    array: &DynamicArray,
    image: &Image,
    tags: [Tag; 2],
) -> Result<Option<Chain>, ReadError> {
    let [address_tag, count_tag] = tags;
    let what = if address_tag == Tag::VERNEED {
        "DT_VERNEED"
    } else {
        "DT_VERDEF"
    };
    match (array.get(address_tag), array.get(count_tag)) {
        (Some(vaddr), Some(count)) => match image.locate(vaddr) {
            Some((offset, left)) => Ok(Some(Chain {
                offset,
                end: offset.saturating_add(left),
                count,
            })),
            None => Err(ReadError::Unmapped {
                what,
                vaddr,
                len: 1,
            }),
        },
        (Some(_), None) => Err(ReadError::Missing {
            what,
            missing: "its number of entries",
        }),
        (None, _) => Ok(None),
    }
}
