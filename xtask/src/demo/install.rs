//! Installing one wheel.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err::File;

use crate::demo::prefixes::Prefixes;
use crate::failure::Result;
use crate::manifest::Wheel;
use crate::program;
use crate::usage::{self, Usage};

/// The inputs of an install.
#[derive(Debug)]
pub(crate) struct Job<'job> {
    pub(crate) wheelfix: &'job Path,
    pub(crate) python: &'job Path,
    pub(crate) file: &'job Path,
}

/// The results of an install.
#[derive(Debug)]
pub(crate) struct Installed {
    /// Name and version.
    pub(crate) wheel: String,
    /// Size of the wheel in bytes.
    pub(crate) size: u64,
    /// ELF files whose contents differ from the wheel's, by the two RECORDs.
    pub(crate) edited: usize,
    /// ELF files in the wheel.
    pub(crate) elf_files: usize,
    pub(crate) usage: Usage,
}

impl Job<'_> {
    /// Installs the wheel into a prefix of its own.
    pub(crate) fn install(&self, wheel: &Wheel, prefixes: &mut Prefixes) -> Result<Installed> {
        let prefix = prefixes.place_of(wheel);
        let mut command = Command::new(self.wheelfix);
        command.args(["install", "--quiet", "--no-bytecode", "--python"]);
        command.arg(self.python).arg("--prefix").arg(&prefix);
        for dir in prefixes.library_paths() {
            command.arg("--lib-path").arg(dir);
        }
        command.arg(self.file);
        let log = prefixes.dir().join(format!("{}.log", wheel.name()));
        let usage = usage::measure(&mut command, &log)?;
        prefixes.add(wheel);

        let site_packages = prefixes.of(wheel.name())?.site_packages();
        let elf_files = self.elf_files(&site_packages)?;
        Ok(Installed {
            wheel: format!("{} {}", wheel.name(), wheel.version()),
            size: wheel.size,
            edited: elf_files.iter().filter(|edited| **edited).count(),
            elf_files: elf_files.len(),
            usage,
        })
    }

    /// Whether it was edited, for each ELF file of the wheel that was installed.
    fn elf_files(&self, site_packages: &Path) -> Result<Vec<bool>> {
        let (name, before) = self.record_of_wheel()?;
        let after = rows(&fs_err::read_to_string(site_packages.join(name))?);
        let mut files = Vec::new();
        for (path, hash) in &after {
            // Scripts were moved from elsewhere, so their rows are not comparable.
            if let Some(old) = before.get(path)
                && is_elf(&site_packages.join(path))?
            {
                files.push(old != hash);
            }
        }
        Ok(files)
    }

    /// The name of the wheel's RECORD, and its rows.
    fn record_of_wheel(&self) -> Result<(PathBuf, BTreeMap<String, String>)> {
        let script = "import sys, zipfile\n\
            wheel = zipfile.ZipFile(sys.argv[1])\n\
            is_record = lambda name: name.count('/') == 1 and name.endswith('.dist-info/RECORD')\n\
            name, = filter(is_record, wheel.namelist())\n\
            print(name)\n\
            print(wheel.read(name).decode())";
        let mut command = Command::new(self.python);
        let text = program::output(
            command
                .args(["-I", "-X", "utf8", "-c", script])
                .arg(self.file),
        )?;
        let (name, record) = text.split_once('\n').unwrap_or_default();
        Ok((name.into(), rows(record)))
    }
}

/// Path and hash of each row of a RECORD.
fn rows(record: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let (rest, _size) = line.rsplit_once(',')?;
        let (path, hash) = rest.rsplit_once(',')?;
        Some((path.trim_matches('"').to_owned(), hash.to_owned()))
    };
    record.lines().filter_map(row).collect()
}

fn is_elf(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(start == b"\x7fELF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_record_have_three_fields() {
        let record = "a.py,sha256=abc,3\n\"b,c.py\",sha256=def,4\nx/RECORD,,\n";
        let want = [
            ("a.py", "sha256=abc"),
            ("b,c.py", "sha256=def"),
            ("x/RECORD", ""),
        ];
        let want: BTreeMap<String, String> = want
            .iter()
            .map(|(path, hash)| ((*path).to_owned(), (*hash).to_owned()))
            .collect();
        assert_eq!(rows(record), want);
    }
}
