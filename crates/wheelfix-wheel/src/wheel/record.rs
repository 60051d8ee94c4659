//! `RECORD` compared with the directory of the archive.

use std::collections::BTreeMap;

use wheelfix_archive::ZipArchive;
use wheelfix_format::RecordRow;

use super::OpenOptions;
use super::dist_info::DistInfo;
use super::fault::{WheelFault, WheelFaults};

/// Compares paths and sizes; gives for each member the index of its row, `None` where contents are not
/// to be compared.
pub(crate) fn check(
    archive: &ZipArchive,
    dist_info: &DistInfo,
    options: &OpenOptions,
    faults: &mut WheelFaults,
) -> Vec<Option<usize>> {
    let rows = &dist_info.record.rows;
    let mut by_path: BTreeMap<&str, (usize, &RecordRow)> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        if by_path.insert(&row.path, (index, row)).is_some() {
            faults.push(WheelFault::ListedTwice(row.path.clone()));
        }
    }
    let unhashed = ["RECORD", "RECORD.jws", "RECORD.p7s"].map(|name| dist_info.file(name));
    let mut found = Vec::with_capacity(archive.members().len());
    for member in archive.members() {
        let path = member.path.as_str();
        let row = by_path.remove(path);
        let is_exempt = unhashed.iter().any(|exempt| exempt == path);
        if is_exempt || options.accept_mismatch.contains(path) {
            found.push(None);
            continue;
        }
        match row {
            None => faults.push(WheelFault::Unlisted(path.to_owned())),
            Some((_, RecordRow { hash: None, .. })) => {
                faults.push(WheelFault::Unhashed(path.to_owned()));
            }
            Some((
                _,
                RecordRow {
                    size: Some(expected),
                    ..
                },
            )) if *expected != member.len => {
                faults.push(WheelFault::Size {
                    path: path.to_owned(),
                    expected: *expected,
                    got: member.len,
                });
            }
            Some(_) => {}
        }
        found.push(row.map(|(index, _)| index));
    }
    for path in by_path
        .into_keys()
        .filter(|path| !unhashed.iter().any(|exempt| exempt == path))
    {
        faults.push(WheelFault::Ghost(path.to_owned()));
    }
    let is_unused = |path: &&String| !options.exceptions_are_shared && archive.find(path).is_none();
    for path in options.accept_mismatch.iter().filter(is_unused) {
        faults.push(WheelFault::UnusedException(path.clone()));
    }
    found
}
