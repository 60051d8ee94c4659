//! `docs/full-test-results.md`, written by each `cargo xtask test --full` that passes.

use std::process::Command;
use std::time::Duration;

use crate::failure::Result;
use crate::manifest::{Manifest, Set};
use crate::{place, program, python};

/// Writes the document.
///
/// `steps` are the parts of the run with the time they took, `closing` the last line of the test
/// runner.
pub(crate) fn write(steps: &[(&'static str, Duration)], closing: &str) -> Result {
    let facts: Vec<String> = facts()?
        .iter()
        .map(|(name, value)| format!("| {name} | {value} |\n"))
        .collect();
    let steps: Vec<String> = steps
        .iter()
        .map(|(name, time)| format!("| {name} | {} |\n", time.as_secs()))
        .collect();
    let manifest = Manifest::read()?;
    let wheels: Vec<String> = manifest
        .of_set(Set::Full)
        .map(|wheel| format!("| {} | {} |\n", wheel.name(), wheel.version()))
        .collect();
    let sdists: Vec<String> = manifest
        .sdists
        .iter()
        .map(|sdist| format!("| {} |\n", sdist.file))
        .collect();
    let text = format!(
        "# Results of the full tests\n\
         \n\
         Written by the last `cargo xtask test --full` that passed.\n\
         \n\
         | what | |\n\
         | --- | --- |\n\
         {facts}\
         \n\
         The test runner closed with `{closing}`.\n\
         \n\
         | part | seconds |\n\
         | --- | --- |\n\
         {steps}\
         \n\
         The {count} wheels:\n\
         \n\
         | project | version |\n\
         | --- | --- |\n\
         {wheels}\
         \n\
         The {sdist_count} source distributions:\n\
         \n\
         | file |\n\
         | --- |\n\
         {sdists}",
        facts = facts.concat(),
        steps = steps.concat(),
        count = wheels.len(),
        wheels = wheels.concat(),
        sdist_count = sdists.len(),
        sdists = sdists.concat(),
    );
    let path = place::root().join("docs/full-test-results.md");
    fs_err::write(&path, text)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// The facts that the run depends on, besides the sources.
fn facts() -> Result<Vec<(&'static str, String)>> {
    let first_line = |program: &str, args: &[&str]| -> Result<String> {
        let output = program::output(Command::new(program).args(args).current_dir(place::root()))?;
        Ok(output.lines().next().unwrap_or_default().to_owned())
    };
    let python = python::tools()?.join("python3");
    let processors = std::thread::available_parallelism()?;
    Ok(vec![
        ("date", first_line("date", &["-u", "+%F"])?),
        (
            "commit",
            first_line("git", &["describe", "--always", "--dirty"])?,
        ),
        ("Rust", first_line("rustc", &["--version"])?),
        (
            "Python",
            first_line(&python.to_string_lossy(), &["--version"])?,
        ),
        ("C library", first_line("ldd", &["--version"])?),
        ("kernel", first_line("uname", &["-sr"])?),
        ("processors", processors.to_string()),
    ])
}
