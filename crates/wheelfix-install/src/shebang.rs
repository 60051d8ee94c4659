//! Scripts in packages whose first line asks for a program that the target need not have.
//!
//! kaleido 0.2.1 starts a file of its package that begins with `#!/bin/bash`, which is not there on NixOS.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::launcher::{Interpreter, LONGEST_SHEBANG};

/// Programs that each Linux system has, NixOS included.
const EVERYWHERE: [&str; 2] = ["/bin/sh", "/usr/bin/env"];
/// Where nothing goes away.
const STORE: &str = "/nix/store/";
/// Names of directories of libraries, beside which `bin` lies.
const LIBRARY_DIRECTORIES: [&str; 3] = ["lib", "lib64", "lib32"];
/// Longest first line that is looked at; the kernel reads 256 bytes.
pub(crate) const MAX_LINE: usize = 256;

/// The program that a script asks for by its absolute path, unless every target has it.
pub(crate) fn foreign_interpreter(script: &[u8]) -> Option<&str> {
    let rest = script.strip_prefix(b"#!")?;
    let line = rest.get(..MAX_LINE.min(rest.len()))?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| is_blank(*byte));
    let word = std::str::from_utf8(words.find(|word| !word.is_empty())?).ok()?;
    let is_there = EVERYWHERE.contains(&word) || word.starts_with(STORE);
    (word.starts_with('/') && !is_there).then_some(word)
}

/// Whether the kernel takes it for the end of a word; a carriage return is part of one.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0)
}

/// Programs that scripts of packages ask for, and their packages in nixpkgs.
const PACKAGES: [(&str, &str); 8] = [
    ("bash", "bash"),
    ("zsh", "zsh"),
    ("csh", "tcsh"),
    ("perl", "perl"),
    ("ruby", "ruby"),
    ("node", "nodejs"),
    ("tclsh", "tcl"),
    ("awk", "gawk"),
];

/// The package of nixpkgs that has a program; `None` if that is not known.
pub(crate) fn package_of(program: &str) -> Option<&'static str> {
    let known = PACKAGES.iter().find(|(name, _)| *name == program)?;
    Some(known.1)
}

/// Why a script keeps its first line; the middle of a sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeptScript {
    /// Nothing has the program.
    #[error("and no library path has it in the `bin` beside it")]
    NotFound,
    /// It becomes a file of a wheel, which somebody else installs.
    #[error("and stays as it is in a wheel")]
    InWheel,
    /// A module has bytecode that belongs to its text, which is the one that was proved.
    #[error("and is a Python source of a package, which is not edited")]
    Source,
    /// Its line ends with what the kernel takes for a part of the name.
    #[error("with a carriage return or another blank that is part of the name")]
    LineEnd,
    /// It is not text to its end, and may know by number where the rest begins.
    #[error("and is not text to its end, so that it is not edited")]
    Payload,
    /// The program has a path that cannot stand in a first line.
    #[error("and the path of the one for it is too long for a first line, or has a space")]
    Awkward,
}

/// Where programs of the target are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Programs<'a> {
    /// The target's Python.
    pub(crate) python: &'a Interpreter,
    /// Directories of libraries, and prefixes, in whose `bin` other programs are looked for.
    pub(crate) lib_paths: &'a [PathBuf],
}

impl Programs<'_> {
    /// The script with the path of its interpreter on the target.
    pub(crate) fn with_interpreter(self, script: &[u8], old: &str) -> Result<Vec<u8>, KeptScript> {
        if old.contains(|char: char| char.is_whitespace() || char.is_control()) {
            return Err(KeptScript::LineEnd);
        }
        // Self-extracting scripts have what they extract behind their text, and know where it begins.
        if script.contains(&0) || std::str::from_utf8(script).is_err() {
            return Err(KeptScript::Payload);
        }
        let new = Path::new(old).file_name().and_then(|name| self.find(name));
        let new = new.ok_or(KeptScript::NotFound)?;
        let at = script
            .windows(old.len())
            .position(|bytes| bytes == old.as_bytes());
        let (before, rest) = script.split_at(at.unwrap_or_default());
        let rest = rest.get(old.len()..).unwrap_or_default();
        let new = new.as_os_str().as_encoded_bytes();
        let edited = [before, new, rest].concat();
        let fits =
            first_line(script).len() < MAX_LINE && first_line(&edited).len() < LONGEST_SHEBANG;
        if !fits || new.iter().any(u8::is_ascii_whitespace) {
            return Err(KeptScript::Awkward);
        }
        Ok(edited)
    }

    /// The program of a name.
    fn find(self, name: &OsStr) -> Option<PathBuf> {
        if let Interpreter::Path(python) = self.python
            && (name == "python" || name == "python3" || python.file_name() == Some(name))
        {
            return Some(python.clone());
        }
        let mut bins = self.lib_paths.iter().flat_map(|path| bins(path));
        bins.find_map(|bin| Some(bin.join(name)).filter(|path| is_program(path)))
    }
}

/// The first line, without its end.
fn first_line(script: &[u8]) -> &[u8] {
    script.split(|byte| *byte == b'\n').next().unwrap_or(script)
}

/// The directories of programs of a prefix, or beside a directory of libraries.
fn bins(lib_path: &Path) -> impl Iterator<Item = PathBuf> {
    let is_library_directory = |path: &&Path| {
        let name = path.file_name();
        name.is_some_and(|name| LIBRARY_DIRECTORIES.iter().any(|it| name == *it))
    };
    let beside = lib_path.ancestors().filter(is_library_directory);
    let prefixes = beside.filter_map(Path::parent);
    std::iter::once(lib_path)
        .chain(prefixes)
        .map(|prefix| prefix.join("bin"))
}

/// Whether the kernel can start a file.
fn is_program(path: &Path) -> bool {
    let may_run =
        |file: std::fs::Metadata| file.is_file() && file.permissions().mode() & 0o111 != 0;
    fs::metadata(path).is_ok_and(may_run) && begins_as_program(path).unwrap_or(false)
}

fn begins_as_program(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    fs::File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(start == b"\x7fELF" || start.starts_with(b"#!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_target_has_is_not_asked_for() {
        for (line, want) in [
            ("#!/bin/bash\n", Some("/bin/bash")),
            ("#! /usr/bin/perl -w\nx", Some("/usr/bin/perl")),
            ("#!/bin/bash", Some("/bin/bash")),
            ("#!/bin/sh -e\n", None),
            ("#!/usr/bin/env bash\n", None),
            ("#!/nix/store/x-bash/bin/bash\n", None),
            ("#!python\n", None),
            ("#!\n/bin/bash", None),
            ("/bin/bash", None),
            ("#!/bin/bash\r\n", Some("/bin/bash\r")),
            ("#!\t/bin/bash\t-e\n", Some("/bin/bash")),
            ("#!/bin/bash\u{a0}-e\n", Some("/bin/bash\u{a0}-e")),
            ("#!/bin/sh\r\n", Some("/bin/sh\r")),
        ] {
            assert_eq!(foreign_interpreter(line.as_bytes()), want, "{line:?}");
        }
    }

    #[test]
    fn programs_are_found_beside_libraries() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for (path, mode) in [
            ("a/bin/bash", 0o644),
            ("b/bin/bash", 0o755),
            ("c/bin/perl", 0o755),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, if mode == 0o755 { "#!/bin/sh\n" } else { "" }).unwrap();
            fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let lib_paths = ["a", "b", "c/lib/x86_64-linux-gnu"].map(|path| root.join(path));
        let programs = Programs {
            python: &Interpreter::Path(PathBuf::from("/py/bin/python3.11")),
            lib_paths: &lib_paths,
        };
        let of = |text: &str| {
            let interpreter = foreign_interpreter(text.as_bytes())?;
            let script = programs.with_interpreter(text.as_bytes(), interpreter);
            let script = script.ok()?;
            let script = String::from_utf8(script).unwrap();
            Some(script.replace(&root.display().to_string(), "ROOT"))
        };
        for (text, want) in [
            (
                "#!/bin/bash -e\n/bin/bash\n",
                Some("#!ROOT/b/bin/bash -e\n/bin/bash\n"),
            ),
            ("#! /usr/local/bin/perl\n", Some("#! ROOT/c/bin/perl\n")),
            ("#!/usr/bin/python3\n", Some("#!/py/bin/python3.11\n")),
            ("#!/usr/bin/python2\n", None),
            ("#!/bin/zsh\n", None),
        ] {
            assert_eq!(of(text).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn a_script_that_an_edit_could_break_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let long = "x".repeat(130);
        let bins = ["plain", "my tools", &long].map(|name| dir.path().join(name));
        for (bin, content) in bins.iter().zip(["no program", "\x7fELF", "\x7fELF"]) {
            let bash = bin.join("bin/bash");
            fs::create_dir_all(bin.join("bin")).unwrap();
            fs::write(&bash, content).unwrap();
            fs::set_permissions(&bash, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let [plain, spaced, long] = &bins;
        for (text, lib_path, want) in [
            (&b"#!/bin/bash\n"[..], plain, KeptScript::NotFound),
            (b"#!/bin/bash\n", spaced, KeptScript::Awkward),
            (b"#!/bin/bash\n", long, KeptScript::Awkward),
            (b"#!/bin/bash\r\n", long, KeptScript::LineEnd),
            (b"#!/bin/bash\n\x1f\x8b", plain, KeptScript::Payload),
            (b"#!/bin/bash\nPK\0", plain, KeptScript::Payload),
        ] {
            let programs = Programs {
                python: &Interpreter::Search("python3.11".to_owned()),
                lib_paths: std::slice::from_ref(lib_path),
            };
            let old = foreign_interpreter(text).unwrap();
            let got = programs.with_interpreter(text, old);
            assert_eq!(got, Err(want), "{text:?}");
        }
    }
}
