//! Versions in Poetry's own syntax.
//!
//! <https://python-poetry.org/docs/dependency-specification/#version-constraints>

use wheelfix_format::{Version, VersionSpecifiers};

use crate::read::reading::python_marker;

/// The ranges of `^3.8`, `~3.8 || >=3.10,<4`, of which one has to hold; `None` where they are not understood.
pub(crate) fn ranges(text: &str) -> Option<Vec<VersionSpecifiers>> {
    let ranges = text.split('|').map(str::trim);
    ranges
        .filter(|range| !range.is_empty())
        .map(range)
        .collect()
}

/// The marker of a Python in these ranges; `None` for any.
pub(crate) fn python(text: &str) -> Option<String> {
    let ranges = ranges(text)?;
    let markers = ranges.iter().map(|range| python_marker(&range.to_string()));
    let markers: Option<Vec<String>> = markers.collect();
    let markers = markers?.into_iter().map(|marker| format!("({marker})"));
    Some(markers.collect::<Vec<_>>().join(" or ")).filter(|marker| !marker.is_empty())
}

fn range(text: &str) -> Option<VersionSpecifiers> {
    let mut clauses = Vec::new();
    let mut operator = "";
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let is_operator = word.chars().all(|c| "^~=<>!".contains(c));
        if is_operator {
            operator = word;
        } else {
            clauses.push(clause(&format!("{operator}{word}"))?);
            operator = "";
        }
    }
    clauses.retain(|clause| !clause.is_empty());
    clauses.join(",").parse().ok()
}

/// One clause as everybody else writes it.
fn clause(text: &str) -> Option<String> {
    if text == "*" {
        return Some(String::new());
    }
    if let Some(lowest) = text.strip_prefix('^') {
        let release = release(lowest)?;
        let significant = release.iter().position(|part| *part != 0);
        return Some(below_next(
            lowest,
            &release,
            significant.unwrap_or(release.len() - 1),
        ));
    }
    match text.strip_prefix('~') {
        Some(lowest) if !lowest.starts_with('=') => {
            let release = release(lowest)?;
            Some(below_next(lowest, &release, release.len().min(2) - 1))
        }
        _ if text.starts_with(char::is_numeric) => Some(format!("=={text}")),
        _ => match text.strip_prefix('=') {
            Some(version) if !version.starts_with('=') => Some(format!("=={version}")),
            _ => Some(text.to_owned()),
        },
    }
}

/// The numbers of a version, at least one.
fn release(text: &str) -> Option<Vec<u64>> {
    let version: Version = text.parse().ok()?;
    Some(version.release().to_vec()).filter(|release| !release.is_empty())
}

/// From a version on, below the next one whose part at `at` is another.
fn below_next(lowest: &str, release: &[u64], at: usize) -> String {
    let parts = release.iter().take(at + 1).enumerate();
    let parts = parts.map(|(number, part)| (part + u64::from(number == at)).to_string());
    format!(">={lowest},<{}", parts.collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let ranges = ranges(text).map(|ranges| {
            let texts = ranges.iter().map(ToString::to_string);
            texts.collect::<Vec<_>>().join(" or ")
        });
        assert_eq!(ranges.as_deref().unwrap_or("none"), want, "{text}");
    }

    #[test]
    fn carets_and_tildes_are_ranges() {
        check("^3.10", ">=3.10, <4");
        check("^0.2.3", ">=0.2.3, <0.3");
        check("^0.0", ">=0.0, <0.1");
        check("^0.0.3", ">=0.0.3, <0.0.4");
        check("~3.8", ">=3.8, <3.9");
        check("~3", ">=3, <4");
        check("~1.2.3", ">=1.2.3, <1.3");
        check("~=1.2", "~=1.2");
        check("*", "");
        check("3.8.*", "==3.8.*");
        check("1.4", "==1.4");
        check(">=3.8, <4.0", ">=3.8, <4.0");
        check(">= 3.8 <4", ">=3.8, <4");
        check("~2.7 || ^3.6", ">=2.7, <2.8 or >=3.6, <4");
        check("^x", "none");
    }
}
