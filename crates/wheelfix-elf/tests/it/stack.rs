//! Files that do not say whether their stack is executable.

use std::path::Path;

use wheelfix_elf::{Elf, FileSource, Request, patch_file};
use wheelfix_testkit::elf::{Stripper, Tool, violations};

fn request(executable: bool, rpath: Option<&str>) -> Request {
    Request {
        executable_stack: Some(executable),
        ..rpath.map_or_else(Request::default, Request::set_run_path)
    }
}

fn stack(path: &Path) -> Option<bool> {
    Elf::read(&FileSource::open(path).unwrap())
        .unwrap()
        .executable_stack
}

#[test]
fn a_missing_header_is_added() {
    let dir = tempfile::tempdir().unwrap();
    let [path, stripped] = ["library.so", "stripped.so"].map(|name| dir.path().join(name));
    fs_err::write(dir.path().join("a.c"), "int one(void) { return 1; }\n").unwrap();
    let link = || {
        let args = [
            "-shared",
            "-fPIC",
            "-fuse-ld=lld",
            "-Wl,-z,nognustack",
            "-o",
            "library.so",
        ];
        Tool::CC
            .run_in(dir.path(), &[&args, ["a.c"].as_slice()].concat())
            .expect();
        assert_eq!(stack(&path), None);
    };
    let long = format!("/{}", "x".repeat(500));
    for (executable, rpath) in [(false, None), (true, None), (false, Some(long.as_str()))] {
        link();
        patch_file(&path, &request(executable, rpath)).unwrap();
        assert_eq!(stack(&path), Some(executable));
        assert_eq!(violations(&fs_err::read(&path).unwrap(), 4096), []);
        Stripper::Strip.strip(&path, &stripped).unwrap();
        assert_eq!(stack(&stripped), Some(executable));
        let code = "import ctypes, sys; assert ctypes.CDLL(sys.argv[1]).one() == 1";
        for file in [&path, &stripped] {
            let allowed = Tool::PYTHON.run(&["-I", "-c", code, file.to_str().unwrap()]);
            allowed.expect();
        }
        // The other way round is a bit in the header that is there now.
        patch_file(&path, &request(!executable, None)).unwrap();
        assert_eq!(stack(&path), Some(!executable));
    }
}
