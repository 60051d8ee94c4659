//! RECORDs of prefixes that would not be true in an environment: of scripts that get a new first line,
//! and of files that lose to others.
//!
//! Such a RECORD becomes a file of the environment's own, with what is true there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wheelfix_format::RecordHash;

use crate::digest::FileDigest;
use crate::env::distribution::{Distribution, read_record, source_of_bytecode};
use crate::env::fault::EnvFault;
use crate::env::generated::{GeneratedContent, GeneratedFile};
use crate::env::listing::{EntryKind, is_left_out, list};
use crate::env::materialize::renewed_script;
use crate::env::merge::{Node, What};
use crate::launcher::Interpreter;
use crate::layout::{Layout, join};

/// The differences of an environment from its inputs. Paths are relative to `site-packages`.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    scripts: BTreeMap<String, FileDigest>,
    /// Files and directories that are not there, by source.
    shadowed: BTreeMap<usize, BTreeSet<String>>,
}

impl Changes {
    /// Notes the scripts in `bin`; `root` says where a source lies.
    pub(crate) fn scripts<'a>(
        &mut self,
        nodes: &[Node],
        root: impl Fn(usize) -> &'a Path,
        interpreter: &Interpreter,
        layout: &Layout,
    ) -> Result<(), EnvFault> {
        let bin = nodes.iter().find(|node| node.name == "bin");
        let Some(What::Directory(programs)) = bin.map(|node| &node.what) else {
            return Ok(());
        };
        for program in programs {
            if let What::Script { source } = program.what {
                let path = join("bin", &program.name);
                let text = renewed_script(&root(source).join(&path), interpreter)?;
                let digest = FileDigest::of_bytes(&text);
                let path = layout.from_site_packages(&path);
                self.scripts.insert(path, digest);
            }
        }
        Ok(())
    }

    /// Notes files and directories that are not there since others have their place: source, and
    /// path.
    pub(crate) fn shadowed(&mut self, shadowed: &[(usize, String)], layout: &Layout) {
        for (source, path) in shadowed {
            let shadowed = self.shadowed.entry(*source).or_default();
            shadowed.insert(layout.from_site_packages(path));
        }
    }

    fn is_lost(&self, source: usize, path: &str) -> bool {
        let is_named = |path: &str| {
            let shadowed = self.shadowed.get(&source);
            shadowed.is_some_and(|shadowed| {
                let mut above = path;
                loop {
                    if shadowed.contains(above) {
                        return true;
                    }
                    match above.rsplit_once('/') {
                        Some((parent, _)) => above = parent,
                        None => return false,
                    }
                }
            })
        };
        is_named(path) || source_of_bytecode(path).is_some_and(|path| is_named(&path))
    }

    /// The RECORD of a distribution as it is in the environment; `None` if it is true as it is.
    fn renewed(
        &self,
        distribution: &Distribution,
        prefix: &Path,
    ) -> Result<Option<String>, EnvFault> {
        let source = distribution.source;
        let may_have_scripts = || !self.scripts.is_empty() && prefix.join("bin").is_dir();
        if !self.shadowed.contains_key(&source) && !may_have_scripts() {
            return Ok(None);
        }
        let mut record = read_record(&distribution.path)?;
        let before = record.clone();
        record.rows.retain(|row| !self.is_lost(source, &row.path));
        for row in &mut record.rows {
            if let Some(digest) = self.scripts.get(&row.path)
                && row.hash.is_some()
            {
                row.hash = Some(RecordHash::sha256(digest.sha256));
                row.size = Some(digest.len);
            }
        }
        Ok((record != before).then(|| record.to_string()))
    }
}

/// Replaces the RECORDs that are not true among the entries of an environment; returns how many files
/// of directories that were taken whole are entries of their own now.
pub(crate) fn renew(
    nodes: &mut [Node],
    generated: &mut Vec<GeneratedFile<'_>>,
    changes: &Changes,
    distributions: &[Distribution],
    layout: &Layout,
) -> Result<usize, EnvFault> {
    let mut files = 0;
    for distribution in distributions {
        let name = distribution.path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| name.ends_with(".dist-info")) else {
            continue;
        };
        let root = prefix_of(&distribution.path, layout);
        let Some(text) = changes.renewed(distribution, root)? else {
            continue;
        };
        let path = format!("{}/{name}/RECORD", layout.site_packages());
        let source = distribution.source;
        let mut place = Place {
            root,
            source,
            file: generated.len(),
            files: &mut files,
        };
        if place.take(nodes, "", &path)? {
            generated.push(GeneratedFile {
                path,
                source: 0,
                content: GeneratedContent::Text {
                    text,
                    executable: false,
                },
            });
        }
    }
    Ok(files)
}

/// The prefix that a `.dist-info` directory belongs to.
fn prefix_of<'a>(dist_info: &'a Path, layout: &Layout) -> &'a Path {
    let depth = layout.site_packages().split('/').count() + 1;
    dist_info.ancestors().nth(depth).unwrap_or(dist_info)
}

/// A file of a prefix that is to be one of the environment's own.
struct Place<'a> {
    /// The prefix.
    root: &'a Path,
    source: usize,
    /// Position of the file that takes its place.
    file: usize,
    /// Counts files of directories that are no longer taken whole.
    files: &'a mut usize,
}

impl Place<'_> {
    /// Puts the file in its place below a directory; directories on the way that are taken whole become
    /// the environment's own. False if what is there comes from somewhere else.
    fn take(&mut self, nodes: &mut [Node], directory: &str, rest: &str) -> Result<bool, EnvFault> {
        let (name, below) = rest
            .split_once('/')
            .map_or((rest, None), |(name, below)| (name, Some(below)));
        let Some(node) = nodes.iter_mut().find(|node| node.name == name) else {
            return Ok(false);
        };
        let path = join(directory, name);
        let Some(below) = below else {
            let is_ours = node.what
                == What::File {
                    source: self.source,
                }
                || node.what
                    == What::Link {
                        source: self.source,
                    };
            if is_ours {
                node.what = What::GeneratedFile { file: self.file };
            }
            return Ok(is_ours);
        };
        let source = self.source;
        if node.what == (What::Whole { source }) {
            let nodes = entries(self.root, source, &path, true)?;
            let is_file = |node: &&Node| !matches!(node.what, What::Whole { .. });
            *self.files += nodes.iter().filter(is_file).count();
            node.what = What::Directory(nodes);
        } else if node.what == (What::Link { source }) {
            node.what = What::Directory(entries(self.root, source, &path, false)?);
        }
        match &mut node.what {
            What::Directory(nodes) => self.take(nodes, &path, below),
            _ => Ok(false),
        }
    }
}

/// The entries of a directory of a prefix, or of one that a link of it leads to; whether directories in it are taken
/// whole.
pub(crate) fn entries(
    root: &Path,
    source: usize,
    path: &str,
    whole: bool,
) -> Result<Vec<Node>, EnvFault> {
    let mut faults = Vec::new();
    let listed = list(&root.join(path), &mut faults);
    if let Some(fault) = faults.into_iter().next() {
        return Err(fault);
    }
    let listed = listed
        .into_iter()
        .filter(|entry| !is_left_out(path, &entry.name));
    let nodes = listed.map(|entry| {
        let what = match entry.kind {
            EntryKind::Directory | EntryKind::DirectoryLink if whole => What::Whole { source },
            EntryKind::Directory => {
                What::Directory(entries(root, source, &join(path, &entry.name), whole)?)
            }
            EntryKind::File => What::File { source },
            EntryKind::FileLink | EntryKind::DirectoryLink => What::Link { source },
        };
        let name = entry.name;
        Ok(Node { name, what })
    });
    nodes.collect()
}
