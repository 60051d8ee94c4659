//! The libraries and places that a wheel loads or looks for while it runs and that no dependency
//! names: found in the texts of libraries and in Python sources.
//!
//! This finds more than is used and less than there is: a name that is put together at run time is not
//! seen. It is a list for a person to look at.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use wheelfix_elf::Elf;
use wheelfix_format::{library_in, python_call, python_loads};

use crate::Wheel;

/// Something that a file may load or look for while it runs.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RuntimeLoad {
    /// The name of a library, or a place: `libnvrtc.so.13`, `/sbin/ldconfig`, `CUDA_HOME`.
    pub what: String,
    /// The file.
    pub path: String,
    /// The line of a Python source, counted from 1, with its text; `None` for a library.
    pub line: Option<(usize, String)>,
}

/// Larger Python sources are data.
const MAX_SOURCE_LEN: u64 = 16 << 20;

/// Lines of machine-made sources are longer than a person reads.
const MAX_LINE_LEN: usize = 200;

/// Places that a system may not have.
const PLACES: [&str; 5] = [
    "/sbin/ldconfig",
    "/usr/local/cuda",
    "/opt/rocm",
    "CUDA_HOME",
    "ROCM_PATH",
];

/// The libraries and places that the read-only data of a library names, without those that it needs
/// anyway and its own name.
pub(crate) fn in_library(elf: &Elf, bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut words = vec![".so"];
    words.extend(PLACES);
    // Data that cannot be read has no text.
    elf.texts_with(bytes, &words, &mut |text| {
        found.extend(named(text).map(str::to_owned));
    })
    .ok();
    if let Some(dynamic) = &elf.dynamic {
        for name in dynamic.needed.iter().chain(&dynamic.soname) {
            found.remove(name);
        }
    }
    found
}

/// The library or the place in a text of a library, if the text is one.
fn named(text: &str) -> Option<&str> {
    let place = PLACES.into_iter().find(|place| text.starts_with(place));
    place.or_else(|| library_in(text))
}

impl Wheel {
    /// The lines of Python sources that load libraries or name places, in parallel on the current
    /// thread pool. Sources that cannot be read are passed over.
    pub fn python_loads(&self) -> Vec<RuntimeLoad> {
        let members = self.archive().members_by_path();
        let sources: Vec<_> = members
            .filter(|member| member.path.as_str().strip_suffix(".py").is_some())
            .collect();
        let loads = sources.par_iter().flat_map_iter(|member| {
            let bytes = self
                .archive()
                .read(member, MAX_SOURCE_LEN)
                .unwrap_or_default();
            in_source(member.path.as_str(), &String::from_utf8_lossy(&bytes))
        });
        loads.collect()
    }
}

/// The libraries that a source opens by name, and behind them the lines with a place or with a call that
/// does not name its library.
fn in_source(path: &str, text: &str) -> Vec<RuntimeLoad> {
    let mut found: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for load in python_loads(text.as_bytes()) {
        let names = load.names.into_iter().map(|library| {
            let place = library.path.filter(|path| PLACES.contains(&path.as_str()));
            place.unwrap_or(library.name)
        });
        found.entry(load.line).or_default().extend(names);
    }
    // Most sources have no place, and looking at whole texts is faster than at lines.
    if python_call(text).is_some() || PLACES.iter().any(|place| text.contains(place)) {
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with('#') || MAX_LINE_LEN < line.trim().len() {
                continue;
            }
            let place = PLACES.into_iter().find(|place| line.contains(place));
            if let Some(what) = place.or_else(|| python_call(line)) {
                let names = found.entry(index + 1);
                names.or_insert_with(|| BTreeSet::from([what.to_owned()]));
            }
        }
    }
    let lines: Vec<&str> = text.lines().collect();
    let loads = found.into_iter().flat_map(|(number, names)| {
        let line = lines.get(number - 1).copied().unwrap_or_default().trim();
        let line: String = line.chars().take(MAX_LINE_LEN).collect();
        names.into_iter().map(move |what| RuntimeLoad {
            what,
            path: path.to_owned(),
            line: Some((number, line.clone())),
        })
    });
    loads.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_name_libraries_are_known() {
        let rows = [
            ("libnvrtc.so.13", Some("libnvrtc.so.13")),
            ("/usr/lib/libibverbs.so.1", Some("libibverbs.so.1")),
            ("libmkl_core.so.2", Some("libmkl_core.so.2")),
            ("libnvrtc.so", Some("libnvrtc.so")),
            ("/sbin/ldconfig -p", Some("/sbin/ldconfig")),
            ("/usr/local/cuda/lib64", Some("/usr/local/cuda")),
            ("cannot load libnvrtc.so.13", None),
            ("libx.so.%d", None),
            ("lib.so", None),
            ("x.so", None),
            ("libx.sock", None),
            ("libx.so.1.txt", None),
        ];
        for (text, want) in rows {
            assert_eq!(named(text), want, "{text}");
        }
    }

    #[test]
    fn lines_of_sources_are_quoted() {
        let source = "import ctypes\n# CDLL('libcommented.so')\nx = ctypes.CDLL(\"libnvrtc.so.13\")\n\
            home = os.environ.get('CUDA_HOME')\nsubprocess.check_output([\"/sbin/ldconfig\", \"-p\"])\n\
            y = ctypes.CDLL(name)\nlibdir = 'libfoo.so'\n";
        let loads = in_source("a.py", source);
        let lines: Vec<String> = loads
            .iter()
            .map(|it| format!("{}:{}", it.line.as_ref().unwrap().0, it.what))
            .collect();
        assert_eq!(
            lines,
            [
                "3:libnvrtc.so.13",
                "4:CUDA_HOME",
                "5:/sbin/ldconfig",
                "6:CDLL"
            ]
        );
    }
}
