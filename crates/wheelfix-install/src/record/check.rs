//! Files that are not as the RECORD says that lists them.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;
use rayon::prelude::*;
use serde::Serialize;
use wheelfix_format::{HashAlgorithm, Record, RecordRow};
use wheelfix_link::count;

use crate::digest::FileDigest;
use crate::record::record_roots;
use crate::record::update::{normalise, records_below};

/// A RECORD that does not match the files that it lists.
#[derive(Debug, Serialize)]
pub struct UntrueRecord {
    /// The file.
    pub record: PathBuf,
    /// Files with another content than it says, sorted.
    pub changed: Vec<PathBuf>,
    /// Files that are not there, sorted.
    pub missing: Vec<PathBuf>,
}

/// Compares files below places with the RECORD files that list them.
///
/// RECORD is written last: a file is read only where it is newer, or has another size than it says.
pub fn untrue_records(places: &[PathBuf]) -> io::Result<Vec<UntrueRecord>> {
    let mut found = Vec::new();
    for root in record_roots(places.iter().map(PathBuf::as_path)) {
        for record in records_below(&root)? {
            let is_meant = |file: &Path| places.iter().any(|place| file.starts_with(place));
            let untrue = compare(record, is_meant)?;
            if !untrue.changed.is_empty() || !untrue.missing.is_empty() {
                found.push(untrue);
            }
        }
    }
    Ok(found)
}

/// Those of the given files that some of the RECORD files list with another content.
pub(crate) fn changed(
    records: &[PathBuf],
    files: &BTreeSet<&PathBuf>,
) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let names: BTreeSet<_> = files.iter().filter_map(|file| file.file_name()).collect();
    for record in records {
        // Of thousands of rows few are about files with such a name.
        let is_meant = |file: &Path| {
            file.file_name().is_some_and(|name| names.contains(name))
                && files.contains(&file.to_path_buf())
        };
        found.extend(compare(record.clone(), is_meant)?.changed);
    }
    Ok(found)
}

/// The fate of a file since its RECORD was written.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fate {
    Same,
    Changed,
    Missing,
}

/// Compares the files that are meant with what a RECORD says; one that is not valid says nothing.
fn compare(record: PathBuf, is_meant: impl Fn(&Path) -> bool + Sync) -> io::Result<UntrueRecord> {
    let written = fs::metadata(&record)?.modified()?;
    let text = String::from_utf8_lossy(&fs::read(&record)?).into_owned();
    let rows = Record::parse(&text).map_or_else(|_| Vec::new(), |record| record.rows);
    let site_packages = record.parent().and_then(Path::parent).unwrap_or(&record);
    let look = |row: &RecordRow| -> io::Result<(PathBuf, Fate)> {
        let file = normalise(&site_packages.join(&row.path));
        let fate = if is_meant(&file) {
            fate(&file, row, written)?
        } else {
            Fate::Same
        };
        Ok((file, fate))
    };
    let fates: io::Result<Vec<_>> = rows.par_iter().map(look).collect();
    let fates = fates?;
    let with = |wanted: Fate| {
        let files = fates.iter().filter(|(_, fate)| *fate == wanted);
        let mut files: Vec<PathBuf> = files.map(|(file, _)| file.clone()).collect();
        files.sort();
        files
    };
    Ok(UntrueRecord {
        changed: with(Fate::Changed),
        missing: with(Fate::Missing),
        record,
    })
}

fn fate(file: &Path, row: &RecordRow, written: SystemTime) -> io::Result<Fate> {
    let Some(hash) = &row.hash else {
        return Ok(Fate::Same);
    };
    let metadata = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Fate::Missing),
        metadata => metadata?,
    };
    if row.size.is_some_and(|size| size != metadata.len()) {
        return Ok(Fate::Changed);
    }
    if metadata.modified()? <= written || hash.algorithm() != HashAlgorithm::Sha256 {
        return Ok(Fate::Same);
    }
    Ok(if hash.digest() == FileDigest::of_file(file)?.sha256 {
        Fate::Same
    } else {
        Fate::Changed
    })
}

impl fmt::Display for UntrueRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.changed.len() + self.missing.len();
        let (record, files) = (self.record.display(), count(files, "file"));
        write!(f, "`{record}` is not true of {files}: ")?;
        match (self.changed.first(), self.missing.first()) {
            (Some(file), _) => write!(f, "`{}` has changed", file.display()),
            (None, Some(file)) => write!(f, "`{}` is not there", file.display()),
            (None, None) => Ok(()),
        }
    }
}
