//! apt with a state of its own, in which nothing is installed: for another release or machine.
//!
//! The packages come from the mirror that the machine uses already, by apt, which checks their
//! signatures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Result;
use crate::program;

/// apt for one release and one machine.
#[derive(Debug)]
pub(crate) struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Reads the lists of packages of a release into a new directory.
    pub(crate) fn new(dir: &Path, release: &str, architecture: &str) -> Result<Self> {
        for name in ["parts", "state/lists/partial", "cache/archives/partial"] {
            fs_err::create_dir_all(dir.join(name))?;
        }
        let mirror = mirror()?;
        // Only the lists of packages, whatever else apt-file and the like have this machine fetch.
        fs_err::write(
            dir.join("release.sources"),
            format!(
                "Types: deb\nURIs: {mirror}\nSuites: {release}\nComponents: main\n\
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
                APT::Sandbox::User \"root\";\nAPT::Architecture \"{architecture}\";\n\
                APT::Architectures \"{architecture}\";\n",
                at("release.sources"),
                at("parts"),
                at("state"),
                at("state/status"),
                at("cache")
            ),
        )?;
        let apt = Self {
            dir: dir.to_owned(),
        };
        program::run(&mut apt.command(&["update"]))?;
        Ok(apt)
    }

    /// The command `apt-get`, which leaves downloads in a directory of its own.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-qq").args(args);
        command.env("APT_CONFIG", self.dir.join("apt.conf"));
        command.current_dir(self.archives());
        command
    }

    fn archives(&self) -> PathBuf {
        self.dir.join("cache/archives")
    }

    /// Downloads packages, and unpacks them into one directory.
    pub(crate) fn unpack(&self, packages: &[impl AsRef<str>], root: &Path) -> Result {
        let mut download = self.command(&["download"]);
        program::run(download.args(packages.iter().map(AsRef::as_ref)))?;
        fs_err::create_dir_all(root)?;
        for entry in fs_err::read_dir(self.archives())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                program::output(Command::new("dpkg-deb").arg("-x").arg(&path).arg(root))?;
                fs_err::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Reads the machine's own lists of packages anew, and no other index that it fetches besides: apt-file's are
/// large, and a mirror may lack them.
pub(crate) fn update() -> Result {
    let configured = program::output(Command::new("apt-config").arg("dump"))?;
    let mut command = Command::new("apt-get");
    command.args(["update", "-qq"]);
    for kind in other_indexes(&configured) {
        command.arg(format!(
            "--option=Acquire::IndexTargets::{kind}::DefaultEnabled=false"
        ));
    }
    program::run(&mut command)
}

/// The indexes of a configuration that are not lists of packages, as `deb::Contents-deb`.
fn other_indexes(configured: &str) -> BTreeSet<&str> {
    configured
        .lines()
        .filter_map(|line| {
            line.strip_prefix("Acquire::IndexTargets::")?
                .split_once(' ')
        })
        .map(|(key, _)| key)
        .filter(|key| key.matches("::").count() == 1 && *key != "deb::Packages")
        .collect()
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
        .ok_or_else(|| {
            "apt's sources name no mirror of Debian: what it has cannot be brought".into()
        })
}

#[cfg(test)]
mod tests {
    use super::other_indexes;

    #[test]
    fn only_lists_of_packages_are_asked_for() {
        let configured = "Acquire::IndexTargets \"\";\nAcquire::IndexTargets::deb \"\";\n\
            Acquire::IndexTargets::deb::Packages \"\";\nAcquire::IndexTargets::deb::Contents-deb \"\";\n\
            Acquire::IndexTargets::deb::Contents-deb::MetaKey \"$(COMPONENT)/Contents\";\n\
            Acquire::IndexTargets::deb-src::Sources \"\";\nAcquire::Languages \"\";\n";
        let others: Vec<&str> = other_indexes(configured).into_iter().collect();
        assert_eq!(others, ["deb-src::Sources", "deb::Contents-deb"]);
    }
}
