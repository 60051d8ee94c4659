//! Virtual environments that uv and pip fill with real wheels: after each change a run makes them work in
//! the bed, and uv's cache stays as it is.

use std::ffi::OsStr;
use std::process::Command;

use wheelfix_testkit::cache;

use crate::programs::succeed;
use crate::venv_project::Project;

const GREENLET: &str = "import greenlet; assert greenlet.greenlet(lambda: 7).switch() == 7";

#[track_caller]
fn works(mode: &'static str) {
    let project = Project::new(mode);
    let said = project.uv("add ruff");
    assert!(said.contains("wheelfix: 1 ELF file edited"), "{said}");
    project.starts("ruff");
    let cached = project.cached();
    assert!(!cached.is_empty());
    let said = project.uv("sync");
    assert!(!said.contains("wheelfix: "), "{said}");
    project.uv("add greenlet");
    project.computes(GREENLET);
    project.uv("sync --reinstall");
    project.computes(GREENLET);
    project.starts("ruff");
    project.uv("remove greenlet");
    project.starts("ruff");
    project.keeps(&cached);
}

#[test]
fn what_uv_links_hard_works() {
    works("hardlink");
}

#[test]
fn what_uv_links_symbolically_works() {
    works("symlink");
}

#[test]
fn what_pip_installs_works() {
    let project = Project::new("copy");
    project.uv("venv");
    let pip = cache::tool("pip");
    let install = "--python .venv/bin/python install --no-index --find-links wheels";
    let said = project.program(&pip, &format!("{install} greenlet ruff"));
    assert!(said.contains("wheelfix: "), "{said}");
    project.computes(GREENLET);
    project.starts("ruff");
    let said = project.program(&pip, &format!("{install} --force-reinstall --no-deps ruff"));
    assert!(said.contains("wheelfix: 1 ELF file edited"), "{said}");
    project.starts("ruff");
}

#[test]
fn two_shells_at_once_leave_what_works() {
    let project = Project::new("hardlink");
    project.uv("add numpy ruff greenlet");
    let cached = project.cached();
    let uv = cache::tool("uv");
    let uv = uv.to_str().unwrap();
    let sync = ["sync", "--reinstall"];
    let install = ["pip", "install", "--reinstall", "greenlet"];
    let install = [
        &install[..],
        &["-p", ".venv", "--no-index", "--find-links", "wheels"],
    ]
    .concat();
    for _ in 0..3 {
        let runs = [&sync[..], &install, &sync].map(|args| {
            let mut run = project.wheelfix(&["venv-run", uv]);
            run.args(args).spawn().unwrap()
        });
        for mut run in runs {
            assert!(run.wait().unwrap().success());
        }
        project.uv("sync");
        project.computes(GREENLET);
        project.computes("import numpy; assert (numpy.eye(3) @ numpy.ones(3)).sum() == 3");
        project.starts("ruff");
        project.keeps(&cached);
    }
}

/// The guide says so of `LD_LIBRARY_PATH`, and of doing nothing.
#[test]
fn a_library_path_of_the_shell_is_not_enough_and_leaks() {
    const NUMPY: &str = "import numpy; assert (numpy.eye(3) @ numpy.ones(3)).sum() == 3";
    const CHILD: &str = "import subprocess, sys; \
        sys.exit(subprocess.call([sys.executable, '-c', 'import os; os.environ[\"LD_LIBRARY_PATH\"]']))";
    let project = Project::new("hardlink");
    let mut uv = Command::new(cache::tool("uv"));
    project.place(uv.args(["add", "numpy", "ruff"]));
    succeed(&mut uv);
    let run = |program: &str, args: &[&str], variable: Option<&OsStr>| {
        let mut command = project.in_bed(program);
        command.args(args);
        match variable {
            Some(libraries) => command.env("LD_LIBRARY_PATH", libraries),
            None => command.env_remove("LD_LIBRARY_PATH"),
        };
        command.output().unwrap().status.success()
    };
    let libraries = project.library_path();
    assert!(!run("python", &["-c", NUMPY], None));
    assert!(run("python", &["-c", NUMPY], Some(&libraries)));
    assert!(!run("ruff", &["--version"], None));
    assert!(!run("ruff", &["--version"], Some(&libraries)));
    assert!(run("python", &["-c", CHILD], Some(&libraries)));
    succeed(&mut project.wheelfix(&["patch", ".venv"]));
    assert!(run("python", &["-c", NUMPY], None));
    assert!(run("ruff", &["--version"], None));
    assert!(!run("python", &["-c", CHILD], None));
}
