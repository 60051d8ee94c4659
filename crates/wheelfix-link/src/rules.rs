//! Rules: facts about the libraries that serve needs which the files do not state. Data, in TOML.
//!
//! Shipped rules lie in `rules/` beside the sources and are compiled in; a user adds own ones by
//! `--rules FILE`, which come first. The format is described in `docs/rules.md`.

pub(crate) mod dlopen_dependency;
pub(crate) mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
pub use wheelfix_format::Pattern;
use wheelfix_format::{PackageName, Requirement};
use wheelfix_loader::Provided;

/// All rules of one run, the user's before ours.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Libraries that only the machine's driver provides.
    pub driver: Vec<Rule<Driver>>,
    /// Libraries that belong to the C library of the target.
    pub libc: Vec<Rule<Libc>>,
    /// Libraries that an object opens while it runs.
    pub dlopen: Vec<Rule<Dlopen>>,
    /// Names in read-only data that need not lead anywhere.
    pub probe: Vec<Rule<Probe>>,
    /// Libraries of accelerators, and the words in the names of what needs them.
    pub accelerator: Vec<Rule<Accelerator>>,
    /// Files of which only those are kept that can be loaded.
    pub backend: Vec<Rule<Backend>>,
    /// Objects that have symbols of those that open them.
    pub together: Vec<Rule<Together>>,
    /// Files that are sought by path where another distribution's are.
    pub sought: Vec<Rule<Sought>>,
    /// Libraries that are loaded before a program.
    pub preload: Vec<Rule<Preload>>,
    /// Libraries that wheels carry copies of.
    pub bundled: Vec<Rule<Bundled>>,
    /// Run path elements that must go.
    pub stale: Vec<Rule<Stale>>,
    /// Preferences among several candidates.
    pub prefer: Vec<Rule<Prefer>>,
    /// Texts of Python sources that are replaced.
    pub replace: Vec<Rule<Replace>>,
    /// Variables of the programs of an environment.
    pub environment: Vec<Rule<Environment>>,
    /// Sources of libraries.
    pub provider: Vec<Rule<Provider>>,
    /// Distributions that serve for others.
    pub alias: Vec<Rule<Alias>>,
}

/// One rule with its proof of origin.
#[derive(Clone, Debug)]
pub struct Rule<T> {
    /// Names it in messages; unique per file.
    pub name: String,
    /// Why it must exist.
    pub reason: String,
    /// The wheel, the thread or the document that shows it.
    pub source: String,
    /// The file it was read from; `None` for a shipped rule.
    pub file: Option<PathBuf>,
    /// The fields of its class.
    pub body: T,
}

/// `[[driver]]`: these sonames are left to the driver path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    /// Globs over sonames.
    pub soname: Vec<Pattern>,
    /// Globs over the symbols that they define, since nobody can look.
    #[serde(default)]
    pub exports: Vec<Pattern>,
}

/// `[[libc]]`: these sonames are left to the C library that the interpreter belongs to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Libc {
    /// Globs over sonames.
    pub soname: Vec<Pattern>,
}

/// `[[dlopen]]`: an object opens libraries by name while it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dlopen {
    /// Globs over the soname or the file name of the object that opens, or over the end of the path
    /// of a Python source.
    pub from: Vec<Pattern>,
    /// Sonames, each of which it opens; a glob stands for all that are there.
    pub opens: Vec<Pattern>,
    /// Whether the object works without it.
    #[serde(default)]
    pub optional: bool,
    /// Whether the object opens it only where the process has not what it wants of it, as one of Python has.
    #[serde(default)]
    pub in_process: bool,
}

/// `[[probe]]`: a library that embedded code looks for by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Globs over the names in read-only data.
    pub names: Vec<Pattern>,
    /// Whether the code puts a version behind the name, and it matters whether there is one.
    #[serde(default)]
    pub versioned: bool,
}

/// `[[accelerator]]`: what is called as one for an accelerator, and lacks only libraries of it, may go where nothing needs it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accelerator {
    /// Globs over a word of the file name.
    pub words: Vec<Pattern>,
    /// Globs over the sonames of its libraries.
    pub libraries: Vec<Pattern>,
}

/// `[[backend]]`: files of which only those are kept that can be loaded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// Rules of one group decide together; `None` is a group of its own.
    #[serde(default)]
    pub group: Option<String>,
    /// Globs over the end of the path, whole components.
    pub files: Vec<Pattern>,
    /// The kind of hardware or software it serves: `cuda`, `rocm`, `xpu`, `cpu`, `mpi`. `None` for plugins,
    /// of which the user does not choose one.
    #[serde(default)]
    pub accelerator: Option<String>,
    /// Cut off the front of the file name, as `.so` and what follows is cut off its end, to get the
    /// name of the backend.
    #[serde(default)]
    pub prefix: String,
    /// Whether the name of the backend is that of its directory, the prefix cut off.
    #[serde(default)]
    pub named_by_directory: bool,
    /// Whether at least one file of the group must stay.
    #[serde(default)]
    pub one_must_stay: bool,
    /// Whether the files must load after all, whatever a later rule says.
    #[serde(default)]
    pub required: bool,
}

/// `[[together]]`: objects that take symbols from their host, which is loaded first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Together {
    /// Globs over the end of the paths of the objects that lack symbols.
    pub completed: Vec<Pattern>,
    /// Globs over the end of the paths of those of the output that define them.
    #[serde(default)]
    pub host: Vec<Pattern>,
    /// Globs over the symbols that come from elsewhere.
    #[serde(default)]
    pub symbols: Vec<Pattern>,
}

/// `[[sought]]`: files that an object looks for by a path from its own place, where another distribution's are in one
/// environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sought {
    /// Globs over the end of the paths of the objects.
    pub from: Vec<Pattern>,
    /// The paths of the files, below `site-packages`.
    pub files: Vec<String>,
    /// The distribution that has them.
    pub distribution: String,
}

/// `[[preload]]`: libraries for `LD_PRELOAD`, which nothing opens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preload {
    /// Globs over the end of the path.
    pub files: Vec<Pattern>,
}

/// `[[bundled]]`: a library that wheels carry copies of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundled {
    /// Globs over the sonames that its makers give it.
    pub soname: Vec<Pattern>,
    /// Globs over the names of versions that it defines; one is enough to take a file for it that
    /// has another name.
    #[serde(default)]
    pub versions: Vec<Pattern>,
    /// Symbols all of which it defines; a file that lacks one is something else.
    #[serde(default)]
    pub exports: Vec<String>,
    /// The action for a copy that is needed.
    pub action: BundledAction,
    /// Libraries of one group do the same job; one process should have one of them.
    #[serde(default)]
    pub group: Option<String>,
    /// Globs over the end of the paths where it is at home, and no copy.
    #[serde(default)]
    pub home: Vec<Pattern>,
    /// Texts that come before its version in a string of its read-only data.
    #[serde(default)]
    pub version_after: Vec<String>,
    /// The release that brought a version, by the name of the version; the last that is defined counts.
    #[serde(default)]
    pub releases: Vec<(String, String)>,
    /// Whether a library of another of these sonames may stand in for it, if it has all symbols.
    #[serde(default)]
    pub any_soname: bool,
    /// Whether the number in its file name is that of the release.
    #[serde(default)]
    pub file_version: bool,
}

/// The action for a bundled library.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BundledAction {
    /// It stays.
    Keep,
    /// It goes, and its users use another one.
    Replace,
    /// It goes: nobody needs it.
    Drop,
}

/// `[[stale]]`: run path elements that lead to another machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stale {
    /// Globs over elements.
    pub element: Vec<Pattern>,
    /// Whether a directory that is there, on the machine that runs us, may stay.
    #[serde(default)]
    pub unless_there: bool,
}

/// `[[prefer]]`: the one of several candidates that is meant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefer {
    /// Globs over sonames.
    pub soname: Vec<Pattern>,
    /// Globs over the end of the candidate's path.
    pub path: Vec<Pattern>,
}

/// `[[replace]]`: a text of a Python source, and its replacement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// Globs over the end of the path, whole components.
    pub file: Vec<Pattern>,
    /// A text without which the rule has nothing to do; `None` if it always has.
    #[serde(default)]
    pub when: Option<String>,
    /// The text to replace, wherever it stands, as different versions have it; the first that is
    /// there counts. None of them there is a fault. Empty leaves the file as it is.
    #[serde(deserialize_with = "texts")]
    pub old: Vec<String>,
    /// The replacement; `{driver_path}` stands for the driver path.
    pub new: String,
}

/// Texts of which none is empty.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.iter().any(String::is_empty) {
        return Err(D::Error::custom(
            "`old` has an empty text, which stands everywhere",
        ));
    }
    Ok(texts)
}

/// `[[alias]]`: distributions that bring what others are required for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The distributions, each of which does.
    #[serde(deserialize_with = "package_names")]
    pub distribution: Vec<PackageName>,
    /// The distributions that need not be there then.
    #[serde(deserialize_with = "package_names")]
    pub provides: Vec<PackageName>,
}

/// Names of distributions.
fn package_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PackageName>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let parsed = names
        .iter()
        .map(|name| name.parse().map_err(D::Error::custom));
    parsed.collect()
}

/// `[[environment]]`: a variable that the programs of an environment read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The distributions that read it, with the versions that do; one is enough.
    #[serde(deserialize_with = "requirements")]
    pub distribution: Vec<Requirement>,
    /// Its name.
    #[serde(deserialize_with = "variable_name")]
    pub variable: String,
    /// Its value, with placeholders; empty to leave it alone.
    #[serde(deserialize_with = "plain_text")]
    pub value: String,
    /// Whether the rule gives nothing where what the value leads to is not there, which is an error else.
    #[serde(default)]
    pub if_there: bool,
}

/// Requirements without extras and markers.
fn requirements<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Requirement>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let parsed = texts
        .iter()
        .map(|text| text.parse().map_err(D::Error::custom));
    parsed.collect()
}

/// The name of a variable that is read after Python has started.
fn variable_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(is_part)
    {
        return Err(D::Error::custom(format!(
            "`{name}` is no name of a variable"
        )));
    }
    if name.starts_with("PYTHON") || name.starts_with("LD_") {
        return Err(D::Error::custom(format!(
            "`{name}` is read before Python could set it"
        )));
    }
    Ok(name)
}

/// A text without control characters.
fn plain_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.contains(char::is_control) {
        return Err(D::Error::custom("`value` has a control character"));
    }
    Ok(text)
}

/// `[[provider]]`: sources of libraries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// A glob over sonames, and the nixpkgs attribute.
    #[serde(default, deserialize_with = "pattern_map")]
    pub nixpkgs: Vec<(Pattern, String)>,
    /// A glob over sonames, and the distribution whose wheel carries it.
    #[serde(default, deserialize_with = "pattern_map")]
    pub wheel: Vec<(Pattern, String)>,
    /// The major version of CUDA that all of these are of. `None`: of none, or of any.
    #[serde(default)]
    pub cuda: Option<u32>,
}

fn pattern_map<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(Pattern, String)>, D::Error> {
    let map = BTreeMap::<String, String>::deserialize(deserializer)?;
    let compile = |(glob, value): (String, String)| match Pattern::new(&glob) {
        Ok(pattern) => Ok((pattern, value)),
        Err(error) => Err(serde::de::Error::custom(error)),
    };
    map.into_iter().map(compile).collect()
}

impl Rules {
    /// The rule by which an object is for `LD_PRELOAD`.
    pub(crate) fn preload(&self, path: &Path) -> Option<&Rule<Preload>> {
        let mut rules = self.preload.iter();
        rules.find(|rule| rule.body.files.iter().any(|glob| glob.matches_end(path)))
    }

    /// Whether a library is one of the driver's.
    pub(crate) fn is_driver(&self, soname: &str) -> bool {
        let mut rules = self.driver.iter();
        rules.any(|rule| any_matches(&rule.body.soname, soname))
    }
}

impl Provided for Rules {
    fn libc(&self, soname: &str) -> Option<&str> {
        let mut rules = self.libc.iter();
        let rule = rules.find(|rule| any_matches(&rule.body.soname, soname));
        rule.map(|rule| rule.name.as_str())
    }

    fn driver(&self, soname: &str) -> Option<&str> {
        let mut rules = self.driver.iter();
        let rule = rules.find(|rule| any_matches(&rule.body.soname, soname));
        rule.map(|rule| rule.name.as_str())
    }
}

/// Whether one of the globs matches.
pub fn any_matches(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}
