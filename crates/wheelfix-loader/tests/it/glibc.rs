//! The simulated loader against the real one of this machine, by its own account of the search.
#![expect(clippy::disallowed_methods, reason = "runs the loader")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_loader::{Event, FileView, FilesAlone, LoaderKind, Process, Target, Trace};
use wheelfix_testkit::elf::LibraryDir;

/// The interpreter of this machine's programs.
fn interpreter() -> PathBuf {
    let env =
        wheelfix_loader::read_object(PathBuf::from("/usr/bin/env"), Path::new("/usr/bin/env"));
    match env.unwrap() {
        wheelfix_loader::ReadOutcome::Object(object) => {
            PathBuf::from(object.interpreter.as_ref().unwrap())
        }
        other => panic!("/usr/bin/env is no program: {other:?}"),
    }
}

/// The account that the real loader gives of its search for `ld.so --list`, run in a directory.
fn real_trace(interpreter: &Path, directory: &Path, library_path: &str, library: &Path) -> String {
    let mut command = Command::new(interpreter);
    command.current_dir(directory).env("LD_DEBUG", "libs");
    command
        .arg("--library-path")
        .arg(library_path)
        .arg("--list")
        .arg(library);
    String::from_utf8(command.output().unwrap().stderr).unwrap()
}

/// One line per search, cache and file, without process numbers.
fn steps(trace: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for line in trace.lines() {
        let text = line.split_once(':').map_or("", |(_, text)| text).trim();
        if let Some(rest) = text.strip_prefix("find library=") {
            let name = rest.split_once(" [").unwrap().0;
            steps.push(format!("find {name}"));
        } else if let Some(path) = text.strip_prefix("trying file=") {
            steps.push(format!("try {path}"));
        } else if text.starts_with("search cache=") {
            steps.push("cache".to_owned());
        }
    }
    steps
}

/// The same for a simulated trace: nothing is said of a name that was loaded already, or is a path.
fn simulated(trace: &Trace) -> Vec<String> {
    let mut steps = Vec::new();
    let mut name = "";
    let mut told = false;
    for event in trace.events() {
        let step = match event {
            Event::Find { name: wanted, .. } => {
                name = wanted;
                told = false;
                continue;
            }
            Event::Outcome(_) => continue,
            // The program itself is opened before the loader begins its account.
            _ if name.is_empty() || name.contains('/') => continue,
            Event::Search { .. } => None,
            Event::Cache => Some("cache".to_owned()),
            Event::Try(path) => Some(format!("try {path}")),
        };
        if !told {
            steps.push(format!("find {name}"));
            told = true;
        }
        steps.extend(step);
    }
    steps
}

/// The subdirectories that this processor makes the loader try, from its own account.
fn subdirectories(interpreter: &Path, library: &Path) -> Vec<String> {
    let probe = "/nonexistent-probe";
    let trace = real_trace(interpreter, Path::new("/"), probe, library);
    let line = trace
        .lines()
        .find(|line| line.contains(" search path=/nonexistent-probe"));
    let paths = line.unwrap().split_once("search path=").unwrap().1;
    let paths = paths.split_once('\t').unwrap().0;
    let inside = paths
        .split(':')
        .filter_map(|path| path.strip_prefix(&format!("{probe}/")));
    inside
        .map(|subdirectory| format!("{subdirectory}/"))
        .collect()
}

/// The simulated steps of `ld.so --list`.
fn simulate(view: &FileView, target: &Target, library: &Path) -> Vec<String> {
    let mut process = Process::new(view, target, &FilesAlone, Trace::kept());
    process.start(library.to_str().unwrap());
    simulated(&process.trace)
}

#[track_caller]
fn check(view: &FileView, target: &Target, library: &Path) -> usize {
    let interpreter = target.interpreter.as_ref().unwrap();
    let library_path = target.library_path.join(":");
    let directory = library.parent().unwrap();
    let trace = real_trace(interpreter, directory, &library_path, library);
    let real = steps(&trace);
    let mut ours = simulate(view, target, library);
    // The real one stops at the first library that is nowhere; we go on, to tell all.
    if trace.contains("error while loading shared libraries") {
        ours.truncate(real.len());
    }
    let differ = real.iter().zip(&ours).position(|(real, ours)| real != ours);
    if let Some(at) = differ.or((real.len() != ours.len()).then_some(real.len().min(ours.len()))) {
        panic!(
            "{}: step {at}: the loader: {:?}, the simulation: {:?}",
            library.display(),
            real.get(at),
            ours.get(at)
        );
    }
    real.len()
}

/// The libraries of a directory, each file once.
fn libraries(directory: &Path) -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if wheelfix_format::is_library_name(name)
            && let Ok(real) = fs_err::canonicalize(&path)
            && real.is_file()
            && is_loadable(&real)
            && real.parent() == Some(directory)
        {
            files.insert(real);
        }
    }
    files.into_iter().collect()
}

fn is_loadable(file: &Path) -> bool {
    let outcome = wheelfix_loader::read_object(file.to_path_buf(), file).unwrap();
    match outcome {
        wheelfix_loader::ReadOutcome::Object(object) => !object.needed.is_empty(),
        _ => false,
    }
}

#[test]
fn the_libraries_of_the_system_are_searched_as_the_loader_searches() {
    let interpreter = interpreter();
    let mut target =
        Target::of_interpreter(&interpreter, PathBuf::from("/run/opengl-driver/lib")).unwrap();
    assert_eq!(target.loader, LoaderKind::Glibc);
    let home = target
        .system_directories
        .iter()
        .find(|directory| Path::new(directory).is_dir());
    let home = fs_err::canonicalize(home.unwrap()).unwrap();
    let libraries = libraries(&home);
    assert!(100 < libraries.len(), "{} libraries", libraries.len());
    target.subdirectories = subdirectories(&interpreter, &libraries[0]);
    let view = FileView::default().in_directory(home);
    // With and without directories of the environment, which the others come to lie behind; the
    // empty one is the current directory.
    let environments: [&[&str]; 3] = [
        &[],
        &["/usr/lib", "/nonexistent-probe"],
        &["/nonexistent-probe", ""],
    ];
    let mut compared = 0;
    for (library, environment) in libraries
        .iter()
        .step_by(libraries.len() / 60)
        .zip(environments.iter().cycle())
    {
        target.library_path = environment.iter().map(ToString::to_string).collect();
        compared += check(&view, &target, library);
    }
    assert!(1000 < compared, "only {compared} steps");
}

/// The steps of the real loader and of ours, for a library of the libraries.
#[track_caller]
fn check_built(libraries: &LibraryDir, library_path: &[&str], library: &str) {
    let interpreter = interpreter();
    let mut target =
        Target::of_interpreter(&interpreter, PathBuf::from("/run/opengl-driver/lib")).unwrap();
    let library = libraries.path(library);
    target.subdirectories = subdirectories(&interpreter, &library);
    target.library_path = library_path.iter().map(ToString::to_string).collect();
    // The simulated process has no current directory of its own.
    assert!(0 < check(&FileView::default(), &target, &library));
}

const OLD: &str = "-Wl,--disable-new-dtags";
const NEW: &str = "-Wl,--enable-new-dtags";

/// `a/liba.so` needs `b/libb.so`, which needs `c/libc1.so`; the flags are those of the first two.
fn chain(first: &[&str], second: &[&str]) -> LibraryDir {
    let libraries = LibraryDir::new();
    libraries.library(
        "c/libc1.so",
        "",
        &["-Wl,-rpath,$ORIGIN", "-lm", "-L/usr/lib"],
    );
    libraries.library("b/libb.so", "", &[&["-Lc", "-lc1"], second].concat());
    libraries.library(
        "a/liba.so",
        "",
        &[&["-Lb", "-lb", "-Wl,-rpath-link,c"], first].concat(),
    );
    libraries
}

#[test]
fn an_rpath_is_inherited_until_a_runpath() {
    let both = "-Wl,-rpath,$ORIGIN/../b:$ORIGIN/../c";
    check_built(&chain(&[both, OLD], &[]), &[], "a/liba.so");
    check_built(&chain(&[both, NEW], &[]), &[], "a/liba.so");
    check_built(
        &chain(&[both, OLD], &["-Wl,-rpath,$ORIGIN", NEW]),
        &[],
        "a/liba.so",
    );
    check_built(
        &chain(&[both, OLD], &["-Wl,-rpath,$ORIGIN", OLD]),
        &[],
        "a/liba.so",
    );
}

#[test]
fn the_environment_comes_between_rpath_and_runpath() {
    for tags in [OLD, NEW] {
        let libraries = chain(
            &["-Wl,-rpath,$ORIGIN/../b:$ORIGIN/../c", tags],
            &["-Wl,-rpath,$ORIGIN/../c", tags],
        );
        libraries.library("e/libb.so", "", &["-Lc", "-lc1"]);
        libraries.library("e/libc1.so", "", &["-lm"]);
        let environment = libraries.path("e");
        check_built(
            &libraries,
            &[environment.to_str().unwrap(), "/nonexistent"],
            "a/liba.so",
        );
    }
}

#[test]
fn tokens_slashes_and_repetitions_are_taken_as_the_loader_takes_them() {
    let path =
        "-Wl,-rpath,${ORIGIN}/../b//:$ORIGIN/../b:/usr/$LIB/$PLATFORM:$ORIGINAL:$ORIGIN/../b/:/";
    check_built(
        &chain(&[path, NEW], &["-Wl,-rpath,$ORIGIN/../a/../c", NEW]),
        &[],
        "a/liba.so",
    );
}

#[test]
fn a_directory_that_is_not_there_is_looked_at_once() {
    let path = "-Wl,-rpath,/nonexistent/one:$ORIGIN/../none:$ORIGIN/../b";
    check_built(&chain(&[path, OLD], &[]), &[], "a/liba.so");
}

#[test]
fn default_directories_can_be_switched_off() {
    let path = "-Wl,-rpath,$ORIGIN/../b";
    check_built(
        &chain(&[path, OLD, "-Wl,-z,nodefaultlib", "-lm"], &[]),
        &[],
        "a/liba.so",
    );
}

#[test]
fn what_is_loaded_answers_to_its_soname() {
    let libraries = LibraryDir::new();
    libraries.library("libreal.so.1", "", &["-lm"]);
    fs_err::rename(libraries.path("libreal.so.1"), libraries.path("other.so")).unwrap();
    // Needed by the soname, of which there is no file, and by a name that leads to it.
    libraries.library("libname.so", "", &[]);
    libraries.library(
        "libuser.so",
        "",
        &["-L.", "-lname", "other.so", "-Wl,-rpath,$ORIGIN"],
    );
    fs_err::remove_file(libraries.path("libname.so")).unwrap();
    fs_err::hard_link(libraries.path("other.so"), libraries.path("libname.so")).unwrap();
    check_built(&libraries, &[], "libuser.so");
}

#[test]
fn a_file_for_another_machine_is_passed_over() {
    let libraries = chain(
        &["-Wl,-rpath,$ORIGIN/../x:$ORIGIN/../b:$ORIGIN/../c", OLD],
        &[],
    );
    let mut bytes = fs_err::read(libraries.path("b/libb.so")).unwrap();
    // e_machine
    bytes[18] = 183;
    fs_err::create_dir(libraries.path("x")).unwrap();
    fs_err::write(libraries.path("x/libb.so"), bytes).unwrap();
    check_built(&libraries, &[], "a/liba.so");
}

#[test]
fn the_way_through_a_link_is_not_resolved() {
    let libraries = chain(
        &["-Wl,-rpath,$ORIGIN/../b", NEW],
        &["-Wl,-rpath,$ORIGIN/../c", NEW],
    );
    std::os::unix::fs::symlink(libraries.path("a"), libraries.path("link")).unwrap();
    check_built(&libraries, &[], "link/liba.so");
}

#[test]
fn a_need_that_is_a_path_is_opened_as_it_is() {
    let libraries = LibraryDir::new();
    let path = libraries.path("sub/libpath.so");
    fs_err::create_dir(libraries.path("sub")).unwrap();
    libraries.library(
        "libpath.so",
        "",
        &[&format!("-Wl,-soname,{}", path.display()), "-lm"],
    );
    libraries.library("libuser.so", "", &["-L.", "-lpath", "-lm"]);
    fs_err::rename(libraries.path("libpath.so"), path).unwrap();
    check_built(&libraries, &[], "libuser.so");
}
