//! `wheelfix install` with options for wheels: what is edited, left out, added and checked.

use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const SITE: &str = "lib/python3.11/site-packages";

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .metadata("Requires-Dist: numpy-stl<2\nRequires-Dist: pip>=20\n")
        .file("demo/__init__.py", "")
        .file("demo/sub/__init__.py", "")
        .file("demo/sub/a.py", "")
        .file("demo-1.0-py3.11-nspkg.pth", "")
        .file("tests/test_demo.py", "")
        .data("scripts/tool.pyc", "")
}

fn install(sandbox: &Sandbox, wheels: &[&str], args: &[&str]) -> String {
    let mut all = vec!["install", "--prefix", "out", "--python-version", "3.11"];
    all.extend(wheels);
    all.extend(args);
    sandbox.run(&all)
}

/// The files in the prefix and the rows of RECORD; both say the same.
fn installed(sandbox: &Sandbox) -> Vec<String> {
    let tree = sandbox.tree("out");
    let mut paths: Vec<String> = tree
        .lines()
        .map(|line| line.split_once(' ').unwrap().1.to_owned())
        .collect();
    let record = sandbox
        .path("out")
        .join(SITE)
        .join("demo-1.0.dist-info/RECORD");
    let record = fs_err::read_to_string(record).unwrap();
    let record = wheelfix_format::Record::parse(&record).unwrap();
    let mut listed: Vec<String> = record
        .rows
        .iter()
        .map(|row| match row.path.strip_prefix("../../../") {
            Some(path) => path.to_owned(),
            None => format!("{SITE}/{}", row.path),
        })
        .collect();
    paths.sort();
    listed.sort();
    assert_eq!(paths, listed, "RECORD lists what is there");
    paths
}

#[test]
fn what_nixpkgs_removes_is_neither_there_nor_in_record() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let args = [
        "--namespace",
        "demo.sub",
        "--remove-tests",
        "--remove-bin-bytecode",
    ];
    let text = install(&sandbox, &[&wheel], &args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    insta::assert_snapshot!(installed(&sandbox).join("\n"), @"
    lib/python3.11/site-packages/demo-1.0.dist-info/METADATA
    lib/python3.11/site-packages/demo-1.0.dist-info/RECORD
    lib/python3.11/site-packages/demo-1.0.dist-info/WHEEL
    lib/python3.11/site-packages/demo/sub/a.py
    ");
}

#[test]
fn a_namespace_that_nothing_is_in_is_told() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let text = install(&sandbox, &[&wheel], &["--namespace", "azure"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("warning: no wheel has a file in the namespace `azure`\n"),
        "{text}"
    );
    let text = install(&sandbox, &[&wheel], &["--namespace", "a..b"]);
    assert!(text.starts_with("exit: 2\n"), "{text}");
}

#[test]
fn names_of_nixpkgs_are_begins_of_names() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let text = install(&sandbox, &[&wheel], &["--relax", "numpy"]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    let args = [
        "--nixpkgs-names",
        "--relax",
        "NumPy",
        "--remove-dep",
        "torch",
    ];
    insta::assert_snapshot!(install(&sandbox, &[&wheel], &args), @"
    exit: 0
    --- stdout
     wheel  version  files   size
     demo       1.0      8  203 B
    demo: `numpy-stl<2` is now `numpy-stl`
    installed into [DIR]/out: 0 ELF files edited (0 B written); not proved: no target is named
    `demo-1.0-py3-none-any.whl` requires more than is here: numpy-stl not installed, pip not installed
      give those wheels, too, or `--check-deps DIR` for each prefix that has some
    --- stderr
    warning: `demo-1.0-py3-none-any.whl`: only the begin of a name was asked for: `numpy-stl<2` is now `numpy-stl`
    warning: no distribution has a requirement to edit: remove dependencies beginning with `torch`
    ");
}

#[test]
fn origin_is_written_only_on_request() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo().dist_info("INSTALLER", "pip\n"));
    let args = [
        "--installer",
        "nix",
        "--requested",
        "--direct-url",
        "https://example.org/demo.whl",
    ];
    let text = install(&sandbox, &[&wheel], &args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let dist_info = sandbox.path("out").join(SITE).join("demo-1.0.dist-info");
    let read = |name: &str| fs_err::read_to_string(dist_info.join(name)).unwrap();
    assert_eq!(read("INSTALLER"), "nix\n");
    assert_eq!(read("REQUESTED"), "");
    assert!(read("direct_url.json").contains("\"url\":\"https://example.org/demo.whl\""));
    let paths = installed(&sandbox);
    assert!(paths.iter().any(|path| path.ends_with("/direct_url.json")));
    let other = sandbox.wheel(&WheelBuilder::new("other", "1"));
    let text = install(&sandbox, &[&wheel, &other], &args);
    assert!(text.starts_with("exit: 2\n"), "{text}");
}

#[test]
fn a_file_that_differs_is_accepted_by_name() {
    let sandbox = Sandbox::new();
    let hash = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let demo = demo()
        .file("a.py", "x = 1\n")
        .record_row("a.py", &format!("a.py,{hash},6\n"));
    let wheel = sandbox.wheel(&demo);
    insta::assert_snapshot!(install(&sandbox, &[&wheel], &[]), @"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl`: `a.py`: sha256 mismatch: expected e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, got 9e26bf369911c45c243c684147b23fc9e1dcfcf257d299a1c632016a6fcd33f4
      fix: add --accept-mismatch a.py  # if you know its content
    ");
    let other = sandbox.wheel(&WheelBuilder::new("other", "1"));
    let text = install(&sandbox, &[&wheel], &["--accept-mismatch", "**"]);
    assert!(
        text.contains("it accepts nearly every file: name those"),
        "{text}"
    );
    let accept = ["--accept-mismatch", "a.*"];
    let text = install(&sandbox, &[&wheel, &other], &accept);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let want = "`a.py` is accepted, whatever `RECORD` says";
    assert!(text.contains(want), "each is told: {text}");
    let record = sandbox
        .path("out")
        .join(SITE)
        .join("demo-1.0.dist-info/RECORD");
    let record = fs_err::read_to_string(record).unwrap();
    let row = "\na.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6\n";
    assert!(record.contains(row), "RECORD is true: {record}");

    fs_err::remove_dir_all(sandbox.path("out")).unwrap();
    let accept = ["--accept-mismatch", "b.py", "--accept-mismatch", "a.py"];
    insta::assert_snapshot!(install(&sandbox, &[&wheel, &other], &accept), @"
    exit: 1
    --- stderr
    error: no wheel has a file `b.py`, which is to be accepted
      fix: remove --accept-mismatch b.py
    next: wheelfix install --prefix out --python-version 3.11 demo-1.0-py3-none-any.whl other-1-py3-none-any.whl --accept-mismatch a.py
    ");
}

#[test]
fn what_is_required_must_be_in_the_prefixes() {
    let sandbox = Sandbox::new();
    let wheel =
        sandbox.wheel(&demo().metadata("Requires-Dist: other\nRequires-Dist: x; extra == 'y'\n"));
    let other = sandbox.wheel(&WheelBuilder::new("other", "1"));
    let dist_info = sandbox
        .path("dep")
        .join(SITE)
        .join("numpy_stl-2.1.dist-info");
    fs_err::create_dir_all(&dist_info).unwrap();
    fs_err::write(
        dist_info.join("METADATA"),
        "Metadata-Version: 2.1\nName: numpy-stl\nVersion: 2.1\n",
    )
    .unwrap();
    let args = ["--check-deps", "dep", "--exclude", "*.nothing"];
    insta::assert_snapshot!(install(&sandbox, &[&wheel], &args), @"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl` lacks what it needs at run time
      - numpy-stl<2 not satisfied by version 2.1
      - pip not installed
      - other not installed
    error: no file matches `*.nothing`, which is to be left out
      fix: remove --exclude '*.nothing'
    next: wheelfix install --prefix out --python-version 3.11 demo-1.0-py3-none-any.whl --check-deps dep  # mends 1 of 2
    ");
    let args = [
        "--check-deps",
        "dep",
        "--relax",
        "numpy-stl",
        "--remove-dep",
        "pip",
    ];
    let text = install(&sandbox, &[&wheel, &other], &args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    fs_err::remove_dir_all(sandbox.path("out")).unwrap();
    let args = ["--check-deps", "absent"];
    let text = install(&sandbox, &[&wheel], &args);
    assert!(text.starts_with("exit: 3\n"), "{text}");
}

#[test]
fn a_distribution_serves_for_another_by_a_rule_or_by_an_option() {
    let sandbox = Sandbox::new();
    let requires = "Requires-Dist: psycopg2>=2.9\nRequires-Dist: old\n";
    let wheel = sandbox.wheel(&WheelBuilder::new("user", "1").metadata(requires));
    let binary = sandbox.wheel(&WheelBuilder::new("psycopg2_binary", "2.9.10"));
    let new = sandbox.wheel(&WheelBuilder::new("new", "3"));
    fs_err::create_dir_all(sandbox.path("dep").join(SITE)).unwrap();
    let wheels = [&*wheel, &*binary, &*new];
    let check = ["--check-deps", "dep", "--dry-run", "--quiet"];
    let text = install(&sandbox, &wheels, &check);
    assert!(
        text.contains("- old not installed") && !text.contains("psycopg2 "),
        "{text}"
    );
    let given = |pair| {
        install(
            &sandbox,
            &wheels,
            &[&check[..], &["--provides", pair]].concat(),
        )
    };
    assert_eq!(given("New=old"), "exit: 0\n");
    let text = given("absent=old");
    assert!(text.contains("`absent=old` serves for nothing"), "{text}");
    assert!(text.contains("fix: remove --provides absent=old"), "{text}");
    let text = install(&sandbox, &wheels, &["--provides", "new=old"]);
    assert!(text.starts_with("exit: 1\n"), "nothing is checked: {text}");
    let text = given("new");
    assert!(
        text.starts_with("exit: 2\n") && text.contains("expected NEW=OLD"),
        "{text}"
    );
    let other = sandbox.wheel(&WheelBuilder::new("psycopg2_binary", "2.8"));
    let text = install(&sandbox, &[&wheel, &other, &new], &check);
    assert!(
        text.contains("psycopg2>=2.9 not satisfied by version 2.8"),
        "{text}"
    );
}
