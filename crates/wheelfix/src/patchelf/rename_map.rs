//! The file of `--rename-dynamic-symbols`: an old and a new name on each line.

use std::collections::BTreeMap;
use std::io;

/// Why a file is not a map of names. Lines count from 1; the texts are patchelf's.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenameMapError {
    #[error("Cannot open map file {path}: {error}")]
    Read { path: String, error: io::Error },
    #[error("{path}:{line}: Map file line is missing the second element")]
    NoNewName { path: String, line: usize },
    #[error("{path}:{line}: Name '{name}' appears twice in the map file")]
    Duplicate {
        path: String,
        line: usize,
        name: String,
    },
    #[error("{path}:{line}: Name pair contains version tag: {old} {new}")]
    Version {
        path: String,
        line: usize,
        old: String,
        new: String,
    },
}

/// Reads a map; it ends at the first empty line.
pub(super) fn read(path: &str) -> Result<BTreeMap<String, String>, RenameMapError> {
    let text = fs_err::read_to_string(path).map_err(|error| RenameMapError::Read {
        path: path.to_owned(),
        error,
    })?;
    parse(path, &text)
}

fn parse(path: &str, text: &str) -> Result<BTreeMap<String, String>, RenameMapError> {
    let path = path.to_owned();
    let mut map = BTreeMap::new();
    for (index, content) in text.lines().enumerate() {
        let line = index + 1;
        let mut names = content.split_ascii_whitespace();
        let Some(old) = names.next() else {
            break;
        };
        let Some(new) = names.next() else {
            return Err(RenameMapError::NoNewName { path, line });
        };
        let [old, new] = [old, new].map(str::to_owned);
        if map.contains_key(&old) {
            return Err(RenameMapError::Duplicate {
                path,
                line,
                name: old,
            });
        }
        if old.contains('@') || new.contains('@') {
            return Err(RenameMapError::Version {
                path,
                line,
                old,
                new,
            });
        }
        map.insert(old, new);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match parse("map", text) {
            Ok(map) => format!("{map:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn two_names_stand_on_each_line() {
        check("a b\n c\td more\n", r#"{"a": "b", "c": "d"}"#);
        check("a b\n\nc d\n", r#"{"a": "b"}"#);
        check("", "{}");
    }

    #[test]
    fn faults_name_the_line() {
        check("a\n", "map:1: Map file line is missing the second element");
        check(
            "a b\na c\n",
            "map:2: Name 'a' appears twice in the map file",
        );
        check("a b@c\n", "map:1: Name pair contains version tag: a b@c");
    }
}
