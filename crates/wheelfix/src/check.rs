//! `wheelfix check`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use wheelfix_relocate::{
    LibraryIndex, Place, Proof, ProofOptions, Rules, Tree, TreeError, World, prove,
};

use crate::common::{JobsArgs, LibraryArgs, OutputArgs};
use crate::error::{Error, print, print_line};
use crate::target::{TargetArgs, lib_path_error};

/// Prove that libraries and programs will load: every library, version and symbol is found
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Files and directories
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    libraries: LibraryArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Directory that run paths may name besides the files themselves [default: the Nix store for files in it, else any]
    #[arg(long, value_name = "DIR")]
    store: Vec<PathBuf>,
    /// Print warnings, too: run path elements that lead nowhere, libraries that are opened if they are there
    #[arg(long)]
    warnings: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    /// Whether there is no fault.
    proved: bool,
    #[serde(flatten)]
    proof: &'a Proof,
}

pub(crate) fn run(args: &CheckArgs) -> Result<(), Error> {
    let rules = Rules::with_files(&args.libraries.rules).map_err(Error::refused)?;
    let resolved = args.target.resolve(&args.libraries.driver_path)?;
    let paths = absolute(&args.paths)?;
    let options = ProofOptions {
        program: resolved.program,
        ignore_missing: args.libraries.ignore_missing.clone(),
        stores: stores(&args.store, &paths),
        lib_paths: args.libraries.lib_paths.clone(),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs.count().get());
    let pool = pool.build().map_err(Error::environment)?;
    let proof = pool.install(|| -> Result<Proof, TreeError> {
        let places: Vec<Place> = paths.into_iter().map(Place::fixed).collect();
        let tree = Tree::scan_all(&places)?;
        let world = World::new(Vec::new());
        Ok(prove(&tree, &world, &resolved.target, &rules, &options))
    });
    let mut proof = proof.map_err(Error::environment)?;
    if !args.libraries.lib_paths.is_empty() {
        let (lib_paths, driver_path) = (&args.libraries.lib_paths, &args.libraries.driver_path);
        let index = pool.install(|| LibraryIndex::read(lib_paths, &rules, driver_path));
        proof.look_into(&index.map_err(lib_path_error)?);
    }
    report(&proof, args)
}

/// The paths as the loader would be given them: absolute, and links that lead to them resolved.
fn absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let real = paths.iter().map(fs::canonicalize);
    real.collect::<Result<_, _>>().map_err(Error::from)
}

fn stores(given: &[PathBuf], paths: &[PathBuf]) -> Vec<PathBuf> {
    let nix = Path::new("/nix/store");
    if given.is_empty() && paths.iter().all(|path| path.starts_with(nix)) {
        return vec![nix.to_path_buf()];
    }
    given.to_vec()
}

fn report(proof: &Proof, args: &CheckArgs) -> Result<(), Error> {
    if args.warnings {
        print("warning", &proof.warnings);
    }
    print("error", &proof.faults);
    let proved = proof.faults.is_empty();
    let mut stdout = io::stdout().lock();
    if args.output.json {
        let document = Document {
            version: 1,
            proved,
            proof,
        };
        serde_json::to_writer_pretty(&mut stdout, &document).map_err(io::Error::from)?;
        writeln!(stdout)?;
    } else if !args.output.quiet {
        for line in summary(proof) {
            print_line(line)?;
        }
    }
    if proved { Ok(()) } else { Err(Error::Reported) }
}

/// What was proved, what was taken for granted, and what the target must have; a line each.
fn summary(proof: &Proof) -> Vec<String> {
    let assumed = &proof.assumed;
    let (files, symbols) = (proof.objects, proof.symbols);
    let loaded = match (proof.loadable.len(), proof.unloadable.len()) {
        (load, 0) => format!("{load} objects load"),
        (load, not) => format!("{load} objects load, {not} do not"),
    };
    let mut granted = Vec::new();
    if !assumed.libc.is_empty() {
        granted.push("the C library (name its loader with --interpreter)".to_owned());
    }
    if assumed.python {
        granted.push("the C API of Python (name it with --python)".to_owned());
    }
    if !assumed.driver.is_empty() {
        let names: Vec<&str> = assumed.driver.iter().map(String::as_str).collect();
        granted.push(format!("the driver: {}", names.join(", ")));
    }
    let mut lines = vec![format!(
        "{loaded}; looked at {files} files with {symbols} symbols"
    )];
    if !granted.is_empty() {
        lines.push(format!("taken for granted: {}", granted.join("; ")));
    }
    if !proof.floors.newest.is_empty() {
        lines.push(format!("needs at least: {}", proof.floors));
    }
    if !proof.warnings.is_empty() {
        let count = proof.warnings.len();
        lines.push(format!("{count} warnings, see them with --warnings"));
    }
    lines
}
