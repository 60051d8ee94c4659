//! RECORD files, by their rows.

use std::collections::BTreeMap;

use wheelfix_format::{Record, RecordRow};

use crate::comparison::Difference;

/// The rows that only one of two RECORD files has, and those with another hash or size; `None` if one of
/// them cannot be read, or if they differ in their form only.
pub(crate) fn differences(a: &str, b: &str) -> Option<Vec<Difference>> {
    let (a, b) = (Record::parse(a).ok()?, Record::parse(b).ok()?);
    let (a, b) = (by_path(&a), by_path(&b));
    let paths = |rows: &BTreeMap<&str, &RecordRow>| {
        let paths = rows.keys().map(|path| (*path).to_owned());
        paths.collect::<Vec<_>>()
    };
    let rows = Difference::of_lists("rows", paths(&a), paths(&b));
    let is_other = |(path, row): &(&&str, &&RecordRow)| b.get(**path).is_some_and(|it| it != *row);
    let other = a
        .iter()
        .filter(is_other)
        .map(|(path, _)| (*path).to_owned());
    let other: Vec<String> = other.collect();
    let other = (!other.is_empty()).then(|| Difference {
        what: "rows with another hash or size",
        a: other.clone(),
        b: other,
    });
    let found: Vec<_> = rows.into_iter().chain(other).collect();
    (!found.is_empty()).then_some(found)
}

fn by_path(record: &Record) -> BTreeMap<&str, &RecordRow> {
    let rows = record.rows.iter().map(|row| (row.path.as_str(), row));
    rows.collect()
}
