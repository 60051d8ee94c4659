//! The report on a wheel for people.

use std::collections::BTreeMap;

use wheelfix_inspect::{Dependency, Distribution, GpuCode, RecordStatus, WheelReport};
use wheelfix_wheel::Finding;

use crate::inspect::elf_text;
use crate::inspect::text::{BAD, BOLD, DIM, Text, WARN, clean, count, paint, shown, thousands};
use crate::table::bytes;

/// Dependencies that are listed unless all are wanted.
const MAX_DEPENDENCIES: usize = 30;

/// Entry points of one group that are listed unless all are wanted.
const MAX_ENTRY_POINTS: usize = 10;

/// Things loaded at run time that are listed unless all are wanted.
const MAX_LOADS: usize = 20;

/// Files of a finding that are listed unless all are wanted.
const MAX_PATHS: usize = 3;

pub(super) fn print(report: &WheelReport, all: bool) -> String {
    let mut text = Text::new();
    head(&mut text, report);
    dependencies(&mut text, &report.distribution, all);
    entry_points(&mut text, report, all);
    elf_text::section(&mut text, &report.elf_files, all);
    elf_text::unreadable(&mut text, &report.unreadable);
    elf_text::external(&mut text, &report.external_libraries, all);
    elf_text::minimum_versions(&mut text, &report.minimum_versions);
    elf_text::bundled(&mut text, &report.bundled_libraries, all);
    gpu_code(&mut text, &report.gpu_code);
    runtime_loads(&mut text, report, all);
    findings(&mut text, report, all);
    if all {
        files(&mut text, report);
    }
    text.finish()
}

fn head(text: &mut Text, report: &WheelReport) {
    let wheel = &report.wheel;
    title(text, &report.distribution);
    let files = count(report.files.count, "file", "files");
    let sizes = format!(
        "{}, unpacked {} in {files}",
        bytes(report.len),
        bytes(report.files.len)
    );
    text.row("size", &sizes);
    text.row("tags", &wheel.tags.join(" "));
    text.row_if("build", wheel.build.as_deref());
    text.row_if("variant", wheel.variant.as_deref());
    common(text, &report.distribution);
    let generator = wheel
        .generator
        .as_deref()
        .map_or_else(|| "unknown".to_owned(), clean);
    text.row(
        "made by",
        &format!(
            "{generator}, as {}, Wheel-Version {}",
            wheel.root, wheel.format
        ),
    );
    record(text, &report.record);
}

/// Name, version and summary.
pub(super) fn title(text: &mut Text, distribution: &Distribution) {
    let name = clean(&format!("{} {}", distribution.name, distribution.version));
    let summary = distribution
        .summary
        .as_deref()
        .map(clean)
        .unwrap_or_default();
    text.line(&format!("{}  {summary}", paint(BOLD, &name)));
}

/// The rows that wheels and source distributions have in common.
pub(super) fn common(text: &mut Text, distribution: &Distribution) {
    let python = distribution.requires_python.as_deref();
    text.row("python", &python.map_or_else(|| "any".to_owned(), clean));
    // Old metadata has the whole text there.
    let license = distribution
        .license
        .as_deref()
        .and_then(|license| license.lines().next());
    text.row_if("license", license.map(clean).as_deref());
}

fn record(text: &mut Text, record: &RecordStatus) {
    let rows = count(record.rows, "row", "rows");
    match record.mismatches.len() {
        0 if record.compared == "contents" => text.row(
            "RECORD",
            &format!("{rows}; names, sizes and contents agree"),
        ),
        0 => text.row(
            "RECORD",
            &format!("{rows}; names and sizes agree, contents not compared (--verify)"),
        ),
        number => {
            let files = count(number, "file differs", "files differ");
            text.row("RECORD", &paint(BAD, &format!("{rows}; {files}")));
            for file in &record.mismatches {
                text.styled(
                    BAD,
                    &format!("    {}: {}", clean(&file.path), clean(&file.reason)),
                );
            }
        }
    }
}

/// The requirements of a distribution, without those of extras unless all are wanted.
pub(super) fn dependencies(text: &mut Text, distribution: &Distribution, all: bool) {
    let is_extra = |dependency: &&Dependency| {
        dependency
            .marker
            .as_deref()
            .is_some_and(|marker| marker.contains("extra"))
    };
    let listed: Vec<&Dependency> = distribution
        .dependencies
        .iter()
        .filter(|it| all || !is_extra(it))
        .collect();
    let hidden = distribution.dependencies.len() - listed.len();
    if listed.is_empty() && hidden == 0 {
        return;
    }
    let mut remark = String::new();
    if 0 < hidden {
        let extras = count(distribution.extras.len(), "extra", "extras");
        remark = format!(
            "and {hidden} in {extras}: {}",
            clean(&distribution.extras.join(", "))
        );
    }
    text.heading(&format!("Dependencies ({})", listed.len()), &remark);
    let number = shown(listed.len(), MAX_DEPENDENCIES, all);
    for dependency in listed.iter().take(number) {
        let line = clean(&dependency.requirement);
        match dependency.name {
            Some(_) => text.words(&line),
            None => text.styled(BAD, &format!("  {line}  (cannot be read)")),
        }
    }
    text.more(listed.len() - number);
}

fn entry_points(text: &mut Text, report: &WheelReport, all: bool) {
    let total: usize = report.entry_points.values().map(Vec::len).sum();
    if total == 0 {
        return;
    }
    text.heading(&format!("Entry points ({total})"), "");
    let mut groups: Vec<_> = report.entry_points.iter().collect();
    // Scripts are what most people look for.
    groups.sort_by_key(|(group, _)| !matches!(group.as_str(), "console_scripts" | "gui_scripts"));
    for (group, points) in groups {
        text.styled(DIM, &format!("  {}", clean(group)));
        let number = shown(points.len(), MAX_ENTRY_POINTS, all);
        let rows = points.iter().take(number);
        let rows = rows.map(|point| [format!("  {}", clean(&point.name)), clean(&point.object)]);
        text.table(&rows.collect::<Vec<_>>(), [false, false]);
        text.more(points.len() - number);
    }
}

/// The code for GPUs; files that say the same are one row.
fn gpu_code(text: &mut Text, code: &[GpuCode]) {
    let mut rows: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for GpuCode {
        path,
        platform,
        targets,
    } in code
    {
        let Some(targets) = targets.as_ref().filter(|targets| !targets.is_empty()) else {
            continue;
        };
        let platform = platform.as_deref().unwrap_or("linked with none");
        rows.entry((platform, targets.join(" ")))
            .or_default()
            .push(path);
    }
    if rows.is_empty() {
        return;
    }
    text.heading("Code for GPUs", "");
    for ((platform, targets), paths) in rows {
        text.line(&format!(
            "  {}  {}",
            clean(platform),
            clean(&paths.join(" "))
        ));
        text.hanging("    ", &clean(&targets));
    }
}

/// Things that may be loaded while the wheel runs: libraries first, then lines of sources.
fn runtime_loads(text: &mut Text, report: &WheelReport, all: bool) {
    let Some(loads) = &report.runtime_loads else {
        return;
    };
    let (sources, libraries): (Vec<_>, Vec<_>) = loads.iter().partition(|load| load.line.is_some());
    text.heading(
        &format!("Loaded at run time ({})", loads.len()),
        "names and places in texts; some may be unused",
    );
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for load in libraries {
        by_name.entry(&load.what).or_default().push(&load.path);
    }
    let number = shown(by_name.len(), MAX_LOADS, all);
    let rows = by_name.iter().take(number);
    let rows = rows.map(|(what, paths)| [clean(what), format!("in {}", clean(&paths.join(" ")))]);
    text.table(&rows.collect::<Vec<_>>(), [false, false]);
    text.more(by_name.len() - number);
    let number = shown(sources.len(), MAX_LOADS, all);
    for load in sources.iter().take(number) {
        let line = load.line.unwrap_or_default();
        text.cut(&format!("  {}:{line}", clean(&load.path)));
        text.cut(&format!(
            "      {}",
            clean(load.text.as_deref().unwrap_or_default())
        ));
    }
    text.more(sources.len() - number);
}

fn findings(text: &mut Text, report: &WheelReport, all: bool) {
    if report.findings.is_empty() && report.warnings.is_empty() {
        return;
    }
    text.heading("Findings", "");
    for warning in &report.warnings {
        text.words(&paint(WARN, &clean(warning)));
    }
    for Finding {
        code,
        message,
        paths,
    } in &report.findings
    {
        let remark = if paths.len() <= MAX_PATHS {
            String::new()
        } else {
            format!(" ({})", paths.len())
        };
        text.line(&format!(
            "  {} {}{remark}",
            paint(WARN, &code.to_string()),
            clean(message)
        ));
        let number = shown(paths.len(), MAX_PATHS, all);
        for path in paths.iter().take(number) {
            text.cut(&format!("       {}", clean(path)));
        }
        text.more(paths.len() - number);
    }
}

fn files(text: &mut Text, report: &WheelReport) {
    text.heading(
        &format!("Files ({})", thousands(report.files.count as u64)),
        "",
    );
    let rows = report.files.list.iter().map(|file| {
        let mode = if file.executable { "x" } else { "" };
        [
            bytes(file.len),
            mode.to_owned(),
            file.place.to_owned(),
            clean(&file.path),
        ]
    });
    text.table(&rows.collect::<Vec<_>>(), [true, false, false, false]);
}
