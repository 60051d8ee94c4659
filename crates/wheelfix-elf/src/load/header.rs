//! The ELF header, as `open_verify` of glibc's `elf/dl-load.c` looks at it.

use crate::load::refusal::{Condition, Refusal};
use crate::load::{LoaderKind, Loading};
use crate::read::header::ObjectType;

/// `EI_OSABI` of files that name no system in particular, and of those for Linux.
const SYSTEM_V: u8 = 0;
const LINUX: u8 = 3;

/// `LIBC_ABI_MAX` of glibc 2.36: with System V the version is 0, with Linux it is below this.
const ABI_VERSIONS: u8 = 4;

/// Checks what does not depend on the program.
pub(crate) fn check(loading: &Loading<'_>) -> Result<(), Refusal> {
    let header = &loading.elf.header;
    let refuse = |condition, detail: String| Err(Refusal::new(condition, detail));
    if loading.loader == LoaderKind::Glibc {
        match (header.os_abi, header.abi_version) {
            (SYSTEM_V | LINUX, 0) => {}
            (LINUX, version) if version < ABI_VERSIONS => {}
            (SYSTEM_V | LINUX, version) => {
                let text = format!("has the ABI version {version}, which glibc does not know");
                return refuse(Condition::OsAbi, text);
            }
            _ => {
                return refuse(
                    Condition::OsAbi,
                    "is for another operating system".to_owned(),
                );
            }
        }
        if header.has_padding {
            let text = "has bytes in the padding of `e_ident`, which must be 0";
            return refuse(Condition::Padding, text.to_owned());
        }
        if header.version != 1 {
            let text = format!("has `e_version` {}, which must be 1", header.version);
            return refuse(Condition::Version, text);
        }
    }
    if !matches!(
        header.object_type,
        ObjectType::Dynamic | ObjectType::Executable
    ) {
        let text = format!("has the type {}, which no loader takes", header.object_type);
        return refuse(Condition::Type, text);
    }
    let want = header.encoding.program_header_len();
    if usize::from(header.program_header_len) != want {
        let text = format!(
            "has `e_phentsize` {}, which must be {want}",
            header.program_header_len
        );
        return refuse(Condition::EntrySize, text);
    }
    Ok(())
}
