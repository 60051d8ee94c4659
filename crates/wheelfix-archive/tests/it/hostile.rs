//! Hostile wheels: each is refused with a message of its own, and writes nothing.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use sha2::Digest as _;
use wheelfix_archive::{
    Compression, Digest, ExtractItem, Faults, Limits, Silent, TarArchive, TarError, ZipArchive,
    extract,
};
use wheelfix_testkit::hostile::{self, Case};
use wheelfix_testkit::python;

fn open(case: &Case) -> Result<ZipArchive, Faults> {
    ZipArchive::from_bytes(case.archive.clone(), &Limits::default())
}

fn table(rows: impl Iterator<Item = (&'static str, String)>) -> String {
    let rows: Vec<String> = rows
        .map(|(name, text)| format!("{name}: {text}\n"))
        .collect();
    rows.concat()
}

#[test]
fn a_wrong_structure_is_refused_before_anything_is_unpacked() {
    let cases = hostile::zip_structures();
    let rows = cases.iter().map(|case| match open(case) {
        Ok(_) => panic!("{} was accepted", case.name),
        Err(faults) => (case.name, faults.to_string()),
    });
    insta::assert_snapshot!(table(rows));
}

#[test]
fn a_wrong_source_distribution_is_refused_and_nothing_is_written_outside() {
    let cases = hostile::tars();
    let rows = cases.iter().map(|case| {
        let parent = tempfile::tempdir().unwrap();
        let (path, dir) = (parent.path().join("in.tar.gz"), parent.path().join("out"));
        fs_err::write(&path, &case.archive).unwrap();
        fs_err::create_dir(&dir).unwrap();
        let archive = TarArchive::open(&path, Compression::Gzip, &Limits::default()).unwrap();
        let unpacked = archive.unpack(&dir, &|_| ());
        let outside = fs_err::read_dir(parent.path()).unwrap().count();
        assert_eq!(
            outside, 2,
            "{}: something was written beside the directory",
            case.name
        );
        match unpacked {
            Ok(_) => panic!("{} was accepted", case.name),
            Err(TarError::Refused(faults)) => (case.name, faults.to_string()),
            Err(error) => panic!("{}: {error}", case.name),
        }
    });
    insta::assert_snapshot!(table(rows));
}

fn unpack(archive: &ZipArchive) -> (tempfile::TempDir, Result<(), String>) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("out");
    fs_err::create_dir(&dir).unwrap();
    let item = |member: &'_ wheelfix_archive::Member| ExtractItem {
        archive,
        member: &archive.members()[member.index],
        dst: member.path.clone(),
        executable: member.executable,
        digest: Digest::Compute,
        prioritized: false,
    };
    let items: Vec<_> = archive.members().iter().map(item).collect();
    let done = extract(&items, &dir, NonZeroUsize::MIN, &Silent);
    let outside = fs_err::read_dir(parent.path()).unwrap().count();
    assert_eq!(outside, 1, "something was written beside the directory");
    (parent, done.map(|_| ()).map_err(|error| error.to_string()))
}

#[test]
fn a_wrong_content_is_found_by_every_way_to_read_it() {
    let cases = hostile::zip_contents();
    let rows = cases.iter().map(|case| {
        let archive = open(case).unwrap_or_else(|faults| panic!("{}: {faults}", case.name));
        let (_parent, done) = unpack(&archive);
        let member = archive.find("demo/data.txt").unwrap();
        let read = archive.read(member, u64::MAX).unwrap_err();
        let streamed =
            std::io::copy(&mut archive.reader(member), &mut std::io::sink()).unwrap_err();
        let done = done.unwrap_err();
        assert_eq!(
            done,
            format!("member `demo/data.txt`: {read}"),
            "{}",
            case.name
        );
        (case.name, format!("{read} (as a stream: {streamed})"))
    });
    insta::assert_snapshot!(table(rows));
}

#[test]
fn odd_wheels_unpack_to_what_other_readers_see() {
    for case in hostile::odd() {
        let archive = open(&case).unwrap_or_else(|faults| panic!("{}: {faults}", case.name));
        let (parent, done) = unpack(&archive);
        done.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let mut other = zip::ZipArchive::new(std::io::Cursor::new(&case.archive)).unwrap();
        for index in 0..other.len() {
            let mut member = other.by_index(index).unwrap();
            if member.is_dir() {
                continue;
            }
            let name = member.name().unwrap().into_owned();
            let mut want = Vec::new();
            std::io::copy(&mut member, &mut want).unwrap();
            let path = parent.path().join("out").join(&name);
            assert!(
                fs_err::read(path).unwrap() == want,
                "{}: {}",
                case.name,
                name
            );
        }
        let files = (0..other.len()).filter(|index| other.by_index(*index).unwrap().is_file());
        assert_eq!(files.count(), archive.members().len(), "{}", case.name);
    }
}

#[test]
fn odd_wheels_are_what_python_sees() {
    let dir = tempfile::tempdir().unwrap();
    let cases = hostile::odd();
    let path = |case: &Case| dir.path().join(case.name);
    for case in &cases {
        fs_err::write(path(case), &case.archive).unwrap();
    }
    let paths: Vec<PathBuf> = cases.iter().map(path).collect();
    let seen = python::read_zips(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    assert_eq!(seen.len(), cases.len());
    for (case, want) in cases.iter().zip(seen) {
        let archive = ZipArchive::open(&path(case), &Limits::default()).unwrap();
        let digest = |member| {
            let content = archive.read(member, u64::MAX).unwrap();
            let digest: [u8; 32] = sha2::Sha256::digest(content).into();
            let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            digits.concat()
        };
        let members = archive.members().iter();
        let got: Vec<_> = members
            .map(|member| (member.path.to_string(), digest(member)))
            .collect();
        assert_eq!(got, want, "{}", case.name);
    }
}
