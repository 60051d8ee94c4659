//! Numbers of things, for messages.

/// A number with its noun, which gets an `s` unless there is one: `1 file`, `2 files`, `0 entries`.
pub fn count(number: usize, noun: &str) -> String {
    let stem = noun.strip_suffix('y');
    let stem = stem.filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, stem) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_two() {
        assert_eq!(count(1, "library"), "1 library");
        assert_eq!(count(2, "library"), "2 libraries");
        assert_eq!(count(0, "file"), "0 files");
        assert_eq!(count(3, "key"), "3 keys");
    }
}
