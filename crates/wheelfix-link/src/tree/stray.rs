//! Files that Python takes for extension modules by their names, and that are not ELF files.

use std::io::{self, Read as _};
use std::path::Path;

use memchr::memmem;

use crate::tree::python_module::imported_name;

/// How the files of other systems begin: Mach-O of both byte orders and sizes, of several machines, and PE.
///
/// <https://github.com/apple-oss-distributions/xnu/blob/main/EXTERNAL_HEADERS/mach-o/loader.h>,
/// <https://learn.microsoft.com/en-us/windows/win32/debug/pe-format>
const OTHER_SYSTEMS: &[&[u8]] = &[
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"MZ",
];

/// How much of a file says what it is, in bytes.
const HEAD_LEN: u64 = 64;

/// Why the import of a file that is not an ELF file fails, as the end of a sentence that begins
/// with it. `None` if Python does not import it.
///
/// A file of another system counts if it has the function that makes the module, as an ELF file for another machine does.
pub(crate) fn stray_module(path: &Path, file: &Path) -> io::Result<Option<&'static str>> {
    let Some(name) = imported_name(path, file, None) else {
        return Ok(None);
    };
    let mut head = Vec::new();
    let open = fs_err::File::open(file)?;
    open.take(HEAD_LEN).read_to_end(&mut head)?;
    if OTHER_SYSTEMS.iter().any(|magic| head.starts_with(magic)) {
        let function = format!("PyInit_{name}");
        let makes = memmem::find(&fs_err::read(file)?, function.as_bytes()).is_some();
        return Ok(makes.then_some("is for another system"));
    }
    Ok(if head.is_empty() {
        Some("is empty")
    } else if head.starts_with(b"version https://git-lfs") {
        Some("is a pointer of Git LFS and not the file itself")
    } else {
        Some("is not an ELF file")
    })
}
