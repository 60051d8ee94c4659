//! Members that overlap, hide or are not there.

use crate::hostile::{Case, added, archive, bytes, member};
use crate::raw_zip::{FLAG_DESCRIPTOR, RawMember};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = overlaps();
    cases.extend(gaps());
    cases.extend(descriptors());
    cases
}

fn overlaps() -> Vec<Case> {
    vec![
        archive("two-entries-for-one-member", |zip| {
            let mut other = zip.members[0].clone();
            other.is_local = false;
            other.lie_central = Some(|fields| {
                fields.name = b"demo/copy.py".to_vec();
                fields.offset = 0;
            });
            zip.members.insert(1, other);
        }),
        archive("member-inside-another", |zip| {
            // The second member's data is a whole member, which has an entry of its own.
            let mut inner = RawMember::stored("demo/inner.py", b"import os\n");
            let start = zip.members[0].fields.name.len() + zip.members[0].data.len() + 30;
            assert_eq!(start + 30 + 9, 102, "offset of the inner member");
            let mut outer = b"PK\x03\x04\x14\0\0\0\0\0\0\0\x21\0".to_vec();
            for value in [inner.fields.crc32, 10, 10, 13] {
                outer.extend(value.to_le_bytes());
            }
            outer.extend(b"demo/inner.pyimport os\n");
            zip.members[1] = RawMember::stored("demo/o.py", &outer);
            inner.is_local = false;
            inner.lie_central = Some(|fields| fields.offset = 102);
            zip.members.insert(2, inner);
        }),
        member("data-reaches-into-next", |member| {
            member.fields.compressed_len += 20;
        }),
        member("data-reaches-beyond-file", |member| {
            member.fields.compressed_len = 0x7fff_ffff;
        }),
        archive("last-data-reaches-into-directory", |zip| {
            zip.members.last_mut().unwrap().fields.compressed_len += 1;
        }),
    ]
}

fn gaps() -> Vec<Case> {
    let mut hidden = RawMember::new("demo/hidden.py", b"import os\n");
    hidden.is_central = false;
    vec![
        added("member-without-entry", vec![hidden]),
        archive("entry-without-member", |zip| {
            let mut ghost = RawMember::new("demo/ghost.py", b"import os\n");
            ghost.is_local = false;
            zip.members.push(ghost);
        }),
        member("entry-points-beyond-file", |member| {
            member.lie_central = Some(|fields| fields.offset = 0x7fff_ffff);
        }),
        member("entry-points-into-data", |member| {
            member.lie_central = Some(|fields| fields.offset += 5);
        }),
        member("bytes-between-members", |member| {
            member.after = Some(b"surplus".to_vec());
        }),
        archive("bytes-before-directory", |zip| {
            zip.before_directory = b"APK Sig Block 42".to_vec();
        }),
        bytes("entry-signature-wrong", |bytes| {
            let at = bytes
                .windows(4)
                .position(|window| window == b"PK\x01\x02")
                .unwrap();
            bytes[at + 2] = 9;
        }),
        member("local-signature-wrong", |member| {
            member.lie_local = Some(|fields| fields.signature = *b"PK\x03\x05");
        }),
    ]
}

fn descriptors() -> Vec<Case> {
    let flagged = |member: &mut RawMember| member.fields.flags |= FLAG_DESCRIPTOR;
    vec![
        member("descriptor-missing", |member| {
            flagged(member);
            member.after = Some(Vec::new());
        }),
        member("descriptor-differs", |member| {
            flagged(member);
            let mut descriptor = member.descriptor(true);
            descriptor[4] ^= 1;
            member.after = Some(descriptor);
        }),
        member("descriptor-too-long", |member| {
            flagged(member);
            let mut descriptor = member.descriptor(true);
            descriptor.extend([0; 8]);
            member.after = Some(descriptor);
        }),
        member("descriptor-after-stored-member", |member| {
            *member = RawMember::stored("demo/data.txt", b"some data\n");
            flagged(member);
        }),
        member("descriptor-and-other-lengths", |member| {
            flagged(member);
            member.lie_local = Some(|fields| fields.len = 7);
        }),
    ]
}
