//! Wheels that use rare parts of the format rightly.

use crate::hostile::{Case, added, archive, member};
use crate::raw_zip::{FLAG_DESCRIPTOR, RawMember, extra};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = archives();
    cases.extend(zip64());
    cases.extend(members());
    cases
}

fn archives() -> Vec<Case> {
    vec![
        archive("plain", |_| {}),
        archive("no-members", |zip| zip.members.clear()),
        archive("comment", |zip| zip.comment = b"built on Monday".to_vec()),
        archive("trailing-nuls", |zip| zip.after = vec![0; 512]),
        archive("order-of-entries-differs", |zip| {
            // The central directory lists the last member first.
            let mut last = zip.members.pop().unwrap();
            let mut entry = last.clone();
            (last.is_central, entry.is_local) = (false, false);
            zip.members.push(last);
            let offset = zip
                .build()
                .windows(4)
                .rposition(|window| window == b"PK\x03\x04")
                .unwrap();
            entry.fields.comment = offset.to_le_bytes().to_vec();
            entry.lie_central = Some(|fields| {
                fields.offset = u32::from_le_bytes(fields.comment[..4].try_into().unwrap());
            });
            zip.members.insert(0, entry);
        }),
    ]
}

fn zip64() -> Vec<Case> {
    vec![
        archive("zip64-ends", |zip| zip.zip64 = true),
        member("zip64-lengths", |member| {
            let lengths = [member.fields.len, member.fields.compressed_len];
            let record: Vec<u8> = lengths
                .iter()
                .flat_map(|len| u64::from(*len).to_le_bytes())
                .collect();
            (member.fields.len, member.fields.compressed_len) = (u32::MAX, u32::MAX);
            member.fields.extra = extra(1, &record);
            member.fields.version = 45;
        }),
        member("zip64-repeated-in-local-header", |member| {
            let lengths = [member.fields.len, member.fields.compressed_len];
            let record: Vec<u8> = lengths
                .iter()
                .flat_map(|len| u64::from(*len).to_le_bytes())
                .collect();
            member.fields.extra = extra(1, &record);
            member.lie_central = Some(|fields| fields.extra.clear());
        }),
        member("zip64-with-one-length", |member| {
            let record = u64::from(member.fields.len).to_le_bytes();
            member.fields.extra = extra(1, &record);
            member.lie_central = Some(|fields| fields.extra.clear());
        }),
        member("zip64-empty", |member| {
            member.fields.extra = extra(1, &[]);
            member.lie_central = Some(|fields| fields.extra.clear());
        }),
        member("extra-filled-with-zeros", |member| {
            member.fields.extra = vec![0, 0, 0];
        }),
        member("zip64-only-in-local-header", |member| {
            let lengths = [member.fields.len, member.fields.compressed_len];
            let record: Vec<u8> = lengths
                .iter()
                .flat_map(|len| u64::from(*len).to_le_bytes())
                .collect();
            member.fields.extra = extra(1, &record);
            member.fields.version = 45;
            member.lie_local =
                Some(|fields| (fields.len, fields.compressed_len) = (u32::MAX, u32::MAX));
            member.lie_central = Some(|fields| fields.extra.clear());
        }),
    ]
}

fn members() -> Vec<Case> {
    vec![
        added("name-device", vec![RawMember::stored("demo/aux/con.", b"")]),
        added("directory", vec![RawMember::stored("demo/sub/", b"")]),
        added("file-empty", vec![RawMember::stored("demo/py.typed", b"")]),
        added(
            "name-unicode",
            vec![RawMember::new("demo/名前 ü.py", b"x = 1\n")],
        ),
        added(
            "names-that-differ-in-case",
            vec![
                RawMember::new("demo/DATA.txt", b""),
                RawMember::new("Demo/x.py", b""),
            ],
        ),
        added(
            "names-that-differ-in-normal-form",
            vec![
                RawMember::new("demo/\u{fc}.py", b""),
                RawMember::new("demo/u\u{308}.py", b""),
            ],
        ),
        member("stored", |member| {
            *member = RawMember::stored("demo/data.txt", b"some data\n");
        }),
        member("descriptor", |member| {
            member.fields.flags |= FLAG_DESCRIPTOR;
        }),
        member("descriptor-without-signature", |member| {
            member.fields.flags |= FLAG_DESCRIPTOR;
            member.after = Some(member.descriptor(false));
        }),
        member("descriptor-large", |member| {
            *member = RawMember::new("demo/data.txt", &b"0123456789".repeat(100_000));
            member.fields.flags |= FLAG_DESCRIPTOR;
        }),
        member("mode-setuid", |member| member.mode = 0o104_755),
        member("mode-none", |member| member.mode = 0),
        member("mode-without-type", |member| member.mode = 0o755),
        member("entry-comment", |member| {
            member.fields.comment = b"note".to_vec();
        }),
        member("extra-timestamp", |member| {
            member.fields.extra = extra(0x5455, b"\x01abcd");
        }),
        member("extra-unicode-path-same", |member| {
            let mut content = vec![1];
            content.extend(crc32fast::hash(&member.fields.name).to_le_bytes());
            content.extend(&member.fields.name);
            member.fields.extra = extra(0x7075, &content);
        }),
        member("compressed-best", |member| member.fields.flags = 0b10),
    ]
}
