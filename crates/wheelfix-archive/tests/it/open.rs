//! Opening zip archives that are in order.

use std::io::Read as _;
use std::path::Path;

use wheelfix_archive::{ContentError, Limits, ZipArchive};

use wheelfix_testkit::wheel::WheelBuilder;

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .file("demo/__init__.py", "answer = 42\n".repeat(1000))
        .executable("demo/tool", "#!/bin/sh\n")
        .directory("demo/empty")
        .file("demo/ü.txt", "")
}

fn open(wheel: &WheelBuilder) -> ZipArchive {
    ZipArchive::from_bytes(wheel.build(), &Limits::default()).unwrap()
}

#[test]
fn a_wheel_shows_its_members() {
    for wheel in [demo(), demo().stored()] {
        let archive = open(&wheel);
        let list: Vec<_> = archive
            .members()
            .iter()
            .map(|member| (member.path.as_str(), member.len, member.executable))
            .collect();
        assert_eq!(
            list[..3],
            [
                ("demo/__init__.py", 12_000, false),
                ("demo/tool", 10, true),
                ("demo/ü.txt", 0, false),
            ]
        );
        assert_eq!(
            archive
                .directories()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["demo/empty"]
        );
        let by_path: Vec<_> = archive
            .members_by_path()
            .map(|member| member.path.as_str())
            .collect();
        assert!(by_path.is_sorted_by_key(|path| path.split('/').collect::<Vec<_>>()));
    }
}

#[test]
fn a_member_is_found_by_its_path() {
    let archive = open(&demo());
    for member in archive.members() {
        assert_eq!(archive.find(member.path.as_str()), Some(member));
    }
    assert_eq!(archive.find("demo"), None);
    assert_eq!(archive.find("demo/tool/"), None);
}

#[test]
fn a_member_is_read_whole_in_part_and_as_a_stream() {
    for wheel in [demo(), demo().stored()] {
        let archive = open(&wheel);
        let member = archive.find("demo/__init__.py").unwrap();
        let want = "answer = 42\n".repeat(1000).into_bytes();
        assert_eq!(archive.read(member, 12_000).unwrap(), want);
        assert_eq!(archive.read_prefix(member, 17).unwrap(), want[..17]);
        assert_eq!(archive.read_prefix(member, u64::MAX).unwrap(), want);
        let mut got = Vec::new();
        archive.reader(member).read_to_end(&mut got).unwrap();
        assert_eq!(got, want);
    }
}

#[test]
fn a_member_that_is_too_large_is_not_read() {
    let archive = open(&demo());
    let member = archive.find("demo/__init__.py").unwrap();
    let error = archive.read(member, 11_999).unwrap_err();
    assert_eq!(error.to_string(), "content has 12000 bytes, limit is 11999");
    assert!(matches!(error, ContentError::TooLarge { .. }));
}

#[test]
fn names_that_differ_in_case_are_told() {
    let wheel = demo()
        .file("demo/TOOL", "")
        .file("demo/u\u{308}.txt", "")
        .file("lib/A/b/1", "")
        .file("lib/a/B/2", "");
    let archive = open(&wheel);
    let collisions = archive.collisions();
    let groups: Vec<Vec<&str>> = collisions
        .iter()
        .map(|group| {
            group
                .iter()
                .map(wheelfix_archive::MemberPath::as_str)
                .collect()
        })
        .collect();
    assert_eq!(
        groups,
        [
            ["demo/TOOL", "demo/tool"],
            ["demo/u\u{308}.txt", "demo/ü.txt"],
            ["lib/A", "lib/a"],
        ]
    );
}

#[test]
fn an_archive_that_shrinks_before_it_is_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let wheel = WheelBuilder::new("demo", "1.0").file("demo/a.bin", vec![7; 1 << 20]);
    wheel.write_to(dir.path());
    let path = dir.path().join(wheel.file_name());
    let archive = ZipArchive::open(&path, &Limits::default()).unwrap();
    archive.check_source().unwrap();
    fs_err::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    let member = archive.find("demo/a.bin").unwrap();
    archive.read(member, u64::MAX).unwrap_err();
    let error = archive.check_source().unwrap_err().to_string();
    let want = format!(
        "failed to read file `{}`: it was made shorter meanwhile, or its disk fails",
        path.display()
    );
    assert_eq!(error, want);
}

#[test]
fn pipes_and_devices_are_no_archives() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.whl");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    for path in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
        let error = ZipArchive::open(path, &Limits::default()).unwrap_err();
        let want = format!("not a regular file: `{}`", path.display());
        assert_eq!(error.to_string(), want);
    }
}
