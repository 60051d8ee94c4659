//! `wheelfix lock`: what is printed and written, and how it ends.

use std::path::Path;

use fs_err as fs;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const LOCK: &str = r#"version = 1
revision = 5
requires-python = ">=3.11.4"
conflicts = [[{ package = "app", extra = "cpu" }, { package = "app", extra = "gpu" }]]
[[package]]
name = "app"
version = "1.0"
source = { virtual = "." }
dependencies = [{ name = "one" }]
[package.optional-dependencies]
cpu = []
gpu = []
[[package]]
name = "one"
version = "2.0"
source = { registry = "https://files.example.org/simple" }
wheels = [
    { url = "https://files.example.org/one-2.0-cp311-cp311-manylinux_2_28_x86_64.whl", hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { url = "https://files.example.org/one-2.0-1-cp311-cp311-manylinux_2_28_x86_64.whl", hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", size = 3 },
]
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    fs_err::write(sandbox.path("uv.lock"), LOCK).unwrap();
    sandbox
}

#[test]
fn the_document_is_printed_or_written_whole() {
    let sandbox = sandbox();
    let args = ["lock", "uv.lock", "--target", "x86_64-linux-cp311.9"];
    let printed = sandbox.run(&args);
    insta::assert_snapshot!(printed);
    let written = sandbox.run(&[&args[..], &["-o", "out.json"]].concat());
    assert_eq!(
        written,
        "exit: 0\n--- stdout\n1 file for 1 target, in out.json\n"
    );
    let text = fs_err::read_to_string(sandbox.path("out.json")).unwrap();
    assert_eq!(printed, format!("exit: 0\n--- stdout\n{text}"));
    // It is replaced, and nothing is left beside it.
    sandbox.run(&[&args[..], &["-q", "-o", "out.json"]].concat());
    let names = fs_err::read_dir(sandbox.path(".")).unwrap();
    assert_eq!(names.count(), 2);
}

/// Before revision 5 uv leaves the default groups in pyproject.toml.
#[test]
fn an_older_lock_has_the_default_groups_of_its_project() {
    let sandbox = Sandbox::new();
    let groups = "[package.dev-dependencies]\ndev = []\ndocs = [{ name = \"one\" }]\n[[package]]\nname = \"one\"";
    let old = LOCK
        .replace("revision = 5", "revision = 3")
        .replace("dependencies = [{ name = \"one\" }]\n", "")
        .replace("[[package]]\nname = \"one\"", groups);
    fs::create_dir(sandbox.path("project")).unwrap();
    fs::write(sandbox.path("project/uv.lock"), old).unwrap();
    // That of another directory is not the project's.
    let all = "[tool.uv]\ndefault-groups = \"all\"\n";
    fs::write(sandbox.path("pyproject.toml"), all).unwrap();
    let count = |project: Option<&str>| {
        if let Some(text) = project {
            fs::write(sandbox.path("project/pyproject.toml"), text).unwrap();
        }
        let args = [
            "lock",
            "project/uv.lock",
            "--target",
            "x86_64-linux-cp311.9",
        ];
        let text = sandbox.run(&[&args[..], &["-o", "out.json"]].concat());
        let (_, counts) = text
            .split_once("--- stdout\n")
            .unwrap_or_else(|| panic!("{text}"));
        counts.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(count(None), "0");
    assert_eq!(count(Some("[project]\nname = \"app\"\n")), "0");
    assert_eq!(count(Some("[tool.uv]\ndefault-groups = [\"docs\"]\n")), "1");
    assert_eq!(count(Some(all)), "1");
    fs::write(sandbox.path("project/pyproject.toml"), "[tool\n").unwrap();
    let args = [
        "lock",
        "project/uv.lock",
        "--target",
        "x86_64-linux-cp311.9",
    ];
    let text = sandbox.run(&args);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("./pyproject.toml"),
        "{text}"
    );
}

#[test]
fn each_wheel_is_explained() {
    let sandbox = sandbox();
    let args = [
        "lock",
        "uv.lock",
        "--target",
        "x86_64-linux-cp311.9",
        "--target",
        "aarch64-musl-cp313",
    ];
    insta::assert_snapshot!(sandbox.run(&[&args[..], &["--explain", "one"]].concat()), @r"
    exit: 0
    --- stdout
    one 2.0 on x86_64-linux-cp311.9, selected by default
      one-2.0-1-cp311-cp311-manylinux_2_28_x86_64.whl: taken
      one-2.0-cp311-cp311-manylinux_2_28_x86_64.whl: fits, and the first one is better
    one 2.0 on aarch64-musl-cp313, selected by default
      one-2.0-cp311-cp311-manylinux_2_28_x86_64.whl: the wheel is for cp311, the target is cp313
      one-2.0-1-cp311-cp311-manylinux_2_28_x86_64.whl: the wheel is for cp311, the target is cp313
    ");
}

#[test]
fn the_explanation_prefers_what_the_document_does() {
    let sandbox = sandbox();
    let sdist = "sdist = { url = \"https://files.example.org/one-2.0.tar.gz\", hash = \"sha256:\
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\" }\nwheels";
    fs::write(sandbox.path("uv.lock"), LOCK.replace("wheels", sdist)).unwrap();
    let target = ["lock", "uv.lock", "--target", "x86_64-linux-cp311.9"];
    let args = [&target[..], &["--prefer", "one=sdist", "--prefer", "wheel"]].concat();
    let document = sandbox.run(&args);
    assert!(
        document.contains("\"sdist\": \"one-2.0.tar.gz"),
        "{document}"
    );
    let text = sandbox.run(&[&args[..], &["--explain", "one"]].concat());
    assert!(text.contains("one-2.0.tar.gz: taken"), "{text}");
}

#[test]
fn all_that_comes_from_an_index_may_be_left_to_nixpkgs() {
    let sandbox = sandbox();
    let target = ["lock", "uv.lock", "--target", "x86_64-linux-cp311.9"];
    let all = [&target[..], &["--prefer", "nixpkgs"]].concat();
    let text = sandbox.run(&[&all[..], &["--explain", "one"]].concat());
    assert!(text.contains("taken from nixpkgs, as `one`"), "{text}");
    assert!(!text.contains(": taken"), "{text}");
    let document = sandbox.run(&all);
    assert!(document.contains("\"nixpkgs\": \"one\""), "{document}");
    // The project itself is in no index.
    assert!(!document.contains("\"nixpkgs\": \"app\""), "{document}");
    let document = sandbox.run(&[&all[..], &["--prefer", "one=wheel"]].concat());
    assert!(!document.contains("\"nixpkgs\""), "{document}");
    let one = [&target[..], &["--prefer", "one=nixpkgs"]].concat();
    let document = sandbox.run(&one);
    assert!(document.contains("\"nixpkgs\": \"one\""), "{document}");
}

#[test]
fn faults_come_with_a_fix() {
    let sandbox = sandbox();
    let run = |args: &[&str]| sandbox.run(&[&["lock", "uv.lock"], args].concat());
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp311", "--extra", "gpuu"]), @r"
    exit: 1
    --- stderr
    error: `uv.lock`: x86_64-linux-cp311, selection `default`: `requires-python`: the lock is for Python >=3.11.4, the target has 3.11.0
    error: `uv.lock`: x86_64-linux-cp311, selection `default`: there is no extra `gpuu`; there are: cpu, gpu
    hint: a target may have a micro version, as `--target x86_64-linux-cp311.9`; without one it is 0
    hint: for `gpuu`, is `gpu` meant?
    ");
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp313.1"]), @r"
    exit: 1
    --- stderr
    error: `uv.lock`: x86_64-linux-cp313.1: package `one 2.0`: `wheels`: no file fits the target: there are wheels for cp311, this is cp313
    hint: `--explain NAME` says of each wheel why it was not taken; `--from-nixpkgs NAME` takes the package from nixpkgs
    ");
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp311.9", "--extra", "gpu", "--extra", "cpu"]), @r"
    exit: 1
    --- stderr
    error: `uv.lock`: x86_64-linux-cp311.9, selection `default`: `app[cpu]` and `app[gpu]` cannot be selected together: the lock says that of `app[cpu]`, `app[gpu]`
    ");
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp311.9", "--explain", "nobody"]), @r"
    exit: 1
    --- stderr
    error: no package of `uv.lock` is `nobody`
    ");
}

#[test]
fn wrong_usage_and_what_is_not_there_are_told() {
    let sandbox = sandbox();
    let run = |args: &[&str]| sandbox.run(&[&["lock", "uv.lock"], args].concat());
    insta::assert_snapshot!(run(&["--target", "linux"]), @r"
    exit: 2
    --- stderr
    error: invalid value 'linux' for '--target <TARGET>': expected machine-system-python as `x86_64-linux-cp313`, got `linux`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp311.9", "--select", "x"]), @r"
    exit: 2
    --- stderr
    error: `--select x`: expected `NAME=EXTRAS,GROUPS`, got `x`
    ");
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp311.9", "--prefer", "one=tar"]), @r"
    exit: 2
    --- stderr
    error: invalid value 'one=tar' for '--prefer <[NAME=]wheel|sdist|nixpkgs>': expected `wheel`, `sdist` or `nixpkgs`, got `tar`

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp311.9", "-o", "absent/x.json"]), @r"
    exit: 3
    --- stderr
    error: there is no directory for `[DIR]/absent/x.json`
    ");
    insta::assert_snapshot!(sandbox.run(&["lock", "absent.lock", "--target", "x86_64-linux-cp311"]), @r"
    exit: 3
    --- stderr
    error: failed to open file `absent.lock`: No such file or directory (os error 2)
    ");
    fs_err::write(sandbox.path("uv.lock"), b"version = 1\n# \xff").unwrap();
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp311"]), @r"
    exit: 1
    --- stderr
    error: `uv.lock`: not UTF-8 at byte 14
    ");
    let huge = fs_err::File::create(sandbox.path("uv.lock")).unwrap();
    huge.set_len((100 << 20) + 1).unwrap();
    insta::assert_snapshot!(run(&["--target", "x86_64-linux-cp311"]), @r"
    exit: 1
    --- stderr
    error: `uv.lock` has 104857601 bytes, which is more than any lock file
    ");
}

#[test]
fn answers_of_an_index_are_read_from_files() {
    let sandbox = Sandbox::new();
    let zeros = "00".repeat(32);
    let requirements = format!("idna==3.20 --hash=sha256:{zeros}\n");
    fs_err::write(sandbox.path("requirements.txt"), requirements).unwrap();
    fs_err::create_dir(sandbox.path("answers")).unwrap();
    let args = ["lock", "requirements.txt", "--target", "x86_64-linux-cp313"];
    let with = |more: &[&str]| sandbox.run(&[&args[..], more].concat());
    let missing = with(&["--index-answer", "answers"]);
    assert!(missing.starts_with("exit: 1\n--- stderr\nerror: `requirements.txt`: x86_64-linux-cp313: package `idna 3.20`: `wheels`: the lock does not say where `idna 3.20` is\nhint: "), "{missing}");
    assert!(with(&["--index-answer", "absent"]).starts_with("exit: 3\n"));
    let answer = format!(
        "{{\"files\": [{{\"filename\": \"idna-3.20-py3-none-any.whl\", \"url\": \"https://files.example.org/idna-3.20-py3-none-any.whl\", \"hashes\": {{\"sha256\": \"{zeros}\"}}}}]}}"
    );
    fs_err::write(sandbox.path("answers/idna.json"), answer).unwrap();
    let found = with(&["--index-answer", "answers"]);
    assert!(
        found.starts_with("exit: 0\n")
            && found.contains("\"wheel\": \"idna-3.20-py3-none-any.whl\""),
        "{found}"
    );
    fs_err::write(sandbox.path("answers/idna.json"), "<html>").unwrap();
    assert!(with(&["--index-answer", "answers"]).starts_with("exit: 1\n"));
}

#[test]
fn hardware_is_declared() {
    let sandbox = Sandbox::new();
    let torch = |local: &str| {
        format!(
            "[[package]]\nname = \"torch\"\nversion = \"2.8.0+{local}\"\nsource = {{ registry = \"https://x/{local}\" }}\n\
             wheels = [{{ url = \"https://x/torch-2.8.0%2B{local}-py3-none-any.whl\", hash = \"sha256:{}\" }}]\n",
            "00".repeat(32)
        )
    };
    let names = ["cpu", "cu126", "cu128"];
    let members = names.map(|name| format!("{{ package = \"app\", extra = \"{name}\" }}"));
    let edges = names.map(|name| {
        format!("{name} = [{{ name = \"torch\", version = \"2.8.0+{name}\", source = {{ registry = \"https://x/{name}\" }} }}]\n")
    });
    let lock = format!(
        "version = 1\nconflicts = [[{}]]\n[[package]]\nname = \"app\"\nversion = \"1\"\nsource = {{ virtual = \".\" }}\n\
         [package.optional-dependencies]\n{}{}",
        members.join(", "),
        edges.concat(),
        names.map(torch).concat()
    );
    fs::write(sandbox.path("uv.lock"), lock).unwrap();
    let run = |more: &[&str]| {
        let args = ["lock", "uv.lock", "--target", "x86_64-linux-cp313"];
        sandbox.run(&[&args[..], more].concat())
    };
    for (profile, version) in [
        ("cuda=12.7", "2.8.0+cu126"),
        ("cuda=13.2,sm=90", "2.8.0+cu128"),
        ("cpu", "2.8.0+cpu"),
    ] {
        let got = run(&["--profile", profile]);
        assert!(got.starts_with("exit: 0\n"), "{profile}: {got}");
        assert!(
            got.contains(&format!("\"version\": \"{version}\"")),
            "{profile}: {got}"
        );
        assert_eq!(
            got.contains("`wheelfix inspect` does"),
            profile.contains("sm=")
        );
    }
    let got = run(&["--profile", "cuda=12.4"]);
    assert!(got.contains("error: `uv.lock`: nothing of the lock is for CUDA 12.4: there is something for the CPU, CUDA 12.6, CUDA 12.8\n"), "{got}");
    // What is selected stays selected, and is checked.
    let got = run(&["--profile", "cuda=12.7", "--extra", "cu128"]);
    assert!(got.contains("package `torch 2.8.0+cu128`: `version`: the version is for CUDA 12.8, the profile has CUDA 12.7\n"), "{got}");
    assert!(run(&["--profile", "gpu"]).starts_with("exit: 2\n"));
}

/// Nix builds the packages of this one.
#[test]
fn locks_of_the_tests_in_nix_are_what_their_documents_say() {
    let sandbox = Sandbox::new();
    let of_tests = |name: &str| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/tests/lock");
        fs_err::read_to_string(root.join(name)).unwrap()
    };
    let older = ["--target", "x86_64-linux-cp311"];
    let newer = ["--target", "x86_64-linux-cp313"];
    for (lock, document, targets) in [
        ("uv.lock", "wheelfix.lock.json", older.to_vec()),
        (
            "pythons.uv.lock",
            "pythons.lock.json",
            [older, newer].concat(),
        ),
    ] {
        fs_err::write(sandbox.path(lock), of_tests(lock)).unwrap();
        let text = sandbox.run(&[&["lock", lock][..], &targets].concat());
        let expected = of_tests(document);
        assert_eq!(text, format!("exit: 0\n--- stdout\n{expected}"));
    }
}

/// Nix builds their packages, too: of a Poetry, with answers of an index, of pip and of Makes.
#[test]
fn other_locks_of_the_tests_in_nix_are_what_their_documents_say() {
    let sandbox = Sandbox::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/tests/lock");
    let of_uv = fs::read_to_string(root.join("wheelfix.lock.json")).unwrap();
    let of_uv: serde_json::Value = serde_json::from_str(&of_uv).unwrap();
    fs::create_dir(sandbox.path("answers")).unwrap();
    for (name, file) in of_uv["files"].as_object().unwrap() {
        let hash = file["hash"].as_str().unwrap().trim_start_matches("sha256-");
        let digest = data_encoding::BASE64.decode(hash.as_bytes());
        let digits = digest
            .unwrap()
            .into_iter()
            .map(|byte| format!("{byte:02x}"));
        let answer = serde_json::json!({"files": [{
            "filename": name,
            "url": file["url"],
            "size": file["size"],
            "hashes": { "sha256": digits.collect::<Vec<_>>().concat() },
        }]});
        let package = name.split('-').next().unwrap();
        let path = sandbox.path(&format!("answers/{package}.json"));
        fs::write(path, answer.to_string()).unwrap();
    }
    for name in ["poetry.lock", "pylock.toml", "sources.yaml"] {
        fs::copy(root.join(name), sandbox.path(name)).unwrap();
        let args = ["lock", name, "--target", "x86_64-linux-cp311"];
        let text = sandbox.run(&[&args[..], &["-q", "--index-answer", "answers"]].concat());
        let expected = fs::read_to_string(root.join(format!("{name}.json"))).unwrap();
        assert_eq!(text, format!("exit: 0\n--- stdout\n{expected}"));
    }
}

/// Runs with uv, whose only index is a directory.
fn run_with_uv(sandbox: &Sandbox, args: &[&str]) -> String {
    let uv = wheelfix_testkit::cache::tool("uv");
    let path = format!("{}:/usr/bin:/bin", uv.parent().unwrap().display());
    let links = sandbox.path("links");
    let cache = sandbox.path("cache");
    let variables = [
        ("PATH", path.as_str()),
        ("UV_FIND_LINKS", links.to_str().unwrap()),
        ("UV_CACHE_DIR", cache.to_str().unwrap()),
        ("UV_NO_INDEX", "1"),
        ("UV_OFFLINE", "1"),
    ];
    sandbox.run_with(args, &variables)
}

/// A sandbox with `links`, which has two versions of one package and one that wants the older.
fn with_links() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("links")).unwrap();
    let wheel = |version: &str| WheelBuilder::new("base", version).file("base.py", "x = 1\n");
    for version in ["1.0", "2.0"] {
        wheel(version).write_to(&sandbox.path("links"));
    }
    let user = WheelBuilder::new("user", "3.0").metadata("Requires-Dist: base<2\n");
    user.write_to(&sandbox.path("links"));
    sandbox
}

#[test]
fn uv_resolves_what_is_not_locked() {
    let sandbox = with_links();
    fs::write(
        sandbox.path("requirements.in"),
        "# what is wanted\nuser >= 3  # all\n\n",
    )
    .unwrap();
    let project = "[project]\nname = \"own\"\nversion = \"1\"\nrequires-python = \">=3.11\"\n\
        dependencies = [\"user\"]\n[tool.uv]\npackage = false\n";
    fs::write(sandbox.path("pyproject.toml"), project).unwrap();
    let target = ["--target", "x86_64-linux-cp311"];
    for inputs in [
        &["requirements.in"][..],
        &["pyproject.toml"],
        &["user>=3", "base"],
        &["user"],
    ] {
        let got = run_with_uv(&sandbox, &[&["lock"], inputs, &target].concat());
        assert!(got.starts_with("exit: 0\n"), "{got}");
        for want in [
            "\"base-1.0-py3-none-any.whl\"",
            "\"user-3.0-py3-none-any.whl\"",
            &format!(
                "\"path\": \"{}\",\n    \"format\": \"uv\"",
                inputs.join(" ")
            ),
        ] {
            assert!(got.contains(want), "{inputs:?}: {got}");
        }
    }
    assert!(!sandbox.path("uv.lock").is_file());

    let got = run_with_uv(
        &sandbox,
        &[&["lock", "user", "base>=2"][..], &target].concat(),
    );
    assert!(
        got.starts_with("exit: 1\n") && got.contains("uv makes no lock"),
        "{got}"
    );
    assert!(got.contains("No solution found"), "{got}");
    assert!(!got.contains("\\n"), "{got}");
    let got = run_with_uv(
        &sandbox,
        &[&["lock", "user", "pyproject.toml"][..], &target].concat(),
    );
    let want = "`pyproject.toml` is neither a requirement nor the only input";
    assert!(got.contains(want), "{got}");
    let mut command = sandbox.command(&[&["lock", "user"][..], &target].concat());
    let output = command.env("PATH", "/no/such").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("uv resolves what is not locked"));
}

/// All that uv understands of such a file, as other files and constraints.
#[test]
fn files_of_requirements_are_for_uv_as_they_are() {
    let sandbox = with_links();
    fs::create_dir(sandbox.path("sub")).unwrap();
    let lines = "user>=3 \\\n  --hash=sha256:HASH\n-r more.in\n-c bounds.txt\n--pre\n";
    let lines = lines.replace("HASH", &"0".repeat(64));
    fs::write(sandbox.path("sub/requirements.txt"), lines).unwrap();
    fs::write(sandbox.path("sub/more.in"), "base\n").unwrap();
    fs::write(sandbox.path("sub/bounds.txt"), "base<2\n").unwrap();
    let target = ["--target", "x86_64-linux-cp311"];
    let lock = |name: &str| run_with_uv(&sandbox, &[&["lock", name][..], &target].concat());
    let got = lock("sub/requirements.txt");
    assert!(got.starts_with("exit: 0\n"), "{got}");
    for want in ["base-1.0-py3-none-any.whl", "user-3.0-py3-none-any.whl"] {
        assert!(got.contains(want), "{got}");
    }
    fs::write(sandbox.path("sub/odd.in"), "user\n-r absent.in\n").unwrap();
    let got = lock("sub/odd.in");
    assert!(
        got.contains("uv makes no lock") && got.contains("absent.in"),
        "{got}"
    );
    // Paths of its lock begin elsewhere.
    let wheel = "user\n./../links/base-1.0-py3-none-any.whl\n";
    fs::write(sandbox.path("sub/paths.in"), wheel).unwrap();
    let got = lock("sub/paths.in");
    let want = "error: `sub/paths.in`: `base 1.0` lies at a path\nhint: `uv lock` in the directory of the project";
    assert!(got.starts_with("exit: 1\n") && got.contains(want), "{got}");
}

#[test]
fn a_project_that_says_nothing_to_uv_is_refused() {
    let sandbox = with_links();
    let args = ["lock", "pyproject.toml", "--target", "x86_64-linux-cp311"];
    let path = sandbox.path("pyproject.toml");
    let poetry = "[tool.poetry]\nname = \"p\"\n[tool.poetry.dependencies]\nuser = \"*\"\n";
    for (text, hint) in [
        (
            poetry,
            "hint: `poetry lock` writes poetry.lock: give that file",
        ),
        (
            "[build-system]\nrequires = [\"setuptools\"]\n",
            "hint: what stands in setup.cfg or setup.py is for setuptools alone: give requirements, or a file of them as \
             requirements.in",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let got = run_with_uv(&sandbox, &args);
        let want = "error: `pyproject.toml`: there is no `[project]`, which is where uv looks for requirements";
        assert!(got.starts_with("exit: 1\n") && got.contains(want), "{got}");
        assert!(got.contains(hint), "{got}");
    }
}

#[test]
fn requirements_that_are_not_pinned_are_no_lock() {
    let sandbox = with_links();
    let args = ["lock", "requirements.txt", "--target", "x86_64-linux-cp311"];
    let path = sandbox.path("requirements.txt");
    fs::write(&path, "user==3.0  # pinned\nbase==1.*\n").unwrap();
    let got = run_with_uv(&sandbox, &args);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    for want in ["\"base-1.0-py3-none-any.whl\"", "\"format\": \"uv\""] {
        assert!(got.contains(want), "{got}");
    }
    // All pins: read as it is, and what it lacks is told.
    fs::write(&path, "base==1.0\n").unwrap();
    let got = run_with_uv(&sandbox, &args);
    assert!(got.contains("the lock names no file"), "{got}");
}

/// Nothing is asked of an index for the name of a directory.
#[test]
fn a_directory_is_no_name_of_a_package() {
    let sandbox = sandbox();
    for directory in ["up", "empty", "pip tools"] {
        fs::create_dir(sandbox.path(directory)).unwrap();
    }
    fs::write(sandbox.path("up/uv.lock"), LOCK).unwrap();
    fs::write(sandbox.path("up/pyproject.toml"), "").unwrap();
    fs::write(sandbox.path("pip tools/requirements.txt"), "six==1\n").unwrap();
    let lock = |words: &[&str]| {
        let target = ["--target", "x86_64-linux-cp311.9"];
        sandbox.run(&[&["lock"], words, &target].concat())
    };
    insta::assert_snapshot!(lock(&["up"]), @"
    exit: 1
    --- stderr
    error: `up` is a directory, and `uv.lock` is in it
      fix: name up/uv.lock
    next: wheelfix lock up/uv.lock --target x86_64-linux-cp311.9
    ");
    insta::assert_snapshot!(lock(&["empty"]), @"
    exit: 1
    --- stderr
    error: `empty` is a directory without any of `uv.lock`, `pylock.toml`, `poetry.lock`, `pdm.lock`, `Pipfile.lock`, `pixi.lock`, `conda-lock.yml`, `requirements.txt`, `pyproject.toml`
      fix: name 'empty>=0'  # if the package is meant
    ");
    insta::assert_snapshot!(lock(&["pip tools", "demo", "up"]), @"
    exit: 1
    --- stderr
    error: `pip tools` is a directory, and `requirements.txt` is in it
      fix: name 'pip tools/requirements.txt'
    error: `up` is a directory, and `uv.lock` is in it
      fix: name up/uv.lock
    ");
    for (word, file) in [
        (".", "./uv.lock"),
        ("./", "./uv.lock"),
        ("up/", "up/uv.lock"),
    ] {
        let text = lock(&[word, "--no-default-groups"]);
        let want = format!(
            "\nnext: wheelfix lock {file} --no-default-groups --target x86_64-linux-cp311.9\n"
        );
        assert!(
            text.starts_with("exit: 1\n") && text.contains(&want),
            "{text}"
        );
    }
    assert!(lock(&["up/uv.lock"]).starts_with("exit: 0\n"));
}

#[test]
fn the_line_that_asks_an_index_is_told_at_once() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("requirements.txt"), "six==1\n").unwrap();
    let args = ["lock", "requirements.txt", "--target", "x86_64-linux-cp311"];
    let text = sandbox.run(&args);
    let want = "`PIP_INDEX_URL=https://HOST/simple wheelfix lock ... --fetch`";
    assert!(text.contains(want) && !text.contains("next:"), "{text}");
    let index = [("PIP_INDEX_URL", "https://index.example.org/simple")];
    let text = sandbox.run_with(&args, &index);
    assert!(!text.contains("HOST"), "{text}");
    let next = "\nnext: wheelfix lock requirements.txt --target x86_64-linux-cp311 --fetch\n";
    assert!(text.contains(next), "{text}");
}
