//! `wheelfix builder` in the environment that Nix gives a builder, without Nix.

use std::path::Path;

use serde_json::{Value, json};
use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::remedies::module;
use crate::support::Sandbox;

const HASH: &str = "0123456789abcdfghijklmnpqrsvwxyz";

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .metadata("Requires-Dist: numpy<2\n")
        .file("demo/__init__.py", "")
        .data("headers/demo.h", "// demo\n")
        .entry_points("[console_scripts]\ndemo = demo:main\n")
}

/// Puts a wheel where a store would: with a hash before its name.
fn in_store(sandbox: &Sandbox, wheel: &WheelBuilder) -> String {
    let name = sandbox.wheel(wheel);
    let path = sandbox.path(&format!("{HASH}-{name}"));
    fs_err::rename(sandbox.path(&name), &path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs the builder with structured attributes; `outputs` are their names.
fn build(sandbox: &Sandbox, outputs: &[&str], mut attributes: Value) -> String {
    let path = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
    let named = outputs
        .iter()
        .map(|name| ((*name).to_owned(), path(name).into()));
    attributes["outputs"] = Value::Object(named.collect());
    let file = sandbox.path(".attrs.json");
    fs_err::write(&file, attributes.to_string()).unwrap();
    sandbox.run_with(
        &["builder"],
        &[("NIX_ATTRS_JSON_FILE", &path(".attrs.json"))],
    )
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    let text = fs_err::read_to_string(sandbox.path(name)).unwrap();
    text.replace(sandbox.path("").to_str().unwrap(), "[DIR]/")
}

#[test]
fn a_wheel_becomes_three_outputs() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo());
    let text = build(
        &sandbox,
        &["out", "dist", "dev"],
        json!({"src": wheel, "wheelfix": {
            "pythonVersion": "3.11", "relax": true, "propagate": ["/a", "/b"],
        }}),
    );
    assert!(text.starts_with("exit: 0\n"), "{text}");
    insta::assert_snapshot!(sandbox.tree("out"), @"
    755 bin/demo
    644 lib/python3.11/site-packages/demo-1.0.dist-info/METADATA
    644 lib/python3.11/site-packages/demo-1.0.dist-info/RECORD
    644 lib/python3.11/site-packages/demo-1.0.dist-info/WHEEL
    644 lib/python3.11/site-packages/demo-1.0.dist-info/entry_points.txt
    644 lib/python3.11/site-packages/demo/__init__.py
    644 nix-support/propagated-build-inputs
    644 nix-support/setup-hook
    ");
    assert_eq!(
        read(&sandbox, "out/nix-support/propagated-build-inputs"),
        "/a /b\n"
    );
    assert_eq!(
        read(&sandbox, "out/nix-support/setup-hook"),
        "addToSearchPath NIX_PYPROJECT_PYTHONPATH [DIR]/out/lib/python3.11/site-packages\n"
    );
    insta::assert_snapshot!(sandbox.tree("dev"), @"
    644 include/python3.11/demo/demo.h
    644 nix-support/propagated-build-inputs
    ");
    assert_eq!(
        read(&sandbox, "dev/nix-support/propagated-build-inputs"),
        "[DIR]/out\n"
    );
    let link = sandbox.path("dist/demo-1.0-py3-none-any.whl");
    assert_eq!(fs_err::read_link(link).unwrap(), Path::new(&wheel));
    let site = "out/lib/python3.11/site-packages/demo-1.0.dist-info";
    assert!(read(&sandbox, &format!("{site}/METADATA")).contains("Requires-Dist: numpy\n"));
    assert!(!read(&sandbox, &format!("{site}/RECORD")).contains("include"));
}

/// Installs a wheel for the Python of the tests.
fn install(sandbox: &Sandbox, wheel: &WheelBuilder, output: &str, more: &Value) {
    let mut settings = json!({"python": cache::tool("python3"), "bytecode": false});
    let more = more.as_object().unwrap().clone();
    settings.as_object_mut().unwrap().extend(more);
    let outputs = json!({"out": sandbox.path(output)});
    let attributes =
        json!({"src": in_store(sandbox, wheel), "wheelfix": settings, "outputs": outputs});
    let file = sandbox.path(".attrs.json");
    fs_err::write(&file, attributes.to_string()).unwrap();
    let variables = [("NIX_ATTRS_JSON_FILE", file.to_str().unwrap())];
    let text = sandbox.run_with(&["builder"], &variables);
    assert!(text.starts_with("exit: 0\n"), "{text}");
}

/// Starts a program by itself; gives what it prints, `None` if it fails.
#[expect(clippy::disallowed_methods, reason = "runs what was installed")]
fn prints(sandbox: &Sandbox, program: &str) -> Option<String> {
    let mut command = std::process::Command::new(sandbox.path(program));
    let output = command.env_clear().env("PATH", "/bin").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(text)
}

#[test]
fn scripts_run_by_themselves() {
    let sandbox = Sandbox::new();
    let helper = WheelBuilder::new("helper", "1.0")
        .file("helper.py", "word = 'well'\n")
        .entry_points("[console_scripts]\nhelp-me = helper:main\n");
    install(&sandbox, &helper, "helper", &json!({}));
    let main = "import os, shutil, sys\nimport helper\ndef main():\n    \
        assert sys.flags.no_user_site and os.environ['PYTHONNOUSERSITE']\n    \
        print(helper.word, shutil.which('help-me'), os.environ['PATH'].split(':')[-1])\n";
    let script = "#!python\n'''of data'''\nfrom __future__ import annotations\n\
        import demo\nassert __doc__ == 'of data'\ndemo.main()\n";
    let demo = WheelBuilder::new("demo", "1.0")
        .file("demo.py", main)
        .data("scripts/demo2", script)
        .entry_points("[console_scripts]\ndemo = demo:main\n");
    let propagate = json!([sandbox.path("helper")]);
    install(&sandbox, &demo, "demo", &json!({"propagate": propagate}));
    let tool = sandbox.path("helper/bin/help-me");
    let want = format!("well {} /bin\n", tool.display());
    assert_eq!(prints(&sandbox, "demo/bin/demo"), Some(want.clone()));
    assert_eq!(prints(&sandbox, "demo/bin/demo2"), Some(want));
    // Where an environment sees to that, nothing is added.
    let plain = json!({"propagate": propagate, "standalone": false});
    install(&sandbox, &demo, "plain", &plain);
    assert_eq!(prints(&sandbox, "plain/bin/demo"), None);
}

#[test]
fn variables_will_do() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo());
    let out = sandbox.path("out");
    let variables = [
        ("out", out.to_str().unwrap()),
        ("src", &wheel),
        ("wheelfixPythonVersion", "3.11"),
        ("wheelfixRemoveDeps", "numpy"),
        ("wheelfixPropagate", "/a /b"),
        ("NIX_BUILD_CORES", "0"),
    ];
    let text = sandbox.run_with(&["builder"], &variables);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert_eq!(
        read(&sandbox, "out/nix-support/propagated-build-inputs"),
        "/a /b\n"
    );
    let metadata = "out/lib/python3.11/site-packages/demo-1.0.dist-info/METADATA";
    assert!(!read(&sandbox, metadata).contains("Requires-Dist"));
}

#[test]
fn settings_are_checked_before_anything_is_made() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo());
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": wheel, "wheelfix": {"lib": ["/a"], "libs": "/a"}}),
    );
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: unknown setting `lib`, did you mean `libs`?
    error: `libs` has to be a list of strings: [ "..." ], got a string
    hint: change `wheelfix = { ... }` in the .nix file
    "#);
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": wheel, "wheelfix": {
            "pythonVersion": "three", "relax": ["a b"], "exclude": ["["], "rpath": "x",
            "libs": ["/no/such/directory"], "bytecode": [7],
        }}),
    );
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `pythonVersion`: `three`: expected a version such as `3.11`, got `three`
    error: `bytecode`: `7`: expected a level from 0 to 2
    error: `exclude`: `[`: error parsing glob '[': unclosed character class; missing ']'
    error: `rpath`: `x`: expected one of: origin, absolute
    error: `relax`: `a b`: a name may have only ASCII letters, digits, `-`, `_` and `.`, got ' ': `a b`
    error: `libs`: `/no/such/directory`: is not a directory in this build
    hint: change `wheelfix = { ... }` in the .nix file
    ");
    assert!(!sandbox.path("out").try_exists().unwrap());
}

#[test]
fn a_source_that_is_no_wheel_is_told_with_the_fetcher_to_use() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("tree")).unwrap();
    fs_err::write(sandbox.path("demo-1.0.tar.gz"), b"\x1f\x8b\x08\0").unwrap();
    fs_err::write(sandbox.path("source"), b"PK\x03\x04").unwrap();
    let path = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
    let text = build(
        &sandbox,
        &["out"],
        json!({"srcs": [path("tree"), path("demo-1.0.tar.gz"), path("source")],
            "wheelfix": {"pythonVersion": "3.11"}}),
    );
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `src` is a directory: `[DIR]/tree`
    hint: fetch the wheel as it is, with `fetchurl`; `fetchzip`, `fetchTree` and `builtins.fetchTarball` unpack it
    error: `src` is a gzip archive, no wheel: `[DIR]/demo-1.0.tar.gz`
    hint: a source distribution has to be built: use `buildPythonPackage` with `pyproject = true`, or fetch the wheel, whose URL ends in `.whl`
    error: `src` is not named as a wheel is: `[DIR]/source`
    hint: give `fetchurl` a `name` that ends in `.whl`: the file name of the wheel
    ");
    let text = build(&sandbox, &["out"], json!({}));
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: the derivation has no `src`
    hint: add `src = fetchurl { url = "...whl"; hash = "..."; };`
    "#);
}

#[test]
fn a_wheel_for_another_platform_is_told_with_what_to_change() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo().tags("cp39-cp39-manylinux_2_17_x86_64"));
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": wheel, "wheelfix": {"pythonVersion": "3.11"}}),
    );
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `[DIR]/0123456789abcdfghijklmnpqrsvwxyz-demo-1.0-cp39-cp39-manylinux_2_17_x86_64.whl`: the wheel is for cp39, the target is cp311
    hint: in the .nix file fetch another wheel than `demo-1.0-cp39-cp39-manylinux_2_17_x86_64.whl` as `src`, choose another `python`, or give the package `meta.platforms`
    ");
}

#[test]
fn outputs_must_be_new_and_known() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo());
    let attributes = json!({"src": wheel, "wheelfix": {"pythonVersion": "3.11"}});
    let text = build(&sandbox, &["out", "lib"], attributes.clone());
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: nothing is written to the output `lib`
    hint: in the .nix file `outputs` may name "out", "dist", "dev"
    "#);
    fs_err::create_dir(sandbox.path("out")).unwrap();
    let text = build(&sandbox, &["out"], attributes);
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: the output `out` exists already: `[DIR]/out`
    hint: in the .nix file nothing but wheelfix may write to an output; inside of `stdenv.mkDerivation` use the hooks instead of `wheelfix builder`
    ");
}

#[test]
fn without_a_derivation_there_is_nothing_to_build() {
    insta::assert_snapshot!(Sandbox::new().run(&["builder"]), @"
    exit: 1
    --- stderr
    error: no output is named: neither `NIX_ATTRS_JSON_FILE` nor `$out` is set
    hint: `wheelfix builder` is run by Nix, as the `builder` of a derivation
    ");
}

#[test]
fn a_tree_is_copied_and_relocated() {
    let sandbox = Sandbox::new();
    fs_err::create_dir_all(sandbox.path("tree/bin")).unwrap();
    fs_err::write(sandbox.path("tree/bin/script"), "#!/bin/sh\n").unwrap();
    let source = sandbox.path("tree").to_str().unwrap().to_owned();
    let attributes = json!({"src": source, "wheelfix": {"action": "patch"}});
    let text = build(&sandbox, &["out"], attributes);
    insta::assert_snapshot!(text, @"
    exit: 0
    --- stdout
    0 ELF files edited; not proved: no target is named
    ");
    assert_eq!(sandbox.tree("out"), "644 bin/script\n");
}

/// The texts below the site-packages of `out`, without the directory.
fn in_site(sandbox: &Sandbox, name: &str) -> String {
    read(sandbox, &format!("out/lib/python3.11/site-packages/{name}"))
}

#[test]
fn every_option_for_wheels_is_a_setting() {
    let sandbox = Sandbox::new();
    let wheel = in_store(
        &sandbox,
        &demo()
            .metadata("Requires-Dist: six\n")
            .file("google/__init__.py", "")
            .file("google/cloud/__init__.py", "")
            .file("demo-nspkg.pth", "")
            .file("tests/test_demo.py", "")
            .data("scripts/__pycache__/demo.pyc", ""),
    );
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": wheel, "wheelfix": {
            "pythonVersion": "3.11", "nixpkgsNames": true, "relaxUpper": ["num"],
            "removeDeps": ["s"], "namespaces": ["google.cloud"], "keepNamespacePth": true,
            "removeTests": true, "removeBinBytecode": true, "installer": "nix",
            "requested": true, "directUrl": "https://example.org/demo.whl", "maxSize": "1M",
            "maxRatio": 100, "unify": false, "heal": false, "invalidation": "checked-hash",
        }}),
    );
    assert!(text.starts_with("exit: 0\n"), "{text}");
    insta::assert_snapshot!(sandbox.tree("out"), @"
    755 bin/demo
    644 include/python3.11/demo/demo.h
    644 lib/python3.11/site-packages/demo-1.0.dist-info/INSTALLER
    644 lib/python3.11/site-packages/demo-1.0.dist-info/METADATA
    644 lib/python3.11/site-packages/demo-1.0.dist-info/RECORD
    644 lib/python3.11/site-packages/demo-1.0.dist-info/REQUESTED
    644 lib/python3.11/site-packages/demo-1.0.dist-info/WHEEL
    644 lib/python3.11/site-packages/demo-1.0.dist-info/direct_url.json
    644 lib/python3.11/site-packages/demo-1.0.dist-info/entry_points.txt
    644 lib/python3.11/site-packages/demo-nspkg.pth
    644 lib/python3.11/site-packages/demo/__init__.py
    644 nix-support/setup-hook
    ");
    assert!(in_site(&sandbox, "demo-1.0.dist-info/METADATA").contains("Requires-Dist: numpy\n"));
    assert!(!in_site(&sandbox, "demo-1.0.dist-info/METADATA").contains("six"));
    assert_eq!(in_site(&sandbox, "demo-1.0.dist-info/INSTALLER"), "nix\n");
    assert!(in_site(&sandbox, "demo-1.0.dist-info/direct_url.json").contains("example.org"));
}

#[test]
fn what_is_required_is_looked_for_in_prefixes() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo());
    fs_err::create_dir(sandbox.path("empty")).unwrap();
    let prefix = sandbox.path("empty").to_str().unwrap().to_owned();
    let attributes = |prefix: &str| {
        let settings = json!({"pythonVersion": "3.11", "checkDeps": [prefix]});
        json!({"src": wheel, "wheelfix": settings})
    };
    let text = build(&sandbox, &["out"], attributes(&prefix));
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl` lacks what it needs at run time
      - numpy not installed
    ");
    let text = build(&sandbox, &["out"], attributes("/no/such/directory"));
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `checkDeps`: `/no/such/directory`: is not a directory in this build
    hint: change `wheelfix = { ... }` in the .nix file
    ");
}

#[test]
fn options_in_messages_are_named_as_settings() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo().file("large", "x".repeat(5000)));
    let attributes = |settings: Value| {
        let mut all = json!({"pythonVersion": "3.11"});
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        json!({"src": wheel, "wheelfix": all})
    };
    let text = build(&sandbox, &["out"], attributes(json!({"maxSize": 100})));
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: `[DIR]/0123456789abcdfghijklmnpqrsvwxyz-demo-1.0-py3-none-any.whl`: members take 5714 bytes, limit is 100
    hint: allow more with `wheelfix.maxSize = "SIZE";` or `wheelfix.maxRatio = N;`
    "#);
    let text = build(
        &sandbox,
        &["out"],
        attributes(json!({"exclude": ["*.rst"]})),
    );
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: no file matches `*.rst`, which is to be left out
      fix: remove "*.rst" from `wheelfix.exclude`
    "#);
    assert!(!sandbox.path("out").try_exists().unwrap());
}

#[test]
fn settings_for_something_else_are_refused() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo());
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": wheel, "wheelfix": {
            "pythonVersion": "3.11", "link": "copy", "onCollision": ["*=first"], "heal": true,
            "inputs": [],
        }}),
    );
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: `heal` has no effect here: it is for trees, `action = "patch"`
    error: `link` has no effect here: it is for environments, `action = "env"`
    error: `onCollision` has no effect here: it is for environments, `action = "env"`
    hint: change `wheelfix = { ... }` in the .nix file
    "#);
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": "/", "wheelfix": {"action": "patch", "exclude": ["a"]}}),
    );
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `exclude` has no effect here: it is for wheels
    hint: change `wheelfix = { ... }` in the .nix file
    ");
}

#[test]
fn values_of_settings_are_checked() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo());
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": wheel, "wheelfix": {
            "pythonVersion": "3.11", "maxSize": "many", "maxRatio": true, "requested": "yes",
        }}),
    );
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: `maxRatio` has to be a number, or a string like "64G", got a Boolean
    error: `requested` has to be `true` or `false`, got a string
    hint: change `wheelfix = { ... }` in the .nix file
    "#);
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": wheel, "wheelfix": {
            "pythonVersion": "3.11", "maxSize": "many", "maxRatio": -1, "namespaces": ["a-b"],
            "installer": "", "invalidation": "never",
        }}),
    );
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `invalidation`: `never`: expected one of: unchecked-hash, checked-hash, timestamp
    error: `installer`: ``: is not a name
    error: `maxRatio`: `-1`: expected a number, or a number with K, M, G or T
    error: `maxSize`: `many`: expected a number, or a number with K, M, G or T
    error: `namespaces`: `a-b`: expected a.b.c
    hint: change `wheelfix = { ... }` in the .nix file
    ");
    let text = build(
        &sandbox,
        &["out"],
        json!({"src": wheel, "wheelfix": {
            "python": "python3", "bytecode": false, "invalidation": "timestamp",
            "nixpkgsNames": true, "relax": true,
        }}),
    );
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `invalidation`: `timestamp`: nothing is compiled: `bytecode = false`
    error: `nixpkgsNames`: `true`: there are no names in `relax`, `relaxUpper` or `removeDeps`
    hint: change `wheelfix = { ... }` in the .nix file
    ");
    let text = build(
        &sandbox,
        &["out"],
        json!({"wheelfix": {"action": "instal"}}),
    );
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `action`: `instal`: expected one of: install, env, patch
    hint: change `wheelfix = { ... }` in the .nix file
    ");
}

#[test]
fn an_environment_takes_its_settings() {
    let sandbox = Sandbox::new();
    let wheel = in_store(&sandbox, &demo());
    let other = in_store(
        &sandbox,
        &WheelBuilder::new("other", "1.0").file("demo/__init__.py", "x = 1\n"),
    );
    let attributes = |settings: Value| {
        let mut all = json!({"action": "env", "pythonVersion": "3.11", "inputs": [wheel, other]});
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        json!({"wheelfix": all})
    };
    let text = build(&sandbox, &["out"], attributes(json!({"prove": "all"})));
    insta::assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `prove`: `all`: expected one of: both, environment, none
    error: `prove`: `all`: needs `python` or `interpreter`, without which the C library is not known
    hint: change `wheelfix = { ... }` in the .nix file
    ");
    let text = build(&sandbox, &["out"], attributes(json!({})));
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: `lib/python3.11/site-packages/demo/__init__.py` comes with different content from demo 1.0 (`[DIR]/0123456789abcdfghijklmnpqrsvwxyz-demo-1.0-py3-none-any.whl`) and other 1.0 (`[DIR]/0123456789abcdfghijklmnpqrsvwxyz-other-1.0-py3-none-any.whl`)
    error: demo 1.0 requires `numpy<2`, which is not in the environment
    error: 2 faults in all
    hint: decide with `wheelfix.onCollision = [ "GLOB=first" ];` or `GLOB=last`, in the order of the inputs
    "#);
    let idle = json!({"prove": "environment", "activate": "venv", "keepNamespacePth": true});
    let text = build(&sandbox, &["out"], attributes(idle));
    insta::assert_snapshot!(text, @r#"
    exit: 1
    --- stderr
    error: `keepNamespacePth`: `true`: needs `wheelfix.namespaces = [ "NAME" ];`
    error: `activate`: `venv`: needs `python`: `pythonVersion` names no program
    error: `prove`: `environment`: needs `python` or `interpreter`, without which the C library is not known
    hint: change `wheelfix = { ... }` in the .nix file
    "#);
    let rules = json!({"onCollision": ["**/demo/__init__.py=last"], "allowUnmet": ["numpy"],
        "prove": "none"});
    let text = build(&sandbox, &["out"], attributes(rules));
    insta::assert_snapshot!(text, @"
    exit: 0
    --- stdout
    [DIR]/out: 2 distributions, 0 directories and 0 files linked, 10 new files, 1 collision decided by rules, not proved: no target is named
    --- stderr
    warning: `lib/python3.11/site-packages/demo/__init__.py` comes with different content from demo 1.0 (`[DIR]/0123456789abcdfghijklmnpqrsvwxyz-demo-1.0-py3-none-any.whl`) and other 1.0 (`[DIR]/0123456789abcdfghijklmnpqrsvwxyz-other-1.0-py3-none-any.whl`); the one of `[DIR]/0123456789abcdfghijklmnpqrsvwxyz-other-1.0-py3-none-any.whl` counts, by the rule `**/demo/__init__.py=last`
    warning: demo 1.0 requires `numpy<2`, which is not in the environment
    ");
    assert_eq!(in_site(&sandbox, "demo/__init__.py"), "x = 1\n");
}

#[test]
fn a_printed_setting_mends_what_it_is_printed_for() {
    let sandbox = Sandbox::new();
    let wheel = demo().file("demo/x.so", "").file("demo/y.so", module());
    let src = in_store(&sandbox, &wheel);
    let mut attributes = json!({"src": src, "wheelfix": {"python": "python3"}});
    let text = build(&sandbox, &["out"], attributes.clone());
    assert!(text.starts_with("exit: 1\n"), "{text}");
    let (_, fix) = text.split_once("\n  fix: wheelfix.").unwrap();
    let (setting, _) = fix.split_once("];").unwrap();
    let (name, list) = setting.split_once(" = [ ").unwrap();
    let value: String = serde_json::from_str(list.trim()).unwrap();
    attributes["wheelfix"][name] = json!([value]);
    let text = build(&sandbox, &["out"], attributes);
    assert!(text.starts_with("exit: 0\n"), "{text}");
}

#[test]
fn fixes_of_a_set_with_overlays_are_lines_of_an_overlay() {
    let sandbox = Sandbox::new();
    sandbox.library("int f;", &["-Wl,-soname,libz.so.1", "-o", "libz.so.1"]);
    sandbox.library("int g;", &["-o", "lib.so", "libz.so.1"]);
    let library = fs_err::read(sandbox.path("lib.so")).unwrap();
    let wheel = WheelBuilder::new("demo", "1.0").file("demo/lib.so", library);
    let settings = json!({"pythonVersion": "3.11", "package": "demo", "libs": []});
    let attributes = json!({"src": in_store(&sandbox, &wheel), "wheelfix": settings});
    let text = build(&sandbox, &["out"], attributes);
    for want in [
        "  fix: demo = prev.demo.overrideAttrs (old: { buildInputs = old.buildInputs ++ [ (lib.getLib pkgs.zlib) ]; });  # `libz.so.1`\n",
        "  fix: demo = prev.demo.overrideAttrs { wheelfixIgnoreMissing = [ \"libz.so.1\" ]; };  # if all works without it\n",
    ] {
        assert!(text.contains(want), "{text}");
    }
}
