//! The statements of a wheel about itself.

use wheelfix_testkit::wheel::WheelBuilder;
use wheelfix_wheel::{Placement, Wheel};

fn open(wheel: &WheelBuilder) -> Wheel {
    let dir = tempfile::tempdir().unwrap();
    // The archive is mapped, so the file may go.
    Wheel::open(&wheel.write_to(dir.path())).unwrap()
}

fn demo() -> WheelBuilder {
    WheelBuilder::new("Demo.Pkg", "1.0").file("demo/__init__.py", "answer = 42\n")
}

fn placements(wheel: &Wheel) -> String {
    let line = |member: wheelfix_wheel::WheelMember<'_>| {
        let place = match member.placement {
            Placement::File { scheme, path } => format!("{scheme}:{path}"),
            other => format!("{other:?}"),
        };
        let hash = if member.hash.is_some() {
            ""
        } else {
            " (no hash)"
        };
        format!("{} -> {place}{hash}\n", member.file.path)
    };
    wheel.members().map(line).collect::<Vec<_>>().concat()
}

#[test]
fn every_file_has_a_place() {
    let wheel = demo()
        .file("demo/__pycache__/__init__.cpython-311.pyc", "x")
        .data("purelib/more.py", "")
        .data("platlib/plat.so", "")
        .data("headers/demo.h", "")
        .data("scripts/run", "#!python\n")
        .data("data/share/doc/demo.txt", "")
        .file("Older-0.9.data/scripts/older", "#!python\n")
        .dist_info("licenses/LICENSE", "free")
        .dist_info("RECORD.jws", "{}");
    insta::assert_snapshot!(placements(&open(&wheel)), @r"
    demo/__init__.py -> purelib:demo/__init__.py
    demo/__pycache__/__init__.cpython-311.pyc -> Bytecode
    Demo.Pkg-1.0.data/purelib/more.py -> purelib:more.py
    Demo.Pkg-1.0.data/platlib/plat.so -> platlib:plat.so
    Demo.Pkg-1.0.data/headers/demo.h -> headers:demo.h
    Demo.Pkg-1.0.data/scripts/run -> scripts:run
    Demo.Pkg-1.0.data/data/share/doc/demo.txt -> data:share/doc/demo.txt
    Older-0.9.data/scripts/older -> scripts:older
    Demo.Pkg-1.0.dist-info/licenses/LICENSE -> purelib:Demo.Pkg-1.0.dist-info/licenses/LICENSE
    Demo.Pkg-1.0.dist-info/RECORD.jws -> Signature (no hash)
    Demo.Pkg-1.0.dist-info/METADATA -> purelib:Demo.Pkg-1.0.dist-info/METADATA
    Demo.Pkg-1.0.dist-info/WHEEL -> purelib:Demo.Pkg-1.0.dist-info/WHEEL
    Demo.Pkg-1.0.dist-info/RECORD -> Record (no hash)
    ");
}

#[test]
fn the_root_of_a_platlib_wheel_is_platlib() {
    let wheel = open(&demo().platlib().tags("cp311-cp311-linux_x86_64"));
    assert!(placements(&wheel).starts_with("demo/__init__.py -> platlib:demo/__init__.py\n"));
}

#[test]
fn signatures_need_no_row() {
    let wheel = demo().unrecorded("Demo.Pkg-1.0.dist-info/RECORD.jws", "{}");
    let wheel = wheel.unrecorded("Demo.Pkg-1.0.dist-info/RECORD.p7s", "");
    assert_eq!(open(&wheel).members().len(), 6);
}

#[test]
fn nested_dist_infos_are_files_like_others() {
    let wheel = open(&demo().file("demo/_vendor/x-2.0.dist-info/METADATA", "Name: x\n"));
    assert_eq!(wheel.dist_info(), "Demo.Pkg-1.0.dist-info");
}

#[test]
fn names_and_versions_are_compared_normalised() {
    let wheel = demo().dist_info(
        "METADATA",
        "Metadata-Version: 2.1\nName: demo_pkg\nVersion: 1.0.0\n",
    );
    assert_eq!(open(&wheel).metadata().name().as_str(), "demo-pkg");
}

#[test]
fn what_is_odd_is_a_warning() {
    let wheel = demo()
        .wheel_text("Wheel-Version: 1.0", "Wheel-Version: 1.9")
        .wheel_text(
            "Root-Is-Purelib: true\n",
            "Root-Is-Purelib: true\nTag: py2-none-any\n",
        )
        .file("demo/a.py", "")
        .file("demo/A.py", "")
        .dist_info(
            "METADATA",
            "Metadata-Version: 2.1\nName: demo.pkg\nVersion: 1\noops\nRequires-Dist: x\n",
        );
    let wheel = open(&wheel);
    let warnings: Vec<String> = wheel
        .warnings()
        .iter()
        .map(|it| format!("{it}\n"))
        .collect();
    insta::assert_snapshot!(warnings.concat(), @r"
    `Wheel-Version` 1.9 is newer than 1.0, which is known
    line 4 of `METADATA` is not a field: it and what follows is taken as description
    the file name has the tags py3-none-any, `WHEEL` has py2-none-any, py3-none-any
    some file systems take these as one: demo/A.py, demo/a.py
    ");
    assert_eq!(wheel.metadata().requires_dist().count(), 0);
}

#[test]
fn what_is_left_of_a_build_for_development_is_a_warning() {
    let wheel = demo()
        .file(
            "__editable__.demo-1.0.pth",
            "import __editable___demo_finder\n",
        )
        .file("__editable___demo_finder.py", "")
        .file("_demo.pth", "# made by hatch\n/home/x/demo/src\n")
        .file("demo-nspkg.pth", "import sys\nvendored\n")
        .file("demo/below.pth", "/home/x\n");
    let wheel = open(&wheel);
    let warnings: Vec<String> = wheel
        .warnings()
        .iter()
        .map(|it| format!("{it}\n"))
        .collect();
    insta::assert_snapshot!(warnings.concat(), @"
    `__editable__.demo-1.0.pth` leads to sources outside of the wheel, as builds for development do
    `__editable___demo_finder.py` leads to sources outside of the wheel, as builds for development do
    `_demo.pth` leads to sources outside of the wheel, as builds for development do
    ");
}

#[test]
fn hygiene_has_the_codes_of_check_wheel_contents() {
    let wheel = open(
        &demo()
            .file("demo/old.pyc", "byte code")
            .file("demo/one.txt", "the same text")
            .file("demo/two.txt", "the same text")
            .file("README.md", "text")
            .file("demo-data/x.py", "x")
            .file("tests/test_x.py", "y")
            .file("__init__.py", "z")
            .file("share/x.txt", "w"),
    );
    let findings: Vec<String> = wheel
        .contents_lint()
        .iter()
        .map(|finding| {
            format!(
                "{} {}: {}\n",
                finding.code,
                finding.message,
                finding.paths.join(", ")
            )
        })
        .collect();
    insta::assert_snapshot!(findings.concat(), @r"
    W001 the wheel contains byte code: demo/old.pyc
    W002 files have the same content: 13 bytes more than necessary: demo/one.txt = demo/two.txt
    W003 files at the top of site-packages are no modules: README.md
    W004 modules have paths that cannot be imported: demo-data/x.py
    W005 names at the top of site-packages are so common that other projects may use them: tests
    W006 `__init__.py` is at the top of site-packages: __init__.py
    W009 several names are at the top of site-packages: README.md, demo, demo-data, share, tests
    W010 directories at the top of site-packages hold no modules: share/
    ");
    let empty = open(&WheelBuilder::new("empty", "1"));
    let codes: Vec<String> = empty
        .contents_lint()
        .iter()
        .map(|finding| finding.code.to_string())
        .collect();
    assert_eq!(codes, ["W007", "W008"]);
    assert!(open(&demo()).contents_lint().is_empty());
}
