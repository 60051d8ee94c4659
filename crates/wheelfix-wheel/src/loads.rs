//! The libraries and places that a wheel loads or looks for while it runs and that no dependency
//! names: found in the texts of libraries and in Python sources.
//!
//! This finds more than is used and less than there is: a name that is put together at run time is not
//! seen. It is a list for a person to look at.

use std::collections::BTreeSet;

use rayon::prelude::*;
use wheelfix_elf::{Elf, ScanLimits};
use wheelfix_format::LibraryName;

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

/// How much text of one library is looked at.
const LIMITS: ScanLimits = ScanLimits {
    total_len: 1 << 30,
    min_len: 5,
    max_len: 256,
};

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

/// Calls that load or find a library.
const CALLS: [&str; 5] = [
    "CDLL(",
    "LoadLibrary(",
    "dlopen(",
    "find_library(",
    "load_nvidia_dynamic_lib(",
];

/// The libraries and places that the read-only data of a library names, without those that it needs
/// anyway and its own name.
pub(crate) fn in_library(elf: &Elf, bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut report = |_offset: u64, text: &str| {
        if let Some(what) = named(text) {
            found.insert(what.to_owned());
        }
    };
    // Data that cannot be read has no text.
    elf.scan_text(bytes, LIMITS, &mut report).ok();
    if let Some(dynamic) = &elf.dynamic {
        for name in dynamic.needed.iter().chain(&dynamic.soname) {
            found.remove(name);
        }
    }
    found
}

/// The library or the place in a text of a library, if the text is one.
fn named(text: &str) -> Option<&str> {
    if let Some(place) = PLACES.into_iter().find(|place| text.starts_with(place)) {
        return Some(place);
    }
    let name = text.rsplit_once('/').map_or(text, |(_, name)| name);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
    let is_version = |version: &str| {
        version
            .split('.')
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let library = LibraryName::parse(name).filter(|library| is_version(library.version()))?;
    (library.stem().starts_with("lib") && 3 < library.stem().len() && name.chars().all(is_plain))
        .then_some(name)
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

fn in_source(path: &str, text: &str) -> Vec<RuntimeLoad> {
    // Most sources have none of these, and looking at whole texts is faster than at lines.
    if !CALLS.iter().chain(&PLACES).any(|word| text.contains(word)) {
        return Vec::new();
    }
    let found = text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim();
        if line.starts_with('#') || MAX_LINE_LEN < line.len() {
            return None;
        }
        let call = CALLS
            .iter()
            .find(|call| line.contains(*call))
            .map(|call| call.trim_end_matches('('));
        let what = quoted_library(line)
            .or_else(|| PLACES.into_iter().find(|place| line.contains(place)))
            .or(call)?;
        let is_place = PLACES.contains(&what);
        (call.is_some() || is_place).then(|| RuntimeLoad {
            what: what.to_owned(),
            path: path.to_owned(),
            line: Some((index + 1, line.to_owned())),
        })
    });
    found.collect()
}

/// The first text in quotes that names a library.
fn quoted_library(line: &str) -> Option<&str> {
    line.split(['"', '\''])
        .skip(1)
        .step_by(2)
        .find(|text| named(text).is_some() && text.contains(".so"))
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
