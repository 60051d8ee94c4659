//! `RECORD` compared with the directory of the archive.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, btree_map};

use wheelfix_archive::{Member, ZipArchive};
use wheelfix_format::{Pattern, RecordError, RecordHash, RecordRow};

use super::OpenOptions;
use super::dist_info::DistInfo;
use super::fault::{WheelFault, WheelFaults};
use super::oddity::{Oddities, Oddity};
use crate::digest::hash_of;

/// Files of `.dist-info` that only tell about the wheel, as `top_level.txt` of decord 0.6.0.
const INFORMATION: [&str; 10] = [
    "top_level.txt",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
    "zip-safe",
    "namespace_packages.txt",
    "dependency_links.txt",
    "requires.txt",
    "pbr.json",
    "metadata.json",
];
/// Files that tell about the wheel, whose reader looks for them by their names: RECORD of eva-decord 0.6.1 has none of
/// them. Where it has a row, that has to be true.
const METADATA: [&str; 2] = ["METADATA", "WHEEL"];
/// Beginnings of the names of licenses.
const LICENSES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS"];
/// Ends of the names of bills of materials.
const SBOMS: [&str; 2] = [".cdx.json", ".spdx.json"];
/// Files that `RECORD` need not have a hash for.
const UNHASHED: [&str; 3] = ["RECORD", "RECORD.jws", "RECORD.p7s"];
/// Longest file of `.dist-info` that is compared at once.
const MAX_INFORMATION_LEN: u64 = 256 << 20;

/// Compares paths, and the contents of what only tells about the wheel; gives for each member the index
/// of its row, `None` where contents are not to be compared.
pub(crate) fn check(
    archive: &ZipArchive,
    dist_info: &DistInfo,
    options: &OpenOptions,
    oddities: &mut Oddities,
    faults: &mut WheelFaults,
) -> Vec<Option<usize>> {
    let is_accepted = |path: &str| options.accepts(path);
    let rows = &dist_info.record.record.rows;
    let mut rows = by_path(rows, &is_accepted, oddities, faults);
    let unreadable = unreadable(archive, dist_info, &is_accepted, faults);
    let mut found = Vec::with_capacity(archive.members().len());
    for member in archive.members() {
        let path = member.path.as_str();
        let row = rows.remove(path);
        let name = path.strip_prefix(&*dist_info.dir);
        let name = name.and_then(|name| name.strip_prefix('/'));
        let is_unhashed = name.is_some_and(|name| UNHASHED.contains(&name));
        if is_unhashed || is_accepted(path) || unreadable.contains(path) {
            found.push(None);
            continue;
        }
        if name.is_some_and(is_information)
            && !is_as_stated(archive, member, row.map(|(_, row)| row))
            && is_text(archive, member)
        {
            oddities.note(Oddity::Information, path);
            found.push(None);
            continue;
        }
        if row.is_none() && name.is_some_and(|name| METADATA.contains(&name)) {
            oddities.note(Oddity::Information, path);
            found.push(None);
            continue;
        }
        match row {
            None => faults.push(WheelFault::Unlisted(path.to_owned())),
            Some((_, RecordRow { hash: None, .. })) => {
                faults.push(WheelFault::Unhashed(path.to_owned()));
            }
            Some((_, row)) if row.size.is_some_and(|size| size != member.len) => {
                oddities.note(Oddity::Size, path);
            }
            Some(_) => {}
        }
        found.push(row.map(|(index, _)| index));
    }
    for path in rows.into_keys() {
        if !UNHASHED.iter().any(|name| dist_info.file(name) == path) {
            oddities.note(Oddity::Ghost, path);
        }
    }
    let is_unused = |glob: &&Pattern| !options.exceptions_are_shared && !has(archive, glob);
    for glob in options.accept_mismatch.iter().filter(is_unused) {
        faults.push(WheelFault::UnusedException(glob.text().to_owned()));
    }
    found
}

/// Whether nobody runs, loads or decides by a file of `.dist-info`, going by its name.
fn is_information(name: &str) -> bool {
    match name.split_once('/') {
        None => {
            let is_license = LICENSES.iter().any(|start| name.starts_with(start));
            is_license || INFORMATION.contains(&name)
        }
        Some(("licenses", _)) => true,
        Some(("sboms", name)) => SBOMS.iter().any(|end| name.ends_with(end)),
        Some(_) => false,
    }
}

/// Whether a file is neither a program nor a library: a library beside others would be found by its
/// soname.
fn is_text(archive: &ZipArchive, member: &Member) -> bool {
    let is_code = |bytes: &[u8]| bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"#!");
    let content = archive.read(member, MAX_INFORMATION_LEN);
    !member.executable && content.is_ok_and(|content| !is_code(&content))
}

/// Whether a file of the archive matches.
pub(crate) fn has(archive: &ZipArchive, glob: &Pattern) -> bool {
    let mut members = archive.members().iter();
    members.any(|member| glob.matches(member.path.as_str()))
}

type Rows<'a> = BTreeMap<Cow<'a, str>, (usize, &'a RecordRow)>;

/// The rows by the path of their file.
fn by_path<'a>(
    rows: &'a [RecordRow],
    is_accepted: &dyn Fn(&str) -> bool,
    oddities: &mut Oddities,
    faults: &mut WheelFaults,
) -> Rows<'a> {
    let mut by_path = Rows::new();
    for (index, row) in rows.iter().enumerate() {
        let path = as_in_archive(&row.path);
        if path != row.path {
            oddities.note(Oddity::Spelling, &row.path);
        }
        match by_path.entry(path) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert((index, row));
            }
            btree_map::Entry::Occupied(first) => {
                let (_, first) = first.get();
                if first.hash == row.hash && first.size == row.size {
                    oddities.note(Oddity::ListedTwice, &row.path);
                } else if !is_accepted(&row.path) {
                    faults.push(WheelFault::ListedTwice(row.path.clone()));
                }
            }
        }
    }
    by_path
}

/// A path as archives write it: builds on Windows have put backslashes into `RECORD`.
fn as_in_archive(path: &str) -> Cow<'_, str> {
    if path.contains('\\') {
        let path = path.replace('\\', "/");
        return path.strip_prefix("./").unwrap_or(&path).to_owned().into();
    }
    path.strip_prefix("./").unwrap_or(path).into()
}

/// The files whose rows cannot be read; the faults of these rows are noted.
fn unreadable<'a>(
    archive: &ZipArchive,
    dist_info: &'a DistInfo,
    is_accepted: &dyn Fn(&str) -> bool,
    faults: &mut WheelFaults,
) -> BTreeSet<&'a str> {
    let mut unreadable = BTreeSet::new();
    for fault in &dist_info.record.faults {
        let path = fault.path();
        let is_whole = !matches!(
            fault,
            RecordError::Csv { .. } | RecordError::FieldCount { .. }
        );
        // A row without a file is of no consequence, whatever it says.
        let is_ghost = is_whole && path.is_some_and(|path| archive.find(path).is_none());
        if !is_ghost && !path.is_some_and(is_accepted) {
            faults.push(WheelFault::Record(fault.clone()));
        }
        unreadable.extend(path);
    }
    unreadable
}

/// Whether a file has the hash and the size of its row.
fn is_as_stated(archive: &ZipArchive, member: &Member, row: Option<&RecordRow>) -> bool {
    let Some(RecordRow {
        hash: Some(hash),
        size,
        ..
    }) = row
    else {
        return false;
    };
    let fits = |content: Vec<u8>| hash_of(hash.algorithm(), &content).as_ref() == Some(hash);
    // What cannot be read is found when it is unpacked.
    size.is_none_or(|size| size == member.len)
        && archive.read(member, MAX_INFORMATION_LEN).map_or(true, fits)
}

/// The hash of the row of a member.
pub(crate) fn hash_in(dist_info: &DistInfo, row: Option<usize>) -> Option<&RecordHash> {
    let row = dist_info.record.record.rows.get(row?)?;
    row.hash.as_ref()
}
