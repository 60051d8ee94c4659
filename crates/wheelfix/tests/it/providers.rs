//! Where a library can be had: packages that nixpkgs does not evaluate unasked spoil no other fix, and what a fix names is
//! found where that has it.

use serde_json::json;
use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const SETTING: &str = "config.permittedInsecurePackages = [ \"openssl-1.1.1w\" ];";

/// A wheel with a module that needs libraries of which each has another fate in nixpkgs.
fn wheel(sandbox: &Sandbox) -> String {
    let names = [
        "libz.so.1",
        "libssl.so.1.1",
        "libmysqlclient.so.21",
        "libcudart.so.12",
    ];
    for name in names {
        let soname = format!("-Wl,-soname,{name}");
        sandbox.library("int f;", &[&soname, "-o", name]);
    }
    let link = ["-Wl,--no-as-needed", "-o", "m.so"];
    sandbox.library("int g;", &[&link[..], &names[..]].concat());
    let module = fs_err::read(sandbox.path("m.so")).unwrap();
    for name in names {
        fs_err::remove_file(sandbox.path(name)).unwrap();
    }
    let wheel = WheelBuilder::new("m", "1.0").file("m/__init__.py", "");
    sandbox.wheel(&wheel.file("m/m.so", module))
}

#[test]
fn what_has_to_be_allowed_is_said_in_a_line_of_its_own() {
    let sandbox = Sandbox::new();
    let wheel = wheel(&sandbox);
    let text = sandbox.run(&["install", &wheel, "--prefix", "p", "--no-bytecode"]);
    for want in [
        format!("'with import <nixpkgs> {{ {SETTING} }}; lib.getLib openssl_1_1')\"  # `libssl.so.1.1`, insecure: nobody"),
        "'with import <nixpkgs> { config.allowUnfree = true; }; lib.getLib cudaPackages_12.cuda_cudart')\"  # `libcudart.so.12`, unfree\n".to_owned(),
        "  fix: add --lib-path DIR  # where DIR has `libmysqlclient.so.21`, `mysql80` is removed from nixpkgs, an older one has it\n".to_owned(),
    ] {
        assert!(text.contains(&want), "{want}: {text}");
    }
    let next = text
        .lines()
        .find(|line| line.starts_with("next: "))
        .unwrap();
    let both =
        "{ config.allowUnfree = true; }; map lib.getLib [ cudaPackages_12.cuda_cudart zlib ]";
    assert!(
        next.contains(both) && next.ends_with("  # mends 2 of 4"),
        "{text}"
    );
}

#[test]
fn in_a_build_the_configuration_is_named() {
    let sandbox = Sandbox::new();
    let wheel = wheel(&sandbox);
    let attributes = json!({
        "outputs": {"out": sandbox.path("out")},
        "src": sandbox.path(&wheel),
        "wheelfix": {"python": cache::tool("python3"), "bytecode": false},
    });
    let file = sandbox.path("attrs.json");
    fs_err::write(&file, attributes.to_string()).unwrap();
    let variables = [("NIX_ATTRS_JSON_FILE", file.to_str().unwrap())];
    let text = sandbox.run_with(&["builder"], &variables);
    let allowed = format!(": nixpkgs with `{SETTING}`\n");
    assert!(
        text.contains("[ (lib.getLib pkgs.openssl_1_1) ];  # `libssl.so.1.1`, insecure"),
        "{text}"
    );
    assert!(
        text.contains(&allowed)
            && text.contains("unfree: nixpkgs with `config.allowUnfree = true;`"),
        "{text}"
    );
    let next = text
        .lines()
        .find(|line| line.starts_with("next: "))
        .unwrap();
    assert!(
        !next.contains("openssl_1_1") && !next.contains("mysql80"),
        "{text}"
    );
}

/// As `jep`: the virtual machine lies deep in the package.
#[test]
fn the_package_that_is_named_for_java_has_it() {
    let sandbox = Sandbox::new();
    let place = sandbox.path("jdk/lib/openjdk/lib/server");
    fs_err::create_dir_all(&place).unwrap();
    let args = ["-Wl,-soname,libjvm.so", "-o", "libjvm.so"];
    sandbox.library("int f;", &args);
    sandbox.library("int g;", &["-Wl,--no-as-needed", "-o", "m.so", "libjvm.so"]);
    let module = fs_err::read(sandbox.path("m.so")).unwrap();
    fs_err::rename(sandbox.path("libjvm.so"), place.join("libjvm.so")).unwrap();
    let wheel = WheelBuilder::new("m", "1.0").file("m/__init__.py", "");
    let wheel = sandbox.wheel(&wheel.file("m/m.so", module));
    let args = ["install", &wheel, "--prefix", "p", "--no-bytecode"];
    let text = sandbox.run(&args);
    assert!(
        text.contains("lib.getLib jdk')\"  # `libjvm.so`\n"),
        "{text}"
    );
    let text = sandbox.run(&[&args[..], &["--lib-path", "jdk"]].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
}
