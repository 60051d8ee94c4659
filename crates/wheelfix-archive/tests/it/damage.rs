//! Archives with random damage: what is still accepted is what other readers see.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use wheelfix_archive::fuzzing::{check_name, check_unpack_tar, check_unpack_zip, check_zip};
use wheelfix_archive::{Limits, ZipArchive};
use wheelfix_testkit::hostile;
use wheelfix_testkit::sdist::SdistBuilder;

/// Archives to begin with: the odd ones, and those that are wrong in one way.
static ZIPS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let cases = [
        hostile::odd(),
        hostile::zip_structures(),
        hostile::zip_contents(),
    ];
    let archives = cases.into_iter().flatten().map(|case| case.archive);
    archives
        .filter(|archive| !archive.is_empty() && archive.len() < 8192)
        .collect()
});

/// A change that damages an archive.
#[derive(Clone, Debug)]
enum Damage {
    Set(Index, u8),
    Copy { from: Index, to: Index, len: u8 },
    Remove(Index, u8),
    Insert(Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<Index>(), any::<Index>(), 1..64u8).prop_map(|(from, to, len)| Damage::Copy {
            from,
            to,
            len
        }),
        (any::<Index>(), 1..64u8).prop_map(|(at, len)| Damage::Remove(at, len)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damages: &[Damage]) {
    for damage in damages {
        if bytes.is_empty() {
            return;
        }
        let end = |at: usize, len: &u8| (at + usize::from(*len)).min(bytes.len());
        match damage {
            Damage::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Damage::Copy { from, to, len } => {
                let from = from.index(bytes.len());
                let copied = bytes[from..end(from, len)].to_vec();
                let to = to.index(bytes.len());
                for (place, byte) in bytes[to..].iter_mut().zip(copied) {
                    *place = byte;
                }
            }
            Damage::Remove(at, len) => {
                let at = at.index(bytes.len());
                bytes.drain(at..end(at, len));
            }
            Damage::Insert(at, inserted) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, inserted.iter().copied());
            }
        }
    }
}

/// Checks that the `zip` crate reads an archive that we accept as we do.
fn check_against_zip(bytes: &[u8]) {
    let Ok(archive) = ZipArchive::from_bytes(bytes.to_vec(), &Limits::default()) else {
        return;
    };
    let Ok(mut other) = zip::ZipArchive::new(std::io::Cursor::new(bytes)) else {
        return;
    };
    let ours: Vec<&str> = archive
        .members()
        .iter()
        .map(|member| member.path.as_str())
        .collect();
    let mut theirs = Vec::new();
    for index in 0..other.len() {
        let mut member = other.by_index(index).unwrap();
        if member.is_dir() {
            continue;
        }
        let name = member.name().unwrap().into_owned();
        let mut content = Vec::new();
        let read = std::io::copy(&mut member, &mut content);
        let found = archive
            .find(&name)
            .unwrap_or_else(|| panic!("only they see `{name}`"));
        if let (Ok(_), Ok(ours)) = (read, archive.read(found, 1 << 20)) {
            assert!(ours == content, "`{name}` differs");
        }
        theirs.push(name);
    }
    assert_eq!(ours, theirs);
}

#[test]
fn every_known_archive_passes_the_checks() {
    for archive in ZIPS.iter() {
        check_zip(archive);
        check_against_zip(archive);
        let dir = tempfile::tempdir().unwrap();
        check_unpack_zip(archive, dir.path());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_zip_archives_are_refused_or_read_in_one_way(
        which in any::<Index>(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let mut bytes = which.get(&ZIPS).clone();
        apply(&mut bytes, &damages);
        check_zip(&bytes);
        check_against_zip(&bytes);
    }

    #[test]
    fn damaged_tar_archives_stay_inside(damages in prop::collection::vec(damage(), 1..4)) {
        let sdist = SdistBuilder::new("demo", "1.0").symlink("link", "x").hard_link("y", "PKG-INFO");
        let mut bytes = sdist.tar();
        apply(&mut bytes, &damages);
        let dir = tempfile::tempdir().unwrap();
        check_unpack_tar(&bytes, dir.path());
    }

    #[test]
    fn names_stay_inside(name in "\\PC{0,40}|[a./\\\\]{0,20}") {
        check_name(&name);
    }
}
