//! Properties that hold for any bytes: the bodies of the fuzz targets, which tests run too.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::Path;

use crate::extract::{Digest, ExtractItem, Silent, extract};
use crate::member_path::MemberPath;
use crate::tar::{Compression, TarArchive};
use crate::zip::limits::Limits;
use crate::zip::{Member, ZipArchive};

/// Most that is unpacked for one input, in bytes.
const MOST: u64 = 4 << 20;

fn limits() -> Limits {
    Limits {
        total: MOST,
        ratio: u64::MAX,
        free: 0,
        members: 1000,
    }
}

/// Opens a zip archive and reads every member in every way; panics if two ways differ.
pub fn check_zip(bytes: &[u8]) {
    let Ok(archive) = ZipArchive::from_bytes(bytes.to_vec(), &limits()) else {
        return;
    };
    let mut data_len = 0;
    let mut paths = BTreeSet::new();
    for member in archive.members() {
        data_len += archive.compressed(member).len();
        assert!(paths.insert(&member.path), "{} occurs twice", member.path);
        assert_eq!(archive.find(member.path.as_str()), Some(member));
        check_member(&archive, member);
    }
    assert!(data_len <= bytes.len(), "members overlap");
    assert_eq!(archive.members_by_path().count(), archive.members().len());
    let collisions = archive.collisions();
    assert!(collisions.iter().all(|group| 1 < group.len()));
}

fn check_member(archive: &ZipArchive, member: &Member) {
    let whole = archive.read(member, MOST);
    let mut streamed = Vec::new();
    let ended = archive.reader(member).read_to_end(&mut streamed);
    assert!(
        streamed.len() as u64 <= member.len,
        "more than stated was inflated"
    );
    let Ok(whole) = whole else {
        return;
    };
    assert_eq!(whole.len() as u64, member.len);
    // The decoders may differ in what they refuse, but not in what they make of the rest.
    if ended.is_ok() {
        assert!(whole == streamed, "{} is read in two ways", member.path);
    }
}

/// Unpacks a zip archive into an empty directory; panics if anything else than its members is there.
pub fn check_unpack_zip(bytes: &[u8], dir: &Path) {
    let Ok(archive) = ZipArchive::from_bytes(bytes.to_vec(), &limits()) else {
        return;
    };
    let item = |member| ExtractItem {
        archive: &archive,
        member,
        dst: member.path.clone(),
        executable: member.executable,
        digest: Digest::Compute,
        prioritized: false,
    };
    let items: Vec<_> = archive.members().iter().map(item).collect();
    let unpacked = extract(&items, dir, NonZeroUsize::MIN, &Silent);
    let files = count_files(dir);
    match unpacked {
        Ok(_) => assert_eq!(files, items.len()),
        Err(_) => assert!(files <= items.len()),
    }
}

/// Unpacks a tar archive that is not compressed into an empty directory; panics if anything else than
/// its members is there, or if a link leads elsewhere.
pub fn check_unpack_tar(bytes: &[u8], dir: &Path) {
    let archive = TarArchive::from_bytes(bytes.to_vec(), Compression::None, &limits());
    let Ok(members) = archive.unpack(dir, &|_| ()) else {
        return;
    };
    assert!(count_files(dir) <= members.len());
    let Ok(root) = fs_err::canonicalize(dir) else {
        return;
    };
    for member in &members {
        if let Ok(path) = fs_err::canonicalize(dir.join(member.path.as_path())) {
            assert!(path.starts_with(&root), "{} leads outside", member.path);
        }
    }
}

/// Makes a path of a name; panics if it could lead outside.
pub fn check_name(name: &str) {
    if let Ok(path) = MemberPath::new(name) {
        assert_eq!(path.as_str(), name);
        assert!(path.parts().all(|part| !matches!(part, "" | "." | "..")));
        assert!(
            !Path::new("/root")
                .join(path.as_path())
                .as_os_str()
                .is_empty()
        );
        assert!(path.as_path().is_relative());
    }
}

/// Number of files and links below a directory.
fn count_files(dir: &Path) -> usize {
    let entries = walkdir::WalkDir::new(dir)
        .into_iter()
        .filter_map(Result::ok);
    entries.filter(|entry| !entry.file_type().is_dir()).count()
}
