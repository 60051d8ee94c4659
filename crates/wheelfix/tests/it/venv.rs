//! Virtual environments, as uv fills them: patched by their directory alone, and uv's cache stays as it
//! is.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use walkdir::WalkDir;
use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const SITE: &str = "v/lib/python3.11/site-packages";

/// A virtual environment, a directory of libraries, and wheels.
pub(crate) struct Venv {
    pub(crate) sandbox: Sandbox,
}

impl Venv {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        fs_err::create_dir(sandbox.path("libs")).unwrap();
        for name in ["a", "b"] {
            sandbox.library(
                &format!("void {name}(void) {{}}"),
                &[
                    "-o",
                    &format!("libs/lib{name}.so"),
                    &format!("-Wl,-soname,lib{name}.so"),
                ],
            );
        }
        let venv = Self { sandbox };
        let python = cache::tool("python3");
        venv.uv(&["venv", "v", "--python", python.to_str().unwrap()]);
        venv
    }

    /// A wheel of a module that needs a library of `libs`; gives its file name.
    pub(crate) fn wheel(&self, name: &str, version: &str, library: &str) -> String {
        let source = format!("void {library}(void); void PyInit_m(void) {{ {library}(); }}");
        let need = format!("-l{library}");
        self.sandbox
            .library(&source, &["-o", "m.so", "-Llibs", &need]);
        let module = fs_err::read(self.sandbox.path("m.so")).unwrap();
        let text = format!("version = '{version}'\n");
        let wheel = WheelBuilder::new(name, version)
            .platlib()
            .tags("cp311-cp311-linux_x86_64")
            .file(&format!("{name}/__init__.py"), text)
            .file(&format!("{name}/m.so"), module);
        self.sandbox.wheel(&wheel)
    }

    /// Runs uv with a cache in the sandbox.
    #[expect(clippy::disallowed_methods, reason = "runs uv")]
    pub(crate) fn uv(&self, args: &[&str]) {
        let output = Command::new(cache::tool("uv"))
            .args(args)
            .args(["--offline", "--no-config", "--cache-dir", "cache"])
            .current_dir(self.sandbox.path("."))
            .env("VIRTUAL_ENV", self.sandbox.path("v"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
    }

    pub(crate) fn install(&self, mode: &str, wheel: &str) {
        self.uv(&["pip", "install", "--no-index", "--link-mode", mode, wheel]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    #[track_caller]
    pub(crate) fn expect(&self, args: &[&str], code: i32, want: &str) -> String {
        let text = self.sandbox.run(args);
        let begin = format!("exit: {code}\n");
        assert!(text.starts_with(&begin), "{args:?}: {text}");
        assert!(text.contains(want), "{args:?}: {text}");
        text
    }

    /// All files of the cache, with their contents and modes.
    fn cached(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
        let entries = WalkDir::new(self.path("cache")).sort_by_file_name();
        let files = entries.into_iter().map(|entry| entry.unwrap().into_path());
        let files = files.filter(|path| path.is_file() && !path.ends_with(".lock"));
        let read = |path: PathBuf| {
            let mode = fs_err::metadata(&path).unwrap().mode();
            let content = fs_err::read(&path).unwrap();
            (path, mode, content)
        };
        files.map(read).collect()
    }
}

#[test]
fn its_directory_is_enough_and_the_cache_of_uv_stays() {
    for mode in ["copy", "hardlink", "symlink"] {
        let venv = Venv::new();
        venv.install(mode, &venv.wheel("pkg", "1.0", "a"));
        let module = venv.path(SITE).join("pkg/m.so");
        let metadata = fs_err::symlink_metadata(&module).unwrap();
        assert_eq!(metadata.is_symlink(), mode == "symlink");
        assert_eq!(metadata.nlink() > 1, mode == "hardlink");
        let cached = venv.cached();
        venv.expect(&["patch", "v"], 1, "`liba.so` is missing");
        venv.expect(
            &["patch", "v", "--lib-path", "libs"],
            0,
            "1 ELF file edited",
        );
        assert!(venv.cached() == cached, "{mode}: the cache was edited");
        // What looks for its libraries from where its file really is must not find those of the cache.
        let source = venv.path(SITE).join("pkg/__init__.py");
        assert!(!source.is_symlink(), "{mode}: a source is still a link");
        let said = venv.expect(&["why", module.to_str().unwrap()], 0, "liba.so");
        assert!(said.contains("[DIR]/libs/liba.so"), "{mode}: {said}");
        let text = venv.expect(&["check", "v", "--python", "v/bin/python"], 0, "");
        assert!(text.contains("1 of "), "{mode}: {text}");
    }
}

#[test]
fn a_link_may_go_where_another_file_is_edited() {
    let venv = Venv::new();
    venv.wheel("pkg", "1.0", "a");
    let module = fs_err::read(venv.path("m.so")).unwrap();
    venv.wheel("plugin", "1.0", "b");
    let plugin = fs_err::read(venv.path("m.so")).unwrap();
    fs_err::remove_file(venv.path("libs/libb.so")).unwrap();
    let wheel = WheelBuilder::new("both", "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64")
        .file("both/__init__.py", "")
        .file("both/m.so", module)
        .file("both/plugins/libplugin.so", plugin);
    venv.install("symlink", &venv.sandbox.wheel(&wheel));
    let patch = ["patch", "v", "--lib-path", "libs"];
    venv.expect(&patch, 0, "1 ELF file edited");
    let site = venv.path(SITE).join("both");
    assert!(!site.join("plugins/libplugin.so").is_symlink());
    assert!(!site.join("__init__.py").is_symlink());
    venv.expect(&patch, 0, "nothing to do");
}

#[test]
fn libraries_are_given_as_lists_and_by_a_variable() {
    let venv = Venv::new();
    venv.install("copy", &venv.wheel("one", "1.0", "a"));
    venv.install("copy", &venv.wheel("two", "1.0", "b"));
    fs_err::create_dir(venv.path("more")).unwrap();
    fs_err::rename(venv.path("libs/libb.so"), venv.path("more/libb.so")).unwrap();
    venv.expect(&["check", "v", "--lib-path", "libs"], 1, "libb.so");
    let run = |args: &[&str], value: &str| {
        let text = venv.sandbox.run_with(args, &[("WHEELFIX_LIB_PATH", value)]);
        assert!(text.starts_with("exit: 0\n"), "{args:?} {value}: {text}");
    };
    let dry = ["patch", "v", "--dry-run"];
    run(&[&dry[..], &["--lib-path", "libs:more"]].concat(), "");
    run(&[&dry[..], &["--lib-path", "libs"]].concat(), "more");
    run(&dry, ":libs::more:");
    venv.expect(
        &["patch", "v", "--lib-path", "libs:none"],
        3,
        "none` does not exist",
    );
}

#[test]
fn members_elsewhere_are_told_and_left_alone() {
    let venv = Venv::new();
    venv.install("copy", &venv.wheel("pkg", "1.0", "a"));
    let member = venv.path("member");
    fs_err::create_dir(&member).unwrap();
    fs_err::copy(venv.path("m.so"), member.join("m.so")).unwrap();
    let before = fs_err::read(member.join("m.so")).unwrap();
    fs_err::write(venv.path(SITE).join("member.pth"), member.to_str().unwrap()).unwrap();
    let patch = ["patch", "v", "--lib-path", "libs"];
    venv.expect(
        &patch,
        0,
        "member.pth` leads to `[DIR]/member`, outside of the environment",
    );
    assert!(fs_err::read(member.join("m.so")).unwrap() == before);
}

#[test]
fn two_environments_are_two_runs() {
    let venv = Venv::new();
    let python = cache::tool("python3");
    venv.uv(&["venv", "w", "--python", python.to_str().unwrap()]);
    venv.expect(&["patch", "v", "w"], 2, "`--python");
    symlink("v", venv.path("link")).unwrap();
    venv.expect(&["patch", "link"], 0, "0 ELF files edited");
    assert!(Path::new(&venv.path("link")).is_symlink());
}
