//! `test-wheels/corpus.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::manifest::{self, Listed};

/// The projects, and all wheels that they and their siblings are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Corpus {
    /// The CPython that the wheels are chosen for.
    pub(crate) python: String,
    #[serde(rename = "project")]
    pub(crate) projects: Vec<Project>,
    #[serde(rename = "wheel")]
    pub(crate) wheels: Vec<Listed>,
}

/// A wheel, what it may use, and how to tell whether it works.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    /// The normalised name.
    pub(crate) name: String,
    /// The field that it was drawn for, like `geo`.
    pub(crate) kind: String,
    /// The file name of its wheel.
    pub(crate) wheel: String,
    /// The file names of the wheels that its METADATA asks for, dependencies first.
    #[serde(default)]
    pub(crate) siblings: Vec<String>,
    /// Whether `cargo xtask test` judges it, too.
    #[serde(default)]
    pub(crate) small: bool,
    /// Python that uses its main library.
    #[serde(default)]
    pub(crate) line: Option<String>,
    /// Instead of a line: a program below the prefix, with arguments.
    #[serde(default)]
    pub(crate) program: Vec<String>,
    /// The main library, relative to site-packages or to the prefix: without it the line fails. `None` for wheels without ELF files.
    #[serde(default)]
    pub(crate) library: Option<String>,
    /// Sonames that its main library needs from the bed, compilers' runtimes aside: it is installed without them, too.
    #[serde(default)]
    pub(crate) libraries: Vec<String>,
}

impl Corpus {
    /// Reads the list, and checks that its parts fit together.
    pub(crate) fn read() -> Result<Self> {
        let corpus: Self = manifest::parse("test-wheels/corpus.toml")?;
        let listed = corpus.by_file();
        for project in &corpus.projects {
            if let Some(file) = project.files().find(|file| !listed.contains_key(file)) {
                return Err(
                    format!("`{file}` of `{}` is not listed as a wheel", project.name).into(),
                );
            }
            if project.line.is_some() != project.program.is_empty() {
                return Err(format!("`{}` needs either a line or a program", project.name).into());
            }
        }
        Ok(corpus)
    }

    /// The wheels by the names of their files.
    pub(crate) fn by_file(&self) -> BTreeMap<&str, &Listed> {
        let entries = self.wheels.iter();
        entries.map(|wheel| (wheel.file.as_str(), wheel)).collect()
    }
}

impl Project {
    /// The files of its siblings and its own, in the order of installation.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let siblings = self.siblings.iter().map(String::as_str);
        siblings.chain([self.wheel.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_corpus_has_the_sizes_that_are_promised() {
        let corpus = Corpus::read().unwrap();
        let count = |filter: &dyn Fn(&Project) -> bool| {
            corpus
                .projects
                .iter()
                .filter(|project| filter(project))
                .count()
        };
        assert!(corpus.projects.len() >= 300);
        assert!(count(&|project| project.library.is_some()) >= 220);
        assert!(count(&|project| !project.libraries.is_empty()) >= 30);
        assert!(count(&|project| !project.program.is_empty()) >= 25);
        assert!(count(&|project| project.small) >= 40);
        let names: BTreeSet<&str> = corpus
            .projects
            .iter()
            .map(|project| project.name.as_str())
            .collect();
        assert_eq!(names.len(), corpus.projects.len());
    }

    #[test]
    fn no_wheel_is_listed_that_no_project_uses() {
        let corpus = Corpus::read().unwrap();
        let used: BTreeSet<&str> = corpus.projects.iter().flat_map(Project::files).collect();
        let listed: BTreeSet<&str> = corpus.by_file().into_keys().collect();
        assert_eq!(used, listed);
    }
}
