//! Scripts that run by themselves: they find their modules, and those of what their package propagates,
//! without an environment around them.
//!
//! As nixpkgs' `wrapPythonPrograms`, by a line in the script:
//! <https://github.com/NixOS/nixpkgs/blob/25.11/pkgs/development/interpreters/python/wrap-python.nix>.

use std::path::{Path, PathBuf};

use wheelfix_format::first_statement;

use crate::launcher::LONGEST_SHEBANG;

/// The line that adds the modules and the programs of the prefix whose `bin` a script is in, and of others, with its
/// line end.
///
/// `site_packages` is relative to each prefix. That of the script is found from its real path: RECORD has its hash, and
/// the same installation into another prefix is to have the same.
pub(crate) fn search_line(others: &[PathBuf], site_packages: &str) -> String {
    let list = |directory: &str| {
        let found = others.iter().map(|other| other.join(directory));
        let found = found.filter(|path| path.is_dir());
        let own = format!(
            "os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), {})",
            literal(Path::new(directory))
        );
        let all = std::iter::once(own).chain(found.map(|path| literal(&path)));
        all.collect::<Vec<String>>().join(", ")
    };
    let (sites, programs) = (list(site_packages), list("bin"));
    format!(
        "import functools, os, site; \
        functools.reduce(lambda known, path: site.addsitedir(path, known), [{sites}], site._init_pathinfo()); \
        os.environ.update(PYTHONNOUSERSITE=\"true\", PATH=os.pathsep.join([{programs}, os.environ.get(\"PATH\", os.defpath)]))\n"
    )
}

/// The script with the line in front of its first statement; `None` if it is not a text.
///
/// The documentation string and imports from `__future__` stay in front. The first line tells Python to leave
/// the modules of the user alone.
pub(crate) fn with_line(script: &[u8], line: &str) -> Option<Vec<u8>> {
    let script = std::str::from_utf8(script).ok()?;
    let (first, rest) = script.split_once('\n')?;
    let is_plain = first.starts_with("#!/") && !first.contains(' ') && first != "#!/bin/sh";
    let option = if is_plain && first.len() + " -s\n".len() <= LONGEST_SHEBANG {
        " -s"
    } else {
        ""
    };
    let (before, after) = rest.split_at_checked(first_statement(rest))?;
    Some(format!("{first}{option}\n{before}{line}{after}").into_bytes())
}

/// A path as a literal of Python.
fn literal(path: &Path) -> String {
    let path = path.to_string_lossy();
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_comes_before_the_first_statement() {
        for (script, want) in [
            ("import a\n", "LINE\nimport a\n"),
            (
                "# -*- coding: utf-8 -*-\n\nimport a\n",
                "# -*- coding: utf-8 -*-\n\nLINE\nimport a\n",
            ),
            (
                "\"\"\"Doc\n'x' \\\"\"\"\"\nimport a\n",
                "\"\"\"Doc\n'x' \\\"\"\"\"\nLINE\nimport a\n",
            ),
            ("r'doc' # why\nx = 1\n", "r'doc' # why\nLINE\nx = 1\n"),
            ("'a'.join([])\n", "LINE\n'a'.join([])\n"),
            ("'doc'\n'no doc'\n", "'doc'\nLINE\n'no doc'\n"),
            (
                "'doc'\nfrom __future__ import (a,\n  b)\nfrom __future__ import c, \\\n  d\nx\n",
                "'doc'\nfrom __future__ import (a,\n  b)\nfrom __future__ import c, \\\n  d\nLINE\nx\n",
            ),
            (
                "from __future__ import a\n'no doc'\n",
                "from __future__ import a\n'no doc'\nLINE\n",
            ),
            ("'doc'; x\n", "LINE\n'doc'; x\n"),
            (
                "from __future__ import a; x\ny\n",
                "from __future__ import a; x\nLINE\ny\n",
            ),
            ("@a\ndef f(): pass\n", "LINE\n@a\ndef f(): pass\n"),
            ("# only\n", "# only\nLINE\n"),
            ("'open\n", "LINE\n'open\n"),
            ("", "LINE\n"),
        ] {
            let script = format!("#!/bin/python3\n{script}");
            let got = with_line(script.as_bytes(), "LINE\n").unwrap();
            let got = String::from_utf8(got).unwrap();
            assert_eq!(got, format!("#!/bin/python3 -s\n{want}"), "{script:?}");
        }
    }

    #[test]
    fn what_is_not_a_text_is_left_alone() {
        assert_eq!(with_line(b"#!/bin/python3\n\xff", "LINE\n"), None);
    }
}
