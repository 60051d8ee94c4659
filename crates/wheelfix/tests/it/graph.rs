//! `wheelfix inspect --graph`.

use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A package with two modules that need a library, which needs one that is not there.
fn package() -> Sandbox {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("p/site-packages/pkg");
    fs_err::create_dir_all(&dir).unwrap();
    fs_err::write(dir.join("x.c"), "int x;").unwrap();
    let build = |name: &str, needs: &[&str]| {
        let soname = format!("-Wl,-soname,{name}");
        let flags = [
            "-shared",
            "-nostdlib",
            "-Wl,--no-as-needed",
            "-Wl,-rpath,$ORIGIN",
            "-L.",
        ];
        let flags = [&flags[..], &[&soname, "-o", name, "x.c"], needs].concat();
        Tool::CC.run_in(&dir, &flags).expect();
    };
    build("libgone.so", &[]);
    build("libx.so", &["-lgone"]);
    build("a.so", &["-lx"]);
    build("b.so", &["-lx"]);
    fs_err::remove_file(dir.join("libgone.so")).unwrap();
    sandbox
}

#[test]
fn boxes_and_edges_are_those_of_the_loader() {
    let sandbox = package();
    let text = sandbox.run(&["inspect", "p", "--graph", "out.dot"]);
    assert_eq!(text, "exit: 0\n");
    let dot = fs_err::read_to_string(sandbox.path("out.dot")).unwrap();
    let drawn: Vec<&str> = dot
        .lines()
        .filter(|line| line.contains("->"))
        .map(str::trim)
        .collect();
    let want = [
        "n0 -> n1 [color=\"#2e7d32\"];",
        "n1 -> n2 [color=\"#cc0000\", penwidth=2];",
    ];
    assert_eq!(drawn, want, "{dot}");
    assert!(dot.contains("2 modules alike\\na.so\\n… b.so"), "{dot}");
    assert!(dot.contains("label=\"pkg\""), "{dot}");
}

#[test]
fn graphviz_draws_them() {
    let sandbox = package();
    let text = sandbox.run(&["inspect", "p", "--graph", "out.svg"]);
    assert_eq!(text, "exit: 0\n");
    let svg = fs_err::read_to_string(sandbox.path("out.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.contains("libgone.so"), "{svg}");
}

#[test]
fn other_pictures_and_subjects_are_refused() {
    let sandbox = package();
    let text = sandbox.run(&["inspect", "p", "--graph", "out.png"]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("`.dot` or a `.svg`"),
        "{text}"
    );
    fs_err::write(sandbox.path("text"), "x").unwrap();
    let text = sandbox.run(&["inspect", "text", "--graph", "out.dot"]);
    assert!(
        text.contains("`text` is not a wheel, directory or ELF file"),
        "{text}"
    );
}

#[test]
fn a_wheel_is_drawn_as_it_would_be_installed() {
    let sandbox = package();
    let mut wheel = WheelBuilder::new("pkg", "1.0").file("pkg/__init__.py", "");
    for name in ["a.so", "b.so", "libx.so"] {
        let bytes = fs_err::read(sandbox.path("p/site-packages/pkg").join(name)).unwrap();
        wheel = wheel.file(&format!("pkg/{name}"), bytes);
    }
    let file = sandbox.wheel(&wheel);
    let text = sandbox.run(&["inspect", &file, "--graph", "wheel.dot"]);
    assert_eq!(text, "exit: 0\n");
    assert_eq!(
        sandbox.run(&["inspect", "p", "--graph", "out.dot"]),
        "exit: 0\n"
    );
    let read = |name: &str| fs_err::read_to_string(sandbox.path(name)).unwrap();
    assert_eq!(read("wheel.dot"), read("out.dot"));
}
