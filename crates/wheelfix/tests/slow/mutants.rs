//! Hundreds of wheels, source distributions, library directories and rules files that are wrong or odd
//! in one place each: every one is refused in plain words or works, within bounds, and nothing is left.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::hostile;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::jail;
use crate::support::Sandbox;

/// Looks at what is said about each of these files, most of which must be refused.
#[track_caller]
fn check(files: &[(String, String, Vec<u8>)], refused: usize, args: &[&str]) {
    let sandbox = Sandbox::new();
    let directory = sandbox.path("cases");
    for (name, file, bytes) in files {
        let place = directory.join(name);
        fs_err::create_dir_all(&place).unwrap();
        fs_err::write(place.join(file), bytes).unwrap();
    }
    let answers = jail::jailed(&sandbox, &directory, args);
    let mut count = 0;
    for (name, ..) in files {
        let start = format!("{name}: ");
        let answer = answers.lines().find_map(|line| line.strip_prefix(&start));
        let answer = answer.unwrap_or_else(|| panic!("nothing about {name}: {answers}"));
        let is_refused = answer.starts_with("1: error: ");
        assert!(is_refused || answer.starts_with("0: "), "{name}: {answer}");
        count += usize::from(is_refused);
    }
    assert!(refused <= count, "only {count} are refused: {answers}");
    jail::check_answers(&answers);
}

#[test]
fn two_hundred_wheels_are_refused_or_installed() {
    let wheels = hostile::mutants::wheels();
    assert!(200 <= wheels.len(), "{}", wheels.len());
    let name = "demo-1.0-py3-none-any.whl";
    let files: Vec<_> = wheels
        .into_iter()
        .map(|(case, bytes)| (case, name.to_owned(), bytes))
        .collect();
    let args = ["install", "--prefix", "out", "--python-version", "3.11"];
    check(&files, 150, &args);
}

#[test]
fn sixty_source_distributions_are_refused_or_unpacked() {
    let sdists = hostile::mutants::sdists();
    assert!(60 <= sdists.len(), "{}", sdists.len());
    let files: Vec<_> = sdists
        .into_iter()
        .map(|((case, bytes), extension)| {
            let case = format!("{case}{extension}");
            (case, format!("demo-1.0{extension}"), bytes)
        })
        .collect();
    check(&files, 35, &["unpack", "out"]);
}

/// Runs `wheelfix install` of a wheel with a library, with further arguments, within bounds of 500 MB
/// and 10 seconds of the processor; gives the exit code and what was said.
#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
fn install(sandbox: &Sandbox, args: &[&str]) -> (i32, String) {
    let script = r#"ulimit -d 500000; ulimit -t 10; exec "$PROGRAM" install "$@" < /dev/null"#;
    let output = Command::new("sh")
        .args([
            "-c",
            script,
            "sh",
            WHEEL,
            "--prefix",
            "out",
            "--python-version",
            "3.11",
        ])
        .args(args)
        .env("PROGRAM", env!("CARGO_BIN_EXE_wheelfix"))
        .current_dir(sandbox.path("."))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("{args:?}: {}: {said}", output.status));
    let made = sandbox.path("out").exists();
    assert_eq!(made, code == 0, "{args:?}: {code}: {said}");
    if made {
        fs_err::remove_dir_all(sandbox.path("out")).unwrap();
    }
    let left: Vec<String> = sandbox.names();
    assert!(
        left.iter().all(|name| !name.starts_with(".wheelfix")),
        "{args:?}: {left:?}"
    );
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    (code, said)
}

const WHEEL: &str = "user-1.0-cp311-cp311-linux_x86_64.whl";

/// A sandbox with a wheel that needs `liba.so`, and that library.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let dir = sandbox.path(".");
    for source in ["a.c", "user.c"] {
        fs_err::write(dir.join(source), "").unwrap();
    }
    let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed", "-o"];
    let compile = |args: &[&str]| Tool::CC.run_in(&dir, &[&start, args].concat()).expect();
    compile(&["liba.so", "a.c", "-Wl,-soname,liba.so"]);
    compile(&["user.so", "user.c", "./liba.so"]);
    let user = fs_err::read(dir.join("user.so")).unwrap();
    let wheel = WheelBuilder::new("user", "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64");
    assert_eq!(sandbox.wheel(&wheel.file("user/user.so", user)), WHEEL);
    sandbox
}

/// Puts one odd thing into a directory of libraries.
type Odd = (&'static str, fn(&Path));

const ODD: &[Odd] = &[
    ("nothing", |_| {}),
    ("a pipe", |dir| pipe(&dir.join("libx.so"))),
    ("a pipe by the name that is needed", |dir| {
        pipe(&dir.join("liba.so.1"));
    }),
    ("a link to itself", |dir| {
        symlink("libx.so", dir.join("libx.so")).unwrap();
    }),
    ("a link to nothing", |dir| {
        symlink("nothing", dir.join("libx.so")).unwrap();
    }),
    ("a link to an endless device", |dir| {
        symlink("/dev/zero", dir.join("libx.so")).unwrap();
    }),
    ("a link to a full device", |dir| {
        symlink("/dev/full", dir.join("libx.so")).unwrap();
    }),
    ("a link to the terminal", |dir| {
        symlink("/dev/stdin", dir.join("libx.so")).unwrap();
    }),
    ("a link to memory", |dir| {
        symlink("/proc/self/mem", dir.join("libx.so")).unwrap();
    }),
    ("a link to the root", |dir| {
        symlink("/", dir.join("root")).unwrap();
    }),
    ("a link upwards", |dir| {
        symlink("..", dir.join("up")).unwrap();
    }),
    ("a directory called like a library", |dir| {
        fs_err::create_dir(dir.join("libx.so")).unwrap();
    }),
    ("a deep tree", |dir| {
        fs_err::create_dir_all(dir.join(["d"; 300].join("/"))).unwrap();
    }),
    ("many files", |dir| {
        for number in 0..3_000 {
            fs_err::write(dir.join(format!("lib{number}.so")), "").unwrap();
        }
    }),
    ("a sparse file", |dir| sparse(&dir.join("libx.so"), b"")),
    ("a sparse file that begins as ELF files do", |dir| {
        sparse(&dir.join("libx.so"), b"\x7fELF\x02\x01\x01");
    }),
    ("a name that is no text", |dir| {
        use std::os::unix::ffi::OsStrExt as _;
        let name = std::ffi::OsStr::from_bytes(b"lib\xff.so");
        fs_err::write(dir.join(name), "x").unwrap();
    }),
    ("a name with lines", |dir| {
        fs_err::write(dir.join("lib\nerror: x.so"), "\x7fELF").unwrap();
    }),
    ("an empty library", |dir| {
        fs_err::write(dir.join("libx.so"), "").unwrap();
    }),
    ("a script of the linker", |dir| {
        fs_err::write(dir.join("libx.so"), "INPUT(-la)").unwrap();
    }),
    ("an archive of objects", |dir| {
        fs_err::write(dir.join("libx.so"), "!<arch>\n").unwrap();
    }),
    ("a compressed library", |dir| {
        fs_err::write(dir.join("libx.so"), "\x1f\u{8b}\x08").unwrap();
    }),
    ("the magic alone", |dir| {
        fs_err::write(dir.join("libx.so"), "\x7fELF").unwrap();
    }),
];

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

fn sparse(path: &Path, start: &[u8]) {
    fs_err::write(path, start).unwrap();
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(1 << 40).unwrap();
}

#[test]
fn forty_library_directories_are_searched_or_refused() {
    let sandbox = sandbox();
    let good = fs_err::read(sandbox.path("liba.so")).unwrap();
    let mut count = 0;
    let mut check = |what: &str, make: &dyn Fn(&Path)| {
        let dir = sandbox.path("libs");
        fs_err::create_dir(&dir).unwrap();
        fs_err::write(dir.join("liba.so"), &good).unwrap();
        make(&dir);
        let (code, said) = install(&sandbox, &["--lib-path", "libs"]);
        assert!(
            code == 0 || code == 1 && said.starts_with("error: "),
            "{what}: {code}: {said}"
        );
        fs_err::remove_dir_all(dir).unwrap();
        count += 1;
    };
    for (what, make) in ODD {
        check(what, make);
    }
    // The library that is needed, with bytes of its header that are not those.
    for at in (0..64).step_by(3) {
        let mut bytes = good.clone();
        bytes[at] ^= 0xff;
        check(&format!("byte {at}"), &|dir| {
            fs_err::write(dir.join("liba.so"), &bytes).unwrap();
        });
    }
    assert!(40 <= count, "{count}");
}

/// Texts of files with rules, most of which are wrong.
fn rules() -> Vec<String> {
    let rule = |body: &str| format!("[[driver]]\nname='a'\nreason='b'\nsource='c'\n{body}\n");
    let deep = format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let dotted = format!("{}a = 1", "a.".repeat(50_000));
    let long = format!("x = '{}'", "y".repeat(20_000_000));
    let many: String = (0..3_000)
        .map(|number| rule("soname=['x']").replace("'a'", &format!("'n{number}'")))
        .collect();
    let alternatives = format!("soname=['{{{}}}']", "a,".repeat(1_000));
    let stars = format!("soname=['{}']", "*a".repeat(500));
    vec![
        String::new(),
        "x".to_owned(),
        "[".to_owned(),
        "[[driver]]".to_owned(),
        "\u{feff}".to_owned(),
        "driver = 1".to_owned(),
        "driver = []".to_owned(),
        "driver = [1]".to_owned(),
        "[driver]".to_owned(),
        "[[nothing]]\nname='a'".to_owned(),
        "\0".to_owned(),
        "x = \u{1b}".to_owned(),
        deep,
        dotted,
        long,
        many,
        rule(""),
        rule("soname=[]"),
        rule("soname=['']"),
        rule("soname=['[']"),
        rule("soname=['{']"),
        rule("soname=[1]"),
        rule("soname='x'"),
        rule("sonames=['x']"),
        rule(&alternatives),
        rule(&stars),
        rule("soname=['x']").repeat(2),
        rule("soname=['x']").replace("'b'", "''"),
        "[[replace]]\nname='a'\nreason='b'\nsource='c'\nfile=['*']\nold=['']\nnew='x'\n".to_owned(),
    ]
}

#[test]
fn thirty_rules_files_are_read_or_refused() {
    let sandbox = sandbox();
    fs_err::create_dir(sandbox.path("libs")).unwrap();
    fs_err::rename(sandbox.path("liba.so"), sandbox.path("libs/liba.so")).unwrap();
    let mut count = 0;
    let mut check = |rules: &str| {
        let (code, said) = install(&sandbox, &["--lib-path", "libs", "--rules", rules]);
        let is_refused = matches!(code, 1 | 3) && said.starts_with("error: ");
        assert!(code == 0 || is_refused, "{rules}: {code}: {said}");
        assert!(said.len() < 200_000, "{rules}: {} bytes", said.len());
        count += 1;
    };
    for text in rules() {
        fs_err::write(sandbox.path("rules.toml"), text).unwrap();
        check("rules.toml");
    }
    fs_err::write(sandbox.path("rules.toml"), b"\xff\xfe").unwrap();
    pipe(&sandbox.path("pipe.toml"));
    symlink("loop.toml", sandbox.path("loop.toml")).unwrap();
    for rules in [
        "rules.toml",
        "pipe.toml",
        "loop.toml",
        "missing.toml",
        "/dev/zero",
        "/dev/null",
        ".",
    ] {
        check(rules);
    }
    assert!(30 <= count, "{count}");
}
