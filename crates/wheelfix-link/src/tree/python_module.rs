//! Whether Python's `import` leads to a library.

use std::path::Path;

use wheelfix_elf::{HashedName, Machine, SymbolTable};
use wheelfix_loader::Abi;

use crate::tree::site::SITE_PACKAGES;

/// The name by which Python on `abi` imports a file, if its name is that of an extension module:
/// `NAME.so`, `NAME.abi3.so`, or with the tag of an implementation as `NAME.cpython-311-x86_64-linux-gnu.so`.
///
/// Which Python it is for is not looked at, only for which system and machine; `None` stands for any machine.
///
/// <https://docs.python.org/3/library/importlib.html#importlib.machinery.EXTENSION_SUFFIXES>
pub(crate) fn module_name(path: &Path, abi: Option<Abi>) -> Option<&str> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".so")?;
    let (name, tag) = stem.split_once('.').unwrap_or((stem, "abi3"));
    let is_other = |word: &str| {
        let machine = Machine::of_module_tag(word);
        let mut systems = OTHER_SYSTEMS.iter();
        systems.any(|system| word.starts_with(system))
            || matches!((machine, abi), (Some(machine), Some(abi)) if machine != abi.machine)
    };
    let is_tag = tag == "abi3" || tag.contains('-') && !tag.contains('.');
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c == '_' || c.is_alphabetic());
    let is_name = starts && chars.all(|c| c == '_' || c.is_alphanumeric());
    (is_name && is_tag && !tag.split('-').any(is_other)).then_some(name)
}

/// The same, if `import` may get as far as the directory that the file lies in now. With a tag it may anywhere: packages need
/// no `__init__.py`, and sources add directories to `sys.path` and `__path__`. Without one it may in a package, below none, and
/// beside other modules; `libx.so` is a library by custom, or the linker script for one.
pub(crate) fn imported_name<'a>(path: &'a Path, file: &Path, abi: Option<Abi>) -> Option<&'a str> {
    let name = module_name(path, abi)?;
    if !path.ends_with(format!("{name}.so")) {
        return Some(name);
    }
    let is_package = |directory: &Path| directory.join("__init__.py").is_file();
    let mut directories = file.ancestors().skip(1);
    let directory = directories.next();
    let mut above = directories.take_while(|directory| !directory.ends_with(SITE_PACKAGES));
    let mut is_reached = || {
        directory.is_none_or(|directory| is_package(directory) || has_modules(directory))
            || !above.any(is_package)
    };
    (!name.starts_with("lib") && is_reached()).then_some(name)
}

/// Whether a directory has sources, byte code or extension modules with a tag.
fn has_modules(directory: &Path) -> bool {
    let entries = fs_err::read_dir(directory).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.any(
        |path| match path.extension().and_then(|ending| ending.to_str()) {
            Some("py" | "pyc") => true,
            Some("so") => {
                let name = module_name(&path, None);
                name.is_some_and(|name| !path.ends_with(format!("{name}.so")))
            }
            _ => false,
        },
    )
}

/// Whether Python may take a file of this name for an extension module, whatever is in it.
pub fn may_be_module(path: &Path) -> bool {
    module_name(path, None).is_some()
}

/// Whether a library has the function that Python calls to make a module of this name.
///
/// <https://docs.python.org/3/extending/building.html#c.PyInit_modulename>
pub(crate) fn makes_module(symbols: &SymbolTable, name: &str) -> bool {
    // The name is in Punycode then, which needs no decoding here: a library has one such function.
    if !name.is_ascii() {
        return symbols
            .iter()
            .any(|symbol| symbol.is_defined() && symbol.name.starts_with(b"PyInitU_"));
    }
    let function = format!("PyInit_{name}");
    let mut found = symbols.lookup(&HashedName::new(function.as_bytes()));
    found.next().is_some()
}

/// Prefixes of the names of other systems in tags.
const OTHER_SYSTEMS: &[&str] = &[
    "darwin",
    "iphone",
    "emscripten",
    "wasm32",
    "wasi",
    "freebsd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules_are_known() {
        let name = |path| module_name(Path::new(path), Some(Abi::X86_64));
        assert_eq!(name("/p/x/_core.so"), Some("_core"));
        assert_eq!(name("_core.abi3.so"), Some("_core"));
        assert_eq!(name("y.cpython-311-x86_64-linux-gnu.so"), Some("y"));
        assert_eq!(name("y.cpython-311-aarch64-linux-gnu.so"), None);
        assert_eq!(name("y.cpython-311-darwin.so"), None);
        assert_eq!(name("libx-1.so"), None);
        assert_eq!(name("libx.so.1"), None);
        assert_eq!(name("x.1.so"), None);
        assert_eq!(name("1x.so"), None);
    }
}
