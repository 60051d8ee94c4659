//! The pages of wheels and source distributions.

use maud::{Markup, html};
use wheelfix_inspect::{Distribution, RuntimeLoad, SdistReport, WheelReport};

use crate::inspect::html::elf::{ElfSections, faults};
use crate::inspect::html::picture::{Drawing, picture};
use crate::inspect::html::{code, head, notices, section, size, table};
use crate::inspect::text::{clean, count, thousands};
use crate::table::bytes;

/// The page of a wheel: its title, and all that is in it.
pub(super) fn page(report: &WheelReport, drawing: Option<&Drawing>) -> (String, Markup) {
    let title = title(&report.distribution);
    let summary = clean(report.distribution.summary.as_deref().unwrap_or_default());
    let set = ElfSections {
        files: &report.elf_files,
        external: &report.external_libraries,
        minimum_versions: &report.minimum_versions,
        bundled: &report.bundled_libraries,
    };
    let body = html! {
        (head(&title, &summary, &tiles(report)))
        (section("faults", "Faults and warnings", &compared(report), &warnings(report)))
        (tags(report))
        @if report.elf_files.is_empty() { (picture(None)) } @else { (set.all(drawing)) }
        (gpu_code(report))
        (runtime_loads(report))
        (dependencies(&report.distribution))
        (entry_points(report))
        (files(report))
    };
    (title, body)
}

/// The page of a source distribution: its title, and all that is in it.
pub(super) fn sdist_page(report: &SdistReport) -> (String, Markup) {
    let title = title(&report.distribution);
    let summary = clean(report.distribution.summary.as_deref().unwrap_or_default());
    let build = &report.build;
    let tiles = [
        ("archive", bytes(report.len)),
        ("unpacked", bytes(report.files.len)),
        ("files", thousands(report.files.count as u64)),
        ("python", python(&report.distribution)),
        (
            "built by",
            clean(build.backend.as_deref().unwrap_or("setuptools")),
        ),
    ];
    let longest = report.files.list.iter().map(|file| file.len).max();
    let rows = report.files.list.iter();
    let rows = rows.map(|file| [size(file.len, longest.unwrap_or(0)), code(&file.path)]);
    let rows: Vec<_> = rows.collect();
    let body = html! {
        (head(&title, &summary, &tiles))
        @if !build.requires.is_empty() {
            (section("build", "Needed to build it", "", &plain(&build.requires)))
        }
        (dependencies(&report.distribution))
        (section("files", "Files", &clean(&report.files.dir), &table(["size", "file"], &rows)))
    };
    (title, body)
}

fn title(distribution: &Distribution) -> String {
    clean(&format!("{} {}", distribution.name, distribution.version))
}

fn python(distribution: &Distribution) -> String {
    let python = distribution.requires_python.as_deref();
    clean(python.unwrap_or("any"))
}

fn tiles(report: &WheelReport) -> Vec<(&'static str, String)> {
    let wheel = &report.wheel;
    let mut tiles = vec![
        ("wheel", bytes(report.len)),
        ("unpacked", bytes(report.files.len)),
        ("files", thousands(report.files.count as u64)),
        ("ELF files", thousands(report.elf_files.len() as u64)),
        (
            "bundled libraries",
            report.bundled_libraries.len().to_string(),
        ),
        ("python", python(&report.distribution)),
    ];
    // Old metadata has the whole text there.
    let license = report.distribution.license.as_deref();
    let license = license.and_then(|license| license.lines().next());
    tiles.extend(license.map(|license| ("licence", clean(license))));
    let generator = wheel.generator.as_deref().unwrap_or("unknown");
    tiles.push(("made by", clean(generator)));
    tiles
}

/// How far RECORD was compared.
fn compared(report: &WheelReport) -> String {
    let rows = count(report.record.rows, "row", "rows");
    format!("{rows} of RECORD, {} compared", report.record.compared)
}

fn warnings(report: &WheelReport) -> Markup {
    let mismatches = report.record.mismatches.iter();
    let mut bad: Vec<(String, String)> = mismatches
        .map(|file| (file.path.clone(), file.reason.clone()))
        .collect();
    bad.extend(faults(&report.elf_files, &report.unreadable));
    let warnings = report.warnings.iter();
    let warnings = warnings.map(|text| ("warning".to_owned(), text.clone(), Vec::new()));
    let findings = report.findings.iter().map(|finding| {
        let paths = finding.paths.clone();
        (finding.code.to_string(), finding.message.clone(), paths)
    });
    notices(&bad, &warnings.chain(findings).collect::<Vec<_>>())
}

fn tags(report: &WheelReport) -> Markup {
    let body = html! {
        p { @for tag in &report.wheel.tags { (code(tag)) " " } }
        p {
            "File name: " (code(&report.file_name))
            @if let Some(build) = &report.wheel.build { ", build " (code(build)) }
            @if let Some(variant) = &report.wheel.variant { ", variant " (code(variant)) }
            ", Wheel-Version " (clean(&report.wheel.format)) ", " (report.wheel.root) "."
        }
    };
    section("tags", "Tags", "what it is made for", &body)
}

fn gpu_code(report: &WheelReport) -> Markup {
    let rows = report.gpu_code.iter().filter_map(|code_of| {
        let targets = code_of.targets.as_ref().filter(|it| !it.is_empty())?;
        let platform = code_of.platform.as_deref().unwrap_or("linked with none");
        let platform = html! { (clean(platform)) };
        Some([
            code(&code_of.path),
            platform,
            html! { (clean(&targets.join(" "))) },
        ])
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return html! {};
    }
    let body = table(["file", "platform", "for"], &rows);
    section("gpu", "Code for GPUs", "", &body)
}

fn runtime_loads(report: &WheelReport) -> Markup {
    let Some(loads) = &report.runtime_loads else {
        return html! {};
    };
    let place = |load: &RuntimeLoad| {
        let line = load.line.map(|line| format!(":{line}"));
        code(&format!("{}{}", load.path, line.unwrap_or_default()))
    };
    let text = |load: &RuntimeLoad| load.text.as_deref().map_or_else(|| html! {}, code);
    let rows = loads
        .iter()
        .map(|load| [code(&load.what), place(load), text(load)]);
    let rows: Vec<_> = rows.collect();
    let remark = "names and places in texts; some may be unused";
    let body = table(["name", "in", "line"], &rows);
    section("loads", "Loaded at run time", remark, &body)
}

fn dependencies(distribution: &Distribution) -> Markup {
    let requirements = distribution.dependencies.iter();
    let requirements: Vec<String> = requirements.map(|it| it.requirement.clone()).collect();
    if requirements.is_empty() {
        return html! {};
    }
    let body = plain(&requirements);
    section(
        "dependencies",
        "Dependencies",
        "as METADATA has them",
        &body,
    )
}

fn plain(list: &[String]) -> Markup {
    html! { ul.plain { @for text in list { li { (code(text)) } } } }
}

fn entry_points(report: &WheelReport) -> Markup {
    let rows = report.entry_points.iter().flat_map(|(group, points)| {
        let points = points.iter();
        points.map(move |point| [code(group), code(&point.name), code(&point.object)])
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return html! {};
    }
    let body = table(["group", "name", "object"], &rows);
    section("entry-points", "Entry points", "", &body)
}

fn files(report: &WheelReport) -> Markup {
    let longest = report.files.list.iter().map(|file| file.len).max();
    let rows = report.files.list.iter().map(|file| {
        let mode = if file.executable { "x" } else { "" };
        [
            size(file.len, longest.unwrap_or(0)),
            code(&file.path),
            html! { (file.place) " " (mode) },
        ]
    });
    let rows: Vec<_> = rows.collect();
    let body = html! {
        details {
            summary { (count(report.files.count, "file", "files")) }
            (table(["size", "file", "place"], &rows))
        }
    };
    section("files", "Files", "", &body)
}
