//! Keeps the RECORD files of a tree true after files of it were edited or removed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use walkdir::WalkDir;
use wheelfix_elf::is_temporary;
use wheelfix_format::{Record, RecordError, RecordHash, RecordRow};

use crate::atomic::writer::Writer;
use crate::digest::FileDigest;

/// The changes to the files of a tree. Paths are absolute.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Files with new content.
    pub(crate) edited: BTreeMap<PathBuf, FileDigest>,
    /// Files that are gone.
    pub(crate) removed: BTreeSet<PathBuf>,
    /// Files that are new, for the RECORD of the `.dist-info` directory that they are in.
    pub(crate) added: BTreeMap<PathBuf, FileDigest>,
}

/// Why a RECORD cannot be updated.
#[derive(Debug, thiserror::Error)]
pub enum RecordUpdateError {
    /// The text is not a RECORD.
    #[error("invalid RECORD: `{}`", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The first fault.
        source: RecordError,
    },
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Updates those of the given RECORD files that list a changed file; returns how many.
pub(crate) fn update_these(
    records: Vec<PathBuf>,
    changes: &Changes,
    writer: &mut Writer,
) -> Result<usize, RecordUpdateError> {
    let mut updated = 0;
    for path in records {
        let text = writer.read(&path)?;
        let record = parse(path.clone(), &text)?;
        if let Some(record) = apply(record, &path, changes) {
            writer.replace(&path, &record.to_string())?;
            updated += 1;
        }
    }
    Ok(updated)
}

/// Those of the given RECORD files that list one of these files.
pub(crate) fn listing(
    mut records: Vec<PathBuf>,
    files: &BTreeSet<PathBuf>,
) -> Result<Vec<PathBuf>, RecordUpdateError> {
    let mut invalid = None;
    records.retain(|path| match listed(path, files) {
        Ok(listed) => !listed.is_empty(),
        Err(error) => {
            invalid.get_or_insert(error);
            false
        }
    });
    invalid.map_or(Ok(records), Err)
}

/// The files among these that a RECORD lists.
fn listed(path: &Path, files: &BTreeSet<PathBuf>) -> Result<BTreeSet<PathBuf>, RecordUpdateError> {
    let record = parse(path.to_owned(), &fs::read_to_string(path)?)?;
    let site_packages = path.parent().and_then(Path::parent).unwrap_or(path);
    let names = names(files.iter());
    let rows = record.rows.iter().filter(|row| names.contains(name(row)));
    let listed = rows.map(|row| normalise(&site_packages.join(&row.path)));
    Ok(listed.filter(|file| files.contains(file)).collect())
}

/// The files that a RECORD lists; none for one that is not valid.
pub(crate) fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    let directories = files_by_directory(path)?.into_iter();
    let files = directories.flat_map(|(directory, names)| {
        let files = names.into_iter();
        files.map(move |name| directory.join(name))
    });
    Ok(files.collect())
}

/// The directories with the names of the files in them that a RECORD lists; none for one that is not valid.
pub(crate) fn files_by_directory(path: &Path) -> io::Result<Vec<(PathBuf, Vec<String>)>> {
    let text = fs::read(path)?;
    let record = Record::parse(&String::from_utf8_lossy(&text));
    let rows = record.map_or_else(|_| Vec::new(), |record| record.rows);
    let site_packages = path.parent().and_then(Path::parent).unwrap_or(path);
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let (directory, name) = row.path.rsplit_once('/').unwrap_or(("", &row.path));
        let name = name.to_owned();
        match files.get_mut(directory) {
            Some(names) => names.push(name),
            None => {
                files.insert(directory.to_owned(), vec![name]);
            }
        }
    }
    let files = files.into_iter();
    let absolute = |directory: String| normalise(&site_packages.join(directory));
    Ok(files
        .map(|(directory, names)| (absolute(directory), names))
        .collect())
}

/// The names of files. Of thousands of rows few are about files with such a name.
fn names<'f>(files: impl Iterator<Item = &'f PathBuf>) -> BTreeSet<&'f OsStr> {
    files.filter_map(|file| file.file_name()).collect()
}

fn name(row: &RecordRow) -> &OsStr {
    OsStr::new(row.path.rsplit('/').next().unwrap_or(&row.path))
}

/// Refuses a RECORD beside a file of `.dist-info` that could not be updated.
pub(crate) fn check_beside(file: &Path) -> Result<(), RecordUpdateError> {
    let record = file.with_file_name("RECORD");
    if !record.is_file() {
        return Ok(());
    }
    let text = fs::read_to_string(&record)?;
    if with_row(&text, file, FileDigest::of_bytes(&[])).is_some() {
        return Ok(());
    }
    parse(record, &text).map(drop)
}

fn parse(path: PathBuf, text: &str) -> Result<Record, RecordUpdateError> {
    let first = |faults: Vec<RecordError>| faults.into_iter().next();
    match Record::parse(text).map_err(first) {
        Ok(record) => Ok(record),
        Err(Some(source)) => Err(RecordUpdateError::Invalid { path, source }),
        Err(None) => Ok(Record::default()),
    }
}

/// Updates the RECORD beside a file of `.dist-info`; returns how many that are, none or one.
pub(crate) fn update_beside(
    file: &Path,
    digest: FileDigest,
    changes: &Changes,
    writer: &mut Writer,
) -> Result<usize, RecordUpdateError> {
    let record = file.with_file_name("RECORD");
    if !record.is_file() {
        return Ok(0);
    }
    let text = writer.read(&record)?;
    match with_row(&text, file, digest) {
        Some(new) if new == text => Ok(0),
        Some(new) => {
            writer.replace(&record, &new)?;
            Ok(1)
        }
        None => update_these(vec![record], changes, writer),
    }
}

/// The text of a RECORD with another row for a file beside it, all other rows as they are; `None` if the
/// text has to be parsed to find the row.
fn with_row(text: &str, file: &Path, digest: FileDigest) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let path = format!("{}/{name}", file.parent()?.file_name()?.to_str()?);
    if text.contains('"') || path.contains(['"', ',', '\n', '\r']) {
        return None;
    }
    let begin = format!("\n{path},");
    let start = if text.starts_with(begin.trim_start()) {
        0
    } else {
        text.find(&begin)? + 1
    };
    let (before, rest) = text.split_at_checked(start)?;
    let (row, after) = rest.split_at_checked(rest.find(['\r', '\n'])?)?;
    // A row without a hash stays as it is, and the first of two is not the only one.
    if row.ends_with(",,") || after.contains(&begin) {
        return None;
    }
    let row = RecordRow {
        path,
        hash: Some(RecordHash::sha256(digest.sha256)),
        size: Some(digest.len),
    };
    Some(format!("{before}{row}{after}"))
}

/// The RECORD files below a directory, sorted.
pub(crate) fn records_below(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let entries = WalkDir::new(root).sort_by_file_name().into_iter();
    for entry in
        entries.filter_entry(|entry| entry.depth() == 0 || !is_temporary(entry.file_name()))
    {
        let entry = entry?;
        let in_dist_info = entry.path().parent().is_some_and(|parent| {
            parent
                .extension()
                .is_some_and(|extension| extension == "dist-info")
        });
        // A link too: what is written in its place is a file of the tree's own.
        if in_dist_info && entry.file_name() == "RECORD" && entry.path().is_file() {
            paths.push(entry.into_path());
        }
    }
    Ok(paths)
}

/// The record with its rows changed; `None` if no row changes.
fn apply(mut record: Record, path: &Path, changes: &Changes) -> Option<Record> {
    let site_packages = path.parent()?.parent()?;
    let mut dirty = false;
    let names = names(changes.removed.iter().chain(changes.edited.keys()));
    record.rows.retain_mut(|row| {
        if !names.contains(name(row)) {
            return true;
        }
        let file = normalise(&site_packages.join(&row.path));
        if changes.removed.contains(&file) {
            dirty = true;
            return false;
        }
        if let Some(digest) = changes.edited.get(&file) {
            let hash = Some(RecordHash::sha256(digest.sha256));
            let size = Some(digest.len);
            if row.hash.is_some() && (row.hash != hash || row.size != size) {
                dirty = true;
                (row.hash, row.size) = (hash, size);
            }
        }
        true
    });
    let own = changes.added.iter().filter(|(file, _)| {
        path.parent()
            .is_some_and(|dist_info| file.starts_with(dist_info))
    });
    for (file, digest) in own {
        let name = file.strip_prefix(site_packages).ok()?.to_str()?.to_owned();
        if record.rows.iter().all(|row| row.path != name) {
            dirty = true;
            let at = record
                .rows
                .iter()
                .position(|row| row.hash.is_none())
                .unwrap_or(record.rows.len());
            record.rows.insert(
                at,
                RecordRow {
                    path: name,
                    hash: Some(RecordHash::sha256(digest.sha256)),
                    size: Some(digest.len),
                },
            );
        }
    }
    dirty.then_some(record)
}

/// The `.dist-info` directories of RECORD files that list one of these files, with those that each lists.
pub(crate) fn owners(
    records: &[PathBuf],
    files: &BTreeSet<PathBuf>,
) -> Result<BTreeMap<PathBuf, BTreeSet<PathBuf>>, RecordUpdateError> {
    let mut owners = BTreeMap::new();
    for path in records {
        let listed = listed(path, files)?;
        if let (false, Some(dist_info)) = (listed.is_empty(), path.parent()) {
            owners.insert(dist_info.to_owned(), listed);
        }
    }
    Ok(owners)
}

/// Resolves `..` by name: RECORD's `../../../bin/x` is `bin/x` of the prefix.
pub(crate) fn normalise(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(record: &Path, changes: &Changes) -> Result<usize, RecordUpdateError> {
        update_these(vec![record.to_owned()], changes, &mut Writer::default())
    }

    #[test]
    fn rows_of_changed_files_are_updated() {
        let dir = tempfile::tempdir().unwrap();
        let dist_info = dir
            .path()
            .join("lib/python3.11/site-packages/a-1.dist-info");
        fs::create_dir_all(&dist_info).unwrap();
        let old = RecordHash::sha256([1; 32]);
        let text = format!(
            "../../../bin/tool,{old},1\na-1.dist-info/RECORD,,\na.so,{old},1\nb.so,{old},1\nc.py,{old},1\n"
        );
        let record = dist_info.join("RECORD");
        fs::write(&record, text).unwrap();

        let digest = FileDigest::of_bytes(b"new");
        let mut changes = Changes::default();
        for path in ["bin/tool", "lib/python3.11/site-packages/a.so"] {
            changes.edited.insert(dir.path().join(path), digest);
        }
        let gone = dir.path().join("lib/python3.11/site-packages/b.so");
        changes.removed.insert(gone);
        assert_eq!(update(&record, &changes).unwrap(), 1);

        let new = RecordHash::sha256(digest.sha256);
        assert_eq!(
            fs::read_to_string(&record).unwrap(),
            format!(
                "../../../bin/tool,{new},3\na-1.dist-info/RECORD,,\na.so,{new},3\nc.py,{old},1\n"
            )
        );
        assert_eq!(update(&record, &changes).unwrap(), 0);
    }

    #[test]
    fn one_row_is_replaced_without_parsing_the_others() {
        let file = Path::new("/p/a-1.dist-info/METADATA");
        let digest = FileDigest::of_bytes(b"new");
        let (old, new) = (
            RecordHash::sha256([1; 32]),
            RecordHash::sha256(digest.sha256),
        );
        let row = |hash: &RecordHash, len| format!("a-1.dist-info/METADATA,{hash},{len}");
        let rows = |row: &str| {
            [
                format!("a.py,{old},1\n{row}\na-1.dist-info/RECORD,,\n"),
                format!("{row}\r\na.py,,\r\n"),
                format!("x/{}\n{row}\n", row_of_another(&old)),
            ]
        };
        for (text, want) in rows(&row(&old, 1)).iter().zip(rows(&row(&new, 3))) {
            assert_eq!(with_row(text, file, digest), Some(want), "{text}");
        }
        let quoted = format!("\"a,b.py\",{old},1\n{}\n", row(&old, 1));
        let twice = format!("{0}\n{0}\n", row(&old, 1));
        let unhashed = "a-1.dist-info/METADATA,,\n";
        for text in [&quoted, &twice, unhashed, "a.py,,\n", ""] {
            assert_eq!(with_row(text, file, digest), None, "{text}");
        }
    }

    /// A row whose path ends as that of METADATA does.
    fn row_of_another(hash: &RecordHash) -> String {
        format!("a-1.dist-info/METADATA,{hash},1")
    }

    #[test]
    fn a_broken_record_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a-1.dist-info")).unwrap();
        let record = dir.path().join("a-1.dist-info/RECORD");
        fs::write(&record, "a.py\n").unwrap();
        let error = update(&record, &Changes::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("invalid RECORD: `{}`", record.display())
        );
    }
}
