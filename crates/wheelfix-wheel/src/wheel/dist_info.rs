//! The `.dist-info` directory of a wheel and the text files in it.

use std::collections::BTreeSet;

use wheelfix_archive::{Member, ZipArchive};
use wheelfix_format::{
    EntryPoints, Metadata, PackageName, ReadRecord, RecordError, Tag, TagSet, Version, WheelFile,
    WheelFilename,
};

use super::OpenOptions;
use super::fault::{WheelFault, WheelFaults, WheelWarning};

/// The text files of a `.dist-info` directory that a wheel cannot do without.
#[derive(Debug)]
pub(crate) struct DistInfo {
    /// The name of the directory.
    pub(crate) dir: String,
    pub(crate) wheel_file: WheelFile,
    pub(crate) metadata: Metadata,
    pub(crate) record: ReadRecord,
    pub(crate) entry_points: EntryPoints,
}

/// Longest text file that is read. `RECORD` has some 100 bytes per member, the largest real one 3 MB.
const MAX_TEXT_LEN: u64 = 256 << 20;

impl DistInfo {
    /// Reads the directory; `None` if a file is missing or unreadable, which is in the faults then.
    pub(crate) fn read(
        archive: &ZipArchive,
        filename: &WheelFilename,
        options: &OpenOptions,
        faults: &mut WheelFaults,
    ) -> Option<Self> {
        let dir = find(archive, filename, faults)?;
        let mut read = |name: &str| read_text(archive, &format!("{dir}/{name}"), faults);
        let [wheel_file, metadata, record] = ["WHEEL", "METADATA", "RECORD"].map(&mut read);
        let entry_points = match archive.find(&format!("{dir}/entry_points.txt")) {
            Some(_) => read("entry_points.txt")?,
            None => String::new(),
        };
        let wheel_file =
            wheel_file.and_then(|text| keep(text.parse().map_err(WheelFault::WheelFile), faults));
        let metadata =
            metadata.and_then(|text| keep(text.parse().map_err(WheelFault::Metadata), faults));
        let record = record.map(|text| ReadRecord::read(&text));
        let entry_points = keep_all(
            EntryPoints::parse(&entry_points),
            WheelFault::EntryPoints,
            faults,
        );
        if let Some(metadata) = &metadata {
            check_identity(filename, metadata, faults);
        }
        let record = record?;
        let (Some(wheel_file), Some(metadata), Some(entry_points)) =
            (wheel_file, metadata, entry_points)
        else {
            // Nobody will ask for them any more.
            let is_accepted =
                |fault: &RecordError| fault.path().is_some_and(|it| options.accepts(it));
            let others = record
                .faults
                .into_iter()
                .filter(|fault| !is_accepted(fault));
            others.for_each(|fault| faults.push(WheelFault::Record(fault)));
            return None;
        };
        Some(Self {
            dir,
            wheel_file,
            metadata,
            record,
            entry_points,
        })
    }

    /// Path of a file in the directory.
    pub(crate) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.dir)
    }

    /// Adds the warnings about the texts.
    pub(crate) fn warn(&self, filename: &WheelFilename, warnings: &mut Vec<WheelWarning>) {
        let (_, minor) = self.wheel_file.version;
        if WheelFile::KNOWN_MINOR < minor {
            warnings.push(WheelWarning::NewerMinor(minor));
        }
        if let Some(line) = self.metadata.headers().malformed_line() {
            warnings.push(WheelWarning::MalformedMetadata { line });
        }
        if !are_same(filename.tags(), &self.wheel_file.tags) {
            warnings.push(WheelWarning::Tags {
                filename: filename.tags().clone(),
                wheel_file: self.wheel_file.tags.clone(),
            });
        }
    }
}

/// More tags than the name of a file has room for.
const MAX_TAGS: usize = 100_000;

/// Whether sets have the same tags together as another has.
fn are_same(named: &TagSet, listed: &[TagSet]) -> bool {
    let count = listed.iter().map(TagSet::count);
    if MAX_TAGS < count.fold(0, usize::saturating_add) {
        return false;
    }
    let named: BTreeSet<Tag> = named.iter().collect();
    let listed: BTreeSet<Tag> = listed.iter().flat_map(TagSet::iter).collect();
    named == listed
}

/// The name of the only `.dist-info` directory, if it is for this project and version.
fn find(
    archive: &ZipArchive,
    filename: &WheelFilename,
    faults: &mut WheelFaults,
) -> Option<String> {
    let members = archive.members().iter().map(|member| &member.path);
    let tops = members
        .chain(archive.directories())
        .filter_map(|path| path.parts().next());
    let dirs: BTreeSet<&str> = tops.filter(|top| top.ends_with(".dist-info")).collect();
    let dirs: Vec<&str> = dirs.into_iter().collect();
    let [dir] = dirs.as_slice() else {
        faults.push(if dirs.is_empty() {
            WheelFault::NoDistInfo
        } else {
            WheelFault::SeveralDistInfos(dirs.iter().map(ToString::to_string).collect())
        });
        return None;
    };
    let dir = (*dir).to_owned();
    if !is_for(&dir, filename.name(), filename.version()) {
        let (name, version) = (filename.name().clone(), filename.version().clone());
        faults.push(WheelFault::DistInfoName {
            name,
            version,
            got: dir.clone(),
        });
    }
    Some(dir)
}

/// Whether a directory `name-version.dist-info` is for this project and version.
fn is_for(dir: &str, name: &PackageName, version: &Version) -> bool {
    let Some((dir_name, dir_version)) = dir
        .strip_suffix(".dist-info")
        .and_then(|stem| stem.rsplit_once('-'))
    else {
        return false;
    };
    dir_name
        .parse()
        .is_ok_and(|dir_name: PackageName| dir_name == *name)
        && dir_version
            .parse()
            .is_ok_and(|dir_version: Version| dir_version == *version)
}

fn read_text(archive: &ZipArchive, path: &str, faults: &mut WheelFaults) -> Option<String> {
    let Some(member) = archive.find(path) else {
        faults.push(WheelFault::Missing(path.to_owned()));
        return None;
    };
    keep(member_text(archive, member), faults)
}

/// The text of a member.
pub(crate) fn member_text(archive: &ZipArchive, member: &Member) -> Result<String, WheelFault> {
    let path = || member.path.to_string();
    let bytes = archive.read(member, MAX_TEXT_LEN);
    let bytes = bytes.map_err(|source| WheelFault::Content {
        path: path(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|error| WheelFault::NotUtf8 {
        path: path(),
        offset: error.utf8_error().valid_up_to(),
    })
}

fn check_identity(filename: &WheelFilename, metadata: &Metadata, faults: &mut WheelFaults) {
    if metadata.name() != filename.name() {
        faults.push(WheelFault::Name {
            filename: filename.name().clone(),
            metadata: metadata.name().clone(),
        });
    }
    if metadata.version() != filename.version() {
        faults.push(WheelFault::Version {
            filename: filename.version().clone(),
            metadata: metadata.version().clone(),
        });
    }
}

fn keep<T>(result: Result<T, WheelFault>, faults: &mut WheelFaults) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}

fn keep_all<T, E>(
    result: Result<T, Vec<E>>,
    wrap: fn(E) -> WheelFault,
    faults: &mut WheelFaults,
) -> Option<T> {
    let each = |list: Vec<E>| list.into_iter().for_each(|error| faults.push(wrap(error)));
    result.map_err(each).ok()
}
