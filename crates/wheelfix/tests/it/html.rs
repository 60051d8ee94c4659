//! `wheelfix inspect --html`.

use std::path::Path;

use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::sdist::{Packing, SdistBuilder};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A text that is markup wherever it is not escaped, and that a terminal would obey.
const HOSTILE: &str = "</style><script>alert(1)</script>\"'&amp;<img/>\u{1b}[31m";

/// As a page shows it.
const SHOWN: &str = "</style><script>alert(1)</script>\"'&amp;<img/>\\u{1b}[31m";

/// Reads a page as Python does: prints its elements, its attributes but for those of pictures, and its text.
const READ: &str = r#"
import sys, html.parser
class Page(html.parser.HTMLParser):
    def handle_starttag(self, tag, attributes):
        print("element", tag)
        for name, value in attributes:
            print("attribute", name)
            if name in ("href", "src"):
                print("link", value)
    def handle_data(self, data):
        print("text", ascii(data))
    def handle_comment(self, data):
        print("comment")
page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
"#;

/// The elements, attributes and texts that Python reads of a page, a line for each.
fn read(path: &Path) -> Vec<String> {
    let script = path.with_extension("py");
    fs_err::write(&script, READ).unwrap();
    let args = [script.to_str().unwrap(), path.to_str().unwrap()];
    let text = Tool::PYTHON.run(&args).expect();
    text.lines().map(str::to_owned).collect()
}

/// A library with a soname, that needs libraries, and is found by a run path.
fn library(sandbox: &Sandbox, name: &str, soname: &str, needs: &[&str]) -> Vec<u8> {
    let soname = format!("-Wl,-soname,{soname}");
    let args = [&["-o", name, &soname], needs].concat();
    sandbox.library(
        "void *dlopen(const char *, int);\nvoid *f(void) { return dlopen(\"libopened.so.1\", 1); }\n",
        &args,
    );
    fs_err::read(sandbox.path(name)).unwrap()
}

/// A wheel with two libraries, of which one needs the other and one that is not there.
fn wheel(sandbox: &Sandbox) -> WheelBuilder {
    let gone = library(sandbox, "libgone.so", "libgone.so.2", &[]);
    let needed = library(sandbox, "libx.so", "libx.so.1", &["libgone.so"]);
    drop(gone);
    let module = library(
        sandbox,
        "m.so",
        "m.so",
        &["libx.so", "-Wl,-rpath,$ORIGIN/lib"],
    );
    WheelBuilder::new("demo", "1.0")
        .metadata("Summary: A wheel for tests\nLicense: MIT\nRequires-Dist: numpy<2\n")
        .tags("cp311-cp311-linux_x86_64")
        .platlib()
        .file("demo/m.so", module)
        .file("demo/lib/libx.so.1", needed)
        .entry_points("[console_scripts]\ndemo = demo:main\n")
}

#[test]
fn the_page_has_what_the_report_has() {
    let sandbox = Sandbox::new();
    let file = sandbox.wheel(&wheel(&sandbox));
    let text = sandbox.run(&["inspect", &file, "--html", "page.html"]);
    assert_eq!(text, "exit: 0\n");
    let page = fs_err::read_to_string(sandbox.path("page.html")).unwrap();
    for part in [
        "<title>demo 1.0</title>",
        "A wheel for tests",
        "<code>cp311-cp311-linux_x86_64</code>",
        "<dt>ELF files</dt><dd>2</dd>",
        "<li><code>numpy&lt;2</code></li>",
        // Who needs whom, in the picture and in the list.
        "<text x=\"18\" y=\"26\">m.so</text>",
        "class=\"absent missing\"><title>libgone.so.2</title>",
        "<dt>needed by</dt><dd><a href=\"#f1\"><code>demo/m.so</code></a> </dd>",
        "<dt>RUNPATH</dt><dd><code>$ORIGIN/lib</code> </dd>",
        "<td><code>libgone.so.2</code></td><td><code class=\"path\">demo/lib/libx.so.1</code></td>",
        "<td><code>console_scripts</code></td><td><code>demo</code></td><td><code>demo:main</code></td>",
        "<td><code>demo-1.0.dist-info/METADATA</code></td>",
    ] {
        assert!(page.contains(part), "no `{part}` in\n{page}");
    }
    let read = read(&sandbox.path("page.html"));
    let is_within = |line: &&String| line.starts_with("link ") && !line.starts_with("link #f");
    assert_eq!(read.iter().find(is_within), None);
    let is_script =
        |line: &String| ["element script", "element link", "comment"].contains(&line.as_str());
    assert!(!read.iter().any(is_script), "{read:?}");
}

#[test]
fn pages_are_the_same_each_time() {
    let sandbox = Sandbox::new();
    let file = sandbox.wheel(&wheel(&sandbox));
    let page =
        |jobs: &str| sandbox.run(&["inspect", &file, "--jobs", jobs, "--deep", "--html", "-"]);
    let first = page("1");
    assert!(
        first.contains("libopened.so.1") && first.ends_with("</html>"),
        "{first}"
    );
    assert_eq!(first, page("2"));
    assert!(!first.contains("[DIR]"), "{first}");
}

#[test]
fn files_directories_and_source_distributions_have_pages() {
    let sandbox = Sandbox::new();
    library(&sandbox, "libgone.so", "libgone.so.2", &[]);
    library(&sandbox, "libx.so", "libx.so.1", &["libgone.so"]);
    fs_err::create_dir(sandbox.path("tree")).unwrap();
    fs_err::copy(sandbox.path("libx.so"), sandbox.path("tree/libx.so")).unwrap();
    fs_err::write(sandbox.path("tree/bad.so"), b"\x7fELF").unwrap();
    let page = |path: &str| sandbox.run(&["inspect", path, "--html", "-"]);
    let text = page("tree");
    for part in [
        "<h1>tree</h1>",
        "<b>fault</b> <code>bad.so</code>",
        "<code>libgone.so.2</code>",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    // A file at the top of it has no group, wherever the directory lies.
    assert!(!text.contains(" · "), "{text}");
    let text = page("libx.so");
    for part in [
        "<h1>libx.so</h1>",
        "<dt>soname</dt><dd><code>libx.so.1</code></dd>",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    SdistBuilder::new("demo", "1.0").write_to(&sandbox.path("."), Packing::TarGz);
    let text = page("demo-1.0.tar.gz");
    for part in [
        "<h1>demo 1.0</h1>",
        "<code>flit_core</code>",
        "<code>PKG-INFO</code>",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    std::os::unix::fs::symlink("tree", sandbox.path("x.whl")).unwrap();
    assert_eq!(
        sandbox.run(&["inspect", "tree", "--html", "x.whl"]),
        "exit: 1\n--- stderr\nerror: a page is a `.html` file, or `-` for standard output, got `x.whl`\n"
    );
}

/// A wheel that has the text in every field that a page shows.
fn hostile_wheel(sandbox: &Sandbox) -> WheelBuilder {
    let gone = format!("g{HOSTILE}");
    drop(library(sandbox, "libgone.so", &gone, &[]));
    let soname = format!("s{HOSTILE}");
    let run_path = format!("-Wl,-rpath,r{HOSTILE}");
    let module = library(sandbox, "m.so", &soname, &["libgone.so", &run_path]);
    let hostile = HOSTILE;
    // A member with a control character is refused.
    let name = hostile.trim_end_matches("\u{1b}[31m");
    WheelBuilder::new("demo", "1.0")
        .tags("cp311-cp311-linux_x86_64")
        .platlib()
        .metadata(&format!(
            "Summary: summary {hostile}\nLicense: license {hostile}\nRequires-Dist: numpy; python_version < '{hostile}'\n\
             Requires-Dist: {hostile}\nProvides-Extra: {hostile}\n"
        ))
        .wheel_text("Generator: ", &format!("Generator: generator {hostile} "))
        .entry_points(&format!("[group {hostile}]\nname {hostile} = demo:main\n"))
        .file(&format!("demo/{name}.so"), module)
        .file(
            "demo/load.py",
            format!("import ctypes\nctypes.CDLL('libdeep.so.1')  # line {hostile}\n"),
        )
        .record_more(&format!("\"row {}\",,\n", hostile.replace('"', "\"\"")))
}

#[test]
fn no_text_of_strangers_is_markup() {
    let sandbox = Sandbox::new();
    let wheel = hostile_wheel(&sandbox);
    let file = sandbox.wheel(&wheel);
    let output = sandbox.run(&[
        "inspect",
        &file,
        "--deep",
        "--verify",
        "--html",
        "page.html",
    ]);
    assert_eq!(output, "exit: 0\n");
    let read = read(&sandbox.path("page.html"));
    let known = [
        "html", "head", "meta", "title", "style", "body", "main", "footer", "header", "section",
        "h1", "h2", "small", "p", "b", "code", "a", "span", "div", "dl", "dt", "dd", "ul", "li",
        "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "svg", "g", "rect",
        "text", "path",
    ];
    for line in &read {
        if let Some(element) = line.strip_prefix("element ") {
            assert!(known.contains(&element), "{line} in {output}");
        }
        assert!(
            !line.starts_with("attribute on") && line != "attribute src",
            "{line}"
        );
    }
    let texts: Vec<&String> = read
        .iter()
        .filter(|line| line.starts_with("text "))
        .collect();
    // As Python writes it in a literal.
    let shown = SHOWN.replace('\\', "\\\\").replace('\'', "\\'");
    for name in [
        "summary ",
        "license ",
        "generator ",
        "group ",
        "name ",
        "row ",
        "# line ",
        "g",
        "s",
        "r",
    ] {
        let want = format!("{name}{shown}");
        assert!(
            texts.iter().any(|text| text.contains(&want)),
            "no {want} in {texts:#?}"
        );
    }
}
