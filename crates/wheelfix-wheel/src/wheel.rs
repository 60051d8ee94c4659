//! A wheel that agrees with itself.
//!
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/>

mod dist_info;
mod editable;
pub(crate) mod fault;
pub(crate) mod oddity;
pub(crate) mod placement;
mod record;
mod scripts;

use std::io;
use std::path::{Path, PathBuf};

use wheelfix_archive::{Limits, Member, ZipArchive};
use wheelfix_format::{
    EntryPoints, Metadata, Pattern, Record, RecordHash, WheelFile, WheelFilename,
};

use dist_info::DistInfo;
use fault::{WheelError, WheelFaults, WheelWarning};
use oddity::Oddities;
use placement::Placement;

/// An open wheel, all of whose parts agree.
#[derive(Debug)]
pub struct Wheel {
    path: PathBuf,
    filename: WheelFilename,
    archive: ZipArchive,
    dist_info: DistInfo,
    /// For each member of the archive, in its order.
    placements: Vec<Placement>,
    /// For each member of the archive, the index of its row in `RECORD`, if it has one.
    rows: Vec<Option<usize>>,
    warnings: Vec<WheelWarning>,
    /// Faults of `RECORD` with which it was opened all the same.
    record_faults: WheelFaults,
}

/// A file in a wheel.
#[derive(Clone, Copy, Debug)]
pub struct WheelMember<'a> {
    /// The file in the archive.
    pub file: &'a Member,
    /// Where it goes.
    pub placement: &'a Placement,
    /// Its hash by `RECORD`. `None` for `RECORD` itself, its signatures, and members that are
    /// accepted by name.
    pub hash: Option<&'a RecordHash>,
}

/// How to open a wheel.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// How large it may be unpacked.
    pub limits: Limits,
    /// Members that are accepted although `RECORD` does not vouch for them, as in the wheels of
    /// torch 1.9. A glob that matches nothing in the wheel is a fault.
    pub accept_mismatch: Vec<Pattern>,
    /// Whether several wheels are opened with the same globs, so that one that matches nothing in this
    /// wheel is not a fault.
    pub exceptions_are_shared: bool,
    /// Whether a wheel is opened although its `RECORD` is wrong, to be looked at.
    pub with_record_faults: bool,
}

impl OpenOptions {
    /// Whether a member is accepted although `RECORD` does not vouch for it. What installers decide by
    /// is only by its whole path.
    pub(crate) fn accepts(&self, path: &str) -> bool {
        let mut globs = self.accept_mismatch.iter();
        if is_decisive(path) {
            return globs.any(|glob| glob.text() == path);
        }
        globs.any(|glob| glob.matches(path))
    }
}

/// Whether installers decide by a file.
fn is_decisive(path: &str) -> bool {
    path.split_once(".dist-info/")
        .is_some_and(|(_, name)| ["METADATA", "WHEEL", "entry_points.txt"].contains(&name))
}

impl Wheel {
    /// Opens a wheel with the default options.
    pub fn open(path: &Path) -> Result<Self, WheelError> {
        Self::open_with(path, &OpenOptions::default())
    }

    /// Opens a wheel: reads its directory and the text files of its `.dist-info`, and compares all
    /// with each other. All faults are reported at once.
    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Self, WheelError> {
        // A wrong name is found before anything is read.
        let filename = parse_filename(path)?;
        let archive = ZipArchive::open(path, &options.limits)?;
        Self::new(path, filename, archive, options)
    }

    /// An error if some of the file could not be read since it was opened: it was made shorter, or
    /// its disk fails. Whoever reads contents asks afterwards, before the contents count.
    pub fn check_source(&self) -> io::Result<()> {
        self.archive.check_source()
    }

    /// Makes a wheel of an archive that is known under a path.
    pub(crate) fn from_archive(
        path: &Path,
        archive: ZipArchive,
        options: &OpenOptions,
    ) -> Result<Self, WheelError> {
        Self::new(path, parse_filename(path)?, archive, options)
    }

    fn new(
        path: &Path,
        filename: WheelFilename,
        archive: ZipArchive,
        options: &OpenOptions,
    ) -> Result<Self, WheelError> {
        let parts = Parts::read(&archive, &filename, options);
        archive.check_source()?;
        let Parts {
            dist_info,
            placements,
            rows,
            warnings,
            record_faults,
        } = parts?;
        Ok(Self {
            path: path.to_owned(),
            filename,
            archive,
            dist_info,
            placements,
            rows,
            warnings,
            record_faults,
        })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file name.
    pub fn filename(&self) -> &WheelFilename {
        &self.filename
    }

    /// The archive.
    pub fn archive(&self) -> &ZipArchive {
        &self.archive
    }

    /// The `.dist-info` directory as written, for example `Foo_Bar-1.0.dist-info`.
    pub fn dist_info(&self) -> &str {
        &self.dist_info.dir
    }

    /// `WHEEL`.
    pub fn wheel_file(&self) -> &WheelFile {
        &self.dist_info.wheel_file
    }

    /// `METADATA`.
    pub fn metadata(&self) -> &Metadata {
        &self.dist_info.metadata
    }

    /// `RECORD`, as it is in the wheel.
    pub fn record(&self) -> &Record {
        &self.dist_info.record.record
    }

    /// The faults of `RECORD` with which it was opened all the same.
    pub fn record_faults(&self) -> &WheelFaults {
        &self.record_faults
    }

    /// `entry_points.txt`; empty if there is none.
    pub fn entry_points(&self) -> &EntryPoints {
        &self.dist_info.entry_points
    }

    /// All files, in the order of the archive, each with its place and its hash.
    pub fn members(&self) -> impl ExactSizeIterator<Item = WheelMember<'_>> {
        let with_places = self.archive.members().iter().zip(&self.placements);
        with_places
            .zip(&self.rows)
            .map(|((file, placement), row)| WheelMember {
                file,
                placement,
                hash: record::hash_in(&self.dist_info, *row),
            })
    }

    /// Whether the path of a file in the archive matches.
    pub fn has(&self, glob: &Pattern) -> bool {
        record::has(&self.archive, glob)
    }

    /// The warnings about files that are accepted on request.
    pub fn accepted(&self) -> impl Iterator<Item = &WheelWarning> {
        let is_accepted = |it: &&WheelWarning| matches!(it, WheelWarning::Accepted(_));
        self.warnings.iter().filter(is_accepted)
    }

    /// The warnings about the wheel, none of which is a reason to refuse it.
    pub fn warnings(&self) -> &[WheelWarning] {
        &self.warnings
    }
}

/// The statements in the archive of a wheel, compared with one another.
struct Parts {
    dist_info: DistInfo,
    placements: Vec<Placement>,
    rows: Vec<Option<usize>>,
    warnings: Vec<WheelWarning>,
    record_faults: WheelFaults,
}

impl Parts {
    fn read(
        archive: &ZipArchive,
        filename: &WheelFilename,
        options: &OpenOptions,
    ) -> Result<Self, WheelError> {
        let mut faults = WheelFaults::default();
        let Some(dist_info) = DistInfo::read(archive, filename, options, &mut faults) else {
            return Err(faults.into());
        };
        let mut warnings = Vec::new();
        dist_info.warn(filename, &mut warnings);
        for group in archive.collisions() {
            let paths = group.iter().map(ToString::to_string);
            warnings.push(WheelWarning::Collision(paths.collect()));
        }
        let paths = archive.members().iter().map(|member| member.path.as_str());
        let accepted = paths.filter(|path| options.accepts(path));
        warnings.extend(accepted.map(|path| WheelWarning::Accepted(path.to_owned())));
        let (mut oddities, mut record_faults) = (Oddities::default(), WheelFaults::default());
        oddities.note_texts(&dist_info);
        oddities.note_members(archive);
        let rows = record::check(
            archive,
            &dist_info,
            options,
            &mut oddities,
            &mut record_faults,
        );
        if !options.with_record_faults {
            faults.extend(std::mem::take(&mut record_faults));
        }
        let placements = placement::classify(archive, &dist_info, &mut oddities, &mut faults);
        let places = scripts::Places {
            archive,
            dist_info: &dist_info,
            placements: &placements,
            rows: &rows,
        };
        places.check(&mut oddities, &mut faults);
        faults.into_result()?;
        warnings.extend(oddities.into_warnings());
        editable::warn(archive, &placements, &mut warnings);
        placement::warn(archive, &placements, &mut warnings);
        Ok(Self {
            dist_info,
            placements,
            rows,
            warnings,
            record_faults,
        })
    }
}

fn parse_filename(path: &Path) -> Result<WheelFilename, WheelError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or(WheelError::NoFilename)?;
    let parsed: Result<WheelFilename, _> = name.parse();
    parsed.or_else(|error| match without_store_hash(name) {
        Some(name) => name.parse().map_err(WheelError::Filename),
        None => Err(WheelError::Filename(error)),
    })
}

/// The name behind the hash of a path in a Nix store; `None` if there is no hash.
///
/// <https://nix.dev/manual/nix/latest/protocols/store-path>
#[must_use]
pub fn without_store_hash(name: &str) -> Option<&str> {
    let (hash, rest) = name.split_once('-')?;
    let is_digit = |byte: u8| b"0123456789abcdfghijklmnpqrsvwxyz".contains(&byte);
    (hash.len() == 32 && hash.bytes().all(is_digit)).then_some(rest)
}
