//! The checks of check-wheel-contents, with its codes:
//! <https://github.com/jwodder/check-wheel-contents#checks>.
//!
//! Its checks W101 to W202 compare with a source tree or with a list of names, which we do not have.

use std::collections::{BTreeMap, BTreeSet};

use wheelfix_format::RecordHash;

use crate::finding::{Code, Finding};
use crate::{Placement, Wheel, WheelMember};

/// Names at the top of `site-packages` that belong into no distribution.
const COMMON_NAMES: [&str; 18] = [
    ".eggs", ".nox", ".tox", ".venv", "app", "build", "cli", "data", "dist", "doc", "docs",
    "example", "examples", "lib", "scripts", "src", "test", "tests",
];

/// Contents that many files share for good reason: nothing, an end of line, or `# -*- coding: utf-8 -*-`
/// with and without one.
const TRIVIAL: [&str; 6] = [
    "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    "sha256=AbpHGcgLb-kRsJGnwFEktk7uzpZOCcBY74-YBdrKVGs",
    "sha256=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN_XKdLCPjaYaY",
    "sha256=5FQ0s_2rPa2Vpj_dOhp6usXXAHPT9X-MBVVZLP2Uoqo",
    "sha256=iwhKnzeBJLKxpRVjvzwiRE63_zNpIBfaKLITauVph-0",
    "sha256=7dRrSvfwwa7lx9UmxdRmahXhjCBDHMYzZYp8pcodZ3c",
];

const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// A file for `site-packages`.
#[derive(Clone, Copy)]
struct SiteFile<'a> {
    /// Path in the archive.
    path: &'a str,
    /// Path in `site-packages`.
    parts: &'a [&'a str],
}

/// An entry at the top of `site-packages`.
#[derive(Default)]
struct Top {
    is_dir: bool,
    has_module: bool,
}

impl Wheel {
    /// The findings that check-wheel-contents would have, in the order of its codes.
    pub fn contents_lint(&self) -> Vec<Finding> {
        let dist_info = format!("{}/", self.dist_info());
        let split: Vec<(&str, Vec<&str>)> = self
            .members()
            .filter(|member| !member.file.path.as_str().starts_with(&dist_info))
            .filter_map(|member| match member.placement {
                Placement::File { scheme, path } if scheme.is_site() => {
                    Some((member.file.path.as_str(), path.parts().collect()))
                }
                _ => None,
            })
            .collect();
        let files: Vec<SiteFile<'_>> = split
            .iter()
            .map(|(path, parts)| SiteFile { path, parts })
            .collect();
        let tops = tops(&files);
        let mut findings = Vec::new();
        findings.extend(bytecode(self));
        findings.extend(duplicates(self));
        findings.extend(misplaced(&files));
        findings.extend(top_names(&tops));
        let is_outside =
            |member: &WheelMember<'_>| !member.file.path.as_str().starts_with(&dist_info);
        if files.is_empty() {
            findings.push(finding(
                Code::W007,
                "the wheel has nothing for site-packages",
                Vec::new(),
            ));
        }
        if !self.members().any(|member| is_outside(&member)) {
            findings.push(finding(Code::W008, "the wheel is empty", Vec::new()));
        }
        findings.extend(top_entries(&tops));
        findings
    }
}

fn finding(code: Code, message: &str, paths: Vec<String>) -> Finding {
    let message = message.to_owned();
    Finding {
        code,
        message,
        paths,
    }
}

/// A finding about these paths; `None` if there are none.
fn about(code: Code, message: &str, paths: Vec<String>) -> Option<Finding> {
    (!paths.is_empty()).then(|| finding(code, message, paths))
}

fn bytecode(wheel: &Wheel) -> Option<Finding> {
    let paths = wheel
        .archive()
        .members()
        .iter()
        .map(|member| member.path.as_str());
    let found = paths.filter(|path| {
        path.strip_suffix(".pyc")
            .or_else(|| path.strip_suffix(".pyo"))
            .is_some()
    });
    about(
        Code::W001,
        "the wheel contains byte code",
        found.map(str::to_owned).collect(),
    )
}

fn duplicates(wheel: &Wheel) -> Option<Finding> {
    let mut same: BTreeMap<(u64, &RecordHash), Vec<&str>> = BTreeMap::new();
    for member in wheel.members() {
        let hash = member
            .hash
            .filter(|hash| !TRIVIAL.contains(&hash.to_string().as_str()));
        if let Some(hash) = hash {
            let paths = same.entry((member.file.len, hash)).or_default();
            paths.push(member.file.path.as_str());
        }
    }
    let groups = same.into_iter().filter(|(_, paths)| 1 < paths.len());
    let (mut wasted, mut found) = (0_u64, Vec::new());
    for ((len, _), paths) in groups {
        let copies = (paths.len() as u64).saturating_sub(1);
        wasted = wasted.saturating_add(len.saturating_mul(copies));
        found.push(paths.join(" = "));
    }
    found.sort();
    let message = format!("files have the same content: {wasted} bytes more than necessary");
    about(Code::W002, &message, found)
}

fn misplaced(files: &[SiteFile<'_>]) -> impl Iterator<Item = Finding> {
    let is_module = |file: &SiteFile<'_>| {
        file.parts
            .last()
            .and_then(|name| module_stem(name))
            .is_some()
    };
    let paths = |wanted: &dyn Fn(&SiteFile<'_>) -> bool| {
        files
            .iter()
            .filter(|file| wanted(file))
            .map(|file| file.path.to_owned())
            .collect()
    };
    let not_a_module = paths(&|file| match file.parts {
        [name] => !is_module(file) && name.strip_suffix(".pth").is_none_or(str::is_empty),
        _ => false,
    });
    let not_importable = paths(&|file| is_module(file) && !is_importable(file.parts));
    let found = [
        about(
            Code::W003,
            "files at the top of site-packages are no modules",
            not_a_module,
        ),
        about(
            Code::W004,
            "modules have paths that cannot be imported",
            not_importable,
        ),
    ];
    found.into_iter().flatten()
}

fn tops<'a>(files: &[SiteFile<'a>]) -> BTreeMap<&'a str, Top> {
    let mut tops: BTreeMap<&str, Top> = BTreeMap::new();
    for file in files {
        let Some((name, below)) = file.parts.split_first() else {
            continue;
        };
        let top = tops.entry(name).or_default();
        top.is_dir |= !below.is_empty();
        top.has_module |= file
            .parts
            .last()
            .is_some_and(|name| module_stem(name).is_some());
    }
    tops
}

fn top_names(tops: &BTreeMap<&str, Top>) -> impl Iterator<Item = Finding> {
    let common: BTreeSet<&str> = COMMON_NAMES.into_iter().collect();
    let common = tops
        .keys()
        .filter(|name| common.contains(*name) || **name == "venv");
    let message =
        "names at the top of site-packages are so common that other projects may use them";
    let common = about(
        Code::W005,
        message,
        common.map(ToString::to_string).collect(),
    );
    let init = tops
        .contains_key("__init__.py")
        .then(|| "__init__.py".to_owned());
    let init = about(
        Code::W006,
        "`__init__.py` is at the top of site-packages",
        init.into_iter().collect(),
    );
    common.into_iter().chain(init)
}

fn top_entries(tops: &BTreeMap<&str, Top>) -> impl Iterator<Item = Finding> {
    let is_counted =
        |name: &str| !name.starts_with('_') && name.strip_suffix(".pth").is_none_or(str::is_empty);
    let several: Vec<String> = tops
        .keys()
        .filter(|name| is_counted(name))
        .map(ToString::to_string)
        .collect();
    let several = if 1 < several.len() {
        several
    } else {
        Vec::new()
    };
    let without_modules = tops
        .iter()
        .filter(|(name, top)| top.is_dir && !top.has_module && !is_stubs(name));
    let without_modules = without_modules
        .map(|(name, _)| format!("{name}/"))
        .collect();
    let found = [
        about(
            Code::W009,
            "several names are at the top of site-packages",
            several,
        ),
        about(
            Code::W010,
            "directories at the top of site-packages hold no modules",
            without_modules,
        ),
    ];
    found.into_iter().flatten()
}

/// The name of the module in a file, if its suffix is that of one: `_C` of
/// `_C.cpython-311-x86_64-linux-gnu.so`.
pub(crate) fn module_stem(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".py").or_else(|| extension_stem(name))?;
    (!stem.is_empty()).then_some(stem)
}

/// The name of the module in a file with the suffix of an extension module.
fn extension_stem(name: &str) -> Option<&str> {
    let stem = name
        .strip_suffix(".so")
        .or_else(|| name.strip_suffix(".pyd"))?;
    let is_abi = |abi: &str| {
        !abi.is_empty()
            && abi
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    match stem.rsplit_once('.') {
        Some((shorter, abi)) if is_abi(abi) && !shorter.is_empty() => Some(shorter),
        _ => Some(stem),
    }
}

fn is_importable(parts: &[&str]) -> bool {
    let Some((name, dirs)) = parts.split_last() else {
        return false;
    };
    module_stem(name).is_some_and(is_identifier) && dirs.iter().all(|dir| is_identifier(dir))
}

fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    first.is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&text)
}

fn is_stubs(name: &str) -> bool {
    name.strip_suffix("-stubs").is_some_and(is_identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_known_by_their_suffix() {
        let rows = [
            ("a.py", Some("a")),
            ("_C.cpython-311-x86_64-linux-gnu.so", Some("_C")),
            ("libfoo.so", Some("libfoo")),
            ("a.b.c.so", Some("a.b")),
            ("a.pyi", None),
            ("libfoo.so.1", None),
            (".py", None),
            (".so", None),
        ];
        for (name, want) in rows {
            assert_eq!(module_stem(name), want, "{name}");
        }
    }

    #[test]
    fn importable_paths_are_made_of_identifiers() {
        for (path, want) in [
            ("a/b.py", true),
            ("a-b/c.py", false),
            ("a/class.py", false),
            ("a/1.py", false),
            ("é.py", true),
        ] {
            assert_eq!(
                is_importable(&path.split('/').collect::<Vec<_>>()),
                want,
                "{path}"
            );
        }
    }
}
