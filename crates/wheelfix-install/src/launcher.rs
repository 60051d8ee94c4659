//! The programs that entry points ask for, and the first line of scripts.
//!
//! The text is the one of pypa/installer, byte for byte, so that trees can be compared:
//! <https://github.com/pypa/installer/blob/1.1.0/src/installer/scripts.py>.

use std::path::PathBuf;

/// The interpreter in the first line of scripts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Interpreter {
    /// A program, by its absolute path.
    Path(PathBuf),
    /// A program that `/usr/bin/env` looks up, by its name.
    Search(String),
}

/// Longest first line that every kernel runs, `#!` and the line end included.
///
/// Linux before 5.1 cuts at 127 bytes (`BINPRM_BUF_SIZE`).
pub(crate) const LONGEST_SHEBANG: usize = 127;

/// The first line of a script that the given interpreter runs, with its line end.
///
/// An interpreter whose path is too long or holds a space goes through `/bin/sh`.
pub(crate) fn shebang(interpreter: &Interpreter) -> String {
    let path = match interpreter {
        Interpreter::Path(path) => path.to_string_lossy(),
        Interpreter::Search(name) => return format!("#!/usr/bin/env {name}\n"),
    };
    if path.len() + "#!\n".len() <= LONGEST_SHEBANG && !path.contains(' ') {
        return format!("#!{path}\n");
    }
    // Python reads lines two and three as one string literal; the shell runs `exec`.
    format!(
        "#!/bin/sh\n'''exec' {} \"$0\" \"$@\"\n' '''\n",
        shell_quote(&path)
    )
}

/// The program that calls `module:attribute`.
///
/// The attribute may be dotted: `Class.method`.
pub(crate) fn entry_point(interpreter: &Interpreter, module: &str, attribute: &str) -> String {
    let import = attribute.split('.').next().unwrap_or(attribute);
    let shebang = shebang(interpreter);
    format!(
        r#"{shebang}# -*- coding: utf-8 -*-
import re
import sys
from {module} import {import}
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\.pyw|\.exe)?$", "", sys.argv[0])
    sys.exit({attribute}())
"#
    )
}

/// Whether the first line of a script is a placeholder, `#!python` or `#!pythonw`.
pub(crate) fn has_placeholder(script: &[u8]) -> bool {
    script.starts_with(b"#!python")
}

/// A script of the wheel with its placeholder `#!python` or `#!pythonw` replaced; `None` if its
/// first line is not a placeholder.
pub(crate) fn with_interpreter(script: &[u8], interpreter: &Interpreter) -> Option<Vec<u8>> {
    if !has_placeholder(script) {
        return None;
    }
    let rest = script
        .iter()
        .position(|byte| *byte == b'\n')
        .and_then(|line_end| script.get(line_end + 1..))
        .unwrap_or_default();
    let mut text = shebang(interpreter).into_bytes();
    text.extend_from_slice(rest);
    Some(text)
}

/// Quotes a word as Python's `shlex.quote` does.
pub(crate) fn shell_quote(word: &str) -> String {
    let is_safe = |char: char| char.is_ascii_alphanumeric() || "@%+=:,./-_".contains(char);
    if !word.is_empty() && word.chars().all(is_safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(path: &str) -> Interpreter {
        Interpreter::Path(PathBuf::from(path))
    }

    #[test]
    fn a_plain_interpreter_is_named_directly() {
        assert_eq!(shebang(&python("/bin/python3")), "#!/bin/python3\n");
    }

    #[test]
    fn an_unknown_interpreter_is_looked_up() {
        let interpreter = Interpreter::Search("python3.11".to_owned());
        assert_eq!(shebang(&interpreter), "#!/usr/bin/env python3.11\n");
    }

    #[test]
    fn an_awkward_interpreter_goes_through_the_shell() {
        let long = format!("/{}/python", "x".repeat(120));
        for (path, want) in [
            (
                "/a b/python",
                "#!/bin/sh\n'''exec' '/a b/python' \"$0\" \"$@\"\n' '''\n",
            ),
            (
                &long,
                &format!("#!/bin/sh\n'''exec' {long} \"$0\" \"$@\"\n' '''\n"),
            ),
        ] {
            assert_eq!(shebang(&python(path)), want);
        }
    }

    #[test]
    fn a_dotted_attribute_imports_its_first_part() {
        let text = entry_point(&python("/bin/python3"), "demo.cli", "App.main");
        assert!(text.contains("from demo.cli import App\n"), "{text}");
        assert!(text.contains("sys.exit(App.main())\n"), "{text}");
    }

    #[test]
    fn only_a_placeholder_is_replaced() {
        let interpreter = python("/bin/python3");
        for (script, want) in [
            ("#!python\nx = 1\n", Some("#!/bin/python3\nx = 1\n")),
            ("#!pythonw -E\nx = 1\n", Some("#!/bin/python3\nx = 1\n")),
            ("#!python", Some("#!/bin/python3\n")),
            ("#!/usr/bin/env python\nx = 1\n", None),
            ("\x7fELF", None),
        ] {
            let got = with_interpreter(script.as_bytes(), &interpreter);
            assert_eq!(got.as_deref(), want.map(str::as_bytes), "for {script:?}");
        }
    }
}
