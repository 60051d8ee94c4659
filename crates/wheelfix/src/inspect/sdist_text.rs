//! The report on a source distribution for people.

use wheelfix_inspect::{Build, SdistReport};

use crate::inspect::text::{Text, clean, count, thousands};
use crate::inspect::wheel_text;
use crate::table::bytes;

pub(super) fn print(report: &SdistReport, all: bool) -> String {
    let mut text = Text::new();
    wheel_text::title(&mut text, &report.distribution);
    let files = count(report.files.count, "file", "files");
    let sizes = format!(
        "{}, unpacked {} in {files}",
        bytes(report.len),
        bytes(report.files.len)
    );
    text.row("size", &sizes);
    wheel_text::common(&mut text, &report.distribution);
    build(&mut text, &report.build);
    let dynamic = match &report.dynamic {
        None => format!(
            "all fields, Metadata-Version is {}",
            report.metadata_version
        ),
        Some(fields) if fields.is_empty() => "no field, the metadata are final".to_owned(),
        Some(fields) => clean(&fields.join(", ")),
    };
    text.row("dynamic", &dynamic);
    wheel_text::dependencies(&mut text, &report.distribution, all);
    if all {
        text.heading(
            &format!("Files ({})", thousands(report.files.count as u64)),
            &clean(&report.files.dir),
        );
        let rows = report.files.list.iter().map(|file| {
            let mode = if file.executable { "x" } else { "" };
            [bytes(file.len), mode.to_owned(), clean(&file.path)]
        });
        text.table(&rows.collect::<Vec<_>>(), [true, false, false]);
    }
    text.finish()
}

fn build(text: &mut Text, build: &Build) {
    let backend = match (&build.backend, build.has_pyproject) {
        (Some(backend), _) => clean(backend),
        (None, true) => "setuptools, legacy".to_owned(),
        (None, false) => "setuptools, legacy (no pyproject.toml)".to_owned(),
    };
    text.row("built by", &backend);
    if !build.backend_path.is_empty() {
        text.row(
            "",
            &format!(
                "which is in the tree: {}",
                clean(&build.backend_path.join(", "))
            ),
        );
    }
    let mut name = "with";
    for requirement in &build.requires {
        text.row(name, &clean(requirement));
        name = "";
    }
    text.row_if("computes", Some(&clean(&build.dynamic.join(", "))));
}
