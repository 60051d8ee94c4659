//! Relaxing one requirement of what is installed: METADATA and its row of RECORD are written anew.
//!
//! The other side does it as nixpkgs' hook does: the wheel is unpacked, edited and packed again.

use std::path::Path;

use super::{Bench, named};
use crate::bench::pair;
use crate::failure::Result;
use crate::program;

/// The wheel that is measured unless one is named, and one that it requires.
const WHEEL: &str = "torch";
const REQUIREMENT: &str = "sympy";

/// The time that it may take, in seconds.
const GOAL: f64 = 0.020;

impl Bench {
    pub(super) fn relax(&self, rounds: usize) -> Result {
        let file = super::wheel(WHEEL)?;
        let extract = include_str!("dist_info.py");
        let ours = |dir: &Path| {
            let mut unpack = self.tool("python3", &["-I", "-c", extract]);
            let dist_info = program::output(unpack.arg(&file).arg(dir))?;
            let mut command = std::process::Command::new(&self.wheelfix);
            command.args(["patch", "--quiet", "--relax", REQUIREMENT]);
            command.arg(dir.join(dist_info.trim()));
            Ok(command)
        };
        let repack = include_str!("repack.py");
        let theirs = |dir: &Path| {
            let mut command = self.tool("python3", &["-I", "-c", repack]);
            command.arg(&file).arg(dir).arg(REQUIREMENT);
            Ok(command)
        };
        let ours = named("wheelfix patch torch-2.15.0.dist-info", &ours);
        let theirs = named("unpack, edit and pack, in Python", &theirs);
        let title = format!("relaxing `{REQUIREMENT}` of {WHEEL}");
        let comparison = pair::compare_large(&title, rounds.min(2), [ours, theirs])?;
        comparison.print();
        let [ours, _] = comparison.walls();
        println!("  {ours:.3} s; goal: {GOAL}");
        Ok(())
    }
}
