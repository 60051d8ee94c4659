//! Texts of Python sources that rules replace.

use sha2::{Digest as _, Sha256};
use wheelfix_format::{Record, RecordHash};
use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::env::interpreter::output;
use crate::support::Sandbox;

const SITE: &str = "out/lib/python3.11/site-packages";
const DRIVER: &str = "triton/backends/nvidia/driver.py";
const LDCONFIG: &str = "import os, subprocess
libs = subprocess.check_output([\"/sbin/ldconfig\", \"-p\"]).decode(errors=\"ignore\")
";

fn triton(text: &str) -> WheelBuilder {
    WheelBuilder::new("triton", "1.0")
        .file("triton/__init__.py", "")
        .file(DRIVER, text)
}

fn read(sandbox: &Sandbox) -> String {
    fs_err::read_to_string(sandbox.path(SITE).join(DRIVER)).unwrap()
}

/// Whether each row of RECORD is true.
fn is_record_true(sandbox: &Sandbox) -> bool {
    let site = sandbox.path(SITE);
    let text = fs_err::read_to_string(site.join("triton-1.0.dist-info/RECORD")).unwrap();
    let rows = Record::parse(&text).unwrap().rows;
    let mut hashed = rows.iter().filter(|row| row.hash.is_some());
    hashed.all(|row| {
        let bytes = fs_err::read(site.join(&row.path)).unwrap();
        let hash = RecordHash::sha256(Sha256::digest(&bytes).into());
        row.hash == Some(hash) && row.size == Some(bytes.len() as u64)
    })
}

#[test]
fn install_replaces_the_expected_text_and_compiles_the_new_one() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&triton(LDCONFIG));
    let args = ["install", &wheel, "--prefix", "out", "--python", "python3"];
    let args = [&args[..], &["--driver-path", "/drv"]].concat();
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let new = "import os, subprocess
libs = \"libcuda.so.1 => /drv/libcuda.so.1\" if os.path.exists(\"/drv/libcuda.so.1\") else \"\"
";
    assert_eq!(
        read(&sandbox).lines().collect::<Vec<_>>(),
        new.lines().collect::<Vec<_>>()
    );
    let cache = sandbox.path("out");
    let cached = sandbox.tree("out");
    let cached: Vec<&str> = cached
        .lines()
        .filter(|line| line.contains("driver.cpython"))
        .collect();
    assert_eq!(cached.len(), 2, "{}", cache.display());
}

#[test]
fn record_tells_of_the_new_text() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&triton(LDCONFIG));
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    assert!(sandbox.run(&args).starts_with("exit: 0\n"));
    assert!(!read(&sandbox).contains("ldconfig"));
    assert!(is_record_true(&sandbox));
}

#[test]
fn an_environment_of_wheels_has_the_new_text_too() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&triton(LDCONFIG));
    let python = ["--python-version", "3.11", "--driver-path", "/drv"];
    let text = sandbox.run(&[&["env", "--prefix", "out", &wheel], &python[..]].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(read(&sandbox).contains("/drv/libcuda.so.1"));
    assert!(is_record_true(&sandbox));
    // Also there a text that has changed is an error.
    let changed = sandbox.wheel(&triton("libs = run([\"/sbin/ldconfig\", \"-p\"])\n"));
    let args = [
        "env",
        "--prefix",
        "other",
        &changed,
        "--python-version",
        "3.11",
    ];
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("triton-ldconfig"), "{text}");
    assert!(!sandbox.path("other").try_exists().unwrap());
}

#[test]
fn a_changed_text_is_an_error_until_a_rule_knows_it() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&triton("x = run([\"/sbin/ldconfig\", \"-p\"])\n"));
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    let part = "triton/backends/nvidia/driver.py` has none of the texts that rule `triton-ldconfig-nvidia` replaces";
    assert!(text.contains(part), "{text}");
    assert!(!sandbox.path("out").try_exists().unwrap());

    let rule = "[[replace]]\nname = 'mine'\nreason = 'r'\nsource = 's'\n\
        file = ['triton/backends/nvidia/driver.py']\nold = ['run([\"/sbin/ldconfig\", \"-p\"])']\nnew = '0'\n";
    fs_err::write(sandbox.path("rules.toml"), rule).unwrap();
    let text = sandbox.run(&[&args[..], &["--rules", "rules.toml"]].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert_eq!(read(&sandbox), "x = 0\n");
}

#[test]
fn patch_replaces_on_disk_removes_old_bytecode_and_changes_nothing_twice() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&triton("").file("triton/x.py", ""));
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    assert!(sandbox.run(&args).starts_with("exit: 0\n"));
    let source = sandbox.path(SITE).join(DRIVER);
    fs_err::write(&source, LDCONFIG).unwrap();
    let cache = source.parent().unwrap().join("__pycache__");
    fs_err::create_dir(&cache).unwrap();
    fs_err::write(cache.join("driver.cpython-311.pyc"), "old").unwrap();
    fs_err::write(cache.join("drivers.cpython-311.pyc"), "other").unwrap();

    let text = sandbox.run(&["patch", "out", "--dry-run"]);
    assert!(text.contains("replace texts in"), "{text}");
    assert!(read(&sandbox).contains("ldconfig"));
    let text = sandbox.run(&["patch", "out"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(!read(&sandbox).contains("ldconfig"));
    assert!(is_record_true(&sandbox));
    assert!(!cache.join("driver.cpython-311.pyc").try_exists().unwrap());
    assert!(cache.join("drivers.cpython-311.pyc").try_exists().unwrap());
    let before = read(&sandbox);
    let text = sandbox.run(&["patch", "out", "--dry-run"]);
    assert!(!text.contains("replace texts in"), "{text}");
    assert_eq!(read(&sandbox), before);
}

#[test]
fn check_names_what_patch_would_replace() {
    let sandbox = Sandbox::new();
    let source = sandbox.path("out").join(DRIVER);
    fs_err::create_dir_all(source.parent().unwrap()).unwrap();
    fs_err::write(&source, LDCONFIG).unwrap();
    let text = sandbox.run(&["check", "out"]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(
        text.contains("a text that rule `triton-ldconfig-nvidia` replaces"),
        "{text}"
    );
}

#[test]
fn a_rule_for_no_file_is_an_error() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&triton(""));
    let rule = "[[replace]]\nname = 'mine'\nreason = 'r'\nsource = 's'\nfile = ['no/such.py']\nold = []\nnew = ''\n";
    fs_err::write(sandbox.path("rules.toml"), rule).unwrap();
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    let text = sandbox.run(&[&args[..], &["--rules", "rules.toml"]].concat());
    assert!(
        text.contains("rule `mine` of `rules.toml` applies to nothing"),
        "{text}"
    );
}

/// As python-magic with pylibmagic, whose data the library of the store does not read.
#[test]
fn a_wheel_that_brings_the_library_comes_before_that_of_the_store() {
    let sandbox = Sandbox::new();
    let loader = "from ctypes.util import find_library\nimport sys\n\ndef candidates():\n\n  yield find_library('magic')\n\n";
    let wheel = WheelBuilder::new("magic", "1.0").file("magic/loader.py", loader);
    let wheel = wheel
        .file("magic/__init__.py", "")
        .file("pylibmagic.py", "");
    let wheel = sandbox.wheel(&wheel);
    sandbox.library(
        "int f;",
        &["-Wl,-soname,libmagic.so.1", "-o", "libmagic.so.1"],
    );
    let python = cache::tool("python3");
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python",
        python.to_str().unwrap(),
    ];
    let text = sandbox.run(&[&args[..], &["--lib-path", "."]].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let first = |before: &str| {
        let code = format!("{before}import magic.loader\nprint(next(magic.loader.candidates()))");
        output(&python, &["-c", &code], Some(&sandbox.path(SITE)))
    };
    let store = sandbox.path("libmagic.so.1");
    assert_eq!(first(""), format!("{}\n", store.display()));
    assert_eq!(first("import pylibmagic\n"), "libmagic.so.1\n");
}
