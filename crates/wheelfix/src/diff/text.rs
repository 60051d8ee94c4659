//! A comparison for people.

use wheelfix_diff::{Changed, Comparison, Difference, Entry, EntryKind};

use crate::diff::side::{Kind, Side, archives};
use crate::inspect::text::{BOLD, DIM, Text, clean, count, paint, shown, thousands};
use crate::table::bytes;

/// How many values and lines of each difference are printed.
const LIMIT: usize = 8;

/// The whole report.
pub(super) fn print(
    a: &Side,
    b: &Side,
    comparison: &Comparison,
    same_bytes: Option<bool>,
    all: bool,
) -> String {
    let mut text = Text::new();
    header(&mut text, "a", a);
    header(&mut text, "b", b);
    for changed in &comparison.changed {
        print_changed(&mut text, changed, all);
    }
    print_only(&mut text, "only in a", &comparison.only_in_a, all);
    print_only(&mut text, "only in b", &comparison.only_in_b, all);
    if !comparison.is_equal() {
        text.line("");
    }
    if comparison.is_equal() && same_bytes == Some(false) {
        let entries = count(comparison.equal, "file is equal", "files are equal");
        let how = archives(a, b);
        text.line(&format!("{entries}, but the archives differ, in {how}"));
    } else {
        text.line(&summary(comparison));
    }
    text.finish()
}

fn header(text: &mut Text, name: &str, side: &Side) {
    let kind = match side.kind {
        Kind::Wheel => "wheel",
        Kind::Sdist => "source distribution",
        Kind::Directory => "directory",
        Kind::File => "file",
    };
    let entries = |number: usize| count(number, "entry", "entries");
    let remark = match (side.kind, side.left_out) {
        (Kind::File, _) => String::new(),
        (_, 0) => format!(", {}", entries(side.listing.len())),
        (_, left_out) => format!(
            ", {}; {} of other distributions left out",
            entries(side.listing.len()),
            entries(left_out)
        ),
    };
    let path = clean(&side.path.display().to_string());
    text.line(&format!(
        "{} {path}  {}",
        paint(BOLD, name),
        paint(DIM, &format!("{kind}{remark}"))
    ));
}

fn summary(comparison: &Comparison) -> String {
    let numbers = [
        (comparison.equal, "equal"),
        (comparison.changed.len(), "changed"),
        (comparison.only_in_a.len(), "only in a"),
        (comparison.only_in_b.len(), "only in b"),
    ];
    let parts = numbers.iter().filter(|(number, _)| 0 < *number);
    let parts: Vec<String> = parts
        .map(|(number, what)| format!("{} {what}", thousands(*number as u64)))
        .collect();
    let entries = count(comparison.len(), "entry", "entries");
    if parts.is_empty() {
        "nothing to compare: there are no files".to_owned()
    } else {
        format!("{entries}: {}", parts.join(", "))
    }
}

fn print_changed(text: &mut Text, changed: &Changed, all: bool) {
    let path = clean(&changed.path.to_string_lossy());
    let path = if path.is_empty() {
        "content".to_owned()
    } else {
        path
    };
    text.heading(&path, "");
    // The hash says nothing to people where something else does.
    let is_told = |it: &&Difference| it.what != "content" || changed.differences.len() == 1;
    for difference in changed.differences.iter().filter(is_told) {
        print_difference(text, difference, all);
    }
}

fn print_difference(text: &mut Text, difference: &Difference, all: bool) {
    let (a, b) = (&difference.a, &difference.b);
    if a == b {
        text.hanging(&format!("{}: ", difference.what), &clean(&list(a, all)));
        return;
    }
    if let ([a], [b]) = (&a[..], &b[..])
        && difference.what != "lines"
        && a.len() + b.len() < 80
    {
        text.hanging(
            &format!("{}: ", difference.what),
            &format!("{} -> {}", clean(a), clean(b)),
        );
        return;
    }
    text.line(&format!("  {}:", difference.what));
    for (sign, values) in [("-", a), ("+", b)] {
        let limit = shown(values.len(), LIMIT, all);
        for value in values.iter().take(limit) {
            text.cut(&format!("    {sign} {}", clean(value)));
        }
        text.more(values.len() - limit);
    }
}

fn list(values: &[String], all: bool) -> String {
    let limit = shown(values.len(), LIMIT, all);
    let listed = values.iter().take(limit).cloned();
    let more = values.len() - limit;
    let more = (0 < more).then(|| format!("and {more} more (--all)"));
    listed.chain(more).collect::<Vec<_>>().join(", ")
}

fn print_only(text: &mut Text, heading: &str, entries: &[Entry], all: bool) {
    let is_bytecode = |entry: &&Entry| entry.path.extension().is_some_and(|it| it == "pyc");
    let (bytecode, others): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| !all && is_bytecode(entry));
    if entries.is_empty() {
        return;
    }
    text.heading(heading, "");
    let limit = shown(others.len(), LIMIT * 5, all);
    for entry in others.iter().take(limit) {
        let remark = match &entry.kind {
            EntryKind::File { size, .. } => bytes(*size),
            EntryKind::Symlink { target } => format!("-> {}", clean(&target.to_string_lossy())),
            EntryKind::Directory | EntryKind::Special => entry.kind.to_string(),
        };
        let path = clean(&entry.path.to_string_lossy());
        text.line(&format!("  {path}  {}", paint(DIM, &remark)));
    }
    text.more(others.len() - limit);
    if !bytecode.is_empty() {
        let files = count(bytecode.len(), "file", "files");
        text.styled(DIM, &format!("  {files} of bytecode (--all)"));
    }
}
