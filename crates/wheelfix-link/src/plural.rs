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

/// The first `most` of some texts, and how many more there are: `a, b and 3 more`.
pub fn first_of(texts: &[String], most: usize) -> String {
    match texts.split_at_checked(most) {
        Some((first, more)) if !more.is_empty() => {
            format!("{} and {} more", first.join(", "), more.len())
        }
        _ => texts.join(", "),
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

    #[test]
    fn more_than_are_shown_are_counted() {
        let texts = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(first_of(&texts, 1), "a and 2 more");
        assert_eq!(first_of(&texts, 3), "a, b, c");
        assert_eq!(first_of(&texts, 9), "a, b, c");
        assert_eq!(first_of(&[], 1), "");
    }
}
