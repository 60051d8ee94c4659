//! uv as the resolver of what is not locked, on machines that lack something.

use wheelfix_testkit::cache;

use crate::support::Sandbox;

#[test]
fn a_python_is_asked_for_and_not_downloaded() {
    let sandbox = Sandbox::new();
    let uv = cache::tool("uv");
    let path = format!("{}:/usr/bin:/bin", uv.parent().unwrap().display());
    let args = ["lock", "base", "--target", "x86_64-linux-cp399"];
    let got = sandbox.run_with(&args, &[("PATH", &path), ("UV_NO_CONFIG", "1")]);
    assert!(got.starts_with("exit: 3\n"), "{got}");
    for want in [
        "error: uv finds no Python 3.99 or later",
        "`nix shell nixpkgs#python399`",
        "No interpreter found for Python >=3.99",
    ] {
        assert!(got.contains(want), "{want}: {got}");
    }
    // A package may be called so.
    let args = [
        "lock",
        "open-interpreter==99.0",
        "--target",
        "x86_64-linux-cp311",
    ];
    let python = cache::tool("python3");
    let variables = [
        ("PATH", &*path),
        ("UV_NO_CONFIG", "1"),
        ("UV_OFFLINE", "1"),
        ("UV_PYTHON", python.to_str().unwrap()),
    ];
    let got = sandbox.run_with(&args, &variables);
    let is_told = got.contains("uv makes no lock");
    assert!(got.starts_with("exit: 1\n") && is_told, "{got}");
}
