//! A recent Nix from Debian's packages, unpacked beside the host: dpkg knows nothing of it.
//!
//! The packages come from the mirror that the machine uses already, by apt, which checks their
//! signatures.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        Apt::new(&dir.join("apt"))?.unpack_nix(&dir.join("root"))?;
        write_wrappers(&dir.join("root"), &bin)?;
        fs_err::remove_dir_all(dir.join("apt"))?;
    }
    Ok(bin)
}

/// apt with a state of its own, in which nothing is installed.
struct Apt {
    dir: PathBuf,
}

impl Apt {
    fn new(dir: &Path) -> Result<Self> {
        for name in ["parts", "state/lists/partial", "cache/archives/partial"] {
            fs_err::create_dir_all(dir.join(name))?;
        }
        let mirror = mirror()?;
        // Only the lists of packages, whatever else apt-file and the like have this machine fetch.
        fs_err::write(
            dir.join("release.sources"),
            format!(
                "Types: deb\nURIs: {mirror}\nSuites: {RELEASE}\nComponents: main\n\
                Targets: Packages\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
            ),
        )?;
        fs_err::write(dir.join("state/status"), "")?;
        let at = |name: &str| dir.join(name).display().to_string();
        fs_err::write(
            dir.join("apt.conf"),
            format!(
                "Dir::Etc::sourcelist \"{}\";\nDir::Etc::sourceparts \"{}\";\nDir::State \"{}\";\n\
                Dir::State::status \"{}\";\nDir::Cache \"{}\";\nAcquire::Languages \"none\";\n\
                APT::Sandbox::User \"root\";\n",
                at("release.sources"),
                at("parts"),
                at("state"),
                at("state/status"),
                at("cache")
            ),
        )?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-qq").args(args);
        command.env("APT_CONFIG", self.dir.join("apt.conf"));
        command.current_dir(self.dir.join("cache/archives"));
        command
    }

    fn unpack_nix(&self, root: &Path) -> Result {
        program::run(&mut self.command(&["update"]))?;
        let plan = program::output(&mut self.command(&[
            "--simulate",
            "--no-install-recommends",
            "install",
            "nix-bin",
        ]))?;
        let packages = needed(&plan);
        let mut download = self.command(&["download"]);
        program::run(download.args(&packages))?;
        fs_err::create_dir_all(root)?;
        for entry in fs_err::read_dir(self.dir.join("cache/archives"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                program::output(Command::new("dpkg-deb").arg("-x").arg(&path).arg(root))?;
            }
        }
        Ok(())
    }
}

/// The mirror of Debian itself among the sources of this machine.
fn mirror() -> Result<String> {
    let text = program::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(SITE) $(RELEASE)",
    ]))?;
    let is_release = |release: &str| release.chars().all(|c| c.is_ascii_lowercase());
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(site, release)| {
            is_release(release) && site.trim_end_matches('/').ends_with("/debian")
        })
        .map(|(site, _)| site.to_owned())
        .ok_or_else(|| "apt's sources name no mirror of Debian: install Nix by hand".into())
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
