//! The Python and the machine that wheels are installed for, known without running either.

use std::fmt;

use crate::{MarkerEnvironment, PythonVersion, Tag};

/// A Python on a machine with Linux, or with macOS as far as the choice of wheels.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// Which Python.
    pub implementation: Implementation,
    /// Its version.
    pub python: PythonVersion,
    /// Its whole version, as `3.11.9` or `3.15.0b1`; `None` if no more than [`python`](Self::python)
    /// is known.
    pub full_version: Option<String>,
    /// Built without the global interpreter lock: ABI `cp313t`. From `CPython` 3.13 on.
    pub free_threaded: bool,
    /// A debug build, which also loads what is built for the normal one.
    pub debug: bool,
    /// The machine as Python's `platform.machine()` names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// The C library and its version.
    pub libc: Libc,
}

/// An implementation of Python.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Implementation {
    /// The implementation from python.org.
    CPython,
    /// `PyPy`, with the ABI `pp73` that it has had since 2021.
    PyPy,
}

/// A C library.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Libc {
    /// GNU, which the `manylinux` tags are about.
    Glibc {
        /// 2 in 2.36.
        major: u16,
        /// 36 in 2.36.
        minor: u16,
    },
    /// musl, which the `musllinux` tags are about.
    Musl {
        /// 1 in 1.2.
        major: u16,
        /// 2 in 1.2.
        minor: u16,
    },
    /// libSystem, which is a part of macOS and has its version.
    MacOs {
        /// 14 in 14.0.
        major: u16,
        /// 0 in 14.0.
        minor: u16,
    },
}

impl Libc {
    /// The glibc that is assumed where nothing of the target can be asked.
    ///
    /// It accepts every `manylinux` tag: a Nix package set has a newer glibc than published wheels
    /// need, and the proof looks at the symbol versions themselves.
    pub const ASSUMED_GLIBC: Self = Self::Glibc {
        major: 2,
        minor: 99,
    };

    /// The musl that is assumed of a target that has one.
    pub const ASSUMED_MUSL: Self = Self::Musl { major: 1, minor: 2 };

    /// The macOS that is assumed: the oldest that nixpkgs supports.
    pub const ASSUMED_MACOS: Self = Self::MacOs {
        major: 14,
        minor: 0,
    };
}

/// The machines for which `manylinux` tags exist.
pub(crate) const MANYLINUX_ARCHS: [&str; 10] = [
    "x86_64",
    "aarch64",
    "ppc64",
    "ppc64le",
    "s390x",
    "loongarch64",
    "riscv64",
    "armv7l",
    "armv8l",
    "i686",
];

/// If there ever is a glibc 3, the last 2.x is taken to be this one, as `packaging` does.
const LAST_MINOR: u16 = 50;

/// The old names of three glibc versions.
pub(crate) const LEGACY_MANYLINUX: [(&str, u16); 3] = [
    ("manylinux1", 5),
    ("manylinux2010", 12),
    ("manylinux2014", 17),
];

impl Target {
    /// A normal build of `CPython`.
    pub fn linux(python: PythonVersion, arch: &str, libc: Libc) -> Self {
        Self {
            implementation: Implementation::CPython,
            python,
            full_version: None,
            free_threaded: false,
            debug: false,
            arch: arch.to_owned(),
            libc,
        }
    }

    /// The version of the Python as its directories and programs have it: `3.11`, `3.13t`.
    pub fn python_name(&self) -> String {
        let flag = if self.free_threaded { "t" } else { "" };
        format!("{}{flag}", self.python)
    }

    /// Whether both have the same Python, machine and kind of C library, whatever is known of their versions
    /// beyond the minor one.
    pub fn is_alike(&self, other: &Self) -> bool {
        let kind = |target: &Self| std::mem::discriminant(&target.libc);
        let facts = |target: &Self| (target.implementation, target.free_threaded, target.debug);
        facts(self) == facts(other)
            && self.python == other.python
            && self.arch == other.arch
            && kind(self) == kind(other)
    }

    /// The tags of the wheels that run here, the best first, in the order of Python's `packaging`:
    /// <https://packaging.pypa.io/en/stable/tags.html#packaging.tags.sys_tags>.
    pub fn supported_tags(&self) -> Vec<Tag> {
        let platforms = self.platforms();
        let mut tags = match self.implementation {
            Implementation::CPython => self.cpython_tags(&platforms),
            Implementation::PyPy => {
                let abi = format!("pypy{}_pp73", self.nodot());
                let python = format!("pp{}", self.nodot());
                combine(&python, &[&abi, "none"], &platforms)
            }
        };
        let pythons = self.generic_pythons();
        tags.extend(
            pythons
                .iter()
                .flat_map(|python| combine(python, &["none"], &platforms)),
        );
        let own = match self.implementation {
            Implementation::CPython => format!("cp{}", self.nodot()),
            Implementation::PyPy => "pp3".to_owned(),
        };
        tags.push(Tag::new(own, "none", "any"));
        tags.extend(
            pythons
                .into_iter()
                .map(|python| Tag::new(python, "none", "any")),
        );
        tags
    }

    fn cpython_tags(&self, platforms: &[String]) -> Vec<Tag> {
        let python = self.own_python();
        let threading = if self.free_threaded { "t" } else { "" };
        let normal = format!("{python}{threading}");
        let debug = format!("{normal}d");
        let stable = self.stable_abi();
        let mut abis = if self.debug {
            vec![debug.as_str()]
        } else {
            Vec::new()
        };
        abis.extend([normal.as_str(), stable, "none"]);
        let mut tags = combine(&python, &abis, platforms);
        // The stable ABI began with Python 3.2.
        for minor in (2..self.python.minor).rev() {
            let older = format!("cp{}{minor}", self.python.major);
            tags.extend(combine(&older, &[stable], platforms));
        }
        tags
    }

    /// The Python part of the tags that are for this very Python, for example `cp311`.
    pub fn own_python(&self) -> String {
        let name = match self.implementation {
            Implementation::CPython => "cp",
            Implementation::PyPy => "pp",
        };
        format!("{name}{}", self.nodot())
    }

    fn stable_abi(&self) -> &'static str {
        if self.free_threaded { "abi3t" } else { "abi3" }
    }

    /// `py311`, `py3`, then the older ones.
    pub(crate) fn generic_pythons(&self) -> Vec<String> {
        let PythonVersion { major, minor } = self.python;
        let older = (0..minor).rev().map(|minor| format!("py{major}{minor}"));
        [format!("py{major}{minor}"), format!("py{major}")]
            .into_iter()
            .chain(older)
            .collect()
    }

    fn nodot(&self) -> String {
        format!("{}{}", self.python.major, self.python.minor)
    }

    /// The platform parts that run here, the best first.
    pub fn platforms(&self) -> Vec<String> {
        if let Libc::MacOs { major, minor } = self.libc {
            return macos(&self.arch, major, minor);
        }
        let archs: &[&str] = match self.arch.as_str() {
            "armv8l" => &["armv8l", "armv7l"],
            arch => &[arch],
        };
        let mut platforms: Vec<String> = archs.iter().map(|arch| format!("linux_{arch}")).collect();
        for arch in archs {
            match self.libc {
                Libc::Glibc { major, minor } if MANYLINUX_ARCHS.contains(arch) => {
                    platforms.extend(manylinux(arch, major, minor));
                }
                Libc::Glibc { .. } | Libc::MacOs { .. } => {}
                Libc::Musl { major, minor } => {
                    let minors = (0..=minor).rev();
                    platforms
                        .extend(minors.map(|minor| format!("musllinux_{major}_{minor}_{arch}")));
                }
            }
        }
        platforms
    }

    /// The environment that markers are evaluated in. The release and version of the kernel are
    /// unknown at build time and empty; a micro version of Python that is not known is taken as 0.
    pub fn marker_environment(&self) -> MarkerEnvironment {
        let (implementation_name, platform_python_implementation) = match self.implementation {
            Implementation::CPython => ("cpython", "CPython"),
            Implementation::PyPy => ("pypy", "PyPy"),
        };
        let python_version = self.python.to_string();
        let (platform_system, sys_platform) = match self.libc {
            Libc::MacOs { .. } => ("Darwin", "darwin"),
            Libc::Glibc { .. } | Libc::Musl { .. } => ("Linux", "linux"),
        };
        let full_version = self.full_version.clone();
        let python_full_version = full_version.unwrap_or_else(|| format!("{python_version}.0"));
        MarkerEnvironment {
            implementation_name: implementation_name.to_owned(),
            implementation_version: python_full_version.clone(),
            os_name: "posix".to_owned(),
            platform_machine: self.arch.clone(),
            platform_python_implementation: platform_python_implementation.to_owned(),
            platform_release: String::new(),
            platform_system: platform_system.to_owned(),
            platform_version: String::new(),
            python_full_version,
            python_version,
            sys_platform: sys_platform.to_owned(),
        }
    }
}

/// The `manylinux` platforms of a machine with this glibc, the newest first.
fn manylinux(arch: &str, major: u16, minor: u16) -> Vec<String> {
    let oldest = if matches!(arch, "x86_64" | "i686") {
        5
    } else {
        17
    };
    let mut platforms = Vec::new();
    for generation in (2..=major).rev() {
        let newest = if generation == major {
            minor
        } else {
            LAST_MINOR
        };
        let oldest = if generation == 2 { oldest } else { 0 };
        for minor in (oldest..=newest).rev() {
            platforms.push(format!("manylinux_{generation}_{minor}_{arch}"));
            let legacy = LEGACY_MANYLINUX
                .iter()
                .find(|(_, of)| generation == 2 && *of == minor);
            platforms.extend(legacy.map(|(name, _)| format!("{name}_{arch}")));
        }
    }
    platforms
}

/// The `macosx` platforms of a machine with this macOS, the newest first.
fn macos(arch: &str, major: u16, minor: u16) -> Vec<String> {
    let formats: &[&str] = match arch {
        "x86_64" => &[
            "x86_64",
            "intel",
            "fat64",
            "fat3",
            "universal2",
            "universal",
        ],
        _ => &[arch, "universal2"],
    };
    // Since macOS 11 the minor version says nothing, and the 16 after 10 is how it is told to old programs.
    let newest_of_10 = if major < 11 { minor } else { 16 };
    let news = (11..=major).rev().map(|major| (major, 0));
    let olds = (4..=newest_of_10).rev().map(|minor| (10, minor));
    let mut platforms = Vec::new();
    for (major, minor) in news.chain(olds) {
        // Other machines than x86_64 began with macOS 11; in both formats a library may be older.
        let is_too_old = |format: &str| major < 11 && arch != "x86_64" && format != "universal2";
        let formats = formats.iter().filter(|format| !is_too_old(format));
        platforms.extend(formats.map(|format| format!("macosx_{major}_{minor}_{format}")));
    }
    platforms
}

/// Every combination, the platform varying fastest.
fn combine(python: &str, abis: &[&str], platforms: &[String]) -> Vec<Tag> {
    let tags = abis.iter().flat_map(|abi| {
        platforms
            .iter()
            .map(|platform| Tag::new(python, *abi, platform))
    });
    tags.collect()
}

impl fmt::Display for Libc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glibc { major, minor } => write!(f, "glibc {major}.{minor}"),
            Self::Musl { major, minor } => write!(f, "musl {major}.{minor}"),
            Self::MacOs { major, minor } => write!(f, "macOS {major}.{minor}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(target: &Target) -> Vec<String> {
        target
            .supported_tags()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn cp311() -> Target {
        let glibc = Libc::Glibc {
            major: 2,
            minor: 36,
        };
        Target::linux(
            PythonVersion {
                major: 3,
                minor: 11,
            },
            "x86_64",
            glibc,
        )
    }

    #[test]
    fn the_most_specific_tag_is_first_and_the_most_general_last() {
        let tags = tags(&cp311());
        assert_eq!(tags.first().unwrap(), "cp311-cp311-linux_x86_64");
        assert_eq!(tags.last().unwrap(), "py30-none-any");
        assert!(tags.contains(&"cp39-abi3-manylinux2014_x86_64".to_owned()));
        assert!(!tags.contains(&"cp39-cp39-manylinux2014_x86_64".to_owned()));
        assert!(!tags.contains(&"cp311-cp311-manylinux_2_37_x86_64".to_owned()));
    }

    #[test]
    fn free_threaded_builds_have_another_stable_abi() {
        let tags = tags(&Target {
            free_threaded: true,
            ..cp311()
        });
        assert!(tags.contains(&"cp311-abi3t-linux_x86_64".to_owned()));
        assert!(!tags.contains(&"cp311-abi3-linux_x86_64".to_owned()));
    }

    #[test]
    fn musl_has_its_own_platforms() {
        let musl = Target {
            libc: Libc::Musl { major: 1, minor: 2 },
            ..cp311()
        };
        assert_eq!(
            musl.platforms(),
            [
                "linux_x86_64",
                "musllinux_1_2_x86_64",
                "musllinux_1_1_x86_64",
                "musllinux_1_0_x86_64"
            ]
        );
    }

    #[test]
    fn the_marker_environment_is_that_of_the_target() {
        let environment = cp311().marker_environment();
        assert_eq!(environment.python_version, "3.11");
        assert_eq!(environment.python_full_version, "3.11.0");
        assert_eq!(environment.platform_machine, "x86_64");
        let known = Target {
            full_version: Some("3.11.9".to_owned()),
            ..cp311()
        };
        let environment = known.marker_environment();
        assert_eq!(environment.python_full_version, "3.11.9");
        assert_eq!(environment.implementation_version, "3.11.9");
    }
}
