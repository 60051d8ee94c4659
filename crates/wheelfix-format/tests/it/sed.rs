//! Relaxing, against the regular expressions that nixpkgs' hook gives to `sed`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use wheelfix_format::{EditAction, Metadata, MetadataEdit};

const HEAD: &str = "Metadata-Version: 2.1\nName: x\nVersion: 1\n";

const REQUIREMENTS: &str = "Requires-Dist: torch<3,>=2.4\n\
    Requires-Dist: numpy\n\
    Requires-Dist: Ruamel.Yaml (>=0.15)\n\
    Requires-Dist: python_dateutil (>=2,<3) ; extra == 'x'\n\
    Requires-Dist: cuda-toolkit[cublas,cudart]==13.2.2; platform_system == \"Linux\"\n\
    Requires-Dist: a [b] ~=1; python_version < '4'\n\
    Requires-Dist: c!=1.*\n";

fn sed(expression: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the opinion of another program")]
    let mut child = Command::new("sed")
        .args(["-r", "-e", expression])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{HEAD}{REQUIREMENTS}").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Where it drops clauses, `sed` leaves the white space before them.
fn without_space(text: &str) -> String {
    text.replace(" ;", ";")
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect::<Vec<_>>()
        .concat()
}

#[track_caller]
fn check(edit: MetadataEdit, expression: &str) {
    let metadata: Metadata = format!("{HEAD}{REQUIREMENTS}").parse().unwrap();
    let edited = metadata.edit(&[edit]);
    assert_eq!(without_space(&edited.text), without_space(&sed(expression)));
}

#[test]
fn relaxing_all_is_what_the_hook_does() {
    let expression = r"s/(Requires-Dist: [a-zA-Z0-9_.-]+\s*(\[[^]]+\])?)[^;]*(;.*)?/\1\3/";
    check(MetadataEdit::all(EditAction::Relax), expression);
}

#[test]
fn relaxing_one_is_what_the_hook_does() {
    for name in [
        "torch",
        "ruamel.yaml",
        "cuda-toolkit",
        "python_dateutil",
        "a",
        "c",
    ] {
        let expression = format!(r"s/(Requires-Dist: {name}\s*(\[[^]]+\])?)[^;]*(;.*)?/\1\3/i");
        // As a regular expression `a` and `c` are only the beginning of other names here, which the
        // hook would cut off; that is the one thing that we do not want to do alike.
        let others = ["a", "c"].contains(&name);
        let expression = if others {
            expression.replace(r"\s*(\[", r"\b\s*(\[")
        } else {
            expression
        };
        check(
            MetadataEdit::named(EditAction::Relax, name).unwrap(),
            &expression,
        );
    }
}

#[test]
fn removing_is_what_the_hook_does() {
    check(MetadataEdit::all(EditAction::Remove), "/Requires-Dist:.*/d");
    for prefix in ["torch", "cuda", "python"] {
        let edit = MetadataEdit::nixpkgs(EditAction::Remove, prefix);
        check(edit, &format!("/Requires-Dist: {prefix}/d"));
    }
}
