//! Locks of many packages: what they install on one target.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::bench::Options;
use crate::bench::pair::{middle, sorted};
use crate::bench::scratch::Scratch;
use crate::failure::Result;
use crate::usage::{self, Usage, megabytes};
use crate::{build, python};

/// How many packages there are.
const COUNTS: &[usize] = &[300, 3_000];

/// Tags of the wheels of a package, as those of a compiled one that is published.
const TAGS: &[&str] = &[
    "cp311-cp311-macosx_11_0_arm64",
    "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64",
    "cp311-cp311-musllinux_1_2_x86_64",
    "cp311-cp311-win_amd64",
    "cp312-cp312-macosx_11_0_arm64",
    "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64",
    "cp312-cp312-musllinux_1_2_x86_64",
    "cp312-cp312-win_amd64",
    "cp313-cp313-macosx_11_0_arm64",
    "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64",
    "cp313-cp313-musllinux_1_2_x86_64",
    "cp313-cp313-win_amd64",
    "cp313-cp313t-manylinux_2_17_x86_64.manylinux2014_x86_64",
];

pub(crate) fn run(options: &Options) -> Result {
    let wheelfix = build::release()?;
    let uv = python::tools()?.join("uv");
    let scratch = Scratch::new()?;
    println!(
        "{:<10}{:>8}{:>14}{:>9}{:>9}{:>9}",
        "packages", "MB", "", "s", "CPU s", "RSS MB"
    );
    for count in COUNTS {
        let dir = scratch.0.join(count.to_string());
        fs_err::create_dir(&dir)?;
        let text = lock(*count)?;
        let size = megabytes(text.len() as u64);
        fs_err::write(dir.join("uv.lock"), text)?;
        let project = "[project]\nname = \"root\"\nversion = \"1\"\nrequires-python = \">=3.11\"\n";
        fs_err::write(dir.join("pyproject.toml"), project)?;
        let mut ours = Command::new(&wheelfix);
        ours.args(["lock", "uv.lock", "--target", "x86_64-linux-cp313"]);
        let mut theirs = Command::new(&uv);
        theirs.args(["export", "--frozen", "--offline", "--quiet"]);
        for (name, command) in [("wheelfix", &mut ours), ("uv export", &mut theirs)] {
            let usages = rounds(command.current_dir(&dir), &dir, options.rounds)?;
            let of_all =
                |value: fn(&Usage) -> f64| middle(&sorted(usages.iter().map(value).collect()));
            let wall = of_all(|usage| usage.wall.as_secs_f64());
            let cpu = of_all(|usage| usage.cpu.as_secs_f64());
            let memory = of_all(|usage| megabytes(usage.peak_rss));
            println!("{count:<10}{size:>8.1}{name:>14}{wall:>9.3}{cpu:>9.3}{memory:>9.0}");
        }
    }
    Ok(())
}

fn rounds(command: &mut Command, dir: &Path, rounds: usize) -> Result<Vec<Usage>> {
    let log = dir.join("log");
    (0..rounds).map(|_| usage::measure(command, &log)).collect()
}

/// A lock whose root requires all packages, each of which requires the next three.
fn lock(count: usize) -> Result<Vec<u8>> {
    let mut text = b"version = 1\nrevision = 5\nrequires-python = \">=3.11\"\n".to_vec();
    let names: Vec<String> = (0..count)
        .map(|number| format!("package-{number}"))
        .collect();
    let list = |names: &[String], marker: &str| {
        let entries = names
            .iter()
            .map(|name| format!("    {{ name = \"{name}\"{marker} }},\n"));
        format!("dependencies = [\n{}]\n", entries.collect::<String>())
    };
    for (number, name) in names.iter().enumerate() {
        let next = names
            .get(number + 1..names.len().min(number + 4))
            .unwrap_or_default();
        let marker = ", marker = \"sys_platform == 'linux' and platform_machine == 'x86_64'\"";
        write!(
            text,
            "\n[[package]]\nname = \"{name}\"\nversion = \"1.{number}.0\"\n\
             source = {{ registry = \"https://files.example.org/simple\" }}\n{}wheels = [\n",
            list(next, marker)
        )?;
        for (at, tags) in TAGS.iter().enumerate() {
            let file = name.replace('-', "_");
            writeln!(
                text,
                "    {{ url = \"https://files.example.org/packages/{at:02x}/{number:064x}/{file}-1.{number}.0-{tags}.whl\", \
                 hash = \"sha256:{:064x}\", size = 123456, upload-time = \"2026-11-01T11:20:07Z\" }},",
                number * 100 + at
            )?;
        }
        text.extend(b"]\n");
    }
    write!(
        text,
        "\n[[package]]\nname = \"root\"\nversion = \"1\"\nsource = {{ virtual = \".\" }}\n{}",
        list(&names, "")
    )?;
    Ok(text)
}
