//! `figures`: the size and the shape of the code that is shipped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pico_args::Arguments;
use walkdir::WalkDir;

use crate::failure::Result;
use crate::{arguments, place};

/// The crate that only tests use.
const TESTKIT: &str = "wheelfix-testkit";

/// The figures of one crate, or of all.
#[derive(Debug, Default)]
struct Figures {
    files: usize,
    /// Lines without tests.
    lines: usize,
    /// Lines of doc comments.
    doc_lines: usize,
    /// Structs, enums and unions.
    types: usize,
    functions: usize,
    /// The lines of the longest function.
    longest: usize,
    /// Folders that use one another.
    circles: Vec<BTreeSet<String>>,
}

/// Prints a table with a row for each crate, and the circles of folders.
pub(crate) fn task(args: Arguments) -> Result {
    arguments::finish(args)?;
    let mut total = Figures::default();
    println!(
        "{:<20}{:>6}{:>8}{:>7}{:>12}{:>11}{:>9}",
        "crate", "files", "lines", "doc %", "types/kline", "functions", "longest"
    );
    for name in crates()? {
        let figures = read(&place::root().join("crates").join(&name).join("src"))?;
        println!("{}", row(&name, &figures));
        total.add(figures);
    }
    println!("{}", row("all", &total));
    for circle in &total.circles {
        let folders: Vec<&str> = circle.iter().map(String::as_str).collect();
        println!("use one another: {}", folders.join(", "));
    }
    if total.lines == 0 {
        return Err("no source was found in `crates`".into());
    }
    Ok(())
}

/// The names of the crates that are shipped.
fn crates() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(place::root().join("crates"))? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    names.remove(TESTKIT);
    Ok(names)
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.lines += other.lines;
        self.doc_lines += other.doc_lines;
        self.types += other.types;
        self.functions += other.functions;
        self.longest = self.longest.max(other.longest);
        self.circles.extend(other.circles);
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares are rounded")]
fn row(name: &str, figures: &Figures) -> String {
    let lines = figures.lines.max(1) as f64;
    format!(
        "{name:<20}{:>6}{:>8}{:>7.1}{:>12.1}{:>11}{:>9}",
        figures.files,
        figures.lines,
        100.0 * figures.doc_lines as f64 / lines,
        1000.0 * figures.types as f64 / lines,
        figures.functions,
        figures.longest,
    )
}

/// The figures of the sources below a directory.
fn read(src: &Path) -> Result<Figures> {
    let mut figures = Figures::default();
    let mut texts = BTreeMap::new();
    for entry in WalkDir::new(src).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path();
        let is_test = path.to_string_lossy().ends_with("tests.rs");
        if path.extension().is_none_or(|extension| extension != "rs") || is_test {
            continue;
        }
        let text = without_tests(&fs_err::read_to_string(path)?);
        figures.count(&text);
        let inside = path.strip_prefix(src).unwrap_or(path);
        texts.insert(inside.to_path_buf(), text);
    }
    figures.circles = circles(&texts);
    Ok(figures)
}

/// A source without the module of tests at its end.
fn without_tests(text: &str) -> String {
    let end = text.find("\n#[cfg(test)]\nmod tests {");
    let code = end.and_then(|end| text.get(..end));
    code.unwrap_or(text).to_owned()
}

impl Figures {
    fn count(&mut self, text: &str) {
        self.files += 1;
        // The indentation of the function, and its lines of code so far.
        let mut function: Option<(usize, usize)> = None;
        for line in text.lines() {
            let code = line.trim_start();
            let indentation = line.len() - code.len();
            self.lines += 1;
            self.doc_lines += usize::from(code.starts_with("///") || code.starts_with("//!"));
            self.types += usize::from(
                ["struct", "enum", "union"]
                    .iter()
                    .any(|k| declares(code, k)),
            );
            if declares(code, "fn") {
                self.functions += 1;
                function = Some((indentation, 0));
            }
            if let Some((at, length)) = &mut function {
                *length += usize::from(!code.is_empty() && !code.starts_with("//"));
                self.longest = self.longest.max(*length);
                if code == "}" && indentation == *at {
                    function = None;
                }
            }
        }
    }
}

/// Whether a line declares something: the keyword stands first, but for words like `pub`.
fn declares(code: &str, keyword: &str) -> bool {
    let mut words = code.split(' ').skip_while(|word| is_qualifier(word));
    words.next() == Some(keyword)
}

/// Whether a word may stand before `fn`, `struct` or `enum`.
fn is_qualifier(word: &str) -> bool {
    word.starts_with("pub") || matches!(word, "const" | "async" | "unsafe" | "extern")
}

/// Sets of folders that use one another. A file beside a folder of its name is part of it.
fn circles(texts: &BTreeMap<PathBuf, String>) -> Vec<BTreeSet<String>> {
    let folders: BTreeSet<String> = texts.keys().map(|path| folder(path)).collect();
    let root = texts.get(Path::new("lib.rs"));
    let exports = root.map_or_else(BTreeMap::new, |root| exports(root));
    let folder_of = |name: &str| exports.get(name).map_or(name, String::as_str).to_owned();
    let mut reached: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
    for name in &folders {
        let own = texts.iter().filter(|(path, _)| folder(path) == *name);
        let used = own.flat_map(|(_, text)| used(text)).map(folder_of);
        let used = used.filter(|used| used != name && folders.contains(used));
        reached.insert(name, used.collect());
    }
    // As many rounds as the longest way has steps.
    for _ in 0..folders.len() {
        let before = reached.clone();
        for further in reached.values_mut() {
            let more: Vec<String> = further
                .iter()
                .filter_map(|name| before.get(name))
                .flatten()
                .cloned()
                .collect();
            further.extend(more);
        }
    }
    let mut found = BTreeSet::new();
    for (name, further) in &reached {
        let back = |other: &&String| reached.get(other).is_some_and(|far| far.contains(*name));
        let circle: BTreeSet<String> = further.iter().filter(back).cloned().collect();
        if 1 < circle.len() {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// The first part of a path, without `.rs`.
fn folder(path: &Path) -> String {
    let first = path.iter().next().unwrap_or_default().to_string_lossy();
    first.strip_suffix(".rs").unwrap_or(&first).to_owned()
}

/// The names behind `crate::` in a source: modules at the top of the crate, and what its root exports.
fn used(text: &str) -> BTreeSet<&str> {
    let mut parts = text.split("crate::");
    parts.next();
    parts.flat_map(first_names).collect()
}

/// The first name of a path; of a list in braces, that of each element.
fn first_names(path: &str) -> Vec<&str> {
    let list = path
        .strip_prefix('{')
        .and_then(|list| list.split('}').next());
    let elements = list.map_or(vec![path], |list| list.split(',').collect());
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let names = elements.into_iter().map(str::trim);
    let names = names.filter_map(|name| name.split(|letter| !is_part(letter)).next());
    names.collect()
}

/// The folders of the names that the root of a crate exports.
fn exports(root: &str) -> BTreeMap<&str, String> {
    let mut found = BTreeMap::new();
    for export in root.split("\npub use ").skip(1) {
        let path = export.split(';').next().unwrap_or_default();
        let Some((folder, _)) = path.split_once("::") else {
            continue;
        };
        let names = path.rsplit_once("::{").or_else(|| path.rsplit_once("::"));
        let names = names.map_or("", |(_, names)| names.trim_end_matches('}'));
        let names = names.split(',').map(str::trim);
        found.extend(names.map(|name| (name, folder.trim_start_matches("self::").to_owned())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_counted_without_its_tests() {
        let text = "//! A file.\n\npub(crate) struct A;\n\nfn f() {\n    g();\n}\n\n#[cfg(test)]\nmod tests {\n    fn h() {}\n}\n";
        let mut figures = Figures::default();
        figures.count(&without_tests(text));
        assert_eq!((figures.files, figures.lines, figures.doc_lines), (1, 7, 1));
        assert_eq!(
            (figures.types, figures.functions, figures.longest),
            (1, 1, 3)
        );
    }

    #[test]
    fn folders_that_use_one_another_are_a_circle() {
        let source = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
        let texts = [
            source("a.rs", "use crate::b::x::T;"),
            source("a/inner.rs", "use crate::a::U;"),
            source("b/x.rs", "use crate::c;"),
            source("c.rs", "use crate::a;"),
            source("d.rs", "use crate::c;"),
            source("e.rs", "use crate::{G, d};"),
            source("f/g.rs", "use crate::{\n    E,\n};"),
            source("lib.rs", "mod e;\npub use e::{D, E};\npub use f::g::G;\n"),
        ];
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            circles(&texts.into()),
            [names(&["a", "b", "c"]), names(&["e", "f"])]
        );
    }

    #[test]
    fn crates_without_circles_get_none() {
        let directory = place::root().join("crates");
        for name in &crates().unwrap() {
            let figures = read(&directory.join(name).join("src")).unwrap();
            assert!(0 < figures.files, "{name}");
            assert_eq!(figures.circles, [], "{name}");
        }
    }
}
