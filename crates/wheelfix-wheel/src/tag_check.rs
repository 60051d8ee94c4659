//! Whether the tags of a wheel are true: does it run where they say?
//!
//! The meaning of tags to installers is in <https://peps.python.org/pep-0600/>, the libraries and
//! versions of the systems that they name are in the policies of auditwheel:
//! <https://github.com/pypa/auditwheel/blob/main/src/auditwheel/policy/manylinux-policy.json>.

use wheelfix_elf::{Elf, Machine, is_newer_version, minimum_versions};
use wheelfix_format::{Libc, PlatformTag, PythonVersion, TagSet};

use crate::contents_lint::module_stem;
use crate::elf_members::ElfMember;
use crate::finding::{Code, Finding};
use crate::{Wheel, stable_abi};

/// The newest `GLIBCXX` version of the systems with a glibc 2.x or newer, by the minor number x.
const LIBSTDCXX: [(u16, &str); 11] = [
    (5, "3.4.8"),
    (12, "3.4.13"),
    (17, "3.4.19"),
    (24, "3.4.22"),
    (26, "3.4.24"),
    (31, "3.4.28"),
    (34, "3.4.29"),
    (35, "3.4.30"),
    (39, "3.4.33"),
    (40, "3.4.33"),
    (41, "3.4.33"),
];

/// Symbols that a finding names.
const MAX_NAMED: usize = 5;

impl Wheel {
    /// Whether the symbols of Python's C interface matter for a file: only those of extension modules
    /// that claim the stable ABI do.
    pub fn claims_stable_abi(&self, path: &str) -> bool {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        let by_tag = self
            .filename()
            .tags()
            .abis()
            .iter()
            .any(|abi| abi == "abi3");
        name.strip_suffix(".abi3.so").is_some()
            || (by_tag && name.strip_suffix(".so").is_some() && module_version(name).is_none())
    }

    /// Compares the tags of the file name with what the ELF files say.
    pub fn tag_check(&self, elf_members: &[ElfMember<'_>]) -> Vec<Finding> {
        let tags = self.filename().tags();
        let platforms: Vec<PlatformTag> = tags
            .platforms()
            .iter()
            .map(|tag| PlatformTag::parse(tag))
            .collect();
        let readable: Vec<(&str, &Elf)> = elf_members
            .iter()
            .filter_map(|member| Some((member.file.path.as_str(), member.elf.as_ref().ok()?)))
            .collect();
        let all = || {
            readable
                .iter()
                .map(|(path, _)| (*path).to_owned())
                .collect::<Vec<_>>()
        };
        let mut findings = Vec::new();
        if readable.is_empty() {
            return findings;
        }
        if platforms.contains(&PlatformTag::Any) {
            findings.push(Finding {
                code: Code::T004,
                message: "the tag `any` promises every platform, but there are compiled files"
                    .to_owned(),
                paths: all(),
            });
        }
        if self.wheel_file().root_is_purelib {
            findings.push(Finding {
                code: Code::T007,
                message: "`Root-Is-Purelib` is true, but there are compiled files".to_owned(),
                paths: all(),
            });
        }
        findings.extend(machine(&platforms, &readable));
        findings.extend(libc(&platforms, &readable));
        findings.extend(python(tags, &readable));
        findings.extend(elf_members.iter().filter_map(|member| stable(tags, member)));
        findings
    }
}

fn machine(platforms: &[PlatformTag], files: &[(&str, &Elf)]) -> Option<Finding> {
    let archs: Vec<&str> = platforms.iter().filter_map(arch).collect();
    let wanted: Option<Vec<Machine>> = archs.iter().map(|arch| Machine::of_tag(arch)).collect();
    // An architecture without a known machine cannot be judged.
    let wanted = wanted.filter(|wanted| !wanted.is_empty())?;
    let others = files
        .iter()
        .filter(|(_, elf)| !wanted.contains(&elf.header.machine));
    let paths: Vec<String> = others.clone().map(|(path, _)| (*path).to_owned()).collect();
    let got = others
        .map(|(_, elf)| elf.header.machine.to_string())
        .next()?;
    let message = format!(
        "the tag says {}, but files are for {got}",
        archs.join(" or ")
    );
    Some(Finding {
        code: Code::T003,
        message,
        paths,
    })
}

fn arch(platform: &PlatformTag) -> Option<&str> {
    match platform {
        PlatformTag::Linux { arch, .. } => Some(arch),
        PlatformTag::Any | PlatformTag::Other(_) => None,
    }
}

/// Compares with the oldest C library that the tags promise.
fn libc(platforms: &[PlatformTag], files: &[(&str, &Elf)]) -> Vec<Finding> {
    let libcs = platforms.iter().filter_map(|platform| match platform {
        PlatformTag::Linux { libc, .. } => *libc,
        PlatformTag::Any | PlatformTag::Other(_) => None,
    });
    let glibc = libcs.clone().filter_map(|libc| match libc {
        Libc::Glibc { major, minor } => Some((major, minor)),
        Libc::Musl { .. } | Libc::MacOs { .. } => None,
    });
    let is_musl_only = 0 < libcs.count() && glibc.clone().next().is_none();
    if is_musl_only {
        let needs_glibc = |elf: &Elf| newest(elf, "GLIBC").is_some();
        let paths: Vec<String> = files
            .iter()
            .filter(|(_, elf)| needs_glibc(elf))
            .map(|(path, _)| (*path).to_owned())
            .collect();
        let message = "the tag says musl, but files need versions of glibc".to_owned();
        return if paths.is_empty() {
            Vec::new()
        } else {
            vec![Finding {
                code: Code::T008,
                message,
                paths,
            }]
        };
    }
    let Some((major, minor)) = glibc.min() else {
        return Vec::new();
    };
    let promised = format!("{major}.{minor}");
    let libstdcxx = LIBSTDCXX
        .iter()
        .rev()
        .find(|(of, _)| *of <= minor)
        .map(|(_, version)| *version);
    let mut findings = Vec::new();
    findings.extend(too_new(Code::T001, "GLIBC", &promised, files));
    findings.extend(libstdcxx.and_then(|version| too_new(Code::T002, "GLIBCXX", version, files)));
    findings
}

fn too_new(code: Code, kind: &str, promised: &str, files: &[(&str, &Elf)]) -> Option<Finding> {
    let too_new = files.iter().filter_map(|(path, elf)| {
        let version = newest(elf, kind)?;
        is_newer_version(version, promised).then_some((*path, version))
    });
    let too_new: Vec<(&str, &str)> = too_new.collect();
    let mut highest = too_new.first()?.1;
    for (_, version) in &too_new {
        if is_newer_version(version, highest) {
            highest = version;
        }
    }
    let message = match code {
        Code::T001 => format!("the tag promises glibc {promised}, but glibc {highest} is needed"),
        _ => format!(
            "systems that the tag names have {kind}_{promised}, but {kind}_{highest} is needed"
        ),
    };
    let paths = too_new
        .iter()
        .map(|(path, version)| format!("{path} ({kind}_{version})"))
        .collect();
    Some(Finding {
        code,
        message,
        paths,
    })
}

/// The newest version of a kind that a file needs.
fn newest<'a>(elf: &'a Elf, kind: &str) -> Option<&'a str> {
    let dynamic = elf.dynamic.iter();
    let needs = dynamic.flat_map(|dynamic| &dynamic.version_needs);
    let needs = needs.flat_map(|need| &need.versions);
    let needs = needs.map(|version| (version.name.as_str(), version.weak, ()));
    minimum_versions(needs)
        .remove(kind)
        .map(|(number, ())| number)
}

/// Extension modules whose suffix names another Python than the tags do.
fn python(tags: &TagSet, files: &[(&str, &Elf)]) -> Option<Finding> {
    let is_promised = |version: &str| {
        let python = format!("cp{}", version.trim_end_matches(['t', 'd', 'm', 'u']));
        tags.pythons().contains(&python)
    };
    let others = files.iter().filter(|(path, _)| {
        let name = path.rsplit_once('/').map_or(*path, |(_, name)| name);
        module_version(name).is_some_and(|version| !is_promised(version))
    });
    let paths: Vec<String> = others.map(|(path, _)| (*path).to_owned()).collect();
    let message = format!(
        "the tag says {}, but extension modules are for other versions",
        tags.pythons().join(" or ")
    );
    (!paths.is_empty()).then_some(Finding {
        code: Code::T006,
        message,
        paths,
    })
}

/// The version in the suffix of an extension module: `311` of `_C.cpython-311-x86_64-linux-gnu.so`.
fn module_version(name: &str) -> Option<&str> {
    let suffix = name
        .strip_prefix(module_stem(name)?)?
        .strip_prefix(".cpython-")?;
    suffix.split(['-', '.']).next()
}

/// Symbols that an `abi3` module takes from Python, but which are not stable in the version that the
/// tag promises.
fn stable(tags: &TagSet, member: &ElfMember<'_>) -> Option<Finding> {
    let promised = tags
        .pythons()
        .iter()
        .filter_map(|python| python_version(python))
        .min();
    let promised = promised.unwrap_or(PythonVersion { major: 3, minor: 2 });
    let symbols = member
        .python_symbols
        .iter()
        .filter(|symbol| !symbol.starts_with("PyInit_"));
    let bad = symbols.filter_map(|symbol| match stable_abi::added(symbol) {
        None => Some(format!("{symbol} (not stable)")),
        Some(version) if promised < version => Some(format!("{symbol} (since {version})")),
        Some(_) => None,
    });
    let bad: Vec<String> = bad.collect();
    if bad.is_empty() {
        return None;
    }
    let mut names = bad
        .iter()
        .take(MAX_NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if MAX_NAMED < bad.len() {
        names = format!("{names} and {} more", bad.len() - MAX_NAMED);
    }
    Some(Finding {
        code: Code::T005,
        message: format!(
            "the stable ABI of {promised} is promised, but these symbols are needed: {names}"
        ),
        paths: vec![member.file.path.to_string()],
    })
}

/// The version in a tag such as `cp311`.
fn python_version(python: &str) -> Option<PythonVersion> {
    let digits = python.strip_prefix("cp")?;
    let (major, minor) = digits.split_at_checked(1)?;
    Some(PythonVersion {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}
