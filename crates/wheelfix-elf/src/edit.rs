//! Editing: from a request to a plan of writes.

mod change;
mod edits;
mod emit;
mod error;
mod headers;
mod heal;
mod interpreter;
mod layout;
mod old_dynamic;
mod plan;
mod references;
mod rehash;
mod relocations;
mod rename;
mod request;
mod settle;
mod strings;
mod symbols;
mod tables;
mod versions;
mod writes;

pub use error::EditError;
pub use plan::{Data, Plan, Planned, Warning, Write};
pub use request::{NeededEdit, Request, RunPathEdit, RunPathKind, RunPathRequest};

use crate::read::dynamic::StringTable;
use crate::read::dynamic_tag::Tag;
use crate::read::elf::{Dynamic, Elf};
use crate::read::header::ObjectType;
use crate::read::image::PAGE;
use crate::read::program_header::{ProgramHeader, SegmentKind};
use crate::read::section_header::SectionHeader;
use crate::read::symbol_table::{SymbolTable, read_hashes, symbol_count};
use crate::read::window::Window;
use crate::source::Source;
use crate::verify::Rule;
use edits::Edits;
use strings::StringLayout;

impl Plan {
    /// Plans the edits that `request` asks for, to the file `source` that was read as `elf`.
    pub fn new<S: Source + ?Sized>(
        source: &S,
        elf: &Elf,
        request: &Request,
    ) -> Result<Self, EditError> {
        let plan = plan(&source, elf, request)?;
        if request.heal && !plan.is_noop() {
            return settle::settle(&source, plan, request);
        }
        Ok(plan)
    }
}

fn plan(source: &dyn Source, elf: &Elf, request: &Request) -> Result<Plan, EditError> {
    change::check_texts(request)?;
    match elf.header.object_type {
        ObjectType::Executable | ObjectType::Dynamic => {}
        got => return Err(EditError::ObjectType { got }),
    }
    if elf.is_debug_file() {
        return Err(EditError::DebugFile);
    }
    check_loads(elf)?;
    match &elf.dynamic {
        Some(dynamic) => plan_dynamic(source, elf, dynamic, request),
        None if request.needs_dynamic() => Err(EditError::NotDynamic),
        None => plan_static(source, elf, request),
    }
}

/// Checks that the segments are laid out as loaders want them.
fn check_loads(elf: &Elf) -> Result<(), EditError> {
    let mut end = 0;
    for (index, load) in elf
        .program_headers
        .iter()
        .enumerate()
        .filter(|(_, header)| header.is_load())
    {
        // The kernel passes over an empty one, which is what maps a program.
        if load.memory_len == 0 && load.file_len == 0 && elf.is_program() {
            continue;
        }
        let &ProgramHeader {
            offset,
            vaddr,
            align,
            ..
        } = load;
        // What loaders ask for: patchelf 0.18 left more than a page as it was, and `heal` mends it.
        let is_congruent = vaddr.wrapping_sub(offset).is_multiple_of(PAGE);
        if !is_congruent || load.file_len > load.memory_len {
            return Err(EditError::LoadAlign {
                index,
                offset,
                vaddr,
                align,
            });
        }
        if vaddr < end {
            return Err(EditError::LoadOrder { index, vaddr, end });
        }
        end = load.memory_end();
        if load.file_end() > elf.file_len {
            return Err(EditError::LoadPastEnd {
                index,
                end: load.file_end(),
                file_len: elf.file_len,
            });
        }
    }
    Ok(())
}

/// Checks that the bytes of the string table are of no other section: unused ones are wiped.
fn check_strings(elf: &Elf, strings: StringTable) -> Result<(), EditError> {
    let end = strings.offset.saturating_add(strings.len);
    let overlaps = |section: &&SectionHeader| {
        let is_other = section.offset != strings.offset || section.vaddr != strings.vaddr;
        let shares = section.offset < end && strings.offset < section.file_end();
        section.has_bytes() && section.len != 0 && is_other && shares
    };
    match elf.sections.iter().find(overlaps) {
        None => Ok(()),
        Some(section) => Err(EditError::Overlap {
            offset: strings.offset,
            len: strings.len,
            other: section.offset,
        }),
    }
}

/// Refuses a file of which the loader does not find the dynamic section.
fn check_mapped(elf: &Elf) -> Result<(), EditError> {
    match elf.program_header(SegmentKind::DYNAMIC) {
        Some(dynamic) if load_of_dynamic(elf).is_none() => Err(EditError::DynamicUnmapped {
            vaddr: dynamic.vaddr,
        }),
        _ => Ok(()),
    }
}

/// The segment that brings the dynamic section into memory.
fn load_of_dynamic(elf: &Elf) -> Option<&ProgramHeader> {
    let dynamic = elf.program_header(SegmentKind::DYNAMIC)?;
    let vaddr = dynamic.vaddr;
    let is_mapped = |load: &&ProgramHeader| {
        // Old editors leave a section behind the end of its segment: its page is read from the file as a whole.
        let is_on_page = load.file_len == load.memory_len
            && load.pages().contains(&vaddr)
            && dynamic.offset.wrapping_sub(load.offset) == vaddr.wrapping_sub(load.vaddr);
        is_on_page || (load.vaddr..load.memory_end()).contains(&vaddr)
    };
    let mut loads = elf.program_headers.iter().filter(|load| load.is_load());
    loads.find(is_mapped)
}

/// Whether all symbols have to be looked at, and not only the offsets of their names.
fn needs_symbols(request: &Request) -> bool {
    request.heal || !request.rename_symbols.is_empty() || !request.clear_symbol_versions.is_empty()
}

fn plan_dynamic(
    source: &dyn Source,
    elf: &Elf,
    dynamic: &Dynamic,
    request: &Request,
) -> Result<Plan, EditError> {
    let strings = dynamic
        .strings
        .ok_or(EditError::NoTable { what: "DT_STRTAB" })?;
    check_strings(elf, strings)?;
    check_mapped(elf)?;
    let mut edits = Edits::new(source, elf, dynamic, strings);
    change::change(&mut edits, request)?;
    if request.executable_stack.is_some() && edits.tables.segment(SegmentKind::GNU_STACK).is_none()
    {
        layout::phdr_space::add_stack(&mut edits)?;
    }
    change::change_headers(
        &mut edits.tables.program_headers,
        &mut edits.summary,
        request,
    )?;
    edits.retired = old_dynamic::find(&edits)?;
    let (gnu, sysv) = read_hashes(elf, dynamic, source)?;
    edits.symbol_count = symbol_count(elf, dynamic, gnu.as_ref(), sysv.as_ref());
    let symbols = if needs_symbols(request) {
        Some(elf.symbols(&source)?)
    } else {
        None
    };
    if let Some(symbols) = &symbols {
        rename::find(&mut edits, symbols, &request.rename_symbols)?;
        versions::find_cleared(&mut edits, symbols, &request.clear_symbol_versions);
        if request.heal {
            heal::heal(&mut edits, symbols)?;
        }
    }
    versions::change(&mut edits);
    edits.os_abi = request.os_abi.filter(|os_abi| *os_abi != elf.header.os_abi);
    if edits.is_unchanged() {
        return Ok(Plan::noop(elf.file_len));
    }
    heal::mend_dynamic(&mut edits);
    check_bootstrap(elf, dynamic, &edits)?;
    let mut references = references::collect(&edits)?;
    if !references.complete {
        edits.warnings.push(Warning::StringsKept);
    }
    let mut layout = StringLayout::new(&mut Window::new(source), strings, &mut references)?;
    let offsets: Vec<u64> = edits
        .texts
        .iter()
        .map(|text| layout.add(text, &references))
        .collect();
    finish(&edits, &layout, &offsets, symbols.as_ref())
}

/// Checks that a file which relocates itself still starts: glibc's loader reads its own dynamic section before it can look
/// for anything, and it and position-independent static programs stop where it has a search path
/// (`elf_get_dynamic_info` in `elf/get-dynamic-info.h`).
fn check_bootstrap(elf: &Elf, dynamic: &Dynamic, edits: &Edits<'_>) -> Result<(), EditError> {
    let is_glibc_loader = |soname: &String| {
        ["ld-linux", "ld.so.", "ld64.so."]
            .iter()
            .any(|start| soname.starts_with(start))
    };
    if elf.interpreter.is_some() {
        return Ok(());
    }
    if dynamic.soname.as_ref().is_some_and(is_glibc_loader) {
        return Err(EditError::RelocatesItself {
            file: "glibc's dynamic loader",
            edit: "after an edit of its dynamic section",
        });
    }
    let has_run_path = edits
        .tables
        .entries
        .iter()
        .any(|entry| matches!(entry.tag, Tag::RPATH | Tag::RUNPATH));
    if elf.is_program() && dynamic.needed.is_empty() && has_run_path {
        return Err(EditError::RelocatesItself {
            file: "a static program",
            edit: "with a search path",
        });
    }
    Ok(())
}

/// Plans the edits that a file without a dynamic section can have.
fn plan_static(source: &dyn Source, elf: &Elf, request: &Request) -> Result<Plan, EditError> {
    let dynamic = Dynamic::absent();
    let strings = StringTable::ABSENT;
    let mut edits = Edits::new(source, elf, &dynamic, strings);
    if let Some(path) = &request.interpreter {
        change::change_interpreter(&mut edits, path)?;
    }
    change::change_headers(
        &mut edits.tables.program_headers,
        &mut edits.summary,
        request,
    )?;
    if request.heal {
        heal::mend_alignments(&mut edits);
    }
    edits.os_abi = request.os_abi.filter(|os_abi| *os_abi != elf.header.os_abi);
    if edits.is_unchanged() {
        return Ok(Plan::noop(elf.file_len));
    }
    finish(&edits, &StringLayout::absent(strings), &[], None)
}

/// Finds places for everything, and writes all that has changed.
fn finish(
    edits: &Edits<'_>,
    strings: &StringLayout,
    offsets: &[u64],
    symbols: Option<&SymbolTable>,
) -> Result<Plan, EditError> {
    let mut headers = edits.tables.program_headers.iter();
    let misaligned = headers.any(ProgramHeader::is_misaligned);
    let layout = layout::place(edits, strings)?;
    let writes = emit::emit(&layout, strings, offsets, symbols)?;
    let mut warnings = edits.warnings.clone();
    warnings.extend(misaligned.then_some(Warning::LoadMisaligned));
    warnings.extend(layout.warnings);
    if layout.new_len > edits.elf.file_len && edits.elf.has_appended_data(edits.source)? {
        warnings.push(Warning::DataBehindEnd);
    }
    Ok(Plan {
        writes,
        old_len: edits.elf.file_len,
        new_len: layout.new_len,
        summary: [edits.summary.clone(), layout.summary].concat(),
        warnings,
        accepted: accepted(edits),
    })
}

/// The rules of the check that the edits mean to break.
fn accepted(edits: &Edits<'_>) -> Vec<Rule> {
    let mut accepted = Vec::new();
    if !edits.renamed_symbols.is_empty() {
        accepted.push(Rule::ChangedSymbol);
    }
    if edits.os_abi.is_some() {
        // Whoever names another system than the loader's means it.
        accepted.push(Rule::ChangedAdmission);
    }
    if edits.mends_alignments {
        accepted.push(Rule::AlignMixed);
    }
    accepted
}
