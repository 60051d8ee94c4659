//! Files that contain the name of a library that nobody needs: they may open it while they run.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use rayon::prelude::*;
use walkdir::WalkDir;
use wheelfix_elf::{Elf, FileSource};
use wheelfix_format::LibraryName;
use wheelfix_link::{Object, Place, Tree};

/// How much of a file is looked through at once, in bytes.
const BLOCK: usize = 1 << 20;

/// For each library, the final path of a file that contains one of its names: a Python source, or a
/// library in its read-only data. The library's own file does not count.
pub(crate) fn references(
    tree: &Tree,
    places: &[Place],
    libraries: &[&Object],
) -> io::Result<Vec<Option<PathBuf>>> {
    let mut found = vec![None; libraries.len()];
    if libraries.is_empty() {
        return Ok(found);
    }
    let wanted: Vec<(&Object, Vec<Finder<'static>>)> = libraries
        .iter()
        .map(|object| (*object, finders(object)))
        .collect();
    let objects: Vec<&Object> = tree.objects().collect();
    let in_objects: Result<Vec<_>, io::Error> = objects
        .par_iter()
        .map(|object| in_object(object, &wanted))
        .collect();
    let sources = sources(places)?;
    let in_sources: Result<Vec<_>, io::Error> = sources
        .par_iter()
        .map(|source| in_source(source, &wanted))
        .collect();
    for hits in in_objects?.into_iter().chain(in_sources?) {
        for (index, path) in hits {
            if let Some(slot) = found.get_mut(index)
                && slot.is_none()
            {
                *slot = Some(path);
            }
        }
    }
    Ok(found)
}

/// The file name and the soname of a library, without version and hash since sources add them or list the
/// directory (`file.stem.startswith("libspatialindex")`), and the name of its directory if that is one of
/// libraries alone (`rtree.libs`).
fn finders(object: &Object) -> Vec<Finder<'static>> {
    let file = object.path.file_name().and_then(|name| name.to_str());
    let mut names: BTreeSet<String> = file
        .into_iter()
        .chain(object.soname.as_deref())
        .map(|name| match LibraryName::parse(name) {
            Some(parts) => parts.stem().to_owned(),
            None => name.to_owned(),
        })
        .collect();
    let directory = object.directory();
    if directory
        .extension()
        .is_some_and(|extension| extension == "libs" || extension == "dylibs")
    {
        let name = directory.file_name().and_then(|name| name.to_str());
        names.extend(name.map(str::to_owned));
    }
    names
        .iter()
        .map(|name| Finder::new(name.as_bytes()).into_owned())
        .collect()
}

type Hits = Vec<(usize, PathBuf)>;

fn in_object(object: &Object, wanted: &[(&Object, Vec<Finder<'static>>)]) -> io::Result<Hits> {
    let mut hits = Hits::new();
    let source = FileSource::open(&object.file)?;
    // What cannot be read is the relocation's to refuse.
    let Ok(elf) = Elf::read(&source) else {
        return Ok(hits);
    };
    let mut file = source.into_file();
    for section in &elf.sections {
        if section.name != ".rodata" && !section.name.starts_with(".rodata.") {
            continue;
        }
        file.seek(SeekFrom::Start(section.offset))?;
        let mut reader = (&mut file).take(section.len);
        scan(&mut reader, |block| {
            note(block, wanted, &object.path, &mut hits);
        })?;
    }
    Ok(hits)
}

fn in_source(
    (path, file): &(PathBuf, PathBuf),
    wanted: &[(&Object, Vec<Finder<'static>>)],
) -> io::Result<Hits> {
    let mut hits = Hits::new();
    let mut file = fs_err::File::open(file)?;
    scan(&mut file, |block| note(block, wanted, path, &mut hits))?;
    Ok(hits)
}

fn note(block: &[u8], wanted: &[(&Object, Vec<Finder<'static>>)], path: &Path, hits: &mut Hits) {
    for (index, (object, finders)) in wanted.iter().enumerate() {
        let is_own = object.path == path;
        if !is_own && finders.iter().any(|finder| finder.find(block).is_some()) {
            hits.push((index, path.to_path_buf()));
        }
    }
}

/// Reads block by block; each begins with the end of the one before, so that no name is cut.
fn scan(reader: &mut dyn io::Read, mut look: impl FnMut(&[u8])) -> io::Result<()> {
    // No file name is longer.
    const OVERLAP: usize = 255;
    let mut block = Vec::new();
    loop {
        let kept = block.len().min(OVERLAP);
        block.drain(..block.len() - kept);
        let read = reader.take(BLOCK as u64).read_to_end(&mut block)?;
        if read == 0 {
            return Ok(());
        }
        look(&block);
    }
}

/// The Python sources of the places: final path, and where they lie now.
fn sources(places: &[Place]) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut sources = Vec::new();
    for place in places {
        for entry in WalkDir::new(&place.on_disk).sort_by_file_name() {
            let entry = entry?;
            let is_source = entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "py");
            if is_source && entry.file_type().is_file() {
                sources.push((place.used(entry.path()), entry.into_path()));
            }
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_lie_across_two_blocks() {
        let mut bytes = vec![b'x'; BLOCK - 3];
        bytes.extend(b"libz.so.1");
        bytes.extend(vec![b'x'; BLOCK]);
        let finder = Finder::new(b"libz.so.1");
        let mut hits = 0;
        scan(&mut bytes.as_slice(), |block| {
            hits += usize::from(finder.find(block).is_some());
        })
        .unwrap();
        assert_eq!(hits, 1);
    }
}
