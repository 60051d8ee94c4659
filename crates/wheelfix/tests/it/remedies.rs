//! For each kind of fault: the printed fix, followed to the letter, mends it.

use std::process::Command;

use serde_json::Value;
use wheelfix_link::FaultKind;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A command line with a fault.
struct Case {
    sandbox: Sandbox,
    /// As it is typed.
    line: String,
    /// Values for the words in capitals of a fix.
    words: Vec<(&'static str, String)>,
}

impl Case {
    fn new(line: &str) -> Self {
        let sandbox = Sandbox::new();
        fs_err::create_dir(sandbox.path("t")).unwrap();
        Self {
            sandbox,
            line: format!("wheelfix {line}"),
            words: Vec::new(),
        }
    }

    /// With a directory or file for a word.
    fn word(mut self, word: &'static str, value: &str) -> Self {
        self.words.push((word, value.to_owned()));
        self
    }

    /// With a library, or a program, compiled from C.
    fn elf(self, name: &str, source: &str, flags: &[&str]) -> Self {
        let path = self.sandbox.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(self.sandbox.path("source.c"), source).unwrap();
        let kind: &[&str] = if name.contains(".so") {
            &["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed"]
        } else {
            &[]
        };
        let output = ["-o", name, "source.c"];
        let args = [kind, &output, flags].concat();
        Tool::CC.run_in(&self.sandbox.path("."), &args).expect();
        self
    }

    fn file(self, name: &str, content: &[u8]) -> Self {
        let path = self.sandbox.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
        self
    }

    /// A case of installing a wheel with a package `m` that has one more file.
    fn of_wheel(name: &str, content: &[u8]) -> Self {
        let case = Self::new("install m-1.0-py3-none-any.whl --prefix out --python python3");
        let wheel = WheelBuilder::new("m", "1.0")
            .file("m/__init__.py", "")
            .file("m/other.so", module())
            .file(name, content);
        assert_eq!(case.sandbox.wheel(&wheel), "m-1.0-py3-none-any.whl");
        case
    }

    /// Runs a line of a shell in the sandbox: exit code, standard output and standard error.
    #[expect(clippy::disallowed_methods, reason = "runs the program under test")]
    fn shell(&self, line: &str) -> (i32, String, String) {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_wheelfix"));
        let path = std::env::var("PATH").unwrap();
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.sandbox.path("."))
            .env(
                "PATH",
                format!("{}:{path}", program.parent().unwrap().display()),
            )
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Whether the run has a fault or a warning of the kind.
    fn has(&self, kind: FaultKind) -> bool {
        let (code, json, stderr) = self.shell(&format!("{} --json", self.line));
        let document: Value = serde_json::from_str(&json).unwrap_or(Value::Null);
        assert!(code != 2 && code != 101, "{}: {stderr}", self.line);
        holds(&document, &serde_json::to_value(kind).unwrap())
    }

    /// The fixes that are printed.
    fn fixes(&self) -> Vec<String> {
        let (_, _, stderr) = self.shell(&self.line);
        let fixes = stderr
            .lines()
            .filter_map(|line| line.strip_prefix("  fix: "));
        fixes.map(str::to_owned).collect()
    }

    /// Does what a fix says; `false` if it says something that only a person can do.
    fn follow(&mut self, fix: &str) -> bool {
        let (command, comment) = fix.split_once("  # ").unwrap_or((fix, ""));
        let mut command = command.to_owned();
        for (word, value) in &self.words {
            command = command.replace(word, value);
        }
        let has_word = ["DIR", "FILE", "EXE", "PATH", "PREFIX"]
            .iter()
            .any(|word| command.split(' ').any(|it| it == *word));
        if has_word {
            return false;
        }
        if let Some(option) = command.strip_prefix("add ") {
            let at = if comment.starts_with("before the others") {
                self.line.find(" --").unwrap()
            } else {
                self.line.len()
            };
            self.line.insert_str(at, &format!(" {option}"));
        } else if let Some(option) = command.strip_prefix("remove ") {
            let left = self.line.replace(&format!(" {option}"), "");
            assert_ne!(left, self.line, "{fix}");
            self.line = left;
        } else if command.starts_with("wheelfix ") {
            let (code, _, stderr) = self.shell(&command);
            assert_eq!(code, 0, "{command}: {stderr}");
        } else if command.starts_with("take rule ") {
            fs_err::write(self.sandbox.path("r.toml"), "").unwrap();
        } else {
            return false;
        }
        true
    }
}

/// Whether there is a fault of the kind anywhere in a document.
fn holds(value: &Value, kind: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.get("fault") == Some(kind) || map.values().any(|value| holds(value, kind))
        }
        Value::Array(list) => list.iter().any(|value| holds(value, kind)),
        _ => false,
    }
}

const NEEDS_A: &str = "void f(void); void u(void) { f(); }";

/// The bytes of a module for Python.
pub(crate) fn module() -> Vec<u8> {
    let case = Case::new("").elf("x.so", "void PyInit_x(void) {}", &[]);
    fs_err::read(case.sandbox.path("x.so")).unwrap()
}

/// A library with versions.
fn versions(names: &[&str]) -> String {
    let list = names
        .iter()
        .map(|name| format!("{name} {{ f_{name}; }};\n"));
    list.collect()
}

/// A command line that has a fault of the kind; `None` for a kind that nothing mends by itself.
#[expect(clippy::too_many_lines, reason = "one arm for each kind")]
fn case(kind: FaultKind) -> Option<Case> {
    Some(match kind {
        FaultKind::Missing => Case::new("check t --lib-path libs")
            .elf("libs/liba.so", "void f(void) {}", &[])
            .elf("t/libuser.so", NEEDS_A, &["-Llibs", "-la"]),
        FaultKind::Ambiguous => {
            let site = "libs/lib/python3.11/site-packages";
            Case::new("patch t --lib-path libs")
                .elf(&format!("{site}/one/liba.so"), "void f(void) {}", &[])
                .elf(&format!("{site}/two/liba.so"), "void f(void) {} int g;", &[])
                .elf("t/libuser.so", NEEDS_A, &[&format!("-L{site}/one"), "-la"])
        }
        FaultKind::Unreadable => Case::of_wheel("m/x.so", b"\x7fELF and no more of it"),
        FaultKind::UnusedIgnore => Case::new("check t --ignore-missing libnone.so")
            .elf("t/liba.so", "int f;", &[]),
        FaultKind::UnusedBackend => Case::new("patch t --backend vulkan9").elf("t/liba.so", "int f;", &[]),
        FaultKind::UnusedRule => Case::new("patch t --rules r.toml")
            .elf("t/liba.so", "int f;", &[])
            .file("r.toml", replace_rule("none/x.py").as_bytes()),
        FaultKind::Version => of_version(),
        FaultKind::Symbols => Case::new("check t")
            .elf("t/liba.so", "extern int nowhere; int *p = &nowhere;", &[]),
        FaultKind::LazySymbols => Case::new("check t")
            .elf("t/liba.so", "void nowhere(void); void f(void) { nowhere(); }", &[]),
        FaultKind::Stub => Case::new("check t")
            .elf("t/stubs/libcuda.so.1", "void f(void) {}", &["-Wl,-soname,libcuda.so.1"])
            .elf("t/libuser.so", NEEDS_A, &["-Lt/stubs", "-l:libcuda.so.1", "-Wl,-rpath,$ORIGIN/stubs"]),
        FaultKind::Blocked => {
            let mut bytes = module();
            // The offset of the second segment, as `strip` leaves it after patchelf.
            bytes[64 + 56 + 8] ^= 8;
            Case::of_wheel("m/x.so", &bytes)
        }
        FaultKind::ChangedSource => {
            let text = b"x = run([\"/sbin/ldconfig\", \"-p\"])\n";
            let driver = "triton/backends/nvidia/driver.py";
            Case::of_wheel(driver, text)
                .file("r.toml", replace_rule(driver).as_bytes())
                .word("FILE", "r.toml")
        }
        FaultKind::StaleSource => Case::new("check t").elf("t/liba.so", "int f;", &[]).file(
            "t/triton/backends/nvidia/driver.py",
            b"libs = subprocess.check_output([\"/sbin/ldconfig\", \"-p\"]).decode(errors=\"ignore\")\n",
        ),
        FaultKind::Element => {
            Case::new("check t").elf("t/liba.so", "int f;", &["-Wl,-rpath,relative"])
        }
        FaultKind::Foreign => {
            let mut bytes = module();
            // AArch64.
            bytes[18] = 183;
            Case::of_wheel("m/x.so", &bytes)
        }
        FaultKind::Untried => Case::of_wheel("m/x.so", b""),
        FaultKind::ExecutableStack => {
            Case::new("check t --warnings").elf("t/liba.so", "int f;", &["-Wl,-z,execstack"])
        }
        FaultKind::NoInterpreter => Case::new("check t/tool --python python3")
            .elf("t/tool", "int main(void) { return 0; }", &["-Wl,--dynamic-linker=/no/loader"])
            .word("EXE", "python3"),
        FaultKind::WrongInterpreter => of_wrong_interpreter(),
        FaultKind::LeftOut | FaultKind::Sibling | FaultKind::Sought | FaultKind::Data | FaultKind::Unusable | FaultKind::SonameCollision | FaultKind::Dependent | FaultKind::Program | FaultKind::Nothing => {
            return None;
        }
    })
}

fn replace_rule(file: &str) -> String {
    format!(
        "[[replace]]\nname = 'r'\nreason = 'a'\nsource = 'b'\nfile = ['{file}']\nold = []\nnew = ''\n"
    )
}

/// A library that needs a version of another one, which an older file of the same name lacks.
fn of_version() -> Case {
    let source = "void f_A(void) {} void f_B(void) {}";
    let case = Case::new("check t")
        .file("both.map", versions(&["A", "B"]).as_bytes())
        .file("one.map", versions(&["A"]).as_bytes())
        .elf(
            "new/libv.so.1",
            source,
            &["-Wl,--version-script=both.map", "-Wl,-soname,libv.so.1"],
        );
    let old = case.sandbox.path("old");
    let run_path = format!("-Wl,-rpath,{}", old.display());
    case.elf(
        "old/libv.so.1",
        source,
        &["-Wl,--version-script=one.map", "-Wl,-soname,libv.so.1"],
    )
    .elf(
        "t/libuser.so",
        "void f_B(void); void u(void) { f_B(); }",
        &["-Lnew", "-l:libv.so.1", &run_path],
    )
    .word("DIR", "new")
}

/// A program, and an interpreter for another machine.
fn of_wrong_interpreter() -> Case {
    let mut loader = fs_err::read("/lib64/ld-linux-x86-64.so.2").unwrap();
    loader[18] = 183;
    let mut case = Case::new("patch t/tool")
        .file("ld-linux-x86-64.so.2", &loader)
        .elf("t/tool", "int main(void) { return 0; }", &[]);
    let loader = case.sandbox.path("ld-linux-x86-64.so.2");
    case.line = format!("{} --interpreter {}", case.line, loader.display());
    case
}

#[test]
fn the_printed_fix_of_each_kind_mends_it() {
    for kind in FaultKind::ALL.iter().copied() {
        let Some(first) = case(kind) else { continue };
        assert!(first.has(kind), "{kind:?}: {}", first.line);
        let fixes = first.fixes();
        let mut followed = 0;
        for fix in &fixes {
            let mut case = case(kind).unwrap();
            let here = case.sandbox.path("").to_str().unwrap().to_owned();
            let there = first.sandbox.path("").to_str().unwrap().to_owned();
            if case.follow(&fix.replace(&there, &here)) {
                followed += 1;
                assert!(!case.has(kind), "{kind:?}: {fix}: {}", case.line);
            }
        }
        assert!(0 < followed, "{kind:?}: {fixes:?}");
    }
}

#[test]
fn the_order_of_library_paths_is_advised_where_a_later_one_has_the_version() {
    let case = || {
        let mut case = of_version();
        let (old, new) = (case.sandbox.path("old"), case.sandbox.path("new"));
        case.line = format!(
            "wheelfix patch t --python python3 --lib-path {} --lib-path {}",
            old.display(),
            new.display()
        );
        case
    };
    let (first, mut second) = (case(), case());
    assert!(first.has(FaultKind::Version), "{}", first.line);
    // What the symbols of a version lack with it is said with it.
    assert!(!first.has(FaultKind::Symbols), "{}", first.line);
    let fixes = first.fixes();
    let (here, there) = (second.sandbox.path(""), first.sandbox.path(""));
    let fix = fixes[0].replace(there.to_str().unwrap(), here.to_str().unwrap());
    assert!(fix.contains("--lib-path") && fix.contains("/new"), "{fix}");
    assert!(second.follow(&fix), "{fixes:?}");
    assert!(!second.has(FaultKind::Version), "{fix}: {}", second.line);
    assert_eq!(second.shell(&second.line).0, 0);
    // A command that only looks knows where it is, too.
    let mut third = of_version();
    third.line.push_str(" --lib-path new");
    let fixes = third.fixes();
    assert!(
        fixes[0].starts_with("wheelfix patch") && fixes[0].ends_with("/new"),
        "{fixes:?}"
    );
    assert!(third.follow(&fixes[0]));
    assert!(!third.has(FaultKind::Version), "{}", fixes[0]);
}
