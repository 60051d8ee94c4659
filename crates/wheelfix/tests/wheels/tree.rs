//! Installed trees, and their differences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fs_err::File;
use sha2::{Digest as _, Sha256};

/// All files below a directory, by their path with `/` as separator.
pub(crate) type Tree = BTreeMap<String, Entry>;

/// The facts of a file that are compared.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// As RECORD writes it.
    pub(crate) digest: String,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) is_executable: bool,
    pub(crate) is_elf: bool,
}

pub(crate) fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs_err::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                pending.push(entry.path());
                continue;
            }
            assert!(
                kind.is_file(),
                "{}: neither file nor directory",
                entry.path().display()
            );
            let path = entry.path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            tree.insert(name, read_entry(&path));
        }
    }
    tree
}

fn read_entry(path: &Path) -> Entry {
    let mut file = File::open(path).unwrap();
    let metadata = file.metadata().unwrap();
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut start = Vec::new();
    loop {
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        if start.is_empty() {
            start = buffer[..count.min(4)].to_vec();
        }
        hasher.update(&buffer[..count]);
    }
    Entry {
        digest: record_digest(&hasher.finalize()),
        size: metadata.len(),
        is_executable: metadata.permissions().mode() & 0o111 != 0,
        is_elf: start == b"\x7fELF",
    }
}

/// The differences, a line each, apart from those that have to be: edited ELF files, files that
/// rules have left out or changed, RECORD, INSTALLER, which names the installer, what the user has excused, and the
/// list of libraries that stand in for bundled ones.
pub(crate) fn differences(ours: &Tree, theirs: &Tree, by_rule: &BTreeSet<String>) -> Vec<String> {
    let mut lines = Vec::new();
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for path in paths {
        let has_to = [
            ".dist-info/RECORD",
            ".dist-info/INSTALLER",
            ".dist-info/wheelfix-excuses.json",
            ".dist-info/sboms/wheelfix.cdx.json",
        ];
        let has_to = has_to.iter().any(|end| path.ends_with(end));
        match (ours.get(path), theirs.get(path)) {
            (None, _) if by_rule.contains(path) => {}
            (None, _) => lines.push(format!("{path}: missing")),
            (Some(_), None) if !has_to => lines.push(format!("{path}: should not be there")),
            (Some(our), Some(their)) => {
                if our.is_executable != their.is_executable {
                    lines.push(format!("{path}: executable: {}", our.is_executable));
                }
                let is_edited = our.is_elf && their.is_elf || by_rule.contains(path);
                if our.digest != their.digest && !has_to && !is_edited {
                    lines.push(format!("{path}: other contents"));
                }
            }
            (Some(_), None) => {}
        }
    }
    lines
}

/// The faults of the RECORD of the only distribution in a prefix: rows that are not true, and files
/// that have none.
pub(crate) fn faults_of_record(tree: &Tree, prefix: &Path, site_packages: &str) -> Vec<String> {
    let is_record = |path: &&String| path.ends_with(".dist-info/RECORD");
    let record = tree
        .keys()
        .find(|path| path.starts_with(site_packages) && is_record(path));
    let record = record.expect("the tree has a RECORD");
    let text = fs_err::read_to_string(prefix.join(record)).unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut unrecorded: BTreeSet<&str> = tree.keys().map(String::as_str).collect();
    let mut faults = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        let (path, digest, size) = (&row[0], &row[1], &row[2]);
        let path = resolve(site_packages, path);
        if !unrecorded.remove(path.as_str()) {
            faults.push(format!("{path}: in RECORD, but not there, or twice"));
            continue;
        }
        let entry = &tree[&path];
        let is_true = digest == entry.digest && size == entry.size.to_string();
        let is_empty = digest.is_empty() && size.is_empty();
        if !(is_true || is_empty && path == *record) {
            faults.push(format!(
                "{path}: RECORD says {digest}, {size} bytes; not so"
            ));
        }
    }
    faults.extend(
        unrecorded
            .iter()
            .map(|path| format!("{path}: not in RECORD")),
    );
    faults
}

/// `../../../bin/x` below `lib/python3.11/site-packages` is `bin/x`.
fn resolve(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = dir.split('/').collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// `sha256=` and URL-safe Base64 without padding.
fn record_digest(digest: &[u8]) -> String {
    let mut text = String::from("sha256=");
    let base64 = data_encoding::BASE64URL_NOPAD.encode(digest);
    write!(text, "{base64}").unwrap();
    text
}

#[test]
fn differences_are_seen() {
    let entry = |digest: &str, is_elf| Entry {
        digest: digest.to_owned(),
        size: 1,
        is_executable: false,
        is_elf,
    };
    let ours = Tree::from([
        ("a.so".to_owned(), entry("edited", true)),
        ("b.py".to_owned(), entry("edited", false)),
        ("c.py".to_owned(), entry("new", false)),
        ("x.dist-info/INSTALLER".to_owned(), entry("new", false)),
    ]);
    let theirs = Tree::from([
        ("a.so".to_owned(), entry("1", true)),
        ("b.py".to_owned(), entry("2", false)),
        ("d.py".to_owned(), entry("3", false)),
        ("e.so".to_owned(), entry("4", true)),
    ]);
    let dropped = BTreeSet::from(["e.so".to_owned()]);
    let want = [
        "b.py: other contents",
        "c.py: should not be there",
        "d.py: missing",
    ];
    assert_eq!(differences(&ours, &theirs, &dropped), want);
}

#[test]
fn an_untrue_record_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    };
    write("lib/site/a.py", "a");
    write("lib/site/b.py", "b");
    write("lib/site/c.py", "c");
    write("bin/d", "d");
    let of = |text: &str| record_digest(&Sha256::digest(text));
    let record = format!(
        "a.py,{},1\nb.py,{},1\n../../bin/d,{},1\ne.py,,\nx.dist-info/RECORD,,\n",
        of("a"),
        of("other"),
        of("d"),
    );
    write("lib/site/x.dist-info/RECORD", &record);
    let tree = read(dir.path());
    let want = [
        format!(
            "lib/site/b.py: RECORD says {}, 1 bytes; not so",
            of("other")
        ),
        "lib/site/e.py: in RECORD, but not there, or twice".to_owned(),
        "lib/site/c.py: not in RECORD".to_owned(),
    ];
    assert_eq!(faults_of_record(&tree, dir.path(), "lib/site"), want);
}
