//! Each way of getting the program, tried in a place that has nothing else.

use std::path::Path;
use std::process::Command;

use crate::dist::Release;
use crate::dist::archive::COMPLETIONS;
use crate::failure::Result;
use crate::{nixos, place, program, python};

/// Tries the archive and the wheel in all ways.
pub(super) fn all(release: &Release, archive: &Path, wheel: &Path) -> Result {
    let root = place::target().join("dist-trial");
    place::empty(&root)?;
    let ways: [(&str, &dyn Fn() -> Result); 7] = [
        ("archive", &|| of_archive(release, archive, &root)),
        ("on a machine shaped like NixOS", &|| {
            in_the_bed(release, &root)
        }),
        ("pip install", &|| by_pip(release, wheel, &root)),
        ("uvx", &|| by_uv(release, wheel)),
        ("pipx run", &|| by_pipx(release, wheel, &root)),
        ("auditwheel", &|| is_portable(release, wheel)),
        ("workflows", &|| workflows(release)),
    ];
    let mut failures = Vec::new();
    for (name, way) in ways {
        match way() {
            Ok(()) => println!("{name}: works"),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures.join("\n").into())
}

/// Whether a program says which release it is.
fn is_it(release: &Release, command: &mut Command) -> Result {
    let said = program::output(command)?;
    let wanted = format!(
        "wheelfix {} ({})",
        env!("CARGO_PKG_VERSION"),
        release.commit
    );
    if said.trim() == wanted {
        Ok(())
    } else {
        Err(format!(
            "`{}` says `{}`, not `{wanted}`",
            program::show(command),
            said.trim()
        )
        .into())
    }
}

fn of_archive(release: &Release, archive: &Path, root: &Path) -> Result {
    let mut tar = Command::new("tar");
    tar.arg("--extract").arg("--file").arg(archive);
    program::output(tar.args(["--strip-components=1", "--directory"]).arg(root))?;
    let mut files = vec![
        "share/man/man1/wheelfix.1",
        "share/man/man1/wheelfix-install.1",
    ];
    files.extend(COMPLETIONS.iter().map(|(_, path)| *path));
    files.extend([
        "share/doc/wheelfix/LICENSE-MIT",
        "share/doc/wheelfix/THIRD-PARTY-LICENSES.md",
    ]);
    for file in files {
        if fs_err::metadata(root.join(file))?.len() == 0 {
            return Err(format!("`{file}` is empty").into());
        }
    }
    is_it(
        release,
        Command::new(root.join("bin/wheelfix"))
            .arg("--version")
            .env_clear(),
    )
}

fn in_the_bed(release: &Release, root: &Path) -> Result {
    let bed = nixos::ensure()?;
    let mut command = Command::new(bed.enter());
    let program = root.join("bin/wheelfix");
    is_it(release, command.arg("none").arg(program).arg("--version"))
}

fn by_pip(release: &Release, wheel: &Path, root: &Path) -> Result {
    let venv = root.join("venv");
    python::make_venv(&venv)?;
    let mut pip = python::pip_install(&venv.join("bin/python3"));
    program::output(pip.arg("--no-index").arg(wheel))?;
    is_it(
        release,
        Command::new(venv.join("bin/wheelfix"))
            .arg("--version")
            .env_clear(),
    )
}

fn by_uv(release: &Release, wheel: &Path) -> Result {
    let mut uv = Command::new(release.tools.join("uv"));
    uv.args(["tool", "run", "--offline", "--no-cache", "--from"]);
    is_it(release, uv.arg(wheel).args(["wheelfix", "--version"]))
}

/// pipx calls uv: with pip it would fetch a newer pip first.
fn by_pipx(release: &Release, wheel: &Path, root: &Path) -> Result {
    let mut pipx = Command::new(release.tools.join("pipx"));
    pipx.args(["run", "--backend", "uv", "--no-cache", "--spec"]);
    pipx.arg(wheel).args(["wheelfix", "--version"]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(release.tools.clone()).chain(std::env::split_paths(&path)),
    );
    pipx.env("PATH", path.map_err(|error| error.to_string())?);
    pipx.env("PIPX_HOME", root.join("pipx"));
    pipx.env("PIPX_BIN_DIR", root.join("pipx/bin"));
    pipx.env("UV_OFFLINE", "1").env("UV_NO_CACHE", "1");
    is_it(release, &mut pipx)
}

/// Whether auditwheel finds nothing in the wheel that its names of platforms do not allow.
fn is_portable(release: &Release, wheel: &Path) -> Result {
    let said = program::output(
        Command::new(release.tools.join("auditwheel"))
            .arg("show")
            .arg(wheel),
    )?;
    let wanted = format!("manylinux_2_5_{}", release.arch);
    if said.contains(&wanted) {
        Ok(())
    } else {
        Err(format!("auditwheel does not find it to be `{wanted}`:\n{said}").into())
    }
}

/// Whether the workflows that make releases have a known weakness.
fn workflows(release: &Release) -> Result {
    let mut zizmor = Command::new(release.tools.join("zizmor"));
    zizmor.args(["--offline", "--no-progress", "--quiet", ".github/workflows"]);
    program::output(zizmor.current_dir(place::root())).map(drop)
}
