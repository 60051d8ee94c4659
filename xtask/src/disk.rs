//! Room on the disk, asked for before it is taken.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::failure::Result;
use crate::place;

/// A directory that a task fills.
#[derive(Debug)]
pub(crate) struct Place {
    dir: PathBuf,
    /// The kind of files in it.
    what: &'static str,
    /// Gigabytes (10⁹ bytes) that are still to come.
    lacks: f64,
}

impl Place {
    /// A directory that is filled up to this many gigabytes; what is in it counts.
    pub(crate) fn filled(dir: PathBuf, what: &'static str, gigabytes: f64) -> Self {
        let lacks = (gigabytes - size(&dir)).max(0.0);
        Self { dir, what, lacks }
    }

    /// A directory to which this many gigabytes are added.
    pub(crate) fn added(dir: PathBuf, what: &'static str, gigabytes: f64) -> Self {
        Self {
            dir,
            what,
            lacks: gigabytes,
        }
    }
}

/// The room that the tests take at most at one time, measured with `df` while they ran.
pub(crate) fn of_tests(is_full: bool) -> Result<Vec<Place>> {
    let (wheels, outputs) = if is_full { (12.0, 34.0) } else { (4.0, 14.0) };
    Ok(vec![
        Place::filled(place::cache()?, "wheels and tools", wheels),
        Place::filled(place::target(), "builds, the demo's prefixes", 9.0),
        Place::added(
            PathBuf::from("/nix/store"),
            "outputs of Nix, removed at the end",
            outputs,
        ),
    ])
}

/// The room that the demo takes with wheels of this size.
pub(crate) fn of_demo(megabytes: u64) -> Result<Vec<Place>> {
    let wheels = gigabytes(megabytes * 1_000_000);
    Ok(vec![
        Place::filled(place::cache()?, "wheels", wheels),
        Place::filled(place::target().join("release"), "the program", 2.0),
        Place::added(
            place::target().join("demo"),
            "prefixes, removed at the end",
            3.0 * wheels,
        ),
    ])
}

/// Fails where a file system has less room than these places lack, naming all of them.
pub(crate) fn ensure(places: Vec<Place>) -> Result {
    let mut systems: BTreeMap<u64, Vec<Place>> = BTreeMap::new();
    for place in places {
        let device = fs_err::metadata(existing(&place.dir))?.dev();
        systems.entry(device).or_default().push(place);
    }
    let mut faults = String::new();
    for places in systems.values() {
        if let [first, ..] = places.as_slice() {
            faults.extend(fault(places, free(&first.dir)?));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!(
        "too little room on the disk:\n{faults}make room there, or set `WHEELFIX_CACHE` and \
         `CARGO_TARGET_DIR` to directories on another file system"
    )
    .into())
}

/// The lines on the places of one file system, if they lack more than is free.
fn fault(places: &[Place], free: f64) -> Option<String> {
    let lacks: f64 = places.iter().map(|place| place.lacks).sum();
    if lacks <= free {
        return None;
    }
    let lines = places
        .iter()
        .filter(|place| place.lacks > 0.0)
        .map(|place| {
            let (dir, what) = (place.dir.display(), place.what);
            format!("  {:.1} GB more below {dir} ({what})\n", place.lacks)
        });
    Some(format!(
        "{}  = {lacks:.1} GB, of which {free:.1} GB are free\n",
        lines.collect::<String>()
    ))
}

/// The nearest directory that is there.
fn existing(dir: &Path) -> &Path {
    let mut ancestors = dir.ancestors();
    ancestors
        .find(|dir| dir.is_dir())
        .unwrap_or_else(|| Path::new("/"))
}

/// Gigabytes that are free for whoever asks on the file system of a directory.
fn free(dir: &Path) -> Result<f64> {
    let status = rustix::fs::statvfs(existing(dir)).map_err(std::io::Error::from)?;
    Ok(gigabytes(status.f_bavail * status.f_frsize))
}

/// Gigabytes on the disk in a directory; 0 where it is not there.
fn size(dir: &Path) -> f64 {
    let blocks = WalkDir::new(dir)
        .into_iter()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|metadata| metadata.blocks())
        .sum::<u64>();
    gigabytes(blocks * 512)
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded to tenths")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Vec<Place> {
        vec![
            Place::added("/cache".into(), "wheels", 3.0),
            Place::filled("/nowhere/target".into(), "builds", 9.0),
            Place::added("/full".into(), "tools", 0.0),
        ]
    }

    #[test]
    fn all_places_of_a_file_system_with_too_little_room_are_named() {
        let want = "  3.0 GB more below /cache (wheels)\n  \
                    9.0 GB more below /nowhere/target (builds)\n  \
                    = 12.0 GB, of which 11.9 GB are free\n";
        assert_eq!(fault(&places(), 11.9).as_deref(), Some(want));
        assert_eq!(fault(&places(), 12.0), None);
    }

    #[test]
    fn what_is_there_already_counts() {
        let dir = place::root().join("xtask");
        let lacks = Place::filled(dir, "sources", 1.0).lacks;
        assert!((0.9..1.0).contains(&lacks), "{lacks}");
    }

    #[test]
    fn no_disk_has_a_billion_gigabytes() {
        let dir = place::root().join("absent/below");
        let error = ensure(vec![Place::added(dir, "all", 1e9)]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("too little room on the disk:\n")
        );
    }
}
