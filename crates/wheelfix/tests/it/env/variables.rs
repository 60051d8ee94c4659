//! Variables that rules give to the programs of an environment.

use std::process::Command;

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const RULE: &str = "[[environment]]\nname = 'demo-data'\nreason = 'It looks beside another.'\nsource = 'demo'\n\
    distribution = ['demo>=1,<2']\nvariable = 'DEMO_DATA'\nvalue = '{site-packages}/other/data:{lib:libx.so}'\n";

/// A sandbox with two wheels, a rule, and a library.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let script = "import os\ndef main(): print(os.environ['DEMO_DATA'])\n";
    let demo = WheelBuilder::new("demo", "1.5").file("demo.py", script);
    sandbox.wheel(&demo.entry_points("[console_scripts]\ndemo = demo:main\n"));
    sandbox.wheel(&WheelBuilder::new("other", "1.0").file("other/data/x", ""));
    fs_err::create_dir_all(sandbox.path("libs/lib")).unwrap();
    sandbox.library("int x;", &["-o", "libs/lib/libx.so"]);
    fs_err::write(sandbox.path("r.toml"), RULE).unwrap();
    sandbox
}

fn env(sandbox: &Sandbox, more: &[&str]) -> String {
    let python = cache::tool("python3").to_str().unwrap().to_owned();
    if sandbox.path("e").is_dir() {
        fs_err::remove_dir_all(sandbox.path("e")).unwrap();
    }
    let start = ["env", "--prefix", "e", "--python", &python];
    sandbox.run(&[&start[..], more].concat())
}

const ALL: [&str; 6] = [
    "demo-1.5-py3-none-any.whl",
    "other-1.0-py3-none-any.whl",
    "--rules",
    "r.toml",
    "--lib-path",
    "libs",
];

/// The value that a program of the environment sees, where the user has set it and where not.
#[expect(clippy::disallowed_methods, reason = "runs the environment under test")]
fn seen(sandbox: &Sandbox, program: &str, args: &[&str], set: Option<&str>) -> String {
    let mut command = Command::new(sandbox.path("e/bin").join(program));
    command
        .args(args)
        .env_remove("DEMO_DATA")
        .env_remove("XLA_FLAGS");
    command.envs(set.map(|value| ("DEMO_DATA", value)));
    let output = command.output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn a_rule_sets_a_variable_unless_the_user_has() {
    let sandbox = sandbox();
    for activation in ["venv", "variables"] {
        let text = env(&sandbox, &[&ALL[..], &["--activate", activation]].concat());
        assert!(text.starts_with("exit: 0\n"), "{text}");
        assert!(text.contains("note: `DEMO_DATA` is `"), "{text}");
        if activation == "variables" {
            continue;
        }
        let path = |name: &str| sandbox.path(name).display().to_string();
        let data = path("e/lib/python3.11/site-packages/other/data");
        let want = format!("{data}:{}\n", path("libs/lib/libx.so"));
        assert_eq!(seen(&sandbox, "demo", &[], None), want);
        assert_eq!(seen(&sandbox, "demo", &[], Some("mine")), "mine\n");
        // Programs that it starts see it, too.
        let child = "import subprocess; subprocess.run(['sh', '-c', 'echo $DEMO_DATA'])";
        assert_eq!(seen(&sandbox, "python", &["-c", child], None), want);
    }
}

#[test]
fn a_variable_that_leads_nowhere_is_a_fault() {
    let sandbox = sandbox();
    let text = env(&sandbox, &[&ALL[..1], &ALL[2..]].concat());
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(
        text.contains("error: `DEMO_DATA` leads to `") && text.contains("which is not there"),
        "{text}"
    );
    assert!(
        text.contains("fix: add --rules FILE  # with an `[[environment]]` rule"),
        "{text}"
    );
    let text = env(&sandbox, &ALL[..4]);
    assert!(
        text.contains("of which no library path has a part"),
        "{text}"
    );
    // The rule is for other versions.
    fs_err::write(sandbox.path("r.toml"), RULE.replace("<2", "<1.2")).unwrap();
    let text = env(&sandbox, &ALL);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("applies to nothing"), "{text}");
    // It is left alone.
    let rule = RULE.replace("'{site-packages}/other/data:{lib:libx.so}'", "''");
    fs_err::write(sandbox.path("r.toml"), rule).unwrap();
    let text = env(&sandbox, &ALL[..4]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        !sandbox
            .path("e/lib/python3.11/site-packages/wheelfix-environment.pth")
            .is_file()
    );
}

#[test]
fn tensorflow_finds_the_files_of_nvcc_in_an_environment_of_prefixes() {
    let sandbox = Sandbox::new();
    let tensorflow = WheelBuilder::new("tensorflow", "2.21.0").file("tensorflow/__init__.py", "");
    let tensorflow = sandbox.wheel(&tensorflow);
    let nvcc = WheelBuilder::new("nvidia_cuda_nvcc_cu12", "12.9.86");
    let nvcc = sandbox.wheel(&nvcc.file("nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc", ""));
    for (wheel, prefix) in [(&tensorflow, "tf"), (&nvcc, "nvcc")] {
        let text = sandbox.run(&[
            "install",
            wheel,
            "--prefix",
            prefix,
            "--python-version",
            "3.11",
        ]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
    }
    let flags = "import os; print(os.environ.get('XLA_FLAGS'))";
    for (inputs, is_there) in [(&["tf", "nvcc"][..], true), (&["tf"], false)] {
        let text = env(&sandbox, inputs);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        let data = sandbox.path("e/lib/python3.11/site-packages/nvidia/cuda_nvcc");
        let want = format!("--xla_gpu_cuda_data_dir={}\n", data.display());
        let want = if is_there { want.as_str() } else { "None\n" };
        assert_eq!(seen(&sandbox, "python", &["-c", flags], None), want);
    }
}
