//! The decisions about bundled libraries, as a table for people.

use std::fmt::{self, Display};
use std::path::Path;

use wheelfix_link::LinkPlan;
use wheelfix_unbundle::{Bundled, UnbundlePlan};

use crate::message::BREAK;
use crate::table;

/// A table of the libraries, and a line for each group of which two are left. Empty if nothing is
/// bundled.
pub(crate) fn render(plan: &UnbundlePlan) -> impl Display {
    fmt::from_fn(|f| write(f, plan))
}

fn write(f: &mut fmt::Formatter<'_>, plan: &UnbundlePlan) -> fmt::Result {
    if plan.libraries.is_empty() {
        return Ok(());
    }
    let header = [
        "library",
        "real name",
        "version",
        "users",
        "decision",
        "saved",
        "reason",
    ];
    let rows = plan.libraries.iter().map(row);
    write!(f, "{}{BREAK}", table::render_text(header, rows, &[3, 5]))?;
    let mut duplicates = plan.duplicates.iter();
    duplicates.try_for_each(|duplicates| write!(f, "{duplicates}{BREAK}"))
}

fn row(library: &Bundled) -> [String; 7] {
    let saved = if library.goes() {
        table::bytes(library.len)
    } else {
        String::new()
    };
    [
        short(&library.path),
        library.soname.clone(),
        library.version.clone().unwrap_or_default(),
        library.users.len().to_string(),
        library.decision.word().to_owned(),
        saved,
        library.decision.reason(),
    ]
}

/// A line for each backend that goes. Empty if none does.
pub(crate) fn backends(relocation: &LinkPlan) -> impl Display {
    fmt::from_fn(|f| {
        relocation.drops.iter().try_for_each(|drop| {
            let reason = match drop.missing.as_slice() {
                [] => "not asked for".to_owned(),
                missing => format!("without {}", missing.join(", ")),
            };
            let (backend, saved) = (&drop.backend, table::bytes(drop.len));
            write!(f, "backend {backend} dropped ({saved}): {reason}{BREAK}")
        })
    })
}

/// The length of all files that go, with a unit.
pub(crate) fn saved(unbundling: &UnbundlePlan, relocation: &LinkPlan) -> String {
    table::bytes(bytes_saved(unbundling, relocation))
}

/// The length of all files that go, in bytes.
pub(crate) fn bytes_saved(unbundling: &UnbundlePlan, relocation: &LinkPlan) -> u64 {
    let backends = relocation.drops.iter().map(|drop| drop.len);
    unbundling.bytes_saved() + backends.sum::<u64>()
}

/// The path in `site-packages`; elsewhere the file and its directory.
fn short(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let site = parts
        .iter()
        .rposition(|part| part == "site-packages")
        .map(|at| at + 1);
    let start = site.unwrap_or(parts.len().saturating_sub(2));
    parts.get(start..).unwrap_or_default().join("/")
}
