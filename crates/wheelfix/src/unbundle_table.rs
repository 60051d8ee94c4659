//! The decisions about bundled libraries, as a table for people.

use std::fmt::{self, Display};
use std::path::Path;

use wheelfix_link::{LinkPlan, count};
use wheelfix_unbundle::{Bundled, Decision, KeepReason, UnbundlePlan};

use crate::message::BREAK;
use crate::remedy::is_in_build;
use crate::table;

/// A table of the libraries, and a line for each group of which two are left. Those that stay because
/// nothing is known of them are counted, unless all are asked for. Empty if nothing is bundled.
pub(crate) fn render(plan: &UnbundlePlan, all: bool) -> impl Display {
    fmt::from_fn(move |f| write(f, plan, all))
}

/// Whether somebody who did not ask for all wants to know of the decision.
fn matters(library: &Bundled) -> bool {
    !matches!(
        &library.decision,
        Decision::Keep {
            reason: KeepReason::Unknown | KeepReason::Rule | KeepReason::Home
        }
    )
}

fn write(f: &mut fmt::Formatter<'_>, plan: &UnbundlePlan, all: bool) -> fmt::Result {
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
    let shown = plan.libraries.iter().filter(|it| all || matters(it));
    let shown: Vec<&Bundled> = shown.collect();
    if !shown.is_empty() {
        let rows = shown.iter().map(|library| row(library));
        write!(f, "{}{BREAK}", table::render_text(header, rows, &[3, 5]))?;
    }
    let hidden = plan.libraries.len() - shown.len();
    if 0 < hidden {
        let noun = if shown.is_empty() {
            "bundled library"
        } else {
            "more bundled library"
        };
        let libraries = count(hidden, noun);
        let verb = if hidden == 1 { "stays" } else { "stay" };
        let advice = if is_in_build() {
            ""
        } else {
            " (--verbose tells why)"
        };
        write!(f, "{libraries} {verb}{advice}{BREAK}")?;
    }
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
