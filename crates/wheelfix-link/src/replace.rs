//! Texts of Python sources that name places which Nix does not have, and their replacements.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::fault::Fault;
use crate::rules::{Replace, Rule, Rules};

/// The placeholder for the driver path in the new text of a rule.
const DRIVER_PATH: &str = "{driver_path}";

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

    /// The source at `path` with the texts of the rules replaced; `None` if nothing changes. A fault
    /// for each rule that does not know the text.
    pub fn replace_in(
        &self,
        path: &Path,
        text: &str,
        driver_path: &Path,
    ) -> (Option<(String, Vec<String>)>, Vec<Fault>) {
        let (mut new, mut names, mut faults) = (text.to_owned(), Vec::new(), Vec::new());
        for rule in self.replacements(path) {
            match replaced(&rule.body, &new, driver_path) {
                Replaced::Nothing => {}
                Replaced::Text(text) => {
                    new = text;
                    names.push(rule.name.clone());
                }
                Replaced::Unknown => faults.push(Fault::ChangedSource {
                    path: path.to_path_buf(),
                    rule: rule.name.clone(),
                    expected: rule.body.old.clone(),
                    reason: rule.reason.clone(),
                }),
            }
        }
        ((!names.is_empty()).then_some((new, names)), faults)
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
                faults.push(Fault::UnusedRule {
                    name: rule.name.clone(),
                    file: file.clone(),
                });
            }
        }
        faults
    }
}

fn replaced(rule: &Replace, text: &str, driver_path: &Path) -> Replaced {
    let is_about = rule.when.as_ref().is_none_or(|when| text.contains(when));
    if rule.old.is_empty() || !is_about {
        return Replaced::Nothing;
    }
    let new = rule
        .new
        .replace(DRIVER_PATH, &driver_path.to_string_lossy());
    // The new text may hold the old one, so it comes first.
    if !new.is_empty() && text.contains(&new) {
        return Replaced::Nothing;
    }
    match rule.old.iter().find(|old| text.contains(*old)) {
        Some(old) => Replaced::Text(text.replace(old, &new)),
        None => Replaced::Unknown,
    }
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
        let got = match rules.replace_in(path, text, Path::new("/drv")) {
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
        let (text, faults) = rules.replace_in(path, "b(\"/sbin/ldconfig\")", Path::new("/drv"));
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
}
