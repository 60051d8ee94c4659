//! The sections of a page about ELF files.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use wheelfix_inspect::{ElfReport, Installed, Link, TreeReport, Unreadable};
use wheelfix_wheel::{BundledLibrary, MinimumVersion, is_system_library};

use crate::inspect::html::picture::{Drawing, picture};
use crate::inspect::html::{code, codes, head, notices, section, size, table};
use crate::inspect::text::{clean, count, thousands};
use crate::table::bytes;

/// So many files are drawn open; the list of more is closed.
const OPEN: usize = 40;

/// The page of one file: its title, and all that is in it.
pub(super) fn file_page(report: &ElfReport, drawing: Option<&Drawing>) -> (String, Markup) {
    let title = clean(&report.path);
    let tiles = [
        ("kind", report.object.to_owned()),
        (
            "machine",
            format!("{}, {} bits", report.machine, report.bits),
        ),
        ("size", bytes(report.len)),
        ("needs", count(report.needed.len(), "library", "libraries")),
    ];
    let files = std::slice::from_ref(report);
    let body = html! {
        (head(&title, "", &tiles))
        (section("faults", "Faults and warnings", "", &notices(&faults(files, &[]), &[])))
        (section("facts", "What it says", "", &facts(report, &Names::default(), &[])))
        (picture(drawing))
    };
    (title, body)
}

/// The page of a directory: its title, and all that is in it.
pub(super) fn tree_page(report: &TreeReport, drawing: Option<&Drawing>) -> (String, Markup) {
    let title = clean(&report.path);
    let elf: u64 = report.elf_files.iter().map(|file| file.len).sum();
    let tiles = [
        ("size", bytes(report.len)),
        ("files", thousands(report.file_count as u64)),
        (
            "distributions",
            thousands(report.distributions.len() as u64),
        ),
        ("ELF files", thousands(report.elf_files.len() as u64)),
        ("size of these", bytes(elf)),
        (
            "bundled libraries",
            report.bundled_libraries.len().to_string(),
        ),
    ];
    let bad = faults(&report.elf_files, &report.unreadable);
    let set = ElfSections {
        files: &report.elf_files,
        external: &report.external_libraries,
        minimum_versions: &report.minimum_versions,
        bundled: &report.bundled_libraries,
    };
    let body = html! {
        (head(&title, "", &tiles))
        (section("faults", "Faults and warnings", "", &notices(&bad, &[])))
        (distributions(&report.distributions))
        (set.all(drawing))
    };
    (title, body)
}

/// The distributions that are installed.
fn distributions(list: &[Installed]) -> Markup {
    let rows = list.iter();
    let rows = rows.map(|it| [code(&it.name), code(&it.version), code(&it.path)]);
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return html! {};
    }
    let body = table(["name", "version", "at"], &rows);
    section(
        "distributions",
        "Distributions",
        "that are installed",
        &body,
    )
}

/// Files that cannot be read, and rules that those do not keep which can.
pub(super) fn faults(files: &[ElfReport], unreadable: &[Unreadable]) -> Vec<(String, String)> {
    let broken = files.iter().flat_map(|file| {
        let violations = file.violations.iter().flatten();
        violations.map(|violation| (file.path.clone(), violation.to_string()))
    });
    let unreadable = unreadable.iter();
    let unreadable = unreadable.map(|file| (file.path.clone(), file.reason.clone()));
    unreadable.chain(broken).collect()
}

/// The ELF files of a wheel or a directory, as sections of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct ElfSections<'a> {
    pub(super) files: &'a [ElfReport],
    pub(super) external: &'a [Link],
    pub(super) minimum_versions: &'a [MinimumVersion],
    pub(super) bundled: &'a [BundledLibrary],
}

impl ElfSections<'_> {
    /// All sections that have something in them.
    pub(super) fn all(&self, drawing: Option<&Drawing>) -> Markup {
        html! {
            (picture(drawing))
            (self.minimum_versions())
            (self.external())
            (self.bundled())
            (self.files())
        }
    }

    fn minimum_versions(&self) -> Markup {
        let rows = self.minimum_versions.iter().map(|minimum| {
            let name = format!("{}_{}", minimum.name, minimum.version);
            let others = minimum.count.saturating_sub(1);
            let others = html! { @if 0 < others { " and " (count(others, "more", "more")) } };
            [
                code(&name),
                code(&minimum.library),
                html! { (code(&minimum.path)) (others) },
            ]
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            return html! {};
        }
        let body = table(["version", "of", "for"], &rows);
        section("versions", "Needs at least", "", &body)
    }

    fn external(&self) -> Markup {
        if self.external.is_empty() {
            return html! {};
        }
        let (system, mut others): (Vec<&Link>, Vec<&Link>) = self
            .external
            .iter()
            .partition(|link| is_system_library(&link.soname));
        others.sort_by_key(|link| (Reverse(link.needed_by.len()), &link.soname));
        let rows = others
            .iter()
            .map(|link| [code(&link.soname), codes(&link.needed_by)]);
        let rows: Vec<_> = rows.collect();
        let body = html! {
            @if !system.is_empty() {
                p { "Of the system: " @for link in &system { (code(&link.soname)) " " } }
            }
            @if !rows.is_empty() { (table(["library", "needed by"], &rows)) }
        };
        let remark = if rows.is_empty() {
            "the system's libraries only"
        } else {
            "libraries that are not in here"
        };
        section("elsewhere", "Needed from elsewhere", remark, &body)
    }

    fn bundled(&self) -> Markup {
        if self.bundled.is_empty() {
            return html! {};
        }
        let rows = self.bundled.iter().map(|library| {
            let users = match library.needed_by.as_slice() {
                [] => html! { "none" },
                users => codes(users),
            };
            [code(&library.canonical), code(&library.path), users]
        });
        let body = table(["library", "file", "needed by"], &rows.collect::<Vec<_>>());
        let remark = "of others, by their own names";
        section("bundled", "Bundled libraries", remark, &body)
    }

    fn files(&self) -> Markup {
        if self.files.is_empty() {
            return html! {};
        }
        let names = Names::new(self.files);
        let users = names.users(self.files);
        let longest = self.files.iter().map(|file| file.len).max().unwrap_or(0);
        let mut files: Vec<(usize, &ElfReport)> = self.files.iter().enumerate().collect();
        files.sort_by_key(|(_, file)| (Reverse(file.len), &file.path));
        let none = Vec::new();
        let list = html! {
            @for (number, file) in files {
                details.file id=(format!("f{number}")) {
                    summary { (size(file.len, longest)) " " (code(&file.path)) }
                    (facts(file, &names, users.get(&number).unwrap_or(&none)))
                }
            }
        };
        let body = html! {
            @if self.files.len() <= OPEN { (list) } @else {
                details { summary { (count(self.files.len(), "file", "files")) } (list) }
            }
        };
        let total: u64 = self.files.iter().map(|file| file.len).sum();
        let remark = format!(
            "{} in {}, the largest first; each opens",
            bytes(total),
            count(self.files.len(), "file", "files")
        );
        section("elf", "ELF files", &remark, &body)
    }
}

/// The files by the names that a need can have.
#[derive(Debug, Default)]
struct Names<'a>(BTreeMap<&'a str, usize>);

impl<'a> Names<'a> {
    fn new(files: &'a [ElfReport]) -> Self {
        let mut names = BTreeMap::new();
        // The soname is what the loader compares first.
        for (number, file) in files.iter().enumerate() {
            if let Some(soname) = &file.soname {
                names.entry(soname.as_str()).or_insert(number);
            }
        }
        for (number, file) in files.iter().enumerate() {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            names.entry(name).or_insert(number);
        }
        Self(names)
    }

    /// By the number of a file, those that need it, with their numbers.
    fn users(&self, files: &'a [ElfReport]) -> BTreeMap<usize, Vec<(usize, &'a str)>> {
        let mut users: BTreeMap<usize, BTreeSet<(usize, &'a str)>> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            for needed in &file.needed {
                if let Some(of) = self.0.get(needed.as_str()) {
                    users.entry(*of).or_default().insert((number, &file.path));
                }
            }
        }
        let users = users.into_iter();
        users
            .map(|(of, all)| (of, all.into_iter().collect()))
            .collect()
    }
}

/// The facts of a file, one row for each.
fn facts(file: &ElfReport, names: &Names<'_>, users: &[(usize, &str)]) -> Markup {
    let kind = format!("{}, {} bits, {}", file.object, file.bits, file.machine);
    html! {
        dl {
            dt { "kind" } dd { (kind) ", " (bytes(file.len)) }
            @if let Some(soname) = &file.soname { dt { "soname" } dd { (code(soname)) } }
            @if let Some(interpreter) = &file.interpreter {
                dt { "interpreter" } dd { (code(interpreter)) }
            }
            @if let Some((kind, parts)) = file.search_path() {
                dt { (kind) }
                dd {
                    @for part in parts {
                        @if part.is_empty() { "(empty: the current directory)" } @else { (code(part)) }
                        " "
                    }
                }
            }
            dt { "needs" }
            dd {
                @if file.needed.is_empty() { "nothing" }
                @for needed in &file.needed { (linked(needed, names.0.get(needed.as_str()))) " " }
            }
            @if !users.is_empty() {
                dt { "needed by" }
                dd { @for (number, path) in users { (linked(path, Some(number))) " " } }
            }
            (versions(file))
            dt { "alignment" } dd { (format!("{:#x}", file.alignment)) }
            @if let Some(id) = &file.build_id { dt { "build id" } dd { (code(id)) } }
            @for note in &file.dlopen_notes { dt { "dlopen note" } dd { (code(note)) } }
            @if file.violations.as_ref().is_some_and(Vec::is_empty) {
                dt { "verified" } dd { "keeps all rules" }
            }
        }
    }
}

fn versions(file: &ElfReport) -> Markup {
    html! {
        @if !file.version_needs.is_empty() {
            dt { "versions" }
            dd {
                @for needs in &file.version_needs {
                    div { (code(&needs.library)) ": " (clean(&needs.versions.join(" "))) }
                }
            }
        }
    }
}

/// A name that leads to the file that has it.
fn linked(name: &str, number: Option<&usize>) -> Markup {
    match number {
        Some(number) => html! { a href=(format!("#f{number}")) { (code(name)) } },
        None => code(name),
    }
}
