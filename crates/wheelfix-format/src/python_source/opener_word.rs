//! Words without which a source opens no library: few sources have one, and the others need not be parsed.

use memchr::memmem::find_iter;

use super::opener::Opener;
use crate::python_text::Masked;

/// The program that lists what the loader's cache has. There is neither on Nix; those who ask it go
/// on without an answer, or a rule replaces the question.
pub(super) const LDCONFIG: &str = "ldconfig";

/// Parts of the words, each word with one: fewer than there are words.
const PARTS: [&str; 6] = [
    "DLL",
    "Library",
    "_library",
    "dlopen",
    "load_nvidia_dynamic_lib",
    LDCONFIG,
];

/// Whether a source has a word without which it opens no library. Most have none.
pub fn may_open_libraries(source: &[u8]) -> bool {
    words(source).next().is_some()
}

/// Whether such a word stands where Python runs it, and not in a comment or in a text.
pub(super) fn are_used(text: &str, masked: &Masked<'_>) -> bool {
    words(text.as_bytes()).any(|(at, word)| {
        let in_code = masked.code.get(at..at + word.len());
        word == LDCONFIG.as_bytes()
            || in_code.is_none_or(|code| code.as_bytes() == word)
            || is_formatted(masked.code.get(..at).unwrap_or_default())
    })
}

/// The words of a source, each with its place.
fn words(source: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    PARTS.iter().flat_map(move |part| {
        find_iter(source, part.as_bytes()).filter_map(move |at| {
            let (before, rest) = source.split_at_checked(at)?;
            let before = before.iter().rev().take_while(|byte| is_of_word(**byte));
            let start = at - before.count();
            let len = rest.iter().take_while(|byte| is_of_word(**byte)).count();
            let word = source.get(start..at + len)?;
            let is_known =
                word == LDCONFIG.as_bytes() || Opener::names().any(|name| word == name.as_bytes());
            is_known.then_some((start, word))
        })
    })
}

/// Whether what follows some code, texts and comments blanked, may be in a formatted string, which has code in it.
fn is_formatted(before: &str) -> bool {
    let prefix = before.trim_end().trim_end_matches(['"', '\'']);
    let prefix = prefix.bytes().rev().take_while(|byte| is_of_word(*byte));
    let mut prefix = prefix.take(2);
    prefix.any(|byte| b"fFtT".contains(&byte))
}

/// Whether a byte is of the same word as another one beside it.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_a_part_that_is_looked_for() {
        for name in Opener::names().chain([LDCONFIG]) {
            assert!(
                may_open_libraries(format!("a.{name}(").as_bytes()),
                "{name}"
            );
            let longer = format!("a.{name}s(my{name}, _{name}, {name}_)");
            assert!(!may_open_libraries(longer.as_bytes()), "{name}");
        }
        assert!(may_open_libraries("é = CDLLé".as_bytes()));
        assert!(!may_open_libraries(b"setdlopenflags(DLL); Library"));
    }

    #[test]
    fn what_stands_in_code_is_told_from_what_stands_in_texts() {
        let used = |text: &str| are_used(text, &Masked::new(text));
        for text in [
            "x = CDLL",
            "'CDLL'; CDLL",
            "# CDLL\nCDLL",
            "'é'; CDLL('x')",
            "f'{CDLL(1)}'",
            "fr'''a\n {CDLL(1)}'''",
            "F\"{x['dlopen']}\"",
            "f\"{x[\"a\"]}\"; CDLL(\"x\")",
            "run(['ldconfig'])",
        ] {
            assert!(used(text), "{text}");
        }
        for text in [
            "x = 'CDLL'",
            "# CDLL",
            "\"\"\"a\nfind_library\n\"\"\"",
            "x = 'a'  # dlopen",
            "if f(a): pass  # dlopen",
            "rb'CDLL'",
        ] {
            assert!(!used(text), "{text}");
        }
    }
}
