//! Debian's packages, each line of `test-wheels/bed.txt` unpacked into a prefix.

use std::path::{Path, PathBuf};
use std::process::Command;

use rayon::prelude::*;

use crate::failure::Result;
use crate::{place, program};

/// The parts that are taken from a package, and where in the prefix each goes.
const PARTS: &[(&str, &str)] = &[
    ("usr/lib/x86_64-linux-gnu", "lib"),
    ("lib/x86_64-linux-gnu", "lib"),
    ("usr/lib/python3.11", "lib/python3.11"),
    ("usr/bin", "bin"),
    ("bin", "bin"),
];

/// The list of the packages.
pub(crate) fn list() -> PathBuf {
    place::root().join("test-wheels/bed.txt")
}

/// Downloads all packages of the list and makes a prefix for each line, in a new directory.
pub(crate) fn unpack(text: &str, prefixes: &Path, scratch: &Path) -> Result {
    let lines = parse(text);
    let debs = scratch.join("debs");
    fs_err::create_dir_all(&debs)?;
    download(&lines, &debs)?;
    let files = files(&debs)?;
    lines.par_iter().try_for_each(|packages| {
        let (first, _) = packages.split_first().ok_or("an empty line")?;
        let root = scratch.join(first);
        for package in packages {
            let is_it = |file: &&PathBuf| is_of(file, package);
            let file = files.iter().find(is_it);
            let file = file.ok_or_else(|| format!("apt-get did not bring {package}"))?;
            program::output(Command::new("dpkg-deb").arg("-x").arg(file).arg(&root))?;
        }
        let prefix = prefixes.join(first);
        fs_err::create_dir_all(&prefix)?;
        for (from, to) in PARTS {
            gather(&root.join(from), &prefix.join(to))?;
        }
        Ok(())
    })
}

/// The packages of each prefix.
fn parse(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_whitespace().collect())
        .collect()
}

/// Brings the versions that apt knows of; where its lists are old or missing, it reads them anew.
fn download(lines: &[Vec<&str>], dir: &Path) -> Result {
    if program::find("apt-get").is_none() || program::find("dpkg-deb").is_none() {
        return Err("the bed is made of Debian's packages: it needs apt-get and dpkg-deb".into());
    }
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(["-qq", "--option=APT::Sandbox::User=root"]);
        command.args(words).current_dir(dir);
        command
    };
    let packages = lines.concat();
    let mut words = vec!["download"];
    words.extend(&packages);
    eprintln!("$ apt-get download ({} packages)", packages.len());
    if program::output(&mut apt(&words)).is_err() {
        program::run(&mut apt(&["update"]))?;
        program::output(&mut apt(&words))?;
    }
    Ok(())
}

fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        files.push(entry?.path());
    }
    Ok(files)
}

/// Whether a file is of this package: `NAME_VERSION_ARCHITECTURE.deb`.
fn is_of(file: &Path, package: &str) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split_once('_')
        .is_some_and(|(start, _)| start == package)
}

/// Moves all children of a directory into another one; both may be missing.
fn gather(from: &Path, to: &Path) -> Result {
    if from.is_symlink() || !from.is_dir() {
        return Ok(());
    }
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        fs_err::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_prefix() {
        let text = "# a comment\n\nlibc6\npython3.11-minimal libpython3.11-minimal\n";
        let want = [
            vec!["libc6"],
            vec!["python3.11-minimal", "libpython3.11-minimal"],
        ];
        assert_eq!(parse(text), want);
    }

    #[test]
    fn a_file_is_of_the_package_that_it_names() {
        let file = Path::new("/debs/libxcb1_1.15-1_amd64.deb");
        assert!(is_of(file, "libxcb1"));
        assert!(!is_of(file, "libxcb"));
    }
}
