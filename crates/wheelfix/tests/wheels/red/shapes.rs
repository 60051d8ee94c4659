//! Must not be green, either: other ways to ask than one tree or one wheel.

use std::path::PathBuf;

use super::run::{SITE_PACKAGES, wheelfix};
use super::yard::{CALLS_F, DEFINES_F, MODULE, RUN_PATH, Yard};

/// The exit code of a command with the libraries and the Python of the yard, and what it said.
fn run(yard: &Yard, name: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut command = wheelfix(yard, name);
    command.arg("--python").arg(yard.bed.python()).args(args);
    for dir in yard.lib() {
        command.arg("--lib-path").arg(dir);
    }
    let output = command.current_dir(yard.path("cwd")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text)
}

#[track_caller]
fn refused(yard: &Yard, name: &str, args: &[&str], why: &str) {
    let (code, text) = run(yard, name, args);
    assert_eq!(code, Some(1), "{name} {args:?}: {text}");
    assert!(text.contains(why), "{name} {args:?}: {text}");
}

#[test]
fn what_holds_no_elf_file() {
    let yard = Yard::new();
    fs_err::create_dir(yard.path("cwd/empty")).unwrap();
    yard.write("cwd/texts/a.txt", "a");
    refused(&yard, "check", &["/etc/passwd"], "is not an ELF file");
    refused(&yard, "check", &["empty"], "nothing to prove");
    refused(&yard, "check", &["texts"], "nothing to prove");
    refused(&yard, "check", &["empty", "texts"], "nothing to prove");
    // What loads beside it excuses nothing that was named.
    yard.module("void *PyInit_m(void) { return 0; }", &[]);
    let args = ["../site", "/etc/passwd"];
    refused(&yard, "check", &args, "`/etc/passwd` is not an ELF file");
}

#[test]
fn a_rule_that_opens_what_is_nowhere() {
    let yard = Yard::new();
    yard.module("void *PyInit_m(void) { return 0; }", &[]);
    yard.write(
        "cwd/r.toml",
        format!(
            "[[dlopen]]\nname = 'm'\nreason = 'r'\nsource = 's'\nfrom = ['{MODULE}']\nopens = ['libnowhere.so.1']\n"
        ),
    );
    let wheel = yard.wheel(&yard.path("cwd"));
    let wheel = wheel.to_str().unwrap();
    let why = "`libnowhere.so.1` is missing";
    let rules = ["--rules", "r.toml"];
    for (name, more) in [
        ("check", &["../site"][..]),
        ("check", &[wheel]),
        ("install", &["--no-bytecode", "--prefix", "one", wheel]),
        ("env", &["--prefix", "two", wheel]),
        ("patch", &["../site"]),
    ] {
        refused(&yard, name, &[&rules[..], more].concat(), why);
    }
}

#[test]
fn an_environment_that_lost_a_library() {
    let yard = Yard::new();
    yard.library("site/m.libs/libf.so.1", DEFINES_F, &[]);
    yard.module(CALLS_F, &["site/m.libs/libf.so.1", RUN_PATH]);
    let wheel = yard.wheel(&yard.path("cwd"));
    let args = ["--no-bytecode", "--prefix", "one", wheel.to_str().unwrap()];
    let (code, text) = run(&yard, "install", &args);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(&yard, "env", &["--prefix", "two", "one"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(run(&yard, "check", &["two"]).0, Some(0));

    let lost: PathBuf = yard.path("cwd/one").join(SITE_PACKAGES).join("m.libs");
    fs_err::remove_file(lost.join("libf.so.1")).unwrap();
    let why = "libf.so.1";
    refused(&yard, "check", &["two"], why);
    refused(&yard, "check", &["one"], why);
    for input in ["one", "two"] {
        let prefix = format!("of-{input}");
        refused(&yard, "env", &["--prefix", &prefix, input], why);
        assert!(!yard.path("cwd").join(prefix).try_exists().unwrap());
    }
}
