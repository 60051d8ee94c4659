//! Hostile archives where nothing but one directory can be written to: what would be written elsewhere
//! would fail with another message than the archive is refused with.

use std::path::Path;
use std::process::Command;

use wheelfix_testkit::hostile::{self, Case};

use crate::support::Sandbox;

/// Most memory of the program's own, in kilobytes: the largest hostile member would be 2 GB.
const MEMORY: u32 = 256 << 10;

/// Runs a command on each archive: its name, the archive, its other arguments. Everything that is
/// mounted becomes read-only first, but for a new file system that the command runs in.
const SCRIPT: &str = r#"
while read -r _ _ _ _ point options _; do
    mount -o "remount,bind,$options,ro" "$point" 2> /dev/null
done < /proc/self/mountinfo
mount -t tmpfs none "$JAIL" || exit 99
for place in / /tmp "$CASES" "$CASES/.."; do
    touch "$place/written" 2> /dev/null && exit 98
done
cd "$JAIL" || exit 97
ulimit -d "$MEMORY" || exit 96
ulimit -t 10 || exit 95
command=$1
shift
exec 3> answers
for archive in "$CASES"/*/*; do
    "$PROGRAM" "$command" "$archive" "$@" > output 2> reason < /dev/null
    code=$?
    echo "$(basename "$(dirname "$archive")"): $code: $(cat reason output)" >&3
    rm output reason
    test "$code" = 0 && rm -r out
    for left in $(ls -A); do
        test "$left" = answers || echo "left: $left" >&3
    done
done
cat answers
"#;

/// The answer about each archive, in a name space of its own: exit code and reasons.
#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
pub(crate) fn jailed(sandbox: &Sandbox, cases: &Path, args: &[&str]) -> String {
    let jail = sandbox.path("jail");
    fs_err::create_dir_all(&jail).unwrap();
    let output = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            SCRIPT,
            "sh",
        ])
        .args(args)
        .env("JAIL", &jail)
        .env("CASES", cases)
        .env("MEMORY", MEMORY.to_string())
        .env("PROGRAM", env!("CARGO_BIN_EXE_wheelfix"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Each archive must be refused as itself: the words of the operating system are none of that.
#[track_caller]
fn check(cases: &[Case], file: &str, args: &[&str]) {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("cases");
    for case in cases {
        let place = directory.join(case.name);
        fs_err::create_dir_all(&place).unwrap();
        fs_err::write(place.join(file), &case.archive).unwrap();
    }
    let answers = jailed(&sandbox, &directory, args);
    for case in cases {
        let start = format!("{}: 1: ", case.name);
        assert!(
            answers.lines().any(|line| line.starts_with(&start)),
            "{} is not refused: {answers}",
            case.name
        );
    }
    check_answers(&answers);
}

/// Nothing is left, and nothing is said in the words of the operating system.
#[track_caller]
pub(crate) fn check_answers(answers: &str) {
    let left = answers.lines().find(|line| line.starts_with("left: "));
    assert_eq!(left, None, "{answers}");
    for words in ["os error", "memory", "panicked"] {
        assert!(!answers.contains(words), "{words}: {answers}");
    }
}

fn wheels() -> Vec<Case> {
    [
        hostile::zip_structures(),
        hostile::zip_contents(),
        hostile::wheels(),
    ]
    .concat()
}

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

#[test]
fn at_least_sixty_hostile_wheels_are_installed_nowhere() {
    let cases = wheels();
    assert!(60 <= cases.len());
    let args = ["install", "--prefix", "out", "--python-version", "3.11"];
    check(&cases, WHEEL, &args);
}

#[test]
fn hostile_source_distributions_are_unpacked_nowhere() {
    check(&hostile::tars(), "demo-1.0.tar.gz", &["unpack", "out"]);
}
