//! Tests that need the library as their caller: a wheel changes while it is installed.

use fs_err as fs;
use wheelfix_testkit::wheel::WheelBuilder;
use wheelfix_wheel::OpenOptions;

use super::*;
use crate::{EnvRequest, PatchWheelRequest};

/// A wheel of some hundred pages that do not compress, in which files of all sizes lie behind the
/// first ones.
fn wheel() -> WheelBuilder {
    let mut state = 1_u32;
    let mut noise = |len: usize| -> Vec<u8> {
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    };
    WheelBuilder::new("a", "1.0")
        .file("a/first.bin", noise(200 << 10))
        .file("a/large.bin", noise(3 << 20))
        .file("a/small.py", "x = 1\n")
}

fn request(dir: &std::path::Path, wheel: &str) -> InstallRequest {
    InstallRequest {
        wheels: vec![dir.join(wheel)],
        prefix: dir.join("out"),
        merge: false,
        python: Python::of_version("3.11".parse().unwrap()),
        bytecode: None,
        wheel_options: WheelOptions::default(),
        libraries: None,
        library_table: false,
        check_twice: false,
        jobs: NonZeroUsize::MIN,
    }
}

/// Does something with a wheel that is cut when a phase begins.
#[track_caller]
fn check(phase: Phase, work: impl Fn(&InstallRequest, &Listener<'_>) -> String) {
    let dir = tempfile::tempdir().unwrap();
    let wheel = wheel();
    wheel.write_to(dir.path());
    let request = request(dir.path(), &wheel.file_name());
    let listener = |event: Event| {
        if matches!(event, Event::Phase { phase: begins, .. } if begins == phase) {
            let file = fs::OpenOptions::new().write(true).open(&request.wheels[0]);
            file.unwrap().set_len(70_000).unwrap();
        }
    };
    let error = work(&request, &listener);
    let path = request.wheels[0].display();
    assert_eq!(
        error,
        format!("failed to read file `{path}`: it was made shorter meanwhile, or its disk fails")
    );
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_wheel_that_shrinks_while_it_is_installed_is_named() {
    check(Phase::Extract, |request, listener| {
        match install(request, listener).unwrap_err() {
            PipelineError::Io(error) => error.to_string(),
            error => panic!("not an error of the environment: {error}"),
        }
    });
}

#[test]
fn a_wheel_that_shrinks_while_an_environment_is_made_is_named() {
    check(Phase::Extract, |installation, listener| {
        let request = EnvRequest {
            inputs: installation.wheels.clone(),
            installation: installation.clone(),
            activation: None,
            link: crate::LinkMode::Auto,
            on_collision: Vec::new(),
            allow_unmet: Vec::new(),
            proof: crate::ProofScope::None,
            dry_run: false,
        };
        let result = crate::assemble(&request, listener);
        match result.unwrap_err() {
            crate::EnvError::Install(PipelineError::Io(error)) => error.to_string(),
            error => panic!("not an error of the environment: {error}"),
        }
    });
}

#[test]
fn a_wheel_that_shrinks_while_it_is_written_anew_is_named() {
    check(Phase::Publish, |installation, listener| {
        let request = PatchWheelRequest {
            wheel: installation.wheels[0].clone(),
            output: installation.wheels[0].with_file_name("out"),
            options: OpenOptions::default(),
            libraries: Libraries {
                system: None,
                lib_paths: Vec::new(),
                rules: wheelfix_link::Rules::shipped().unwrap(),
                options: wheelfix_link::PlanOptions::new("/run/opengl-driver/lib".into()),
                unbundle: None,
            },
            scope: crate::Scope::Everything,
            metadata: Vec::new(),
            python: None,
            dry_run: false,
            jobs: NonZeroUsize::MIN,
        };
        fs::create_dir(&request.output).unwrap();
        let result = crate::patch_wheel(&request, listener);
        let left = fs::read_dir(&request.output).unwrap().count();
        assert_eq!(left, 0);
        fs::remove_dir(&request.output).unwrap();
        match result.unwrap_err() {
            crate::PipelineError::Io(error) => error.to_string(),
            error => panic!("not an error of the environment: {error}"),
        }
    });
}
