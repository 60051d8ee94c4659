//! One of the two things that are compared, as a listing of files on disk.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_archive::{Digest, ExtractItem, Member, Observer, extract};
use wheelfix_diff::Listing;
use wheelfix_format::{PythonVersion, Record, has_sdist_name, is_wheel_name};
use wheelfix_install::{Event, Layout, Phase, Staging, StagingError};
use wheelfix_link::first_of;
use wheelfix_loader::{existing_path, normalize};
use wheelfix_wheel::{
    OpenOptions, Placement, SourceArchive, SourceArchiveError, Wheel, WheelError,
    installed_distributions,
};

use crate::diff::DiffArgs;
use crate::error::Error;
use crate::inputs::existing;
use crate::progress::Progress;
use crate::unpack::refused_with;
use crate::{install_error, limits};

/// The kind of what is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A wheel, unpacked.
    Wheel,
    /// A source distribution, unpacked.
    Sdist,
    /// A directory.
    Directory,
    /// A single file.
    File,
}

/// One of the two things that are compared.
#[derive(Debug)]
pub(super) struct Side {
    /// Its path as it was given.
    pub(super) path: PathBuf,
    /// Its kind.
    pub(super) kind: Kind,
    /// Its files.
    pub(super) listing: Listing,
    /// How many entries belong to other distributions.
    pub(super) left_out: usize,
    /// The wheel, if it is one.
    wheel: Option<Wheel>,
    /// Where it is unpacked, if it is an archive.
    unpacked: Option<Staging>,
}

impl Side {
    /// Opens what is at a path; an archive is unpacked into a temporary directory.
    pub(super) fn open(path: &Path, args: &DiffArgs, progress: &Progress) -> Result<Self, Error> {
        let mut side = Self {
            path: path.to_owned(),
            kind: Kind::File,
            listing: Listing::default(),
            left_out: 0,
            wheel: None,
            unpacked: None,
        };
        existing(path)?;
        if fs_err::metadata(path)?.is_dir() {
            side.kind = Kind::Directory;
            side.listing = Listing::of_directory(path)?;
        } else if is_wheel_name(path) {
            side.kind = Kind::Wheel;
            side.unpack_wheel(args, progress)?;
        } else if has_sdist_name(path) {
            side.kind = Kind::Sdist;
            side.unpack_sdist(args)?;
        } else {
            // Its name is not compared.
            side.listing.insert("", existing_path(path)?);
        }
        Ok(side)
    }

    /// The wheel is unpacked whatever its RECORD says.
    fn unpack_wheel(&mut self, args: &DiffArgs, progress: &Progress) -> Result<(), Error> {
        let options = OpenOptions {
            limits: args.limits.resolve(),
            with_record_faults: true,
            ..OpenOptions::default()
        };
        let wheel = Wheel::open_with(&self.path, &options).map_err(|error| match error {
            WheelError::Io(error) => error.into(),
            WheelError::Archive(ref faults) => {
                let hint = limits::hint(faults);
                refused_with(&self.path, error, hint)
            }
            error => refused_with(&self.path, error, None),
        })?;
        let items: Vec<ExtractItem<'_>> = wheel
            .members()
            .map(|member| item(&wheel, member.file))
            .collect();
        let staging = staging(&self.path)?;
        let bytes = wheel.members().map(|member| member.file.len).sum();
        progress.show(Event::Phase {
            phase: Phase::Extract,
            bytes,
        });
        extract(&items, staging.root(), args.jobs.count(), &Bytes(progress))
            .map_err(Error::refused)?;
        wheel.check_source()?;
        drop(items);
        self.listing = Listing::of_directory(staging.root())?;
        self.unpacked = Some(staging);
        self.wheel = Some(wheel);
        Ok(())
    }

    fn unpack_sdist(&mut self, args: &DiffArgs) -> Result<(), Error> {
        let failed = |error| match error {
            SourceArchiveError::Io(error) => error.into(),
            SourceArchiveError::Zip(ref faults) => {
                let hint = limits::hint(faults);
                refused_with(&self.path, error, hint)
            }
            SourceArchiveError::Tar(ref faults) => {
                let hint = limits::hint(faults);
                refused_with(&self.path, error, hint)
            }
            error => refused_with(&self.path, error, None),
        };
        let sdist = SourceArchive::open(&self.path, &args.limits.resolve()).map_err(failed)?;
        let staging = staging(&self.path)?;
        let unpacked = sdist.unpack(staging.root(), args.jobs.count(), &|_| ());
        unpacked.map_err(failed)?;
        self.listing = Listing::of_directory(staging.root())?;
        self.unpacked = Some(staging);
        Ok(())
    }

    /// The files of a wheel where they would be installed, and all that a prefix has but for the files of
    /// other distributions.
    fn installed(&mut self, other: &mut Self, prefix: &Installed) {
        let (Some(wheel), Some(unpacked)) = (&self.wheel, &self.unpacked) else {
            return;
        };
        let mut listing = Listing::default();
        for member in wheel.members() {
            let on_disk = unpacked.root().join(member.file.path.as_str());
            listing.insert(
                prefix.path(wheel, member.placement, member.file.path.as_str()),
                on_disk,
            );
        }
        self.listing = listing;
        let mut own = Listing::default();
        for path in other.listing.paths() {
            let on_disk = other.path.join(path);
            if prefix.others.contains(path) {
                other.left_out += 1;
            } else {
                own.insert(path, on_disk);
            }
        }
        other.listing = own;
    }

    /// The files of a wheel with the version taken out of the names of `.dist-info` and `.data`.
    fn without_version(&mut self) {
        let (Some(wheel), Some(unpacked)) = (&self.wheel, &self.unpacked) else {
            return;
        };
        let stem = wheel
            .dist_info()
            .strip_suffix(".dist-info")
            .unwrap_or_default();
        let version = stem
            .find('-')
            .map_or("", |at| stem.get(at..).unwrap_or_default());
        let mut listing = Listing::default();
        for member in wheel.members() {
            let path = member.file.path.as_str();
            let plain = [".dist-info", ".data"].iter().find_map(|end| {
                // A `.data` directory may be called after an older name of the project.
                let (top, rest) = path.split_once('/')?;
                let name = top.strip_suffix(end)?.strip_suffix(version)?;
                Some(format!("{name}-*{end}/{rest}"))
            });
            listing.insert(
                plain.unwrap_or_else(|| path.to_owned()),
                unpacked.root().join(path),
            );
        }
        self.listing = listing;
    }
}

/// A prefix that has the distribution of a wheel.
struct Installed {
    layout: Layout,
    /// The files of other distributions, relative to the prefix.
    others: BTreeSet<PathBuf>,
}

impl Installed {
    /// Looks for the distribution of a wheel below a prefix; `None` if it is not there.
    fn find(prefix: &Path, wheel: &Wheel) -> Result<Option<Self>, Error> {
        let own = wheel.filename().name();
        let installed = installed_distributions(&[prefix.to_owned()]);
        let installed = installed.map_err(install_error::installed)?;
        let Some(distribution) = installed.get(own) else {
            let others = installed.iter();
            let others = others.filter(|(_, other)| python_of(prefix, &other.path).is_some());
            let others: Vec<String> = others.map(|(name, _)| name.to_string()).collect();
            return NotThere::refuse(prefix, own.to_string(), others).map(|()| None);
        };
        let Some(python) = python_of(prefix, &distribution.path) else {
            return Ok(None);
        };
        let mut others = BTreeSet::new();
        for (_, other) in installed.iter().filter(|(name, _)| *name != own) {
            others.extend(files_of(prefix, &other.path)?);
        }
        let layout = Layout::new(python);
        Ok(Some(Self { layout, others }))
    }

    /// Where a file of a wheel is installed, relative to the prefix.
    fn path(&self, wheel: &Wheel, placement: &Placement, member: &str) -> PathBuf {
        match placement {
            Placement::File { scheme, path } => {
                self.layout.place(wheel, *scheme, path.as_str()).into()
            }
            Placement::Record
            | Placement::Signature
            | Placement::EntryPoint
            | Placement::Bytecode => Path::new(&self.layout.site_packages()).join(member),
        }
    }
}

/// A prefix that has distributions, and not that of the wheel: all of it would differ.
#[derive(Debug, thiserror::Error)]
#[error("`{}` has no {wanted}: it has {}", prefix.display(), first_of(others, 5))]
struct NotThere {
    prefix: PathBuf,
    wanted: String,
    others: Vec<String>,
}

impl NotThere {
    /// Refuses a prefix if there are any.
    fn refuse(prefix: &Path, wanted: String, others: Vec<String>) -> Result<(), Error> {
        if others.is_empty() {
            return Ok(());
        }
        let prefix = prefix.to_owned();
        Err(Error::refused(Self {
            prefix,
            wanted,
            others,
        }))
    }
}

/// The version in `lib/pythonX.Y/site-packages/NAME.dist-info` below a prefix.
fn python_of(prefix: &Path, dist_info: &Path) -> Option<PythonVersion> {
    let inside = dist_info
        .strip_prefix(prefix)
        .ok()?
        .strip_prefix("lib")
        .ok()?;
    let python = inside.iter().next()?.to_str()?;
    python.strip_prefix("python")?.parse().ok()
}

/// The files that the RECORD of a distribution lists below a prefix, relative to that; none if there is no
/// RECORD that can be read.
fn files_of(prefix: &Path, dist_info: &Path) -> io::Result<Vec<PathBuf>> {
    let text = match fs_err::read(dist_info.join("RECORD")) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let rows = Record::parse(&text).map_or_else(|_| Vec::new(), |record| record.rows);
    let site = dist_info
        .parent()
        .and_then(|site| site.strip_prefix(prefix).ok());
    let site = site.unwrap_or(Path::new(""));
    Ok(rows
        .iter()
        .map(|row| normalize(&site.join(&row.path)))
        .collect())
}

/// Lets what is compared have the same names on both sides: what was installed of a wheel, and versions in
/// the names of `.dist-info`.
pub(super) fn align(a: &mut Side, b: &mut Side) -> Result<(), Error> {
    match (&a.wheel, &b.wheel) {
        (Some(wheel), None) if b.kind == Kind::Directory => {
            if let Some(installed) = Installed::find(&b.path, wheel)? {
                a.installed(b, &installed);
            }
        }
        (None, Some(wheel)) if a.kind == Kind::Directory => {
            if let Some(installed) = Installed::find(&a.path, wheel)? {
                b.installed(a, &installed);
            }
        }
        (Some(wheel), Some(other)) if wheel.dist_info() != other.dist_info() => {
            a.without_version();
            b.without_version();
        }
        _ => {}
    }
    Ok(())
}

/// Whether two archives or files are the same, byte for byte; `None` where one is a directory.
pub(super) fn same_bytes(a: &Side, b: &Side) -> io::Result<Option<bool>> {
    if a.kind == Kind::Directory || b.kind == Kind::Directory {
        return Ok(None);
    }
    wheelfix_diff::same_bytes(&a.path, &b.path).map(Some)
}

/// Why the archives differ although their members do not, as far as it is known.
pub(super) fn archives(a: &Side, b: &Side) -> &'static str {
    let (Some(a), Some(b)) = (&a.wheel, &b.wheel) else {
        return "times, order or compression";
    };
    let (a, b) = (a.archive().members(), b.archive().members());
    let order = |members: &[Member]| members.iter().map(|it| it.path.clone()).collect::<Vec<_>>();
    let packed = |members: &[Member]| members.iter().map(|it| it.compressed_len).sum::<u64>();
    if order(a) != order(b) {
        "the order of their members"
    } else if packed(a) != packed(b) {
        "compression"
    } else {
        "times or attributes"
    }
}

fn item<'w>(wheel: &'w Wheel, member: &'w Member) -> ExtractItem<'w> {
    ExtractItem {
        archive: wheel.archive(),
        member,
        dst: member.path.clone(),
        executable: member.executable,
        digest: Digest::Skip,
        prioritized: false,
    }
}

/// A temporary directory, which goes with the value.
fn staging(path: &Path) -> Result<Staging, Error> {
    Staging::never(path, true).map_err(|error| match error {
        StagingError::Io(error) => error.into(),
        error => Error::environment(error),
    })
}

/// Tells the progress of an extraction.
struct Bytes<'p>(&'p Progress);

impl Observer for Bytes<'_> {
    fn progress(&self, len: u64) {
        self.0.show(Event::Bytes(len));
    }
}
