//! Text of strangers in messages: an escape sequence in every field that a format has reaches no
//! terminal, a newline forges no line, and text without end is cut.

use insta::assert_snapshot;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::sdist::{Packing, SdistBuilder};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A text that a line-based format can hold: it sets the title of a terminal, and turns what
/// follows around.
const LINE: &str = "x\u{1b}]0;pwn\u{7}\u{9b}2J\u{202e}\u{2028}y\rz";

/// A text of several lines, which other formats can hold, too.
const LINES: &str = "x\u{1b}]0;pwn\u{7}\nerror: all is well\n  fix: all is well\u{202e}\r";

/// Stands in a compiled file for [`LINES`], which is shorter.
const PLACEHOLDER: &str = "placeholder_of_text_that_no_compiler_and_no_linker_would_take_as_it_is";

/// Runs a command, and looks at what it prints.
#[track_caller]
fn look(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = sandbox.run(args);
    let is_plain = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{202e}' | '\u{2028}'));
    assert!(output.chars().all(is_plain), "{args:?}: {output:?}");
    assert!(
        output
            .lines()
            .all(|line| !line.trim().starts_with("error: all is well")
                && !line.trim().starts_with("fix: all is well")),
        "{args:?}: {output}"
    );
    output
}

/// Runs what reads a wheel; gives what all printed.
#[track_caller]
fn look_at_wheel(what: &str, wheel: &WheelBuilder) -> String {
    look_at_file(what, &wheel.file_name(), &wheel.build())
}

#[track_caller]
fn look_at_file(what: &str, name: &str, bytes: &[u8]) -> String {
    let sandbox = Sandbox::new();
    fs_err::write(sandbox.path(name), bytes).unwrap();
    let version = ["--python-version", "3.11"];
    let commands: &[&[&str]] = &[
        &["inspect", name],
        &["inspect", name, "--deep", "--all"],
        &["inspect", name, "--deep", "--html", "-"],
        &["unpack", name, "unpacked"],
        &["install", name, "--prefix", "dry", "--dry-run"],
        &["install", name, "--prefix", "out", "--check-deps", "."],
        &["env", name, "--prefix", "env"],
        &["patch", name, "--output", "."],
        &["check", "out"],
        &["patch", "out", "--dry-run"],
        &["unbundle", "out", "--dry-run"],
        &["diff", name, "out", "--all"],
        &["diff", ".", name],
    ];
    let mut all = format!("{what}\n");
    for command in commands {
        let is_versioned = matches!(command[0], "install" | "env");
        let args = [command, &version[..if is_versioned { 2 } else { 0 }]].concat();
        all += &look(&sandbox, &args);
    }
    all
}

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0").file("demo/__init__.py", "")
}

#[test]
fn fields_of_metadata_are_escaped() {
    for field in [
        "Name",
        "Version",
        "Requires-Dist",
        "Requires-Python",
        "Summary",
        "Metadata-Version",
        "Provides-Extra",
        "License-Expression",
        "Author",
        "Home-page",
        "Classifier",
        "Dynamic",
    ] {
        let text = look_at_wheel(field, &demo().metadata(&format!("{field}: {LINE}")));
        assert!(text.contains("exit: "), "{text}");
    }
    let folded = format!("Summary: {}", LINES.replace('\n', "\n  "));
    look_at_wheel("folded", &demo().metadata(&folded));
}

#[test]
fn fields_of_wheel_are_escaped() {
    for (from, to) in [
        ("Generator: ", format!("Generator: {LINE}")),
        ("Wheel-Version: 1.0", format!("Wheel-Version: {LINE}")),
        ("Root-Is-Purelib: true", format!("Root-Is-Purelib: {LINE}")),
        ("Generator: ", format!("Tag: {LINE}\nGenerator: ")),
        ("Generator: ", format!("Tag: py3-{LINE}-any\nGenerator: ")),
        ("Generator: ", format!("Build: {LINE}\nGenerator: ")),
    ] {
        look_at_wheel(&to, &demo().wheel_text(from, &to));
    }
}

#[test]
fn rows_of_record_are_escaped() {
    let quoted = LINES.replace('"', "\"\"");
    for row in [
        format!("\"{quoted}\",,"),
        format!("demo/a.py,\"sha256={quoted}\",1"),
        format!("demo/a.py,\"{quoted}\",1"),
        format!("demo/a.py,,\"{quoted}\""),
        format!("demo/a.py,,1,\"{quoted}\""),
        format!("\"{quoted}"),
    ] {
        look_at_wheel(&row, &demo().record_more(&format!("{row}\n")));
    }
}

#[test]
fn entry_points_and_requirements_of_extras_are_escaped() {
    for text in [
        format!("[{LINE}]\na = demo:main\n"),
        format!("[console_scripts]\n{LINE} = demo:main\n"),
        format!("[console_scripts]\na = {LINE}\n"),
        format!("[console_scripts]\na = demo:main [{LINE}]\n"),
        format!("{LINE}\n"),
    ] {
        look_at_wheel(&text, &demo().entry_points(&text));
    }
}

#[test]
fn names_of_members_and_wheels_are_escaped() {
    for path in [
        format!("demo/{LINES}"),
        format!("demo-1.0.data/{LINE}/a"),
        LINE.to_owned(),
    ] {
        look_at_wheel(&path, &demo().unrecorded(&path, ""));
    }
    let bytes = demo().build();
    for name in [
        format!("demo-{LINES}-py3-none-any.whl"),
        format!("demo-1.0-{LINE}-none-any.whl"),
        format!("{LINES}.whl"),
        format!("{LINES}.tar.gz"),
        LINES.to_owned(),
    ] {
        look_at_file(&name, &name, &bytes);
    }
}

/// A wheel with a library that has [`LINES`] in this place.
fn with_library(source: &str, args: &[&str]) -> WheelBuilder {
    let dir = tempfile::tempdir().unwrap();
    fs_err::write(dir.path().join("a.c"), source).unwrap();
    let start = ["-shared", "-fPIC", "-nostdlib", "-o", "a.so", "a.c"];
    Tool::CC
        .run_in(dir.path(), &[&start, args].concat())
        .expect();
    let bytes = fs_err::read(dir.path().join("a.so")).unwrap();
    let (from, mut to) = (PLACEHOLDER.as_bytes(), LINES.as_bytes().to_vec());
    to.resize(from.len(), b'w');
    let mut edited = bytes.clone();
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        edited[at..at + to.len()].copy_from_slice(&to);
    }
    WheelBuilder::new("demo", "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64")
        .file("demo/a.so", edited)
}

/// A wheel with a library that needs one called [`LINES`].
fn with_need() -> WheelBuilder {
    let p = PLACEHOLDER;
    let dir = tempfile::tempdir().unwrap();
    let soname = format!("-Wl,-soname,{p}");
    let library = dir.path().join("b.so");
    let args = [
        "-shared",
        "-nostdlib",
        "-o",
        library.to_str().unwrap(),
        &soname,
    ];
    Tool::CC
        .run(&[&args[..], &["-x", "c", "/dev/null"]].concat())
        .expect();
    let library = library.to_str().unwrap().to_owned();
    with_library("", &["-Wl,--no-as-needed", &library])
}

/// Wheels with [`LINES`] in each place that a library has for a text.
fn libraries() -> Vec<(&'static str, WheelBuilder)> {
    let p = PLACEHOLDER;
    let note = format!(
        "const char note[] __attribute__((section(\".note.dlopen\"), aligned(4), used)) = \
         \"\\4\\0\\0\\0\\200\\0\\0\\0\\012\\174\\014\\100FDO\\0[{{\\\"soname\\\":[\\\"{p}\\\"]}}]\";"
    );
    vec![
        ("DT_NEEDED", with_need()),
        (
            "DT_SONAME",
            with_library("", &[&format!("-Wl,-soname,{p}")]),
        ),
        (
            "DT_RUNPATH",
            with_library("", &[&format!("-Wl,-rpath,/{p}")]),
        ),
        (
            "DT_RPATH",
            with_library(
                "",
                &["-Wl,--disable-new-dtags", &format!("-Wl,-rpath,/{p}")],
            ),
        ),
        (
            "PT_INTERP",
            with_library(
                &format!("const char interp[] __attribute__((section(\".interp\"))) = \"/{p}\";"),
                &[],
            ),
        ),
        (
            "a symbol",
            with_library(&format!("void {p}(void); void f(void) {{ {p}(); }}"), &[]),
        ),
        (
            "a defined symbol",
            with_library(&format!("void {p}(void) {{}}"), &[]),
        ),
        (
            "data",
            with_library(
                &format!("const char *f(void) {{ return \"lib{p}.so.1\"; }}"),
                &[],
            ),
        ),
        ("a note", with_library(&note, &[])),
    ]
}

#[test]
fn texts_of_libraries_are_escaped() {
    let texts = libraries()
        .into_iter()
        .map(|(what, wheel)| look_at_wheel(what, &wheel));
    // Nothing prints the names of symbols that a library defines, and some are not names of
    // libraries.
    let printed = texts.filter(|text| text.contains("\\u{1b}]0;pwn")).count();
    assert!(6 <= printed, "only {printed}");
}

#[test]
fn texts_of_sources_and_rules_are_escaped() {
    let source = format!(
        "import ctypes\nctypes.CDLL(\"lib{}.so\")\n",
        LINE.replace('\r', "")
    );
    look_at_wheel("CDLL", &demo().file("demo/a.py", source));
    let (quoted, plain) = (
        LINES.escape_default().to_string(),
        "reason='b'\nsource='c'\n",
    );
    for rules in [
        format!("[[driver]]\nname=\"{quoted}\"\n{plain}soname=['x']\n"),
        format!("[[driver]]\nname='a'\n{plain}soname=[\"{quoted}[\"]\n"),
        format!("[[\"{quoted}\"]]\nname='a'\n"),
        format!("[[driver]]\n\"{quoted}\"='a'\n"),
        format!("[[driver]]\nname='a'\n{plain}soname=['x']\n\"{quoted}\"='a'\n"),
        LINES.to_owned(),
    ] {
        let rules = rules.replace("\\'", "'");
        let sandbox = Sandbox::new();
        let wheel = sandbox.wheel(&demo());
        fs_err::write(sandbox.path(LINES), rules).unwrap();
        let prefix = ["--prefix", "out", "--python-version", "3.11"];
        look(
            &sandbox,
            &[&["install", &wheel, "--rules", LINES], &prefix[..]].concat(),
        );
        look(&sandbox, &["check", ".", "--rules", LINES]);
    }
}

#[test]
fn texts_of_sdists_are_escaped() {
    for sdist in [
        SdistBuilder::new("demo", "1.0").file(&format!("src/{LINES}"), "x"),
        SdistBuilder::new("demo", "1.0").symlink("link", &format!("../../{LINES}")),
        SdistBuilder::new("demo", "1.0").file("pyproject.toml", LINES),
        SdistBuilder::new("demo", "1.0").file(
            "pyproject.toml",
            format!("[build-system]\nrequires=[\"{}\"]\n", LINES.escape_default()),
        ),
        SdistBuilder::without_texts("demo", "1.0").file(
            "PKG-INFO",
            format!("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: {LINE}\nRequires-Dist: {LINE}\n"),
        ),
    ] {
        let sandbox = Sandbox::new();
        let path = sdist.write_to(&sandbox.path("."), Packing::TarGz);
        let name = path.file_name().unwrap().to_str().unwrap();
        look(&sandbox, &["inspect", name, "--all"]);
        look(&sandbox, &["unpack", name, "out"]);
    }
}

#[test]
fn names_on_disk_are_escaped() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path(LINES)).unwrap();
    fs_err::write(sandbox.path(LINES).join("a.so"), b"\x7fELF").unwrap();
    let wheel = sandbox.wheel(&demo());
    let prefix = ["--prefix", "out", "--python-version", "3.11"];
    for lib_path in [
        LINES.to_owned(),
        format!("{LINES}/a.so"),
        format!("{LINES}/missing"),
    ] {
        look(
            &sandbox,
            &[&["install", &wheel, "--lib-path", &lib_path], &prefix[..]].concat(),
        );
    }
    for path in [LINES, &format!("{LINES}/a.so"), &format!("{LINES}/missing")] {
        for command in ["check", "why", "inspect", "patch", "unbundle", "env"] {
            look(&sandbox, &[command, path]);
        }
        look(&sandbox, &["diff", ".", path]);
        look(&sandbox, &["patchelf", "--set-rpath", "/x", path]);
        look(
            &sandbox,
            &["env", path, "--prefix", "env", "--python-version", "3.11"],
        );
    }
}

#[test]
fn text_without_end_is_cut() {
    let sandbox = Sandbox::new();
    let long = "a".repeat(5_000_000);
    let wheel = sandbox.wheel(&demo().record_more(&format!("{long},")));
    let text = look(&sandbox, &["unpack", &wheel, "out"]);
    assert!(text.len() < 10_000, "{} bytes", text.len());
    let text = text.replace(&"a".repeat(1_000), "[1,000 a]");
    let error = text.lines().find(|line| line.starts_with("error"));
    assert_snapshot!(error.unwrap(), @"error: `demo-1.0-py3-none-any.whl`: `RECORD`: row 5: expected 3 fields for `[1,000 a]... (4999000 bytes more)`, got 2");
}
