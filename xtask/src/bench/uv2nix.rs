//! Wheels in a set of uv2nix: by the overlay, beside uv2nix' own hooks.
//!
//! The hooks are those of the checkouts, auto-patchelf and nixpkgs' stdenv among them. The wheel of each run is a new
//! derivation, made before it is measured: evaluation is no part of it, as a set is evaluated once.

use std::path::Path;
use std::process::Command;

use crate::bench::Options;
use crate::bench::nix::salt;
use crate::bench::pair::{self, Side};
use crate::failure::Result;
use crate::nix::against::Against;
use crate::nix::host::Profile;
use crate::program;

/// A wheel of the set, a heading, and the largest share of the processor time, if there is a goal.
const WHEELS: &[(&str, &str, Option<f64>)] = &[
    ("scipy", "SciPy with bytecode", Some(0.6)),
    (
        "packaging",
        "packaging, a pure wheel, with bytecode",
        Some(0.3),
    ),
    // Two thirds of it are for its bytecode.
    (
        "pygments",
        "Pygments, a large pure wheel, with bytecode",
        None,
    ),
];

/// Our sides of `nix/tests/against.nix`, and their names in a table.
const OURS: &[(&str, &str)] = &[
    ("builder", "wheelfixPyproject, the builder"),
    ("hooks", "wheelfixPyprojectHooks"),
];

pub(crate) fn run(options: &Options) -> Result {
    let checkouts = options.against.as_ref();
    let checkouts =
        checkouts.ok_or("`uv2nix` needs the checkouts of `nix-test`: `--against DIR`")?;
    let against = Against::ensure(checkouts, Profile::Release)?;
    for (wheel, title, goal) in WHEELS {
        let side = |side: &str, dir: &Path| realise(&against, &format!("{side}.{wheel}"), dir);
        let theirs = |dir: &Path| side("uv2nix", dir);
        for (attribute, name) in OURS {
            let title = format!("{title}: {name}");
            if !options.wants(&title) {
                continue;
            }
            let ours = |dir: &Path| side(attribute, dir);
            let sides = [
                Side {
                    name,
                    command: &ours,
                },
                Side {
                    name: "uv2nix' own hooks",
                    command: &theirs,
                },
            ];
            let comparison = pair::compare(&title, options.rounds, sides)?;
            comparison.print();
            if let (Some(goal), "builder") = (goal, *attribute) {
                println!("  goal for the processor time: {goal}");
            }
        }
    }
    against.nix.collect_garbage()
}

/// The build of a wheel that was not built before; what it needs is there already.
fn realise(against: &Against, attribute: &str, dir: &Path) -> Result<Command> {
    let instantiate = |salt: &str| {
        let mut command = against.command("nix-instantiate", &format!("measured.{attribute}"));
        program::output(command.args(["--quiet", "--argstr", "salt", salt]))
    };
    let realise = |derivation: &str| {
        let mut command = against.nix.command("nix-store");
        command.args(["--quiet", "--realise", derivation.trim_end()]);
        command
    };
    // Brings what it needs, the first time.
    program::output(&mut realise(&instantiate("needs")?))?;
    Ok(realise(&instantiate(&salt(dir))?))
}
