//! Whether a wheel is for a target; if not, which part of its tags says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::target::LEGACY_MANYLINUX;
use crate::{Libc, Tag, TagSet, Target};

/// Why no tag of a wheel is among those that a target supports.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TagMismatch {
    /// Another Python version or implementation.
    #[error("the wheel is for {wheel}, the target is {target}")]
    Python {
        /// The Python parts of the wheel, with dots between.
        wheel: String,
        /// The Python part of the target.
        target: String,
    },
    /// The right Python, but built otherwise.
    #[error("the wheel has the ABI {wheel}, the target has {target}")]
    Abi {
        /// The ABI parts of the wheel, with dots between.
        wheel: String,
        /// The ABI parts that the target supports, with dots between.
        target: String,
    },
    /// Another machine, system, or C library, or a newer one.
    #[error("the wheel is for {wheel}, the target is {target}")]
    Platform {
        /// The platforms of the wheel in words.
        wheel: String,
        /// The platform of the target in words.
        target: String,
    },
}

/// The platform part of a tag, read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PlatformTag {
    /// Any platform: nothing is compiled.
    Any,
    /// Linux on a machine.
    Linux {
        /// As in [`Target::arch`].
        arch: String,
        /// The oldest C library that will do; `None` for a bare `linux_` tag, which promises nothing.
        libc: Option<Libc>,
    },
    /// Anything else, as written: Windows, macOS.
    Other(String),
}

/// The tags that a target supports, made for asking about many wheels.
#[derive(Clone, Debug)]
pub struct RankedTags {
    target: Target,
    tags: Vec<Tag>,
    /// Python, ABI and platform, to the rank.
    ranks: Branches<Branches<Branches<usize>>>,
}

type Branches<T> = BTreeMap<String, T>;

impl RankedTags {
    /// The tags of a target.
    pub fn new(target: &Target) -> Self {
        let tags = target.supported_tags();
        let mut ranks: Branches<Branches<Branches<usize>>> = BTreeMap::new();
        for (rank, tag) in tags.iter().enumerate() {
            let abis = ranks.entry(tag.python().to_owned()).or_default();
            let platforms = abis.entry(tag.abi().to_owned()).or_default();
            platforms.entry(tag.platform().to_owned()).or_insert(rank);
        }
        let target = target.clone();
        Self {
            target,
            tags,
            ranks,
        }
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The rank of the best tag of the set among the supported ones, 0 being the best; or which part of
    /// the tags does not fit.
    pub fn rank(&self, tags: &TagSet) -> Result<usize, TagMismatch> {
        let mut best: Option<usize> = None;
        for abis in branches(&self.ranks, tags.pythons()) {
            for platforms in branches(abis, tags.abis()) {
                for rank in branches(platforms, tags.platforms()) {
                    best = Some(best.map_or(*rank, |best| best.min(*rank)));
                }
            }
        }
        best.ok_or_else(|| self.target.mismatch(tags, &self.tags))
    }
}

/// The values of some names, each once: a hostile tag set has one part a million times.
fn branches<'a, T>(of: &'a Branches<T>, names: &'a [String]) -> impl Iterator<Item = &'a T> {
    let names: BTreeSet<&String> = names.iter().collect();
    names.into_iter().filter_map(|name| of.get(name))
}

impl Target {
    /// The rank of the best tag of the set, as [`RankedTags::rank`], where one wheel is asked about.
    pub fn rank(&self, tags: &TagSet) -> Result<usize, TagMismatch> {
        RankedTags::new(self).rank(tags)
    }

    fn mismatch(&self, tags: &TagSet, supported: &[Tag]) -> TagMismatch {
        let has_python = |abis: &[String]| {
            supported.iter().any(|tag| {
                tags.pythons().iter().any(|python| python == tag.python())
                    && abis.iter().any(|abi| abi == tag.abi())
            })
        };
        if has_python(tags.abis()) {
            let linux = PlatformTag::Linux {
                arch: self.arch.clone(),
                libc: Some(self.libc),
            };
            let target = match self.libc {
                Libc::MacOs { .. } => format!("{} on {}", self.libc, self.arch),
                _ => linux.to_string(),
            };
            return TagMismatch::Platform {
                wheel: in_words(tags),
                target,
            };
        }
        let own = self.own_python();
        // Older versions are supported too, but only with the stable ABI.
        let is_python = |python: &String| *python == own || self.generic_pythons().contains(python);
        if !tags.pythons().iter().any(is_python) {
            let wheel = tags.pythons().join(".");
            return TagMismatch::Python { wheel, target: own };
        }
        let mut abis: Vec<&str> = supported
            .iter()
            .filter(|tag| tag.python() == own)
            .map(Tag::abi)
            .collect();
        abis.dedup();
        TagMismatch::Abi {
            wheel: tags.abis().join("."),
            target: abis.join("."),
        }
    }
}

/// The platforms of a wheel.
fn in_words(tags: &TagSet) -> String {
    let platforms = tags.platforms().iter();
    let platforms = platforms.map(|platform| PlatformTag::parse(platform).to_string());
    let platforms: BTreeSet<String> = platforms.collect();
    platforms.into_iter().collect::<Vec<_>>().join(" or ")
}

impl TagSet {
    /// Why no machine with Linux runs the wheel; `None` if one may.
    pub fn excludes_linux(&self) -> Option<TagMismatch> {
        let mut platforms = self.platforms().iter();
        let is_other =
            platforms.all(|platform| matches!(PlatformTag::parse(platform), PlatformTag::Other(_)));
        is_other.then(|| TagMismatch::Platform {
            wheel: in_words(self),
            target: "Linux".to_owned(),
        })
    }
}

impl PlatformTag {
    /// Reads the platform part of a tag.
    pub fn parse(platform: &str) -> Self {
        if platform == "any" {
            return Self::Any;
        }
        let linux = |arch: &str, libc| Self::Linux {
            arch: arch.to_owned(),
            libc,
        };
        if let Some(arch) = platform.strip_prefix("linux_") {
            return linux(arch, None);
        }
        for (name, minor) in LEGACY_MANYLINUX {
            if let Some(arch) = platform
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('_'))
            {
                return linux(arch, Some(Libc::Glibc { major: 2, minor }));
            }
        }
        let with_version = |rest: &str| {
            let mut parts = rest.splitn(3, '_');
            let version = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((version, parts.next()?.to_owned()))
        };
        if let Some(((major, minor), arch)) =
            platform.strip_prefix("manylinux_").and_then(with_version)
        {
            return linux(&arch, Some(Libc::Glibc { major, minor }));
        }
        if let Some(((major, minor), arch)) =
            platform.strip_prefix("musllinux_").and_then(with_version)
        {
            return linux(&arch, Some(Libc::Musl { major, minor }));
        }
        Self::Other(platform.to_owned())
    }
}

impl fmt::Display for PlatformTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any platform"),
            Self::Linux { arch, libc: None } => write!(f, "Linux on {arch}"),
            // No version is known of it.
            Self::Linux {
                arch,
                libc: Some(Libc::ASSUMED_GLIBC),
            } => write!(f, "Linux on {arch} with glibc"),
            Self::Linux {
                arch,
                libc: Some(libc),
            } => write!(f, "Linux on {arch} with {libc}"),
            Self::Other(platform) if platform.starts_with("win") => {
                write!(f, "Windows ({platform})")
            }
            Self::Other(platform) if platform.starts_with("macosx_") => {
                write!(f, "macOS ({platform})")
            }
            Self::Other(platform) => f.write_str(platform),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PythonVersion;

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

    #[track_caller]
    fn check(target: &Target, tags: &str, want: &str) {
        let got = match target.rank(&tags.parse().unwrap()) {
            Ok(_) => "fits".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "for {tags:?}");
    }

    #[test]
    fn what_fits_has_a_rank() {
        let rank = |tags: &str| cp311().rank(&tags.parse().unwrap()).unwrap();
        assert_eq!(rank("cp311-cp311-linux_x86_64"), 0);
        assert!(
            rank("cp311-cp311-manylinux_2_17_x86_64") < rank("cp311-abi3-manylinux_2_17_x86_64")
        );
        assert!(rank("py2.py3-none-any") < rank("py30-none-any"));
        assert_eq!(
            rank("cp311-cp311-manylinux_2_99_x86_64.manylinux_2_36_x86_64"),
            1
        );
    }

    #[test]
    fn another_python_is_named() {
        check(
            &cp311(),
            "cp314-cp314-manylinux_2_28_x86_64",
            "the wheel is for cp314, the target is cp311",
        );
        check(
            &cp311(),
            "cp39-cp39-win_amd64",
            "the wheel is for cp39, the target is cp311",
        );
        check(
            &cp311(),
            "cp312-abi3-linux_x86_64",
            "the wheel is for cp312, the target is cp311",
        );
        check(
            &cp311(),
            "py2-none-any",
            "the wheel is for py2, the target is cp311",
        );
        check(
            &cp311(),
            "pp311-pypy311_pp73-linux_x86_64",
            "the wheel is for pp311, the target is cp311",
        );
    }

    #[test]
    fn another_abi_is_named() {
        check(
            &Target {
                free_threaded: true,
                ..cp311()
            },
            "cp311-cp311-linux_x86_64",
            "the wheel has the ABI cp311, the target has cp311t.abi3t.none",
        );
        check(
            &cp311(),
            "cp311-cp311t-linux_x86_64",
            "the wheel has the ABI cp311t, the target has cp311.abi3.none",
        );
    }

    #[test]
    fn another_platform_is_named() {
        let target = "the target is Linux on x86_64 with glibc 2.36";
        let platform = |platform: &str, words: &str| {
            let want = format!("the wheel is for {words}, {target}");
            check(&cp311(), &format!("cp311-cp311-{platform}"), &want);
        };
        platform("manylinux_2_38_x86_64", "Linux on x86_64 with glibc 2.38");
        platform(
            "manylinux2014_aarch64.manylinux_2_17_aarch64",
            "Linux on aarch64 with glibc 2.17",
        );
        platform("musllinux_1_2_x86_64", "Linux on x86_64 with musl 1.2");
        platform("linux_aarch64", "Linux on aarch64");
        platform("win_amd64", "Windows (win_amd64)");
        platform("macosx_11_0_arm64", "macOS (macosx_11_0_arm64)");
    }
}
