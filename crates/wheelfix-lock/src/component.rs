//! Packages that require each other, which have to be made together: strongly connected components.

use std::collections::BTreeMap;

use wheelfix_format::PackageName;

/// The first name of the component of each package that is in one with others, or that is `None`.
///
/// Tarjan's algorithm with a stack of its own: a lock may be deep.
pub(crate) fn components<'a>(
    edges: &BTreeMap<&'a PackageName, Vec<&'a PackageName>>,
) -> BTreeMap<&'a PackageName, &'a PackageName> {
    let mut search = Search {
        edges,
        visited: BTreeMap::new(),
        stack: Vec::new(),
        components: BTreeMap::new(),
    };
    for name in edges.keys() {
        if !search.visited.contains_key(name) {
            search.run(name);
        }
    }
    search.components
}

#[derive(Clone, Copy)]
struct Visit {
    number: usize,
    lowest: usize,
    on_stack: bool,
}

struct Search<'s, 'a> {
    edges: &'s BTreeMap<&'a PackageName, Vec<&'a PackageName>>,
    visited: BTreeMap<&'a PackageName, Visit>,
    stack: Vec<&'a PackageName>,
    components: BTreeMap<&'a PackageName, &'a PackageName>,
}

impl<'a> Search<'_, 'a> {
    fn run(&mut self, start: &'a PackageName) {
        self.enter(start);
        // Each with how many of its edges were followed.
        let mut path: Vec<(&'a PackageName, usize)> = vec![(start, 0)];
        while let Some((name, followed)) = path.last_mut() {
            let (name, next) = (*name, *followed);
            *followed += 1;
            let target = self.edges.get(name).and_then(|targets| targets.get(next));
            let Some(target) = target.copied() else {
                path.pop();
                let lowest = self.leave(name);
                if let Some((parent, _)) = path.last() {
                    self.lower(parent, lowest);
                }
                continue;
            };
            match self.visited.get(target) {
                None if self.edges.contains_key(target) => {
                    self.enter(target);
                    path.push((target, 0));
                }
                Some(visit) if visit.on_stack => self.lower(name, visit.number),
                _ => {}
            }
        }
    }

    fn enter(&mut self, name: &'a PackageName) {
        let number = self.visited.len();
        let visit = Visit {
            number,
            lowest: number,
            on_stack: true,
        };
        self.visited.insert(name, visit);
        self.stack.push(name);
    }

    fn lower(&mut self, name: &'a PackageName, lowest: usize) {
        if let Some(visit) = self.visited.get_mut(name) {
            visit.lowest = visit.lowest.min(lowest);
        }
    }

    /// All edges were followed: a package from which none before it can be reached begins a component.
    fn leave(&mut self, name: &'a PackageName) -> usize {
        let Some(visit) = self.visited.get(name).copied() else {
            return usize::MAX;
        };
        if visit.lowest != visit.number {
            return visit.lowest;
        }
        let at = self.stack.iter().rposition(|other| *other == name);
        let members = self.stack.split_off(at.unwrap_or(self.stack.len()));
        for member in &members {
            if let Some(visit) = self.visited.get_mut(member) {
                visit.on_stack = false;
            }
        }
        if let (true, Some(first)) = (1 < members.len(), members.iter().min()) {
            self.components
                .extend(members.iter().map(|member| (*member, *first)));
        }
        usize::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(edges: &str, want: &str) {
        let name = |text: &str| text.parse::<PackageName>().unwrap();
        let pairs = edges.split(' ').filter_map(|pair| pair.split_once('>'));
        let pairs: Vec<(PackageName, PackageName)> =
            pairs.map(|(from, to)| (name(from), name(to))).collect();
        let mut all: BTreeMap<&PackageName, Vec<&PackageName>> = BTreeMap::new();
        for (from, to) in &pairs {
            all.entry(from).or_default().push(to);
            all.entry(to).or_default();
        }
        let found = components(&all);
        let words: Vec<String> = found
            .iter()
            .map(|(name, of)| format!("{name}:{of}"))
            .collect();
        assert_eq!(words.join(" "), want, "for {edges:?}");
    }

    #[test]
    fn packages_that_reach_each_other_are_together() {
        check("a>b b>c", "");
        check("a>a", "");
        check(
            "dask>distributed distributed>dask x>dask",
            "dask:dask distributed:dask",
        );
        check("a>b b>c c>a c>d d>e e>d f>a", "a:a b:a c:a d:d e:d");
        check("a>b b>a b>c c>b z>a", "a:a b:a c:a");
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let links: Vec<String> = (0..20_000).map(|at| format!("p{at}>p{}", at + 1)).collect();
        check(&links.join(" "), "");
    }
}
