//! Files that contain the name of a library that nobody needs: they may open it while they run.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};
use wheelfix_elf::{Elf, FileSource, is_temporary};
use wheelfix_format::LibraryName;
use wheelfix_link::Tree;
use wheelfix_loader::{Object, Place};

/// How much of a file is looked through at once, in bytes.
const BLOCK: usize = 1 << 20;

/// A library, and texts each of which is a use of it.
pub(crate) struct Wanted<'a> {
    object: &'a Object,
    finders: Vec<Finder<'static>>,
}

/// For each library, the final path of a file that contains one of its texts: a Python source, or a
/// library in its read-only data. The library's own file does not count.
pub(crate) fn references(
    tree: &Tree,
    places: &[Place],
    wanted: &[Wanted<'_>],
) -> io::Result<Vec<Option<PathBuf>>> {
    let mut found = vec![None; wanted.len()];
    if wanted.is_empty() {
        return Ok(found);
    }
    let objects: Vec<&Object> = tree.objects().collect();
    let in_objects: Result<Vec<_>, io::Error> = objects
        .par_iter()
        .map(|object| in_object(object, wanted))
        .collect();
    let sources = sources(places)?;
    let in_sources: Result<Vec<_>, io::Error> = sources
        .par_iter()
        .map(|source| in_source(source, wanted))
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

/// Texts by which sources list libraries, whatever their names: `glob("*.so*")`, `__name__ + ".libs"`,
/// `if ".so" in row[0]`.
const LISTINGS: [&str; 6] = ["*.so", ".libs'", ".libs\"", "/.libs", "'.so", "\".so"];

impl<'a> Wanted<'a> {
    /// A library that no object needs: its file name and soname without version and hash, since sources
    /// add them or list the directory (`file.stem.startswith("libspatialindex")`), the name of its
    /// directory (`rtree.libs`), and all that lists libraries.
    pub(crate) fn loosely(object: &'a Object) -> Self {
        let directory = object
            .directory()
            .file_name()
            .and_then(|name| name.to_str());
        let stems = names(object).map(|name| match LibraryName::parse(name) {
            Some(parts) => parts.stem().to_owned(),
            None => name.to_owned(),
        });
        let others = LISTINGS.into_iter().chain(directory).map(str::to_owned);
        Self::by(object, stems.chain(others))
    }

    /// A library that objects need: its file name and soname alone.
    pub(crate) fn exactly(object: &'a Object) -> Self {
        Self::by(object, names(object).map(str::to_owned))
    }

    fn by(object: &'a Object, texts: impl Iterator<Item = String>) -> Self {
        let finders = texts
            .map(|text| Finder::new(text.as_bytes()).into_owned())
            .collect();
        Self { object, finders }
    }
}

/// The file name and the soname of a library.
fn names(object: &Object) -> impl Iterator<Item = &str> {
    let file = object.path.file_name().and_then(|name| name.to_str());
    file.into_iter().chain(object.soname.as_deref())
}

type Hits = Vec<(usize, PathBuf)>;

fn in_object(object: &Object, wanted: &[Wanted<'_>]) -> io::Result<Hits> {
    let mut hits = Hits::new();
    let source = FileSource::open(&object.file)?;
    // What cannot be read is the relocation's to refuse.
    let Ok(elf) = Elf::read(&source) else {
        return Ok(hits);
    };
    elf.read_only_data(&source, &mut |block, _| {
        note(block, wanted, &object.path, &mut hits);
    })?;
    Ok(hits)
}

fn in_source((path, file): &(PathBuf, PathBuf), wanted: &[Wanted<'_>]) -> io::Result<Hits> {
    let mut hits = Hits::new();
    let mut file = fs_err::File::open(file)?;
    scan(&mut file, |block| note(block, wanted, path, &mut hits))?;
    Ok(hits)
}

fn note(block: &[u8], wanted: &[Wanted<'_>], path: &Path, hits: &mut Hits) {
    for (index, wanted) in wanted.iter().enumerate() {
        let is_own = wanted.object.path == path;
        if !is_own
            && wanted
                .finders
                .iter()
                .any(|finder| finder.find(block).is_some())
        {
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
        let entries = WalkDir::new(&place.on_disk).sort_by_file_name().into_iter();
        let is_content = |entry: &DirEntry| entry.depth() == 0 || !is_temporary(entry.file_name());
        for entry in entries.filter_entry(is_content) {
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
