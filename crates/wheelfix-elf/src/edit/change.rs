//! From the request to the changed entries of the dynamic section: what has to be different, not where it goes.

use crate::edit::edits::{Edits, TextField};
use crate::edit::error::EditError;
use crate::edit::request::{NeededEdit, Request, RunPathEdit, RunPathKind, RunPathRequest};
use crate::edit::tables::{Entry, Value};
use crate::read::dynamic_tag::{Tag, flags_1};
use crate::read::elf::RunPath;
use crate::read::program_header::{PF_X, SegmentKind};

/// Checks that every text of a request can be a string of an ELF file.
pub(crate) fn check_texts(request: &Request) -> Result<(), EditError> {
    let mut texts: Vec<(&'static str, &str, bool)> = Vec::new();
    if let Some(RunPathRequest {
        edit: RunPathEdit::Set(path) | RunPathEdit::Append(path),
        ..
    }) = &request.run_path
    {
        texts.push(("search path", path, true));
    }
    for edit in &request.needed {
        match edit {
            NeededEdit::Append(name) | NeededEdit::Prepend(name) | NeededEdit::Remove(name) => {
                texts.push(("needed library", name, false));
            }
            NeededEdit::Replace { from, to } => {
                texts.extend([
                    ("needed library", from.as_str(), false),
                    ("needed library", to.as_str(), false),
                ]);
            }
        }
    }
    texts.extend(
        request
            .soname
            .iter()
            .map(|name| ("soname", name.as_str(), false)),
    );
    texts.extend(
        request
            .interpreter
            .iter()
            .map(|path| ("interpreter", path.as_str(), false)),
    );
    texts.extend(
        request
            .rename_symbols
            .values()
            .map(|name| ("symbol name", name.as_str(), false)),
    );
    for (what, text, may_be_empty) in texts {
        if text.contains('\0') {
            return Err(EditError::Nul {
                what,
                text: text.to_owned(),
            });
        }
        if text.is_empty() && !may_be_empty {
            return Err(EditError::Empty { what });
        }
    }
    Ok(())
}

/// Makes the changes to the entries, and to the program headers that hold no address.
pub(crate) fn change(edits: &mut Edits<'_>, request: &Request) -> Result<(), EditError> {
    change_needed(edits, &request.needed);
    if let Some(name) = &request.soname
        && edits.dynamic.soname.as_ref() != Some(name)
    {
        let old = edits.dynamic.soname.as_deref().unwrap_or("none");
        edits.summary.push(format!("soname {old} -> {name}"));
        let text = Value::Text(edits.text(name));
        edits.tables.set_or_add(Tag::SONAME, text);
    }
    if let Some(run_path) = &request.run_path {
        change_run_path(edits, run_path);
    }
    if request.no_default_lib && edits.dynamic.flags_1 & flags_1::NODEFLIB == 0 {
        edits
            .summary
            .push("default directories are not searched".to_owned());
        edits.tables.set_or_add(
            Tag::FLAGS_1,
            Value::Number(edits.dynamic.flags_1 | flags_1::NODEFLIB),
        );
    }
    if request.debug_tag && edits.tables.number(Tag::DEBUG).is_none() {
        edits.summary.push("DT_DEBUG added".to_owned());
        edits.tables.entries.push(Entry {
            tag: Tag::DEBUG,
            value: Value::Number(0),
        });
    }
    if let Some(path) = &request.interpreter {
        change_interpreter(edits, path)?;
    }
    Ok(())
}

/// Changes the interpreter, which a file without a dynamic section may have, too.
pub(crate) fn change_interpreter(edits: &mut Edits<'_>, path: &str) -> Result<(), EditError> {
    let Some(old) = &edits.elf.interpreter else {
        return Err(EditError::NoProgramHeader {
            kind: SegmentKind::INTERP,
        });
    };
    if old != path {
        edits.summary.push(format!("interpreter {old} -> {path}"));
        edits.tables.set_interpreter(edits.elf, path)?;
    }
    Ok(())
}

/// Changes `PT_GNU_STACK` and the OS ABI, which files without a dynamic section have too.
pub(crate) fn change_headers(
    program_headers: &mut [crate::read::program_header::ProgramHeader],
    summary: &mut Vec<String>,
    request: &Request,
) -> Result<(), EditError> {
    let Some(executable) = request.executable_stack else {
        return Ok(());
    };
    let kind = SegmentKind::GNU_STACK;
    let header = program_headers
        .iter_mut()
        .find(|header| header.kind == kind);
    let header = header.ok_or(EditError::NoProgramHeader { kind })?;
    let flags = if executable {
        header.flags | PF_X
    } else {
        header.flags & !PF_X
    };
    if flags != header.flags {
        header.flags = flags;
        summary.push(
            if executable {
                "stack: executable"
            } else {
                "stack: not executable"
            }
            .to_owned(),
        );
    }
    Ok(())
}

fn change_run_path(edits: &mut Edits<'_>, request: &RunPathRequest) {
    let old = edits.dynamic.run_path.clone();
    let old_kind = match old {
        RunPath::None => None,
        RunPath::Rpath { .. } => Some(RunPathKind::Rpath),
        RunPath::Runpath { .. } | RunPath::Both { .. } => Some(RunPathKind::Runpath),
    };
    let old_path = old.effective().unwrap_or_default();
    let path = match &request.edit {
        RunPathEdit::Set(path) => path.clone(),
        RunPathEdit::Append(path) if old_path.is_empty() => path.clone(),
        RunPathEdit::Append(path) if path.is_empty() => old_path.to_owned(),
        RunPathEdit::Append(path) => format!("{old_path}:{path}"),
        RunPathEdit::Keep => old_path.to_owned(),
        RunPathEdit::Remove => String::new(),
    };
    let kind = request.kind.or(old_kind).unwrap_or(RunPathKind::Runpath);
    let new = match kind {
        _ if path.is_empty() => RunPath::None,
        RunPathKind::Rpath => RunPath::Rpath { path: path.clone() },
        RunPathKind::Runpath => RunPath::Runpath { path: path.clone() },
    };
    if new == old {
        return;
    }
    edits
        .summary
        .push(format!("search path {} -> {}", show(&old), show(&new)));
    let tag = match new {
        RunPath::None => None,
        RunPath::Rpath { .. } => Some(Tag::RPATH),
        RunPath::Runpath { .. } | RunPath::Both { .. } => Some(Tag::RUNPATH),
    };
    let is_path = |entry: &Entry| matches!(entry.tag, Tag::RPATH | Tag::RUNPATH);
    // Where the path was, so that the order of the other entries is not disturbed.
    let place = edits
        .tables
        .entries
        .iter()
        .position(is_path)
        .unwrap_or(edits.tables.entries.len());
    edits.tables.entries.retain(|entry| !is_path(entry));
    if let Some(tag) = tag {
        // A path that only changes its tag keeps its string.
        let value = Value::Text(edits.text(&path));
        edits
            .tables
            .entries
            .insert(place.min(edits.tables.entries.len()), Entry { tag, value });
    }
}

fn show(path: &RunPath) -> String {
    match path {
        RunPath::None => "none".to_owned(),
        RunPath::Rpath { path } => format!("RPATH `{path}`"),
        RunPath::Runpath { path } => format!("RUNPATH `{path}`"),
        RunPath::Both { rpath, runpath } => format!("RPATH `{rpath}` and RUNPATH `{runpath}`"),
    }
}

/// An entry of the list of needed libraries.
struct Need {
    name: String,
    /// The value of the entry that it is now; `None` for a new one.
    old: Option<u64>,
}

fn change_needed(edits: &mut Edits<'_>, wanted: &[NeededEdit]) {
    let values: Vec<u64> = edits.dynamic.array.all(Tag::NEEDED).collect();
    let mut needs: Vec<Need> = Vec::new();
    for (name, value) in edits.dynamic.needed.iter().zip(values) {
        needs.push(Need {
            name: name.clone(),
            old: Some(value),
        });
    }
    let mut files: Vec<Option<String>> = edits
        .dynamic
        .version_needs
        .iter()
        .map(|needs| Some(needs.file.clone()))
        .collect();
    for edit in wanted {
        apply(edit, &mut needs, &mut files, &mut edits.summary);
    }
    let is_needed = |entry: &Entry| entry.tag == Tag::NEEDED;
    let place = edits.tables.entries.iter().position(is_needed).unwrap_or(0);
    let mut entries = Vec::new();
    for need in needs {
        let kept = need
            .old
            .filter(|value| old_name(edits, *value) == Some(&need.name));
        let value = kept.map_or_else(|| Value::Text(edits.text(&need.name)), Value::Number);
        entries.push(Entry {
            tag: Tag::NEEDED,
            value,
        });
    }
    edits.tables.entries.retain(|entry| !is_needed(entry));
    edits.tables.entries.splice(place..place, entries);
    for (needs, file) in edits.dynamic.version_needs.iter().zip(&files) {
        match file {
            Some(name) if *name != needs.file => {
                let text = edits.text(name);
                edits.text_fields.push(TextField {
                    offset: needs.offset + 4,
                    text,
                    what: "library of version needs",
                });
            }
            _ => {}
        }
    }
    edits.removed_needs = files.iter().map(Option::is_none).collect();
}

fn old_name<'m>(edits: &'m Edits<'_>, value: u64) -> Option<&'m String> {
    let mut pairs = edits
        .dynamic
        .array
        .all(Tag::NEEDED)
        .zip(&edits.dynamic.needed);
    pairs.find(|(old, _)| *old == value).map(|(_, name)| name)
}

fn apply(
    edit: &NeededEdit,
    needs: &mut Vec<Need>,
    files: &mut [Option<String>],
    summary: &mut Vec<String>,
) {
    match edit {
        NeededEdit::Append(name) | NeededEdit::Prepend(name) => {
            if needs.iter().any(|need| need.name == *name) {
                return;
            }
            let place = if matches!(edit, NeededEdit::Prepend(_)) {
                0
            } else {
                needs.len()
            };
            needs.insert(
                place,
                Need {
                    name: name.clone(),
                    old: None,
                },
            );
            summary.push(format!("needed library {name} added"));
        }
        NeededEdit::Remove(name) => {
            let before = needs.len();
            needs.retain(|need| need.name != *name);
            if needs.len() == before {
                return;
            }
            summary.push(format!("needed library {name} removed"));
            for file in files.iter_mut().filter(|file| file.as_ref() == Some(name)) {
                *file = None;
            }
        }
        NeededEdit::Replace { from, to } => {
            if from == to || !needs.iter().any(|need| need.name == *from) {
                return;
            }
            summary.push(format!("needed library {from} -> {to}"));
            for need in needs.iter_mut().filter(|need| need.name == *from) {
                need.name.clone_from(to);
            }
            for file in files.iter_mut().flatten().filter(|file| *file == from) {
                file.clone_from(to);
            }
        }
    }
}
