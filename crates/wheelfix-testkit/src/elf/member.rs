//! The ELF files in real wheels.

use std::io::Read as _;
use std::path::Path;

use zip::ZipArchive;

/// A member of a wheel that is an ELF file.
#[derive(Debug)]
pub struct Member {
    /// The path inside the wheel.
    pub name: String,
    /// The whole file.
    pub bytes: Vec<u8>,
}

/// Calls `visit` with the ELF files of a wheel, one after the other.
pub fn for_each_member(wheel: &Path, visit: &mut dyn FnMut(Member)) {
    let mut archive = ZipArchive::new(fs_err::File::open(wheel).unwrap()).unwrap();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        member.by_ref().take(4).read_to_end(&mut bytes).unwrap();
        if bytes == *b"\x7fELF" {
            bytes.reserve(usize::try_from(member.size()).unwrap());
            member.read_to_end(&mut bytes).unwrap();
            visit(Member {
                name: member.name().unwrap().into_owned(),
                bytes,
            });
        }
    }
}

/// Unpacks a wheel into a directory, files executable as the archive says.
pub fn unpack_members(wheel: &Path, dir: &Path) {
    let mut archive = ZipArchive::new(fs_err::File::open(wheel).unwrap()).unwrap();
    archive.extract(dir).unwrap();
}
