//! Machines that Debian has no C library for: linked by LLVM, judged by `readelf`, by the checks and by `llvm-strip`.

use std::path::Path;

use tempfile::TempDir;
use wheelfix_elf::{
    Elf, NeededEdit, Request, RunPathEdit, RunPathKind, RunPathRequest, Warning, patch_file,
};
use wheelfix_testkit::elf::{
    Stripper, Tool, Violation, describe, differences, layout_violations, violations,
};

use crate::opinion::compare;

/// Machines as clang names them, the largest page of their kernels in bytes, and options of clang.
const MACHINES: [(&str, u64, &[&str]); 3] = [
    ("loongarch64-linux-gnu", 65536, &["-mabi=lp64d"]),
    // 32 bits with the highest byte first, and 64 bits so.
    ("powerpc-linux-gnu", 65536, &["-mcpu=ppc"]),
    ("aarch64_be-linux-gnu", 65536, &[]),
];

const DEPENDENCY: &str = "
    int answer(int x) { return x + 42; }
";

const PROBE: &str = "
    extern int answer(int);
    static int zeros[3000];
    int data = 7;
    const int *const pointer = &data;
    int (*functions[])(int) = {answer};
    int use(int x) { zeros[x % 3000]++; return functions[0](x) + zeros[3] + *pointer; }
    void _start(void) { use(1); for (;;) {} }
";

/// The kinds of files, and what the linker is told for them.
const KINDS: [(&str, &[&str]); 3] = [
    ("library", &["-shared", "-soname=libprobe.so"]),
    ("pie", &["-pie", "--dynamic-linker=/lib/ld.so"]),
    ("fixed", &["-no-pie", "--dynamic-linker=/lib/ld.so"]),
];

struct Bench {
    dir: TempDir,
    page: u64,
}

impl Bench {
    fn new(triple: &str, page: u64, flags: &[&str]) -> Self {
        let bench = Self {
            dir: tempfile::tempdir().unwrap(),
            page,
        };
        let dir = bench.dir.path();
        for (name, text) in [("dep", DEPENDENCY), ("probe", PROBE)] {
            let [source, object] = [format!("{name}.c"), format!("{name}.o")];
            fs_err::write(dir.join(&source), text).unwrap();
            let target = format!("--target={triple}");
            let args = [
                &target,
                "-ffreestanding",
                "-fPIC",
                "-O1",
                "-c",
                &source,
                "-o",
                &object,
            ];
            Tool::CLANG.run_in(dir, &[&args, flags].concat()).expect();
        }
        fs_err::write(dir.join("dep.map"), "DEP_1.0 { answer; local: *; };\n").unwrap();
        let soname = ["-shared", "-soname=libdep.so.1", "--version-script=dep.map"];
        bench.link("libdep.so.1", &[soname.as_slice(), &["dep.o"]].concat());
        bench
    }

    fn link(&self, output: &str, args: &[&str]) {
        let common = ["--build-id", "--hash-style=both", "-o", output];
        Tool::LLD
            .run_in(self.dir.path(), &[&common, args].concat())
            .expect();
    }

    /// Edits a file, and strips and edits it again; returns what is wrong then.
    fn faults(&self, kind: &str) -> Vec<String> {
        let [path, stripped] = [kind, "stripped"].map(|name| self.dir.path().join(name));
        let original = fs_err::read(&path).unwrap();
        compare(&original);
        let mut faults = Vec::new();
        // LLVM's linker leaves no entry free, and these files have no hint that could be spared.
        let moved = [Warning::DynamicNotRelro];
        let outcome = patch_file(&path, &request(kind, 400)).unwrap();
        assert!(outcome.plan.warnings.is_empty() || outcome.plan.warnings == moved);
        let accepted = |violation: &Violation| {
            outcome.plan.warnings == moved && violation.code.starts_with("DYN_")
        };
        let edited = fs_err::read(&path).unwrap();
        let mut found = violations(&edited, self.page);
        found.extend(differences(&original, &edited));
        found.extend(layout_violations(&original, &edited));
        found.retain(|violation| !accepted(violation));
        if !found.is_empty() {
            faults.push(format!("edited: {}", describe(&found)));
        }
        compare(&edited);
        faults.extend(warnings(&path));
        match Stripper::LlvmStrip.strip(&path, &stripped) {
            Ok(()) => {
                patch_file(&stripped, &request(kind, 700)).unwrap();
                let mut found = violations(&fs_err::read(&stripped).unwrap(), self.page);
                found.retain(|violation| !accepted(violation));
                if !found.is_empty() {
                    faults.push(format!("stripped and edited: {}", describe(&found)));
                }
                faults.extend(warnings(&stripped));
            }
            Err(error) => faults.push(error),
        }
        let elf = Elf::read(&fs_err::read(&stripped).unwrap()).unwrap();
        let dynamic = elf.dynamic.unwrap();
        assert_eq!(dynamic.run_path.effective().unwrap().len(), 700);
        assert_eq!(dynamic.version_needs[0].file, dynamic.needed[0]);
        faults
    }
}

/// Every kind of edit at once.
fn request(kind: &str, len: usize) -> Request {
    let name = format!("libdep-{}.so.1", "0123456789".repeat(len / 50));
    let replace = |from: &str| NeededEdit::Replace {
        from: from.to_owned(),
        to: name.clone(),
    };
    let old = format!("libdep-{}.so.1", "0123456789".repeat(8));
    Request {
        run_path: Some(RunPathRequest {
            edit: RunPathEdit::Set("x".repeat(len)),
            kind: Some(RunPathKind::Rpath),
        }),
        needed: vec![replace("libdep.so.1"), replace(&old)],
        interpreter: (kind != "library").then(|| format!("/{}", "i".repeat(len / 2))),
        ..Request::default()
    }
}

/// The complaints of `readelf`; `None` without any.
fn warnings(path: &Path) -> Option<String> {
    let outcome = Tool::READELF.run(&["-aW", path.to_str().unwrap()]);
    let complaints: Vec<&str> = outcome
        .stderr
        .lines()
        // Binutils of today do not know all relocations of these machines.
        .filter(|line| !line.contains("relocation type"))
        .collect();
    (!complaints.is_empty()).then(|| complaints.join("; "))
}

#[test]
fn machines_without_a_c_library() {
    let mut faults = Vec::new();
    for (triple, page, flags) in MACHINES {
        let bench = Bench::new(triple, page, flags);
        for (kind, args) in KINDS {
            bench.link(kind, &[args, &["probe.o", "libdep.so.1"]].concat());
            let found = bench.faults(kind).into_iter();
            faults.extend(found.map(|fault| format!("{triple}, {kind}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
