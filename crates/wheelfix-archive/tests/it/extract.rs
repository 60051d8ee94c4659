//! Extracting: what is on disk afterwards, and what is refused.

use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::Digest as _;
use wheelfix_archive::{
    Digest, ExtractError, ExtractItem, Limits, Observer, Silent, Written, ZipArchive, extract,
};
use wheelfix_testkit::wheel::WheelBuilder;

/// Bytes that do not compress to nothing.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 26) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn demo() -> WheelBuilder {
    let mut wheel = WheelBuilder::new("demo", "1.0")
        .file("demo/large.bin", noise(3 << 20))
        .file("demo/medium.bin", noise(300 << 10))
        .executable("demo/bin/tool", "#!/bin/sh\n")
        .file("demo/empty", "");
    for number in 0..200 {
        wheel = wheel.file(
            &format!("demo/d{}/f{number}.py", number % 7),
            noise(number * 10),
        );
    }
    wheel
}

fn open(wheel: &WheelBuilder) -> ZipArchive {
    ZipArchive::from_bytes(wheel.build(), &Limits::default()).unwrap()
}

fn items(archive: &ZipArchive, digest: Digest) -> Vec<ExtractItem<'_>> {
    let item = |member| ExtractItem {
        archive,
        member,
        dst: member.path.clone(),
        executable: member.executable,
        digest,
        prioritized: member.len % 20 == 0,
    };
    archive.members().iter().map(item).collect()
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn every_member_arrives_whatever_the_number_of_threads() {
    for wheel in [demo(), demo().stored()] {
        let archive = open(&wheel);
        for count in [1, 2, 5] {
            let dir = tempfile::tempdir().unwrap();
            let items = items(&archive, Digest::Compute);
            let extracted = extract(&items, dir.path(), threads(count), &Silent).unwrap();
            assert_eq!(extracted.len(), items.len());
            for (item, extracted) in items.iter().zip(extracted) {
                let path = dir.path().join(item.dst.as_path());
                let content = fs_err::read(&path).unwrap();
                assert_eq!(
                    content,
                    archive.read(item.member, u64::MAX).unwrap(),
                    "{}",
                    item.dst
                );
                assert_eq!(extracted.len, content.len() as u64);
                assert_eq!(
                    extracted.sha256,
                    Some(sha2::Sha256::digest(&content).into())
                );
                assert_eq!(mode(&path), if item.executable { 0o755 } else { 0o644 });
            }
            assert_eq!(mode(&dir.path().join("demo/bin")), 0o755);
        }
    }
}

#[test]
fn several_archives_go_where_they_are_sent() {
    let (first, second) = (
        open(&demo()),
        open(&WheelBuilder::new("other", "2").file("x.py", "x")),
    );
    let mut all = items(&first, Digest::Skip);
    all.extend(items(&second, Digest::Skip));
    for item in &mut all {
        item.dst = "lib/site"
            .parse::<wheelfix_archive::MemberPath>()
            .unwrap()
            .join(&item.dst)
            .unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let extracted = extract(&all, dir.path(), threads(2), &Silent).unwrap();
    assert!(extracted.iter().all(|extracted| extracted.sha256.is_none()));
    assert_eq!(
        fs_err::read(dir.path().join("lib/site/x.py")).unwrap(),
        b"x"
    );
    assert_eq!(
        fs_err::read(dir.path().join("lib/site/demo/bin/tool")).unwrap(),
        b"#!/bin/sh\n"
    );
}

#[test]
fn all_members_with_other_digests_are_listed() {
    let archive = open(&demo());
    let mut items = items(&archive, Digest::Skip);
    for (index, item) in items.iter_mut().enumerate() {
        if index < 2 || item.dst.as_str() == "demo/empty" {
            item.digest = Digest::Expect([7; 32]);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let error = extract(&items, dir.path(), threads(2), &Silent).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(&"07".repeat(32), "[expected]"), @"
    3 members are corrupt
      member `demo/large.bin`: sha256 mismatch: expected [expected], got dd88c862b5b1d6ef39bb0c17b5ce9c6f8aa0c6cbc9474ae0da18ee0f0705e5a4
      member `demo/medium.bin`: sha256 mismatch: expected [expected], got 62d7a3598c90d74fc97ae1ab7dc0e88e95a9c4fee07d28b86c7925c2db0cb694
      member `demo/empty`: sha256 mismatch: expected [expected], got e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    ");
}

#[derive(Default)]
struct Log {
    sum: AtomicU64,
    files: Mutex<Vec<(usize, Vec<u8>)>>,
}

impl Observer for Log {
    fn progress(&self, len: u64) {
        self.sum.fetch_add(len, Ordering::Relaxed);
    }

    fn written(&self, file: Written<'_>) {
        assert_eq!(fs_err::read(file.path).unwrap(), file.content);
        let entry = (file.index, file.content.to_vec());
        self.files.lock().unwrap().push(entry);
    }
}

#[test]
fn the_observer_sees_every_file_and_every_byte() {
    let archive = open(&demo());
    let dir = tempfile::tempdir().unwrap();
    let log = Log::default();
    let items = items(&archive, Digest::Skip);
    extract(&items, dir.path(), threads(2), &log).unwrap();
    let mut files = log.files.into_inner().unwrap();
    files.sort();
    assert_eq!(files.len(), items.len());
    let total: u64 = items.iter().map(|item| item.member.len).sum();
    assert_eq!(log.sum.into_inner(), total);
    for ((index, content), at) in files.iter().zip(0..) {
        assert_eq!(*index, at);
        assert_eq!(content.len() as u64, items[at].member.len);
    }
}

#[test]
fn a_file_that_exists_is_an_error() {
    let archive = open(&demo());
    let dir = tempfile::tempdir().unwrap();
    fs_err::create_dir_all(dir.path().join("demo/bin")).unwrap();
    fs_err::write(dir.path().join("demo/bin/tool"), "mine").unwrap();
    let error = extract(
        &items(&archive, Digest::Skip),
        dir.path(),
        threads(2),
        &Silent,
    )
    .unwrap_err();
    let ExtractError::Write { path, source } = error else {
        panic!("{error}");
    };
    assert_eq!(path, dir.path().join("demo/bin/tool"));
    assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs_err::read(path).unwrap(), b"mine");
}

#[test]
fn a_link_in_the_output_directory_is_not_followed() {
    let archive = open(&demo());
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("demo")).unwrap();
    let error = extract(
        &items(&archive, Digest::Skip),
        dir.path(),
        threads(2),
        &Silent,
    )
    .unwrap_err();
    assert!(matches!(error, ExtractError::CreateDir { .. }), "{error}");
    assert_eq!(fs_err::read_dir(elsewhere.path()).unwrap().count(), 0);
}
