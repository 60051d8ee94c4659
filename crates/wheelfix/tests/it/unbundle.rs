//! `wheelfix unbundle`: what is replaced, and which substitutes are refused.

mod carriers;
mod copies;
mod wheel;

use std::path::Path;

use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// The rule of these tests, by which a library is libfoo.
const RULES: &str = r#"
[[bundled]]
name = "libfoo"
reason = "Tests."
source = "tests/it/unbundle.rs"
soname = ["libfoo.so.1"]
versions = ["FOO_*"]
exports = ["foo_open"]
action = "replace"
group = "foo"
releases = [["FOO_1", "1"], ["FOO_2", "2.5"]]
"#;

/// libfoo as its makers have it.
const FOO: &str = "
    int foo_table[4] = {1, 2, 3, 4};
    __thread int foo_state[8];
    int foo_open(void) { return 1; }
    int foo_close(void) { return 2; }
";
const VERSIONS: &str = "FOO_1 { global: foo_open; foo_table; foo_state; local: *; };
    FOO_2 { global: foo_close; } FOO_1;";

/// The copy of it in a wheel, under the name that a repair tool gave it.
const COPY: &str = "site/pkg.libs/libfoo-01234567.so.1.0.0";

/// An extension module that uses all of it.
const USER: &str = "
    extern int foo_open(void), foo_close(void), foo_table[];
    extern __thread int foo_state[8];
    int use(void) { return foo_open() + foo_close() + foo_table[1] + foo_state[2]; }
";

/// A wheel on disk, and a place for substitutes.
struct Shop {
    sandbox: Sandbox,
}

impl Shop {
    /// A distribution with an extension module and a copy of libfoo.
    fn new() -> Self {
        let shop = Self {
            sandbox: Sandbox::new(),
        };
        for directory in [
            "store/lib",
            "site/pkg",
            "site/pkg.libs",
            "site/pkg-1.0.dist-info",
        ] {
            fs_err::create_dir_all(shop.path(directory)).unwrap();
        }
        shop.write("foo.toml", RULES);
        shop.library(
            COPY,
            &["-Wl,-soname,libfoo-01234567.so.1.0.0"],
            (FOO, VERSIONS),
        );
        shop.user("site/pkg/ext.so", USER, COPY);
        let rows = ["pkg/ext.so", "pkg.libs/libfoo-01234567.so.1.0.0"].map(|path| {
            let hash = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
            format!("{path},{hash},1\n")
        });
        let record = format!("{}pkg-1.0.dist-info/RECORD,,\n", rows.concat());
        shop.write("site/pkg-1.0.dist-info/RECORD", &record);
        shop
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.sandbox.path(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs_err::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).unwrap()
    }

    /// Compiles a library; without versions for an empty script.
    fn library(&self, output: &str, flags: &[&str], (source, versions): (&str, &str)) {
        self.write("source.c", source);
        self.write("versions.map", versions);
        let script = if versions.is_empty() {
            "-Wl,--as-needed"
        } else {
            "-Wl,--version-script=versions.map"
        };
        let start = [
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-Wl,--no-as-needed",
            script,
            "-o",
            output,
            "source.c",
        ];
        Tool::CC
            .run_in(&self.path("."), &[&start, flags].concat())
            .expect();
    }

    /// Compiles an extension module that needs the library at a path.
    fn user(&self, output: &str, source: &str, library: &str) {
        let run_path = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../pkg.libs";
        self.library(output, &[library, run_path], (source, ""));
    }

    /// The usual substitute, made from other sources.
    fn substitute(&self, source: &str, versions: &str) {
        self.library(
            "store/lib/libfoo.so.1",
            &["-Wl,-soname,libfoo.so.1"],
            (source, versions),
        );
    }

    fn run(&self, args: &[&str]) -> String {
        let start = [
            "unbundle",
            "site",
            "--rules",
            "foo.toml",
            "--lib-path",
            "store",
        ];
        self.sandbox.run(&[&start, args].concat())
    }

    fn all(&self) -> Vec<(String, Vec<u8>)> {
        let tree = self.sandbox.tree("site");
        let names = tree
            .lines()
            .map(|line| line.split_once(' ').unwrap().1.to_owned());
        names
            .map(|name| {
                (
                    name.clone(),
                    fs_err::read(self.path("site").join(&name)).unwrap(),
                )
            })
            .collect()
    }

    /// Wants the copy replaced: this is refused with these words, and nothing has changed.
    #[track_caller]
    fn refuses(&self, words: &[&str]) {
        let before = self.all();
        let text = self.run(&["--bundled", "libfoo=replace"]);
        assert!(text.starts_with("exit: 1\n"), "{text}");
        for words in words {
            assert!(text.contains(words), "`{words}` is not in:\n{text}");
        }
        assert!(before == self.all(), "files have changed");
        let kept = self.run(&["--dry-run"]);
        assert!(kept.contains("keep"), "{kept}");
    }
}

fn dynamic(path: &Path) -> String {
    Tool::READELF
        .run(&["-dVW", path.to_str().unwrap()])
        .expect()
}

#[test]
fn a_copy_is_replaced_and_forgotten() {
    let shop = Shop::new();
    shop.substitute(FOO, VERSIONS);
    let text = shop.run(&[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    for words in [
        "pkg.libs/libfoo-01234567.so.1.0.0",
        "libfoo.so.1",
        "2.5 or later",
        "replace",
        "has all 4 symbols",
    ] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    let dynamic = dynamic(&shop.path("site/pkg/ext.so"));
    assert!(
        dynamic.contains("[libfoo.so.1]") && dynamic.contains("File: libfoo.so.1"),
        "{dynamic}"
    );
    let store = fs_err::canonicalize(shop.path("store/lib")).unwrap();
    assert!(
        dynamic.contains(&format!("[{}]", store.display())),
        "{dynamic}"
    );
    for (name, bytes) in shop.all() {
        let hashed = bytes.windows(8).any(|window| window == b"01234567");
        assert!(!hashed && !name.contains("01234567"), "{name}");
    }
    assert!(!shop.path("site/pkg.libs").is_dir());
    let record = shop.read("site/pkg-1.0.dist-info/RECORD");
    let names: Vec<&str> = record
        .lines()
        .map(|line| line.split(',').next().unwrap())
        .collect();
    let sbom = "pkg-1.0.dist-info/sboms/wheelfix.cdx.json";
    assert_eq!(names, ["pkg-1.0.dist-info/RECORD", sbom, "pkg/ext.so"]);
    let list: serde_json::Value =
        serde_json::from_str(&shop.read("site/pkg-1.0.dist-info/sboms/wheelfix.cdx.json")).unwrap();
    assert_eq!(list["components"][0]["name"], "libfoo");
    assert_eq!(list["components"][0]["version"], "2.5 or later");
    assert_eq!(list["metadata"]["component"]["purl"], "pkg:pypi/pkg@1.0");
    let before = shop.all();
    assert!(shop.run(&[]).starts_with("exit: 0\n"));
    assert!(before == shop.all(), "a second run changes files");
}

#[test]
fn wheels_in_environments_are_unbundled_too() {
    let shop = Shop::new();
    shop.substitute(FOO, VERSIONS);
    let mut wheel = WheelBuilder::new("pkg", "1.0").platlib();
    for name in ["pkg/ext.so", "pkg.libs/libfoo-01234567.so.1.0.0"] {
        wheel = wheel.file(name, fs_err::read(shop.path("site").join(name)).unwrap());
    }
    let wheel = shop.sandbox.wheel(&wheel.tags("py3-none-linux_x86_64"));
    let libraries = ["--rules", "foo.toml", "--lib-path", "store"];
    let args = ["env", &wheel, "--prefix", "env", "--python-version", "3.11"];
    let text = shop.sandbox.run(&[&args[..], &libraries].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("has all 4 symbols") && text.contains("1 left out"),
        "{text}"
    );
    let tree = shop.sandbox.tree("env");
    assert!(
        tree.contains("pkg/ext.so") && !tree.contains("libfoo"),
        "{tree}"
    );
}

#[test]
fn a_substitute_without_a_version_is_refused() {
    let shop = Shop::new();
    shop.substitute(FOO, "FOO_1 { global: foo_*; };");
    shop.refuses(&[
        "libfoo.so.1 will not do",
        "it does not define the version `FOO_2`",
        "foo_close@FOO_2",
    ]);
}

#[test]
fn a_substitute_without_a_symbol_is_refused() {
    let shop = Shop::new();
    shop.substitute(
        &FOO.replace("foo_close", "foo_other"),
        &VERSIONS.replace("foo_close", "foo_other"),
    );
    shop.refuses(&[
        "it does not define `foo_close@FOO_2`",
        "needed by [DIR]/site/pkg/ext.so",
    ]);
}

#[test]
fn a_substitute_for_another_machine_is_refused() {
    let shop = Shop::new();
    shop.substitute(FOO, VERSIONS);
    let path = shop.path("store/lib/libfoo.so.1");
    let mut bytes = fs_err::read(&path).unwrap();
    // `e_machine` of AArch64.
    bytes[18] = 183;
    fs_err::write(&path, bytes).unwrap();
    shop.refuses(&["it is for AArch64, 64 bits, expected x86-64, 64 bits"]);
}

#[test]
fn a_substitute_with_less_thread_local_data_is_refused() {
    let shop = Shop::new();
    shop.substitute(&FOO.replace("foo_state[8]", "foo_state[2]"), VERSIONS);
    shop.refuses(&[
        "`foo_state@FOO_1` has 8 bytes there, expected 32",
        "its thread-local data has 8 bytes, expected at least 32",
    ]);
}

#[test]
fn a_substitute_that_has_only_the_name_is_refused() {
    let shop = Shop::new();
    shop.substitute("int unrelated(void) { return 0; }", "");
    shop.refuses(&[
        "it only has the name: it does not define `foo_open`",
        "foo_table@FOO_1",
    ]);
}

#[test]
fn a_substitute_of_another_soname_is_refused() {
    let shop = Shop::new();
    shop.library(
        "store/lib/libfoo.so.1",
        &["-Wl,-soname,libbar.so.1"],
        (FOO, VERSIONS),
    );
    shop.refuses(&["its soname is `libbar.so.1`, expected `libfoo.so.1`"]);
}

#[test]
fn a_substitute_with_code_in_the_place_of_data_is_refused() {
    let shop = Shop::new();
    let table = "int foo_table[4] = {1, 2, 3, 4};";
    shop.substitute(
        &FOO.replace(table, "int foo_table(void) { return 0; }"),
        VERSIONS,
    );
    shop.refuses(&["`foo_table@FOO_1` is code there, expected data"]);
}

#[test]
fn a_substitute_with_other_lengths_of_copied_data_is_refused() {
    let shop = Shop::new();
    let program = "extern int foo_table[4]; int _start(void) { return foo_table[1]; }";
    shop.write("source.c", program);
    let run_path = "-Wl,-rpath,$ORIGIN/../pkg.libs";
    let args = [
        "-no-pie",
        "-fno-pic",
        "-nostdlib",
        "-mcmodel=small",
        "-o",
        "site/pkg/tool",
        "source.c",
        COPY,
        run_path,
    ];
    Tool::CC.run_in(&shop.path("."), &args).expect();
    shop.substitute(&FOO.replace("foo_table[4]", "foo_table[5]"), VERSIONS);
    shop.refuses(&["`foo_table@FOO_1` has 20 bytes there, expected 16 as in [DIR]/site/pkg/tool"]);
}

#[test]
fn a_substitute_for_a_newer_libc_is_refused() {
    let shop = Shop::new();
    let libc = (
        "int newer(void) { return 0; }",
        "GLIBC_2.99 { global: *; };",
    );
    shop.library("libc.so.6", &["-Wl,-soname,libc.so.6"], libc);
    let source = format!("{FOO} extern int newer(void); int foo_more(void) {{ return newer(); }}");
    shop.library(
        "store/lib/libfoo.so.1",
        &["-Wl,-soname,libfoo.so.1", "libc.so.6"],
        (&source, VERSIONS),
    );
    let text = shop.run(&[
        "--bundled",
        "libfoo=replace",
        "--interpreter",
        "/lib64/ld-linux-x86-64.so.2",
    ]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("libfoo.so.1 needs GLIBC_2.99, there is 2."),
        "{text}"
    );
}

#[test]
fn a_substitute_whose_own_needs_are_nowhere_is_refused() {
    let shop = Shop::new();
    shop.library(
        "libbar.so.1",
        &["-Wl,-soname,libbar.so.1"],
        ("int bar(void) { return 0; }", ""),
    );
    shop.library(
        "store/lib/libfoo.so.1",
        &["-Wl,-soname,libfoo.so.1", "libbar.so.1"],
        (FOO, VERSIONS),
    );
    shop.refuses(&["needs `libbar.so.1`, which no library path has"]);
}

#[test]
fn what_cannot_be_proved_is_kept_unless_it_is_wanted() {
    let shop = Shop::new();
    let text = shop.run(&[]);
    assert!(
        text.starts_with("exit: 0\n") && text.contains("no library path has it"),
        "{text}"
    );
    assert!(shop.path(COPY).is_file());
}

#[test]
fn a_file_that_only_has_the_name_is_kept() {
    let shop = Shop::new();
    shop.library(
        COPY,
        &["-Wl,-soname,libfoo-01234567.so.1.0.0"],
        ("int mine(void) { return 0; }", ""),
    );
    shop.user(
        "site/pkg/ext.so",
        "int mine(void); int use(void) { return mine(); }",
        COPY,
    );
    shop.substitute(FOO, VERSIONS);
    let text = shop.run(&[]);
    assert!(
        text.contains("it only has the name: it does not define `foo_open`"),
        "{text}"
    );
    assert!(shop.path(COPY).is_file());
}

#[test]
fn a_library_is_known_by_its_versions_under_any_name() {
    let shop = Shop::new();
    shop.library(
        "site/pkg/libodd.so",
        &["-Wl,-soname,libodd.so"],
        (FOO, VERSIONS),
    );
    shop.library(
        "site/pkg/more.so",
        &["site/pkg/libodd.so", "-Wl,-rpath,$ORIGIN"],
        (USER, ""),
    );
    shop.substitute(FOO, VERSIONS);
    let text = shop.run(&[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(!shop.path("site/pkg/libodd.so").is_file(), "{text}");
    assert!(dynamic(&shop.path("site/pkg/more.so")).contains("[libfoo.so.1]"));
}

#[test]
fn a_user_of_two_copies_needs_one_library_afterwards() {
    let shop = Shop::new();
    let second = "site/pkg.libs/libfoo-89abcdef.so.1.0.0";
    shop.library(
        second,
        &["-Wl,-soname,libfoo-89abcdef.so.1.0.0"],
        (FOO, VERSIONS),
    );
    let source = "extern int foo_open(void), foo_close(void); int use(void) { return foo_open() + foo_close(); }";
    shop.library(
        "site/pkg/both.so",
        &[COPY, second, "-Wl,-rpath,$ORIGIN/../pkg.libs"],
        (source, ""),
    );
    shop.substitute(FOO, VERSIONS);
    let text = shop.run(&[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let dynamic = dynamic(&shop.path("site/pkg/both.so"));
    assert!(
        dynamic.contains("[libfoo.so.1]") && !dynamic.contains("libfoo-"),
        "{dynamic}"
    );
}

#[test]
fn what_only_a_removed_library_needed_goes_with_it() {
    let shop = Shop::new();
    let helper = "site/pkg.libs/libhelp-76543210.so.3";
    shop.library(
        helper,
        &["-Wl,-soname,libhelp-76543210.so.3"],
        ("int help(void) { return 0; }", ""),
    );
    let flags = [
        "-Wl,-soname,libfoo-01234567.so.1.0.0",
        helper,
        "-Wl,-rpath,$ORIGIN",
    ];
    shop.library(COPY, &flags, (FOO, VERSIONS));
    shop.substitute(FOO, VERSIONS);
    let text = shop.run(&[]);
    assert!(
        text.contains("only `libfoo-01234567.so.1.0.0` needed it"),
        "{text}"
    );
    assert!(!shop.path("site/pkg.libs").is_dir());
}

#[test]
fn wishes_that_cannot_be_met_are_errors() {
    let shop = Shop::new();
    let text = shop.run(&["--bundled", "libqux=drop"]);
    assert!(
        text.contains("`libqux=drop` matches no bundled library; there are: libfoo.so.1"),
        "{text}"
    );
    let text = shop.run(&["--bundled", "libfoo=drop"]);
    assert!(
        text.contains("cannot be dropped") && text.contains("needed by [DIR]/site/pkg/ext.so"),
        "{text}"
    );
    let text = shop.run(&["--bundled", "libfoo=go"]);
    assert!(text.starts_with("exit: 2\n"), "{text}");
    shop.substitute(FOO, VERSIONS);
    let text = shop.run(&["--bundled", "*=replace", "--bundled", "pkg.libs/*=keep"]);
    assert!(
        text.contains("keep") && text.contains("`pkg.libs/*=keep` is asked for"),
        "{text}"
    );
}

#[test]
fn copies_of_two_packages_become_one() {
    let shop = Shop::new();
    fs_err::create_dir_all(shop.path("site/other.libs")).unwrap();
    let second = "site/other.libs/libfoo-89abcdef.so.1.0.0";
    shop.library(
        second,
        &["-Wl,-soname,libfoo-89abcdef.so.1.0.0"],
        (FOO, VERSIONS),
    );
    shop.library(
        "site/other.so",
        &[second, "-Wl,-rpath,$ORIGIN/other.libs"],
        (USER, ""),
    );
    let text = shop.run(&["--dry-run", "--bundled", "libfoo=keep"]);
    assert!(text.contains("twice foo: "), "{text}");
    let text = shop.run(&[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("the other copies are replaced by it") && !text.contains("twice foo"),
        "{text}"
    );
    assert!(
        shop.path(second).is_file() && !shop.path(COPY).is_file(),
        "{text}"
    );
    let dynamic = dynamic(&shop.path("site/pkg/ext.so"));
    assert!(dynamic.contains("[libfoo-89abcdef.so.1.0.0]"), "{dynamic}");
    assert!(dynamic.contains("$ORIGIN/../other.libs"), "{dynamic}");
}

#[test]
fn a_library_that_does_not_load_puts_everything_back() {
    let shop = Shop::new();
    // What it needs is there, but does not define what it takes from it.
    shop.library(
        "store/lib/libbar.so.1",
        &["-Wl,-soname,libbar.so.1"],
        ("int bar(void) { return 0; }", ""),
    );
    let source = format!("{FOO} int bar(void); int foo_more(void) {{ return bar(); }}");
    let flags = [
        "-Wl,-soname,libfoo.so.1",
        "store/lib/libbar.so.1",
        "-Wl,-rpath,$ORIGIN",
    ];
    shop.library("store/lib/libfoo.so.1", &flags, (&source, VERSIONS));
    shop.library(
        "store/lib/libbar.so.1",
        &["-Wl,-soname,libbar.so.1"],
        ("int baz(void) { return 0; }", ""),
    );
    let before = shop.all();
    let text = shop.run(&["--interpreter", "/lib64/ld-linux-x86-64.so.2"]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("bar"),
        "{text}"
    );
    assert!(before == shop.all(), "files have changed");
    assert!(!shop.path("site/pkg-1.0.dist-info/sboms").is_dir());
}
