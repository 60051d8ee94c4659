//! Archives that are wrong in one chosen way each, and odd ones that are right.
//!
//! All are the same small wheel, `demo-1.0-py3-none-any.whl`, but for the one thing that their name
//! says. They are made anew for each run and are always the same bytes.

mod content;
mod directory;
mod header;
mod layout;
pub mod mutants;
mod name;
mod odd;
mod record;
mod tar;

use crate::raw_zip::{RawMember, RawZip};
use crate::wheel::WheelBuilder;

/// An archive, and what is special about it in a few words with hyphens.
#[derive(Clone, Debug)]
pub struct Case {
    /// For example `local-crc32-differs`.
    pub name: &'static str,
    /// The bytes of the archive.
    pub archive: Vec<u8>,
}

/// Wheels whose zip structure is wrong: to be refused before anything is unpacked.
pub fn zip_structures() -> Vec<Case> {
    let mut cases = directory::cases();
    cases.extend(layout::cases());
    cases.extend(header::cases());
    cases.extend(name::cases());
    cases
}

/// Wheels of which a member holds something else than the structure says.
pub fn zip_contents() -> Vec<Case> {
    content::cases()
}

/// Wheels whose zip structure is right and whose `RECORD` or other metadata is wrong.
pub fn wheels() -> Vec<Case> {
    record::cases()
}

/// Source distributions that are wrong.
pub fn tars() -> Vec<Case> {
    tar::cases()
}

/// Wheels that are odd, but right.
pub fn odd() -> Vec<Case> {
    odd::cases()
}

/// The wheel that all cases are made from.
pub fn base() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .file("demo/__init__.py", "answer = 42\n".repeat(20))
        .file("demo/data.txt", "some data\n")
}

/// The members of the wheel.
fn members() -> Vec<RawMember> {
    let parts = base().parts();
    parts
        .iter()
        .map(|(path, content)| RawMember::new(path, content))
        .collect()
}

/// A case made by changing the whole archive.
fn archive(name: &'static str, change: impl FnOnce(&mut RawZip)) -> Case {
    let mut zip = RawZip::new(members());
    change(&mut zip);
    Case {
        name,
        archive: zip.build(),
    }
}

/// A case made by changing the second member, `demo/data.txt`.
fn member(name: &'static str, change: impl FnOnce(&mut RawMember)) -> Case {
    archive(name, |zip| change(&mut zip.members[1]))
}

/// A case made by adding members after the second.
fn added(name: &'static str, added: Vec<RawMember>) -> Case {
    archive(name, |zip| {
        zip.members.splice(2..2, added);
    })
}

/// A case made by changing the bytes.
fn bytes(name: &'static str, change: impl FnOnce(&mut Vec<u8>)) -> Case {
    let mut archive = RawZip::new(members()).build();
    change(&mut archive);
    Case { name, archive }
}
