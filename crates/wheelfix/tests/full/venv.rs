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

/// Lines that run if the wheels of the environment `venv` work.
const LINES: [&str; 5] = [
    NUMPY,
    "import pandas; assert pandas.DataFrame({'a': [1, 2]}).a.sum() == 3",
    "import cv2, numpy; assert cv2.resize(numpy.zeros((4, 4)), (2, 2)).shape == (2, 2)",
    "from PyQt6.QtWidgets import QApplication, QLabel; a = QApplication([]); QLabel('x').show()",
    "from grpc_tools import protoc; assert protoc.main(['protoc', '--version']) == 0",
];

/// The program of a wheel that lies in its package.
const PLAYWRIGHT: &str = "lib/python3.11/site-packages/playwright/driver/node";

/// All wheels of the environment work.
fn everything_works(project: &Project) {
    for line in LINES {
        let line = format!("import os; os.environ['QT_QPA_PLATFORM'] = 'offscreen'; {line}");
        project.computes(&line);
    }
    project.starts("ruff");
    project.starts(&format!("../{PLAYWRIGHT}"));
}

/// A project with the wheels of the environment `venv`, and a member that is installed editable.
#[track_caller]
fn a_workspace_works(mode: &'static str) {
    let project = Project::with(mode, &cache::environment("venv"));
    let member = project.path("member");
    fs_err::create_dir_all(member.join("src/member")).unwrap();
    let text = "[project]\nname = 'member'\nversion = '1'\n\
        [build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n";
    fs_err::write(member.join("pyproject.toml"), text).unwrap();
    fs_err::write(member.join("src/member/__init__.py"), "ANSWER = 42\n").unwrap();
    let said =
        project.uv("add numpy==2.4.6 pandas opencv-python PyQt6 ruff playwright grpcio-tools");
    assert!(said.contains("proved to load"), "{said}");
    everything_works(&project);
    let cached = project.cached();
    let said = project.uv("add --editable ./member");
    assert!(!said.contains("wheelfix: "), "{said}");
    project.computes("import member; assert member.ANSWER == 42");
    fs_err::write(member.join("src/member/__init__.py"), "ANSWER = 43\n").unwrap();
    project.computes("import member; assert member.ANSWER == 43");
    everything_works(&project);
    project.uv("remove playwright");
    assert!(!project.path(".venv").join(PLAYWRIGHT).exists());
    project.starts("ruff");
    for args in [
        "add playwright",
        "sync --reinstall",
        "sync --upgrade",
        "sync --reinstall-package opencv-python",
    ] {
        project.uv(args);
        everything_works(&project);
    }
    project.keeps(&cached);
}

#[test]
fn a_workspace_of_copies_works() {
    a_workspace_works("copy");
}

#[test]
fn a_workspace_of_hard_links_works() {
    a_workspace_works("hardlink");
}

#[test]
fn a_workspace_of_symbolic_links_works() {
    a_workspace_works("symlink");
}

#[test]
fn a_wheel_goes_down_and_up_again() {
    let versions = ["numpy-1.26.4", "numpy-2.4.6"].map(cache::wheel);
    let project = Project::with("hardlink", &versions);
    let multiply = "import numpy; assert (numpy.eye(3) @ numpy.ones(3)).sum() == 3; assert numpy.__version__ ==";
    for version in ["2.4.6", "1.26.4", "2.4.6"] {
        let said = project.uv(&format!("add numpy=={version}"));
        assert!(said.contains("proved to load"), "{said}");
        project.computes(&format!("{multiply} '{version}'"));
    }
}

#[test]
fn torch_computes() {
    let set = [cache::wheels("cuda"), cache::wheels("small")].concat();
    let project = Project::with("hardlink", &set);
    let said = project.uv("add torch bitsandbytes numpy");
    assert!(said.contains("proved to load"), "{said}");
    let cached = project.cached();
    let line = "import torch, bitsandbytes; assert (torch.eye(3) @ torch.ones(3)).sum() == 3; torch.from_numpy";
    project.computes(line);
    let said = project.uv("sync");
    assert!(!said.contains("wheelfix: "), "{said}");
    let said = project.uv("add greenlet");
    assert!(said.contains("wheelfix: "), "{said}");
    project.computes(line);
    project.keeps(&cached);
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
