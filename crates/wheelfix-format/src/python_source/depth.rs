//! A bound for how deep the expressions and blocks of a source may be nested, told before it is parsed.

/// The deepest that is parsed: the parser, and whoever walks its tree, takes a part of the stack for each
/// level. CPython itself takes 200 brackets and 100 blocks.
const MAX: usize = 500;

/// Whether a source, its comments and the contents of its texts blanked, may be nested too deeply.
///
/// Each operator and each word may nest what follows it, up to the next comma or the end of the statement.
pub(super) fn is_too_deep(code: &str) -> bool {
    // For each open bracket how much has been nested since the last comma, and the sum of all.
    let (mut levels, mut sum) = (vec![0], 0);
    let mut indents: Vec<usize> = Vec::new();
    for line in code.split('\n') {
        let is_start = levels.len() == 1 && sum == 0;
        let indent = line.len() - line.trim_start().len();
        if is_start && !line.trim().is_empty() {
            while indents.pop_if(|outer| indent <= *outer).is_some() {}
            indents.push(indent);
        }
        let mut is_in_word = false;
        for byte in line.bytes() {
            let is_word = byte.is_ascii_alphanumeric() || byte == b'_';
            let is_new = !(is_word && is_in_word || byte.is_ascii_whitespace());
            is_in_word = is_word;
            match byte {
                b'(' | b'[' | b'{' => levels.push(0),
                b')' | b']' | b'}' if 1 < levels.len() => {
                    sum -= levels.pop().unwrap_or_default();
                }
                b',' | b';' => {
                    if let Some(level) = levels.last_mut() {
                        sum -= std::mem::take(level);
                    }
                    continue;
                }
                _ => {}
            }
            if is_new {
                sum += 1;
                if let Some(level) = levels.last_mut() {
                    *level += 1;
                }
            }
            if MAX < sum + levels.len() + indents.len() {
                return true;
            }
        }
        if levels.len() == 1 && !line.ends_with('\\') {
            (levels, sum) = (vec![0], 0);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_not_deep() {
        let table = format!("x = [{}]\n", "(1, 'a', b.c(d)),\n".repeat(10_000));
        assert!(!is_too_deep(&table));
        assert!(!is_too_deep(&"if a:\n    b = c\n".repeat(10_000)));
        let nested: String = (0..90).map(|depth| " ".repeat(depth) + "if a:\n").collect();
        assert!(!is_too_deep(&nested));
        assert!(!is_too_deep(&"f(a, b(c)[d])\n\n".repeat(1000)));
    }

    #[test]
    fn all_ways_to_nest_are_seen() {
        for part in [
            "(",
            "[",
            "{a:",
            "-",
            "not ",
            "a.",
            "a if b else ",
            "lambda: ",
            "a**",
            "f()",
            "f(1)",
            "a[0]",
            "a+",
        ] {
            assert!(is_too_deep(&part.repeat(600)), "{part}");
            assert!(
                is_too_deep(&format!("x = 1, {}", part.repeat(600))),
                "{part}"
            );
        }
        assert!(is_too_deep(&"a + \\\n".repeat(600)));
        assert!(is_too_deep(&format!("({}", "a +\n".repeat(600))));
        let nested: String = (0..600)
            .map(|depth| " ".repeat(depth) + "if a:\n")
            .collect();
        assert!(is_too_deep(&nested));
        assert!(is_too_deep(&"if a: ".repeat(600)));
    }
}
