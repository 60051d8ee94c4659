//! Oddities of a wheel that do not matter: pip installs it, uv and pypa/installer nearly always too,
//! and it cannot hide anything.

use std::collections::BTreeMap;
use std::fmt;

use wheelfix_archive::ZipArchive;
use wheelfix_format::{EntryPointOddity, MetadataOddity, RecordOddity, WheelFileOddity};

use super::dist_info::DistInfo;
use super::fault::WheelWarning;

/// A kind of statement in a wheel that is not as its format says, and that does not matter.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Oddity {
    /// A row of `RECORD`.
    Record(RecordOddity),
    /// A row of `RECORD` without a file.
    Ghost,
    /// Two rows of `RECORD` that say the same.
    ListedTwice,
    /// A row of `RECORD` whose path is not written as that of its file, as by builds on Windows.
    Spelling,
    /// A row of `RECORD` with another size than the file's, as in decord 0.6.0; the hash is compared.
    Size,
    /// A file of `.dist-info` that nobody runs or decides by, and that is not as `RECORD` says.
    Information,
    /// A `Tag` in `WHEEL` that is not one.
    Tag,
    /// `Root-Is-Purelib` in `WHEEL`.
    Root,
    /// `Metadata-Version`.
    MetadataVersion,
    /// A field of `METADATA` twice, with the same value.
    FieldTwice,
    /// An entry point without an object, in a group that is not the scripts'.
    EntryPoint,
    /// A script in both script groups, with the same object.
    ScriptTwice,
    /// A file of a `.data` directory that is called after something else, which only pip takes for one.
    OtherData,
    /// A script in a directory.
    ScriptDirectory,
    /// A script with the name of an entry point.
    EntryPointScript,
    /// Two equal files that go to one place.
    SamePlace,
    /// A file that cannot be made on Windows.
    Device,
    /// A symbolic link, as `npm` in nodejs-bin 18.4.0a4.
    Link,
}

/// The oddities of a wheel: for each kind the first text, and how many there are.
#[derive(Debug, Default)]
pub(crate) struct Oddities(BTreeMap<Oddity, (String, usize)>);

impl Oddities {
    /// Notes one.
    pub(crate) fn note(&mut self, oddity: Oddity, text: impl Into<String>) {
        let known = self.0.entry(oddity).or_insert_with(|| (text.into(), 0));
        known.1 += 1;
    }

    /// Notes those of the text files of `.dist-info`.
    pub(crate) fn note_texts(&mut self, dist_info: &DistInfo) {
        for (oddity, path) in &dist_info.record.oddities {
            self.note(Oddity::Record(*oddity), path);
        }
        for oddity in &dist_info.wheel_file.oddities {
            match oddity {
                WheelFileOddity::Root(text) => self.note(Oddity::Root, text),
                WheelFileOddity::Tag(text) => self.note(Oddity::Tag, text),
            }
        }
        for oddity in dist_info.metadata.oddities() {
            match oddity {
                MetadataOddity::Version(text) => self.note(Oddity::MetadataVersion, text),
                MetadataOddity::Twice(field) => self.note(Oddity::FieldTwice, *field),
            }
        }
        for oddity in &dist_info.entry_points.oddities {
            match oddity {
                EntryPointOddity::NoObject(text) => self.note(Oddity::EntryPoint, text),
                EntryPointOddity::SameScript(name) => self.note(Oddity::ScriptTwice, name),
            }
        }
    }

    /// Notes names that Windows has for devices, and symbolic links.
    pub(crate) fn note_members(&mut self, archive: &ZipArchive) {
        for member in archive.members() {
            if member.path.has_device() {
                self.note(Oddity::Device, member.path.as_str());
            }
            if member.is_link {
                self.note(Oddity::Link, member.path.as_str());
            }
        }
    }

    /// A warning for each kind.
    pub(crate) fn into_warnings(self) -> impl Iterator<Item = WheelWarning> {
        self.0
            .into_iter()
            .map(|(oddity, (first, count))| WheelWarning::Odd {
                oddity,
                first,
                count,
            })
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record(RecordOddity::Hexadecimal) => {
                "`RECORD` has digests in hexadecimal, which are compared all the same"
            }
            Self::Record(RecordOddity::MoreFields) => "`RECORD` has rows with more than 3 fields",
            Self::Record(RecordOddity::NoPath) => "`RECORD` has rows without a path",
            Self::Ghost => "`RECORD` lists what is not in the archive",
            Self::ListedTwice => "`RECORD` has equal rows for one file",
            Self::Spelling => "`RECORD` writes paths otherwise than the archive",
            Self::Size => {
                "`RECORD` has another size than the archive; the hash is what is compared"
            }
            Self::Information => {
                "`RECORD` does not fit files of `.dist-info` that only tell about the wheel"
            }
            Self::Tag => "`WHEEL` has a `Tag` that is not one",
            Self::Root => {
                "`Root-Is-Purelib` in `WHEEL` is neither true nor false, and counts as false"
            }
            Self::MetadataVersion => "`Metadata-Version` in `METADATA` is not two numbers",
            Self::FieldTwice => "`METADATA` has a field twice, with the same value",
            Self::EntryPoint => {
                "`entry_points.txt` has what is not an object, in a group that is not the scripts'"
            }
            Self::ScriptTwice => "`entry_points.txt` has a script in both script groups",
            Self::OtherData => {
                "a `.data` directory has another name than `.dist-info`, and is installed as by pip; uv leaves it in site-packages"
            }
            Self::ScriptDirectory => "scripts lie in directories, and go to directories of `bin`",
            Self::EntryPointScript => {
                "scripts have the names of entry points, whose scripts are made in their place, as by pip and uv"
            }
            Self::SamePlace => "equal files go to one place",
            Self::Device => "a name is that of a device of Windows",
            Self::Link => {
                "symbolic links become files with their texts, as with pip: wheels have no links"
            }
        })
    }
}
