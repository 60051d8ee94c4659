//! Where boxes go in a picture of a graph: in columns, each edge leading to the right if it can.

use std::collections::{BTreeMap, BTreeSet};

/// How often columns are put into the order of their neighbours.
const SWEEPS: usize = 6;

/// The numbers of the boxes, a list for each column, from top to bottom.
pub(super) fn columns(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let column_of = column_of(nodes, edges);
    let mut columns: Vec<Vec<usize>> = Vec::new();
    for (node, column) in &column_of {
        if columns.len() <= *column {
            columns.resize(column + 1, Vec::new());
        }
        if let Some(column) = columns.get_mut(*column) {
            column.push(*node);
        }
    }
    let both = edges
        .iter()
        .flat_map(|(from, to)| [(*from, *to), (*to, *from)]);
    let mut neighbours: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (node, other) in both {
        neighbours.entry(node).or_default().insert(other);
    }
    for _ in 0..SWEEPS {
        sweep(&mut columns, &neighbours);
    }
    columns
}

/// The column of each box: behind all that lead to it. A circle is entered at its first box.
fn column_of(nodes: usize, edges: &[(usize, usize)]) -> BTreeMap<usize, usize> {
    let mut next: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut before: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (from, to) in edges.iter().filter(|(from, to)| from != to) {
        next.entry(*from).or_default().insert(*to);
        before.entry(*to).or_default().insert(*from);
    }
    let is_free = |node: &usize, before: &BTreeMap<usize, BTreeSet<usize>>| {
        before.get(node).is_none_or(BTreeSet::is_empty)
    };
    let mut left: BTreeSet<usize> = (0..nodes).collect();
    let mut free: BTreeSet<usize> = (0..nodes).filter(|node| is_free(node, &before)).collect();
    let mut columns: BTreeMap<usize, usize> = BTreeMap::new();
    while let Some(node) = free.pop_first().or_else(|| left.first().copied()) {
        left.remove(&node);
        let column = *columns.entry(node).or_default();
        for to in next.get(&node).into_iter().flatten() {
            if let Some(before) = before.get_mut(to) {
                before.remove(&node);
            }
            if left.contains(to) {
                let of_it = columns.entry(*to).or_default();
                *of_it = (*of_it).max(column + 1);
                if is_free(to, &before) {
                    free.insert(*to);
                }
            }
        }
    }
    columns
}

/// Puts the boxes of each column into the order of what they are connected with.
fn sweep(columns: &mut [Vec<usize>], neighbours: &BTreeMap<usize, BTreeSet<usize>>) {
    for at in 0..columns.len() {
        let places = places(columns);
        let middle = |node: &usize| {
            let others = neighbours.get(node).into_iter().flatten();
            let others: Vec<usize> = others.filter_map(|it| places.get(it).copied()).collect();
            let sum: usize = others.iter().sum();
            let own = places.get(node).copied().unwrap_or_default();
            sum.checked_div(others.len()).unwrap_or(own)
        };
        if let Some(column) = columns.get_mut(at) {
            column.sort_by_key(|node| (middle(node), *node));
        }
    }
}

/// How far down each box is, in thousandths of its column.
fn places(columns: &[Vec<usize>]) -> BTreeMap<usize, usize> {
    let places = columns.iter().flat_map(|column| {
        let all = column.len();
        let rows = column.iter().enumerate();
        rows.map(move |(row, node)| (*node, (2 * row + 1) * 500 / all))
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_box_is_behind_what_leads_to_it() {
        let edges = [(0, 2), (1, 2), (2, 3), (0, 3)];
        assert_eq!(columns(4, &edges), [vec![0, 1], vec![2], vec![3]]);
    }

    #[test]
    fn circles_and_boxes_without_edges_have_places() {
        let edges = [(0, 1), (1, 0), (2, 2)];
        assert_eq!(columns(4, &edges), [vec![0, 2, 3], vec![1]]);
        assert_eq!(columns(0, &[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn edges_do_not_cross_where_they_need_not() {
        let edges = [(0, 3), (1, 2)];
        assert_eq!(columns(4, &edges), [vec![1, 0], vec![2, 3]]);
    }
}
