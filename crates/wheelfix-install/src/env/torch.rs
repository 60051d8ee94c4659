//! Packages that were made for another torch than the one in the environment.
//!
//! A compiled extension of torch works with one minor version of it: the C++ interface of torch has no
//! stable names. What a package was built against is seldom in its metadata, so all places are looked
//! at where builders are known to write it.

use std::fmt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use wheelfix_wheel::{Placement, Scheme, Wheel};

use crate::env::distribution::Distribution;

/// A package that was made for another torch.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TorchMismatch {
    /// The package, as `name version`.
    pub package: String,
    /// The torch or CUDA that it was made for: `torch 2.9`, `CUDA 12`.
    pub wants: String,
    /// The torch that the environment has.
    pub found: String,
    /// The evidence for `wants`, in words.
    pub evidence: String,
    /// The package's `.dist-info`, or its wheel.
    pub path: PathBuf,
}

impl fmt::Display for TorchMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} was made for {}, the environment has {}: {} (`{}`)",
            self.package,
            self.wants,
            self.found,
            self.evidence,
            self.path.display()
        )
    }
}

/// The facts about the torch of an environment.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Torch {
    version: String,
    /// Major and minor version, as `2.15`.
    minor: String,
    /// Major version of the CUDA it was built with, from its local version; `None` if that is unknown.
    cuda: Option<String>,
}

/// Names every package that was built against another torch.
///
/// Those that pin another are unmet requirements already.
pub(crate) fn mismatches(distributions: &[Distribution], wheels: &[Wheel]) -> Vec<TorchMismatch> {
    let Some(torch) = distributions
        .iter()
        .find(|distribution| distribution.name().as_str() == "torch")
    else {
        return Vec::new();
    };
    let version = torch.metadata.version().to_string();
    let torch = Torch {
        minor: minor(&version),
        cuda: cuda_of_label(local(&version)).or_else(|| cuda_of_requirements(torch)),
        version,
    };
    let others = distributions
        .iter()
        .filter(|distribution| distribution.name().as_str() != "torch");
    others.flat_map(|other| of(other, wheels, &torch)).collect()
}

fn of(distribution: &Distribution, wheels: &[Wheel], torch: &Torch) -> Vec<TorchMismatch> {
    let mut found = Vec::new();
    let mut add = |wants: String, has: String, evidence: String| {
        found.push(TorchMismatch {
            package: distribution.label(),
            wants,
            found: has,
            evidence,
            path: distribution.path.clone(),
        });
    };
    let version = distribution.metadata.version().to_string();
    let label = local(&version);
    let built =
        torch_of_label(label).map(|torch| (torch, format!("its version ends in `+{label}`")));
    let built = built.or_else(|| torch_of_build_file(distribution, wheels));
    if let Some((wants, evidence)) = built
        && wants != torch.minor
    {
        let has = format!("torch {}", torch.version);
        add(format!("torch {wants}"), has, evidence);
    }
    // Labels such as `cu128` are used by others too; what has nothing to do with torch does not count.
    let needs_torch = distribution
        .metadata
        .requires_dist()
        .any(|(_, requirement)| requirement.is_ok_and(|it| it.name().as_str() == "torch"));
    if let (true, Some(wants), Some(has)) = (needs_torch, cuda_of_label(label), &torch.cuda)
        && wants != *has
    {
        let evidence = format!("its version ends in `+{label}`");
        add(
            format!("CUDA {wants}"),
            format!("torch for CUDA {has}"),
            evidence,
        );
    }
    found
}

/// `2.15` of `2.15.0+cu130`.
fn minor(version: &str) -> String {
    let release = version.split('+').next().unwrap_or(version);
    let mut parts = release.split('.');
    let parts: Vec<&str> = parts.by_ref().take(2).collect();
    parts.join(".")
}

/// The local version label, behind the `+`; empty if there is none.
fn local(version: &str) -> &str {
    version.split_once('+').map_or("", |(_, local)| local)
}

/// The torch that a label names: flash-attn's `cu12torch2.6cxx11abifalse`, `PyG`'s `pt26cu124`.
fn torch_of_label(label: &str) -> Option<String> {
    if let Some((_, rest)) = label.split_once("torch") {
        let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.');
        let version = rest.get(..end.unwrap_or(rest.len()))?.trim_matches('.');
        return version.contains('.').then(|| minor(version));
    }
    let rest = label.strip_prefix("pt")?;
    let end = rest.find(|char: char| !char.is_ascii_digit());
    let digits = rest.get(..end.unwrap_or(rest.len()))?;
    let (major, minor) = digits.split_at_checked(1)?;
    (!minor.is_empty()).then(|| format!("{major}.{minor}"))
}

/// The major version of CUDA that a label names: `13` of `cu130` and of `cu13`, `12` of `pt26cu124`.
fn cuda_of_label(label: &str) -> Option<String> {
    let (_, rest) = label.split_once("cu")?;
    let major = rest.get(..2)?;
    major
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| major.to_owned())
}

/// The major version of CUDA whose libraries torch requires: of `cuda-toolkit==13.2.2`, or of
/// `nvidia-cudnn-cu13`.
fn cuda_of_requirements(torch: &Distribution) -> Option<String> {
    let requirements = torch.metadata.requires_dist();
    requirements.filter_map(|(_, it)| it.ok()).find_map(|it| {
        let name = it.name().as_str();
        if name == "cuda-toolkit" {
            let text = it.specifier_text();
            let version = text.strip_prefix("==")?;
            return Some(version.split('.').next()?.to_owned());
        }
        let (_, cuda) = name.strip_prefix("nvidia-")?.rsplit_once("-cu")?;
        let is_number = !cuda.is_empty() && cuda.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| cuda.to_owned())
    })
}

/// The torch that xformers was built with, from the file it writes for its own check.
fn torch_of_build_file(distribution: &Distribution, wheels: &[Wheel]) -> Option<(String, String)> {
    let path = format!("{}/cpp_lib.json", distribution.name().to_filename_form());
    if let Some(wheel) = distribution.wheel(wheels) {
        let version = torch_of_json(&small_member(wheel, &path)?)?;
        return Some((version, format!("its `{path}`")));
    }
    let path = distribution.path.parent()?.join(path);
    let version = torch_of_json(&read_small(&path)?)?;
    Some((version, format!("`{}`", path.display())))
}

/// The `"torch": "2.9.0+cu128"` of `{"version": {...}}`.
fn torch_of_json(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("\"torch\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    let (version, _) = value.strip_prefix('"')?.split_once('"')?;
    version
        .starts_with(|char: char| char.is_ascii_digit())
        .then(|| minor(version))
}

/// Most bytes of a file that is searched for a version of torch.
const SMALL: u64 = 1 << 20;

/// A small text; `None` if the file is not one, or not there.
fn read_small(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    if SMALL < metadata.len() {
        return None;
    }
    fs::read_to_string(path).ok()
}

/// A small text that a wheel puts into `site-packages`; `None` if the file is not one, or not
/// there.
fn small_member(wheel: &Wheel, path: &str) -> Option<String> {
    let mut members = wheel.members();
    let member = members.find(|member| match member.placement {
        Placement::File { scheme, path: at } => {
            matches!(scheme, Scheme::Purelib | Scheme::Platlib) && at.as_str() == path
        }
        _ => false,
    })?;
    String::from_utf8(wheel.archive().read(member.file, SMALL).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_torch() {
        for (label, torch, cuda) in [
            ("cu12torch2.6cxx11abifalse", Some("2.6"), Some("12")),
            ("pt26cu124", Some("2.6"), Some("12")),
            ("pt210cu130", Some("2.10"), Some("13")),
            ("cu130", None, Some("13")),
            ("cpu", None, None),
            ("", None, None),
            ("ptx", None, None),
            ("local.1", None, None),
        ] {
            assert_eq!(torch_of_label(label).as_deref(), torch, "{label}");
            assert_eq!(cuda_of_label(label).as_deref(), cuda, "{label}");
        }
    }

    #[test]
    fn the_build_file_names_torch() {
        let text = r#"{"version": {"cuda": 1208, "torch": "2.9.0+cu128", "python": "3.10.18"}}"#;
        assert_eq!(torch_of_json(text).as_deref(), Some("2.9"));
        assert_eq!(torch_of_json("{}"), None);
    }

    #[test]
    fn a_version_has_a_minor_one() {
        for (version, want) in [("2.15.0+cu130", "2.15"), ("2.9", "2.9"), ("2", "2")] {
            assert_eq!(minor(version), want);
        }
    }
}
