//! `requirements.txt` with pins and hashes, as pip-compile, uv and Poetry write it.
//!
//! <https://pip.pypa.io/en/stable/reference/requirements-file-format/>. Neither the files nor what packages
//! require is in it, only the hashes of all files of each package together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wheelfix_format::{
    Constraint, PackageName, Requirement, SdistFilename, Version, WheelFilename,
};

use crate::file::{File, Location, decoded};
use crate::lock::{Listing, Lock, Only, Package, Source};
use crate::read::reading::{ListedLock, Reading};
use crate::{Faults, Format, Problem, Sri};

pub(crate) fn read(text: &str) -> Result<Lock<'static>, Faults> {
    let mut reader = Reader::default();
    for (number, line) in logical_lines(text) {
        reader.line(&format!("line {number}"), &line);
    }
    for package in &mut reader.packages {
        // A file that is named is taken whatever it is.
        let is_named = package.sdist.is_some() || !package.wheels.is_empty();
        package.only = reader.formats.of(&package.name).filter(|_| !is_named);
    }
    let lock = ListedLock {
        format: Format::Requirements,
        version: "1".to_owned(),
        requires_python: None,
        environments: Vec::new(),
        extras: Vec::new(),
        groups: Vec::new(),
        default_groups: Vec::new(),
        requirements: reader.packages.iter().map(|_| None).collect(),
        packages: reader.packages,
        notes: reader.notes,
    };
    let mut lock = lock.finish(reader.reading)?;
    lock.indexes = reader.indexes;
    Ok(lock)
}

/// All that the lines say so far.
#[derive(Default)]
struct Reader {
    reading: Reading,
    notes: Vec<String>,
    packages: Vec<Package<'static>>,
    indexes: Vec<String>,
    formats: FormatControl,
}

impl Reader {
    fn line(&mut self, key: &str, line: &str) {
        let is_one = |options: &[&str]| options.iter().any(|it| value(line, it).is_some());
        if let Some(what) = EDITABLE.iter().find_map(|option| value(line, option)) {
            self.requirement(key, what, true);
        } else if !line.starts_with('-') {
            self.requirement(key, line, false);
        } else if is_one(&OTHER_FILES) {
            let problem = Problem::OtherFile(line.to_owned());
            self.reading.fault("", key, problem);
        } else if let Some(url) = INDEXES.iter().find_map(|option| value(line, option)) {
            // Parts of some are variables of the environment.
            let is_whole = !url.contains('$');
            self.indexes.extend(is_whole.then(|| url.to_owned()));
        } else if let Some(names) = value(line, "--only-binary") {
            let names = self.format_names(key, names);
            self.formats.set(Only::Binary, names);
        } else if let Some(names) = value(line, "--no-binary") {
            let names = self.format_names(key, names);
            self.formats.set(Only::Source, names);
        } else if !is_one(&WITHOUT_EFFECT) {
            self.not_followed(key, line);
        }
    }

    /// The names of `--only-binary` and `--no-binary`, between commas.
    fn format_names(&mut self, key: &str, names: &str) -> Vec<FormatName> {
        let quotes = ['"', '\''];
        let names = names
            .split(',')
            .map(|name| name.trim_matches(quotes).trim());
        let names = names.filter(|name| !name.is_empty());
        let names = names.filter_map(|name| match name {
            name if variables(name).next().is_some() => {
                let problem = Problem::Variable(name.to_owned());
                self.reading.fault("", key, problem);
                None
            }
            ":all:" => Some(FormatName::All),
            ":none:" => Some(FormatName::None),
            name => self.reading.name("", key, name).map(FormatName::One),
        });
        names.collect()
    }

    fn not_followed(&mut self, key: &str, option: &str) {
        let note = format!("{key}: `{option}` is for pip, and not followed");
        self.notes.push(note);
    }

    fn requirement(&mut self, key: &str, line: &str, is_editable: bool) {
        let (what, options) = line.split_at(line.find(" --").unwrap_or(line.len()));
        let what = what.trim();
        let variables: Vec<&str> = variables(what).collect();
        if !variables.is_empty() {
            let problems = variables.into_iter().map(ToOwned::to_owned);
            problems.for_each(|name| self.reading.fault("", key, Problem::Variable(name)));
            return;
        }
        let hashes = self.hashes(key, options);
        let reading = &mut self.reading;
        let found = match kind(what) {
            Kind::Named => named(reading, key, what, &hashes),
            Kind::Url => of_url(reading, key, what, &hashes),
            Kind::Path => {
                let found = local(reading, key, what, &hashes).filter(|_| !is_editable);
                if found.is_none() {
                    // Its name stands in the project itself, which is not read here.
                    self.notes.push(format!(
                        "{key}: `{what}` is a directory without a name, and left out"
                    ));
                }
                found
            }
        };
        if let Some(package) = found {
            add(&mut self.packages, package);
        }
    }

    /// The hashes among the options of a requirement: `--hash=sha256:..` or `--hash sha256:..`.
    fn hashes(&mut self, key: &str, options: &str) -> Vec<Sri> {
        let mut words = options.split_whitespace();
        let mut hashes = Vec::new();
        while let Some(word) = words.next() {
            match word.strip_prefix("--hash") {
                Some("") => hashes.extend(words.next()),
                Some(value) => hashes.extend(value.strip_prefix('=')),
                None => self.not_followed(key, word),
            }
        }
        self.reading.hashes("", key, hashes.into_iter())
    }
}

/// A name of `--only-binary` and `--no-binary`.
enum FormatName {
    /// `:all:`
    All,
    /// `:none:`
    None,
    One(PackageName),
}

/// The packages whose wheels or sdists are not to be taken, by all such lines: pip's `FormatControl`.
#[derive(Default)]
struct FormatControl {
    /// That of all packages which no line names.
    all: Option<Only>,
    named: BTreeMap<PackageName, Only>,
}

impl FormatControl {
    /// Takes a line: `:all:` forgets what was said before of both, `:none:` of this alone, and a later line counts.
    fn set(&mut self, only: Only, names: Vec<FormatName>) {
        for name in names {
            match name {
                FormatName::All => {
                    self.all = Some(only);
                    self.named.clear();
                }
                FormatName::None => {
                    self.all = self.all.filter(|all| *all != only);
                    self.named.retain(|_, named| *named != only);
                }
                FormatName::One(name) => {
                    self.named.insert(name, only);
                }
            }
        }
    }

    fn of(&self, name: &PackageName) -> Option<Only> {
        self.named.get(name).copied().or(self.all)
    }
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

/// Options that change nothing about the choice of a file whose version is pinned.
const WITHOUT_EFFECT: [&str; 5] = [
    "--require-hashes",
    "--trusted-host",
    "--use-feature",
    "--pre",
    "--prefer-binary",
];

/// Adds a package; a name with extras and without them is one.
pub(crate) fn add(packages: &mut Vec<Package<'static>>, package: Package<'static>) {
    let is_it = |known: &&mut Package<'_>| {
        known.name == package.name
            && known.version == package.version
            && known.source == package.source
            && known.origin == package.origin
    };
    let Some(known) = packages.iter_mut().find(is_it) else {
        packages.push(package);
        return;
    };
    known.listed.extend(package.listed);
    known.listed_extras.extend(package.listed_extras);
    let new = package.hashes.into_iter();
    let new: Vec<Sri> = new.filter(|hash| !known.hashes.contains(hash)).collect();
    known.hashes.extend(new);
}

/// The lines with their numbers, those that go on in the next one joined, without comments.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = without_comment(line);
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

/// The line without a comment, which begins at its start or behind white space.
fn without_comment(line: &str) -> &str {
    let mut hashes = line.match_indices('#').map(|(at, _)| line.split_at(at).0);
    let is_free = |before: &&str| before.is_empty() || before.ends_with(char::is_whitespace);
    hashes.find(is_free).unwrap_or(line)
}

/// The variables of the environment in a text, as pip knows them: `${NAME}` of capital letters. Those before the host of a
/// URL are credentials, which are left out as all are.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("${").filter_map(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let (name, after) = rest.get(2..)?.split_once('}')?;
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let authority = before
            .rsplit_once("://")
            .is_some_and(|(_, it)| !it.contains('/'));
        let is_credential = authority && after.split('/').next()?.contains('@');
        let is_one = !name.is_empty() && name.chars().all(is_name) && !is_credential;
        rest.get(..name.len() + 3).filter(|_| is_one)
    })
}

/// The forms of requirements.
enum Kind {
    /// `NAME==1.0`, or `NAME @ URL`.
    Named,
    /// A URL of a repository or of a file, which has the name somewhere.
    Url,
    /// A file, or a directory.
    Path,
}

fn kind(text: &str) -> Kind {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    match text.split_once("://") {
        Some(("file", _)) => return Kind::Path,
        Some((scheme, _)) if scheme.chars().all(is_scheme) => return Kind::Url,
        Some(_) => return Kind::Named,
        None => {}
    }
    let path = text.split([';', '[']).next().unwrap_or_default().trim();
    let is_path = path.contains('/') && !path.contains('@')
        || ["./", "../", "/", "file:"]
            .iter()
            .any(|start| path.starts_with(start))
        || matches!(path, "." | "..")
        || [".whl", ".tar.gz", ".zip"]
            .iter()
            .any(|end| path.ends_with(end));
    if is_path { Kind::Path } else { Kind::Named }
}

/// A URL or path, and its marker, which begins behind a blank.
fn split_marker(text: &str) -> (&str, Option<&str>) {
    match text.split_once(" ;") {
        Some((what, marker)) => (what.trim(), Some(marker.trim())),
        None => (text, None),
    }
}

/// A name or path, and the extras in brackets behind it.
fn split_extras<'t>(
    reading: &mut Reading,
    key: &str,
    text: &'t str,
) -> (&'t str, Vec<PackageName>) {
    let split = text
        .strip_suffix(']')
        .and_then(|text| text.rsplit_once('['));
    let Some((what, extras)) = split else {
        return (text, Vec::new());
    };
    let extras: Vec<&str> = extras.split(',').map(str::trim).collect();
    (what.trim(), reading.names("", key, &extras))
}

/// The name and version of a wheel or sdist.
fn of_file(file_name: &str) -> Option<(PackageName, Version)> {
    let wheel = file_name.parse::<WheelFilename>().ok();
    let of_wheel = wheel.map(|wheel| (wheel.name().clone(), wheel.version().clone()));
    let sdist = || file_name.parse::<SdistFilename>().ok();
    of_wheel.or_else(|| sdist().map(|sdist| (sdist.name().clone(), sdist.version().clone())))
}

/// A URL without a name before it: that of a file has it, that of a repository says it behind `#egg=`.
fn of_url(
    reading: &mut Reading,
    key: &str,
    text: &str,
    hashes: &[Sri],
) -> Option<Package<'static>> {
    let (url, marker) = split_marker(text);
    let egg = fragment_value(url, "egg").unwrap_or_default();
    let (egg, extras) = split_extras(reading, key, &egg);
    let address = url.split(['#', '?']).next().unwrap_or_default();
    let file_name = decoded(address.rsplit('/').next().unwrap_or_default());
    let name = match egg {
        "" => of_file(&file_name).map(|(name, _)| name),
        egg => reading.name("", key, egg),
    };
    let Some(name) = name else {
        if egg.is_empty() {
            reading.fault("", key, Problem::NoName(url.to_owned()));
        }
        return None;
    };
    let mut package = Package::new(name);
    package.listed_extras.extend(extras);
    package.origin = Cow::Owned(url.to_owned());
    url_source(reading, key, &mut package, url, hashes);
    package.listed = listed(reading, &package.label(), marker);
    Some(package)
}

/// A wheel or sdist that is named by its path; `None` for a directory.
pub(crate) fn local(
    reading: &mut Reading,
    key: &str,
    text: &str,
    hashes: &[Sri],
) -> Option<Package<'static>> {
    let (path, marker) = split_marker(text);
    let (path, extras) = split_extras(reading, key, path);
    let path = path.trim_start_matches("file://").trim_start_matches("./");
    let (name, version) = of_file(path.rsplit('/').next().unwrap_or_default())?;
    let mut package = Package::new(name);
    package.version = Some(version);
    package.listed_extras.extend(extras);
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

/// Whether a `requirements.txt` has a requirement that more than one version may serve.
pub fn is_open(text: &str) -> bool {
    let is_open = |line: &str| {
        let what = line.split(" --").next().unwrap_or_default();
        let requirement = what.trim().parse::<Requirement>().ok();
        let requirement = requirement.filter(|_| matches!(kind(what), Kind::Named));
        requirement.is_some_and(|it| {
            matches!(it.constraint(), Constraint::Versions(_)) && pin(&it).is_none()
        })
    };
    logical_lines(text).iter().any(|(_, line)| is_open(line))
}

/// The version of `==1.2`.
fn pin(requirement: &Requirement) -> Option<String> {
    let text = requirement.specifier_text();
    let version = text
        .strip_prefix("===")
        .or_else(|| text.strip_prefix("=="))?;
    (!version.contains([',', '*'])).then(|| version.to_owned())
}

/// A value of the fragment of a URL, as in `#egg=NAME&subdirectory=DIR`.
fn fragment_value(url: &str, name: &str) -> Option<String> {
    let (_, fragment) = url.split_once('#')?;
    let mut pairs = fragment.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(decoded(value).into_owned())
}

/// The repository and the commit of `git+URL@COMMIT`.
pub(crate) fn at_commit(url: &str) -> Option<(&str, &str)> {
    let repository = url.strip_prefix("git+")?.split('#').next()?;
    let split = repository.rsplit_once('@');
    split.filter(|(_, commit)| is_commit(commit))
}

/// A repository, a wheel or an sdist.
pub(crate) fn url_source(
    reading: &mut Reading,
    key: &str,
    package: &mut Package<'static>,
    url: &str,
    hashes: &[Sri],
) {
    let address = url.split('#').next().unwrap_or_default();
    package.subdirectory = fragment_value(url, "subdirectory");
    if address.starts_with("git+") {
        match at_commit(url) {
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
    let of_fragment =
        fragment_value(url, "sha256").and_then(|hash| Sri::from_hex("sha256", &hash).ok());
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

pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
