//! The parts of nixpkgs' hooks: what the shell of a hook calls, with what it has gathered.
//!
//! The variables that recipes write for nixpkgs' own hooks mean here what they mean there:
//! <https://nixos.org/manual/nixpkgs/stable/#python>,
//! <https://nixos.org/manual/nixpkgs/stable/#setup-hook-autopatchelfhook>.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use walkdir::WalkDir;
use wheelfix_format::{EditAction, MetadataEdit, Target};
use wheelfix_install::{InstallRequest, Libraries, PatchRequest, Python, Scope, WheelOptions};
use wheelfix_link::{ExcuseError, ExcuseKind, Excused, Excuses, count};
use wheelfix_loader::{NamedTarget, absolute_path};

use crate::builder::attributes::Attributes;
use crate::builder::request::Reader;
use crate::builder::settings::Settings;
use crate::builder::{OUTPUT, conflicts, distributable, inputs, jobs, outputs, tree, wheel};
use crate::common::real_paths;
use crate::error::{Error, print, print_line};
use crate::nixpkgs::for_target;
use crate::target::{loader_error, probe, python_error};
use crate::{install_report, proof_report, warnings};

/// A hook whose part to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Hook {
    /// Install wheels into `$out`, as nixpkgs' Python hooks do
    Install,
    /// Install wheels into `$out`, as pyproject.nix does
    Pyproject,
    /// Relocate trees, as autoPatchelfHook and autoAddDriverRunpath do
    Patch,
    /// Refuse duplicate distributions, as pythonCatchConflictsHook does
    Conflicts,
}

/// Arguments that the shell of a hook passes on
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hooks")]
pub(crate) struct HookArgs {
    /// Do the part of a hook in a build of stdenv
    #[arg(long, value_name = "HOOK")]
    pub(crate) hook: Option<Hook>,
    /// Python to install for, or that will load the files
    #[arg(long, value_name = "EXE", requires = "hook")]
    python: Option<PathBuf>,
    /// Target of a cross build, for which the Python compiles
    #[arg(long, value_name = "TARGET", requires = "hook")]
    target: Option<Target>,
    /// Dynamic loader of programs
    #[arg(long, value_name = "PATH", requires = "hook")]
    interpreter: Option<PathBuf>,
    /// Store path that may hold libraries; one without any does not count
    #[arg(long, value_name = "PATH", requires = "hook")]
    lib_path: Vec<PathBuf>,
    /// Argument of addAutoPatchelfSearchPath
    #[arg(
        long,
        value_name = "ARG",
        requires = "hook",
        allow_hyphen_values = true
    )]
    search: Vec<PathBuf>,
    /// Word of autoPatchelfIgnoreMissingDeps
    #[arg(long, value_name = "GLOB", requires = "hook")]
    ignore_missing: Vec<String>,
    /// Word of appendRunpaths
    #[arg(long, value_name = "ELEMENT", requires = "hook")]
    append_run_path: Vec<String>,
    /// Word of runtimeDependencies
    #[arg(long, value_name = "PATH", requires = "hook")]
    runtime_dependency: Vec<PathBuf>,
    /// Word of autoPatchelf that is not a path
    #[arg(
        long,
        value_name = "FLAG",
        requires = "hook",
        allow_hyphen_values = true
    )]
    flag: Vec<String>,
    /// Wheels to install, or trees to relocate
    #[arg(value_name = "PATH", requires = "hook", help_heading = None::<&str>)]
    paths: Vec<PathBuf>,
}

/// Does the part of a hook.
pub(crate) fn run(
    hook: Hook,
    args: &HookArgs,
    attributes: &Attributes,
    settings: &Settings,
) -> Result<(), Error> {
    let Some(out) = attributes.output("out") else {
        return Err(Error::Reported);
    };
    match hook {
        Hook::Install | Hook::Pyproject => install(hook, args, attributes, settings),
        Hook::Patch => patch(args, attributes, settings),
        Hook::Conflicts => conflicts::run(out),
    }
}

fn install(
    hook: Hook,
    args: &HookArgs,
    attributes: &Attributes,
    settings: &Settings,
) -> Result<(), Error> {
    let mut reader = Reader::new(settings);
    let options = reader.options()?;
    let mut wheel_options = reader.wheel_options(&options, args.paths.len());
    let python = match &args.python {
        Some(program) if settings.text("target").is_none() => {
            let build = probe(program)?;
            let named = target_of(args)?;
            Some(match named {
                Some(python) => python.compiled_by(&build),
                None => build,
            })
        }
        _ => reader.python(),
    };
    let mut bytecode = reader.bytecode(python.as_ref());
    if hook == Hook::Install {
        if let Some(wheel_options) = &mut wheel_options {
            of_nixpkgs(attributes, wheel_options)?;
        }
    } else {
        bytecode = reader.bytecode_of_uv(bytecode, attributes);
        if !attributes.words("uvPipInstallFlags").is_empty() {
            let text = "`uvPipInstallFlags` is for uv, which does not run here";
            print("warning", [text]);
        }
    }
    reader.finish()?;
    let (Some(python), Some(out), Some(wheel_options)) =
        (python, attributes.output("out"), wheel_options)
    else {
        return Err(Error::Reported);
    };
    let request = InstallRequest {
        wheels: args.paths.clone(),
        prefix: out.to_owned(),
        merge: true,
        python,
        bytecode,
        wheel_options,
        // The patch hook relocates, once the recipe has done its own changes.
        libraries: None,
        library_table: false,
        check_twice: false,
        jobs: jobs(),
    };
    let report = wheelfix_install::install(&request, &|_| {}).map_err(wheel::explain)?;
    if hook == Hook::Pyproject
        && let Some(dist) = attributes.output("dist")
    {
        if !attributes.flag("dontUsePyprojectInstallDistCheck") {
            distributable::refuse_store_paths(&request.wheels)?;
        }
        outputs::keep_wheels(dist, &request.wheels)?;
    }
    install_report::print(&report, false, &OUTPUT)
}

/// Adds the options that the variables of nixpkgs' Python hooks ask for.
fn of_nixpkgs(attributes: &Attributes, wheel_options: &mut WheelOptions) -> Result<(), Error> {
    for (variable, action) in [
        ("pythonRelaxDeps", EditAction::Relax),
        ("pythonRemoveDeps", EditAction::Remove),
    ] {
        if is_true(attributes.get(variable)) {
            wheel_options.metadata.push(MetadataEdit::all(action));
        } else {
            let words = attributes.words(variable);
            let edits = words.iter().map(|word| MetadataEdit::nixpkgs(action, word));
            wheel_options.metadata.extend(edits);
        }
    }
    if !attributes.flag("dontUsePythonNamespacesHook") {
        let names = attributes.words("pythonNamespaces");
        wheel_options.cleanup.namespaces.extend(names);
    }
    wheel_options.cleanup.keep_namespace_pth |= attributes.flag("dontRemovePth");
    wheel_options.cleanup.tests |= !attributes.flag("dontUsePythonRemoveTestsDir");
    wheel_options.cleanup.bin_bytecode = true;
    if !attributes.flag("dontCheckRuntimeDeps") {
        let roots: Vec<PathBuf> = ["propagatedBuildInputs", "buildInputs", "nativeBuildInputs"]
            .iter()
            .flat_map(|name| attributes.words(name))
            .map(PathBuf::from)
            .collect();
        let mut prefixes = inputs::closure(roots.iter().map(PathBuf::as_path))?;
        prefixes.retain(|path| path.is_dir());
        wheel_options
            .dependencies
            .get_or_insert_default()
            .extend(prefixes);
    }
    Ok(())
}

/// Whether a variable is `true`, which is `1` without structured attributes.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "1",
        _ => false,
    }
}

fn patch(args: &HookArgs, attributes: &Attributes, settings: &Settings) -> Result<(), Error> {
    let recurses = !tell_flags(args, attributes);
    let mut reader = Reader::new(settings);
    let options = reader.options()?;
    let mut libraries = reader.libraries(&options)?;
    let named = match reader.named_python() {
        Some(python) => Some(python),
        None => target_of(args)?,
    };
    reader.finish()?;
    if let Some(python) = &named {
        libraries.system = python.system();
    }
    gather(args, &mut libraries)?;
    let python = python_of(args, named, &mut libraries)?;
    let mut paths = args.paths.clone();
    paths.retain(|path| path.is_dir() || path.is_file());
    if !recurses {
        paths = files_in(&paths)?;
    }
    let request = PatchRequest {
        paths,
        libraries,
        python,
        environments: Vec::new(),
        wants_some: false,
        heal: settings.flag("heal") == Some(true),
        metadata: Vec::new(),
        scope: Scope::Everything,
        library_table: false,
        dry_run: false,
        jobs: jobs(),
    };
    let report = wheelfix_install::patch(&request, &|_| {}).map_err(tree::explain)?;
    warnings::print_of_request(&report.warnings, true);
    let proof = report.proof.as_ref();
    let excused = proof.map_or(&report.link_plan.excused, |proof| &proof.excused);
    print("warning", unused(&args.ignore_missing, excused));
    proof_report::print(proof, &report.link_plan, true);
    let edited = report.elf_edited;
    let (edited, looked_at) = (count(edited, "ELF file"), report.link_plan.objects.len());
    let proved = proof_report::counts_if_proved(proof);
    print_line(format_args!(
        "wheelfix: {edited} edited, {looked_at} looked at; {proved}"
    ))?;
    Ok(())
}

/// The Python of the target of a cross build.
fn target_of(args: &HookArgs) -> Result<Option<Python>, Error> {
    let Some(target) = &args.target else {
        return Ok(None);
    };
    for_target(target);
    let python = Python::of_target(target.clone(), None).map_err(python_error)?;
    Ok(Some(python))
}

/// The Python of the install hook, if there is one in the build. Its loader is that of the output too,
/// unless another one is set, if it is in the store: nothing may depend on one elsewhere.
fn python_of(
    args: &HookArgs,
    named: Option<Python>,
    libraries: &mut Libraries,
) -> Result<Option<PathBuf>, Error> {
    let system = libraries.system;
    let options = &mut libraries.options;
    let python = match named {
        Some(python) => Some(python),
        None => args.python.as_deref().map(probe).transpose()?,
    };
    let program = python.as_ref().and_then(Python::program);
    if options.interpreter.is_none() {
        let of_program = NamedTarget {
            system: system.filter(|_| program.is_some()),
            interpreter: None,
            program,
        };
        let target = of_program.resolve(&options.driver_path);
        let target = target.map_err(loader_error)?;
        let own = target
            .filter(|target| target.nix)
            .and_then(|target| target.interpreter);
        let of_stdenv = args.interpreter.as_deref().map(absolute_path).transpose()?;
        options.interpreter = own.or(of_stdenv);
    }
    Ok(program.map(Path::to_path_buf))
}

/// The flags of auto-patchelf that ask for what is done here anyway.
const DONE: &[&str] = &["--", "--preserve-origin", "--relativize-rpath"];

/// Reads the flags for auto-patchelf, of a call and of `autoPatchelfFlags`, and says of which nothing
/// comes. Returns whether directories below those that are named are left alone.
fn tell_flags(args: &HookArgs, attributes: &Attributes) -> bool {
    let of_recipe = attributes.words("autoPatchelfFlags");
    let words: Vec<&String> = args.flag.iter().chain(&of_recipe).collect();
    let idle = words.iter().filter(|word| {
        let word = word.as_str();
        word != "--no-recurse" && !DONE.contains(&word)
    });
    let mut lines: Vec<String> = idle
        .map(|word| {
            format!("`{word}` is for auto-patchelf, and has no effect on wheelfixPatchHook")
        })
        .collect();
    if !attributes.words("patchelfFlags").is_empty() {
        let text = "`patchelfFlags` is for patchelf, which wheelfixPatchHook does not run";
        lines.push(text.to_owned());
    }
    print("warning", lines);
    words.iter().any(|word| *word == "--no-recurse")
}

/// The files that are named, and those that lie in the directories themselves.
fn files_in(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        for entry in WalkDir::new(path).max_depth(1).sort_by_file_name() {
            let entry = entry.map_err(io::Error::from)?;
            if entry.file_type().is_file() {
                files.push(entry.into_path());
            }
        }
    }
    Ok(files)
}

/// Whether a store path may have libraries.
fn has_libraries(path: &Path) -> bool {
    ["lib", "lib64"].iter().any(|name| path.join(name).is_dir())
}

/// Adds the arguments that the shell has gathered to the settings.
fn gather(args: &HookArgs, libraries: &mut Libraries) -> Result<(), Error> {
    let mut gathered = args.lib_path.clone();
    gathered.retain(|path| has_libraries(path));
    gathered.extend(search(&args.search)?);
    for path in real_paths(&gathered)? {
        if !libraries.lib_paths.contains(&path) {
            libraries.lib_paths.push(path);
        }
    }
    let options = &mut libraries.options;
    options.append.extend(args.append_run_path.iter().cloned());
    let programs = args.runtime_dependency.iter();
    options
        .runtime_dependencies
        .extend(programs.map(|path| path.join("lib")));
    gather_excuses(&args.ignore_missing, &mut options.excuses)
}

/// Adds the words of `autoPatchelfIgnoreMissingDeps`. They need not match anything, as recipes are full of
/// them, and those that would excuse everything excuse nothing; `true` is one of these.
fn gather_excuses(words: &[String], excuses: &mut Excuses) -> Result<(), Error> {
    let mut all = Vec::new();
    for word in words {
        match ExcuseKind::Library.glob(word) {
            _ if word == "1" => all.push("true"),
            Err(ExcuseError::MatchesAll { .. }) => all.push(word),
            Err(error) => return Err(Error::refused(error)),
            Ok(glob) => {
                excuses.unchecked.insert(word.clone());
                excuses.libraries.push(glob);
            }
        }
    }
    if !all.is_empty() {
        let all = all.join("`, `");
        print(
            "warning",
            [format!(
                "`{all}` in `autoPatchelfIgnoreMissingDeps` would excuse everything, and excuses \
                 nothing here: name the libraries"
            )],
        );
    }
    Ok(())
}

/// The directories with libraries below the arguments of `addAutoPatchelfSearchPath`.
fn search(args: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let is_flag = |path: &&PathBuf| path.to_str().is_some_and(|text| text.starts_with("--"));
    let depth = if args.iter().any(|it| it == Path::new("--no-recurse")) {
        1
    } else {
        usize::MAX
    };
    let mut found = Vec::new();
    for path in args.iter().filter(|path| !is_flag(path)) {
        if !path.is_dir() {
            continue;
        }
        for entry in WalkDir::new(path).max_depth(depth).sort_by_file_name() {
            let entry = entry.map_err(io::Error::from)?;
            let directory = entry.path().parent().unwrap_or(path);
            let is_new = found.last().is_none_or(|last: &PathBuf| last != directory);
            if is_library(entry.file_name()) && !entry.file_type().is_dir() && is_new {
                found.push(directory.to_owned());
            }
        }
    }
    Ok(found)
}

fn is_library(name: &OsStr) -> bool {
    let is_plain = Path::new(name).extension().is_some_and(|it| it == "so");
    is_plain || name.to_str().is_some_and(|name| name.contains(".so."))
}

/// A line for each word of `autoPatchelfIgnoreMissingDeps` that excused nothing.
fn unused(words: &[String], excused: &[Excused]) -> Vec<String> {
    let used = |word: &&String| excused.iter().any(|it| it.globs.contains(*word));
    let counts = |word: &&String| ExcuseKind::Library.glob(word).is_ok() && *word != "1";
    let unused = words.iter().filter(|word| counts(word) && !used(word));
    let line = |word: &String| {
        format!("nothing that `autoPatchelfIgnoreMissingDeps` calls `{word}` is missing")
    };
    unused.map(line).collect()
}
