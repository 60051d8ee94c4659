//! `wheelfix builder --hook`: the variables of nixpkgs, without Nix.

use wheelfix_testkit::wheel::WheelBuilder;
use wheelfix_testkit::{cache, host};

use crate::support::Sandbox;

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .metadata("Requires-Dist: numpy<2\nRequires-Dist: pip>=20\nRequires-Dist: six\n")
        .file("ns/__init__.py", "")
        .file("ns/demo.py", "")
        .file("tests/test_demo.py", "")
}

/// Runs a hook with `$out` and further variables.
fn hook(sandbox: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> String {
    let out = sandbox.path("out");
    let mut all = vec![
        ("out", out.to_str().unwrap()),
        ("wheelfixPythonVersion", "3.11"),
    ];
    all.extend(variables);
    let mut words = vec!["builder", "--hook"];
    words.extend(args);
    sandbox.run_with(&words, &all)
}

#[test]
fn variables_of_nixpkgs_are_honoured() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let text = hook(
        &sandbox,
        &["install", "--", &wheel],
        &[
            ("pythonRelaxDeps", "num"),
            ("pythonRemoveDeps", "pip six"),
            ("pythonNamespaces", "ns"),
            ("dontCheckRuntimeDeps", "1"),
        ],
    );
    assert!(text.starts_with("exit: 0\n"), "{text}");
    insta::assert_snapshot!(sandbox.tree("out"), @"
    644 lib/python3.11/site-packages/demo-1.0.dist-info/METADATA
    644 lib/python3.11/site-packages/demo-1.0.dist-info/RECORD
    644 lib/python3.11/site-packages/demo-1.0.dist-info/WHEEL
    644 lib/python3.11/site-packages/ns/demo.py
    ");
    let site = sandbox.path("out/lib/python3.11/site-packages/demo-1.0.dist-info");
    let metadata = fs_err::read_to_string(site.join("METADATA")).unwrap();
    assert!(metadata.contains("Requires-Dist: numpy\n"), "{metadata}");
    assert!(!metadata.contains("pip") && !metadata.contains("six"));
    let record = fs_err::read_to_string(site.join("RECORD")).unwrap();
    assert!(!record.contains("tests") && !record.contains("__init__"));
}

#[test]
fn what_a_recipe_says_itself_is_refused() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let propagated = [("wheelfixPropagate", "/nix/store")];
    insta::assert_snapshot!(hook(&sandbox, &["install", "--", &wheel], &propagated), @"
    exit: 1
    --- stderr
    error: `propagate` has no effect here: it is for packages of the builder; recipes have `propagatedBuildInputs`, environments `inputs`
    hint: in the .nix file each setting is an attribute of the recipe, as `wheelfixLibs` for `libs`
    ");
}

#[test]
fn pyproject_nix_wants_none_of_that() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let variables = [("pythonNamespaces", "ns"), ("pythonRemoveDeps", "pip")];
    let text = hook(&sandbox, &["pyproject", "--", &wheel], &variables);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let site = sandbox.path("out/lib/python3.11/site-packages");
    assert!(site.join("tests/test_demo.py").is_file());
    assert!(site.join("ns/__init__.py").is_file());
}

#[test]
fn pyproject_nix_gets_its_output_of_wheels() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let dist = sandbox.path("dist").to_str().unwrap().to_owned();
    let variables = [("outputs", "out dist"), ("dist", dist.as_str())];
    let text = hook(&sandbox, &["pyproject", "--", &wheel], &variables);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert_eq!(
        fs_err::read(sandbox.path("dist").join(&wheel)).unwrap(),
        fs_err::read(sandbox.path(&wheel)).unwrap()
    );
}

#[test]
fn what_is_given_away_names_no_store_paths() {
    const HASH: &str = "0123456789abcdfghijklmnpqrsvwxyz";
    let sandbox = Sandbox::new();
    let paths = format!("PATHS = '/nix/store/x:/nix/store/{HASH}-zlib/lib'\n");
    let wheel = WheelBuilder::new("demo", "1.0")
        .file("demo/__init__.py", "STORE = '/nix/store/'\n")
        .file("demo/paths.py", paths.as_str());
    let wheel = sandbox.wheel(&wheel);
    let dist = sandbox.path("dist").to_str().unwrap().to_owned();
    let mut variables = vec![("outputs", "out dist"), ("dist", dist.as_str())];
    insta::assert_snapshot!(hook(&sandbox, &["pyproject", "--", &wheel], &variables), @"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl`: `demo/paths.py` names `/nix/store/0123456789abcdfghijklmnpqrsvwxyz-...`
    hint: the wheel goes into the output `dist`, and on other machines there are no such paths; where it does no harm, as in a text, the .nix file says `dontUsePyprojectInstallDistCheck = true;`
    ");
    fs_err::remove_dir_all(sandbox.path("out")).unwrap();
    assert!(!sandbox.path("dist").is_dir());
    variables.push(("dontUsePyprojectInstallDistCheck", "1"));
    let text = hook(&sandbox, &["pyproject", "--", &wheel], &variables);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(sandbox.path("dist").join(&wheel).is_file());
    // Without the output nothing is given away.
    let sandbox = Sandbox::new();
    let demo = WheelBuilder::new("demo", "1.0").file("demo/paths.py", paths);
    let wheel = sandbox.wheel(&demo);
    let text = hook(&sandbox, &["pyproject", "--", &wheel], &[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
}

#[test]
fn dependencies_that_are_not_there_are_named() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let six = sandbox.wheel(&WheelBuilder::new("six", "1.0").file("six.py", ""));
    let prefix = sandbox.path("six");
    let args = ["install", "--python-version", "3.11", "--prefix", "six"];
    sandbox.run(&[&args[..], &[six.as_str()]].concat());
    let text = hook(
        &sandbox,
        &["install", "--", &wheel],
        &[("propagatedBuildInputs", prefix.to_str().unwrap())],
    );
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(
        text.contains("  - numpy not installed\n  - pip not installed\n"),
        "{text}"
    );
    assert!(!text.contains("six"), "{text}");
    assert!(!sandbox.path("out").try_exists().unwrap());
}

#[test]
fn what_comes_twice_is_a_conflict() {
    let sandbox = Sandbox::new();
    let mut propagated = Vec::new();
    for version in ["1.0", "2.0"] {
        let wheel = sandbox.wheel(&WheelBuilder::new("six", version).file("six.py", ""));
        let prefix = format!("six-{version}");
        let args = ["install", "--python-version", "3.11", "--prefix", &prefix];
        sandbox.run(&[&args[..], &[wheel.as_str()]].concat());
        propagated.push(sandbox.path(&prefix).to_str().unwrap().to_owned());
    }
    let support = sandbox.path("out/nix-support");
    fs_err::create_dir_all(&support).unwrap();
    let list = support.join("propagated-build-inputs");
    fs_err::write(&list, &propagated[0]).unwrap();
    assert_eq!(hook(&sandbox, &["conflicts"], &[]), "exit: 0\n");
    fs_err::write(&list, propagated.join(" ")).unwrap();
    let text = hook(&sandbox, &["conflicts"], &[]);
    let want = "Found duplicated packages in closure for dependency 'six':\n  \
        six 1.0 ([DIR]/six-1.0)\n  six 2.0 ([DIR]/six-2.0)\n";
    assert!(text.contains(want), "{text}");
    assert!(text.starts_with("exit: 1\n"), "{text}");
}

/// The guide shows what the hook says.
#[test]
fn a_missing_library_is_told_as_the_guide_says() {
    let sandbox = Sandbox::new();
    let needed = ["-Wl,-soname,libquadmath.so.0", "-o", "libquadmath.so.0"];
    sandbox.library("int f;", &needed);
    fs_err::create_dir_all(sandbox.path("out/torch/lib")).unwrap();
    let user = ["-o", "out/torch/lib/libgfortran.so.5", "libquadmath.so.0"];
    sandbox.library("int g;", &user);
    let out = sandbox.path("out").to_str().unwrap().to_owned();
    let text = hook(&sandbox, &["patch", "--", &out], &[]);
    let guide = cache::root().join("docs/nix-guides.md");
    let guide = fs_err::read_to_string(guide).unwrap();
    let block = guide
        .split("\n\n")
        .find(|block| block.starts_with("    error: "));
    let shown = block.unwrap().replace("\n    ", "\n");
    let said = format!("    {}", text.replace("[DIR]/out", "..."));
    let said = said.replace("    exit: 1\n--- stderr\n", "    ");
    assert_eq!(said.trim_end(), shown);
    // With structured attributes the settings are a set.
    let attributes = format!(r#"{{"outputs": {{"out": "{out}"}}}}"#);
    fs_err::write(sandbox.path("attrs.json"), attributes).unwrap();
    let file = sandbox.path("attrs.json").to_str().unwrap().to_owned();
    let structured = [("NIX_ATTRS_JSON_FILE", file.as_str())];
    let text = hook(&sandbox, &["patch", "--", &out], &structured);
    for fix in ["buildInputs = [ (", "wheelfix.ignoreMissing = [ \"libq"] {
        assert!(text.contains(&format!("  fix: {fix}")), "{text}");
    }
}

#[test]
fn an_ignored_library_that_is_not_missing_only_warns() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("out")).unwrap();
    fs_err::write(sandbox.path("out/file"), "").unwrap();
    let out = sandbox.path("out").to_str().unwrap().to_owned();
    let text = hook(
        &sandbox,
        &[
            "patch",
            "--ignore-missing=libcuda.so.1",
            "--ignore-missing=1",
            "--",
            &out,
        ],
        &[],
    );
    insta::assert_snapshot!(text, @"
    exit: 0
    --- stdout
    wheelfix: 0 ELF files edited, 0 looked at; not proved: no target is named
    --- stderr
    warning: `true` in `autoPatchelfIgnoreMissingDeps` would excuse everything, and excuses nothing here: name the libraries
    warning: nothing that `autoPatchelfIgnoreMissingDeps` calls `libcuda.so.1` is missing
    ");
}

/// Runs the patch hook on what the sandbox has in `out`, with the loader of this machine.
fn patch(sandbox: &Sandbox, args: &[&str], variables: &[(&str, &str)]) -> String {
    let out = sandbox.path("out").to_str().unwrap().to_owned();
    let loader = host::library("ld-linux-x86-64.so.2");
    let start = ["patch", "--interpreter", loader.to_str().unwrap()];
    hook(sandbox, &[&start, args, &["--", &out]].concat(), variables)
}

#[test]
fn modules_may_use_what_every_cpython_needs() {
    let sandbox = Sandbox::new();
    let site = "out/lib/python3.11/site-packages";
    fs_err::create_dir_all(sandbox.path(site)).unwrap();
    // As mypyc does: with `cos` of libm, and no need for libm. tomli, black and mypy are made so.
    let source = "double cos(double); double f(double x) { return cos(x); }";
    let module = format!("{site}/demo.cpython-311-x86_64-linux-gnu.so");
    sandbox.library(source, &["-fno-builtin", "-o", &module, "-lc"]);
    let text = patch(&sandbox, &[], &[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let python = cache::tool("python3");
    let text = patch(&sandbox, &["--python", python.to_str().unwrap()], &[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    // What no Python brings.
    let other = source.replace("cos", "cosine");
    sandbox.library(&other, &["-o", &module, "-lc"]);
    let text = patch(&sandbox, &[], &[]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("cosine"),
        "{text}"
    );
    // What Python does not load.
    fs_err::remove_dir_all(sandbox.path("out/lib/python3.11")).unwrap();
    sandbox.library(
        source,
        &["-fno-builtin", "-o", "out/lib/libtool.so.1", "-lc"],
    );
    let text = patch(&sandbox, &[], &[]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("cos"),
        "{text}"
    );
}

#[test]
fn flags_of_auto_patchelf_are_honoured_or_told() {
    let sandbox = Sandbox::new();
    fs_err::create_dir_all(sandbox.path("out/sub")).unwrap();
    for file in ["out/libone.so", "out/sub/libtwo.so"] {
        sandbox.library("int f;", &["-o", file]);
    }
    let text = patch(&sandbox, &[], &[("autoPatchelfFlags", "--preserve-origin")]);
    assert!(
        text.contains("2 looked at") && !text.contains("warning"),
        "{text}"
    );
    let variables = [
        ("autoPatchelfFlags", "--no-recurse --keep-libc"),
        ("patchelfFlags", "--page-size 4096"),
    ];
    let text = patch(&sandbox, &[], &variables);
    assert!(text.contains("1 looked at"), "{text}");
    for want in [
        "warning: `--keep-libc` is for auto-patchelf",
        "warning: `patchelfFlags` is for patchelf",
    ] {
        assert!(text.contains(want), "{text}");
    }
    let text = patch(&sandbox, &["--flag=--no-recurse"], &[]);
    assert!(text.contains("1 looked at"), "{text}");
}

#[test]
fn only_directories_with_libraries_are_searched_and_each_once() {
    let sandbox = Sandbox::new();
    for name in ["out", "has/lib", "hook/nix-support"] {
        fs_err::create_dir_all(sandbox.path(name)).unwrap();
    }
    let named = "-Wl,-soname,libgone.so.1";
    sandbox.library("int f;", &[named, "-o", "libgone.so.1"]);
    sandbox.library("int g;", &["-o", "out/libuser.so", "libgone.so.1"]);
    let (has, other) = (sandbox.path("has"), sandbox.path("hook"));
    let (has, other) = (has.to_str().unwrap(), other.to_str().unwrap());
    let args = ["--lib-path", has, "--lib-path", other, "--lib-path", has];
    let text = patch(&sandbox, &args, &[]);
    assert!(
        text.contains("\n  searched: the files themselves, [DIR]/has\n"),
        "{text}"
    );
}

/// Runs the hook of pyproject.nix for the Python of the tests.
fn pyproject(sandbox: &Sandbox, variables: &[(&str, &str)]) -> String {
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0").file("demo.py", ""));
    let (python, out) = (cache::tool("python3"), sandbox.path("out"));
    let python = ["--python", python.to_str().unwrap()];
    let args = [
        &["builder", "--hook", "pyproject"][..],
        &python,
        &["--", &wheel],
    ];
    let out = [("out", out.to_str().unwrap())];
    sandbox.run_with(&args.concat(), &[&out, variables].concat())
}

#[test]
fn bytecode_is_that_of_uv() {
    const LEVEL_0: &str = "demo.cpython-311.pyc";
    const LEVEL_2: &str = "demo.cpython-311.opt-2.pyc";
    for (variable, name, flags) in [
        (("x", ""), Some(LEVEL_0), 1),
        (("PYC_INVALIDATION_MODE", "CHECKED_HASH"), Some(LEVEL_0), 3),
        (("PYC_INVALIDATION_MODE", "TIMESTAMP"), Some(LEVEL_0), 0),
        (("wheelfixBytecode", "2"), Some(LEVEL_2), 1),
        (("UV_COMPILE_BYTECODE", "0"), None, 0),
    ] {
        let sandbox = Sandbox::new();
        let text = pyproject(&sandbox, &[variable]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        let cached = "out/lib/python3.11/site-packages/__pycache__/";
        let tree = sandbox.tree("out");
        let found: Vec<&str> = tree.lines().filter(|line| line.contains(".pyc")).collect();
        let Some(name) = name else {
            assert!(found.is_empty(), "{tree}");
            continue;
        };
        assert_eq!(found.len(), 1, "{tree}");
        let bytes = fs_err::read(sandbox.path(cached).join(name)).unwrap();
        assert_eq!(bytes[4], flags, "{variable:?}");
    }
    let sandbox = Sandbox::new();
    let text = pyproject(&sandbox, &[("PYC_INVALIDATION_MODE", "never")]);
    let want = "`PYC_INVALIDATION_MODE`: `never`: expected one of";
    assert!(text.contains(want), "{text}");
}

#[test]
fn flags_of_uv_are_told() {
    let sandbox = Sandbox::new();
    let text = pyproject(&sandbox, &[("uvPipInstallFlags", "--no-deps")]);
    let want = "warning: `uvPipInstallFlags` is for uv, which does not run here";
    assert!(text.contains(want), "{text}");
}
