//! Libraries that patchelf has left segments in without a section: `strip` breaks them, unless they are healed.

use std::path::Path;

use tempfile::TempDir;
use wheelfix_elf::{Elf, FileSource, Method, ProgramHeader, Request, patch_file};
use wheelfix_testkit::cache;
use wheelfix_testkit::elf::{Tool, for_each_member, list_needed, violations};

/// Wheels with such libraries.
const WHEELS: [&str; 3] = ["numpy", "scipy", "torchvision"];

const LIBRARIES: [&str; 5] = [
    "numpy.libs/libgfortran-040039e1-0352e75f.so.5.0.0",
    "numpy.libs/libscipy_openblas64_-32a4b2a6.so",
    "scipy.libs/libgfortran-040039e1-0352e75f.so.5.0.0",
    "scipy.libs/libscipy_openblas-6cdc3b4a.so",
    "torchvision/image_stable.so",
];

fn heal() -> Request {
    Request {
        heal: true,
        ..Request::default()
    }
}

/// How many segments hold no section.
fn dead_segments(elf: &Elf) -> usize {
    let is_dead = |load: &&ProgramHeader| {
        let mut sections = elf.sections.iter();
        load.is_load()
            && !sections.any(|section| {
                section.is_alloc()
                    && section.vaddr < load.memory_end()
                    && load.vaddr < section.memory_end()
            })
    };
    elf.program_headers.iter().filter(is_dead).count()
}

/// Strips as Nixpkgs does and asks the loader what it makes of the result.
fn strip_and_load(path: &Path) -> Result<(), String> {
    let stripped = path.with_extension("stripped");
    let [from, to] = [path, &stripped].map(|path| path.to_str().unwrap());
    Tool::STRIP.run(&["-S", "-p", from, "-o", to]).success()?;
    list_needed(&stripped).map(drop)
}

/// Opens a library and binds all of its functions.
fn dlopen(path: &Path) -> Result<(), String> {
    let code = "import ctypes, os, sys\nctypes.CDLL(sys.argv[1], os.RTLD_NOW)";
    let python = Tool::PYTHON.run(&["-I", "-c", code, path.to_str().unwrap()]);
    python.success().map(drop)
}

#[test]
fn healed_libraries_survive_strip() {
    let dir = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for wheel in WHEELS {
        for_each_member(&cache::wheel(wheel), &mut |member| {
            let elf = Elf::read(&member.bytes).unwrap();
            let path = dir.path().join(&member.name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, &member.bytes).unwrap();
            if 0 < dead_segments(&elf) {
                found.push(member.name);
            } else {
                // There is nothing to heal in all others.
                assert_eq!(
                    patch_file(&path, &heal()).unwrap().method,
                    Method::Untouched
                );
            }
        });
    }
    found.sort();
    assert_eq!(found, LIBRARIES);
    for name in LIBRARIES {
        check(&dir, name);
    }
}

#[track_caller]
fn check(dir: &TempDir, name: &str) {
    let path = dir.path().join(name);
    strip_and_load(&path).expect_err("strip should break the library as shipped");
    let before = violations(&fs_err::read(&path).unwrap(), 4096);
    let outcome = patch_file(&path, &heal()).unwrap();
    assert_eq!(outcome.method, Method::InPlace);
    assert!(outcome.plan.new_len <= outcome.plan.old_len, "{name}");
    let elf = Elf::read(&FileSource::open(&path).unwrap()).unwrap();
    assert_eq!(dead_segments(&elf), 0, "{name}");
    let after = violations(&fs_err::read(&path).unwrap(), 4096);
    assert!(after.len() <= before.len(), "{name}: {after:?}");
    strip_and_load(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    if name.contains(".libs/") {
        dlopen(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let stripped = path.with_extension("stripped");
        dlopen(&stripped).unwrap_or_else(|error| panic!("{name}, stripped: {error}"));
    }
    // Healing is done once, and goes along with other edits.
    assert_eq!(
        patch_file(&path, &heal()).unwrap().method,
        Method::Untouched
    );
    let long = Request {
        heal: true,
        ..Request::set_run_path(format!("$ORIGIN:/{}", "x".repeat(400)))
    };
    patch_file(&path, &long).unwrap();
    strip_and_load(&path).unwrap_or_else(|error| panic!("{name}, edited: {error}"));
}
