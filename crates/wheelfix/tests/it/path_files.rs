//! `.pth` files take effect where `site-packages` is a Python's own: told where it is not, and at work in an environment.

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::env::interpreter::output;
use crate::support::Sandbox;

/// As nvidia-cutlass-dsl: its modules lie where only a `.pth` file leads.
fn wheel(sandbox: &Sandbox, pth: &str, line: &str) -> String {
    let wheel = WheelBuilder::new("m", "1.0").file("m/__init__.py", "");
    let wheel = wheel.file("m/packages/deep.py", "x = 1\n");
    sandbox.wheel(&wheel.file(pth, line))
}

const CODE: &str = "import sys, m; sys.path.insert(0, m.__path__[0] + '/packages')\n";

#[track_caller]
fn warned(pth: &str, line: &str, want: Option<&str>) {
    let sandbox = Sandbox::new();
    let wheel = wheel(&sandbox, pth, line);
    let python = cache::tool("python3").to_str().unwrap().to_owned();
    let target = ["--python", &python, "--no-bytecode"];
    let text = sandbox.run(&[&["install", &wheel, "--prefix", "p"][..], &target].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let start = format!(
        "warning: `lib/python3.11/site-packages/{pth}` takes effect in the `site-packages` of a Python, not on `PYTHONPATH`: there "
    );
    match want {
        Some(want) => assert!(
            text.contains(&format!("{start}{want}; make an environment of it\n")),
            "{text}"
        ),
        None => assert!(!text.contains("PYTHONPATH`:"), "{text}"),
    }
}

#[test]
fn a_file_that_nobody_reads_is_told() {
    let code = "its code does not run when Python starts";
    warned("m.pth", CODE, Some(code));
    let lost = "modules in `m/packages` are not found";
    warned("m.pth", "# a\nm/packages\nm/nowhere\n", Some(lost));
    warned(
        "m.pth",
        &format!("m/packages\n{CODE}"),
        Some(&format!("{lost}, and {code}")),
    );
    warned("m.pth", "# import m\n\n", None);
    warned("m-1.0-nspkg.pth", CODE, None);
    warned("distutils-precedence.pth", CODE, None);
}

#[test]
fn in_an_environment_it_takes_effect() {
    for line in [CODE, "m/packages\n"] {
        let sandbox = Sandbox::new();
        let wheel = wheel(&sandbox, "m.pth", line);
        let python = cache::tool("python3").to_str().unwrap().to_owned();
        let args = ["env", &wheel, "--prefix", "e", "--python", &python];
        let text = sandbox.run(&args);
        assert!(
            text.starts_with("exit: 0\n") && !text.contains(".pth"),
            "{text}"
        );
        let code = ["-c", "import deep; print(deep.x)"];
        assert_eq!(output(&sandbox.path("e/bin/python"), &code, None), "1\n");
    }
}
