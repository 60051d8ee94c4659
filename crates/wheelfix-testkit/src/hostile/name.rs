//! Names that escape, deceive or contradict each other.

use crate::hostile::{Case, added, member};
use crate::raw_zip::{FLAG_UTF8, RawMember};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = escapes();
    cases.extend(deceits());
    cases.extend(encodings());
    cases.extend(contradictions());
    cases
}

fn named(name: &'static str, path: &str) -> Case {
    added(name, vec![RawMember::new(path, b"owned\n")])
}

fn escapes() -> Vec<Case> {
    vec![
        named("name-parent", "../escaped.txt"),
        named("name-parent-deep", "demo/../../escaped.txt"),
        named(
            "name-parent-of-data",
            "demo-1.0.data/data/../../../escaped.txt",
        ),
        named("name-parent-inside", "demo/../other.txt"),
        named("name-parent-at-end", "demo/.."),
        named("name-absolute", "/tmp/escaped.txt"),
        named("name-absolute-twice", "//tmp/escaped.txt"),
        named("name-backslash", "..\\escaped.txt"),
        named("name-backslash-inside", "demo\\module.py"),
        named("name-drive", "C:/escaped.txt"),
        named("name-drive-relative", "c:escaped.txt"),
        named("name-unc", "\\\\host\\share\\escaped.txt"),
        named("name-empty", ""),
        named("name-slash", "/"),
        named("name-dot", "./demo/x.py"),
        named("name-dot-inside", "demo/./x.py"),
        named("name-empty-part", "demo//x.py"),
        named("name-two-slashes-at-end", "demo/x//"),
    ]
}

fn deceits() -> Vec<Case> {
    vec![
        named("name-nul", "demo/x.py\0.txt"),
        named("name-newline", "demo/x\n.py"),
        named("name-escape-sequence", "demo/\x1b[2J.py"),
        named("name-right-to-left", "demo/\u{202e}yp.x"),
        named("name-zero-width", "demo/x\u{200b}.py"),
        named("name-byte-order-mark", "\u{feff}demo/x.py"),
        added(
            "name-part-too-long",
            vec![RawMember::new(&"a".repeat(300), b"")],
        ),
        added(
            "name-too-long",
            vec![RawMember::new(&"abcdefg/".repeat(500), b"")],
        ),
        added(
            "name-too-deep",
            vec![RawMember::new(&format!("{}a", "a/".repeat(200)), b"")],
        ),
    ]
}

fn encodings() -> Vec<Case> {
    let raw = |name, bytes: &[u8], flags: u16| {
        member(name, |member| {
            member.fields.name = bytes.to_vec();
            member.fields.flags = flags;
        })
    };
    vec![
        raw("name-cp437", b"demo/caf\x82.txt", 0),
        raw("name-utf8-without-flag", "demo/café.txt".as_bytes(), 0),
        raw("name-not-utf8", b"demo/caf\xe9.txt", FLAG_UTF8),
        raw("name-overlong-utf8", b"demo/\xc0\xae\xc0\xae/x", FLAG_UTF8),
        raw("name-surrogate", b"demo/\xed\xa0\x80.txt", FLAG_UTF8),
    ]
}

fn contradictions() -> Vec<Case> {
    let new = RawMember::new;
    vec![
        added("duplicate-same", vec![new("demo/data.txt", b"some data\n")]),
        added(
            "duplicate-different",
            vec![new("demo/data.txt", b"other data\n")],
        ),
        added(
            "file-is-directory-of-other",
            vec![new("demo/data.txt/x.py", b"")],
        ),
        added(
            "file-is-directory-of-deep-other",
            vec![new("demo/data.txt/a/b/x.py", b"")],
        ),
        added("file-is-directory", vec![new("demo/data.txt/", b"")]),
        added(
            "file-before-its-directory",
            vec![
                new("demo/sub", b"file"),
                new("demo/sub.py", b""),
                new("demo/sub/x.py", b""),
            ],
        ),
        added(
            "directory-twice",
            vec![new("demo/sub/", b""), new("demo/sub/", b"")],
        ),
    ]
}
