//! Who needs whom, as a picture: boxes as large as the libraries, in the language of Graphviz.
//!
//! <https://graphviz.org/doc/info/lang.html>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use wheelfix_loader::{FileView, Outcome, Process, Target, Trace, normalize};

use crate::proof::simulation::Simulation;
use crate::rules::dlopen_dependency::dependencies;
use crate::rules::{Rules, any_matches};
use crate::tree::Tree;

/// Libraries and what leads from one to another.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: BTreeMap<Id, Node>,
    edges: BTreeMap<(Id, Id), Kind>,
}

/// A file by its path, or a library that is not there by its name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Id {
    File(PathBuf),
    Name(String),
}

/// One box.
#[derive(Clone, Debug)]
pub struct Node {
    /// File names; several if they differ in nothing that is drawn.
    pub names: Vec<String>,
    /// Size of the files in bytes.
    pub len: u64,
    /// The package that it belongs to, or its directory. `None` for a library that is not there.
    pub group: Option<String>,
}

/// The kind of an edge.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Needed, and a file of the output.
    Found,
    /// Needed, and a file elsewhere.
    Sibling,
    /// Opened at run time, and there.
    Opened,
    /// Left to the driver.
    Driver,
    /// Nowhere.
    Missing,
}

impl Graph {
    /// The graph of all that the objects of a tree need and open, as the loader finds it. The C
    /// library is left out.
    pub fn new(tree: &Tree, view: &FileView, target: &Target, rules: &Rules) -> Self {
        let base = Process::new(view, target, rules, Trace::default());
        let objects: Vec<_> = tree.objects().collect();
        let simulations = objects
            .par_iter()
            .map(|object| Simulation::new(object, &base));
        let parts = simulations.map(|simulation| {
            let graph = Self::default();
            Drawer { graph, tree, rules }.draw(&simulation)
        });
        let parts: Vec<Self> = parts.collect();
        let mut graph = Self::default();
        for part in parts {
            graph.nodes.extend(part.nodes);
            graph.edges.extend(part.edges);
        }
        graph.join_twins();
        graph.reduce();
        graph
    }

    /// The boxes, in the order of their paths.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// The edges: from which box to which, by their numbers in [`Self::nodes`].
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize, Kind)> {
        let numbers = self.numbers();
        let edges = self.edges.iter();
        edges.filter_map(move |((from, to), kind)| {
            Some((*numbers.get(from)?, *numbers.get(to)?, *kind))
        })
    }

    fn numbers(&self) -> BTreeMap<&Id, usize> {
        self.nodes.keys().zip(0..).collect()
    }

    fn add(&mut self, path: &Path, file: &Path) -> Id {
        let id = Id::File(path.to_path_buf());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.nodes.entry(id.clone()).or_insert_with(|| Node {
            names: vec![name.into_owned()],
            len: fs_err::metadata(file).map_or(0, |file| file.len()),
            group: Some(group(path)),
        });
        id
    }

    fn absent(&mut self, name: &str) -> Id {
        let id = Id::Name(name.to_owned());
        self.nodes.entry(id.clone()).or_insert_with(|| Node {
            names: vec![name.to_owned()],
            len: 0,
            group: None,
        });
        id
    }

    /// Makes one box of those that nobody needs and that need the same, in one group: extension
    /// modules, mostly.
    fn join_twins(&mut self) {
        let needed: BTreeSet<Id> = self.edges.keys().map(|(_, to)| to.clone()).collect();
        let mut needs: BTreeMap<&Id, Vec<(Id, Kind)>> = BTreeMap::new();
        for ((from, to), kind) in &self.edges {
            needs.entry(from).or_default().push((to.clone(), *kind));
        }
        let mut twins: BTreeMap<_, Vec<Id>> = BTreeMap::new();
        for (id, node) in &self.nodes {
            if !needed.contains(id) && node.group.is_some() {
                let key = (node.group.clone(), needs.get(id).cloned());
                twins.entry(key).or_default().push(id.clone());
            }
        }
        for ids in twins.into_values() {
            let Some((first, others)) = ids.split_first() else {
                continue;
            };
            for other in others {
                let Some(gone) = self.nodes.remove(other) else {
                    continue;
                };
                self.edges.retain(|(from, _), _| from != other);
                if let Some(node) = self.nodes.get_mut(first) {
                    node.names.extend(gone.names);
                    node.len = node.len.saturating_add(gone.len);
                }
            }
        }
    }

    /// Removes each edge to a library that another edge leads to anyway.
    fn reduce(&mut self) {
        let mut next: BTreeMap<&Id, BTreeSet<&Id>> = BTreeMap::new();
        for ((from, to), kind) in &self.edges {
            if matches!(kind, Kind::Found | Kind::Sibling) {
                next.entry(from).or_default().insert(to);
            }
        }
        let reach: BTreeMap<&Id, BTreeSet<&Id>> =
            next.keys().map(|id| (*id, reachable(id, &next))).collect();
        let reaches = |from: &Id, to: &Id| reach.get(from).is_some_and(|all| all.contains(to));
        let is_roundabout = |from: &Id, to: &Id| {
            let mut ways = next.get(from).into_iter().flatten();
            ways.any(|way| *way != to && reaches(way, to) && !reaches(to, way))
        };
        let gone: Vec<(Id, Id)> = self
            .edges
            .iter()
            .filter(|((from, to), kind)| {
                matches!(kind, Kind::Found | Kind::Sibling) && is_roundabout(from, to)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.edges.remove(&key);
        }
    }
}

/// Draws one object with what it needs and opens.
struct Drawer<'a> {
    graph: Graph,
    tree: &'a Tree,
    rules: &'a Rules,
}

impl Drawer<'_> {
    fn draw(mut self, simulation: &Simulation<'_>) -> Graph {
        let (object, process) = (simulation.object, &simulation.process);
        let from = self.graph.add(&object.path, &object.file);
        let loaded = simulation.root.and_then(|root| process.loaded.get(root));
        let Some(loaded) = loaded else {
            return self.graph;
        };
        for (name, outcome) in loaded.object.needs().zip(&loaded.needed) {
            if let Some((to, kind)) = self.target(name, process, outcome) {
                self.graph.edges.insert((from.clone(), to), kind);
            }
        }
        for edge in dependencies(self.rules, object) {
            for name in edge.alternatives.iter().filter(|name| name.is_literal()) {
                let mut process = process.clone();
                let outcome = process.open(simulation.root, name.text());
                let (to, kind) = match self.target(name.text(), &process, &outcome) {
                    Some((to, Kind::Found | Kind::Sibling)) => (to, Kind::Opened),
                    Some((to, Kind::Driver)) => (to, Kind::Driver),
                    _ => continue,
                };
                self.graph.edges.entry((from.clone(), to)).or_insert(kind);
            }
        }
        self.graph.edges.retain(|(from, to), _| from != to);
        let drawn: BTreeSet<Id> = self.graph.edges.keys().map(|(_, to)| to.clone()).collect();
        let nodes = &mut self.graph.nodes;
        nodes.retain(|id, _| *id == from || drawn.contains(id));
        self.graph
    }

    /// The box that a name leads to. `None` for the C library.
    fn target(
        &mut self,
        name: &str,
        process: &Process<'_>,
        outcome: &Outcome,
    ) -> Option<(Id, Kind)> {
        let mut libc = self.rules.libc.iter();
        if libc.any(|rule| any_matches(&rule.body.soname, name)) {
            return None;
        }
        match outcome {
            Outcome::Loaded(index) => {
                let loaded = process.loaded.get(*index)?;
                let path = normalize(Path::new(&loaded.path));
                let (path, kind) = match self.tree.get(&path) {
                    Some(object) => (object.path.clone(), Kind::Found),
                    None => (path, Kind::Sibling),
                };
                Some((self.graph.add(&path, &loaded.object.file), kind))
            }
            Outcome::Driver(_) => Some((self.graph.absent(name), Kind::Driver)),
            Outcome::Libc(_) => None,
            Outcome::Missing | Outcome::Fatal(_) => Some((self.graph.absent(name), Kind::Missing)),
        }
    }
}

/// Everything behind a box.
fn reachable<'a>(from: &'a Id, next: &BTreeMap<&'a Id, BTreeSet<&'a Id>>) -> BTreeSet<&'a Id> {
    let mut seen = BTreeSet::new();
    let mut pending = vec![from];
    while let Some(at) = pending.pop() {
        for to in next.get(at).into_iter().flatten() {
            if seen.insert(*to) {
                pending.push(to);
            }
        }
    }
    seen
}

/// The package that a file belongs to, or its directory.
fn group(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let site = parts.iter().rposition(|part| part == "site-packages");
    let inside = site.and_then(|at| parts.get(at + 1..parts.len() - 1));
    match inside {
        Some([space, package, ..]) if space == "nvidia" => format!("{space}/{package}"),
        Some([package, ..]) => package.trim_end_matches(".libs").to_owned(),
        Some([]) => "site-packages".to_owned(),
        None => path
            .parent()
            .map_or_else(String::new, |parent| parent.display().to_string()),
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "digraph libraries {{")?;
        writeln!(
            f,
            "  graph [rankdir=LR, ranksep=1.2, nodesep=0.12, fontname=\"Helvetica\", fontsize=20, \
             labelloc=b, label={}];",
            legend()
        )?;
        writeln!(
            f,
            "  node [shape=box, style=filled, fillcolor=\"#f4f4f4\", color=\"#888888\", \
             fontname=\"Helvetica\", fontsize=14, margin=\"0.08,0.04\"];"
        )?;
        writeln!(f, "  edge [arrowsize=0.6];")?;
        let numbers = self.numbers();
        let mut groups: BTreeMap<&Option<String>, Vec<&Id>> = BTreeMap::new();
        for (id, node) in &self.nodes {
            groups.entry(&node.group).or_default().push(id);
        }
        for ((group, ids), number) in groups.into_iter().zip(0..) {
            if let Some(group) = group {
                writeln!(f, "  subgraph cluster_{number} {{")?;
                writeln!(
                    f,
                    "    label={}; labelloc=t; style=rounded; color=\"#bbbbbb\"; bgcolor=\"#fcfcfc\";",
                    quoted(group)
                )?;
            }
            for id in ids {
                if let (Some(node), Some(number)) = (self.nodes.get(id), numbers.get(id)) {
                    self.fmt_node(f, id, node, *number)?;
                }
            }
            if group.is_some() {
                writeln!(f, "  }}")?;
            }
        }
        for (from, to, kind) in self.edges() {
            writeln!(f, "  n{from} -> n{to} [{}];", kind.style())?;
        }
        writeln!(f, "}}")
    }
}

impl Graph {
    fn fmt_node(
        &self,
        f: &mut fmt::Formatter<'_>,
        id: &Id,
        node: &Node,
        number: usize,
    ) -> fmt::Result {
        let name = match node.names.as_slice() {
            [name] => name.clone(),
            [first, .., last] => {
                let count = node.names.len();
                format!("{count} modules alike\n{first}\n… {last}")
            }
            [] => String::new(),
        };
        let (size, label) = match id {
            Id::File(_) => (side(node.len), format!("{name}\n{}", bytes(node.len))),
            Id::Name(_) => (0.3, name),
        };
        let colour = match id {
            Id::File(_) => "",
            Id::Name(_) => {
                let mut to_it = self.edges.iter().filter(|((_, to), _)| to == id);
                if to_it.any(|(_, kind)| *kind == Kind::Missing) {
                    ", fillcolor=\"#ffd6d6\", color=\"#cc0000\""
                } else {
                    ", fillcolor=\"#eadcf8\", color=\"#7a3fb0\""
                }
            }
        };
        writeln!(
            f,
            "    n{number} [label={}, width={size:.2}, height={size:.2}{colour}, tooltip={}];",
            quoted(&label),
            quoted(&node.names.join("\n"))
        )
    }
}

impl Kind {
    fn colour(self) -> &'static str {
        match self {
            Self::Found => "#2e7d32",
            Self::Sibling => "#1565c0",
            Self::Opened => "#8d6e00",
            Self::Driver => "#7a3fb0",
            Self::Missing => "#cc0000",
        }
    }

    fn style(self) -> String {
        let line = match self {
            Self::Found | Self::Sibling => "",
            Self::Opened => ", style=dashed",
            Self::Driver => ", style=dotted",
            Self::Missing => ", penwidth=2",
        };
        format!("color=\"{}\"{line}", self.colour())
    }
}

/// The kinds of edges: the words in the colour of the edge, and their meaning.
const LEGEND: [(Kind, &str, &str); 5] = [
    (Kind::Found, "green", "needed, within"),
    (Kind::Sibling, "blue", "needed, elsewhere"),
    (Kind::Opened, "brown, dashed", "opened at run time"),
    (Kind::Driver, "violet, dotted", "left to the driver"),
    (Kind::Missing, "red", "missing"),
];

/// The legend, as Graphviz reads it.
fn legend() -> String {
    let entries = LEGEND.map(|(kind, line, means)| {
        let colour = kind.colour();
        format!("<font color=\"{colour}\"><b>{line}</b></font>: {means}")
    });
    format!("<{}; the area of a box: bytes>", entries.join("; "))
}

/// The side of a box in inches: its area is as the size of the file, 500 MB are 3 by 3 inches.
fn side(len: u64) -> f64 {
    let megabytes = u32::try_from(len >> 20).unwrap_or(u32::MAX);
    (f64::from(megabytes) / 500.0).sqrt().mul_add(3.0, 0.2)
}

fn bytes(len: u64) -> String {
    match len {
        0..1_000_000 => format!("{} kB", len.div_ceil(1000)),
        _ => format!("{} MB", len / 1_000_000),
    }
}

/// A text in quotes; lines are centred.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_packages_or_directories() {
        let rows = [
            (
                "/p/lib/python3.11/site-packages/torch/lib/libc10.so",
                "torch",
            ),
            (
                "/p/lib/python3.11/site-packages/numpy.libs/libx.so",
                "numpy",
            ),
            (
                "/p/lib/python3.11/site-packages/nvidia/cudnn/lib/x.so",
                "nvidia/cudnn",
            ),
            ("/p/lib/python3.11/site-packages/_cffi.so", "site-packages"),
            ("/gcc/lib/libgomp.so.1", "/gcc/lib"),
        ];
        for (path, want) in rows {
            assert_eq!(group(Path::new(path)), want);
        }
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\nd\"");
    }

    #[test]
    fn edges_that_follow_from_others_are_left_out() {
        let id = |name: &str| Id::Name(name.to_owned());
        let mut graph = Graph::default();
        for (from, to) in [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("d", "c")] {
            graph.absent(from);
            graph.absent(to);
            graph.edges.insert((id(from), id(to)), Kind::Found);
        }
        graph.reduce();
        let left: Vec<_> = graph.edges.keys().cloned().collect();
        let want = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "c")];
        assert_eq!(left, want.map(|(from, to)| (id(from), id(to))));
    }
}
