//! The upstream version of a library, as far as its file shows it.

use std::path::Path;

use wheelfix_elf::FileSource;
use wheelfix_format::LibraryName;
use wheelfix_link::{Bundled as BundledRule, Rule};

use crate::facts::Facts;

/// The version of the file of a library: by a string in it, its file name, or the newest version that
/// it defines, which is a lower bound.
pub(crate) fn version(
    rule: &Rule<BundledRule>,
    file: &Path,
    name: &Path,
    facts: &Facts,
) -> Option<String> {
    of_text(rule, file, facts)
        .or_else(|| of_name(rule, name))
        .or_else(|| of_release(rule, facts))
}

fn of_text(rule: &Rule<BundledRule>, file: &Path, facts: &Facts) -> Option<String> {
    let marks: Vec<&str> = rule.body.version_after.iter().map(String::as_str).collect();
    if marks.is_empty() {
        return None;
    }
    let source = FileSource::open(file).ok()?;
    let mut found = None;
    let mut report = |text: &str| {
        if found.is_none() {
            found = marks.iter().find_map(|mark| number_after(text, mark));
        }
    };
    facts.elf.texts_with(&source, &marks, &mut report).ok()?;
    found
}

/// `1.2.13` in ` deflate 1.2.13 Copyright`, after ` deflate `.
fn number_after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    let end = rest
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(rest.len());
    let number = rest.get(..end)?.trim_end_matches('.');
    (number.contains('.') && !number.starts_with('.')).then(|| number.to_owned())
}

fn of_name(rule: &Rule<BundledRule>, name: &Path) -> Option<String> {
    let name = LibraryName::parse(name.file_name()?.to_str()?)?;
    let is_full = 2 <= name.version().matches('.').count();
    (rule.body.file_version && is_full).then(|| name.version().to_owned())
}

fn of_release(rule: &Rule<BundledRule>, facts: &Facts) -> Option<String> {
    let versions = facts.versions();
    let mut releases = rule.body.releases.iter().rev();
    let (_, release) = releases.find(|(version, _)| versions.contains(version.as_str()))?;
    Some(format!("{release} or later"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_after_a_mark() {
        let check = |text, mark, want: Option<&str>| {
            assert_eq!(number_after(text, mark).as_deref(), want, "{text}");
        };
        check(
            " deflate 1.2.13 Copyright 1995",
            " deflate ",
            Some("1.2.13"),
        );
        check("OpenBLAS 0.3.30.", "OpenBLAS ", Some("0.3.30"));
        check("OpenBLAS is here", "OpenBLAS ", None);
        check("no mark", "OpenBLAS ", None);
        check("libpng version 1", "libpng version ", None);
    }
}
