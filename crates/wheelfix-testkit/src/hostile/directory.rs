//! Wrong end records and central directories.

use crate::hostile::{Case, archive, bytes, members};
use crate::raw_zip::RawZip;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = ends();
    cases.extend(counts());
    cases.extend(zip64());
    cases
}

fn ends() -> Vec<Case> {
    let whole = RawZip::new(members()).build();
    vec![
        bytes("file-empty", Vec::clear),
        bytes("file-is-text", |bytes| *bytes = b"Not Found\n".to_vec()),
        bytes("file-is-html", |bytes| {
            *bytes = b"<!doctype html>".repeat(100);
        }),
        bytes("file-cut-in-end-record", |bytes| {
            bytes.truncate(bytes.len() - 10);
        }),
        bytes("file-cut-in-half", |bytes| bytes.truncate(bytes.len() / 2)),
        bytes("file-twice", |bytes| bytes.extend(whole.clone())),
        bytes("prepended-bytes", |bytes| {
            bytes.splice(0..0, *b"#!/bin/sh\n");
        }),
        archive("prepended-bytes-counted", |zip| {
            zip.before = b"#!/bin/sh\n".to_vec();
        }),
        archive("trailing-bytes", |zip| zip.after = b"surplus".to_vec()),
        archive("trailing-end-record", |zip| {
            zip.after = b"PK\x05\x06".iter().chain(&[0; 18]).copied().collect();
        }),
        archive("comment-is-archive", |zip| zip.comment.clone_from(&whole)),
        archive("comment-has-signature", |zip| {
            zip.comment = b"see PK\x01\x02".to_vec();
        }),
        archive("comment-cut", |zip| {
            zip.comment = b"short".to_vec();
            zip.lie_end = Some(|end| end.comment_len = 500);
        }),
    ]
}

fn counts() -> Vec<Case> {
    vec![
        archive("count-too-small", |zip| {
            zip.lie_end = Some(|end| (end.count_here, end.count) = (4, 4));
        }),
        archive("count-too-large", |zip| {
            zip.lie_end = Some(|end| (end.count_here, end.count) = (6, 6));
        }),
        archive("count-of-entries-here-differs", |zip| {
            zip.lie_end = Some(|end| end.count_here -= 1);
        }),
        archive("directory-length-wrong", |zip| {
            zip.lie_end = Some(|end| end.directory_len -= 1);
        }),
        archive("directory-offset-wrong", |zip| {
            zip.lie_end = Some(|end| end.directory_offset += 1);
        }),
        archive("directory-offset-beyond-file", |zip| {
            zip.lie_end = Some(|end| end.directory_offset = 0x7fff_ffff);
        }),
        archive("directory-starts-late", |zip| {
            zip.lie_end = Some(|end| {
                end.directory_offset += 3;
                end.directory_len -= 3;
            });
        }),
        archive("several-parts", |zip| {
            zip.lie_end = Some(|end| end.disk = 1);
        }),
        archive("member-of-another-part", |zip| {
            zip.members[1].lie_central = Some(|fields| fields.disk = 2);
        }),
    ]
}

fn zip64() -> Vec<Case> {
    vec![
        archive("zip64-end-missing", |zip| {
            zip.lie_end = Some(|end| end.count = 0xffff);
        }),
        archive("zip64-locator-points-elsewhere", |zip| {
            zip.zip64 = true;
            zip.lie_zip64 = Some(|fields| fields.record_offset -= 1);
        }),
        archive("zip64-end-differs", |zip| {
            zip.zip64 = true;
            zip.lie_end = Some(|end| (end.count_here, end.count) = (4, 4));
        }),
        archive("zip64-end-has-more-data", |zip| {
            zip.zip64 = true;
            zip.lie_zip64 = Some(|fields| {
                fields.extensible = b"hidden".to_vec();
                fields.record_len += 6;
            });
        }),
        archive("zip64-end-length-wrong", |zip| {
            zip.zip64 = true;
            zip.lie_zip64 = Some(|fields| fields.record_len = 45);
        }),
        archive("zip64-directory-offset-huge", |zip| {
            zip.zip64 = true;
            zip.lie_zip64 = Some(|fields| fields.directory_offset = u64::MAX);
        }),
        archive("zip64-count-huge", |zip| {
            zip.zip64 = true;
            zip.lie_zip64 = Some(|fields| fields.count = u64::MAX);
        }),
    ]
}
