//! Wheels of other systems under names that say Linux, and wheels that only look like them.

use wheelfix_testkit::wheel::WheelBuilder;
use wheelfix_wheel::Wheel;

const LINUX: &str = "cp311-cp311-manylinux_2_17_x86_64";
const WINDOWS: &str = "cp311-cp311-win_amd64";

const PE: &[u8] = b"MZ\x90\0\x03\0\0\0";
const MACH_O: &[u8] = b"\xcf\xfa\xed\xfe\x0c\0\0\x01";
const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0";

/// The message about a wheel that was made for some tags, under a name with others.
fn foreign(made_for: &str, named: &str, files: &[(&str, &[u8])]) -> Option<String> {
    let mut wheel = WheelBuilder::new("m", "1.0").tags(made_for);
    for (path, content) in files {
        wheel = wheel.file(path, *content);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("m-1.0-{named}.whl"));
    fs_err::write(&path, wheel.build()).unwrap();
    let wheel = Wheel::open(&path).unwrap();
    wheel.foreign().map(|foreign| foreign.to_string())
}

#[test]
fn a_renamed_wheel_is_known_by_its_files() {
    let module = [("m/_c.cp311-win_amd64.pyd", PE), ("m/__init__.py", b"")];
    insta::assert_snapshot!(foreign(WINDOWS, LINUX, &module).unwrap(), @"the name says Linux, but the wheel is for Windows: `m/_c.cp311-win_amd64.pyd` is PE, and no file is ELF");
    // Whoever renamed it may have put the tags right.
    assert!(foreign(LINUX, LINUX, &module).is_some());
    let module = [("m/_c.cpython-311-darwin.so", MACH_O)];
    insta::assert_snapshot!(foreign("cp311-cp311-macosx_11_0_arm64", LINUX, &module).unwrap(), @"the name says Linux, but the wheel is for macOS: `m/_c.cpython-311-darwin.so` is Mach-O, and no file is ELF");
    // A library that ctypes opens, or a program, is no module.
    let library = [("m/native.dll", PE)];
    assert!(foreign("py3-none-win_amd64", "py3-none-linux_x86_64", &library).is_some());
}

#[test]
fn libraries_and_launchers_for_others_say_nothing() {
    let any = "py3-none-any";
    let launchers = [("setuptools/cli-64.exe", PE), ("pip/t32.exe", PE)];
    assert_eq!(foreign(any, any, &launchers), None);
    assert_eq!(foreign(any, "py3-none-linux_x86_64", &launchers), None);
    assert_eq!(foreign(LINUX, LINUX, &[("m/Some.Net.dll", PE)]), None);
    assert_eq!(foreign(any, any, &[("m/_c.pyd", PE)]), None);
    // One file for Linux is what counts.
    let both = [("m/_c.pyd", PE), ("m/libm.so", MACH_O), ("m/tool", ELF)];
    assert_eq!(foreign(WINDOWS, LINUX, &both), None);
    // Nothing in it is for any system.
    assert_eq!(
        foreign(WINDOWS, LINUX, &[("m/__init__.py", b"x = 1\n")]),
        None
    );
    assert_eq!(
        foreign(
            LINUX,
            LINUX,
            &[("m/A.class", b"\xca\xfe\xba\xbe\0\0\0\x34")]
        ),
        None
    );
    assert_eq!(foreign(WINDOWS, WINDOWS, &[("m/_c.pyd", PE)]), None);
}
