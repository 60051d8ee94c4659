//! Bytecode of the levels 0 and 1: the whole installation of a wheel with much Python, beside
//! `python -m compileall` over the same files that are installed already.

use std::path::Path;
use std::process::Command;
use std::thread;

use super::{Bench, named};
use crate::bench::pair::{self, Side};
use crate::failure::Result;
use crate::program;

/// The speed-up to reach, as a share of the number of processors.
const GOAL: f64 = 0.8;

/// The wheel that is measured unless one is named.
pub(super) const WHEEL: &str = "sympy";

impl Bench {
    pub(super) fn bytecode(&self, name: &str, rounds: usize) -> Result {
        let file = super::wheel(name)?;
        let count = thread::available_parallelism()?.get();
        let jobs = count.to_string();
        let install = |dir: &Path, options: &[&str]| {
            let mut command = self.install(dir);
            command.args(options).arg(&file);
            command
        };
        let ours = |dir: &Path| Ok(install(dir, &[]));
        let all = |dir: &Path| self.compileall(&mut install(dir, &["--no-bytecode"]), dir, &jobs);
        let alone = |dir: &Path| self.compileall(&mut install(dir, &["--no-bytecode"]), dir, "1");
        let title = format!("{name}, bytecode of levels 0 and 1");
        let ours: Side<'_> = named("wheelfix install, unpacking too", &ours);
        let theirs = format!("compileall -j {jobs}");
        pair::compare(&title, rounds, [ours, named(&theirs, &all)])?.print();
        let comparison = pair::compare(&title, rounds, [ours, named("compileall", &alone)])?;
        comparison.print();
        let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        println!(
            "  {:.2} of a linear speed-up on {jobs} processors; goal: {GOAL}",
            1.0 / comparison.wall_ratio() / count
        );
        Ok(())
    }

    /// Compiles what is installed below a directory.
    fn compileall(&self, install: &mut Command, dir: &Path, jobs: &str) -> Result<Command> {
        program::output(install)?;
        let mut command = self.tool("python3", &["-I", "-m", "compileall", "-q", "-j", jobs]);
        command.args(["-o", "0", "-o", "1", "--invalidation-mode", "checked-hash"]);
        command.arg(dir.join("prefix/lib"));
        Ok(command)
    }
}
