//! Source distributions, right and wrong.

use std::error::Error as _;
use std::path::Path;

use wheelfix_archive::Limits;
use wheelfix_testkit::raw_zip::{RawMember, RawZip};
use wheelfix_testkit::sdist::{Packing, SdistBuilder};
use wheelfix_wheel::Sdist;

fn verdict(path: &Path) -> String {
    match Sdist::open(path, &Limits::default()) {
        Ok(sdist) => {
            let system = sdist.build_system().map_or("none".to_owned(), |system| {
                let requires: Vec<String> =
                    system.requires.iter().map(ToString::to_string).collect();
                let backend = system
                    .backend
                    .as_ref()
                    .map_or("legacy".to_owned(), ToString::to_string);
                format!("{backend} with {}", requires.join(" "))
            });
            let files: Vec<String> = sdist
                .files()
                .iter()
                .map(|file| format!("{}:{}", file.path, file.len))
                .collect();
            let metadata = sdist.metadata();
            format!(
                "{} {} in {} by {system}: {}",
                metadata.name(),
                metadata.version(),
                sdist.dir(),
                files.join(" ")
            )
        }
        Err(error) => {
            let cause = error
                .source()
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            format!("error: {error}{cause}")
        }
    }
}

#[track_caller]
fn check(sdist: SdistBuilder, want: &str) {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(verdict(&sdist.write_to(dir.path(), Packing::TarGz)), want);
}

#[test]
fn all_packings_are_read() {
    let want = "demo 1.0 in demo-1.0 by flit_core.buildapi with flit_core: \
        PKG-INFO:46 demo/__init__.py:3 pyproject.toml:77";
    for packing in Packing::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = SdistBuilder::new("demo", "1.0")
            .file("demo/__init__.py", "x=1")
            .write_to(dir.path(), packing);
        assert_eq!(verdict(&path), want);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("demo-1.0.zip");
    let members = [
        (
            "demo-1.0/PKG-INFO",
            "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        ),
        ("demo-1.0/setup.py", "import setuptools\n"),
    ];
    let members = members.map(|(path, text)| RawMember::new(path, text.as_bytes()));
    fs_err::write(&path, RawZip::new(members.to_vec()).build()).unwrap();
    assert_eq!(
        verdict(&path),
        "demo 1.0 in demo-1.0 by none: PKG-INFO:46 setup.py:18"
    );
}

#[test]
fn dynamic_fields_are_known_since_version_2_2() {
    let open = |version: &str| {
        let dir = tempfile::tempdir().unwrap();
        let info = format!(
            "Metadata-Version: {version}\nName: demo\nVersion: 1.0\nDynamic: requires-dist\n"
        );
        // The later of two files of one name would be a fault, so the first directory is another.
        let tar = SdistBuilder::without_texts("demo", "1.0").file("PKG-INFO", info);
        Sdist::open(
            &tar.write_to(dir.path(), Packing::TarGz),
            &Limits::default(),
        )
        .unwrap()
    };
    let new = open("2.2");
    assert!(new.is_dynamic("Requires-Dist"));
    assert!(!new.is_dynamic("Requires-Python"));
    assert!(open("2.1").is_dynamic("Requires-Python"));
}

#[test]
fn wrong_source_distributions_are_refused() {
    let bare = || SdistBuilder::without_texts("demo", "1.0");
    let info = |text: &str| bare().file("PKG-INFO", text);
    check(
        bare().file("setup.py", ""),
        "error: `demo-1.0/PKG-INFO` is missing",
    );
    check(
        info("Name: demo\n"),
        "error: invalid `PKG-INFO`: field `Version` is missing",
    );
    check(
        info("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"),
        "error: the file name says demo, `PKG-INFO` says other",
    );
    check(
        info("Metadata-Version: 2.1\nName: demo\nVersion: 2\n"),
        "error: the file name says version 1.0, `PKG-INFO` says 2",
    );
    check(
        SdistBuilder::new("demo", "1.0").beside("other/x", b""),
        "error: expected one directory at the top level, got 2: demo-1.0, other",
    );
    let right = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n";
    check(
        info(right).file("pyproject.toml", "[build-system]\n"),
        "error: invalid `pyproject.toml`: `build-system.requires` is missing",
    );
    check(
        info(right).file("pyproject.toml", b"\xff"),
        "error: `demo-1.0/pyproject.toml` cannot be read as UTF-8 text of at most 67108864 bytes: \
         stream did not contain valid UTF-8",
    );
}
