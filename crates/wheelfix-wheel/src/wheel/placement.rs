//! Where each file of a wheel goes.
//!
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/#installing-a-wheel-distribution-1-0-py32-none-any-whl>

use std::fmt;

use wheelfix_archive::{MemberPath, ZipArchive};

use super::dist_info::DistInfo;
use super::fault::{WheelFault, WheelFaults, WheelWarning};
use super::oddity::{Oddities, Oddity};

/// Where a file of a wheel goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Placement {
    /// It is installed.
    File {
        /// Below which directory.
        scheme: Scheme,
        /// Relative to that directory.
        path: MemberPath,
    },
    /// It is `RECORD`, which an installer writes anew.
    Record,
    /// It is a signature of `RECORD`, which an installer leaves out because it changes `RECORD`.
    Signature,
    /// It is a script with the name of an entry point, for which an installer makes one of its own.
    EntryPoint,
    /// It lies in a `__pycache__` directory, which an installer leaves out: byte code is made for the
    /// Python at hand.
    Bytecode,
}

/// A directory of an installation, by the name that Python's `sysconfig` has for it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scheme {
    /// `site-packages` for pure Python.
    Purelib,
    /// `site-packages` for compiled modules; the same directory nearly everywhere.
    Platlib,
    /// C headers, below a directory with the name of the project.
    Headers,
    /// Programs.
    Scripts,
    /// The prefix itself.
    Data,
}

impl Scheme {
    const ALL: [Self; 5] = [
        Self::Purelib,
        Self::Platlib,
        Self::Headers,
        Self::Scripts,
        Self::Data,
    ];

    /// The name in a `.data` directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Purelib => "purelib",
            Self::Platlib => "platlib",
            Self::Headers => "headers",
            Self::Scripts => "scripts",
            Self::Data => "data",
        }
    }

    /// Whether it is one of the two that are `site-packages`.
    pub fn is_site(self) -> bool {
        matches!(self, Self::Purelib | Self::Platlib)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Finds the place of each member of an archive, in its order.
///
/// A member without a place is in the faults, and has an arbitrary one.
pub(crate) fn classify(
    archive: &ZipArchive,
    dist_info: &DistInfo,
    oddities: &mut Oddities,
    faults: &mut WheelFaults,
) -> Vec<Placement> {
    let root = if dist_info.wheel_file.root_is_purelib {
        Scheme::Purelib
    } else {
        Scheme::Platlib
    };
    let data_dir = dist_info.dir.replace(".dist-info", ".data");
    let places = archive.members().iter().map(|member| {
        let placed = place(&member.path, &dist_info.dir, &data_dir, root);
        if is_of_other_data(&member.path, &data_dir) {
            oddities.note(Oddity::OtherData, member.path.as_str());
        }
        if let Ok(Placement::File {
            scheme: Scheme::Scripts,
            path,
        }) = &placed
        {
            if 1 < path.parts().count() {
                oddities.note(Oddity::ScriptDirectory, member.path.as_str());
            }
            let mut points = dist_info.entry_points.scripts();
            if points.any(|point| point.name == path.as_str()) {
                oddities.note(Oddity::EntryPointScript, member.path.as_str());
                return Placement::EntryPoint;
            }
        }
        placed.unwrap_or_else(|fault| {
            faults.push(fault);
            Placement::File {
                scheme: root,
                path: member.path.clone(),
            }
        })
    });
    places.collect()
}

fn place(
    path: &MemberPath,
    dist_info: &str,
    data_dir: &str,
    root: Scheme,
) -> Result<Placement, WheelFault> {
    let parts: Vec<&str> = path.parts().collect();
    if parts.contains(&"__pycache__") {
        return Ok(Placement::Bytecode);
    }
    let (top, below_top) = parts
        .split_first()
        .map_or(("", [].as_slice()), |(top, below)| (*top, below));
    if top == dist_info {
        match path.as_str().strip_prefix(dist_info) {
            Some("/RECORD") => return Ok(Placement::Record),
            Some("/RECORD.jws" | "/RECORD.p7s") => return Ok(Placement::Signature),
            _ => {}
        }
    }
    if path.as_str() == data_dir {
        return Err(WheelFault::DataFile(path.to_string()));
    }
    if !is_data_dir(top) || below_top.is_empty() {
        return Ok(Placement::File {
            scheme: root,
            path: path.clone(),
        });
    }
    let (key, below) = below_top
        .split_first()
        .map_or(("", [].as_slice()), |(key, below)| (*key, below));
    let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.name() == key);
    if scheme.is_some_and(|scheme| is_dist_info(scheme, below)) {
        return Err(WheelFault::DataDistInfo(path.to_string()));
    }
    // A file directly in the `.data` directory leaves an empty path, which does not parse.
    let (Some(scheme), Ok(below_path)) = (scheme, below.join("/").parse()) else {
        return Err(WheelFault::Scheme(path.to_string()));
    };
    Ok(Placement::File {
        scheme,
        path: below_path,
    })
}

/// Whether a file lies in a `.data` directory with the name of something else, as of the project's old name in pymol-open-source
/// 3.2.0a0. pip takes any for the wheel's.
fn is_of_other_data(path: &MemberPath, data_dir: &str) -> bool {
    let mut parts = path.parts();
    let top = parts.next().unwrap_or_default();
    is_data_dir(top) && top != data_dir && parts.next().is_some()
}

fn is_data_dir(name: &str) -> bool {
    name.strip_suffix(".data").is_some()
}

/// Whether a path below a scheme goes to the `.dist-info` directory of a distribution: it would say of
/// it what nobody has compared. Those of vendored packages, as setuptools has, lie deeper.
fn is_dist_info(scheme: Scheme, parts: &[&str]) -> bool {
    let site = match scheme {
        Scheme::Purelib | Scheme::Platlib => Some(parts),
        Scheme::Data => {
            let mut directories = parts.iter();
            let found = directories.any(|part| ["site-packages", "dist-packages"].contains(part));
            found.then_some(directories.as_slice())
        }
        Scheme::Headers | Scheme::Scripts => None,
    };
    let first = site.and_then(<[&str]>::first);
    first.is_some_and(|name| name.to_ascii_lowercase().ends_with(".dist-info"))
}

/// Warns of files that Nix's stdenv acts on.
///
/// <https://nixos.org/manual/nixpkgs/stable/#ssec-setup-hooks>
pub(crate) fn warn(
    archive: &ZipArchive,
    placements: &[Placement],
    warnings: &mut Vec<WheelWarning>,
) {
    for (member, placement) in archive.members().iter().zip(placements) {
        if let Placement::File {
            scheme: Scheme::Data,
            path,
        } = placement
            && path.parts().next() == Some("nix-support")
        {
            warnings.push(WheelWarning::NixSupport(member.path.to_string()));
        }
    }
}
