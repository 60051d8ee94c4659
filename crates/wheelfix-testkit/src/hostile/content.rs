//! Members whose data is not what the headers say.

use crate::hostile::{Case, member};
use crate::raw_zip::{FLAG_DESCRIPTOR, RawMember};

pub(super) fn cases() -> Vec<Case> {
    vec![
        member("crc32-wrong", |member| member.fields.crc32 ^= 0x100),
        member("crc32-of-stored-wrong", |member| {
            *member = RawMember::stored("demo/data.txt", b"some data\n");
            member.fields.crc32 ^= 0x100;
        }),
        member("data-corrupt", |member| member.data.fill(0xff)),
        member("data-cut", |member| {
            member.data.truncate(5);
            member.fields.compressed_len = 5;
        }),
        member("data-empty", |member| {
            member.data.clear();
            (
                member.fields.compressed_len,
                member.fields.len,
                member.fields.crc32,
            ) = (0, 0, 0);
        }),
        member("content-longer", |member| member.fields.len -= 1),
        member("content-shorter", |member| member.fields.len += 1),
        member("content-much-longer", |member| {
            *member = RawMember::new("demo/data.txt", &vec![0; 50 << 20]);
            member.fields.len = 10;
        }),
        member("large-content-longer", |member| {
            *member = RawMember::new("demo/data.txt", &vec![0; 400 << 10]);
            member.fields.len -= 1;
        }),
        member("large-crc32-wrong", |member| {
            *member = RawMember::new("demo/data.txt", &vec![0; 400 << 10]);
            member.fields.crc32 ^= 1;
        }),
        member("data-ends-early", |member| {
            member.data.extend(b"hidden");
            member.fields.compressed_len += 6;
        }),
        member("large-data-ends-early", |member| {
            *member = RawMember::new("demo/data.txt", &vec![0; 6 << 20]);
            member.data.push(0);
            member.fields.compressed_len += 1;
        }),
        member("data-ends-before-descriptor", |member| {
            member.fields.flags |= FLAG_DESCRIPTOR;
            member.data.extend(b"hidden");
            member.fields.compressed_len += 6;
        }),
    ]
}
