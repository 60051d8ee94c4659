//! The cost of a small file: a wheel of nothing else, beside uv and bsdtar.

use std::path::Path;
use std::process::Command;

use super::{Bench, named};
use crate::bench::pair;
use crate::bench::scratch::Scratch;
use crate::failure::Result;
use crate::program;

/// How many files the wheel has, RECORD and its like not counted.
const FILES: u32 = 20_000;

impl Bench {
    pub(super) fn small_files(&self, rounds: usize) -> Result {
        if program::find("bsdtar").is_none() {
            return Err("no program bsdtar: install libarchive-tools".into());
        }
        let scratch = Scratch::new()?;
        let file = scratch.0.join("small_files-1.0-py3-none-any.whl");
        let mut make = self.tool("python3", &["-I", "-c", include_str!("small_files.py")]);
        program::output(make.arg(&file).arg(FILES.to_string()))?;
        let ours = |dir: &Path| {
            let mut command = self.install(dir);
            command.arg("--no-bytecode").arg(&file);
            Ok(command)
        };
        let uv = |dir: &Path| Ok(self.uv(dir, &file));
        let bsdtar = |dir: &Path| {
            let mut command = Command::new("bsdtar");
            command.arg("-xf").arg(&file).arg("-C").arg(dir);
            Ok(command)
        };
        let title = format!("{FILES} files of 1 KB");
        let ours = named("wheelfix install --no-bytecode", &ours);
        for theirs in [
            named("uv pip install --link-mode=copy", &uv),
            named("bsdtar -x, which checks no hash", &bsdtar),
        ] {
            let comparison = pair::compare(&title, rounds, [ours, theirs])?;
            comparison.print();
            let [ours, theirs] = comparison.walls().map(|wall| f64::from(FILES) / wall);
            println!("  {ours:.0} files per second, the other {theirs:.0}");
        }
        Ok(())
    }
}
