//! The table of installs.

use crate::demo::install::Installed;
use crate::usage;

/// Prints the names of the columns.
pub(crate) fn head() {
    println!(
        "\n{:<32}{:>8}{:>12}{:>11}{:>9}{:>12}",
        "wheel", "MB", "ELF files", "edited", "seconds", "memory MB"
    );
}

/// Prints what came of a wheel, as soon as it is known.
pub(crate) fn row(row: &Installed) {
    println!(
        "{:<32}{:>8.1}{:>12}{:>11}{:>9.2}{:>12.0}",
        row.wheel,
        usage::megabytes(row.size),
        row.elf_files,
        row.edited,
        row.usage.wall.as_secs_f64(),
        usage::megabytes(row.usage.peak_anonymous),
    );
}

/// Prints the sums, and what the columns mean.
pub(crate) fn sum(rows: &[Installed]) {
    let seconds: f64 = rows.iter().map(|row| row.usage.wall.as_secs_f64()).sum();
    println!(
        "{:<32}{:>8.1}{:>12}{:>11}{:>9.2}",
        format!("{} wheels", rows.len()),
        rows.iter()
            .map(|row| usage::megabytes(row.size))
            .sum::<f64>(),
        rows.iter().map(|row| row.elf_files).sum::<usize>(),
        rows.iter().map(|row| row.edited).sum::<usize>(),
        seconds,
    );
    println!(
        "Each wheel has a prefix of its own. RECORD was verified; no bytecode was made.\n\
         Memory is the peak of anonymous memory; pages of mapped files are not counted.\n"
    );
}
