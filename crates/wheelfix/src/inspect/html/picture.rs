//! The graph of who needs whom as a picture within the page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use maud::{Markup, html};
use wheelfix_link::{Graph, GraphKind, GraphNode};

use crate::inspect::html::{layout, section};
use crate::inspect::text::{clean, count};
use crate::table::bytes;

/// So many boxes are drawn; more are a picture that nobody can read.
const MAX_BOXES: usize = 300;

/// A box, and the space between two of them, in pixels.
const WIDTH: usize = 222;
const HEIGHT: usize = 46;
const GAP_X: usize = 60;
const GAP_Y: usize = 12;
const MARGIN: usize = 8;

/// Characters of a name that fit into a box.
const FITS: usize = 27;

/// The place of a box: its upper left corner.
#[derive(Clone, Copy, Debug)]
struct At {
    x: usize,
    y: usize,
}

/// A graph, and where its subject lies.
#[derive(Debug)]
pub(in crate::inspect) struct Drawing {
    graph: Graph,
    /// The directory that is looked at, or that of the file.
    root: PathBuf,
}

impl Drawing {
    pub(super) fn new(graph: Graph, root: PathBuf) -> Self {
        Self { graph, root }
    }

    /// The boxes, with groups that are directories called by their names below the root.
    fn nodes(&self) -> Vec<GraphNode> {
        let nodes = self.graph.nodes().cloned().map(|mut node| {
            let group = node.group.as_mut();
            if let Some(group) = group
                && let Ok(below) = Path::new(group.as_str()).strip_prefix(&self.root)
            {
                *group = below.display().to_string();
            }
            node
        });
        nodes.collect()
    }
}

/// The section with the picture; nothing where there is no graph.
pub(super) fn picture(drawing: Option<&Drawing>) -> Markup {
    let Some(drawing) = drawing else {
        return html! {};
    };
    let nodes = drawing.nodes();
    let edges: Vec<(usize, usize, GraphKind)> = drawing.graph.edges().collect();
    let remark = "the C library is left out; a bar is the size of a file beside the largest";
    let body = if MAX_BOXES < nodes.len() {
        html! {
            p {
                (count(nodes.len(), "library", "libraries")) ", too many to draw here: see the files below, or "
                code { "wheelfix inspect --graph FILE.svg" } "."
            }
        }
    } else {
        html! { div.scroll { (svg(&nodes, &edges)) } (legend(&edges)) }
    };
    section("graph", "Who needs whom", remark, &body)
}

fn svg(nodes: &[GraphNode], edges: &[(usize, usize, GraphKind)]) -> Markup {
    let pairs: Vec<(usize, usize)> = edges.iter().map(|(from, to, _)| (*from, *to)).collect();
    let columns = layout::columns(nodes.len(), &pairs);
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let (width, height) = (
        columns.len() * (WIDTH + GAP_X) - GAP_X.min(columns.len() * GAP_X) + 2 * MARGIN,
        tallest * (HEIGHT + GAP_Y) + 2 * MARGIN,
    );
    let places = places(&columns, tallest);
    let largest = nodes.iter().map(|node| node.len).max().unwrap_or(0);
    let kinds: BTreeMap<usize, GraphKind> =
        edges.iter().map(|(_, to, kind)| (*to, *kind)).collect();
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
            viewBox=(format!("0 0 {width} {height}")) role="img" aria-label="Who needs whom" {
            @for (from, to, kind) in edges {
                @if let (Some(from), Some(to)) = (places.get(from), places.get(to)) {
                    (edge(*from, *to, *kind))
                }
            }
            @for (number, node) in nodes.iter().enumerate() {
                @if let Some(at) = places.get(&number) {
                    (drawn(node, *at, largest, kinds.get(&number).copied()))
                }
            }
        }
    }
}

/// Columns from left to right, each in the middle of the height.
fn places(columns: &[Vec<usize>], tallest: usize) -> BTreeMap<usize, At> {
    let places = columns.iter().enumerate().flat_map(|(column, nodes)| {
        let above = (tallest - nodes.len()) * (HEIGHT + GAP_Y) / 2;
        let rows = nodes.iter().enumerate();
        rows.map(move |(row, node)| {
            let at = At {
                x: MARGIN + column * (WIDTH + GAP_X),
                y: MARGIN + above + row * (HEIGHT + GAP_Y),
            };
            (*node, at)
        })
    });
    places.collect()
}

fn edge(from: At, to: At, kind: GraphKind) -> Markup {
    let (x1, y1) = (from.x + WIDTH, from.y + HEIGHT / 2);
    // The head of the arrow ends at the box.
    let (x2, y2) = (to.x, to.y + HEIGHT / 2);
    let bend = GAP_X * 2 / 3;
    let line = format!(
        "M{x1} {y1}C{} {y1} {} {y2} {} {y2}",
        x1 + bend,
        x2.saturating_sub(bend),
        x2.saturating_sub(6)
    );
    let head = format!("M{x2} {y2}l-8 -4v8z");
    let class = class(kind);
    html! {
        path.(class) d=(line) {}
        path.head.(class) d=(head) {}
    }
}

fn drawn(node: &GraphNode, at: At, largest: u64, kind: Option<GraphKind>) -> Markup {
    let name = match node.names.as_slice() {
        [name] => fitting(&clean(name)),
        names => count(names.len(), "module alike", "modules alike"),
    };
    let below = match &node.group {
        Some(group) if group.is_empty() => bytes(node.len),
        Some(group) => fitting(&format!("{} · {}", bytes(node.len), clean(group))),
        None if kind == Some(GraphKind::Driver) => "left to the driver".to_owned(),
        None => "not found in here".to_owned(),
    };
    let room = WIDTH as u64 - 20;
    let weight = node.len.saturating_mul(room).checked_div(largest);
    let class = match kind.filter(|_| node.group.is_none()) {
        Some(kind) => format!("absent {}", class(kind)),
        None => "file".to_owned(),
    };
    let names: Vec<String> = node.names.iter().map(|name| clean(name)).collect();
    html! {
        g.(class) {
            title { (names.join("\n")) }
            rect.box x=(at.x) y=(at.y) width=(WIDTH) height=(HEIGHT) rx="6" {}
            text x=(at.x + 10) y=(at.y + 18) { (name) }
            text.dim x=(at.x + 10) y=(at.y + 33) { (below) }
            @if node.group.is_some() {
                rect.weight x=(at.x + 10) y=(at.y + HEIGHT - 7) height="3" rx="1"
                    width=(weight.unwrap_or(0).max(1)) {}
            }
        }
    }
}

/// A name with its middle left out where it is too long.
fn fitting(name: &str) -> String {
    let all: Vec<char> = name.chars().collect();
    if all.len() <= FITS {
        return name.to_owned();
    }
    let half = (FITS - 1) / 2;
    let first = all.iter().take(half);
    let last = all.iter().skip(all.len() - half);
    first.chain(&['…']).chain(last).collect()
}

fn class(kind: GraphKind) -> &'static str {
    match kind {
        GraphKind::Found => "found",
        GraphKind::Sibling => "sibling",
        GraphKind::Opened => "opened",
        GraphKind::Driver => "driver",
        GraphKind::Missing => "missing",
    }
}

/// The kinds of edges that are drawn.
fn legend(edges: &[(usize, usize, GraphKind)]) -> Markup {
    let meaning = [
        (GraphKind::Found, "—", "needed, within"),
        (GraphKind::Sibling, "—", "needed, elsewhere on this machine"),
        (GraphKind::Opened, "- -", "opened at run time"),
        (GraphKind::Driver, "···", "left to the driver"),
        (GraphKind::Missing, "—", "needed, not found in here"),
    ];
    let is_drawn = |kind: GraphKind| edges.iter().any(|(_, _, other)| *other == kind);
    let drawn = meaning.into_iter().filter(|(kind, _, _)| is_drawn(*kind));
    html! {
        p.legend {
            @for (kind, line, means) in drawn {
                span { b.(class(kind)) { (line) } " " (means) }
            }
        }
    }
}
