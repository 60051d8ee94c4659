//! Unpacking source distributions.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use wheelfix_archive::{Compression, Limits, TarArchive, TarKind, TarMember};
use wheelfix_testkit::python;
use wheelfix_testkit::sdist::{Packing, SdistBuilder};

fn demo() -> SdistBuilder {
    let deep = ["directory-with-a-long-name"; 8].join("/");
    SdistBuilder::new("demo", "1.0")
        .file_with_mode("configure", 0o775, "#!/bin/sh\n")
        .file_with_mode("odd-mode", 0o4640, "secret\n")
        .file_with_mode("others-may-execute", 0o655, "x\n")
        .directory("empty")
        .file("src/demo.c", "int main;\n".repeat(10_000))
        .file(
            &format!("{deep}/name that needs an extended header"),
            "deep\n",
        )
        .file("ü.txt", "")
        .symlink("link", "src/demo.c")
        .symlink("src/up", "../PKG-INFO")
        .symlink("dangling", "missing")
        .symlink("to-directory", "src")
        .hard_link("copy.c", "src/demo.c")
}

fn compression(packing: Packing) -> Compression {
    match packing {
        Packing::TarGz => Compression::Gzip,
        Packing::TarBz2 => Compression::Bzip2,
        Packing::TarXz => Compression::Xz,
        Packing::TarZst => Compression::Zstd,
    }
}

/// The contents of a directory: for each path below it a description.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut tree = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs_err::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let metadata = entry.metadata().unwrap();
            let what = if metadata.is_dir() {
                pending.push(path.clone());
                "directory".to_owned()
            } else if metadata.is_symlink() {
                format!("link to {}", fs_err::read_link(&path).unwrap().display())
            } else {
                let executable = metadata.permissions().mode() & 0o100 != 0;
                let content = fs_err::read(&path).unwrap();
                format!(
                    "executable: {executable}, crc32: {:x}",
                    crc32fast::hash(&content)
                )
            };
            let path = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            tree.insert(path, what);
        }
    }
    tree
}

#[test]
fn every_compression_unpacks_to_what_python_makes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    fs_err::create_dir(&theirs).unwrap();
    python::unpack_tar(&demo().write_to(dir.path(), Packing::TarGz), &theirs).unwrap();
    let want = tree(&theirs);
    assert!(want.contains_key("demo-1.0/copy.c"));
    for packing in Packing::ALL {
        let path = demo().write_to(dir.path(), packing);
        fs_err::create_dir(&ours).unwrap();
        let archive = TarArchive::open(&path, compression(packing), &Limits::default()).unwrap();
        archive.unpack(&ours, &|_| ()).unwrap();
        assert_eq!(tree(&ours), want, "{packing:?}");
        fs_err::remove_dir_all(&ours).unwrap();
    }
}

#[test]
fn modes_are_normalised() {
    let dir = tempfile::tempdir().unwrap();
    let path = demo().write_to(dir.path(), Packing::TarGz);
    let archive = TarArchive::open(&path, Compression::Gzip, &Limits::default()).unwrap();
    archive.unpack(dir.path(), &|_| ()).unwrap();
    let mode = |name: &str| {
        let metadata = fs_err::symlink_metadata(dir.path().join("demo-1.0").join(name)).unwrap();
        metadata.permissions().mode() & 0o7777
    };
    assert_eq!(mode("configure"), 0o755);
    assert_eq!(mode("odd-mode"), 0o644);
    assert_eq!(mode("others-may-execute"), 0o644);
    assert_eq!(mode("empty"), 0o755);
    assert_eq!(mode("src"), 0o755);
}

#[test]
fn a_visitor_reads_what_it_wants() {
    let dir = tempfile::tempdir().unwrap();
    let path = demo().write_to(dir.path(), Packing::TarXz);
    let archive = TarArchive::open(&path, Compression::Xz, &Limits::default()).unwrap();
    let mut info = String::new();
    let mut members = Vec::new();
    let mut visitor = |member: &TarMember, content: &mut dyn std::io::Read| {
        members.push(member.clone());
        if member.path.as_str() == "demo-1.0/PKG-INFO" {
            content.read_to_string(&mut info)?;
        }
        Ok(())
    };
    archive.visit(&mut visitor).unwrap();
    assert_eq!(info, "Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n");
    assert_eq!(members.len(), 15);
    let link = members
        .iter()
        .find(|member| member.path.as_str() == "demo-1.0/src/up");
    assert_eq!(
        link.unwrap().kind,
        TarKind::Symlink("../PKG-INFO".to_owned())
    );
}
