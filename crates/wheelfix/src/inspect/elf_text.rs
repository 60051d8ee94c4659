//! Reports on ELF files for people.

use std::collections::BTreeMap;

use wheelfix_inspect::{ElfReport, Installed, Link, TreeReport, Unreadable};
use wheelfix_wheel::{BundledLibrary, MinimumVersion, is_system_library};

use crate::inspect::text::{BAD, BOLD, Text, clean, count, paint, shown, thousands};
use crate::table::bytes;

/// Files that are listed unless all are wanted.
const MAX_FILES: usize = 12;

/// Of shorter lists, so many are printed unless all are wanted.
const MAX_LINES: usize = 8;

/// The report on one file.
pub(super) fn print_file(report: &ElfReport) -> String {
    let mut text = Text::new();
    text.line(&paint(BOLD, &clean(&report.path)));
    details(&mut text, report);
    text.finish()
}

/// The report on a directory.
pub(super) fn print_tree(report: &TreeReport, all: bool) -> String {
    let mut text = Text::new();
    text.line(&paint(BOLD, &clean(&report.path)));
    let files = count(report.file_count, "file", "files");
    text.row("size", &format!("{} in {files}", bytes(report.len)));
    distributions(&mut text, &report.distributions, all);
    section(&mut text, &report.elf_files, all);
    unreadable(&mut text, &report.unreadable);
    external(&mut text, &report.external_libraries, all);
    minimum_versions(&mut text, &report.minimum_versions);
    bundled(&mut text, &report.bundled_libraries, all);
    text.finish()
}

/// The distributions that are installed.
fn distributions(text: &mut Text, list: &[Installed], all: bool) {
    if list.is_empty() {
        return;
    }
    text.heading(&format!("Distributions ({})", list.len()), "");
    let number = shown(list.len(), 3 * MAX_LINES, all);
    let rows = list.iter().take(number);
    let rows = rows.map(|it| [clean(&it.name), clean(&it.version)]);
    text.table(&rows.collect::<Vec<_>>(), [false, false]);
    text.more(list.len() - number);
}

/// The facts of a file, one row for each.
fn details(text: &mut Text, report: &ElfReport) {
    let machine = format!(
        "{}, {} bits, {}",
        report.object, report.bits, report.machine
    );
    text.row("kind", &format!("{machine}, {}", bytes(report.len)));
    text.row_if("soname", report.soname.as_deref().map(clean).as_deref());
    text.row_if(
        "interpreter",
        report.interpreter.as_deref().map(clean).as_deref(),
    );
    if let Some((kind, parts)) = report.search_path() {
        let mut name = kind;
        for part in parts {
            text.row(name, &part_text(part));
            name = "";
        }
    }
    text.row_if("needs", Some(&clean(&report.needed.join(" "))));
    let mut name = "versions";
    for needs in &report.version_needs {
        text.row(
            name,
            &clean(&format!("{}: {}", needs.library, needs.versions.join(" "))),
        );
        name = "";
    }
    text.row("alignment", &format!("{:#x}", report.alignment));
    text.row_if("build id", report.build_id.as_deref());
    for note in &report.dlopen_notes {
        text.row("dlopen note", &clean(note));
    }
    match &report.violations {
        None => {}
        Some(violations) if violations.is_empty() => text.row("verified", "keeps all rules"),
        Some(violations) => {
            for violation in violations {
                text.row("verified", &paint(BAD, &clean(&violation.to_string())));
            }
        }
    }
}

fn part_text(part: &str) -> String {
    if part.is_empty() {
        "(empty: the current directory)".to_owned()
    } else {
        clean(part)
    }
}

/// The ELF files of a wheel or a directory.
pub(super) fn section(text: &mut Text, files: &[ElfReport], all: bool) {
    if files.is_empty() {
        return;
    }
    let mut machines: Vec<&str> = files.iter().map(|file| file.machine.as_str()).collect();
    machines.sort_unstable();
    machines.dedup();
    let total: u64 = files.iter().map(|file| file.len).sum();
    let number = thousands(files.len() as u64);
    text.heading(
        &format!("ELF files ({number})"),
        &format!("{}, {}", bytes(total), machines.join(", ")),
    );
    if all {
        for file in files {
            text.line(&format!("  {}", paint(BOLD, &clean(&file.path))));
            details(text, file);
        }
    } else {
        let mut largest: Vec<&ElfReport> = files.iter().collect();
        largest.sort_by_key(|file| (std::cmp::Reverse(file.len), &file.path));
        let number = shown(files.len(), MAX_FILES, all);
        let rows = largest.iter().take(number).map(|file| {
            let needs = count(file.needed.len(), "need", "needs");
            [
                bytes(file.len),
                needs,
                run_path_kind(file).to_owned(),
                clean(&file.path),
            ]
        });
        text.table(&rows.collect::<Vec<_>>(), [true, true, false, false]);
        text.more(files.len() - number);
    }
    run_paths(text, files, all);
    interpreters(text, files);
}

fn run_path_kind(file: &ElfReport) -> &'static str {
    file.search_path().map_or("no path", |(kind, _)| kind)
}

/// The search paths, each with the number of files that have it.
fn run_paths(text: &mut Text, files: &[ElfReport], all: bool) {
    let mut paths: BTreeMap<(&str, Vec<&str>), usize> = BTreeMap::new();
    for path in files.iter().filter_map(ElfReport::search_path) {
        *paths.entry(path).or_default() += 1;
    }
    if paths.is_empty() {
        return;
    }
    let without = files
        .iter()
        .filter(|file| file.search_path().is_none())
        .count();
    let remark = format!("{} without", count(without, "file", "files"));
    text.heading("Search paths", if without == 0 { "" } else { &remark });
    let mut paths: Vec<_> = paths.into_iter().collect();
    paths.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let number = shown(paths.len(), MAX_LINES, all);
    let widest = paths
        .first()
        .map_or(1, |(_, files)| thousands(*files as u64).len());
    for ((kind, parts), files) in paths.iter().take(number) {
        let parts: Vec<String> = parts.iter().map(|part| part_text(part)).collect();
        let noun = if *files == 1 { "file " } else { "files" };
        text.hanging(
            &format!("{:>widest$} {noun}  {kind:7}  ", thousands(*files as u64)),
            &parts.join(" "),
        );
    }
    text.more(paths.len() - number);
}

fn interpreters(text: &mut Text, files: &[ElfReport]) {
    let mut programs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in files {
        if let Some(interpreter) = &file.interpreter {
            programs.entry(interpreter).or_default().push(&file.path);
        }
    }
    for (interpreter, paths) in programs {
        text.heading("Programs", &format!("interpreter {}", clean(interpreter)));
        text.words(&clean(&paths.join(" ")));
    }
}

/// The libraries that are needed from outside: first those that every system has, then the rest.
pub(super) fn external(text: &mut Text, links: &[Link], all: bool) {
    if links.is_empty() {
        return;
    }
    let (system, mut others): (Vec<&Link>, Vec<&Link>) = links
        .iter()
        .partition(|link| is_system_library(&link.soname));
    let remark = if others.is_empty() {
        "the system's libraries only"
    } else {
        "libraries that are not in here"
    };
    text.heading(&format!("Needed from elsewhere ({})", links.len()), remark);
    if !system.is_empty() {
        let names: Vec<String> = system.iter().map(|link| clean(&link.soname)).collect();
        text.hanging("system  ", &names.join(" "));
    }
    others.sort_by_key(|link| (std::cmp::Reverse(link.needed_by.len()), &link.soname));
    let number = shown(others.len(), 3 * MAX_LINES, all);
    let rows = others.iter().take(number).map(|link| {
        let by = match link.needed_by.as_slice() {
            [only] => clean(only),
            files => count(files.len(), "file", "files"),
        };
        [clean(&link.soname), format!("by {by}")]
    });
    text.table(&rows.collect::<Vec<_>>(), [false, false]);
    text.more(others.len() - number);
}

/// The newest versions that are needed from outside.
pub(super) fn minimum_versions(text: &mut Text, minimum_versions: &[MinimumVersion]) {
    if minimum_versions.is_empty() {
        return;
    }
    text.heading("Needs at least", "");
    let rows = minimum_versions.iter().map(|minimum| {
        let others = match minimum.count {
            0 | 1 => String::new(),
            number => format!(" and {} more", number - 1),
        };
        let name = format!("{}_{}", minimum.name, minimum.version);
        [
            clean(&name),
            clean(&minimum.library),
            format!("for {}{others}", clean(&minimum.path)),
        ]
    });
    text.table(&rows.collect::<Vec<_>>(), [false, false, false]);
}

/// Libraries of others.
pub(super) fn bundled(text: &mut Text, libraries: &[BundledLibrary], all: bool) {
    if libraries.is_empty() {
        return;
    }
    text.heading(
        &format!("Bundled libraries ({})", libraries.len()),
        "of others, by their own names",
    );
    let number = shown(libraries.len(), 2 * MAX_LINES, all);
    let rows = libraries.iter().take(number).map(|library| {
        let users = match library.needed_by.len() {
            0 => "needed by none".to_owned(),
            users => format!("needed by {users}"),
        };
        [clean(&library.canonical), users, clean(&library.path)]
    });
    text.table(&rows.collect::<Vec<_>>(), [false, false, false]);
    text.more(libraries.len() - number);
    let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
    for library in libraries {
        let (stem, _) = library
            .canonical
            .split_once(".so")
            .unwrap_or((&library.canonical, ""));
        *copies.entry(stem).or_default() += 1;
    }
    let twice = copies.into_iter().filter(|(_, number)| 1 < *number);
    let twice: Vec<String> = twice
        .map(|(stem, number)| format!("{} is there {number} times", clean(stem)))
        .collect();
    if !twice.is_empty() {
        text.words(&format!("{}.", twice.join(", ")));
    }
}

/// Files that cannot be read.
pub(super) fn unreadable(text: &mut Text, files: &[Unreadable]) {
    for file in files {
        text.styled(
            BAD,
            &format!("  {}: {}", clean(&file.path), clean(&file.reason)),
        );
    }
}
