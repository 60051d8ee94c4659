//! The table in which Python code of an environment finds the libraries that it opens by name.

use wheelfix_link::{LibraryTable, PythonSource, Tree, TreeError, is_test};

use crate::env::fault::EnvFault;
use crate::env::generated::{GeneratedContent, GeneratedFile};
use crate::env::materialize::LinkMode;
use crate::env::merge::{Node, Source, What};
use crate::env::planner::{EnvPlan, EnvPlanner};
use crate::env::record::entries;
use crate::install::library_table::TableParts;
use crate::layout::{Layout, join};

/// The parts of the table; `None` if none is made.
pub(crate) fn parts<'a>(
    planner: &EnvPlanner<'a>,
    decided: &EnvPlan<'_>,
) -> Result<Option<TableParts<'a>>, TreeError> {
    let installation = &planner.request.installation;
    let Some(libraries) = installation
        .libraries
        .as_ref()
        .filter(|_| installation.library_table)
    else {
        return Ok(None);
    };
    let mut known = LibraryTable::default();
    for prefix in &planner.inputs.prefixes {
        let site_packages = prefix.path.join(planner.layout.site_packages());
        known.extend(LibraryTable::in_directory(&site_packages));
    }
    Ok(Some(TableParts {
        lib_paths: &libraries.lib_paths,
        // What is not linked anew is found as before.
        sources: if libraries.lib_paths.is_empty() {
            Vec::new()
        } else {
            sources(decided)?
        },
        known,
    }))
}

/// The Python sources of the prefixes, those of tests aside: their names are in no table.
fn sources(decided: &EnvPlan<'_>) -> Result<Vec<PythonSource>, TreeError> {
    let python = decided.python.iter();
    let python = python.filter(|(path, _)| !is_test(path.as_ref()));
    let paths = python.map(|(path, source)| {
        let disk = decided.disk(*source, path);
        (disk.clone(), disk)
    });
    Ok(Tree::read(paths.collect())?.sources)
}

/// The places of the files that make Python ask the table, in the entries of an environment.
#[derive(Debug)]
pub(crate) struct Place<'p> {
    sources: &'p [Source],
    layout: &'p Layout,
    /// Whether directories are taken whole.
    whole: bool,
}

impl<'p> Place<'p> {
    /// The places in an environment of these sources.
    pub(crate) fn of(planner: &EnvPlanner<'p>, sources: &'p [Source]) -> Self {
        Self {
            sources,
            layout: planner.layout,
            whole: planner.request.link == LinkMode::Auto,
        }
    }

    /// Adds the files; directories that they lie in become the environment's own. Returns how many files of
    /// directories that were taken whole are entries of their own now.
    pub(crate) fn add(
        &self,
        texts: impl IntoIterator<Item = (String, String)>,
        nodes: &mut Vec<Node>,
        generated: &mut Vec<GeneratedFile<'_>>,
    ) -> Result<usize, EnvFault> {
        let site_packages = self.layout.site_packages();
        let mut apart = 0;
        let Some(site) = self.open(nodes, "", &site_packages, &mut apart)? else {
            return Ok(apart);
        };
        for (name, text) in texts {
            let what = What::GeneratedFile {
                file: generated.len(),
            };
            generated.push(GeneratedFile {
                path: join(&site_packages, &name),
                source: 0,
                content: GeneratedContent::Text {
                    text,
                    executable: false,
                },
            });
            site.retain(|node| node.name != name);
            site.push(Node { name, what });
        }
        site.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        // Bytecode is written there.
        if site.iter().any(|node| node.name == CACHE) {
            self.open(site, &site_packages, CACHE, &mut apart)?;
        }
        Ok(apart)
    }

    /// The entries of a directory, which is the environment's own then; `None` if there is something else in its place.
    fn open<'n>(
        &self,
        mut nodes: &'n mut Vec<Node>,
        above: &str,
        path: &str,
        apart: &mut usize,
    ) -> Result<Option<&'n mut Vec<Node>>, EnvFault> {
        let mut at = above.to_owned();
        for name in path.split('/') {
            at = join(&at, name);
            if !nodes.iter().any(|node| node.name == name) {
                nodes.push(Node {
                    name: name.to_owned(),
                    what: What::Directory(Vec::new()),
                });
                nodes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            }
            let Some(node) = nodes.iter_mut().find(|node| node.name == name) else {
                return Ok(None);
            };
            if let What::Whole { source } | What::Link { source } = node.what {
                let is_whole = matches!(node.what, What::Whole { .. });
                let root = self.sources.get(source).map(|source| source.path.as_path());
                let below = entries(root.unwrap_or("/".as_ref()), source, &at, self.whole)?;
                let is_file = |node: &&Node| !matches!(node.what, What::Whole { .. });
                *apart += below.iter().filter(|_| is_whole).filter(is_file).count();
                node.what = What::Directory(below);
            }
            let What::Directory(below) = &mut node.what else {
                return Ok(None);
            };
            nodes = below;
        }
        Ok(Some(nodes))
    }
}

/// The directory of bytecode.
const CACHE: &str = "__pycache__";
