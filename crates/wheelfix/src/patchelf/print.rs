//! The output of `--print-*`, in the words of patchelf.

use wheelfix_elf::{Dynamic, Elf, ObjectType};

use super::arguments::Print;
use super::os_abi::OsAbi;

/// The file lacks what is to be printed or changed. The text is patchelf's.
#[derive(Debug, thiserror::Error)]
#[error("cannot find section '{section}'. The input file is most likely statically linked")]
pub(super) struct MissingSection {
    section: &'static str,
}

/// The text to print, with its line ends.
pub(super) fn text(elf: &Elf, print: Print) -> Result<String, MissingSection> {
    Ok(match print {
        Print::Interpreter => format!("{}\n", interpreter(elf)?),
        Print::OsAbi => format!("{}\n", OsAbi(elf.header.os_abi)),
        // A program has none, whatever its dynamic section says.
        Print::Soname if elf.header.object_type != ObjectType::Dynamic => String::new(),
        Print::Soname => match dynamic(elf)?.soname.as_deref() {
            None | Some("") => String::new(),
            Some(soname) => format!("{soname}\n"),
        },
        Print::Rpath if elf.is_debug_file() => String::new(),
        Print::Rpath => {
            let path = dynamic(elf)?.run_path.effective();
            format!("{}\n", path.unwrap_or_default())
        }
        Print::ExecutableStack => format!("execstack: {}\n", stack(elf)),
        Print::Needed => {
            let needed = dynamic(elf)?.needed.iter();
            needed.flat_map(|name| [name, "\n"]).collect()
        }
    })
}

/// The path of the interpreter.
pub(super) fn interpreter(elf: &Elf) -> Result<&str, MissingSection> {
    let missing = MissingSection { section: ".interp" };
    elf.interpreter.as_deref().ok_or(missing)
}

/// The dynamic section.
pub(super) fn dynamic(elf: &Elf) -> Result<&Dynamic, MissingSection> {
    let missing = MissingSection {
        section: ".dynamic",
    };
    elf.dynamic.as_ref().ok_or(missing)
}

fn stack(elf: &Elf) -> char {
    match elf.executable_stack {
        Some(true) => 'X',
        Some(false) => '-',
        None => '?',
    }
}
