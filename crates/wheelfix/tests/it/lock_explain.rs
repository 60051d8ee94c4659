//! `wheelfix lock --explain` of what a selection does not take.

use crate::support::Sandbox;

const LOCK: &str = r#"version = 1
revision = 5
requires-python = ">=3.11"
conflicts = [[{ package = "app", extra = "cpu" }, { package = "app", extra = "gpu" }]]
[[package]]
name = "app"
version = "1.0"
source = { virtual = "." }
dependencies = [
    { name = "colours", marker = "sys_platform == 'win32' and python_version < '3.13'" },
    { name = "plain" },
    { name = "torch", version = "2.0+cpu", source = { registry = "https://cpu.example.org/simple" }, marker = "extra == 'extra-3-app-cpu'" },
    { name = "torch", version = "2.0+gpu", source = { registry = "https://gpu.example.org/simple" }, marker = "extra == 'extra-3-app-gpu'" },
]
[package.optional-dependencies]
cpu = []
gpu = [{ name = "driver" }]
[package.dev-dependencies]
test = [{ name = "pytest" }]
[[package]]
name = "colours"
version = "1"
source = { registry = "https://files.example.org/simple" }
dependencies = [{ name = "deep" }]
[[package]]
name = "deep"
version = "1"
source = { registry = "https://files.example.org/simple" }
[[package]]
name = "driver"
version = "1"
source = { registry = "https://files.example.org/simple" }
[[package]]
name = "left-over"
version = "1"
source = { registry = "https://files.example.org/simple" }
[[package]]
name = "plain"
version = "1"
source = { registry = "https://files.example.org/simple" }
[[package]]
name = "pytest"
version = "8"
source = { registry = "https://files.example.org/simple" }
[[package]]
name = "torch"
version = "2.0+cpu"
source = { registry = "https://cpu.example.org/simple" }
[[package]]
name = "torch"
version = "2.0+gpu"
source = { registry = "https://gpu.example.org/simple" }
"#;

fn explain(sandbox: &Sandbox, file: &str, more: &[&str]) -> String {
    let args = ["lock", file, "--target", "x86_64-linux-cp312"];
    sandbox.run(&[&args[..], &["--explain"], more].concat())
}

#[test]
fn each_way_that_does_not_lead_to_a_package_is_told() {
    let sandbox = Sandbox::new();
    fs_err::write(sandbox.path("uv.lock"), LOCK).unwrap();
    let mut text = String::new();
    for name in ["colours", "deep", "driver", "left-over", "plain", "pytest"] {
        text += &explain(&sandbox, "uv.lock", &[name]);
    }
    text += &explain(&sandbox, "uv.lock", &["torch", "--extra", "gpu"]);
    let text = text.replace("exit: 0\n--- stdout\n", "");
    insta::assert_snapshot!(text, @"
    colours 1 on x86_64-linux-cp312, not selected
      `app 1.0` requires it only where `sys_platform == 'win32' and python_version < '3.13'`: sys_platform is `linux`, python_version is `3.12`
    deep 1 on x86_64-linux-cp312, not selected
      `colours 1` requires it, and is not selected itself
    driver 1 on x86_64-linux-cp312, not selected
      the extra `gpu` of `app` brings it, and is not selected
    left-over 1 on x86_64-linux-cp312, not selected
      nothing of the lock requires it
    plain 1 on x86_64-linux-cp312, selected by default
    pytest 8 on x86_64-linux-cp312, not selected
      the group `test` of `app` brings it, and is not selected
    torch 2.0+cpu on x86_64-linux-cp312, not selected
      `app 1.0` requires it only where `extra == 'extra-3-app-cpu'`: `app[cpu]` is not selected
    torch 2.0+gpu on x86_64-linux-cp312, selected by default
    ");
    // With several selections, for each that does not have it.
    let all = ["pytest", "--select", "dev=test", "--select", "bare="];
    insta::assert_snapshot!(explain(&sandbox, "uv.lock", &all), @"
    exit: 0
    --- stdout
    pytest 8 on x86_64-linux-cp312, selected by dev
      not in default: the group `test` of `app` brings it, and is not selected
      not in bare: the group `test` of `app` brings it, and is not selected
    ");
}

/// Where packages are listed with conditions, as in `pylock.toml`, these are told.
#[test]
fn conditions_and_groups_of_a_list_are_told() {
    let sandbox = Sandbox::new();
    let package = |name: &str, marker: &str| {
        let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        format!(
            "[[packages]]\nname = \"{name}\"\nversion = \"1\"\nmarker = \"{marker}\"\nwheels = [{{ url = \
             \"https://files.example.org/{name}-1-py3-none-any.whl\", hashes = {{ sha256 = \"{hash}\" }} }}]\n"
        )
    };
    let lock = [
        "lock-version = \"1.0\"\ncreated-by = \"x\"\ndependency-groups = [\"test\"]\n".to_owned(),
        package("one", "os_name == 'nt'"),
        package("two", "'test' in dependency_groups"),
    ];
    fs_err::write(sandbox.path("pylock.toml"), lock.concat()).unwrap();
    let text = ["one", "two"].map(|name| explain(&sandbox, "pylock.toml", &[name]));
    insta::assert_snapshot!(text.concat(), @"
    exit: 0
    --- stdout
    one 1 on x86_64-linux-cp312, not selected
      the lock has it only where `os_name == 'nt'`: os_name is `posix`
      one-1-py3-none-any.whl: would be taken
    exit: 0
    --- stdout
    two 1 on x86_64-linux-cp312, not selected
      the lock has it only where `'test' in dependency_groups`: the group `test` is not selected
      two-1-py3-none-any.whl: would be taken
    ");
}

#[test]
fn of_a_name_that_is_not_there_the_nearest_is_told() {
    let sandbox = Sandbox::new();
    fs_err::write(sandbox.path("uv.lock"), LOCK).unwrap();
    insta::assert_snapshot!(explain(&sandbox, "uv.lock", &["pytests"]), @"
    exit: 1
    --- stderr
    error: no package of `uv.lock` is `pytests`
    hint: is `pytest` meant?
    ");
    insta::assert_snapshot!(explain(&sandbox, "uv.lock", &["zzz"]), @"
    exit: 1
    --- stderr
    error: no package of `uv.lock` is `zzz`
    ");
}
