//! Virtual environments that uv and pip fill with real wheels: after each change a run makes them work in
//! the bed, and uv's cache stays as it is.

use wheelfix_testkit::cache;

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
