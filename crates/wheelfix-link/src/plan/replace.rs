//! Texts of Python sources that name places which Nix does not have, and their replacements.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::fault::Fault;
use crate::fault::source::ChangedSource;
use crate::fault::unused::UnusedRule;
use crate::index::lib_path::PUBLIC;
use crate::rules::{Replace, Rule, Rules};

/// The placeholder for the driver path in the new text of a rule.
const DRIVER_PATH: &str = "{driver_path}";
/// The beginnings of placeholders for a library and a program of a library path; the name and `}` follow.
const PLACEHOLDERS: [(&str, &[&str]); 2] = [("{lib:", &PUBLIC), ("{bin:", &["bin"])];

/// The paths that the new texts of rules name.
#[derive(Clone, Copy, Debug)]
pub struct NamedPaths<'a> {
    /// The directory of the driver's libraries.
    pub driver_path: &'a Path,
    /// Prefixes and directories of libraries; the first one that has a file wins.
    pub lib_paths: &'a [PathBuf],
}

/// A part of the new text of a rule.
enum Part<'r> {
    Text(String),
    /// A file of a library path: its name, and the directories below that it may be in.
    File(&'r str, &'static [&'static str]),
}

/// A Python source with other texts.
#[derive(Clone, Debug, Serialize)]
pub struct SourceEdit {
    /// Its final path.
    pub path: PathBuf,
    /// Where its bytes lie now.
    #[serde(skip)]
    pub file: PathBuf,
    /// The rules that apply.
    pub rules: Vec<String>,
    /// The whole new text.
    #[serde(skip)]
    pub text: String,
}

/// The result of applying a rule to a text.
enum Replaced {
    /// The text that the rule is about is not there, or was replaced before.
    Nothing,
    /// The new text of the source.
    Text(String),
    /// The text that the rule is about is there, in another form than the rule knows.
    Unknown,
}

impl Rules {
    /// The rules for the source at a path. Where the user has some, shipped ones do not count.
    pub fn replacements(&self, path: &Path) -> Vec<&Rule<Replace>> {
        let fits = |rule: &&Rule<Replace>| rule.body.file.iter().any(|glob| glob.matches_end(path));
        let all: Vec<&Rule<Replace>> = self.replace.iter().filter(fits).collect();
        let ours: Vec<_> = all
            .iter()
            .copied()
            .filter(|rule| rule.file.is_some())
            .collect();
        if ours.is_empty() { all } else { ours }
    }

    /// Whether a rule makes the source at a path open the file of a library path in the place of one of these
    /// libraries, which may lack their version.
    pub(crate) fn replaces_library(&self, path: &Path, names: &[String]) -> bool {
        let rules = self.replacements(path).into_iter();
        let mut parts = rules.flat_map(|rule| parts(&rule.body.new));
        parts.any(|part| match part {
            Part::File(file, _) => names.iter().any(|name| file.starts_with(name.as_str())),
            Part::Text(_) => false,
        })
    }

    /// The source at `path` with the texts of the rules replaced; `None` if nothing changes. A fault
    /// for each rule that does not know the text.
    pub fn replace_in(
        &self,
        path: &Path,
        text: &str,
        paths: NamedPaths<'_>,
    ) -> (Option<(String, Vec<String>)>, Vec<Fault>) {
        let (mut new, mut names, mut faults) = (text.to_owned(), Vec::new(), Vec::new());
        for rule in self.replacements(path) {
            match replaced(&rule.body, &new, paths) {
                Replaced::Nothing => {}
                Replaced::Text(text) => {
                    new = text;
                    names.push(rule.name.clone());
                }
                Replaced::Unknown => faults.push(Fault::ChangedSource(ChangedSource {
                    path: path.to_path_buf(),
                    rule: rule.name.clone(),
                    expected: rule.body.old.clone(),
                    reason: rule.reason.clone(),
                })),
            }
        }
        ((!names.is_empty()).then_some((new, names)), faults)
    }

    /// The libraries that rules would name in the source at a path, and that no library path has, each with its rule.
    pub(crate) fn unfilled(
        &self,
        path: &Path,
        text: &str,
        paths: NamedPaths<'_>,
    ) -> Vec<(&str, &str)> {
        let mut unfilled = Vec::new();
        for rule in self.replacements(path) {
            let applies = rule.body.old.iter().any(|old| text.contains(old.as_str()));
            let parts = parts(&rule.body.new).into_iter().filter(|_| applies);
            let files = parts.filter_map(|part| match part {
                Part::File(name, below) if below == PUBLIC => Some((name, below)),
                _ => None,
            });
            let lacking = files.filter(|(name, below)| find(name, below, paths).is_none());
            unfilled.extend(lacking.map(|(name, _)| (rule.name.as_str(), name)));
        }
        unfilled
    }

    /// Faults for the user's rules whose file is none of the paths.
    pub fn unused_replacements<'p>(
        &self,
        mut paths: impl Iterator<Item = &'p Path> + Clone,
    ) -> Vec<Fault> {
        let mut faults = Vec::new();
        for rule in &self.replace {
            let Some(file) = &rule.file else { continue };
            let globs = &rule.body.file;
            let mut paths = paths.by_ref().clone();
            if !paths.any(|path| globs.iter().any(|glob| glob.matches_end(path))) {
                faults.push(Fault::UnusedRule(UnusedRule {
                    name: rule.name.clone(),
                    file: file.clone(),
                }));
            }
        }
        faults
    }
}

fn replaced(rule: &Replace, text: &str, paths: NamedPaths<'_>) -> Replaced {
    if rule.old.is_empty() {
        return Replaced::Nothing;
    }
    let template = with_driver_path(&rule.new, paths);
    let parts = parts(&template);
    // What no library path has is told where the proof finds that the source asks for it.
    let Some(new) = filled(&parts, paths) else {
        return Replaced::Nothing;
    };
    // The text may have the paths of other library paths.
    if let Some(text) = refilled(&parts, text, &new) {
        return Replaced::Text(text);
    }
    // The new text may hold the old one, so it comes first.
    if !new.is_empty() && text.contains(&new) {
        return Replaced::Nothing;
    }
    if rule.when.as_ref().is_some_and(|when| !text.contains(when)) {
        return Replaced::Nothing;
    }
    match rule.old.iter().find(|old| text.contains(*old)) {
        Some(old) => Replaced::Text(text.replace(old, &new)),
        None => Replaced::Unknown,
    }
}

fn parts(template: &str) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), template);
    loop {
        let starts = PLACEHOLDERS
            .into_iter()
            .filter_map(|(start, below)| Some((rest.find(start)?, start, below)));
        let first = starts.min_by_key(|(at, ..)| *at);
        let Some((before, name, below, after)) = first.and_then(|(at, start, below)| {
            let (name, after) = rest.get(at + start.len()..)?.split_once('}')?;
            Some((rest.get(..at)?, name, below, after))
        }) else {
            break;
        };
        parts.extend([Part::Text(before.to_owned()), Part::File(name, below)]);
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    parts
}

/// A text with placeholders filled; `None` if a file is nowhere, or its path cannot stand in a literal.
pub(crate) fn fill(template: &str, paths: NamedPaths<'_>) -> Option<String> {
    filled(&parts(&with_driver_path(template, paths)), paths)
}

fn with_driver_path(template: &str, paths: NamedPaths<'_>) -> String {
    template.replace(DRIVER_PATH, &paths.driver_path.to_string_lossy())
}

/// The text with the paths in it; `None` if a file is nowhere, or its path cannot stand in a literal.
fn filled(parts: &[Part<'_>], paths: NamedPaths<'_>) -> Option<String> {
    let texts = parts.iter().map(|part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::File(name, below) => {
            let path = find(name, below, paths)?;
            let text = path.to_str()?;
            (!text.contains(['\'', '"', '\\', '\n'])).then(|| text.to_owned())
        }
    });
    texts.collect()
}

/// The first file of a name in directories of the library paths.
fn find(name: &str, below: &[&str], paths: NamedPaths<'_>) -> Option<PathBuf> {
    let mut candidates = paths.lib_paths.iter().flat_map(|path| {
        let each = below.iter();
        each.map(move |directory| path.join(directory).join(name))
    });
    candidates.find(|path| path.is_file())
}

/// A text with all that it has of the parts of a rule, with other paths, replaced by the new text; `None` if nothing
/// changes.
fn refilled(parts: &[Part<'_>], text: &str, new: &str) -> Option<String> {
    let (mut refilled, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(range) = find_filled(parts, rest) {
        refilled.push_str(rest.get(..range.start)?);
        refilled.push_str(new);
        rest = rest.get(range.end..)?;
    }
    refilled.push_str(rest);
    (refilled != text).then_some(refilled)
}

/// The first place where a text has the parts of a rule, with whatever paths.
fn find_filled(parts: &[Part<'_>], text: &str) -> Option<Range<usize>> {
    let [Part::Text(first), _, ..] = parts else {
        return None;
    };
    let mut starts = text.match_indices(first.as_str()).map(|(at, _)| at);
    starts.find_map(|start| {
        let mut at = start;
        for part in parts {
            let rest = text.get(at..)?;
            at += match part {
                Part::Text(text) => rest.starts_with(text.as_str()).then_some(text.len())?,
                Part::File(name, _) => {
                    let end = rest.find(['\'', '"', '\n']).unwrap_or(rest.len());
                    let path = rest.get(..end)?;
                    let is_one = path.starts_with('/') && Path::new(path).ends_with(name);
                    is_one.then_some(end)?
                }
            };
        }
        Some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "[[replace]]\nname='r'\nreason='b'\nsource='c'\nfile=['p/x.py']\n\
        when='/sbin/ldconfig'\nold=['a(\"/sbin/ldconfig\", 1)', 'a(\"/sbin/ldconfig\")']\n\
        new='\"{driver_path}\"'\n";

    #[track_caller]
    fn check(text: &str, want: &str) {
        let rules = Rules::of_text(RULE).unwrap();
        let path = Path::new("/o/p/x.py");
        let named = NamedPaths {
            driver_path: Path::new("/drv"),
            lib_paths: &[],
        };
        let got = match rules.replace_in(path, text, named) {
            (Some((text, _)), faults) if faults.is_empty() => text,
            (None, faults) if faults.is_empty() => "nothing".to_owned(),
            (_, faults) => faults.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn known_texts_are_replaced_once_and_for_all() {
        check("x = a(\"/sbin/ldconfig\")", "x = \"/drv\"");
        check(
            "x = a(\"/sbin/ldconfig\", 1) + a(\"/sbin/ldconfig\", 1)",
            "x = \"/drv\" + \"/drv\"",
        );
        check("x = \"/drv\"", "nothing");
        check("x = \"/drv\" # not /sbin/ldconfig", "nothing");
        check("nothing of the kind", "nothing");
    }

    #[test]
    fn an_unknown_text_is_a_fault() {
        check(
            "x = b('/sbin/ldconfig')",
            "`/o/p/x.py` has none of the texts that rule `r` replaces\n  \
             expected: a(\"/sbin/ldconfig\", 1)\n  or: a(\"/sbin/ldconfig\")\n  why: b",
        );
    }

    #[test]
    fn rules_of_the_user_stand_for_shipped_ones() {
        let mut rules = Rules::of_text(RULE).unwrap();
        let mut own = Rules::of_text(&RULE.replace("a(", "b(")).unwrap().replace;
        for rule in &mut own {
            rule.file = Some(PathBuf::from("r.toml"));
        }
        rules.replace.extend(own);
        let path = Path::new("/o/p/x.py");
        let named = NamedPaths {
            driver_path: Path::new("/drv"),
            lib_paths: &[],
        };
        let (text, faults) = rules.replace_in(path, "b(\"/sbin/ldconfig\")", named);
        assert_eq!(text.unwrap().0, "\"/drv\"");
        assert!(faults.is_empty(), "{faults:?}");
        assert!(rules.unused_replacements([path].into_iter()).is_empty());
        assert_eq!(
            rules
                .unused_replacements([Path::new("/o/y.py")].into_iter())
                .len(),
            1
        );
    }

    #[test]
    fn a_library_is_named_by_its_path() {
        let rule = "[[replace]]\nname='r'\nreason='b'\nsource='c'\nfile=['x.py']\n\
            old=[\"dlopen('libx.so.1')\"]\nnew=\"dlopen('{lib:libx.so.1}') or '{bin:x}'\"\n";
        let rules = Rules::of_text(rule).unwrap();
        let temp = tempfile::tempdir().unwrap();
        let paths = ["none", "one", "two"].map(|name| temp.path().join(name));
        for path in &paths[1..] {
            for file in ["lib/libx.so.1", "bin/x"] {
                let file = path.join(file);
                fs_err::create_dir_all(file.parent().unwrap()).unwrap();
                fs_err::write(file, "").unwrap();
            }
        }
        let replace = |text: &str, lib_paths: &[PathBuf]| {
            let named = NamedPaths {
                driver_path: Path::new("/drv"),
                lib_paths,
            };
            let (new, faults) = rules.replace_in(Path::new("/o/x.py"), text, named);
            (new.map(|(text, _)| text), faults.len())
        };
        let old = "y = dlopen('libx.so.1')\n";
        let text = |path: &PathBuf| {
            let path = path.display();
            format!("y = dlopen('{path}/lib/libx.so.1') or '{path}/bin/x'\n")
        };
        let one = text(&paths[1]);
        assert_eq!(replace(old, &paths[..1]), (None, 0));
        assert_eq!(replace(old, &paths), (Some(one.clone()), 0));
        assert_eq!(replace(&one, &paths), (None, 0));
        assert_eq!(replace(&one, &paths[..1]), (None, 0));
        assert_eq!(replace(&one, &paths[2..]), (Some(text(&paths[2])), 0));
        let both = |path: &PathBuf| text(path) + &text(path);
        let mixed = text(&paths[1]) + &text(&paths[2]);
        for before in [both(&paths[1]), mixed] {
            assert_eq!(replace(&before, &paths[2..]), (Some(both(&paths[2])), 0));
        }
        assert_eq!(replace("y = 3\n", &paths), (None, 1));
    }
}
