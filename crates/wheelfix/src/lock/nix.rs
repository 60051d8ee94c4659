//! Nix around a lock: a flake for its document, and the expression of one package.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use wheelfix_format::{Implementation, Libc, PackageName, Target};
use wheelfix_lock::{Document, Locked, LockedFile, LockedPackage, LockedSource};

use crate::quoting::nix_string;

/// Nix that is written or printed in the place of the document
#[derive(Debug, clap::Args)]
pub(crate) struct NixArgs {
    /// Write the document beside the lock as wheelfix.lock.json, and a flake.nix around it; neither may be there
    #[arg(long, conflicts_with_all = ["output_file", "json", "explain", "package_expression"])]
    pub(crate) init: bool,
    /// Print the Nix expression of a package instead, for callPackage of a set of Python packages
    #[arg(long, value_name = "NAME", conflicts_with_all = ["output_file", "json", "explain"])]
    pub(crate) package_expression: Option<PackageName>,
    /// Ask, with curl, for all files of a document, FILE, and compare their hashes: what is gone and what is
    /// another file is told
    #[arg(long, conflicts_with_all = ["targets", "output_file", "explain", "package_expression", "init", "fetch"])]
    pub(crate) verify: bool,
}

/// Why there is no Nix of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NixError {
    /// A target that the flake cannot be for.
    #[error("`--init` is for CPython on Linux with glibc, not for {0}")]
    Target(String),
    /// A file of that name.
    #[error("`{}` is there already, and not replaced", .0.display())]
    Exists(PathBuf),
    /// No selection has the package.
    #[error("the selection has no package `{0}`")]
    Unknown(PackageName),
    /// Neither a wheel nor an sdist at a URL.
    #[error("`{name}` {how}, so that there is no file to fetch")]
    NoFile {
        /// The package.
        name: PackageName,
        /// Its provider.
        how: String,
    },
}

/// The attribute of nixpkgs that is the Python of a target.
fn python(target: &Target) -> Result<String, NixError> {
    let is_glibc = matches!(target.libc, Libc::Glibc { .. });
    if !is_glibc || target.implementation != Implementation::CPython {
        return Err(NixError::Target(target.to_string()));
    }
    let digits = target.python.to_string().replace('.', "");
    let end = if target.free_threaded {
        "FreeThreading"
    } else {
        ""
    };
    Ok(format!("python{digits}{end}"))
}

/// A flake for the targets of a document: an environment for each, and a shell.
pub(crate) fn flake(
    lock: &str,
    targets: &[Target],
    document: &Document,
) -> Result<String, NixError> {
    let mut systems: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for target in targets {
        let pythons = systems.entry(format!("{}-linux", target.arch)).or_default();
        let python = python(target)?;
        if !pythons.contains(&python) {
            pythons.push(python);
        }
    }
    let mut listed = String::new();
    for (system, pythons) in &systems {
        let pythons: Vec<String> = pythons.iter().map(|name| nix_string(name)).collect();
        writeln!(listed, "        {system} = [ {} ];", pythons.join(" ")).ok();
    }
    let has_projects = document.has_projects();
    let root = if has_projects || document.has_paths() {
        "\n          root = ./.;"
    } else {
        ""
    };
    let shell = if has_projects {
        // Projects are read where they lie.
        "(locked system (builtins.head pythons)).shell { }"
    } else {
        "(pkgsOf system).mkShell { packages = [ (locked system (builtins.head pythons)).env ]; }"
    };
    let description = nix_string(&format!("The packages of {lock}"));
    let texts = [
        ("@description@", description.as_str()),
        ("@targets@", &listed),
        ("@root@", root),
        ("@shell@", shell),
    ];
    let flake = include_str!("flake.nix").to_owned();
    Ok(texts
        .iter()
        .fold(flake, |flake, (name, text)| flake.replace(name, text)))
}

/// The expression of one package, for `callPackage` of a set of Python packages.
pub(crate) fn expression(
    locked: &Locked,
    packages: &[LockedPackage],
    name: &PackageName,
) -> Result<String, NixError> {
    let package = packages
        .iter()
        .find(|package| package.name == name.as_str());
    let package = package.ok_or_else(|| NixError::Unknown(name.clone()))?;
    let no_file = |how: &str| NixError::NoFile {
        name: name.clone(),
        how: how.to_owned(),
    };
    // Packages that require each other are one derivation.
    let is_member = |other: &&LockedPackage| {
        other.name == package.name
            || package.component.is_some() && other.component == package.component
    };
    let members: Vec<&LockedPackage> = packages.iter().filter(is_member).collect();
    let required = members.iter().flat_map(|member| &member.dependencies);
    let required: BTreeSet<&str> = required.flatten().map(String::as_str).collect();
    let is_other = |name: &&str| members.iter().all(|member| member.name != *name);
    let required: Vec<&str> = required.into_iter().filter(is_other).collect();
    match &package.from {
        LockedSource::Wheel(_) => {
            let body = of_wheels(package, &members);
            let body =
                body.ok_or_else(|| no_file("lies at a path, or others are built with it"))?;
            Ok(function(
                "mkWheel",
                &["mkWheel", "python"],
                &required,
                &body,
            ))
        }
        LockedSource::Other(_) if package.sdist.is_some() => {
            let file = package.sdist.as_deref().and_then(|key| locked.file(key));
            let source = file.as_ref().and_then(source);
            let source = source.ok_or_else(|| no_file("lies at a path"))?;
            let version = package.version.as_deref().unwrap_or("0");
            let body = format!(
                "  pname = {};\n  version = {};\n  pyproject = true;\n  src = {source};\n  build-system = [ setuptools ];\n",
                nix_string(name.as_str()),
                nix_string(version)
            );
            let arguments = ["buildPythonPackage", "setuptools"];
            Ok(function("buildPythonPackage", &arguments, &required, &body))
        }
        LockedSource::Other(how) => Err(no_file(how)),
        LockedSource::Directory(path) => Err(no_file(&format!("lies in the directory `{path}`"))),
        LockedSource::Virtual => Err(no_file("is not installed")),
    }
}

/// The arguments of `mkWheel` for a package and those that it is made with; `None` if one of them is no
/// wheel at a URL.
fn of_wheels(package: &LockedPackage, members: &[&LockedPackage]) -> Option<String> {
    let sources = members.iter().map(|member| match &member.from {
        LockedSource::Wheel(file) => source(file),
        _ => None,
    });
    let sources: Vec<String> = sources.collect::<Option<_>>()?;
    let mut body = "  inherit python;\n".to_owned();
    if let [source] = sources.as_slice() {
        writeln!(body, "  src = {source};").ok()?;
        return Some(body);
    }
    let version = package.version.as_deref().unwrap_or("0");
    let name = nix_string(&format!("{}-{version}", package.name));
    writeln!(body, "  name = {name};\n  srcs = [").ok()?;
    for source in sources {
        writeln!(body, "    ({})", source.replace('\n', "\n  ")).ok()?;
    }
    body.push_str("  ];\n");
    Some(body)
}

/// A file that Nix fetches; `None` for one that is at a path.
fn source(file: &LockedFile) -> Option<String> {
    let (url, hash) = (file.url.as_ref()?, file.hash.as_ref()?);
    Some(format!(
        "fetchurl {{\n    name = {};\n    url = {};\n    hash = {};\n  }}",
        nix_string(&file.name),
        nix_string(url),
        nix_string(&hash.to_string())
    ))
}

/// A function that calls another one.
fn function(called: &str, arguments: &[&str], required: &[&str], body: &str) -> String {
    let mut names: Vec<&str> = arguments.to_vec();
    names.push("fetchurl");
    names.extend(required.iter().filter(|name| is_identifier(name)));
    let has_others = required.iter().any(|name| !is_identifier(name));
    if has_others {
        names.push("python");
    }
    names.sort_unstable();
    names.dedup();
    let mut text = String::from("{\n");
    for name in names {
        writeln!(text, "  {name},").ok();
    }
    writeln!(text, "}}:\n{called} {{\n{body}").ok();
    if text.ends_with("\n\n") {
        text.pop();
    }
    if !required.is_empty() {
        text.push_str("  dependencies = [\n");
        for name in required {
            if is_identifier(name) {
                writeln!(text, "    {name}").ok();
            } else {
                writeln!(text, "    python.pkgs.{}", nix_string(name)).ok();
            }
        }
        text.push_str("  ];\n");
    }
    text.push_str("}\n");
    text
}

/// Whether a name is one of an argument in Nix, and of none that means something else.
fn is_identifier(name: &str) -> bool {
    let reserved = [
        "assert",
        "else",
        "if",
        "in",
        "inherit",
        "let",
        "or",
        "rec",
        "then",
        "with",
        "python",
        "fetchurl",
        "mkwheel",
        "setuptools",
    ];
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && !reserved.contains(&name)
}

/// Everything that stands against `--init`: targets that a flake cannot be for, files that are there.
pub(crate) fn obstacles(targets: &[Target], paths: &[PathBuf]) -> Vec<NixError> {
    let mut found: Vec<NixError> = targets.iter().filter_map(|it| python(it).err()).collect();
    let is_there = |path: &&PathBuf| std::fs::symlink_metadata(path).is_ok();
    let there = paths.iter().filter(is_there);
    found.extend(there.map(|path| NixError::Exists(path.clone())));
    found
}
