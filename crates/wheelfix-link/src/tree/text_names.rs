//! Names of libraries in the read-only data of an object that calls `dlopen`: what it may open.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wheelfix_elf::{Elf, FileSource};
use wheelfix_format::{is_library_name, library_in};
use wheelfix_loader::{Object, ReadOutcome, object_of, open_elf};

/// Reads the facts of an object with the names in its data.
pub(crate) fn read_named_object(path: PathBuf, file: &Path) -> io::Result<ReadOutcome> {
    let Some(source) = open_elf(file)? else {
        return Ok(ReadOutcome::NoElf);
    };
    let mut outcome = object_of(path, file, &source);
    if let ReadOutcome::Object(object) = &mut outcome {
        if is_opaque(object, &source) {
            return Ok(ReadOutcome::Skipped(OPAQUE));
        }
        let names = text_names(object, &source);
        Arc::make_mut(object).names = names;
    }
    Ok(outcome)
}

/// Why nothing is done with a file that is not called a library and ends with more than its tables tell of.
const OPAQUE: &str =
    "has data appended to it, and is for who opens it by its name: no byte of it is changed";

/// Whether who opens an object looks at its end, where an edit would put something else: extensions of `DuckDB` have their
/// metadata there, and a signature of all bytes.
fn is_opaque(object: &Object, source: &FileSource) -> bool {
    !object.is_program()
        && !has_library_name(&object.path)
        && Elf::read(source).is_ok_and(|elf| elf.has_appended_data(source).unwrap_or_default())
}

/// Whether a file is called as shared libraries are. What is not, is opened by nobody who does not name it: the data of
/// tests, or the modules of another language.
pub(crate) fn has_library_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_none_or(is_library_name)
}

/// The names of libraries in the `.rodata` of a file, sorted, without what `object`
/// needs anyway and without its own.
///
/// Nothing for an object that does not import `dlopen`, and for one without section headers. What
/// cannot be read has no names.
pub(crate) fn text_names(object: &Object, source: &FileSource) -> Vec<String> {
    let mut names = scan(source).unwrap_or_default();
    names.retain(|name| !object.needed.contains(name) && !object.answers_to(name));
    names.into_iter().collect()
}

fn scan(source: &FileSource) -> Option<BTreeSet<String>> {
    let elf = Elf::read(source).ok()?;
    let mut names = BTreeSet::new();
    if elf.imports_dlopen(source).ok()? {
        let texts = elf.texts_with(source, &[".so"], &mut |text| {
            names.extend(library_in(text).map(str::to_owned));
        });
        texts.ok()?;
    }
    Some(names)
}

/// Which of the libraries a file names in its data, whether it calls `dlopen` or leaves that to Python: with
/// `.so` behind the stem, to which a version may be put, or by the stem alone. None in what cannot be read.
pub(crate) fn names_in<'n>(file: &Path, stems: &BTreeSet<&'n str>) -> BTreeSet<&'n str> {
    let wanted: Vec<&'n str> = stems.iter().copied().collect();
    let mut found = BTreeSet::new();
    let Ok(source) = FileSource::open(file) else {
        return found;
    };
    let Ok(elf) = Elf::read(&source) else {
        return found;
    };
    let is_ended = |after: Option<&str>| after.is_some_and(|after| after.starts_with(".so"));
    let scanned = elf.all_texts_with(&source, &wanted, &mut |text| {
        let is_named = |stem: &&&str| {
            let mut ends = text.match_indices(**stem);
            text == **stem || ends.any(|(at, stem)| is_ended(text.get(at + stem.len()..)))
        };
        found.extend(wanted.iter().filter(is_named));
    });
    if scanned.is_err() {
        found.clear();
    }
    found
}
