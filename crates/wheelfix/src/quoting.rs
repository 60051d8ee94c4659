//! Texts as they are typed: in a POSIX shell, in Nix, and as globs.

use std::collections::BTreeSet;
use std::path::Path;

/// So many globs one line has for files of a wheel.
const MOST: usize = 5;

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

/// A glob for one file of a wheel.
pub(crate) fn glob(path: &Path) -> String {
    let text = path.to_string_lossy();
    if let Some((before, inside)) = text.rsplit_once("/site-packages/") {
        let glob = escaped_glob(inside);
        // Some wheels have a prefix of their own in site-packages, as those of cmeel.
        let is_nested = before.contains("/site-packages/");
        return if is_nested {
            format!("**/{glob}")
        } else {
            glob
        };
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("**/{}", escaped_glob(&name))
}

/// A glob that matches a text only.
pub(crate) fn escaped_glob(text: &str) -> String {
    let mut glob = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            glob.push('\\');
        }
        glob.push(c);
    }
    glob
}

/// Globs for files of a wheel: for each its own if they are few, else one for a directory.
pub(crate) fn globs(paths: &[String]) -> BTreeSet<String> {
    let each = paths.iter().map(String::as_str);
    if paths.len() <= MOST {
        return each.map(escaped_glob).collect();
    }
    let below = |split: fn(&str) -> Option<(&str, &str)>, end: &str| -> BTreeSet<String> {
        let glob = |path| match split(path) {
            // Files of `.dist-info` decide; some are accepted by their whole path only.
            Some((directory, _)) if !path.contains(".dist-info/") => {
                format!("{}/{end}", escaped_glob(directory))
            }
            _ => escaped_glob(path),
        };
        each.clone().map(glob).collect()
    };
    let near = below(|path| path.rsplit_once('/'), "*");
    if near.len() <= MOST {
        return near;
    }
    below(|path| path.split_once('/'), "**")
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

    #[test]
    fn globs_match_the_file_itself() {
        let path = Path::new("/p/lib/python3.11/site-packages/a/b[1].so");
        assert_eq!(glob(path), "a/b\\[1\\].so");
        assert_eq!(glob(Path::new("/p/bin/tool")), "**/tool");
        let nested =
            "/p/lib/python3.11/site-packages/cmeel.prefix/lib/python3.11/site-packages/a/b.so";
        assert_eq!(glob(Path::new(nested)), "**/a/b.so");
        let pattern = wheelfix_link::Pattern::new("**/a/b.so").unwrap();
        let inside = "cmeel.prefix/lib/python3.11/site-packages/a/b.so";
        assert!(pattern.matches(inside) && pattern.matches("a/b.so"));
    }

    #[test]
    fn many_files_are_accepted_by_their_directories() {
        let check = |paths: &[&str], want: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            let globs = globs(&paths);
            let patterns: Vec<_> = globs
                .iter()
                .map(|it| wheelfix_link::Pattern::new(it).unwrap())
                .collect();
            for path in &paths {
                assert!(
                    patterns.iter().any(|it| it.matches(path)),
                    "{path}: {globs:?}"
                );
            }
            assert_eq!(globs.iter().collect::<Vec<_>>(), want);
        };
        check(&["a/x[1]", "b"], &["a/x\\[1\\]", "b"]);
        let six = [
            "a/1",
            "a/2",
            "a/b/3",
            "a/b/4",
            "c",
            "d-1.dist-info/METADATA",
        ];
        check(&six, &["a/*", "a/b/*", "c", "d-1.dist-info/METADATA"]);
        check(
            &["a/1/x", "a/2/x", "a/3/x", "a/4/x", "a/5/x", "b/6/x"],
            &["a/**", "b/**"],
        );
    }
}
