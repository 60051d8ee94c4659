//! The derivation of a tree whose libraries and programs are relocated.

use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use fs_err as fs;
use walkdir::WalkDir;
use wheelfix_install::{PatchRequest, PipelineError, Scope};
use wheelfix_link::count;

use crate::builder::attributes::Attributes;
use crate::builder::request::Reader;
use crate::builder::settings::Settings;
use crate::builder::source::{self, SourceFault};
use crate::builder::{OUTPUT, inputs, jobs, outputs};
use crate::error::{Error, print, print_line};
use crate::install_error;
use crate::proof_report;

pub(crate) fn run(attributes: &Attributes, settings: &Settings) -> Result<(), Error> {
    outputs::refuse_unknown(attributes, &["out"])?;
    let source = source::directory(attributes).map_err(of_source)?;
    let Some(out) = attributes.output("out") else {
        return Err(Error::Reported);
    };
    if !fs::metadata(&source)?.is_dir() {
        let source = source.display();
        print("error", [format!("`src` is not a directory: `{source}`")]);
        print(
            "hint",
            [
                "`action = \"patch\"` wants a tree: fetch it with `fetchzip`, or leave `action` \
                away for a wheel",
            ],
        );
        return Err(Error::Reported);
    }
    let mut reader = Reader::new(settings);
    let names = ["python", "target"];
    let python = if names.iter().any(|name| settings.text(name).is_some()) {
        reader.python()
    } else {
        None
    };
    let options = reader.options()?;
    let libraries = reader.libraries(&options)?;
    let metadata = reader.metadata(&options);
    reader.finish()?;
    copy_tree(&source, out)?;
    let request = PatchRequest {
        paths: vec![out.to_owned()],
        libraries,
        python: python.and_then(|python| python.program().map(Path::to_owned)),
        environments: Vec::new(),
        wants_some: false,
        heal: settings.flag("heal") == Some(true),
        metadata,
        scope: Scope::Everything,
        library_table: false,
        dry_run: false,
        jobs: jobs(),
    };
    let report = wheelfix_install::patch(&request, &|_| {}).map_err(explain)?;
    let proof = report.proof.as_ref();
    proof_report::print(proof, &report.link_plan, true);
    let edited = count(report.elf_edited, "ELF file");
    let proved = proof_report::counts_if_proved(proof);
    print_line(format_args!("{edited} edited; {proved}"))?;
    let propagated = settings.list("propagate").iter().map(String::as_str);
    inputs::write(out, propagated)?;
    Ok(())
}

fn of_source(fault: SourceFault) -> Error {
    match fault {
        SourceFault::Io(error) => error.into(),
        fault => Error::Refused {
            error: Box::new(fault),
            hint: Some("`src` is the tree to relocate".to_owned()),
        },
    }
}

/// Prints the faults, and the changes to make in the .nix file.
pub(crate) fn explain(error: PipelineError) -> Error {
    install_error::explain(error, &OUTPUT)
}

/// Copies files, directories and links; what is copied may be written to.
fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    for entry in WalkDir::new(from).sort_by_file_name() {
        let entry = entry.map_err(io::Error::from)?;
        let path: PathBuf = match entry.path().strip_prefix(from) {
            Ok(rest) if !rest.as_os_str().is_empty() => to.join(rest),
            _ => to.to_owned(),
        };
        let kind = entry.file_type();
        if kind.is_dir() {
            fs::create_dir(&path)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &path)?;
        } else {
            fs::copy(entry.path(), &path)?;
            let executable = fs::metadata(&path)?.permissions().mode() & 0o111 != 0;
            let mode = if executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}
