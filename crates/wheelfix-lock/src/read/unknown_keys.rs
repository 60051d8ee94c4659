//! The keys of a lock file that nobody knows: noted, and passed over.

use std::collections::BTreeMap;

/// How often each of them was met.
#[derive(Debug, Default)]
pub(crate) struct UnknownKeys(BTreeMap<String, usize>);

impl UnknownKeys {
    /// Counts a key; `of` is the key of what was read, if that is not the file.
    pub(crate) fn add(&mut self, of: &str, path: &serde_ignored::Path<'_>) {
        let path = without_numbers(&path.to_string());
        let key = if of.is_empty() {
            path
        } else {
            format!("{of}.{path}")
        };
        *self.0.entry(key).or_default() += 1;
    }

    pub(crate) fn notes(self) -> Vec<String> {
        let notes = self.0.into_iter().map(|(key, count)| match count {
            1 => format!("the key `{key}` is unknown and passed over"),
            count => format!("the key `{key}` is unknown and passed over, {count} times"),
        });
        notes.collect()
    }
}

/// `package.3.wheels.0.zstd` as `package.wheels.zstd`.
fn without_numbers(path: &str) -> String {
    let is_name = |part: &&str| *part != "?" && !part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path.split('.').filter(is_name).collect();
    parts.join(".")
}
