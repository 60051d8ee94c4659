//! The archive of a release: the program, its manual pages and completions, and the licences.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist::{Release, licences};
use crate::failure::Result;
use crate::{place, program};

/// Where the completions of each shell belong, below the prefix.
pub(super) const COMPLETIONS: &[(&str, &str)] = &[
    ("bash", "share/bash-completion/completions/wheelfix"),
    ("fish", "share/fish/vendor_completions.d/wheelfix.fish"),
    ("nushell", "share/nushell/vendor/autoload/wheelfix.nu"),
    ("zsh", "share/zsh/site-functions/_wheelfix"),
];

/// Files of the repository that go along.
const TEXTS: &[&str] = &["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Makes the archive around a program.
pub(super) fn make(release: &Release, program: &Path) -> Result<PathBuf> {
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("wheelfix-{version}-{}-linux", release.arch);
    let stage = place::target().join("dist-stage");
    place::empty(&stage)?;
    let root = stage.join(&name);
    fs_err::create_dir_all(root.join("bin"))?;
    fs_err::copy(program, root.join("bin/wheelfix"))?;
    for (shell, path) in COMPLETIONS {
        let text = program::output(Command::new(program).args(["completions", shell]))?;
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap_or(&root))?;
        fs_err::write(path, text)?;
    }
    let man = root.join("share/man/man1");
    fs_err::create_dir_all(&man)?;
    program::output(Command::new(program).arg("man").arg(&man))?;
    let doc = root.join("share/doc/wheelfix");
    fs_err::create_dir_all(&doc)?;
    for text in TEXTS {
        fs_err::copy(place::root().join(text), doc.join(text))?;
    }
    fs_err::write(
        doc.join("THIRD-PARTY-LICENSES.md"),
        licences::report(&release.target())?,
    )?;
    let archive = release.out.join(format!("{name}.tar.gz"));
    pack(release, &stage, &name, &archive)?;
    Ok(archive)
}

/// The same directory gives the same bytes, whoever packs it and when.
fn pack(release: &Release, stage: &Path, name: &str, archive: &Path) -> Result {
    let mut tar = Command::new("tar");
    tar.args([
        "--sort=name",
        "--format=ustar",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
    ]);
    tar.args(["--mode=u+rw,go+r-w", &format!("--mtime=@{}", release.time)]);
    tar.args(["--use-compress-program=gzip -9n", "--create", "--file"]);
    tar.arg(archive).arg("--directory").arg(stage).arg(name);
    program::run(&mut tar)
}
