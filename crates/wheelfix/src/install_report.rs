//! The report that `wheelfix install` prints when it is done.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

use serde::Serialize;
use wheelfix_format::Change;
use wheelfix_install::{CompileFailure, InstallReport, InstalledWheel, UnmetDependencies};
use wheelfix_link::{LinkPlan, Proof, count};
use wheelfix_unbundle::UnbundlePlan;

use crate::common::OutputArgs;
use crate::error::{Error, print_line, print_report};
use crate::message::{BREAK, Lines};
use crate::{document, proof_report, table, unbundle_table, warnings};

/// The content of the JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    prefix: &'a Path,
    /// Whether nothing was written.
    dry_run: bool,
    wheels: Vec<WheelDocument<'a>>,
    elf_edited: usize,
    elf_bytes_written: u64,
    /// The length of all libraries and backends that are left out.
    bytes_saved: u64,
    unbundling: &'a UnbundlePlan,
    relocation: &'a LinkPlan,
    /// `null` if nothing is known of the target.
    proof: Option<&'a Proof>,
    compile_failures: Vec<FailureDocument<'a>>,
    /// Warnings about the request.
    warnings: Vec<String>,
    /// Requirements of each wheel that neither the wheels nor the prefix have.
    unmet: Vec<UnmetDocument<'a>>,
    /// How many entries were the same when all was made a second time; `null` if it was not.
    made_twice: Option<usize>,
}

#[derive(Serialize)]
struct WheelDocument<'a> {
    filename: &'a str,
    name: &'a str,
    wheel_version: &'a str,
    files: usize,
    bytes: u64,
    excluded: usize,
    metadata: Vec<ChangeDocument<'a>>,
    warnings: Vec<String>,
}

/// A requirement that was edited.
#[derive(Serialize)]
pub(crate) struct ChangeDocument<'a> {
    before: &'a str,
    /// `null` if the requirement was removed.
    after: Option<&'a str>,
}

#[derive(Serialize)]
struct UnmetDocument<'a> {
    filename: &'a str,
    /// One text for each requirement, as nixpkgs' check words it.
    requirements: Vec<String>,
}

#[derive(Serialize)]
struct FailureDocument<'a> {
    path: &'a Path,
    reason: &'a str,
}

/// Prints a report.
pub(crate) fn print(
    report: &InstallReport,
    dry_run: bool,
    output: &OutputArgs,
) -> Result<(), Error> {
    if output.json {
        document::print(&document(report, dry_run))?;
    } else if dry_run && !output.quiet {
        print_report(&report.unbundling)?;
        print_report(&report.link_plan)?;
        print_line(wheel_table(report))?;
        print_report(changes(report))?;
        print_report(unmet(&report.unmet))?;
    } else if !output.quiet {
        print_line(wheel_table(report))?;
        print_report(changes(report))?;
        print_report(unbundle_table::render(&report.unbundling, output.verbose))?;
        print_line(summary(report))?;
        print_report(unmet(&report.unmet))?;
        made_twice(report.made_twice)?;
    }
    if !output.quiet {
        warn(report, output.verbose);
        proof_report::print(report.proof.as_ref(), &report.link_plan, output.verbose);
    }
    Ok(())
}

/// Says that all was made a second time.
pub(crate) fn made_twice(equal: Option<usize>) -> io::Result<()> {
    let Some(files) = equal else {
        return Ok(());
    };
    let files = count(files, "file");
    print_line(format_args!("made twice: {files}, the same both times"))
}

/// Prints the warnings on standard error.
fn warn(report: &InstallReport, all: bool) {
    warnings::print_of_wheels(&report.wheels, all);
    warnings::print_of_request(&report.warnings, all);
    warnings::print(compile_failures(&report.compile_failures), |_| (), all);
}

/// The sources that do not compile, each with the reason.
pub(crate) fn compile_failures(failures: &[CompileFailure]) -> impl Iterator<Item = String> {
    failures.iter().map(|failure| {
        let (path, reason) = (failure.path.display(), &failure.reason);
        format!("`{path}` does not compile: {reason}")
    })
}

fn wheel_table(report: &InstallReport) -> Lines {
    let row = |wheel: &InstalledWheel| {
        [
            wheel.name.clone(),
            wheel.version.clone(),
            wheel.files.to_string(),
            table::bytes(wheel.bytes),
        ]
    };
    let rows = report.wheels.iter().map(row);
    table::render(["wheel", "version", "files", "size"], rows)
}

/// The edits of METADATA, a line each.
fn changes(report: &InstallReport) -> impl Display {
    fmt::from_fn(|f| {
        report.wheels.iter().try_for_each(|wheel| {
            let line = |change| write!(f, "{}: {change}{BREAK}", wheel.name);
            wheel.metadata.iter().try_for_each(line)
        })
    })
}

fn summary(report: &InstallReport) -> String {
    let dropped = match report.link_plan.drops.len() + report.unbundling.removed.len() {
        0 => String::new(),
        count => {
            let saved = unbundle_table::saved(&report.unbundling, &report.link_plan);
            format!(", {count} left out ({saved})")
        }
    };
    format!(
        "installed into {}: {} edited ({} written){dropped}; {}",
        report.prefix.display(),
        count(report.elf_edited, "ELF file"),
        table::bytes(report.elf_bytes_written),
        proof_report::counts_if_proved(report.proof.as_ref())
    )
}

/// The requirements that nothing in the prefix meets, and how to meet them; nothing without any.
fn unmet(unmet: &[UnmetDependencies]) -> impl Display {
    fmt::from_fn(move |f| {
        for of_wheel in unmet {
            let wheel = &of_wheel.wheel;
            write!(f, "`{wheel}` requires more than is here: ")?;
            let texts: Vec<String> = of_wheel.unmet.iter().map(ToString::to_string).collect();
            write!(f, "{}{BREAK}", texts.join(", "))?;
        }
        if !unmet.is_empty() {
            let advice =
                "give those wheels, too, or `--check-deps DIR` for each prefix that has some";
            write!(f, "  {advice}{BREAK}")?;
        }
        Ok(())
    })
}

fn document(report: &InstallReport, dry_run: bool) -> Document<'_> {
    Document {
        prefix: &report.prefix,
        dry_run,
        wheels: report.wheels.iter().map(wheel_document).collect(),
        elf_edited: report.elf_edited,
        elf_bytes_written: report.elf_bytes_written,
        bytes_saved: unbundle_table::bytes_saved(&report.unbundling, &report.link_plan),
        unbundling: &report.unbundling,
        relocation: &report.link_plan,
        proof: report.proof.as_ref(),
        compile_failures: report
            .compile_failures
            .iter()
            .map(|failure| FailureDocument {
                path: &failure.path,
                reason: &failure.reason,
            })
            .collect(),
        warnings: report.warnings.iter().map(ToString::to_string).collect(),
        unmet: report.unmet.iter().map(unmet_document).collect(),
        made_twice: report.made_twice,
    }
}

fn unmet_document(of_wheel: &UnmetDependencies) -> UnmetDocument<'_> {
    UnmetDocument {
        filename: &of_wheel.wheel,
        requirements: of_wheel.unmet.iter().map(ToString::to_string).collect(),
    }
}

fn wheel_document(wheel: &InstalledWheel) -> WheelDocument<'_> {
    WheelDocument {
        filename: &wheel.filename,
        name: &wheel.name,
        wheel_version: &wheel.version,
        files: wheel.files,
        bytes: wheel.bytes,
        excluded: wheel.excluded,
        metadata: wheel.metadata.iter().map(change_document).collect(),
        warnings: wheel.warnings.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn change_document(change: &Change) -> ChangeDocument<'_> {
    ChangeDocument {
        before: &change.before,
        after: change.after.as_deref(),
    }
}
