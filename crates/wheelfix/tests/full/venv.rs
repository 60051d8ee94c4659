//! Virtual environments that uv fills with real wheels, by every way in which it links: after each change a run makes
//! them work in the bed, also after one that was broken off, and uv's cache stays as it is.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use wheelfix_testkit::cache;

use crate::programs::succeed;
use crate::venv_project::Project;

const NUMPY: &str = "import numpy; assert (numpy.eye(3) @ numpy.ones(3)).sum() == 3";
const SCIPY: &str = "import scipy.linalg; scipy.linalg.inv([[2.0]])";

#[track_caller]
fn all_steps(mode: &'static str) {
    let project = Project::new(mode);
    let said = project.uv("add numpy ruff");
    assert!(
        said.contains("wheelfix: ") && said.contains("proved to load"),
        "{said}"
    );
    project.computes(NUMPY);
    project.starts("ruff");
    let cached = project.cached();
    assert!(!cached.is_empty());
    let said = project.uv("sync");
    assert!(!said.contains("wheelfix: "), "{said}");
    project.uv("add scipy greenlet");
    project.computes(SCIPY);
    project.keeps(&cached);
    let cached = project.cached();
    // Nothing that was edited is in the cache, from which another environment is filled now.
    let said = project.uv("sync --reinstall");
    assert!(said.contains("wheelfix: "), "{said}");
    project.computes(NUMPY);
    project.uv("remove scipy");
    project.computes(NUMPY);
    project.starts("ruff");
    project.uv("pip install -p .venv --reinstall greenlet --no-index --find-links wheels");
    project.computes("import greenlet");
    project.keeps(&cached);
    let said = project.uv("run ruff --version");
    assert!(!said.contains("wheelfix: "), "{said}");
}

#[test]
fn what_uv_copies_works() {
    all_steps("copy");
}

#[test]
fn what_uv_links_hard_works() {
    all_steps("hardlink");
}

#[test]
fn what_uv_links_symbolically_works() {
    all_steps("symlink");
}

#[test]
fn what_uv_clones_works() {
    // Where the file system has no clones uv copies.
    all_steps("clone");
}

#[test]
fn a_run_that_is_broken_off_is_made_up_for() {
    let project = Project::new("hardlink");
    project.uv("venv");
    for time in [5, 20, 50, 100, 200, 400] {
        let uv = cache::tool("uv");
        let mut install = Command::new(uv);
        install.args([
            "pip",
            "install",
            "-q",
            "--no-index",
            "--find-links",
            "wheels",
        ]);
        install.args([
            "--offline",
            "--reinstall",
            "numpy",
            "scipy",
            "ruff",
            "--python",
            ".venv",
        ]);
        install.current_dir(project.dir.path());
        install
            .env("UV_CACHE_DIR", project.path("cache"))
            .env("UV_LINK_MODE", "hardlink");
        succeed(&mut install);
        let cached = project.cached();
        let mut run = project.wheelfix(&["patch", ".venv", "-q"]).spawn().unwrap();
        sleep(Duration::from_millis(time));
        let pid = Pid::from_raw(run.id().try_into().unwrap()).unwrap();
        // It may have ended by now.
        kill_process(pid, Signal::INT).ok();
        run.wait().unwrap();
        let runs = [0, 1].map(|_| project.wheelfix(&["patch", ".venv", "-q"]).spawn().unwrap());
        for mut run in runs {
            assert!(run.wait().unwrap().success());
        }
        project.computes(NUMPY);
        project.computes(SCIPY);
        project.starts("ruff");
        project.keeps(&cached);
    }
}
