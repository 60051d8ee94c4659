//! `.pth` files: lines that a Python carries out where `site-packages` is its own, and nowhere else.
//!
//! <https://docs.python.org/3/library/site.html>

use std::io;
use std::path::Path;

use crate::warning::InstallWarning;

/// Files without which all works: `setuptools` has `distutils` in its place with one, and packages of several
/// distributions need none since Python 3.3.
const DISPENSABLE: [&str; 2] = ["distutils-precedence.pth", "-nspkg.pth"];

/// The path in a line of a `.pth` file; other lines are comments or code.
pub(crate) fn named_directory(line: &str) -> Option<&str> {
    let line = line.trim_end();
    (!line.is_empty() && !line.starts_with('#') && !is_code(line)).then_some(line)
}

fn is_code(line: &str) -> bool {
    line.starts_with("import ") || line.starts_with("import\t")
}

/// Whether a prefix has a Python that starts with its `site-packages`.
pub(crate) fn is_of_a_python(prefix: &Path) -> bool {
    let files = ["bin/python3", "pyvenv.cfg"];
    files.iter().any(|file| prefix.join(file).is_file())
}

/// The `.pth` files of a wheel in a prefix that is no Python's own: whoever has it on `PYTHONPATH` goes without them.
pub(crate) fn path_files(prefix: &Path, site: &str) -> io::Result<Vec<InstallWarning>> {
    let site_packages = prefix.join(site);
    if !site_packages.is_dir() {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    for entry in fs_err::read_dir(&site_packages)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_dispensable =
            name.starts_with("wheelfix-") || DISPENSABLE.iter().any(|end| name.ends_with(end));
        if name.strip_suffix(".pth").is_none() || is_dispensable {
            continue;
        }
        let text = fs_err::read(site_packages.join(&name))?;
        let text = String::from_utf8_lossy(&text);
        let is_there = |directory: &&str| site_packages.join(directory).is_dir();
        let directories = text.lines().filter_map(named_directory).filter(is_there);
        let directories: Vec<String> = directories.map(str::to_owned).collect();
        let has_code = text.lines().any(is_code);
        if has_code || !directories.is_empty() {
            warnings.push(InstallWarning::PathFile {
                path: format!("{site}/{name}").into(),
                directories,
                has_code,
            });
        }
    }
    warnings.sort_by_key(ToString::to_string);
    Ok(warnings)
}
