//! Virtual environments that uv and pip fill with real wheels: after each change a run makes them work in
//! the bed, and uv's cache stays as it is.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

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

/// The settings of Poetry, with all that it keeps in the project.
const POETRY: [(&str, &str); 5] = [
    ("POETRY_VIRTUALENVS_IN_PROJECT", "true"),
    ("POETRY_NO_INTERACTION", "1"),
    ("POETRY_CACHE_DIR", "cache"),
    ("POETRY_CONFIG_DIR", "config"),
    ("POETRY_DATA_DIR", "data"),
];

#[test]
fn what_poetry_installs_works() {
    let project = Project::new("copy");
    let text = "[project]\nname = 'p'\nversion = '1'\nrequires-python = '==3.11.*'\n\
        [tool.poetry]\npackage-mode = false\n";
    fs_err::write(project.path("pyproject.toml"), text).unwrap();
    let file = |name| {
        let name = cache::wheel(name).file_name().unwrap().to_owned();
        format!("./wheels/{}", name.display())
    };
    let poetry = |args: &str| {
        let mut run = project.wheelfix(&["venv-run"]);
        let poetry = cache::poetry();
        run.arg(poetry).args(args.split(' ')).envs(POETRY);
        let output = run.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args}: {said}");
        said
    };
    let python = format!("env use {}", project.python().display());
    poetry(&python);
    let said = poetry(&format!("add {} {}", file("ruff"), file("greenlet")));
    let said = said.lines().find(|line| line.starts_with("wheelfix: "));
    // Of another environment, and as many files.
    let form = |line: &str, dir: &str| {
        let words = line.trim().replace(dir, "");
        let words = words.split(' ').map(|word| match word.parse::<u32>() {
            Ok(_) => "N".to_owned(),
            Err(_) => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let guide = cache::root().join("docs/virtual-environments.md");
    let guide = fs_err::read_to_string(guide).unwrap();
    let shown = guide
        .lines()
        .find(|line| line.starts_with("    wheelfix: "));
    let dir = project.dir.path().to_str().unwrap();
    assert_eq!(
        form(said.unwrap(), dir),
        form(shown.unwrap(), "/home/me/project")
    );
    project.starts("ruff");
    project.computes(GREENLET);
    let said = poetry("sync");
    assert!(!said.contains("wheelfix: "), "{said}");
    let said = poetry(&format!("add {} {}", file("numpy"), file("scipy")));
    assert!(said.contains("proved to load"), "{said}");
    project.computes("import scipy.linalg, numpy; scipy.linalg.inv(numpy.eye(2))");
    poetry("remove greenlet");
    assert!(
        !project
            .path(".venv/lib/python3.11/site-packages/greenlet")
            .exists()
    );
    project.starts("ruff");
    fs_err::remove_dir_all(project.path(".venv")).unwrap();
    poetry(&python);
    for args in ["install", "update"] {
        poetry(args);
        project.starts("ruff");
        project.computes("import scipy.linalg, numpy; scipy.linalg.inv(numpy.eye(2))");
    }
}

/// uv with wheelfix behind it on a terminal of its own, whose keyboard is the input.
fn uv_on_terminal(project: &Project, args: &str) -> Command {
    let (wheelfix, uv) = (env!("CARGO_BIN_EXE_wheelfix"), cache::tool("uv"));
    let line = format!("exec {wheelfix} venv-run {} {args}", uv.display());
    let mut command = Command::new("script");
    project.equip(command.args(["-qec", &line, "typescript"]));
    command.env("SHELL", "/bin/sh");
    command
}

/// Presses Ctrl-C on the terminal of uv when a path appears; gives the exit code.
fn interrupted(project: &Project, args: &str, path: &Path) -> Option<i32> {
    let mut run = uv_on_terminal(project, args);
    let mut run = run
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while !path.try_exists().unwrap() {
        assert!(begin.elapsed() < Duration::from_mins(1), "{args}");
        sleep(Duration::from_micros(200));
    }
    let keyboard = run.stdin.as_mut().unwrap();
    // It may have ended by now.
    keyboard.write_all(b"\x03").ok();
    run.wait().unwrap().code()
}

#[test]
fn the_keyboard_interrupts_uv_in_the_middle() {
    let project = Project::new("copy");
    project.uv("add numpy scipy ruff greenlet pygments");
    let cached = project.cached();
    let site = project.path(".venv/lib/python3.11/site-packages");
    let mut codes = Vec::new();
    for name in ["pygments", "numpy", "scipy", "scipy/linalg"] {
        fs_err::remove_dir_all(project.path(".venv")).unwrap();
        codes.push(interrupted(&project, "sync", &site.join(name)));
        project.keeps(&cached);
        // What uv had written a part of it takes for installed.
        let said = project.uv("sync --reinstall");
        assert!(said.contains("proved to load"), "{name}: {said}");
        project.computes(GREENLET);
        project.computes("import scipy.linalg, numpy; scipy.linalg.inv(numpy.eye(2))");
        project.computes("import pygments.lexers; pygments.lexers.get_lexer_by_name('python')");
        project.starts("ruff");
        project.keeps(&cached);
    }
    let is_known = |code: &Option<i32>| [Some(0), Some(130)].contains(code);
    assert!(
        codes.iter().all(is_known) && codes.contains(&Some(130)),
        "{codes:?}"
    );
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
