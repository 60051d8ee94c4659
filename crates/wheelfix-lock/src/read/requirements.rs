//! `requirements.txt` with pins and hashes, as pip-compile, uv and Poetry write it.
//!
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/>. Neither the files nor what packages
//! require is in it, only the hashes of all files of each package together.

use std::borrow::Cow;

use wheelfix_format::{Constraint, Requirement, SdistFilename, WheelFilename};

use crate::file::{File, Location, decoded};
use crate::lock::{Listing, Lock, Package, Source};
use crate::read::reading::{ListedLock, Reading};
use crate::{Faults, Format, Problem, Sri};

pub(crate) fn read(text: &str) -> Result<Lock<'static>, Faults> {
    let mut reading = Reading::default();
    let mut notes = Vec::new();
    let mut packages = Vec::new();
    let mut indexes = Vec::new();
    for (number, line) in logical_lines(text) {
        let key = format!("line {number}");
        let is_other_file = || {
            OTHER_FILES
                .iter()
                .any(|option| value(&line, option).is_some())
        };
        let mut editable = EDITABLE.iter().filter_map(|option| value(&line, option));
        let (what, is_editable) = match editable.next() {
            Some(what) => (what, true),
            None if is_other_file() => {
                reading.fault("", &key, Problem::OtherFile(line));
                continue;
            }
            None if line.starts_with('-') => {
                indexes.extend(index(&line));
                continue;
            }
            None => (line.as_str(), false),
        };
        let (what, hashes) = split_hashes(&mut reading, &key, what);
        if !is_path(what) {
            packages.extend(named(&mut reading, &key, what, &hashes));
        } else if let Some(package) = local(&mut reading, &key, what, &hashes)
            && !is_editable
        {
            packages.push(package);
        } else {
            // Its name stands in the project itself, which is not read here.
            notes.push(format!(
                "{key}: `{what}` is a directory without a name, and left out"
            ));
        }
    }
    let requirements = packages.iter().map(|_| None).collect();
    let lock = ListedLock {
        format: Format::Requirements,
        version: "1".to_owned(),
        requires_python: None,
        environments: Vec::new(),
        extras: Vec::new(),
        groups: Vec::new(),
        default_groups: Vec::new(),
        packages,
        requirements,
        notes,
    };
    let mut lock = lock.finish(reading)?;
    lock.indexes = indexes;
    Ok(lock)
}

/// The options by which one file of requirements includes another.
const OTHER_FILES: [&str; 4] = ["-r", "--requirement", "-c", "--constraint"];

const EDITABLE: [&str; 2] = ["-e", "--editable"];

const INDEXES: [&str; 3] = ["-i", "--index-url", "--extra-index-url"];

/// The value of an option that a line begins with, in all forms that pip takes: `-r FILE`, `-rFILE`,
/// `--requirement FILE` and `--requirement=FILE`.
fn value<'t>(line: &'t str, option: &str) -> Option<&'t str> {
    let rest = line.strip_prefix(option)?;
    let is_short = !option.starts_with("--");
    let ends = rest.starts_with(|c: char| c == '=' || c.is_whitespace());
    let value = rest.strip_prefix('=').filter(|_| !is_short).unwrap_or(rest);
    (is_short || ends || rest.is_empty()).then(|| value.trim())
}

/// The URL in `--index-url URL`.
fn index(line: &str) -> Option<String> {
    let url = INDEXES.iter().find_map(|option| value(line, option))?;
    (!url.contains('$')).then(|| url.to_owned())
}

/// The lines with their numbers, those that go on in the next one joined, without comments.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with('#');
        let line = if is_comment {
            ""
        } else {
            line.split(" #").next().unwrap_or_default()
        };
        let (line, goes_on) = match line.trim_end().strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        let (_, joined) = open.get_or_insert_with(|| (number + 1, String::new()));
        joined.push_str(line);
        joined.push(' ');
        if !goes_on {
            lines.extend(open.take());
        }
    }
    lines.extend(open);
    for (_, line) in &mut lines {
        *line = line.trim().to_owned();
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

/// The requirement, and its `--hash=sha256:..` or `--hash sha256:..`.
fn split_hashes<'t>(reading: &mut Reading, key: &str, text: &'t str) -> (&'t str, Vec<Sri>) {
    let end = text.find(" --").unwrap_or(text.len());
    let (what, options) = text.split_at(end);
    let mut words = options.split_whitespace();
    let mut hashes = Vec::new();
    while let Some(word) = words.next() {
        match word.strip_prefix("--hash") {
            Some("") => hashes.extend(words.next()),
            Some(value) => hashes.extend(value.strip_prefix('=')),
            None => {}
        }
    }
    let hashes = reading.hashes("", key, hashes.into_iter());
    (what.trim(), hashes)
}

fn is_path(text: &str) -> bool {
    ["./", "../", "/", "file:"]
        .iter()
        .any(|start| text.starts_with(start))
        || matches!(text, "." | "..")
        || text.starts_with(". ;")
}

/// A wheel or sdist that is named by its path; `None` for a directory.
pub(crate) fn local(
    reading: &mut Reading,
    key: &str,
    text: &str,
    hashes: &[Sri],
) -> Option<Package<'static>> {
    let (path, marker) = match text.split_once(" ;") {
        Some((path, marker)) => (path.trim(), Some(marker.trim())),
        None => (text, None),
    };
    let path = path.trim_start_matches("file://").trim_start_matches("./");
    let file_name = path.rsplit('/').next().unwrap_or_default();
    let wheel = file_name.parse::<WheelFilename>().ok();
    let of_wheel = wheel.map(|wheel| (wheel.name().clone(), wheel.version().clone()));
    let sdist = || file_name.parse::<SdistFilename>().ok();
    let of_sdist = || sdist().map(|sdist| (sdist.name().clone(), sdist.version().clone()));
    let (name, version) = of_wheel.or_else(of_sdist)?;
    let mut package = Package::new(name);
    package.version = Some(version);
    package.origin = Cow::Owned(path.to_owned());
    package.listed = listed(reading, &package.label(), marker);
    let location = Location::Path(path.to_owned());
    let file = File::new(package.owner(), None, location, only_hash(hashes), None);
    let file = reading.file(&package, key, file);
    place(&mut package, file);
    Some(package)
}

fn listed(reading: &mut Reading, of: &str, marker: Option<&str>) -> Vec<Listing> {
    let marker = reading.marker(of, "marker", marker);
    let group = None;
    vec![Listing { group, marker }]
}

fn place(package: &mut Package<'static>, file: Option<File<'static>>) {
    match file {
        Some(file) if file.wheel.is_some() => package.wheels.push(file),
        Some(file) => package.sdist = Some(file),
        None => {}
    }
}

/// A requirement with a name: a pin, or a URL.
fn named(reading: &mut Reading, key: &str, text: &str, hashes: &[Sri]) -> Option<Package<'static>> {
    let requirement = reading.requirement("", key, text)?;
    let marker = requirement.marker().map(ToString::to_string);
    let mut package = Package::new(requirement.name().clone());
    package
        .listed_extras
        .extend(requirement.extras().iter().cloned());
    match requirement.constraint() {
        Constraint::Versions(_) => {
            let pin = pin(&requirement);
            if pin.is_none() {
                reading.fault(
                    package.name.as_str(),
                    key,
                    Problem::NotPinned(text.to_owned()),
                );
            }
            package.version = reading.version(package.name.as_str(), key, pin.as_deref());
            package.hashes = hashes.to_vec();
        }
        Constraint::Url(url) => {
            package.origin = Cow::Owned(url.clone());
            url_source(reading, key, &mut package, url, hashes);
        }
    }
    package.listed = listed(reading, &package.label(), marker.as_deref());
    Some(package)
}

/// Whether a requirement is one of a lock: a URL, or one version with `==`.
pub fn is_pinned(requirement: &Requirement) -> bool {
    matches!(requirement.constraint(), Constraint::Url(_)) || pin(requirement).is_some()
}

/// The version of `==1.2`.
fn pin(requirement: &Requirement) -> Option<String> {
    let text = requirement.specifier_text();
    let version = text
        .strip_prefix("===")
        .or_else(|| text.strip_prefix("=="))?;
    (!version.contains([',', '*'])).then(|| version.to_owned())
}

/// A repository, a wheel or an sdist.
pub(crate) fn url_source(
    reading: &mut Reading,
    key: &str,
    package: &mut Package<'static>,
    url: &str,
    hashes: &[Sri],
) {
    let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
    let value = |name: &str| {
        let mut pairs = fragment.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| decoded(value).into_owned())
    };
    package.subdirectory = value("subdirectory");
    if let Some(repository) = address.strip_prefix("git+") {
        let commit = repository
            .rsplit_once('@')
            .filter(|(_, commit)| is_commit(commit));
        match commit {
            Some((url, commit)) => {
                package.source = Source::Git {
                    url: Cow::Owned(url.to_owned()),
                    commit: Cow::Owned(commit.to_owned()),
                    lfs: false,
                };
            }
            None => reading.fault(package.name.as_str(), key, Problem::NoCommit),
        }
        return;
    }
    let of_fragment = value("sha256").and_then(|hash| Sri::from_hex("sha256", &hash).ok());
    let hash = only_hash(hashes).or(of_fragment);
    if hash.is_none() {
        package.alternatives = hashes.to_vec();
    }
    let location = Location::of(Cow::Owned(address.to_owned()));
    let file = File::new(package.owner(), None, location, hash, None);
    let file = reading.file(package, key, file);
    // The version is the one of the wheel; that of an sdist its build tells.
    package.version = file
        .as_ref()
        .and_then(|file| Some(file.wheel.as_ref()?.version().clone()));
    place(package, file);
}

/// The hash of a file that is named by itself: the strongest. `None` also where there are several of that
/// algorithm, as of a wheel and its sdist: nothing says which is that of the file.
fn only_hash(hashes: &[Sri]) -> Option<Sri> {
    let strongest = hashes.iter().max()?;
    let mut rivals = hashes.iter().filter(|hash| *hash != strongest);
    let is_only = !rivals.any(|hash| hash.has_algorithm_of(strongest));
    is_only.then(|| strongest.clone())
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
