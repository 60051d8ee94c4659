//! `wheelfix unbundle`

use wheelfix_install::Scope;

use crate::error::{self, Error, print_line, print_report};
use crate::patch::{self, FileArgs, Task};
use crate::{unbundle_table, warnings};

/// Remove bundled libraries whose users are proved to work with others, in place or in a wheel
#[derive(Debug, clap::Args)]
pub(crate) struct UnbundleArgs {
    #[command(flatten)]
    args: FileArgs,
}

/// Told where there is nothing that could be used instead of bundled libraries.
const NOTHING_ELSE: &str = "no --lib-path is named: only another copy among these files can take the place of a bundled one";

pub(crate) fn run(UnbundleArgs { args }: &UnbundleArgs) -> Result<(), Error> {
    args.libraries.warn(&args.output);
    let mut options = args.relocation.unbundle();
    options.unify = true;
    let task = Task {
        scope: Scope::Unbundling,
        unbundle: Some(options),
        heal: false,
        library_table: false,
        metadata: Vec::new(),
    };
    if !args.output.quiet && args.libraries.lib_paths()?.is_empty() {
        error::print("note", [NOTHING_ELSE]);
    }
    if args.is_for_wheel()? {
        return patch::print_wheel(&patch::execute_wheel(args, task)?, args);
    }
    let report = patch::execute(args, task)?;
    patch::tell(report.proof.as_ref(), &report.link_plan, args);
    if args.output.json {
        return patch::print_json(&report, args);
    }
    if args.output.quiet {
        return Ok(());
    }
    print_report(unbundle_table::render(
        &report.unbundling,
        args.output.verbose,
    ))?;
    print_report(unbundle_table::backends(&report.link_plan))?;
    let saved = unbundle_table::saved(&report.unbundling, &report.link_plan);
    if args.dry_run {
        print_line(format_args!("nothing was changed; {saved} would be saved"))?;
    } else {
        print_line(format_args!("{}; {saved} saved", patch::summary(&report)))?;
    }
    warnings::print_of_request(&report.warnings, args.output.verbose);
    Ok(())
}
