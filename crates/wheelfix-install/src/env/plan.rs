//! The plan of an environment: every entry, before anything is written.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::env::generated::{GeneratedContent, GeneratedFile};
use crate::env::materialize::LinkMode;
use crate::env::merge::{Node, Source, What};
use crate::layout::join;

/// One entry of an environment; directories of its own are not listed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PlannedEntry {
    /// Relative to the prefix, with `/` as separator.
    pub path: String,
    /// The way in which it is made.
    pub action: EntryAction,
    /// Where it comes from: the file or directory of a prefix, or the wheel; for a link of the
    /// environment's own its target. `None` for its own texts.
    pub from: Option<PathBuf>,
}

/// The way in which an entry is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryAction {
    /// A link to a directory.
    LinkDirectory,
    /// A link to a file, or of a link.
    LinkFile,
    /// A copy.
    Copy,
    /// A second name.
    Hardlink,
    /// A copy that shares its blocks.
    Reflink,
    /// A script with a new first line.
    Script,
    /// A file of a wheel.
    Install,
    /// A file or link of the environment's own.
    Write,
}

impl EntryAction {
    /// The word that is printed.
    pub fn verb(self) -> &'static str {
        match self {
            Self::LinkDirectory => "link-dir",
            Self::LinkFile => "link",
            Self::Copy => "copy",
            Self::Hardlink => "hardlink",
            Self::Reflink => "reflink",
            Self::Script => "script",
            Self::Install => "install",
            Self::Write => "write",
        }
    }
}

/// Lists all entries, by path.
pub(crate) fn entries(
    nodes: &[Node],
    sources: &[Source],
    generated: &[GeneratedFile<'_>],
    link: LinkMode,
) -> Vec<PlannedEntry> {
    let mut lister = Lister {
        sources,
        generated,
        link,
        entries: Vec::new(),
    };
    lister.list("", nodes);
    lister.entries
}

struct Lister<'a> {
    sources: &'a [Source],
    generated: &'a [GeneratedFile<'a>],
    link: LinkMode,
    entries: Vec<PlannedEntry>,
}

impl Lister<'_> {
    fn list(&mut self, directory: &str, nodes: &[Node]) {
        for node in nodes {
            let path = join(directory, &node.name);
            let (action, from) = match &node.what {
                What::Directory(below) => {
                    self.list(&path, below);
                    continue;
                }
                What::Whole { source } => (EntryAction::LinkDirectory, self.of(*source, &path)),
                What::Link { source } => (EntryAction::LinkFile, self.of(*source, &path)),
                What::Script { source } => (EntryAction::Script, self.of(*source, &path)),
                What::File { source } => {
                    let action = match self.link {
                        LinkMode::Auto | LinkMode::Symlink => EntryAction::LinkFile,
                        LinkMode::Copy => EntryAction::Copy,
                        LinkMode::Hardlink => EntryAction::Hardlink,
                        LinkMode::Reflink => EntryAction::Reflink,
                    };
                    (action, self.of(*source, &path))
                }
                What::GeneratedFile { file } => self.generated(*file),
            };
            self.entries.push(PlannedEntry { path, action, from });
        }
    }

    fn of(&self, source: usize, path: &str) -> Option<PathBuf> {
        Some(self.sources.get(source)?.path.join(path))
    }

    fn generated(&self, file: usize) -> (EntryAction, Option<PathBuf>) {
        let Some(generated) = self.generated.get(file) else {
            return (EntryAction::Write, None);
        };
        if let GeneratedContent::Link(target) = &generated.content {
            return (EntryAction::Write, Some(target.clone()));
        }
        let source = self
            .sources
            .get(generated.source)
            .map(|source| source.path.as_path());
        match source.filter(|path| *path != Path::new("")) {
            Some(path) => (EntryAction::Install, Some(path.to_owned())),
            None => (EntryAction::Write, None),
        }
    }
}
