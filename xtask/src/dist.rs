//! `cargo xtask dist`: what a release hands out, made here, and each way of getting it tried.

mod archive;
mod licences;
mod trial;

use std::path::{Path, PathBuf};
use std::process::Command;

use pico_args::Arguments;

use crate::failure::Result;
use crate::{arguments, digest, place, program, python};

/// Names of the release, by which its parts are made and tried.
pub(crate) struct Release {
    /// The `bin` of the Python tools.
    tools: PathBuf,
    /// Where all parts lie.
    out: PathBuf,
    /// Machine, as `uname -m` has it.
    arch: &'static str,
    /// The commit and its date, as `--version` has them.
    commit: String,
    /// Its time in seconds since 1970: the time of all files.
    time: String,
}

pub(crate) fn task(mut args: Arguments) -> Result {
    let without_crates = args.contains("--no-crates");
    arguments::finish(args)?;
    let release = Release::new()?;
    let wheel = release.wheel()?;
    let program = place::target().join(release.target()).join("dist/wheelfix");
    let archive = archive::make(&release, &program)?;
    if !without_crates {
        release.crates()?;
    }
    let parts = release.sums()?;
    trial::all(&release, &archive, &wheel)?;
    println!("{} files in {}:", parts.len(), release.out.display());
    for part in parts {
        println!("  {part}");
    }
    Ok(())
}

impl Release {
    fn new() -> Result<Self> {
        let out = place::target().join("distribution");
        place::empty(&out)?;
        let log = |format| {
            let mut git = Command::new("git");
            git.args(["log", "-1", "--abbrev=9", format]);
            program::output(git.current_dir(place::root()))
        };
        Ok(Self {
            tools: python::dist_tools()?,
            out,
            arch: std::env::consts::ARCH,
            commit: log("--format=%h %cs")?.trim().to_owned(),
            time: log("--format=%ct")?.trim().to_owned(),
        })
    }

    /// The target of the program, whose C library is linked statically.
    fn target(&self) -> String {
        format!("{}-unknown-linux-gnu", self.arch)
    }

    /// A command whose builds know the commit, and neither the folder nor the user that they are made by.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        let root = place::root();
        let of_root = format!("{}=/wheelfix", root.display());
        let of_cargo = format!("{}=/cargo", cargo_home()?.display());
        let flags = [
            "-C target-feature=+crt-static",
            &format!("--remap-path-prefix={of_root}"),
            &format!("--remap-path-prefix={of_cargo}"),
        ];
        let mut command = Command::new(program);
        command
            .current_dir(root)
            .env("RUSTFLAGS", flags.join(" "))
            .env("CFLAGS", format!("-ffile-prefix-map={of_cargo}"))
            .env("SOURCE_DATE_EPOCH", &self.time)
            .env("WHEELFIX_COMMIT", &self.commit);
        Ok(command)
    }

    /// Makes the wheel, and with it the program; for any C library, as the program has its own.
    fn wheel(&self) -> Result<PathBuf> {
        let mut maturin = self.command(self.tools.join("maturin"))?;
        maturin.args(["build", "--target", &self.target()]);
        maturin.args(["--compatibility", "manylinux2014", "--out"]);
        program::run(maturin.arg(&self.out))?;
        let mut tags = self.command(self.tools.join("wheel"))?;
        let tag = format!("--platform-tag=+musllinux_1_1_{}", self.arch);
        tags.args(["tags", "--remove", &tag]);
        program::run(tags.arg(self.only("whl")?))?;
        self.only("whl")
    }

    /// The one file with an extension.
    fn only(&self, extension: &str) -> Result<PathBuf> {
        let mut paths = Vec::new();
        for entry in fs_err::read_dir(&self.out)? {
            let path = entry?.path();
            paths.extend((path.extension().is_some_and(|it| it == extension)).then_some(path));
        }
        match <[PathBuf; 1]>::try_from(paths) {
            Ok([path]) => Ok(path),
            Err(paths) => Err(format!("one `.{extension}` was to be made: {paths:?}").into()),
        }
    }

    /// Packages the crates, and compiles each of what is in its package.
    fn crates(&self) -> Result {
        let args = ["package", "--workspace", "--locked", "--allow-dirty"];
        let not = ["--exclude", "xtask", "--exclude", "wheelfix-testkit"];
        program::run(program::cargo(&args).args(not))?;
        for entry in fs_err::read_dir(place::target().join("package"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "crate") {
                fs_err::copy(&path, self.out.join(path.file_name().unwrap_or_default()))?;
            }
        }
        Ok(())
    }

    /// Writes the digests of all parts; returns a line for each.
    fn sums(&self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for entry in fs_err::read_dir(&self.out)? {
            let path = entry?.path();
            if path.is_file() {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                lines.push(format!("{}  {name}", digest::of_file(&path)?));
            }
        }
        lines.sort_unstable_by(|a, b| a.split(' ').next_back().cmp(&b.split(' ').next_back()));
        fs_err::write(self.out.join("SHA256SUMS"), lines.join("\n") + "\n")?;
        Ok(lines)
    }
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CARGO_HOME") {
        return Ok(path.into());
    }
    let home = std::env::var_os("HOME").ok_or("HOME is not set")?;
    Ok(Path::new(&home).join(".cargo"))
}
