//! A recent Nix from Debian's packages, unpacked beside the host: dpkg knows nothing of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::apt::Apt;
use crate::failure::Result;
use crate::{place, program};

/// The release of Debian whose Nix is recent enough for nixpkgs' lib.
const RELEASE: &str = "trixie";

/// The programs that Nix's one program stands for.
const NAMES: &[&str] = &[
    "nix",
    "nix-build",
    "nix-instantiate",
    "nix-store",
    "nix-hash",
    "nix-collect-garbage",
];

/// Libraries that the packages of Nix need only to be installed, or for features that we do not
/// use.
const LEFT_OUT: &[&str] = &[
    "libperl",
    "libdbi",
    "libdbd",
    "libwww",
    "libpam",
    "libsemanage",
    "libsepol",
    "libsystemd0",
    "libdebconf",
    "libdb5",
    "libgdbm",
    "libbsd",
    "libmd0",
    "libaudit",
    "libcap-ng",
    "libselinux",
    "libpcre2",
    "libnss",
    "libc-gconv",
];

/// The directory of Nix's programs in the cache; made at the first call.
pub(crate) fn ensure() -> Result<PathBuf> {
    let dir = place::cache()?.join("nix");
    let bin = dir.join("bin");
    // Written last.
    if !bin.join("nix-collect-garbage").is_file() {
        if program::find("apt-get").is_none() {
            return Err(
                "this machine lacks Nix: install it, see https://nixos.org/download".into(),
            );
        }
        if dir.is_dir() {
            fs_err::remove_dir_all(&dir)?;
        }
        fs_err::create_dir_all(&bin)?;
        unpack_nix(
            &Apt::new(&dir.join("apt"), RELEASE, "amd64")?,
            &dir.join("root"),
        )?;
        write_wrappers(&dir.join("root"), &bin)?;
        fs_err::remove_dir_all(dir.join("apt"))?;
    }
    Ok(bin)
}

/// Brings what Nix needs of its packages.
fn unpack_nix(apt: &Apt, root: &Path) -> Result {
    let plan = program::output(&mut apt.command(&[
        "--simulate",
        "--no-install-recommends",
        "install",
        "nix-bin",
    ]))?;
    apt.unpack(&needed(&plan), root)
}

/// The packages to unpack, of those that apt would install on an empty machine.
fn needed(plan: &str) -> Vec<&str> {
    let names = plan
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    let is_needed = |name: &&str| {
        let is_library = name.starts_with("lib") && !LEFT_OUT.iter().any(|it| name.starts_with(it));
        is_library || ["nix-bin", "bash-static", "openssl-provider-legacy"].contains(name)
    };
    names.filter(is_needed).collect()
}

/// A script for each program, which runs it on the C library that it came with.
fn write_wrappers(root: &Path, bin: &Path) -> Result {
    let root = root.display();
    let lib = format!("{root}/usr/lib/x86_64-linux-gnu");
    for name in NAMES {
        // Nix knows its part by its name. The build hook, for other machines, would run the loader
        // again.
        let text = format!(
            "#!/bin/sh\nexec {lib}/ld-linux-x86-64.so.2 --argv0 {name} \
            --library-path {lib}:{root}/lib/x86_64-linux-gnu {root}/usr/bin/nix \
            --option build-hook '' \"$@\"\n"
        );
        let path = bin.join(name);
        fs_err::write(&path, text)?;
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_is_unpacked() {
        let plan = "Inst libc6 (2.41 Debian:13.1 [amd64])\nInst perl-base (5)\n\
            Inst libpam0g (1)\nInst nix-bin (2.26)\nConf libc6 (2.41)\n";
        assert_eq!(needed(plan), ["libc6", "nix-bin"]);
    }
}
