//! Tests that need the library as their caller: inputs change while an environment is made.

use std::num::NonZeroUsize;
use std::path::Path;

use fs_err as fs;
use wheelfix_testkit::prefix::PrefixBuilder;

use super::*;
use crate::files::WheelOptions;
use crate::python::Python;

fn request(dir: &Path, link: LinkMode) -> EnvRequest {
    EnvRequest {
        inputs: vec![dir.join("a"), dir.join("b")],
        installation: InstallRequest {
            wheels: Vec::new(),
            prefix: dir.join("env"),
            merge: false,
            python: Python::of_version("3.11".parse().unwrap()),
            bytecode: None,
            wheel_options: WheelOptions::default(),
            libraries: None,
            library_table: false,
            check_twice: false,
            jobs: NonZeroUsize::MIN,
        },
        activation: None,
        link,
        on_collision: Vec::new(),
        allow_unmet: Vec::new(),
        proof: ProofScope::Both,
        dry_run: false,
    }
}

#[test]
fn an_input_that_vanishes_midway_is_named() {
    for link in [
        LinkMode::Auto,
        LinkMode::Symlink,
        LinkMode::Copy,
        LinkMode::Hardlink,
    ] {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            let prefix = PrefixBuilder::new(name, "1.0").file(&format!("ns/{name}.py"), "");
            prefix.write_to(&dir.path().join(name));
        }
        let gone = fs::canonicalize(dir.path().join("b")).unwrap();
        let listener = |event| {
            if matches!(
                event,
                Event::Phase {
                    phase: Phase::Apply,
                    ..
                }
            ) {
                fs::remove_dir_all(&gone).unwrap();
            }
        };
        let error = assemble(&request(dir.path(), link), &listener).unwrap_err();
        let EnvError::Faults(faults) = error else {
            panic!("{error}");
        };
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let want = format!(
            "input vanished while the environment was made: `{}`",
            gone.display()
        );
        assert_eq!(texts, [want], "{link:?}");
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|it| it.unwrap().file_name())
            .collect();
        assert_eq!(left, ["a"], "{link:?}");
    }
}
