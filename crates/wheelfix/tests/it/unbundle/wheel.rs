//! Wheels made from wheels.

use std::process::Command;

use wheelfix_testkit::wheel::WheelBuilder;

use super::{COPY, FOO, Shop, VERSIONS, dynamic};

#[test]
fn a_wheel_is_unbundled_into_a_new_one() {
    let shop = Shop::new();
    shop.substitute(FOO, VERSIONS);
    let read = |name: &str| fs_err::read(shop.path(name)).unwrap();
    let sbom = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "libfoo", "version": "1"}, {"type": "library", "name": "other"}]}"#;
    let wheel = WheelBuilder::new("pkg", "1.0")
        .platlib()
        .tags("cp311-cp311-manylinux_2_17_x86_64")
        .file("pkg/ext.so", read("site/pkg/ext.so"))
        .file("pkg.libs/libfoo-01234567.so.1.0.0", read(COPY))
        .dist_info("sboms/auditwheel.cdx.json", sbom);
    let name = shop.sandbox.wheel(&wheel);
    let options = ["--rules", "foo.toml", "--lib-path", "store"];
    let run = |args: &[&str]| shop.sandbox.run(&[args, &options].concat());
    let text = run(&["unbundle", &name, "-o", "out"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("pkg-1.0-cp311-cp311-linux_x86_64.whl"),
        "{text}"
    );
    let made = "out/pkg-1.0-cp311-cp311-linux_x86_64.whl";
    let unpacked = shop.sandbox.run(&["unpack", made, "new"]);
    assert!(unpacked.starts_with("exit: 0\n"), "{unpacked}");
    assert!(!shop.path("new/pkg.libs").is_dir());
    let dynamic = dynamic(&shop.path("new/pkg/ext.so"));
    assert!(dynamic.contains("libfoo.so.1]"), "{dynamic}");
    let record = shop.read("new/pkg-1.0.dist-info/RECORD");
    assert!(!record.contains("libfoo"), "{record}");
    let list = shop.read("new/pkg-1.0.dist-info/sboms/auditwheel.cdx.json");
    assert!(!list.contains("libfoo") && list.contains("other"), "{list}");
    let bill = shop.read("new/pkg-1.0.dist-info/sboms/wheelfix.cdx.json");
    assert!(bill.contains("store/lib/libfoo.so.1"), "{bill}");
    let again = run(&["unbundle", made, "-o", "again"]);
    assert!(again.contains("0 ELF files edited"), "{again}");

    let text = run(&["unbundle", &name]);
    assert!(
        text.contains("name the one to make with `--output`"),
        "{text}"
    );
    let kept = run(&["patch", &name, "-o", "kept", "--bundled", "*=keep"]);
    assert!(kept.starts_with("exit: 0\n"), "{kept}");
    let gone = run(&["patch", &name, "-o", "gone", "--bundled", "*=replace"]);
    assert!(
        gone.contains("replace") && gone.contains("1 removed"),
        "{gone}"
    );
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "sets the umask of the program under test"
)]
fn the_modes_of_what_is_written_do_not_depend_on_the_umask() {
    let mut trees = Vec::new();
    for umask in ["000", "022", "077"] {
        let shop = Shop::new();
        shop.substitute(FOO, VERSIONS);
        let read = |name: &str| fs_err::read(shop.path(name)).unwrap();
        let wheel = WheelBuilder::new("pkg", "1.0")
            .platlib()
            .tags("py3-none-linux_x86_64")
            .file("pkg/__init__.py", "")
            .file("pkg/ext.so", read("site/pkg/ext.so"))
            .file("pkg.libs/libfoo-01234567.so.1.0.0", read(COPY))
            .entry_points("[console_scripts]\npkg = pkg:main\n");
        let name = shop.sandbox.wheel(&wheel);
        for start in [
            ["install", &name, "--prefix", "installed"],
            ["env", &name, "--prefix", "environment"],
        ] {
            let status = Command::new("sh")
                .args(["-c", "umask $1; shift; exec \"$@\"", "sh", umask])
                .arg(env!("CARGO_BIN_EXE_wheelfix"))
                .args(start)
                .args(["--quiet", "--rules", "foo.toml", "--lib-path", "store"])
                .args(["--python-version", "3.11"])
                .current_dir(shop.path("."))
                .status();
            assert!(status.unwrap().success(), "{start:?}");
        }
        trees.push(["installed", "environment"].map(|tree| shop.sandbox.tree(tree)));
    }
    let bill = "644 lib/python3.11/site-packages/pkg-1.0.dist-info/sboms/wheelfix.cdx.json";
    assert!(trees[0].iter().all(|tree| tree.contains(bill)), "{trees:?}");
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[1], trees[2]);
}
