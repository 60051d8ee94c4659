//! Headers that disagree, or ask for what is not supported.

use crate::hostile::{Case, member};
use crate::raw_zip::{HeaderFields, RawMember, extra};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = disagreements();
    cases.extend(flags());
    cases.extend(methods());
    cases.extend(lengths());
    cases.extend(types());
    cases.extend(extras());
    cases
}

fn local(name: &'static str, lie: fn(&mut HeaderFields)) -> Case {
    member(name, |member| member.lie_local = Some(lie))
}

fn both(name: &'static str, change: impl FnOnce(&mut HeaderFields)) -> Case {
    member(name, |member| change(&mut member.fields))
}

fn disagreements() -> Vec<Case> {
    vec![
        local("local-name-differs", |fields| {
            fields.name = b"demo/evil.txt".to_vec();
        }),
        local("local-version-differs", |fields| fields.version = 10),
        local("local-flags-differ", |fields| fields.flags = 1 << 11),
        local("local-method-differs", |fields| fields.method = 0),
        local("local-crc32-differs", |fields| fields.crc32 ^= 1),
        local("local-compressed-length-differs", |fields| {
            fields.compressed_len -= 1;
        }),
        local("local-length-differs", |fields| fields.len += 1),
        local("local-length-zero", |fields| {
            (fields.crc32, fields.compressed_len, fields.len) = (0, 0, 0);
        }),
    ]
}

fn flags() -> Vec<Case> {
    vec![
        both("encrypted", |fields| fields.flags |= 1),
        both("encrypted-strongly", |fields| fields.flags |= 1 | 1 << 6),
        both("directory-masked", |fields| fields.flags |= 1 << 13),
        both("patched-data", |fields| fields.flags |= 1 << 5),
        both("reserved-flag", |fields| fields.flags |= 1 << 15),
        both("version-too-new", |fields| fields.version = 99),
    ]
}

fn methods() -> Vec<Case> {
    vec![
        both("method-bzip2", |fields| fields.method = 12),
        both("method-lzma", |fields| fields.method = 14),
        both("method-zstd", |fields| fields.method = 93),
        both("method-deflate64", |fields| fields.method = 9),
        both("method-aes", |fields| fields.method = 99),
        both("method-unknown", |fields| fields.method = 1234),
    ]
}

fn lengths() -> Vec<Case> {
    vec![
        member("stored-lengths-differ", |member| {
            *member = RawMember::stored("demo/data.txt", b"some data\n");
            member.fields.len = 9;
        }),
        both("length-impossible", |fields| fields.len = 0x7fff_ffff),
        member("bomb", |member| {
            *member = RawMember::new("demo/data.txt", &vec![0; 80 << 20]);
        }),
    ]
}

fn types() -> Vec<Case> {
    let mode = |name, mode| member(name, |member| member.mode = mode);
    vec![
        mode("fifo", 0o10_644),
        mode("device", 0o60_644),
        mode("socket", 0o140_644),
        mode("file-with-mode-of-directory", 0o40_755),
        member("directory-with-mode-of-file", |member| {
            *member = RawMember::stored("demo/dir/", b"");
            member.mode = 0o100_644;
        }),
        member("directory-with-content", |member| {
            *member = RawMember::stored("demo/dir/", b"content");
        }),
    ]
}

fn extras() -> Vec<Case> {
    vec![
        both("extra-cut", |fields| {
            fields.extra = vec![0x55, 0x54, 9, 0, 1];
        }),
        both("extra-has-rest", |fields| fields.extra = vec![1, 0, 0]),
        both("extra-twice", |fields| {
            fields.extra = [extra(0x5455, b"\x01abcd"), extra(0x5455, b"\x01efgh")].concat();
        }),
        both("extra-zip64-not-wanted", |fields| {
            fields.extra = extra(1, &[0; 16]);
        }),
        both("extra-zip64-cut", |fields| {
            fields.len = u32::MAX;
            fields.extra = extra(1, &[10, 0, 0, 0]);
        }),
        both("extra-zip64-too-long", |fields| {
            fields.len = u32::MAX;
            fields.extra = extra(1, &[0; 28]);
        }),
        both("extra-zip64-length-huge", |fields| {
            (fields.len, fields.compressed_len) = (u32::MAX, u32::MAX);
            fields.extra = extra(1, &[0xff; 16]);
        }),
        both("extra-unicode-path-differs", |fields| {
            let mut content = vec![1];
            content.extend(crc32fast::hash(&fields.name).to_le_bytes());
            content.extend(b"demo/evil.txt");
            fields.extra = extra(0x7075, &content);
        }),
        both("extra-unicode-path-cut", |fields| {
            fields.extra = extra(0x7075, &[1, 2]);
        }),
    ]
}
