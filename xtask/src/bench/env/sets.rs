//! Made-up sets of prefixes, and of the same as wheels.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rayon::prelude::*;

use crate::failure::Result;
use crate::program;

/// Where modules lie.
const SITE: &str = "lib/python3.11/site-packages";

/// How many files each has.
const COUNT: usize = 200;

/// The program that some bring.
const PROGRAM: &str = "#!/usr/bin/python3.11\nprint()\n";

/// How many distributions share a namespace.
const SHARE: usize = 10;

/// How many programs so many projects have: the wheels of `test-wheels/popular.toml`.
const PROGRAMS: (usize, usize) = (146, 346);

/// How much of each distribution lies in directories that others have, too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Overlap {
    /// The levels of a namespace, each with an equal `__init__.py`; the rest is the
    /// distribution's own: Google's and Azure's packages.
    Namespace,
    /// All modules lie in the namespace itself: zope's and sphinxcontrib's packages, taken to
    /// the extreme.
    Flat,
}

/// A set of prefixes.
#[derive(Debug)]
pub(crate) struct PrefixSet {
    /// Where the prefixes lie.
    pub(crate) prefixes: Vec<PathBuf>,
    /// How many files they have together.
    pub(crate) files: usize,
    /// A file that names a prefix in each line.
    pub(crate) list: PathBuf,
}

/// Makes prefixes, and waits until they are on the disk: that work would fall into the measurements.
pub(crate) fn prefixes(dir: &Path, count: usize, overlap: Overlap) -> Result<PrefixSet> {
    fs_err::create_dir_all(dir)?;
    let paths: Vec<PathBuf> = (0..count)
        .map(|number| dir.join(format!("{number:032}-python3.11-dist{number}-1.0")))
        .collect();
    let files: Vec<usize> = (0..count)
        .into_par_iter()
        .zip(&paths)
        .map(|(number, path)| write(path, &files(number, overlap)))
        .collect::<Result<_>>()?;
    let list = dir.join("list");
    let mut text = String::new();
    for path in &paths {
        writeln!(text, "{}", path.display()).map_err(|error| error.to_string())?;
    }
    fs_err::write(&list, text)?;
    rustix::fs::sync();
    Ok(PrefixSet {
        prefixes: paths,
        files: files.iter().sum(),
        list,
    })
}

/// Zips the `site-packages` of prefixes as wheels; their paths.
pub(crate) fn wheels(set: &PrefixSet, dir: &Path, python: &Path) -> Result<Vec<PathBuf>> {
    const ZIP: &str = "\
import base64, hashlib, os, sys, zipfile
for number, prefix in enumerate(open(sys.argv[1]).read().split()):
    site = os.path.join(prefix, 'lib/python3.11/site-packages')
    name = os.path.join(sys.argv[2], f'dist{number}-1.0-py3-none-any.whl')
    rows = []
    with zipfile.ZipFile(name, 'w', zipfile.ZIP_DEFLATED) as wheel:
        for directory, below, files in os.walk(site):
            below.sort()
            for file in sorted(files):
                path = os.path.join(directory, file)
                inside = os.path.relpath(path, site)
                if file == 'RECORD' or '__pycache__' in inside:
                    continue
                data = open(path, 'rb').read()
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
                rows.append(f'{inside},sha256={digest.decode().rstrip(chr(61))},{len(data)}')
                wheel.writestr(inside, data)
        record = f'dist{number}-1.0.dist-info/RECORD'
        wheel.writestr(record, '\\n'.join(rows + [record + ',,']) + '\\n')
";
    fs_err::create_dir_all(dir)?;
    let mut command = Command::new(python);
    command.args(["-I", "-c", ZIP]).arg(&set.list).arg(dir);
    program::run(&mut command)?;
    let number = 0..set.prefixes.len();
    Ok(number
        .map(|number| dir.join(format!("dist{number}-1.0-py3-none-any.whl")))
        .collect())
}

/// Path and content of the files of a distribution.
fn files(number: usize, overlap: Overlap) -> Vec<(String, String)> {
    let name = format!("dist{number}");
    let namespace = format!("ns{}", number / SHARE);
    let info = format!("{name}-1.0.dist-info");
    let mut modules = vec![(
        format!("{namespace}/__init__.py"),
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n".to_owned(),
    )];
    for module in 0..94 {
        let directory = match overlap {
            Overlap::Namespace => format!("{namespace}/{name}/part{}", module % 8),
            Overlap::Flat => format!("{namespace}/part{}", module % 8),
        };
        let text = format!("\"\"\"Module {module} of {name}.\"\"\"\n\nVALUE = {module}\n");
        modules.push((format!("{directory}/{name}_{module}.py"), text));
    }
    let mut files = Vec::new();
    let mut record = String::new();
    for (path, text) in modules {
        if let Some((directory, file)) = path.rsplit_once('/')
            && file != "__init__.py"
        {
            let stem = file.trim_end_matches(".py");
            let cached = format!("{directory}/__pycache__/{stem}.cpython-311.pyc");
            files.push((format!("{SITE}/{cached}"), format!("bytecode of {name}\n")));
        }
        record += &path;
        record += ",,\n";
        files.push((format!("{SITE}/{path}"), text));
    }
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
    let wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    for file in ["METADATA", "WHEEL", "RECORD"] {
        record += &info;
        record += "/";
        record += file;
        record += ",,
";
    }
    for (file, text) in [
        ("METADATA", metadata),
        ("WHEEL", wheel.to_owned()),
        ("RECORD", record),
    ] {
        files.push((format!("{SITE}/{info}/{file}"), text));
    }
    let program = has_program(number).then(|| (format!("bin/{name}"), PROGRAM.to_owned()));
    files.extend(program);
    for file in files.len()..COUNT {
        files.push((format!("share/doc/{name}/{file}.txt"), String::new()));
    }
    files
}

/// Whether a distribution brings a program; as many do as real ones have programs.
fn has_program(number: usize) -> bool {
    let (programs, projects) = PROGRAMS;
    number * programs / projects != (number + 1) * programs / projects
}

fn write(prefix: &Path, files: &[(String, String)]) -> Result<usize> {
    let mut made = std::collections::BTreeSet::new();
    for (path, text) in files {
        let path = prefix.join(path);
        if let Some(parent) = path.parent()
            && made.insert(parent.to_owned())
        {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(&path, text)?;
        if text == PROGRAM {
            fs_err::set_permissions(path, Permissions::from_mode(0o755))?;
        }
    }
    Ok(files.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_has_as_many_files_with_a_program_as_without() {
        for overlap in [Overlap::Namespace, Overlap::Flat] {
            for number in 0..4 {
                assert_eq!(files(number, overlap).len(), COUNT);
            }
        }
        let (programs, projects) = PROGRAMS;
        let some = (0..projects).filter(|number| has_program(*number));
        assert_eq!(some.count(), programs);
    }
}
