//! Hardware, as its user declares it: never by looking at a machine.
//!
//! A lock can say what is for which hardware in two ways: by extras and groups of which only one can be
//! selected, called `cpu`, `cu128` and so on, and by local versions, as `2.8.0+cu128`. Variants of wheels
//! (PEP 825, a draft) are in no lock yet.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use wheelfix_format::{PackageName, Version};

use crate::lock::{Conflict, Lock, Root};
use crate::{Fault, Faults, Problem, Selection};

/// A platform for computing, with its version if one is said.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Hardware {
    Cpu,
    Cuda(Option<(u32, u32)>),
    Rocm(Option<(u32, u32)>),
    Xpu,
}

/// The hardware that is there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {
    hardware: Hardware,
    /// The compute capabilities of GPUs, of which no lock says anything.
    pub sm: Vec<u32>,
}

/// Why a text is no profile.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "expected `cpu`, `cuda=13.2`, `rocm=7.1` or `xpu`, and perhaps `sm=90`, with commas between, got `{0}`"
)]
pub struct ProfileError(String);

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let wrong = || ProfileError(text.to_owned());
        let mut hardware = None;
        let mut sm = Vec::new();
        for word in text.split(',') {
            let version = |text: &str| {
                let (major, minor) = text.split_once('.')?;
                Some((major.parse().ok()?, minor.parse().ok()?))
            };
            let named = match word.split_once('=') {
                None if word == "cpu" => Hardware::Cpu,
                None if word == "xpu" => Hardware::Xpu,
                Some(("cuda", text)) => Hardware::Cuda(Some(version(text).ok_or_else(wrong)?)),
                Some(("rocm", text)) => Hardware::Rocm(Some(version(text).ok_or_else(wrong)?)),
                Some(("sm", text)) => {
                    sm.push(text.parse().map_err(|_| wrong())?);
                    continue;
                }
                _ => return Err(wrong()),
            };
            if hardware.replace(named).is_some() {
                return Err(wrong());
            }
        }
        let hardware = hardware.ok_or_else(wrong)?;
        Ok(Self { hardware, sm })
    }
}

impl Hardware {
    /// The hardware in the name of an extra, a group or a local version: `cu128`, `cuda`, `rocm6.4`.
    fn named(text: &str) -> Option<Self> {
        let digits = |text: &str| {
            let parts: Vec<&str> = text.split(['.', '-', '_']).collect();
            let (major, minor) = match parts.as_slice() {
                [""] => return Some(None),
                // `128` is 12.8, `13` is 13.
                [both] if 2 <= both.len() => both.split_at_checked(2)?,
                [major] => (*major, ""),
                [major, minor, ..] => (*major, *minor),
                [] => return None,
            };
            let minor = if minor.is_empty() {
                Some(0)
            } else {
                minor.parse().ok()
            };
            Some(Some((major.parse().ok()?, minor?)))
        };
        let after = |start: &str| {
            let rest = text.strip_prefix(start)?;
            digits(rest.strip_prefix(['-', '_']).unwrap_or(rest))
        };
        match text {
            "cpu" => Some(Self::Cpu),
            "xpu" => Some(Self::Xpu),
            "gpu" => Some(Self::Cuda(None)),
            _ => after("cuda")
                .or_else(|| after("cu"))
                .map(Self::Cuda)
                .or_else(|| after("rocm").map(Self::Rocm)),
        }
    }

    /// Whether what is for `other` runs here.
    fn serves(self, other: Self) -> bool {
        match (self, other) {
            (Self::Cpu, Self::Cpu) | (Self::Xpu, Self::Xpu) => true,
            (Self::Cuda(have), Self::Cuda(wanted)) | (Self::Rocm(have), Self::Rocm(wanted)) => {
                wanted.is_none() || wanted <= have
            }
            _ => false,
        }
    }
}

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, version) = match self {
            Self::Cpu => ("the CPU", &None),
            Self::Xpu => ("XPU", &None),
            Self::Cuda(version) => ("CUDA", version),
            Self::Rocm(version) => ("ROCm", version),
        };
        f.write_str(name)?;
        match version {
            Some((major, minor)) => write!(f, " {major}.{minor}"),
            None => Ok(()),
        }
    }
}

impl Profile {
    /// Adds to a selection the extras and groups for the hardware: of each set of which no two can be
    /// selected, and whose names are all about hardware, the best one. A set of which one is selected
    /// already stays as it is. Whether there is such a set.
    pub fn select(&self, lock: &Lock<'_>, selection: &mut Selection) -> Result<bool, Faults> {
        let roots: BTreeSet<&PackageName> = lock
            .roots
            .iter()
            .filter(|root| selection.package.is_some() || root.is_default)
            .filter_map(|root| name_of(lock, root))
            .filter(|name| selection.package.as_ref().is_none_or(|it| it == *name))
            .collect();
        let mut faults = Vec::new();
        let mut is_known = false;
        for set in &lock.conflicts {
            let members: Option<Vec<_>> = set.iter().map(|member| about(member, &roots)).collect();
            let Some(members) = members else {
                continue;
            };
            is_known = true;
            let is_selected = members.iter().any(|(member, _)| match member {
                Conflict::Extra(_, extra) => selection.extras.contains(extra),
                Conflict::Group(_, group) => selection.groups.contains(group),
                Conflict::Project(_) => false,
            });
            if is_selected {
                continue;
            }
            let fitting = members.iter().filter(|(_, it)| self.hardware.serves(*it));
            match fitting.max_by_key(|(_, hardware)| *hardware) {
                Some((Conflict::Extra(_, extra), _)) => {
                    selection.extras.insert(extra.clone());
                }
                Some((Conflict::Group(_, group), _)) => {
                    selection.groups.insert(group.clone());
                }
                _ => faults.push(Fault::of_file(Problem::NoHardware {
                    hardware: self.hardware.to_string(),
                    known: members.iter().map(|(_, it)| it.to_string()).collect(),
                })),
            }
        }
        if faults.is_empty() {
            Ok(is_known)
        } else {
            Err(faults)
        }
    }

    /// A problem if a version says by its local part that it is for other hardware.
    pub(crate) fn check(&self, version: &Version) -> Option<Problem> {
        let text = version.to_string();
        let (_, local) = text.split_once('+')?;
        let wanted = Hardware::named(local)?;
        // What is for the CPU runs beside any GPU.
        let is_fine = wanted == Hardware::Cpu || self.hardware.serves(wanted);
        (!is_fine).then(|| Problem::OtherHardware {
            wanted: wanted.to_string(),
            hardware: self.hardware.to_string(),
        })
    }
}

fn name_of<'l>(lock: &'l Lock<'_>, root: &Root) -> Option<&'l PackageName> {
    let package = lock.packages.get(root.package?)?;
    Some(&package.name)
}

/// The hardware that an extra or a group of one of these packages is about.
fn about<'c>(
    member: &'c Conflict,
    roots: &BTreeSet<&PackageName>,
) -> Option<(&'c Conflict, Hardware)> {
    let (package, name) = match member {
        Conflict::Extra(package, name) | Conflict::Group(package, name) => (package, name),
        Conflict::Project(_) => return None,
    };
    let hardware = Hardware::named(name.as_str())?;
    roots.contains(package).then_some((member, hardware))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_are_for() {
        let check = |name: &str, want: &str| {
            let got = Hardware::named(name).map(|it| it.to_string());
            assert_eq!(got.unwrap_or_default(), want, "for {name:?}");
        };
        check("cpu", "the CPU");
        check("gpu", "CUDA");
        check("cuda", "CUDA");
        check("cu128", "CUDA 12.8");
        check("cu13", "CUDA 13.0");
        check("cuda12", "CUDA 12.0");
        check("cuda-12-8", "CUDA 12.8");
        check("rocm6.4", "ROCm 6.4");
        check("rocm7.1.2", "ROCm 7.1");
        check("rocm6", "ROCm 6.0");
        check("xpu", "XPU");
        check("custom", "");
        check("cud", "");
        check("docs", "");
        check("cu12x", "");
    }

    #[test]
    fn a_profile_is_one_platform() {
        for text in [
            "",
            "cuda",
            "cuda=13",
            "cuda=a.b",
            "sm=90",
            "cpu,cuda=13.2",
            "sm=x,cpu",
            "gpu",
        ] {
            assert!(text.parse::<Profile>().is_err(), "{text:?}");
        }
        let profile: Profile = "cuda=13.2,sm=90,sm=100".parse().unwrap();
        assert_eq!(profile.sm, [90, 100]);
        let fits = |version: &str| profile.check(&version.parse().unwrap()).is_none();
        for version in ["1", "1+local", "1+cpu", "1+cu128", "1+cu132"] {
            assert!(fits(version), "{version}");
        }
        for version in ["1+cu133", "1+rocm6.4", "1+xpu"] {
            assert!(!fits(version), "{version}");
        }
    }
}
