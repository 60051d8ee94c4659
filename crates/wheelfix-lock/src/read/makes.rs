//! `sources.yaml` of Makes' `makePythonPypiEnvironment`: the versions of a closure for one Python, and
//! links to their files.
//!
//! It is written by one program in one shape, of which this reads as much YAML as there is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wheelfix_format::{PackageName, SdistFilename, WheelFilename};

use crate::file::{File, Location};
use crate::lock::{Listing, Lock, Package};
use crate::read::reading::{ListedLock, Reading};
use crate::{Fault, Faults, Format, Problem, Sri};

/// A link to a file.
#[derive(Debug, Default)]
struct Link<'a> {
    name: &'a str,
    sha256: &'a str,
    url: &'a str,
}

#[derive(Debug, Default)]
struct Sources<'a> {
    closure: Vec<(&'a str, &'a str)>,
    links: Vec<Link<'a>>,
    python: Option<&'a str>,
}

pub(crate) fn read(text: &str) -> Result<Lock<'_>, Faults> {
    let sources = split(text).map_err(|fault| vec![*fault])?;
    let mut reading = Reading::default();
    let mut packages: Vec<Package<'_>> = Vec::new();
    let mut numbers: BTreeMap<PackageName, usize> = BTreeMap::new();
    for (name, version) in sources.closure {
        let Some(name) = reading.name("", "closure", name) else {
            continue;
        };
        let mut package = Package::new(name);
        package.version = reading.version(package.name.as_str(), "closure", Some(version));
        package.listed = vec![Listing {
            group: None,
            marker: None,
        }];
        numbers.insert(package.name.clone(), packages.len());
        packages.push(package);
    }
    for (at, link) in sources.links.into_iter().enumerate() {
        let key = format!("links[{at}]");
        let wheel = link.name.parse::<WheelFilename>().ok();
        let of_wheel = wheel.map(|wheel| wheel.name().clone());
        let sdist = || link.name.parse::<SdistFilename>().ok();
        let name = of_wheel.or_else(|| sdist().map(|sdist| sdist.name().clone()));
        let number = name.as_ref().and_then(|name| numbers.get(name));
        let Some(package) = number.and_then(|number| packages.get_mut(*number)) else {
            let problem = Problem::UnknownDependency(link.name.to_owned());
            reading.fault("", &key, problem);
            continue;
        };
        let hash = Sri::from_nix32(link.sha256).map_err(|error| Problem::Hash {
            text: link.sha256.to_owned(),
            error,
        });
        let location = Location::of(Cow::Borrowed(link.url));
        let name = Some(Cow::Borrowed(link.name));
        let file =
            hash.and_then(|hash| File::new(package.owner(), name, location, Some(hash), None));
        match reading.file(package, &key, file) {
            Some(file) if file.wheel.is_some() => package.wheels.push(file),
            Some(file) => package.sdist = Some(file),
            None => {}
        }
    }
    let python = sources.python.map(|python| format!("=={python}.*"));
    ListedLock {
        format: Format::Makes,
        version: "1".to_owned(),
        requires_python: reading.specifiers("", "python", python.as_deref()),
        environments: Vec::new(),
        extras: Vec::new(),
        groups: Vec::new(),
        default_groups: Vec::new(),
        requirements: packages.iter().map(|_| None).collect(),
        packages,
        notes: Vec::new(),
    }
    .finish(reading)
}

/// The three keys of the file.
fn split(text: &str) -> Result<Sources<'_>, Box<Fault>> {
    let mut sources = Sources::default();
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') || content == "---" {
            continue;
        }
        let is_top = !line.starts_with([' ', '-']);
        let (is_new, content) = match content.strip_prefix("- ") {
            Some(content) => (true, content.trim_start()),
            None => (false, content),
        };
        let Some((key, value)) = content.split_once(':') else {
            return Err(unexpected(number, content));
        };
        let (key, value) = (unquoted(key), unquoted(value));
        match (is_top, section) {
            (true, _) => {
                section = key;
                if key == "python" {
                    sources.python = Some(value);
                } else if key == "dependencies" {
                    return Err(Box::new(Fault::of_file(Problem::UnknownFormat(
                        "these are requirements: Makes' lock is `sources.yaml`".to_owned(),
                    ))));
                }
            }
            (false, "closure") => sources.closure.push((key, value)),
            (false, "links") => {
                if is_new {
                    sources.links.push(Link::default());
                }
                match (sources.links.last_mut(), key) {
                    (Some(link), "name") => link.name = value,
                    (Some(link), "sha256") => link.sha256 = value,
                    (Some(link), "url") => link.url = value,
                    _ => return Err(unexpected(number, content)),
                }
            }
            _ => return Err(unexpected(number, content)),
        }
    }
    Ok(sources)
}

fn unexpected(number: usize, content: &str) -> Box<Fault> {
    Box::new(Fault::of_file(Problem::Syntax {
        line: number + 1,
        column: 1,
        message: format!(
            "expected `closure`, `links` with `name`, `sha256` and `url`, and `python`, got `{content}`"
        ),
    }))
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let without = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    without('"').or_else(|| without('\'')).unwrap_or(text)
}
