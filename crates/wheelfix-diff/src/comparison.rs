//! The result of a comparison, as data.

use std::path::PathBuf;

use serde::Serialize;

use crate::listing::{Entry, lossy};

/// How two listings differ.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Comparison {
    /// How many entries are the same in both.
    pub equal: usize,
    /// The entries that are in both and differ, by path.
    pub changed: Vec<Changed>,
    /// The entries that are in the first only, by path.
    pub only_in_a: Vec<Entry>,
    /// The entries that are in the second only, by path.
    pub only_in_b: Vec<Entry>,
}

/// An entry that differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Changed {
    /// Its path in the listings.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// How it differs; never empty.
    pub differences: Vec<Difference>,
}

/// One way in which an entry differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// The name of it: `kind`, `mode`, `target`, `size`, `content`, `lines`, `rows`, or a fact of ELF files.
    pub what: &'static str,
    /// The values that only the first has.
    pub a: Vec<String>,
    /// The values that only the second has.
    pub b: Vec<String>,
}

impl Comparison {
    /// Whether there is no difference.
    pub fn is_equal(&self) -> bool {
        self.differing() == 0
    }

    /// How many entries were looked at, those of both listings counted once.
    pub fn len(&self) -> usize {
        self.equal + self.differing()
    }

    /// How many entries are not the same in both.
    pub fn differing(&self) -> usize {
        self.changed.len() + self.only_in_a.len() + self.only_in_b.len()
    }

    /// Whether there was nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Changed {
    /// The difference with a name.
    pub fn difference(&self, what: &str) -> Option<&Difference> {
        self.differences.iter().find(|it| it.what == what)
    }
}

impl Difference {
    /// The difference of two values; `None` if they are equal.
    pub(crate) fn of_values<T: PartialEq + ToString>(
        what: &'static str,
        a: Option<T>,
        b: Option<T>,
    ) -> Option<Self> {
        let list = |value: Option<T>| value.iter().map(T::to_string).collect();
        (a != b).then(|| Self {
            what,
            a: list(a),
            b: list(b),
        })
    }

    /// The difference of two lists, each value as often as it stands there; `None` if they are equal. Where
    /// the values are the same in another order, all of them.
    pub(crate) fn of_lists(what: &'static str, a: Vec<String>, b: Vec<String>) -> Option<Self> {
        if a == b {
            return None;
        }
        let (only_in_a, only_in_b) = (without(&a, &b), without(&b, &a));
        let is_order = only_in_a.is_empty() && only_in_b.is_empty();
        let (a, b) = if is_order {
            (a, b)
        } else {
            (only_in_a, only_in_b)
        };
        Some(Self { what, a, b })
    }
}

/// The values of a list without those of another, in their order.
fn without(list: &[String], other: &[String]) -> Vec<String> {
    let mut left = std::collections::BTreeMap::<&str, usize>::new();
    for value in other {
        *left.entry(value).or_default() += 1;
    }
    let is_new = |value: &&String| match left.get_mut(value.as_str()) {
        Some(count) if 0 < *count => {
            *count -= 1;
            false
        }
        _ => true,
    };
    list.iter().filter(is_new).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_differ_by_what_only_one_has() {
        let list = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let of = |a, b| Difference::of_lists("x", list(a), list(b)).map(|it| (it.a, it.b));
        assert_eq!(of("a b", "a b"), None);
        assert_eq!(of("a b b", "b c"), Some((list("a b"), list("c"))));
        assert_eq!(of("a b", "b a"), Some((list("a b"), list("b a"))));
    }
}
