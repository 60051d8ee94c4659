//! The interpreter of an environment, and its scripts.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use wheelfix_testkit::cache;
use wheelfix_testkit::prefix::{PrefixBuilder, SITE_PACKAGES};
use wheelfix_testkit::wheel::WheelBuilder;

use super::{make, sandbox, tree, untrue_rows};
use crate::support::Sandbox;

/// The part of nixpkgs' `sitecustomize.py` that reads the variables.
const SITECUSTOMIZE: &str = "\
import os, site, sys
for path in (os.environ.pop('NIX_PYTHONPATH', None) or '').split(':'):
    if path:
        site.addsitedir(path)
if sys.prefix == sys.base_prefix:
    executable = os.environ.pop('NIX_PYTHONEXECUTABLE', None)
    prefix = os.environ.pop('NIX_PYTHONPREFIX', None)
    if executable is not None:
        sys.executable = executable
    if prefix is not None:
        sys.prefix = sys.exec_prefix = prefix
";

/// A prefix and a wheel, each with a script.
fn scripts(args: &[&str]) -> Sandbox {
    let python = cache::tool("python3");
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0")
        .file("one.py", "def main():\n    print('one')\n")
        .script(
            "one",
            "#!/usr/bin/python3\nimport sys, one\none.main()\nprint(sys.prefix)\n",
        )
        .script(
            "long",
            "#!/bin/sh\n'''exec' /long/python3 \"$0\" \"$@\"\n' '''\nimport one\none.main()\n",
        )
        .script("shell", "#!/bin/sh\necho shell\n")]);
    let wheel = WheelBuilder::new("two", "1.0")
        .file("two.py", "import one\nmain = one.main\n")
        .entry_points("[console_scripts]\ntwo = two:main\n");
    let name = sandbox.wheel(&wheel);
    let start = [
        "a",
        &name,
        "--python",
        python.to_str().unwrap(),
        "--prove",
        "none",
    ];
    make(&sandbox, &[&start[..], args].concat());
    sandbox
}

#[test]
fn a_python_is_named_by_where_its_library_is() {
    let python = fs_err::canonicalize(cache::tool("python3")).unwrap();
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0").file("one.py", "")]);
    // A profile, whose `bin` is all that it has.
    fs_err::create_dir_all(sandbox.path("profile/bin")).unwrap();
    let link = sandbox.path("profile/bin/python3");
    std::os::unix::fs::symlink(&python, &link).unwrap();
    let args = ["a", "--python", link.to_str().unwrap(), "--prove", "none"];
    make(&sandbox, &args);
    let text = fs_err::read_to_string(sandbox.path("env/pyvenv.cfg")).unwrap();
    let home = format!("home = {}\n", python.parent().unwrap().display());
    assert!(text.starts_with(&home), "{text}");
    assert!(text.contains(&format!("executable = {}\n", python.display())));
    assert_eq!(
        output(&sandbox.path("env/bin/python"), &["-c", "import one"], None),
        ""
    );
    // One that has a library of its own is what it was called.
    let library = sandbox.path("profile/lib/python3.11");
    fs_err::create_dir_all(&library).unwrap();
    fs_err::write(library.join("os.py"), "").unwrap();
    fs_err::remove_dir_all(sandbox.path("env")).unwrap();
    make(&sandbox, &args);
    let text = fs_err::read_to_string(sandbox.path("env/pyvenv.cfg")).unwrap();
    assert!(text.starts_with(&format!("home = {}", sandbox.path("profile/bin").display())));
}

/// The standard output of a program.
#[expect(clippy::disallowed_methods, reason = "runs what was made")]
pub(crate) fn output(program: &Path, args: &[&str], python_path: Option<&Path>) -> String {
    let mut command = Command::new(program);
    command.args(args).env_clear();
    if let Some(path) = python_path {
        command.env("PYTHONPATH", path);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", program.display());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn scripts_see_the_environment() {
    let sandbox = scripts(&[]);
    let bin = sandbox.path("env/bin");
    let prefix = fs_err::canonicalize(sandbox.path("env")).unwrap();
    let want = format!("one\n{}\n", prefix.display());
    assert_eq!(output(&bin.join("one"), &[], None), want);
    assert_eq!(output(&bin.join("long"), &[], None), "one\n");
    assert_eq!(output(&bin.join("two"), &[], None), "one\n");
    assert_eq!(output(&bin.join("shell"), &[], None), "shell\n");
    let script = fs_err::read_to_string(bin.join("one")).unwrap();
    assert_eq!(
        script.lines().next().unwrap(),
        format!("#!{}/bin/python3.11", prefix.display())
    );
    for name in ["python", "python3", "python3.11"] {
        let code = "import one, two, sys; print(sys.prefix)";
        let want = format!("{}\n", prefix.display());
        assert_eq!(output(&bin.join(name), &["-c", code], None), want);
    }
}

#[test]
fn the_variables_of_nixpkgs_lead_there_too() {
    let sandbox = scripts(&["--activate", "variables"]);
    let customize = sandbox.path("customize");
    fs_err::create_dir(&customize).unwrap();
    fs_err::write(customize.join("sitecustomize.py"), SITECUSTOMIZE).unwrap();
    let bin = sandbox.path("env/bin");
    let prefix = fs_err::canonicalize(sandbox.path("env")).unwrap();
    let want = format!("one\n{}\n", prefix.display());
    assert_eq!(output(&bin.join("one"), &[], Some(&customize)), want);
    assert_eq!(output(&bin.join("two"), &[], Some(&customize)), "one\n");
    let code = "import sys, os; print(sys.executable, 'NIX_PYTHONPATH' in os.environ)";
    let want = format!("{}/bin/python3.11 False\n", prefix.display());
    let python = bin.join("python");
    assert_eq!(output(&python, &["-c", code], Some(&customize)), want);
}

#[test]
fn record_tells_of_the_new_first_lines() {
    for link in ["auto", "symlink", "copy"] {
        let sandbox = scripts(&["--link", link]);
        assert_eq!(untrue_rows(&sandbox), Vec::<String>::new(), "{link}");
        let record = |prefix: &str| -> BTreeSet<String> {
            let path = sandbox.path(prefix).join(SITE_PACKAGES);
            let text = fs_err::read_to_string(path.join("one-1.0.dist-info/RECORD")).unwrap();
            text.lines().map(str::to_owned).collect()
        };
        let (new, old) = (record("env"), record("a"));
        let changed: Vec<&str> = new
            .difference(&old)
            .map(|row| row.split(',').next().unwrap())
            .collect();
        assert_eq!(changed, ["../../../bin/long", "../../../bin/one"], "{link}");
        assert_eq!(new.len(), old.len(), "{link}");
    }
}

#[test]
fn both_records_tell_of_a_script_that_two_distributions_have() {
    let python = cache::tool("python3");
    let prefix = |name| PrefixBuilder::new(name, "1.0").script("tool", "#!/usr/bin/python3\n");
    let sandbox = sandbox(&[prefix("one"), prefix("two")]);
    let args = ["a", "b", "--python", python.to_str().unwrap()];
    make(&sandbox, &[&args[..], &["--prove", "none"]].concat());
    assert_eq!(untrue_rows(&sandbox), Vec::<String>::new());
}

#[test]
fn record_tells_of_the_new_first_line_where_metadata_is_a_link() {
    let python = cache::tool("python3");
    for link in ["auto", "symlink", "copy"] {
        let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0")
            .file("one/__init__.py", "")
            .file("one-1.0.dist-info/licenses/LICENSE", "free\n")
            .script("one", "#!/usr/bin/python3\nimport one\n")]);
        // As buildEnv makes it.
        let [from, to] = ["a", "b"].map(|name| sandbox.path(name));
        fs_err::create_dir_all(to.join(SITE_PACKAGES)).unwrap();
        for entry in fs_err::read_dir(from.join(SITE_PACKAGES)).unwrap() {
            let entry = fs_err::canonicalize(entry.unwrap().path()).unwrap();
            let name = entry.file_name().unwrap();
            fs_err::os::unix::fs::symlink(&entry, to.join(SITE_PACKAGES).join(name)).unwrap();
        }
        fs_err::rename(from.join("bin"), to.join("bin")).unwrap();
        let args = ["b", "--link", link, "--python", python.to_str().unwrap()];
        make(&sandbox, &[&args[..], &["--prove", "none"]].concat());
        assert_eq!(untrue_rows(&sandbox), Vec::<String>::new(), "{link}");
        let site = sandbox.path("env").join(SITE_PACKAGES);
        let license = fs_err::read_to_string(site.join("one-1.0.dist-info/licenses/LICENSE"));
        assert_eq!(license.unwrap(), "free\n");
    }
}

#[test]
fn record_of_an_environment_of_one_prefix_is_true() {
    let python = cache::tool("python3");
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0")
        .file("one/__init__.py", "")
        .script("one", "#!/usr/bin/python3\nimport one\n")]);
    let args = ["a", "--python", python.to_str().unwrap(), "--prove", "none"];
    let text = make(&sandbox, &args);
    assert_eq!(untrue_rows(&sandbox), Vec::<String>::new());
    // The rest of what lay in one directory is taken as it was.
    assert_snapshot!(text, @"
    exit: 0
    --- stdout
    [DIR]/env: 1 distribution, 1 directory and 2 files linked, 1 script, 5 new files, not proved: no target is named
    start it: [DIR]/env/bin/python
    ");
    assert_snapshot!(tree(&sandbox, "env/lib"), @"
    python3.11/site-packages/one -> [DIR]/a/lib/python3.11/site-packages/one
    python3.11/site-packages/one-1.0.dist-info/METADATA -> [DIR]/a/lib/python3.11/site-packages/one-1.0.dist-info/METADATA
    python3.11/site-packages/one-1.0.dist-info/RECORD
    python3.11/site-packages/one-1.0.dist-info/WHEEL -> [DIR]/a/lib/python3.11/site-packages/one-1.0.dist-info/WHEEL
    ");
}

#[test]
fn without_an_interpreter_scripts_are_as_they_were() {
    let sandbox = scripts(&["--activate", "none"]);
    let script = fs_err::read_to_string(sandbox.path("env/bin/one")).unwrap();
    assert!(script.starts_with("#!/usr/bin/python3\n"), "{script}");
    assert!(!sandbox.path("env/bin/python").try_exists().unwrap());
}
