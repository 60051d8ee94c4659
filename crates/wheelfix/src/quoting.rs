//! Texts as they are typed: in a POSIX shell, and in Nix.

/// A text as one word of a POSIX shell.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@%=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A text within the quotes of a string of Nix.
pub(crate) fn nix_text(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace("${", "\\${").replace('\n', "\\n")
}

/// A text as a string of Nix.
pub(crate) fn nix_string(text: &str) -> String {
    format!("\"{}\"", nix_text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell_stay_one_word() {
        assert_eq!(shell_word("/a/lib-1.so"), "/a/lib-1.so");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's $x"), "'it'\\''s $x'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn strings_of_nix_hold_any_text() {
        assert_eq!(nix_text("a\\b\"${c}"), "a\\\\b\\\"\\${c}");
        assert_eq!(nix_string("a\nb"), "\"a\\nb\"");
    }
}
