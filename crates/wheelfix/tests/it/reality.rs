//! `wheelfix check` beside the loader itself: libraries built for one question each, opened by
//! Python with `RTLD_NOW` in fresh processes.

mod programs;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use wheelfix_testkit::cache;
use wheelfix_testkit::elf::Tool;

use crate::support::Sandbox;

const ORIGIN: &str = "-Wl,-rpath,$ORIGIN";
const OLD: &str = "-Wl,--disable-new-dtags";
const NEW: &str = "-Wl,--enable-new-dtags";

/// Libraries, and what opens them.
struct Bench {
    sandbox: Sandbox,
    /// Directories of the library path.
    library_path: Vec<String>,
    /// Directory of the driver.
    driver_path: Option<PathBuf>,
}

/// The document of the proof, after it was compared with the loader.
struct Agreed {
    document: Value,
    root: String,
}

impl Bench {
    fn new() -> Self {
        Self {
            sandbox: Sandbox::new(),
            library_path: Vec::new(),
            driver_path: None,
        }
    }

    fn root(&self) -> PathBuf {
        fs_err::canonicalize(self.sandbox.path(".")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Compiles a library from C; its soname is the file name.
    fn library(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let file_name = name.rsplit('/').next().unwrap();
        self.named(name, file_name, source, flags)
    }

    /// The same with another soname.
    fn named(&self, name: &str, soname: &str, source: &str, flags: &[&str]) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(self.path("source.c"), source).unwrap();
        let soname = format!("-Wl,-soname,{soname}");
        let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed"];
        let output = ["-o", path.to_str().unwrap(), "source.c", &soname];
        let args = [&start[..], &output[..], flags].concat();
        Tool::CC.run_in(&self.root(), &args).expect();
        path
    }

    /// Compiles a library whose symbols have the versions of a linker script.
    fn versioned(&self, name: &str, source: &str, script: &str, flags: &[&str]) -> PathBuf {
        fs_err::write(self.path("versions.map"), script).unwrap();
        let flag = "-Wl,--version-script=versions.map";
        self.library(name, source, &[&[flag], flags].concat())
    }

    /// Proves everything, opens everything, and compares.
    #[track_caller]
    fn agree(&self) -> Agreed {
        let document = self.check(&[]);
        let (load, fail) = (paths(&document, "loadable"), paths(&document, "unloadable"));
        let opened = self.open(load.iter().chain(&fail));
        assert_eq!(opened.len(), load.len() + fail.len(), "{opened:?}");
        for (path, said) in &opened {
            let proved = load.contains(path);
            let faults = &document["faults"];
            assert_eq!(
                said == "ok",
                proved,
                "{path}: the loader: {said}; the proof: {faults}"
            );
        }
        Agreed {
            document,
            root: self.root().to_str().unwrap().to_owned(),
        }
    }

    /// The document of `wheelfix check`.
    fn check(&self, args: &[&str]) -> Value {
        let mut command = self.sandbox.command(&["check", "--json"]);
        command
            .arg("--python")
            .arg(cache::tool("python3"))
            .args(args);
        for directory in &self.library_path {
            command.arg("--ld-library-path").arg(directory);
        }
        if let Some(directory) = &self.driver_path {
            command.arg("--driver-path").arg(directory);
        }
        let output = command.arg(self.root()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"))
    }

    /// The outcome for each file, opened in a fresh process.
    #[expect(clippy::disallowed_methods, reason = "asks the real loader")]
    fn open<'a>(&self, files: impl Iterator<Item = &'a String>) -> BTreeMap<String, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wheels/open_each.py");
        let mut command = Command::new(cache::tool("python3"));
        command.args(["-I", script]).env_clear().current_dir("/");
        if !self.library_path.is_empty() {
            command.env("LD_LIBRARY_PATH", self.library_path.join(":"));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = command.spawn().unwrap();
        let list: Vec<&str> = files.map(String::as_str).collect();
        let mut stdin = python.stdin.take().unwrap();
        stdin.write_all(list.join("\n").as_bytes()).unwrap();
        drop(stdin);
        let output = python.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        lines
            .map(|(path, said)| (path.to_owned(), said.to_owned()))
            .collect()
    }
}

impl Agreed {
    /// Final paths of what does not load, below the sandbox.
    fn failing(&self) -> Vec<String> {
        let fail = paths(&self.document, "unloadable");
        let start = format!("{}/", self.root);
        fail.iter().map(|path| path.replace(&start, "")).collect()
    }
}

fn paths(document: &Value, key: &str) -> BTreeSet<String> {
    let list = document[key].as_array().unwrap().iter();
    list.map(|path| path.as_str().unwrap().to_owned()).collect()
}

const USES_F: &str = "void f(void); void u(void) { f(); }";

#[test]
fn empty_and_relative_elements() {
    let bench = Bench::new();
    bench.library("liba.so", "void f(void) {}", &[]);
    for (name, path) in [
        ("libempty.so", ""),
        ("libcolon.so", ":"),
        ("librel.so", "."),
        ("libmixed.so", ":$ORIGIN"),
    ] {
        let flag = format!("-Wl,-rpath,{path}");
        let flags: &[&str] = if path.is_empty() {
            &["-L.", "-la"]
        } else {
            &["-L.", "-la", &flag]
        };
        bench.library(name, USES_F, flags);
    }
    assert_eq!(
        bench.agree().failing(),
        ["libcolon.so", "libempty.so", "librel.so"]
    );
}

#[test]
fn an_rpath_beside_an_empty_runpath_does_not_count() {
    let bench = Bench::new();
    bench.library("lib/liba.so", "void f(void) {}", &[]);
    let both = bench.library(
        "libboth.so",
        USES_F,
        &["-Llib", "-la", "-Wl,-rpath,$ORIGIN/lib", OLD],
    );
    // Makes the second tag out of one that is good for nothing here.
    add_runpath(&both);
    bench.library(
        "libone.so",
        USES_F,
        &["-Llib", "-la", "-Wl,-rpath,$ORIGIN/lib", OLD],
    );
    assert_eq!(bench.agree().failing(), ["libboth.so"]);
}

/// Turns the tag `DT_DEBUG` or, in a library, the first spare `DT_NULL` into a `DT_RUNPATH` of the
/// empty text.
fn add_runpath(file: &std::path::Path) {
    let mut bytes = fs_err::read(file).unwrap();
    let (offset, len) = dynamic(&bytes);
    let entries = offset..offset + len;
    let null = entries
        .step_by(16)
        .find(|at| bytes[*at..*at + 8] == [0; 8])
        .unwrap();
    assert!(null + 32 <= offset + len, "no spare entry");
    bytes[null] = 29;
    fs_err::write(file, bytes).unwrap();
}

/// Offset and length of the dynamic section of a 64-bit file.
fn dynamic(bytes: &[u8]) -> (usize, usize) {
    let word = |at: usize| {
        usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
    };
    let headers = word(32);
    let header = (0..16)
        .map(|index| headers + 56 * index)
        .find(|at| bytes[*at] == 2 && bytes[*at + 1] == 0);
    let header = header.unwrap();
    (word(header + 8), word(header + 32))
}

#[test]
fn an_inherited_rpath_starts_from_its_owner() {
    let bench = Bench::new();
    bench.library("deep/libdeep.so", "void f(void) {}", &[]);
    bench.library("mid/libmid.so", USES_F, &["-Ldeep", "-ldeep"]);
    for (name, tags) in [("libold.so", OLD), ("libnew.so", NEW)] {
        let path = "-Wl,-rpath,$ORIGIN/mid:$ORIGIN/deep";
        bench.library(
            name,
            "",
            &["-Lmid", "-lmid", "-Wl,-rpath-link,deep", path, tags],
        );
    }
    assert_eq!(bench.agree().failing(), ["libnew.so", "mid/libmid.so"]);
}

#[test]
fn a_library_in_the_process_stands_in_for_another_of_its_soname() {
    let bench = Bench::new();
    bench.named(
        "new/libb.so",
        "libb.so",
        "void f(void) {} void g(void) {}",
        &[],
    );
    bench.named("old/libb.so", "libb.so", "void f(void) {}", &[]);
    let user = "void g(void); void u(void) { g(); }";
    bench.library("new/libuser.so", user, &["-Lnew", "-lb", ORIGIN]);
    // The first need decides which `libb.so` is meant.
    let path = "-Wl,-rpath,$ORIGIN/old:$ORIGIN/new";
    bench.library(
        "libroot.so",
        "",
        &[
            "old/libb.so",
            "new/libuser.so",
            path,
            "-Wl,-rpath-link,new",
            "-Wl,--allow-shlib-undefined",
        ],
    );
    let agreed = bench.agree();
    assert_eq!(agreed.failing(), ["libroot.so"]);
    assert_eq!(agreed.document["faults"][0]["symbols"][0], "g");
}

#[test]
fn a_version_needs_a_library_with_versions() {
    let bench = Bench::new();
    let source = "void f(void) {}";
    bench.versioned("liba.so", source, "A_1 { f; };", &[]);
    bench.library("libuser.so", USES_F, &["-L.", "-la", ORIGIN]);
    assert!(bench.agree().failing().is_empty());
    // No versions at all: the loader stops with an assertion.
    bench.library("liba.so", source, &[]);
    assert_eq!(bench.agree().failing(), ["libuser.so"]);
    // Versions of its needs only: the loader warns.
    bench.library(
        "liba.so",
        "int puts(const char *); void f(void) { puts(\"\"); }",
        &["-lc"],
    );
    assert!(bench.agree().failing().is_empty());
    // No version but the base.
    bench.versioned("liba.so", source, "liba.so { f; };", &[]);
    assert_eq!(bench.agree().failing(), ["libuser.so"]);
    // Another one, weak for the needer.
    bench.versioned("liba.so", source, "A_2 { f; };", &[]);
    assert_eq!(bench.agree().failing(), ["libuser.so"]);
    // The version without the symbol.
    bench.versioned("liba.so", "void g(void) {}", "A_1 { g; };", &[]);
    assert_eq!(bench.agree().failing(), ["libuser.so"]);
}

#[test]
fn hidden_protected_and_unique_definitions() {
    let bench = Bench::new();
    let kinds = [
        ("default", ""),
        ("hidden", "__attribute__((visibility(\"hidden\")))"),
        ("protected", "__attribute__((visibility(\"protected\")))"),
        ("weak", "__attribute__((weak))"),
    ];
    for (name, attribute) in kinds {
        let library = format!("lib{name}.so");
        bench.library(
            &library,
            &format!("{attribute} void f(void) {{}} void g(void) {{}}"),
            &[],
        );
        let flag = format!("-l{name}");
        bench.library(&format!("libof{name}.so"), USES_F, &["-L.", &flag, ORIGIN]);
    }
    assert_eq!(bench.agree().failing(), ["libofhidden.so"]);
}

#[test]
fn thread_local_data_and_indirect_functions() {
    let bench = Bench::new();
    let source =
        "__thread int t; static void real(void) {} static void *pick(void) { return real; }
        void f(void) __attribute__((ifunc(\"pick\")));";
    bench.library("liba.so", source, &[]);
    let user = "extern __thread int t; void f(void); int u(void) { f(); return t; }";
    bench.library(
        "libuser.so",
        user,
        &["-L.", "-la", ORIGIN, "-ftls-model=global-dynamic"],
    );
    bench.library("libalone.so", user, &[]);
    assert_eq!(bench.agree().failing(), ["libalone.so"]);
}

#[test]
fn static_thread_local_data_must_fit_what_is_left() {
    let bench = Bench::new();
    let source =
        |len: usize| format!("__thread char t[{len}] = {{1}}; char *u(void) {{ return t; }}");
    bench.library("libsmall.so", &source(64), &["-ftls-model=initial-exec"]);
    bench.library(
        "liblarge.so",
        &source(1 << 14),
        &["-ftls-model=initial-exec"],
    );
    bench.library(
        "libdynamic.so",
        &source(1 << 14),
        &["-ftls-model=global-dynamic", "-lc"],
    );
    assert_eq!(bench.agree().failing(), ["liblarge.so"]);
}

#[test]
fn a_symbol_that_no_relocation_uses_is_not_looked_up() {
    let bench = Bench::new();
    // The reference is in the symbol table only.
    bench.library(
        "libunused.so",
        "",
        &["-Wl,-u,nowhere", "-Wl,--unresolved-symbols=ignore-all"],
    );
    bench.library("libused.so", "extern int nowhere; int *u = &nowhere;", &[]);
    assert_eq!(bench.agree().failing(), ["libused.so"]);
}

#[test]
fn needs_that_are_paths() {
    let bench = Bench::new();
    let there = bench.path("sub/libpath.so");
    let soname = there.to_str().unwrap().to_owned();
    bench.named("sub/libpath.so", &soname, "void f(void) {}", &[]);
    bench.library("libuser.so", USES_F, &["sub/libpath.so"]);
    bench.named(
        "sub/liborigin.so",
        "$ORIGIN/sub/liborigin.so",
        "void f(void) {}",
        &[],
    );
    bench.library("libtoken.so", USES_F, &["sub/liborigin.so"]);
    bench.named(
        "sub/librelative.so",
        "sub/librelative.so",
        "void f(void) {}",
        &[],
    );
    bench.library("librelative.so", USES_F, &["sub/librelative.so"]);
    assert_eq!(bench.agree().failing(), ["librelative.so"]);
}

#[test]
fn files_in_the_way() {
    let bench = Bench::new();
    bench.library("lib/liba.so", "void f(void) {}", &[]);
    let user = |directory: &str| {
        let path = format!("-Wl,-rpath,$ORIGIN/{directory}:$ORIGIN/lib");
        bench.library(
            &format!("lib{directory}.so"),
            USES_F,
            &["-Llib", "-la", &path],
        );
    };
    let bytes = fs_err::read(bench.path("lib/liba.so")).unwrap();
    let changed = |directory: &str, at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        fs_err::create_dir(bench.path(directory)).unwrap();
        fs_err::write(bench.path(directory).join("liba.so"), bytes).unwrap();
        user(directory);
    };
    changed("order", 5, 2);
    changed("bsd", 7, 9);
    changed("linux", 7, 3);
    changed("machine", 18, 183);
    changed("relocatable", 16, 1);
    for (directory, text) in [("text", "INPUT(x)"), ("empty", "")] {
        fs_err::create_dir(bench.path(directory)).unwrap();
        fs_err::write(bench.path(directory).join("liba.so"), text).unwrap();
        user(directory);
    }
    fs_err::create_dir_all(bench.path("directory/liba.so")).unwrap();
    user("directory");
    std::os::unix::fs::symlink("nowhere", bench.path("broken")).unwrap();
    user("broken");
    let agreed = bench.agree();
    let failing = agreed.failing();
    let failing: Vec<&str> = failing
        .iter()
        .filter(|path| !path.ends_with("/liba.so"))
        .map(String::as_str)
        .collect();
    assert_eq!(
        failing,
        [
            "libbsd.so",
            "libdirectory.so",
            "libempty.so",
            "liborder.so",
            "librelocatable.so",
            "libtext.so"
        ]
    );
}

#[test]
fn default_directories_switched_off() {
    let bench = Bench::new();
    bench.library(
        "libon.so",
        "int puts(const char *); void u(void) { puts(\"\"); }",
        &["-lrt", "-lc"],
    );
    bench.library(
        "liboff.so",
        "",
        &["-l:libexpat.so.1", "-Wl,-z,nodefaultlib"],
    );
    bench.library("libmid.so", "", &["-L.", "-loff", ORIGIN]);
    bench.agree();
}

#[test]
fn the_library_path_comes_before_the_run_path() {
    let mut bench = Bench::new();
    bench.library("env/liba.so", "void g(void) {}", &[]);
    bench.library("lib/liba.so", "void f(void) {}", &[]);
    for (name, tags) in [("libold.so", OLD), ("libnew.so", NEW)] {
        bench.library(
            name,
            USES_F,
            &["-Llib", "-la", "-Wl,-rpath,$ORIGIN/lib", tags],
        );
    }
    assert!(bench.agree().failing().is_empty());
    bench.library_path = vec![bench.path("env").to_str().unwrap().to_owned()];
    assert_eq!(bench.agree().failing(), ["libnew.so"]);
}

#[test]
fn programs_and_libraries_that_may_not_be_opened() {
    let bench = Bench::new();
    fs_err::write(
        bench.path("main.c"),
        "void f(void) {} int main(void) { return 0; }",
    )
    .unwrap();
    let pie = [
        "-pie",
        "-fPIE",
        "-rdynamic",
        "-Wl,-soname,libpie.so",
        "-o",
        "libpie.so",
        "main.c",
    ];
    Tool::CC.run_in(&bench.root(), &pie).expect();
    bench.library(
        "libofpie.so",
        "",
        &[
            "-Wl,--no-as-needed",
            "-Wl,--unresolved-symbols=ignore-all",
            ORIGIN,
        ],
    );
    bench.library("libclosed.so", "void f(void) {}", &["-Wl,-z,nodlopen"]);
    bench.library("libofclosed.so", USES_F, &["-L.", "-lclosed", ORIGIN]);
    assert_eq!(bench.agree().failing(), ["libclosed.so", "libofclosed.so"]);
}

#[test]
fn filters_are_needs() {
    let bench = Bench::new();
    bench.library("libreal.so", "void f(void) {}", &[]);
    bench.library(
        "libfilter.so",
        "void g(void) {}",
        &["-Wl,-F,libreal.so", ORIGIN],
    );
    bench.library(
        "libauxiliary.so",
        "void g(void) {}",
        &["-Wl,-f,libnowhere.so", ORIGIN],
    );
    bench.library(
        "libbroken.so",
        "void g(void) {}",
        &["-Wl,-F,libnowhere.so", ORIGIN],
    );
    bench.library("libuser.so", USES_F, &["-L.", "-lfilter", "-lreal", ORIGIN]);
    assert_eq!(bench.agree().failing(), ["libbroken.so"]);
}

#[test]
fn the_way_to_the_driver_is_inherited_as_every_other() {
    let mut bench = Bench::new();
    let driver = bench.path("driver");
    bench.driver_path = Some(driver.clone());
    let library = bench.library("driver/libcuda.so.1", "void cuInit(void) {}", &[]);
    let user = "void cuInit(void); void u(void) { cuInit(); }";
    bench.library("lib/libmid.so", user, &["driver/libcuda.so.1"]);
    let path = format!("-Wl,-rpath,$ORIGIN/lib:{}", driver.display());
    let flags = ["-Llib", "-lmid", "-Wl,-rpath-link,driver", &path];
    bench.library("libold.so", "", &[&flags[..], &[OLD]].concat());
    bench.library("libnew.so", "", &[&flags[..], &[NEW]].concat());
    // It needs the driver first, and what is loaded is loaded for all.
    bench.library(
        "libfirst.so",
        "",
        &[&["driver/libcuda.so.1"], &flags[..], &[NEW]].concat(),
    );
    assert_eq!(bench.agree().failing(), ["lib/libmid.so", "libnew.so"]);
    // The same where the driver is taken for granted.
    let aside = bench.path("aside");
    fs_err::rename(&library, &aside).unwrap();
    let granted = bench.check(&[]);
    fs_err::rename(&aside, &library).unwrap();
    let failing: BTreeSet<String> = ["lib/libmid.so", "libnew.so"]
        .map(|name| bench.path(name).to_str().unwrap().to_owned())
        .into();
    let mut load = paths(&granted, "loadable");
    assert!(load.remove(aside.to_str().unwrap()));
    let opened = bench.open(load.iter());
    assert!(opened.values().all(|said| said == "ok"), "{opened:?}");
    assert_eq!(paths(&granted, "unloadable"), failing);
}

#[test]
fn what_is_excused_hides_no_symbol_of_others() {
    let bench = Bench::new();
    let gone = bench.library("libgone.so", "void gone(void) {}", &[]);
    bench.versioned(
        "liba.so",
        "void f(void) {} void g(void) {}",
        "A_1 { f; g; };",
        &[],
    );
    let user = "void f(void); void g(void); void gone(void); void u(void) { f(); g(); gone(); }";
    bench.library("libuser.so", user, &["-L.", "-la", "-lgone", ORIGIN]);
    fs_err::remove_file(gone).unwrap();
    let excuse = ["--ignore-missing", "libgone.so"];
    assert_eq!(bench.check(&excuse)["proved"], true);
    bench.versioned("liba.so", "void f(void) {}", "A_1 { f; };", &[]);
    let document = bench.check(&excuse);
    assert_eq!(
        document["faults"][0]["symbols"],
        serde_json::json!(["g@A_1"])
    );
    assert_eq!(document["faults"].as_array().unwrap().len(), 1);
}
