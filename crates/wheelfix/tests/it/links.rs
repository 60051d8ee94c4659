//! Trees of links: environments, and what uv makes. What is proved is what the loader opens; what is
//! edited is never the origin.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A wheel whose module needs a library that the wheel bundles, and one that it does not.
struct Bench {
    sandbox: Sandbox,
    wheel: String,
}

const MODULE: &str = "lib/python3.11/site-packages/pkg/m.so";
const BUNDLED: &str = "lib/python3.11/site-packages/pkg.libs/libb.so";

impl Bench {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        fs_err::create_dir(sandbox.path("libs")).unwrap();
        sandbox.library(
            "void a(void) {}",
            &["-o", "libs/liba.so", "-Wl,-soname,liba.so"],
        );
        sandbox.library("void b(void) {}", &["-o", "libb.so", "-Wl,-soname,libb.so"]);
        let source = "void a(void); void b(void); void PyInit_m(void) { a(); b(); }";
        let origin = "-Wl,-rpath,$ORIGIN/../pkg.libs";
        sandbox.library(
            source,
            &["-o", "m.so", "-Llibs", "-L.", "-la", "-lb", origin],
        );
        let file = |name: &str| fs_err::read(sandbox.path(name)).unwrap();
        let wheel = WheelBuilder::new("pkg", "1.0")
            .platlib()
            .tags("cp311-cp311-linux_x86_64")
            .file("pkg/__init__.py", "")
            .file("pkg/m.so", file("m.so"))
            .file("pkg.libs/libb.so", file("libb.so"));
        let wheel = sandbox.wheel(&wheel);
        Self { sandbox, wheel }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs_err::read(self.path(name)).unwrap()
    }

    fn run(&self, args: &[&str]) -> String {
        self.sandbox.run(args)
    }

    #[track_caller]
    fn expect(&self, args: &[&str], code: i32, want: &str) {
        let text = self.run(args);
        assert!(
            text.starts_with(&format!("exit: {code}\n")),
            "{args:?}: {text}"
        );
        assert!(text.contains(want), "{args:?}: {text}");
    }

    /// A prefix `p`, and an environment `e` of links to it.
    fn environment(&self) {
        let python = python();
        let libs = ["--lib-path", "libs", "--python", &python];
        self.expect(
            &[&["install", &self.wheel, "--prefix", "p"], &libs[..]].concat(),
            0,
            "",
        );
        self.expect(&[&["env", "p", "--prefix", "e"], &libs[..]].concat(), 0, "");
    }
}

fn python() -> String {
    cache::tool("python3").to_str().unwrap().to_owned()
}

fn is_link(path: &Path) -> bool {
    fs_err::symlink_metadata(path).unwrap().is_symlink()
}

#[test]
fn an_environment_of_links_is_proved() {
    let bench = Bench::new();
    bench.environment();
    symlink("e", bench.path("result")).unwrap();
    for name in ["e", "result", "result/lib/python3.11"] {
        bench.expect(&["check", name, "--lib-path", "libs"], 0, "2 of ");
    }
    bench.expect(&["inspect", "e"], 0, "pkg/m.so");
    fs_err::remove_file(bench.path("p").join(BUNDLED)).unwrap();
    for name in ["e", "result", "result/lib/python3.11"] {
        let want = "`libb.so` is missing";
        bench.expect(&["check", name, "--lib-path", "libs"], 1, want);
        bench.expect(&["patch", name, "--lib-path", "libs"], 1, want);
    }
}

#[test]
fn each_object_is_opened_by_its_path_in_the_environment() {
    let bench = Bench::new();
    bench.environment();
    // A directory of links to files: what lies beside the origin is not beside the link.
    let package = bench.path("links/pkg");
    fs_err::create_dir_all(&package).unwrap();
    symlink(bench.path("p").join(MODULE), package.join("m.so")).unwrap();
    bench.expect(
        &["check", "links", "--lib-path", "libs"],
        1,
        "`libb.so` is missing",
    );
    bench.expect(&["check", "links/pkg/m.so"], 1, "`libb.so` is missing");
    bench.expect(&["why", "links/pkg/m.so"], 1, "not found");
    let libs = bench.path("p/lib/python3.11/site-packages/pkg.libs");
    symlink(libs, bench.path("links/pkg.libs")).unwrap();
    bench.expect(&["check", "links", "--lib-path", "libs"], 0, "2 of ");
    bench.expect(
        &["why", "links/pkg/m.so"],
        0,
        "links/pkg/../pkg.libs/libb.so",
    );
}

#[test]
fn links_in_circles_end() {
    let bench = Bench::new();
    bench.environment();
    symlink(bench.path("."), bench.path("e/up")).unwrap();
    symlink("..", bench.path("e/lib/up")).unwrap();
    symlink("/", bench.path("e/all")).unwrap();
    symlink("self", bench.path("e/self")).unwrap();
    symlink("lib", bench.path("e/lib64")).unwrap_or_default();
    bench.expect(&["check", "e", "--lib-path", "libs"], 0, "2 of ");
}

/// A virtual environment that uv made of links into its cache.
#[expect(clippy::disallowed_methods, reason = "runs uv")]
fn uv_environment(bench: &Bench) {
    let uv = |args: &[&str]| {
        let output = Command::new(cache::tool("uv"))
            .args(args)
            .args(["--offline", "--no-config", "--cache-dir", "cache"])
            .current_dir(bench.path("."))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
    };
    let python = python();
    uv(&["venv", "v", "--python", &python]);
    let install = ["pip", "install", "--no-index", "--link-mode", "symlink"];
    uv(&[&install[..], &["--python", "v/bin/python", &bench.wheel]].concat());
}

#[test]
fn what_uv_links_is_patched_in_a_copy() {
    let bench = Bench::new();
    uv_environment(&bench);
    let module = format!("v/{MODULE}");
    assert!(is_link(&bench.path(&module)), "uv made no links");
    let origin = fs_err::canonicalize(bench.path(&module)).unwrap();
    let cached = fs_err::read(&origin).unwrap();
    let record = "v/lib/python3.11/site-packages/pkg-1.0.dist-info/RECORD";
    let listed = bench.read(record);
    let target = ["--python", "v/bin/python"];
    let check = [&["check", "v"], &target[..]].concat();
    bench.expect(&check, 1, "`liba.so` is missing");
    let patch = [&["patch", "v", "--lib-path", "libs"], &target[..]].concat();
    bench.expect(&patch, 0, "1 ELF");
    bench.expect(&[&check[..], &["--lib-path", "libs"]].concat(), 0, "2 of ");
    assert!(!is_link(&bench.path(&module)));
    // Also what stays as it is: it may look for the others from where it really is.
    assert!(!is_link(&bench.path(&format!("v/{BUNDLED}"))));
    assert!(is_link(&bench.path("v/bin/python")));
    assert!(
        fs_err::read(&origin).unwrap() == cached,
        "the cache was edited"
    );
    assert!(bench.read(&module) != cached);
    assert!(bench.read(record) != listed, "RECORD is as it was");
    bench.expect(&patch, 0, "nothing to do");
}

#[test]
fn what_lies_behind_a_link_to_a_directory_is_not_edited() {
    let bench = Bench::new();
    uv_environment(&bench);
    fs_err::create_dir(bench.path("forest")).unwrap();
    let site = bench.path("v/lib/python3.11/site-packages");
    symlink(site, bench.path("forest/site-packages")).unwrap();
    let module = format!("v/{MODULE}");
    let before = bench.read(&module);
    let want = "forest/site-packages/pkg` are to be edited, which lies elsewhere, in `[DIR]/v/lib";
    bench.expect(&["patch", "forest", "--lib-path", "libs"], 1, want);
    assert!(is_link(&bench.path(&module)));
    assert!(bench.read(&module) == before);
}
