//! ELF files in wheels, and whether the tags are true.

use std::path::Path;

use wheelfix_elf::Elf;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;
use wheelfix_wheel::{ElfOptions, ElfSet, Wheel};

/// Compiles a shared library.
fn library(dir: &Path, source: &str, flags: &[&str]) -> Vec<u8> {
    fs_err::write(dir.join("source.c"), source).unwrap();
    let mut args = vec!["-shared", "-fPIC", "-O1", "source.c", "-o", "library.so"];
    args.extend(flags);
    Tool::CC.run_in(dir, &args).expect();
    fs_err::read(dir.join("library.so")).unwrap()
}

/// A library that needs `GLIBC_2.34`, where `pthread_create` moved into the C library.
const NEEDS_2_34: &str = "extern int pthread_create(void *, void *, void *, void *);\n\
    int f(void) { return pthread_create(0, 0, 0, 0); }\n";

fn tag_check(tags: &str, files: &[(&str, Vec<u8>)], is_purelib: bool) -> String {
    let mut wheel = WheelBuilder::new("demo", "1.0").tags(tags);
    if !is_purelib {
        wheel = wheel.platlib();
    }
    for (path, bytes) in files {
        wheel = wheel.file(path, bytes.clone());
    }
    let dir = tempfile::tempdir().unwrap();
    let wheel = Wheel::open(&wheel.write_to(dir.path())).unwrap();
    let members = wheel.elf_members(ElfOptions::default());
    assert_eq!(members.len(), files.len());
    let findings = wheel.tag_check(&members);
    let lines = findings
        .iter()
        .map(|it| format!("{} {}: {}\n", it.code, it.message, it.paths.join(", ")));
    lines.collect::<Vec<_>>().concat()
}

#[test]
fn a_glibc_newer_than_the_tag_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let files = [("demo/x.so", library(dir.path(), NEEDS_2_34, &[]))];
    insta::assert_snapshot!(tag_check("cp311-cp311-manylinux2014_x86_64", &files, false), @"T001 the tag promises glibc 2.17, but glibc 2.34 is needed: demo/x.so (GLIBC_2.34)");
    assert_eq!(
        tag_check("cp311-cp311-manylinux_2_34_x86_64", &files, false),
        ""
    );
    assert_eq!(tag_check("cp311-cp311-linux_x86_64", &files, false), "");
    insta::assert_snapshot!(tag_check("cp311-cp311-musllinux_1_2_x86_64", &files, false), @"T008 the tag says musl, but files need versions of glibc: demo/x.so");
}

/// A loader goes on without it.
#[test]
fn a_version_that_is_needed_weakly_breaks_no_promise() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = library(dir.path(), NEEDS_2_34, &[]);
    let dynamic = Elf::read(&bytes).unwrap().dynamic.unwrap();
    let needs = dynamic.version_needs.iter();
    for version in needs.flat_map(|need| &need.versions) {
        if version.name == "GLIBC_2.34" {
            // `vna_flags` stands behind `vna_hash`; 2 is `VER_FLG_WEAK`.
            bytes[usize::try_from(version.offset).unwrap() + 4] = 2;
        }
    }
    let files = [("demo/x.so", bytes)];
    assert_eq!(
        tag_check("cp311-cp311-manylinux2014_x86_64", &files, false),
        ""
    );
}

#[test]
fn a_libstdcxx_newer_than_the_systems_of_the_tag_is_found() {
    let dir = tempfile::tempdir().unwrap();
    // The linker takes the newest version that the host's library defines for the symbol.
    let source = "extern void _ZSt28__throw_bad_array_new_lengthv(void);\n\
        void f(void) { _ZSt28__throw_bad_array_new_lengthv(); }\n";
    let files = [("demo/x.so", library(dir.path(), source, &["-lstdc++"]))];
    insta::assert_snapshot!(tag_check("cp311-cp311-manylinux_2_28_x86_64", &files, false), @"T002 systems that the tag names have GLIBCXX_3.4.24, but GLIBCXX_3.4.29 is needed: demo/x.so (GLIBCXX_3.4.29)");
    assert_eq!(
        tag_check("cp311-cp311-manylinux_2_34_x86_64", &files, false),
        ""
    );
}

#[test]
fn compiled_files_belong_into_wheels_that_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let plain = library(dir.path(), "int f(void) { return 1; }", &[]);
    let files = [("demo/x.so", plain)];
    insta::assert_snapshot!(tag_check("py3-none-any", &files, true), @r"
    T004 the tag `any` promises every platform, but there are compiled files: demo/x.so
    T007 `Root-Is-Purelib` is true, but there are compiled files: demo/x.so
    ");
    insta::assert_snapshot!(tag_check("cp311-cp311-linux_aarch64", &files, false), @"T003 the tag says aarch64, but files are for x86-64: demo/x.so");
}

#[test]
fn extension_modules_are_for_the_pythons_of_the_tag() {
    let dir = tempfile::tempdir().unwrap();
    let plain = library(dir.path(), "int f(void) { return 1; }", &[]);
    let name = |version: &str| format!("demo/x.cpython-{version}-x86_64-linux-gnu.so");
    let check =
        |tags: &str, version: &str| tag_check(tags, &[(&name(version), plain.clone())], false);
    assert_eq!(check("cp311-cp311-linux_x86_64", "311"), "");
    assert_eq!(check("cp313-cp313t-linux_x86_64", "313t"), "");
    insta::assert_snapshot!(check("cp311-cp311-linux_x86_64", "312"), @"T006 the tag says cp311, but extension modules are for other versions: demo/x.cpython-312-x86_64-linux-gnu.so");
}

#[test]
fn a_stable_abi_that_is_none_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let source = "extern void PyType_FromSpec(void), PyType_GetModuleState(void), _PyDict_Pop(void);\n\
        void PyInit_x(void) { PyType_FromSpec(); PyType_GetModuleState(); _PyDict_Pop(); }\n";
    let bytes = library(dir.path(), source, &[]);
    let check = |tags: &str, path: &str| tag_check(tags, &[(path, bytes.clone())], false);
    insta::assert_snapshot!(check("cp38-abi3-linux_x86_64", "demo/x.abi3.so"), @"T005 the stable ABI of 3.8 is promised, but these symbols are needed: PyType_GetModuleState (since 3.10), _PyDict_Pop (not stable): demo/x.abi3.so");
    insta::assert_snapshot!(check("cp311-abi3-linux_x86_64", "demo/x.so"), @"T005 the stable ABI of 3.11 is promised, but these symbols are needed: _PyDict_Pop (not stable): demo/x.so");
    assert_eq!(check("cp311-cp311-linux_x86_64", "demo/x.so"), "");
}

#[test]
fn a_set_knows_who_needs_whom() {
    let dir = tempfile::tempdir().unwrap();
    let build = |source: &str, soname: &str, flags: &[&str]| {
        let soname = format!("-Wl,-soname,{soname}");
        let mut all = vec!["-nostdlib", "-Wl,--no-as-needed", "-L.", soname.as_str()];
        all.extend(flags);
        let bytes = library(dir.path(), source, &all);
        Elf::read(&bytes).unwrap()
    };
    let bundled = build("int g(void) { return 1; }", "libgomp-a34b3233.so.1", &[]);
    fs_err::rename(dir.path().join("library.so"), dir.path().join("libgomp.so")).unwrap();
    let orphan = build("int h(void) { return 1; }", "libgfortran.so.5", &[]);
    let user = build(
        "int g(void); int f(void) { return g(); }",
        "x.so",
        &["-lgomp", "-lm"],
    );
    let set = ElfSet::new([
        ("demo.libs/libgomp-a34b3233.so.1.0.0", &bundled),
        ("demo/lib/libgfortran.so.5", &orphan),
        ("demo/x.so", &user),
    ]);
    let bundled: Vec<String> = set
        .bundled()
        .iter()
        .map(|it| {
            format!(
                "{} is {} (renamed: {}) for {}\n",
                it.path,
                it.canonical,
                it.is_renamed,
                it.needed_by.join(" ")
            )
        })
        .collect();
    insta::assert_snapshot!(bundled.concat(), @r"
    demo.libs/libgomp-a34b3233.so.1.0.0 is libgomp.so.1.0.0 (renamed: true) for demo/x.so
    demo/lib/libgfortran.so.5 is libgfortran.so.5 (renamed: false) for 
    ");
    assert_eq!(
        set.external().into_iter().collect::<Vec<_>>(),
        [("libm.so.6", vec!["demo/x.so"])]
    );
}

#[test]
fn a_damaged_elf_file_is_reported_by_name() {
    let mut bytes = b"\x7fELF".to_vec();
    bytes.resize(100, 0xff);
    let wheel = WheelBuilder::new("demo", "1.0")
        .file("demo/x.so", bytes)
        .file("demo/elf.py", b"\x7fELF".to_vec());
    let dir = tempfile::tempdir().unwrap();
    let wheel = Wheel::open(&wheel.write_to(dir.path())).unwrap();
    let members = wheel.elf_members(ElfOptions::default());
    let [member] = members.as_slice() else {
        panic!("{} ELF files", members.len());
    };
    let error = member.elf.as_ref().unwrap_err().to_string();
    assert_eq!(member.file.path.as_str(), "demo/x.so");
    assert!(error.contains("expected"), "{error}");
}
