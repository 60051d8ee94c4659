//! The ranked list of supported tags, against `packaging.tags`.

use wheelfix_format::{Implementation, Libc, PythonVersion, Target};

use crate::oracle;

/// A question is `minor abiflags arch libc major minor`.
const SCRIPT: &str = r"
import sys
from packaging import _manylinux, _musllinux, tags
for line in open(sys.argv[1]):
    implementation, minor, flags, arch, libc, libc_major, libc_minor = line.rstrip('\n').split(' ')
    python = (3, int(minor))
    version = (int(libc_major), int(libc_minor))
    _manylinux._get_glibc_version = lambda: version if libc == 'glibc' else (-1, -1)
    _manylinux._have_compatible_abi = lambda executable, archs: any(
        arch in _manylinux._ALLOWED_ARCHS | {'armv7l', 'i686'} for arch in archs)
    _musllinux._get_musl_version = lambda executable: (
        _musllinux._MuslVersion(*version) if libc == 'musl' else None)
    archs = {'armv8l': ['armv8l', 'armv7l']}.get(arch, [arch])
    platforms = [f'linux_{arch}' for arch in archs]
    platforms += _manylinux.platform_tags(archs)
    platforms += _musllinux.platform_tags(archs)
    if libc == 'macos':
        platforms = list(tags.mac_platforms(version, arch))
    tags.platform_tags = lambda: iter(platforms)
    config = {'Py_DEBUG': 'd' in flags, 'Py_GIL_DISABLED': 't' in flags}
    tags._get_config_var = lambda name, warn=False: config.get(name)
    if implementation == 'cp':
        found = list(tags.cpython_tags(python)) + list(tags.compatible_tags(python, f'cp3{minor}'))
    else:
        abi = f'pypy3{minor}_pp73'
        found = list(tags.generic_tags(f'pp3{minor}', [abi])) + list(tags.compatible_tags(python, 'pp3'))
    print(' '.join(map(str, found)))
";

fn target(question: &str) -> Target {
    let words: Vec<&str> = question.split(' ').collect();
    let [
        implementation,
        minor,
        flags,
        arch,
        libc,
        libc_major,
        libc_minor,
    ] = words[..]
    else {
        panic!("{question}");
    };
    let (major, libc_minor) = (libc_major.parse().unwrap(), libc_minor.parse().unwrap());
    let libc = match libc {
        "glibc" => Libc::Glibc {
            major,
            minor: libc_minor,
        },
        "macos" => Libc::MacOs {
            major,
            minor: libc_minor,
        },
        _ => Libc::Musl {
            major,
            minor: libc_minor,
        },
    };
    let python = PythonVersion {
        major: 3,
        minor: minor.parse().unwrap(),
    };
    Target {
        implementation: if implementation == "cp" {
            Implementation::CPython
        } else {
            Implementation::PyPy
        },
        free_threaded: flags.contains('t'),
        debug: flags.contains('d'),
        ..Target::linux(python, arch, libc)
    }
}

#[test]
fn supported_tags_are_those_of_packaging_in_its_order() {
    let mut questions: Vec<String> = (8..=15)
        .map(|minor| format!("cp {minor} - x86_64 glibc 2 36"))
        .collect();
    let archs = [
        "x86_64",
        "i686",
        "aarch64",
        "armv7l",
        "armv8l",
        "armv6l",
        "ppc64le",
        "s390x",
        "riscv64",
        "loongarch64",
    ];
    questions.extend(archs.map(|arch| format!("cp 11 - {arch} glibc 2 28")));
    questions.extend(["t", "d", "td"].map(|flags| format!("cp 14 {flags} x86_64 glibc 2 39")));
    questions.extend(
        ["2 4", "2 5", "2 12", "2 17", "2 100", "3 1"]
            .map(|glibc| format!("cp 12 - x86_64 glibc {glibc}")),
    );
    questions.extend(["1 0", "1 2"].map(|musl| format!("cp 12 - aarch64 musl {musl}")));
    questions.extend(["9", "11"].map(|minor| format!("pp {minor} - x86_64 glibc 2 36")));
    questions.extend(
        [
            "arm64 macos 14 0",
            "arm64 macos 11 3",
            "x86_64 macos 26 1",
            "x86_64 macos 10 13",
        ]
        .map(|platform| format!("cp 13 - {platform}")),
    );
    oracle::compare(SCRIPT, &questions, |question| {
        let tags: Vec<String> = target(question)
            .supported_tags()
            .iter()
            .map(ToString::to_string)
            .collect();
        tags.join(" ")
    });
}

/// Byte for byte the interpreter's own answer, on the machine that the tests run on.
#[test]
fn the_tags_of_this_machine_are_found() {
    const HOST: &str = r"
import sys
from packaging import tags, _manylinux
for line in open(sys.argv[1]):
    print(*_manylinux._get_glibc_version(), sys.version_info.minor, *tags.sys_tags())
";
    let answer = oracle::answers(HOST, &["host".to_owned()]).remove(0);
    let mut words = answer.split(' ');
    let [major, minor, python]: [u16; 3] = [(); 3].map(|()| words.next().unwrap().parse().unwrap());
    let python = PythonVersion {
        major: 3,
        minor: python,
    };
    let target = Target::linux(python, std::env::consts::ARCH, Libc::Glibc { major, minor });
    let ours: Vec<String> = target
        .supported_tags()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(ours, words.collect::<Vec<_>>());
}
