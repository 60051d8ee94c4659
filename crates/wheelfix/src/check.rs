//! `wheelfix check`

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_format::{PythonVersion, is_wheel_name};
use wheelfix_install::{
    InstallRequest, Libraries, Python, UntrueRecord, WheelOptions, names_in_prefix,
    prefix_of_wheels, python_of_wheels, scan_clean, untrue_records,
};
use wheelfix_link::{LibraryIndex, Proof, ProofOptions, Tree, TreeError, count, prove, told_once};
use wheelfix_loader::{FileView, Place, STORE, absolute_path, existing_path};

use crate::common::{JobsArgs, LibraryArgs, OutputArgs};
use crate::error::{Error, print, print_line};
use crate::next_step::print_faults;
use crate::progress::Progress;
use crate::remedy;
use crate::target::{ResolvedTarget, TargetArgs, lib_path_error};
use crate::{document, inputs, install_error, message, proof_report, warnings};

/// Prove that libraries and programs will load: every library, version and symbol is found
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Files and directories, links followed; or wheels, as they would be installed together
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Version of Python that wheels would be installed for [default: the newest that their names speak of]
    #[arg(long, value_name = "X.Y", conflicts_with_all = ["python", "target"])]
    python_version: Option<PythonVersion>,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Directory that run paths may name besides the files themselves [default: the Nix store for files in it, else any]
    #[arg(long, value_name = "DIR")]
    store: Vec<PathBuf>,
    /// Print warnings, too: run path elements that lead nowhere, libraries that are opened if they are there
    #[arg(long, help_heading = "Output")]
    warnings: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The content of the JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    /// Whether there is no fault.
    proved: bool,
    /// RECORD files that do not match what they list.
    untrue_records: &'a [UntrueRecord],
    #[serde(flatten)]
    proof: &'a Proof,
}

pub(crate) fn run(args: &CheckArgs) -> Result<(), Error> {
    args.libraries.warn(&args.output);
    let is_wheel = |path: &&PathBuf| is_wheel_name(path);
    let (wheels, paths): (Vec<&PathBuf>, Vec<&PathBuf>) =
        args.paths.iter().partition(|path| is_wheel(path));
    let places = |paths: Vec<&PathBuf>| {
        let places = paths.into_iter().map(|path| place(path));
        places.collect::<Result<Vec<_>, _>>()
    };
    let (resolved, libraries) = inputs::all(
        args.target.resolve(&args.libraries.driver_path()?),
        args.libraries.plain(),
        args.paths.iter().filter_map(|path| inputs::absent(path)),
    )?;
    let (wheels, paths) = (places(wheels)?, places(paths)?);
    let named = paths.clone();
    if !wheels.is_empty() {
        // They are proved as `install` would leave them, and it has the same options.
        remedy::as_installed();
    }
    let proof = match (wheels.is_empty(), paths.is_empty()) {
        (true, _) => prove_paths(args, (resolved, libraries), paths)?,
        (false, true) => prove_wheels(args, (resolved, libraries), wheels)?,
        (false, false) => {
            let text = "wheels are checked as they would be installed, with nothing beside them: \
                        check other paths in a run of their own";
            return Err(Error::Usage(text.to_owned()));
        }
    };
    report(&proof, &untrue_records(&named)?, args)
}

/// Proves what is on disk, by the paths there.
fn prove_paths(
    args: &CheckArgs,
    (resolved, libraries): (ResolvedTarget, Libraries),
    paths: Vec<PathBuf>,
) -> Result<Proof, Error> {
    let Libraries {
        rules, lib_paths, ..
    } = libraries;
    let options = ProofOptions {
        program: resolved.program,
        excuses: args.libraries.excuses(),
        backends: Vec::new(),
        stores: stores(&args.store, &paths)?,
        lib_paths: lib_paths.clone(),
        in_one_process: false,
        named: paths.clone(),
        library_table: None,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs.count().get());
    let pool = pool.build().map_err(Error::environment)?;
    let proof = pool.install(|| -> Result<Proof, TreeError> {
        let places: Vec<Place> = paths.into_iter().map(Place::fixed).collect();
        let tree = scan_clean(&places, Tree::scan_all)?;
        let view = FileView::new(Vec::new());
        Ok(prove(&tree, &view, &resolved.target, &rules, &options))
    });
    let mut proof = proof.map_err(Error::environment)?;
    let unused = options.excuses.unused(&proof.excused);
    proof.faults.splice(0..0, unused);
    if !lib_paths.is_empty() {
        let driver_path = &resolved.target.driver_path;
        let index = pool.install(|| LibraryIndex::read(&lib_paths, &rules, driver_path));
        proof.look_into(&index.map_err(lib_path_error)?);
    }
    Ok(proof)
}

/// Proves wheels as they would be installed together.
fn prove_wheels(
    args: &CheckArgs,
    (resolved, mut libraries): (ResolvedTarget, Libraries),
    wheels: Vec<PathBuf>,
) -> Result<Proof, Error> {
    let version = || args.python_version.or_else(|| python_of_wheels(&wheels));
    let default = PythonVersion { major: 3, minor: 0 };
    let python = resolved
        .python
        .unwrap_or_else(|| Python::of_version(version().unwrap_or(default)));
    let prefix = prefix_of_wheels(&wheels);
    message::say_as(names_in_prefix(&prefix, &python));
    let options = ProofOptions {
        program: resolved.program,
        excuses: args.libraries.excuses(),
        backends: Vec::new(),
        stores: stores(&args.store, std::slice::from_ref(&prefix))?,
        lib_paths: libraries.lib_paths.clone(),
        // All of a wheel is looked at, be it ELF files or none.
        in_one_process: false,
        named: Vec::new(),
        library_table: None,
    };
    libraries.system = python.system();
    libraries
        .options
        .interpreter
        .clone_from(&resolved.interpreter);
    let request = InstallRequest {
        wheels,
        prefix,
        merge: true,
        python,
        bytecode: None,
        wheel_options: WheelOptions::default(),
        libraries: Some(libraries),
        library_table: false,
        check_twice: false,
        jobs: args.jobs.count(),
    };
    let progress = Progress::bytes(args.output.quiet);
    let listener = |event| progress.show(event);
    let proof = wheelfix_install::check_wheels(&request, &resolved.target, &options, &listener);
    progress.finish();
    proof.map_err(|error| install_error::explain(error, &args.output))
}

/// The path as the loader would be given it: absolute, and links that lead to it resolved. A link to a
/// file is opened by its own name, from the directory that it is in.
pub(crate) fn place(path: &Path) -> Result<PathBuf, Error> {
    inputs::existing(path)?;
    let real = existing_path(path)?;
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if real.is_file() && path.is_symlink() => {
            let parent = if parent == Path::new("") {
                Path::new(".")
            } else {
                parent
            };
            Ok(existing_path(parent)?.join(name))
        }
        _ => Ok(real),
    }
}

fn stores(given: &[PathBuf], paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let nix = Path::new(STORE);
    if given.is_empty() && paths.iter().all(|path| path.starts_with(nix)) {
        return Ok(vec![nix.to_path_buf()]);
    }
    given.iter().map(|path| absolute_path(path)).collect()
}

fn report(proof: &Proof, untrue: &[UntrueRecord], args: &CheckArgs) -> Result<(), Error> {
    if args.warnings {
        warnings::print_faults(&proof.warnings, args.output.verbose);
    }
    // What has no ELF file may be a thing of which a wheel has to be made, or chosen, first.
    let paths = args.paths.iter().filter(|_| proof.objects == 0);
    let others = paths.filter_map(|path| inputs::of_other_kind(path));
    if inputs::refuse(others).is_none() {
        print_faults(&told_once(&proof.faults));
    }
    if !args.output.quiet {
        print("warning", untrue);
        proof_report::print_notes(proof);
    }
    let proved = proof.faults.is_empty();
    if args.output.json {
        let document = Document {
            proved,
            untrue_records: untrue,
            proof,
        };
        document::print(&document)?;
    } else if !args.output.quiet {
        for line in summary(proof, args.warnings) {
            print_line(line)?;
        }
    }
    if proved { Ok(()) } else { Err(Error::Reported) }
}

/// The summary of a proof, a line each: counts, assumptions, minimum versions, and warnings.
fn summary(proof: &Proof, with_warnings: bool) -> Vec<String> {
    let (files, symbols) = (proof.objects, proof.symbols);
    let looked = format!("{} with {}", count(files, "file"), count(symbols, "symbol"));
    let counts = proof_report::counts(proof);
    // Where nothing was found but faults, there is nothing to count.
    if files == 0 && !proof.faults.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("{counts}; looked at {looked}")];
    lines.extend(proof_report::granted(proof));
    if !proof.minimum_versions.newest.is_empty() {
        lines.push(format!("needs at least: {}", proof.minimum_versions));
    }
    if !proof.warnings.is_empty() && !with_warnings {
        let warnings = count(proof.warnings.len(), "warning");
        lines.push(format!("{warnings}, see with --warnings"));
    }
    lines
}
