//! `wheelfix lock --init`, `--package-expression` and `--verify`.

use std::path::Path;

use fs_err as fs;
use wheelfix_testkit::server::{Page, Server};

use crate::support::Sandbox;

const TARGET: [&str; 2] = ["--target", "x86_64-linux-cp311"];

/// The lock of the tests in Nix.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../nix/tests/lock/uv.lock");
    fs::copy(lock, sandbox.path("uv.lock")).unwrap();
    sandbox
}

#[test]
fn a_flake_is_written_around_a_lock() {
    let sandbox = sandbox();
    let args = [&["lock", "uv.lock", "--init"][..], &TARGET].concat();
    let other = ["--target", "aarch64-musl-cp311"];
    insta::assert_snapshot!(sandbox.run(&[&args[..], &other].concat()), @r"
    exit: 1
    --- stderr
    error: `--init` is for CPython on Linux with glibc, not for aarch64-musl-cp311
    ");
    assert_eq!(sandbox.names(), ["uv.lock"]);
    insta::assert_snapshot!(sandbox.run(&args), @r"
    exit: 0
    --- stdout
    wheelfix.lock.json and flake.nix
    --- stderr
    hint: in a repository Nix sees a flake and its files once they are added to it
    ");
    insta::assert_snapshot!(fs::read_to_string(sandbox.path("flake.nix")).unwrap());
    let document = fs::read_to_string(sandbox.path("wheelfix.lock.json")).unwrap();
    let printed = sandbox.run(&[&["lock", "uv.lock"][..], &TARGET].concat());
    assert_eq!(printed, format!("exit: 0\n--- stdout\n{document}"));
    insta::assert_snapshot!(sandbox.run(&args), @r"
    exit: 1
    --- stderr
    error: `wheelfix.lock.json` is there already, and not replaced
    error: `flake.nix` is there already, and not replaced
    ");
    fs::remove_file(sandbox.path("wheelfix.lock.json")).unwrap();
    fs::write(sandbox.path("flake.nix"), "mine").unwrap();
    assert!(sandbox.run(&args).starts_with("exit: 1\n"));
    assert_eq!(sandbox.names(), ["flake.nix", "uv.lock"]);
    assert_eq!(
        fs::read_to_string(sandbox.path("flake.nix")).unwrap(),
        "mine"
    );
}

#[test]
fn a_flake_says_where_the_paths_of_a_lock_begin() {
    let file = "{ path = \"../beside/demo-1.0-py3-none-any.whl\" }";
    let url = "{ url = \"https://files.example.org/demo-1.0-py3-none-any.whl\" }";
    for (source, has_root) in [(file, true), (url, false)] {
        let sandbox = Sandbox::new();
        let hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let name = "demo-1.0-py3-none-any.whl";
        let wheel = if has_root {
            format!("filename = \"{name}\"")
        } else {
            format!("url = \"https://files.example.org/{name}\"")
        };
        let lock = format!(
            "version = 1\n[[package]]\nname = \"demo\"\nversion = \"1.0\"\nsource = {source}\n\
            wheels = [{{ {wheel}, hash = \"{hash}\" }}]\n\
            [manifest]\nrequirements = [{{ name = \"demo\" }}]\n"
        );
        fs::write(sandbox.path("uv.lock"), lock).unwrap();
        let text = sandbox.run(&[&["lock", "uv.lock", "--init"][..], &TARGET].concat());
        assert!(text.starts_with("exit: 0\n"), "{text}");
        let flake = fs::read_to_string(sandbox.path("flake.nix")).unwrap();
        assert_eq!(flake.contains("root = ./.;"), has_root, "{flake}");
        // No project is read where it lies.
        assert!(!flake.contains(".shell {"), "{flake}");
    }
}

const BUILT: &str = r#"version = 1
[[package]]
name = "built"
version = "1.0"
source = { registry = "https://x" }
dependencies = [{ name = "3to2" }, { name = "or" }]
sdist = { url = "https://x/b${u}ilt-1.0.tar.gz", hash = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
[[package]]
name = "3to2"
version = "1.0"
source = { directory = "3to2" }
[[package]]
name = "or"
version = "1.0"
source = { directory = "or" }
[manifest]
requirements = [{ name = "built" }]
"#;

/// The expression of a package.
fn expression(sandbox: &Sandbox, name: &str) -> String {
    let args = ["lock", "uv.lock", "--package-expression", name];
    sandbox.run(&[&args[..], &TARGET].concat())
}

#[test]
fn a_wheel_is_printed_as_nix_with_those_that_it_needs() {
    let sandbox = sandbox();
    let run = |name: &str| expression(&sandbox, name);
    insta::assert_snapshot!(run("greenlet"), @r#"
    exit: 0
    --- stdout
    {
      docutils,
      fetchurl,
      mkWheel,
      python,
    }:
    mkWheel {
      inherit python;
      name = "greenlet-3.5.6";
      srcs = [
        (fetchurl {
          name = "greenlet-3.5.6-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl";
          url = "https://wheels.example.org/greenlet-3.5.6-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl";
          hash = "sha256-HCDqMqc9F7m2DjNxJA4XsAaBIMmKXsAaIkp92MiXM7o=";
        })
        (fetchurl {
          name = "pygments-2.21.0-py3-none-any.whl";
          url = "https://wheels.example.org/pygments-2.21.0-py3-none-any.whl";
          hash = "sha256-I2PGm2HEqXyDjaOxMNzWRo9ISJkrIagvKmPsNDdxN9k=";
        })
      ];
      dependencies = [
        docutils
      ];
    }
    "#);
    insta::assert_snapshot!(run("numpy"), @r#"
    exit: 0
    --- stdout
    {
      fetchurl,
      mkWheel,
      python,
    }:
    mkWheel {
      inherit python;
      src = fetchurl {
        name = "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl";
        url = "https://wheels.example.org/numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl";
        hash = "sha256-ic1Gg5nP0lBHGPC6UOQQ3KVaFwthoCrZK7GMimUYbpM=";
      };
    }
    "#);
}

#[test]
fn an_sdist_is_printed_as_nix_and_what_has_no_file_is_refused() {
    let sandbox = sandbox();
    let run = |name: &str| expression(&sandbox, name);
    insta::assert_snapshot!(run("app"), @r"
    exit: 1
    --- stderr
    error: `app` is not installed, so that there is no file to fetch
    ");
    insta::assert_snapshot!(run("absent"), @r"
    exit: 1
    --- stderr
    error: the selection has no package `absent`
    ");
    fs::write(sandbox.path("uv.lock"), BUILT).unwrap();
    insta::assert_snapshot!(run("built"), @r#"
    exit: 0
    --- stdout
    {
      buildPythonPackage,
      fetchurl,
      python,
      setuptools,
    }:
    buildPythonPackage {
      pname = "built";
      version = "1.0";
      pyproject = true;
      src = fetchurl {
        name = "b\${u}ilt-1.0.tar.gz";
        url = "https://x/b\${u}ilt-1.0.tar.gz";
        hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
      };
      build-system = [ setuptools ];
      dependencies = [
        python.pkgs."3to2"
        python.pkgs."or"
      ];
    }
    --- stderr
    note: x86_64-linux-cp311: built 1.0 is built from its sdist: the lock has no wheel
    "#);
    let two = [
        "lock",
        "uv.lock",
        "--package-expression",
        "built",
        "--target",
        "x86_64-linux-cp312",
    ];
    insta::assert_snapshot!(sandbox.run(&[&two[..], &TARGET].concat()), @r"
    exit: 2
    --- stderr
    error: `--package-expression` is for one `--target`
    ");
}

#[test]
fn files_that_are_gone_or_others_are_told() {
    let server = Server::start();
    let sandbox = sandbox();
    let of_empty = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let file =
        |name: &str, place: &str| format!("\"{name}\": {{{place}, \"hash\": \"{of_empty}\"}}");
    let url = |path: &str| format!("\"url\": \"{}\"", server.url(path));
    let write = |files: &[String]| {
        let text = format!(
            "{{\"version\": 1, \"files\": {{{}}}, \"targets\": {{}}}}",
            files.join(", ")
        );
        fs::write(sandbox.path("wheelfix.lock.json"), text).unwrap();
    };
    let run = || {
        let args = ["lock", "wheelfix.lock.json", "--verify"];
        let got = sandbox.run_with(
            &args,
            &[
                ("no_proxy", "*"),
                ("PIP_INDEX_URL", &server.url("/").replace("//", "//me:pw@")),
            ],
        );
        got.replace(&server.host(), "HOST")
    };
    server.page("/a.whl", Page::new("").only_for("bWU6cHc="));
    server.page("/b.whl", Page::new("other"));
    fs::write(sandbox.path("here.whl"), "").unwrap();
    let (a, here) = (
        file("a.whl", &url("/a.whl")),
        file("here.whl", "\"path\": \"here.whl\""),
    );
    write(&[a.clone(), here]);
    insta::assert_snapshot!(run(), @r"
    exit: 0
    --- stdout
    2 files as in the lock
    ");
    fs::write(sandbox.path("here.whl"), "other").unwrap();
    write(&[
        a,
        file("b.whl", &url("/b.whl")),
        file("c.whl", &url("/c.whl?X-Signature=1")),
        file("d.whl", "\"path\": \"d.whl\""),
        file("e.whl", "\"path\": \"here.whl\""),
    ]);
    insta::assert_snapshot!(run(), @r"
    exit: 1
    --- stderr
    error: `wheelfix.lock.json`: `d.whl` is gone: failed to open file `d.whl`: No such file or directory (os error 2)
    error: `wheelfix.lock.json`: `here.whl` is another file than the one of the lock: expected sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=, got sha256-2SmKENGwc1g33EvYXaxkGw887yekfl1TpU8vP1svz/o=
    error: `wheelfix.lock.json`: `http://HOST/b.whl` is another file than the one of the lock: expected sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=, got sha256-2SmKENGwc1g33EvYXaxkGw887yekfl1TpU8vP1svz/o=
    error: `wheelfix.lock.json`: `http://HOST/c.whl` is gone: status 404
    ");
    fs::write(sandbox.path("wheelfix.lock.json"), "{}").unwrap();
    insta::assert_snapshot!(run(), @r"
    exit: 1
    --- stderr
    error: `wheelfix.lock.json` is not the document of a lock: missing field `version` at line 1 column 2
    ");
}
