//! The exit codes of the errors of the pipeline, and the messages of those that are lists.

use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::path::Path;

use wheelfix_archive::{ContentError, ExtractError, ZipProblem};
use wheelfix_diff::Comparison;
use wheelfix_elf::{PatchError, ReadError};
use wheelfix_format::{TagMismatch, WheelFilename};
use wheelfix_install::{
    CompileError, EditFailure, ExtractionError, FileFault, LinkError, MemberFault, PipelineError,
    RecordUpdateError, Refusal, RefusedWheel, SbomUpdateError, StagingError,
};
use wheelfix_link::TreeError;
use wheelfix_unbundle::UnbundleError;
use wheelfix_wheel::{ContentProblem, InstalledError, WheelError, WheelFault, WheelFaults};

use crate::common::{OutputArgs, report_bundled, report_unproved, report_unsound};
use crate::error::{Error, REPORT, chain, print};
use crate::message::BREAK;
use crate::mismatch::{self, Mismatch, accepted};
use crate::next_step::{note_input, note_other, note_taken, print_faults, wheels_directory};
use crate::nixpkgs::is_for_target;
use crate::pip::pip;
use crate::quoting::shell_word;
use crate::remedy::{self, advised, ask, ask_plain, is_in_build};
use crate::target::{lib_path_error, loader_error};
use crate::{inputs, limits};

/// Prints the list of an error of the pipeline, and decides the exit code.
pub(crate) fn explain(error: PipelineError, output: &OutputArgs) -> Error {
    match error {
        PipelineError::Wheels(refused) => refused_wheels(&refused),
        PipelineError::Contents { wheel, faults } => {
            let each = faults.iter().map(|fault| {
                let is_hash = matches!(fault.problem, ContentProblem::Hash { .. });
                Mismatch(
                    in_file(&wheel, fault),
                    is_hash.then_some(fault.path.as_str()),
                )
            });
            mismatch::print(each, is_all(output));
            Error::Reported
        }
        PipelineError::Files(faults) => files(&faults),
        PipelineError::Bundled(plan) => report_bundled(&plan, output),
        PipelineError::Unsound(plan) => report_unsound(&plan, output),
        PipelineError::Unproved(proof) => report_unproved(&proof, output),
        PipelineError::MadeTwice(comparison) => made_twice(&comparison),
        PipelineError::Staging(error) => staging(error),
        PipelineError::Extraction(error) => extraction(error, is_all(output)),
        PipelineError::Relocation(error) => relocation(error),
        PipelineError::Compile(error) => compile(error),
        PipelineError::Unpack(error @ ExtractError::Content(_)) => Error::refused(error),
        PipelineError::Unpack(error) => Error::environment(error),
        PipelineError::Output(error) => refused(
            error,
            Some(format!(
                "name another {}, or a directory to make it in",
                ask_plain("--output")
            )),
        ),
        PipelineError::Path(error) => Error::refused(error),
        PipelineError::BehindLinks(_) => {
            let hint = "patch that directory itself, or put a copy of it in the place of the link"
                .to_owned();
            refused(error, Some(hint))
        }
        error @ PipelineError::Threads(_) => Error::environment(error),
        PipelineError::Record(error @ RecordUpdateError::Invalid { .. }) => Error::refused(error),
        PipelineError::Record(RecordUpdateError::Io(error)) | PipelineError::Io(error) => {
            error.into()
        }
        PipelineError::Installed(error) => installed(error),
    }
}

fn files(faults: &[FileFault]) -> Error {
    print_faults(faults);
    Error::Reported
}

/// The distributions of a prefix cannot be listed.
pub(crate) fn installed(error: InstalledError) -> Error {
    match error {
        InstalledError::Io(error) => error.into(),
        error => Error::refused(error),
    }
}

/// A line for each file that was another one when it was made a second time.
fn made_twice(comparison: &Comparison) -> Error {
    let line = |path: &Path, how: &str| {
        let path = path.display();
        format!("`{path}` {how}, when the output is made a second time")
    };
    let changed = comparison.changed.iter().map(|changed| {
        let kinds: Vec<&str> = changed.differences.iter().map(|it| it.what).collect();
        line(
            &changed.path,
            &format!("is another one, by {}", kinds.join(", ")),
        )
    });
    let gone = comparison.only_in_a.iter();
    let gone = gone.map(|entry| line(&entry.path, "is not there"));
    let new = comparison.only_in_b.iter();
    let new = new.map(|entry| line(&entry.path, "is new"));
    print("error", changed.chain(gone).chain(new));
    print(
        "hint",
        ["this is never right: report it, with the wheels (docs/reporting-faults.md)"],
    );
    Error::Reported
}

/// One block per wheel. A file that cannot be read is worse than one that is refused.
fn refused_wheels(refused: &[RefusedWheel]) -> Error {
    let each = refused.iter().inspect(|wheel| note_refused(wheel));
    print("error", each.map(refused_wheel));
    print("hint", size_hint(refused));
    if refused.iter().any(is_unread) {
        Error::ReportedEnvironment
    } else {
        Error::Reported
    }
}

/// Whether a wheel cannot be read.
pub(crate) fn is_unread(wheel: &RefusedWheel) -> bool {
    match inputs::not_a_wheel(&wheel.path) {
        Some(wrong) => wrong.is_absent(),
        None => matches!(wheel.reason, Refusal::Wheel(WheelError::Io(_))),
    }
}

/// Notes what to type next in the place of a wheel that is refused.
pub(crate) fn note_refused(wheel: &RefusedWheel) {
    let path = &wheel.path;
    match (inputs::not_a_wheel(path), &wheel.reason) {
        (Some(wrong), _) => wrong.note(),
        (None, Refusal::Foreign(_)) => Replacement::of(path, None).note(path),
        (None, Refusal::Tag(mismatch)) => Replacement::of(path, Some(mismatch)).note(path),
        (None, Refusal::Wheel(error)) if is_cut(error) => Replacement::of(path, None).note(path),
        (None, Refusal::Wheel(_)) => note_other(),
    }
}

/// Why a wheel is refused.
pub(crate) fn refused_wheel(wheel: &RefusedWheel) -> impl Display {
    let wrong = inputs::not_a_wheel(&wheel.path);
    fmt::from_fn(move |f| match &wrong {
        Some(wrong) => wrong.fmt(f),
        None => in_file(&wheel.path, reason(&wheel.path, &wheel.reason)).fmt(f),
    })
}

/// The wheel of the same distribution that is for the target.
struct Replacement {
    /// The command that downloads it; `None` where nothing is downloaded, or for a machine that is not this one.
    download: Option<String>,
}

impl Replacement {
    /// `mismatch`: the part of the tags in the name that does not fit.
    fn of(path: &Path, mismatch: Option<&TagMismatch>) -> Self {
        let python = match mismatch {
            Some(TagMismatch::Python { target, .. }) => target.strip_prefix("cp3"),
            _ => None,
        };
        let python = python.map(|minor| format!(" --python-version 3.{minor}"));
        let python = python.unwrap_or_default();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.parse::<WheelFilename>().ok();
        let name = name.filter(|_| !is_in_build() && !is_for_target());
        let download = name.map(|name| {
            let requirement = format!("{}=={}", name.name(), name.version());
            let (pip, wheels) = (pip(), wheels_directory());
            let requirement = shell_word(&requirement);
            format!(
                "{pip} download --only-binary=:all: --no-deps{python} -d {wheels} {requirement}"
            )
        });
        Self { download }
    }

    /// Notes what to type next.
    fn note(self, path: &Path) {
        match self.download {
            None => note_other(),
            download => {
                let wheels = format!("{}/*.whl", wheels_directory());
                note_input(&path.to_string_lossy(), &wheels, download);
            }
        }
    }
}

impl Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.download {
            Some(line) => write!(f, "{line}  # and name {}/*.whl", wheels_directory()),
            None => f.write_str("name the wheel for the target"),
        }
    }
}

/// A reason, behind the file that it is about.
fn in_file(path: &Path, reason: impl Display) -> impl Display {
    fmt::from_fn(move |f| write!(f, "`{}`: {reason}", path.display()))
}

/// The fix for wheels that are too large; `None` if none is.
fn size_hint(refused: &[RefusedWheel]) -> Option<String> {
    refused.iter().find_map(|wheel| match &wheel.reason {
        Refusal::Wheel(WheelError::Archive(faults)) => limits::hint(faults),
        _ => None,
    })
}

/// Whether the end of an archive is missing, as after a download that broke off.
fn is_cut(error: &WheelError) -> bool {
    let WheelError::Archive(faults) = error else {
        return false;
    };
    let mut list = faults.list().iter();
    list.any(|fault| fault.problem == ZipProblem::NoEnd)
}

/// Why a wheel is refused, with the fix of each fault that has one.
fn reason(path: &Path, reason: &Refusal) -> impl Display {
    fmt::from_fn(move |f| match reason {
        Refusal::Foreign(foreign) => {
            write!(f, "{foreign}{BREAK}  fix: {}", Replacement::of(path, None))
        }
        // In a build the hint says what to do.
        Refusal::Tag(mismatch) if !is_in_build() => {
            let fix = Replacement::of(path, Some(mismatch));
            write!(f, "{mismatch}{BREAK}  fix: {fix}")
        }
        Refusal::Wheel(error) if is_cut(error) && !is_in_build() => {
            let fix = Replacement::of(path, None);
            write!(f, "{error}{BREAK}  fix: {fix}")
        }
        Refusal::Wheel(WheelError::Wheel(faults)) => wheel_faults(faults).fmt(f),
        reason => chain(reason).fmt(f),
    })
}

/// The faults of a wheel, each with its fix.
pub(crate) fn wheel_faults(faults: &WheelFaults) -> impl Display {
    fmt::from_fn(move |f| {
        let paths = || faults.list().iter().filter_map(WheelFault::mismatch);
        // Of many one fix for all is told.
        let is_many = mismatch::FEW < paths().count();
        let advised = |fault| {
            let path = WheelFault::mismatch(fault).filter(|_| !is_many);
            advised(Mismatch(fault, path))
        };
        if let ([fault], 0) = (faults.list(), faults.unlisted()) {
            return advised(fault).fmt(f);
        }
        let count = faults.list().len() + faults.unlisted();
        write!(f, "{count} faults in the wheel")?;
        for fault in faults.list() {
            write!(f, "{BREAK}  {}", advised(fault))?;
        }
        if 0 < faults.unlisted() {
            write!(f, "{BREAK}  and {} more", faults.unlisted())?;
        }
        match accept(paths()).filter(|_| is_many) {
            Some(fix) => write!(f, "{BREAK}  fix: {fix}"),
            None => Ok(()),
        }
    })
}

/// The options that accept files which are not as RECORD says, as one line.
pub(crate) fn accept<'p>(paths: impl Iterator<Item = &'p str>) -> Option<String> {
    remedy::lines(&accepted(paths)?).pop()
}

fn staging(error: StagingError) -> Error {
    let hint = match &error {
        StagingError::Io(_) => return Error::environment(error),
        StagingError::NotEmpty(path) => {
            note_taken(path);
            Some(another_prefix())
        }
        StagingError::NotADirectory(path) => {
            note_taken(path);
            Some(format!("name another {}", ask_plain("--prefix")))
        }
        StagingError::Collisions(_) | StagingError::Changed(_) => None,
    };
    refused(error, hint)
}

/// The fix for a prefix that is taken, in options that the command has.
fn another_prefix() -> String {
    let merge = ask("--merge", &[]);
    let merge = merge.map_or_else(String::new, |option| {
        format!(", or add to it with `{option}`")
    });
    format!("name another `--prefix`{merge}")
}

fn is_hash(fault: &MemberFault) -> bool {
    matches!(fault.source, ContentError::Sha256 { .. })
}

/// Whether each fault is told by itself, however many they are.
fn is_all(output: &OutputArgs) -> bool {
    output.json || output.verbose
}

fn extraction(error: ExtractionError, all: bool) -> Error {
    match error {
        ExtractionError::Io(error) => error.into(),
        ExtractionError::Content(faults) => {
            let each = faults
                .iter()
                .map(|fault| Mismatch(fault, is_hash(fault).then(|| fault.path.as_str())));
            mismatch::print(each, all);
            Error::Reported
        }
        ExtractionError::Extract(error) => Error::environment(error),
        ExtractionError::Hash(paths) => {
            let each = paths.iter().map(|path| {
                let text = fmt::from_fn(move |f| write!(f, "hash differs from RECORD: `{path}`"));
                Mismatch(text, Some(path.as_str()))
            });
            mismatch::print(each, all);
            Error::Reported
        }
        error @ ExtractionError::Path { .. } => Error::refused(error),
    }
}

fn relocation(error: LinkError) -> Error {
    match error {
        LinkError::Io(error)
        | LinkError::Unbundle(UnbundleError::Read(error))
        | LinkError::Sbom(SbomUpdateError::Io(error)) => error.into(),
        LinkError::Unbundle(error) => Error::refused(error),
        LinkError::Tree(error @ (TreeError::Walk(_) | TreeError::Read(_))) => {
            Error::environment(error)
        }
        LinkError::Loader(error) => loader_error(error),
        LinkError::LibPath(error) => lib_path_error(error),
        LinkError::Sbom(error) => Error::refused(error),
        LinkError::Tree(error) => Error::refused(error),
        LinkError::Edit(refused) => {
            let is_ours = |(_, error): &(_, EditFailure)| match error {
                EditFailure::Io(_) => false,
                EditFailure::Patch(error) => error.is_our_fault(),
            };
            let fault = refused.iter().any(is_ours);
            let mut environment = false;
            print(
                "error",
                refused.iter().map(|(path, error)| {
                    environment |= match error {
                        EditFailure::Io(_) => true,
                        EditFailure::Patch(error) => is_io(error),
                    };
                    in_file(path, chain(error))
                }),
            );
            if fault {
                print("hint", [REPORT]);
                Error::ReportedFault
            } else if environment {
                Error::ReportedEnvironment
            } else {
                Error::Reported
            }
        }
    }
}

fn is_io(error: &PatchError) -> bool {
    match error {
        PatchError::Io(_) | PatchError::Apply(_) => true,
        PatchError::Read(error) => matches!(error, ReadError::Io { .. }),
        _ => false,
    }
}

fn compile(error: CompileError) -> Error {
    Error::environment(error)
}

fn refused(error: impl StdError + Send + Sync + 'static, hint: Option<String>) -> Error {
    Error::Refused {
        error: Box::new(error),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use wheelfix_elf::EditError;

    use super::*;

    #[test]
    fn a_plan_that_breaks_a_rule_is_our_fault() {
        let violations = Vec::new();
        let fault = PatchError::Edit(EditError::Violations { violations });
        let refused = vec![
            (
                PathBuf::from("a.so"),
                EditFailure::Patch(EditError::NotDynamic.into()),
            ),
            (PathBuf::from("b.so"), EditFailure::Patch(fault)),
        ];
        let error = relocation(LinkError::Edit(refused));
        assert_eq!(error.exit_code(), 101);
    }
}
