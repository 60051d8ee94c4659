//! The libraries that the loader has loaded, by its own account: `LD_DEBUG=libs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::demo::prefixes::Prefixes;
use crate::failure::Result;

/// Libraries that Python itself may have loaded before anybody asked for ours: its module `zlib`
/// comes with the host.
const OF_PYTHON: &[&str] = &["libz.so.1"];

/// A trace of one command.
#[derive(Debug)]
pub(crate) struct Trace {
    /// The loader appends a dot and the process's id.
    stem: PathBuf,
}

impl Trace {
    /// A trace below the directory of the prefixes.
    pub(crate) fn new(prefixes: &Prefixes, name: &str) -> Result<Self> {
        let dir = prefixes.dir().join("traces").join(name);
        fs_err::create_dir_all(&dir)?;
        Ok(Self {
            stem: dir.join("libs"),
        })
    }

    /// Has the command write the trace.
    pub(crate) fn switch_on<'command>(
        &self,
        command: &'command mut Command,
    ) -> &'command mut Command {
        command
            .env("LD_DEBUG", "libs")
            .env("LD_DEBUG_OUTPUT", &self.stem)
    }

    /// Fails unless each of the required libraries was loaded, and each library that one of
    /// NVIDIA's prefixes or the prefix of run-time libraries provides came from there.
    ///
    /// Returns a sentence about what was loaded.
    pub(crate) fn check(&self, prefixes: &Prefixes, required: &[&str]) -> Result<String> {
        let loaded = self.loaded()?;
        let faults = faults(&loaded, &provided(prefixes)?, required);
        if !faults.is_empty() {
            return Err(format!("the loader's trace:\n  {}", faults.join("\n  ")).into());
        }
        let ours = loaded
            .iter()
            .filter(|path| path.starts_with(prefixes.dir()));
        let nvidia: BTreeSet<&Path> = prefixes
            .nvidia()
            .map(|prefix| prefix.path.as_path())
            .filter(|prefix| loaded.iter().any(|path| path.starts_with(prefix)))
            .collect();
        Ok(format!(
            "{} libraries loaded, {} of them from our prefixes ({} of NVIDIA's); each came from where it should",
            loaded.len(),
            ours.count(),
            nvidia.len(),
        ))
    }

    /// The real paths of all libraries that were initialised, in any process.
    fn loaded(&self) -> Result<BTreeSet<PathBuf>> {
        let dir = self.stem.parent().unwrap_or(&self.stem);
        let mut loaded = BTreeSet::new();
        for entry in fs_err::read_dir(dir)? {
            let text = String::from_utf8_lossy(&fs_err::read(entry?.path())?).into_owned();
            for path in initialised(&text) {
                loaded.insert(fs_err::canonicalize(path)?);
            }
        }
        Ok(loaded)
    }
}

/// The paths in lines like `1234: calling init: /lib/libz.so.1`.
fn initialised(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (_, path) = line.split_once("\tcalling init: ")?;
        Some(path.trim_end())
    })
}

/// File name of each library that has to come from a certain place, to that place.
///
/// For NVIDIA's libraries that is their real path; for run-time libraries, some of which wheels
/// bring themselves, any of our prefixes.
fn provided(prefixes: &Prefixes) -> Result<BTreeMap<String, PathBuf>> {
    let mut provided = BTreeMap::new();
    for entry in fs_err::read_dir(prefixes.runtimes().join("lib"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        provided.insert(name, prefixes.dir().to_owned());
    }
    let mut dirs = Vec::new();
    for prefix in prefixes.nvidia() {
        for entry in fs_err::read_dir(prefix.site_packages().join("nvidia"))? {
            dirs.push(entry?.path().join("lib"));
        }
    }
    for dir in dirs.iter().filter(|dir| dir.is_dir()) {
        for entry in fs_err::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = fs_err::canonicalize(entry.path())?;
            if let Some(other) = provided.insert(name, path) {
                return Err(format!("two prefixes provide {}", other.display()).into());
            }
        }
    }
    Ok(provided)
}

/// The faults, a line for each library.
fn faults(
    loaded: &BTreeSet<PathBuf>,
    provided: &BTreeMap<String, PathBuf>,
    required: &[&str],
) -> Vec<String> {
    let name_of = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let names: BTreeSet<String> = loaded.iter().map(|path| name_of(path)).collect();
    let missing = required
        .iter()
        .filter(|name| !names.contains(**name))
        .map(|name| format!("{name} was not loaded"));
    let strays = loaded.iter().filter_map(|path| {
        let name = name_of(path);
        let want = provided.get(&name)?;
        let is_right = path.starts_with(want) || OF_PYTHON.contains(&name.as_str());
        (!is_right).then(|| {
            format!(
                "{name}: expected {}, got {}",
                want.display(),
                path.display()
            )
        })
    });
    missing.chain(strays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_names_what_was_initialised() {
        let text = "      77:\tfind library=libz.so.1 [0]; searching\n\
            \x20     77:\t  trying file=/a/libz.so.1\n\
            \x20     77:\t\n\
            \x20     77:\tcalling init: /lib64/ld-linux-x86-64.so.2\n\
            \x20     77:\tcalling init: /b/libz.so.1\n\
            \x20     77:\tcalling fini: /b/libz.so.1 [0]\n";
        let got: Vec<&str> = initialised(text).collect();
        assert_eq!(got, ["/lib64/ld-linux-x86-64.so.2", "/b/libz.so.1"]);
    }

    #[test]
    fn a_library_from_elsewhere_is_a_fault() {
        let loaded = [
            "/own/libcudart.so.13",
            "/usr/lib/libcublas.so.13",
            "/usr/lib/libz.so.1",
            "/usr/lib/libc.so.6",
        ];
        let provided = ["libcudart.so.13", "libcublas.so.13", "libz.so.1"];
        let faults = faults(
            &loaded.iter().map(PathBuf::from).collect(),
            &provided
                .iter()
                .map(|name| ((*name).to_owned(), Path::new("/own").join(name)))
                .collect(),
            &["libcudart.so.13", "libnccl.so.2"],
        );
        let want = [
            "libnccl.so.2 was not loaded",
            "libcublas.so.13: expected /own/libcublas.so.13, got /usr/lib/libcublas.so.13",
        ];
        assert_eq!(faults, want);
    }
}
