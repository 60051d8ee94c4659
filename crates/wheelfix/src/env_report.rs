//! The report that `wheelfix env` prints when it is done.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_install::{
    Counts, EnvReport, PlannedEntry, Prefix, ResolvedCollision, RuntimeCopies, UnmetRequirement,
};
use wheelfix_link::{LinkPlan, Proof, Variable, count};
use wheelfix_unbundle::UnbundlePlan;

use crate::common::OutputArgs;
use crate::error::{self, Error, print_line, print_report};
use crate::install_report::{compile_failures, made_twice};
use crate::{document, proof_report, unbundle_table, warnings};

/// The content of the JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    prefix: &'a Path,
    /// Whether nothing was made.
    dry_run: bool,
    prefixes: &'a [Prefix],
    passed_over: &'a [PathBuf],
    wheels: Vec<&'a str>,
    distributions: Vec<DistributionDocument<'a>>,
    counts: Counts,
    /// How many files lie in the directories that are taken whole.
    whole_files: usize,
    /// `null` unless it is a dry run.
    plan: Option<&'a [PlannedEntry]>,
    resolved_collisions: &'a [ResolvedCollision],
    unmet: &'a [UnmetRequirement],
    runtime_copies: &'a [RuntimeCopies],
    elf_edited: usize,
    /// The length of all libraries and backends of wheels that are left out.
    bytes_saved: u64,
    unbundling: &'a UnbundlePlan,
    relocation: &'a LinkPlan,
    /// `null` if it was not asked for, or nothing is known of the target.
    proof: Option<&'a Proof>,
    /// The same by the paths in the inputs.
    input_proof: Option<&'a Proof>,
    compile_failures: Vec<FailureDocument<'a>>,
    /// Warnings about the request.
    warnings: Vec<String>,
    /// How many entries were the same when all was made a second time; `null` if it was not.
    made_twice: Option<usize>,
}

#[derive(Serialize)]
struct DistributionDocument<'a> {
    name: &'a str,
    distribution_version: &'a str,
}

#[derive(Serialize)]
struct FailureDocument<'a> {
    path: &'a Path,
    reason: &'a str,
}

/// Prints a report.
pub(crate) fn print(report: &EnvReport, dry_run: bool, output: &OutputArgs) -> Result<(), Error> {
    if output.json {
        document::print(&document(report, dry_run))?;
    } else if !output.quiet {
        for entry in report.plan.iter().flatten() {
            let verb = entry.action.verb();
            match &entry.from {
                Some(from) => {
                    print_line(format_args!("{verb} {} <- {}", entry.path, from.display()))?;
                }
                None => print_line(format_args!("{verb} {}", entry.path))?,
            }
        }
        print_report(unbundle_table::render(&report.unbundling, output.verbose))?;
        print_line(summary(report))?;
        made_twice(report.made_twice)?;
    }
    if !output.quiet {
        warn(report, output.verbose);
        proof_report::print(report.proof.as_ref(), &report.link_plan, output.verbose);
    }
    Ok(())
}

fn summary(report: &EnvReport) -> String {
    let counts = &report.counts;
    let mut parts = vec![
        count(report.distributions.len(), "distribution"),
        format!(
            "{} and {} linked",
            count(counts.whole, "directory"),
            count(counts.files, "file")
        ),
    ];
    if counts.scripts != 0 {
        parts.push(count(counts.scripts, "script"));
    }
    if counts.generated != 0 {
        parts.push(count(counts.generated, "new file"));
    }
    if !report.resolved.is_empty() {
        parts.push(format!(
            "{} decided by rules",
            count(report.resolved.len(), "collision")
        ));
    }
    let left_out = report.link_plan.drops.len() + report.unbundling.removed.len();
    if left_out != 0 {
        let saved = unbundle_table::saved(&report.unbundling, &report.link_plan);
        parts.push(format!("{left_out} left out ({saved})"));
    }
    parts.push(proof_report::counts_if_proved(report.proof.as_ref()));
    format!("{}: {}", report.prefix.display(), parts.join(", "))
}

/// Prints the warnings on standard error.
fn warn(report: &EnvReport, all: bool) {
    error::print("warning", report.resolved.iter().map(resolved));
    error::print("warning", &report.unmet);
    error::print("warning", report.copies.iter().map(copies));
    let passed_over = |path: &PathBuf| {
        format!(
            "nothing is taken from `{}`: it is a Python, or holds no modules for this one",
            path.display()
        )
    };
    error::print("note", report.passed_over.iter().map(passed_over));
    let variable = |it: &Variable| {
        let Variable { name, value, rule } = it;
        format!("`{name}` is `{value}` where it is not set (rule `{rule}`)")
    };
    error::print("note", report.variables.iter().map(variable));
    warnings::print_of_wheels(&report.wheels, all);
    warnings::print_of_request(&report.warnings, all);
    warnings::print(compile_failures(&report.compile_failures), |_| (), all);
}

fn resolved(resolved: &ResolvedCollision) -> String {
    let kept = resolved.collision.candidates.get(resolved.kept);
    let kept = kept.map(|candidate| candidate.from.display().to_string());
    format!(
        "{}; the one of `{}` counts, by the rule `{}`",
        resolved.collision,
        kept.unwrap_or_default(),
        resolved.rule
    )
}

fn copies(copies: &RuntimeCopies) -> String {
    let paths = copies
        .paths
        .iter()
        .map(|path| format!("`{}`", path.display()));
    format!(
        "{} copies of {}, {}: {}",
        copies.paths.len(),
        copies.library,
        copies.reason,
        paths.collect::<Vec<_>>().join(", ")
    )
}

fn document(report: &EnvReport, dry_run: bool) -> Document<'_> {
    Document {
        prefix: &report.prefix,
        dry_run,
        prefixes: &report.prefixes,
        passed_over: &report.passed_over,
        wheels: report
            .wheels
            .iter()
            .map(|wheel| wheel.filename.as_str())
            .collect(),
        distributions: report
            .distributions
            .iter()
            .map(|(name, version)| DistributionDocument {
                name,
                distribution_version: version,
            })
            .collect(),
        counts: report.counts,
        whole_files: report.whole_files,
        plan: report.plan.as_deref(),
        resolved_collisions: &report.resolved,
        unmet: &report.unmet,
        runtime_copies: &report.copies,
        elf_edited: report.elf_edited,
        bytes_saved: unbundle_table::bytes_saved(&report.unbundling, &report.link_plan),
        unbundling: &report.unbundling,
        relocation: &report.link_plan,
        proof: report.proof.as_ref(),
        input_proof: report.input_proof.as_ref(),
        compile_failures: report
            .compile_failures
            .iter()
            .map(|failure| FailureDocument {
                path: &failure.path,
                reason: &failure.reason,
            })
            .collect(),
        warnings: report.warnings.iter().map(ToString::to_string).collect(),
        made_twice: report.made_twice,
    }
}
