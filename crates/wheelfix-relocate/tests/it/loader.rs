//! The simulated loader against the real one of this machine, by its own account of the search.
#![expect(clippy::disallowed_methods, reason = "runs the loader")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_relocate::{Event, LoaderKind, Process, Rules, Target, Trace, World};

/// The interpreter of this machine's programs.
fn interpreter() -> PathBuf {
    let env =
        wheelfix_relocate::read_object(PathBuf::from("/usr/bin/env"), Path::new("/usr/bin/env"));
    match env.unwrap() {
        wheelfix_relocate::ReadOutcome::Object(object) => {
            PathBuf::from(object.interpreter.as_ref().unwrap())
        }
        other => panic!("/usr/bin/env is no program: {other:?}"),
    }
}

/// What the real loader says about loading a library as `ld.so --list` does.
fn real_trace(interpreter: &Path, library_path: &str, library: &Path) -> String {
    let mut command = Command::new(interpreter);
    command
        .arg("--library-path")
        .arg(library_path)
        .arg("--list")
        .arg(library);
    let output = command.env("LD_DEBUG", "libs").output().unwrap();
    String::from_utf8(output.stderr).unwrap()
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

/// The same for a simulated trace: the names that were loaded already are not searched.
fn simulated(trace: &Trace) -> Vec<String> {
    let mut steps = Vec::new();
    let mut name = None;
    for event in trace.events() {
        match event {
            Event::Find { name: wanted, .. } => name = Some(wanted.clone()),
            Event::Search { .. } | Event::Cache | Event::Try(_) => {
                if let Some(name) = name.take().filter(|name| !name.contains('/')) {
                    steps.push(format!("find {name}"));
                }
            }
            Event::Outcome(_) => {}
        }
        match event {
            Event::Cache => steps.push("cache".to_owned()),
            Event::Try(path) => steps.push(format!("try {path}")),
            _ => {}
        }
    }
    steps
}

/// The subdirectories that this processor makes the loader try, from its own account.
fn subdirectories(interpreter: &Path, library: &Path) -> Vec<String> {
    let probe = "/nonexistent-probe";
    let trace = real_trace(interpreter, probe, library);
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
fn simulate(world: &World, rules: &Rules, target: &Target, library: &Path) -> Vec<String> {
    let mut process = Process::new(world, target, rules, Trace::kept());
    process.start(library.to_str().unwrap());
    let mut steps = simulated(&process.trace);
    // The program itself is opened before the loader begins its account.
    steps.remove(0);
    steps
}

#[track_caller]
fn check(world: &World, rules: &Rules, target: &Target, library: &Path) -> usize {
    let interpreter = target.interpreter.as_ref().unwrap();
    let library_path = target.library_path.join(":");
    let real = steps(&real_trace(interpreter, &library_path, library));
    let ours = simulate(world, rules, target, library);
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
        if wheelfix_relocate::is_library_name(name)
            && let Ok(real) = fs_err::canonicalize(&path)
            && real.is_file()
            && is_loadable(&real)
        {
            files.insert(real);
        }
    }
    files.into_iter().collect()
}

fn is_loadable(file: &Path) -> bool {
    let outcome = wheelfix_relocate::read_object(file.to_path_buf(), file).unwrap();
    match outcome {
        wheelfix_relocate::ReadOutcome::Object(object) => !object.needed.is_empty(),
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
    let libraries = libraries(Path::new(home.unwrap()));
    assert!(100 < libraries.len(), "{} libraries", libraries.len());
    target.subdirectories = subdirectories(&interpreter, &libraries[0]);
    let world = World::default();
    let rules = Rules::shipped().unwrap();
    // With and without directories of the environment, which the others come to lie behind.
    let mut compared = 0;
    for (at, library) in libraries.iter().enumerate().step_by(libraries.len() / 50) {
        let environment: &[&str] = if at % 2 == 0 {
            &[]
        } else {
            &["/usr/lib", "/nonexistent-probe", ""]
        };
        target.library_path = environment.iter().map(ToString::to_string).collect();
        compared += check(&world, &rules, &target, library);
    }
    assert!(1000 < compared, "only {compared} steps");
}
