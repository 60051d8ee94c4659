//! Makes a merged tree in the staging directory, in parallel.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::symlink;
use rayon::prelude::*;
use serde::Serialize;

use crate::atomic::writer::write_new;
use crate::env::content::end_of_shebang;
use crate::env::fault::EnvFault;
use crate::env::generated::{GeneratedContent, GeneratedFile};
use crate::env::merge::{Node, Source, What};
use crate::launcher::{self, Interpreter};
use crate::layout::join;

/// How files of prefixes come into an environment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkMode {
    /// One link for a directory of one input, a link for each file where directories merge.
    #[default]
    Auto,
    /// A link for each file.
    Symlink,
    /// A copy of each file.
    Copy,
    /// A second name for each file; needs the same file system.
    Hardlink,
    /// A copy that shares its blocks; needs a file system that can do so.
    Reflink,
}

impl LinkMode {
    /// Whether the environment leads to the inputs.
    pub(crate) fn is_symbolic(self) -> bool {
        matches!(self, Self::Auto | Self::Symlink)
    }
}

/// The numbers of entries of an environment, by kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Directories of the environment itself.
    pub directories: usize,
    /// Links to directories that are taken whole.
    pub whole: usize,
    /// Files and links of prefixes.
    pub files: usize,
    /// Scripts with a new first line.
    pub scripts: usize,
    /// Files of wheels, and the environment's own.
    #[serde(rename = "made")]
    pub generated: usize,
}

impl Counts {
    /// Counts nodes and what is below them.
    pub(crate) fn of(nodes: &[Node]) -> Self {
        let mut counts = Self::default();
        for node in nodes {
            match &node.what {
                What::Directory(below) => {
                    let below = Self::of(below);
                    counts.directories += 1 + below.directories;
                    counts.whole += below.whole;
                    counts.files += below.files;
                    counts.scripts += below.scripts;
                    counts.generated += below.generated;
                }
                What::Whole { .. } => counts.whole += 1,
                What::File { .. } | What::Link { .. } => counts.files += 1,
                What::Script { .. } => counts.scripts += 1,
                What::GeneratedFile { .. } => counts.generated += 1,
            }
        }
        counts
    }
}

/// Makes nodes.
#[derive(Debug)]
pub(crate) struct Materializer<'a> {
    pub(crate) sources: &'a [Source],
    pub(crate) generated: &'a [GeneratedFile<'a>],
    /// The number of files of `made` that the installation writes: those before this position.
    pub(crate) installed: usize,
    /// The staging directory.
    pub(crate) root: &'a Path,
    /// Where it will be.
    pub(crate) prefix: &'a Path,
    pub(crate) mode: LinkMode,
    /// The interpreter of scripts.
    pub(crate) interpreter: &'a Interpreter,
}

impl Materializer<'_> {
    /// Makes the entries of a directory that exists.
    pub(crate) fn make(&self, directory: &str, nodes: &[Node]) -> Result<(), EnvFault> {
        let (directories, entries): (Vec<&Node>, Vec<&Node>) = nodes
            .iter()
            .partition(|node| matches!(node.what, What::Directory(_)));
        let one = |node: &&Node| self.one(directory, node);
        // A directory takes one new name at a time: threads that make links in it would only wait.
        let entries = || {
            if self.mode.is_symbolic() {
                entries.iter().try_for_each(one)
            } else {
                entries.par_iter().with_min_len(16).try_for_each(one)
            }
        };
        let (generated, below) = rayon::join(entries, || directories.par_iter().try_for_each(one));
        generated.and(below)
    }

    /// Makes an entry, and what is below it.
    fn one(&self, directory: &str, node: &Node) -> Result<(), EnvFault> {
        let path = join(directory, &node.name);
        match &node.what {
            What::Directory(below) => {
                self.directory(&path)?;
                self.make(&path, below)
            }
            What::GeneratedFile { file } => self.own(*file),
            What::Whole { source }
            | What::File { source }
            | What::Link { source }
            | What::Script { source } => {
                let result = self.taken(&path, &node.what, *source);
                result.map_err(|error| self.explain(error, *source))
            }
        }
    }

    /// Checks that everything the environment leads to is still there.
    pub(crate) fn check(&self, directory: &str, nodes: &[Node]) -> Result<(), EnvFault> {
        nodes.par_iter().with_min_len(64).try_for_each(|node| {
            let path = join(directory, &node.name);
            match &node.what {
                What::Directory(below) => self.check(&path, below),
                What::GeneratedFile { .. } => Ok(()),
                What::Whole { source }
                | What::File { source }
                | What::Link { source }
                | What::Script { source } => {
                    let there = fs::symlink_metadata(self.disk(*source, &path));
                    there
                        .map(drop)
                        .map_err(|error| self.explain(error, *source))
                }
            }
        })
    }

    fn disk(&self, source: usize, path: &str) -> PathBuf {
        let root = self.sources.get(source).map(|source| &source.path);
        root.map(|root| root.join(path)).unwrap_or_default()
    }

    /// Turns an error into a fault: where a whole input is gone, that is the fault, not the file in
    /// it.
    fn explain(&self, error: io::Error, source: usize) -> EnvFault {
        let root = self.sources.get(source).map(|source| &source.path);
        match root {
            Some(root) if error.kind() == io::ErrorKind::NotFound && !root.is_dir() => {
                EnvFault::Vanished(root.clone())
            }
            _ => error.into(),
        }
    }

    /// Makes a directory, unless the installation has made it.
    fn directory(&self, path: &str) -> io::Result<()> {
        match fs::create_dir(self.root.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            result => result,
        }
    }

    /// Makes a file of the environment's own.
    fn own(&self, file: usize) -> Result<(), EnvFault> {
        let Some(generated) = self.generated.get(file).filter(|_| self.installed <= file) else {
            return Ok(());
        };
        let path = self.root.join(&generated.path);
        match &generated.content {
            GeneratedContent::Text { text, executable } => {
                write_new(&path, text.as_bytes(), *executable)?;
            }
            GeneratedContent::Link(target) => symlink(target, &path)?,
            GeneratedContent::Member { .. } | GeneratedContent::Record => {}
        }
        Ok(())
    }

    /// Takes something from a source.
    fn taken(&self, path: &str, what: &What, source: usize) -> io::Result<()> {
        let from = self.disk(source, path);
        let to = self.root.join(path);
        match (what, self.mode) {
            (What::Script { .. }, _) => self.script(&from, &to),
            (What::Whole { .. }, _) | (_, LinkMode::Auto | LinkMode::Symlink) => symlink(from, to),
            (What::Link { .. }, _) => symlink(self.target(&from, source)?, to),
            (_, LinkMode::Copy) => copy(&from, &to),
            (_, LinkMode::Hardlink) => fs::hard_link(from, to),
            (_, LinkMode::Reflink) => reflink(&from, &to),
        }
    }

    /// The target for a copy of a link: a relative one within its source stays as it is, so that it
    /// leads to the copy of its target.
    fn target(&self, link: &Path, source: usize) -> io::Result<PathBuf> {
        let text = fs::read_link(link)?;
        let root = self.sources.get(source).map(|source| source.path.as_path());
        let root = root.unwrap_or(Path::new("/"));
        let absolute = resolve(&link.parent().unwrap_or(root).join(&text));
        Ok(match absolute.strip_prefix(root) {
            Ok(_) if text.is_relative() => text,
            Ok(inside) => self.prefix.join(inside),
            Err(_) => absolute,
        })
    }

    fn script(&self, from: &Path, to: &Path) -> io::Result<()> {
        write_new(to, &renewed_script(from, self.interpreter)?, true)
    }
}

/// A Python script with the interpreter's first line.
pub(crate) fn renewed_script(path: &Path, interpreter: &Interpreter) -> io::Result<Vec<u8>> {
    let old = fs::read(path)?;
    let mut text = launcher::shebang(interpreter).into_bytes();
    let rest = end_of_shebang(&old).and_then(|end| old.get(end..));
    text.extend_from_slice(rest.unwrap_or(&old));
    Ok(text)
}

/// Resolves `.` and `..` by name.
fn resolve(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

/// Copies a file; of its mode only whether it can be run.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    normalise_mode(from, to)
}

fn normalise_mode(from: &Path, to: &Path) -> io::Result<()> {
    let executable = fs::metadata(from)?.permissions().mode() & 0o111 != 0;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(to, std::fs::Permissions::from_mode(mode))
}

fn reflink(from: &Path, to: &Path) -> io::Result<()> {
    let source = fs::File::open(from)?;
    let target = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(to)?;
    rustix::fs::ioctl_ficlone(target.file(), source.file()).map_err(|error| {
        let name = to
            .file_name()
            .map(OsStr::to_string_lossy)
            .unwrap_or_default();
        let text = format!(
            "failed to share the blocks of `{}` with `{name}`: {error}",
            from.display()
        );
        io::Error::new(io::Error::from(error).kind(), text)
    })?;
    normalise_mode(from, to)
}
