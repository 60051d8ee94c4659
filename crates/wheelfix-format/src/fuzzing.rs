//! Properties that hold for any text: the bodies of the fuzz targets, which tests run too.

use std::fmt::Display;
use std::str::FromStr;

use crate::{
    BuildSystem, BuildTag, EditAction, EntryPoints, Headers, LibraryName, Marker, Metadata,
    MetadataEdit, PackageName, PlatformTag, Record, Requirement, SdistFilename, TagSet, WheelFile,
    WheelFilename,
};

/// No parser panics, and what keeps its text prints it.
pub fn check_parsers(text: &str) {
    text.parse::<BuildSystem>().ok();
    text.parse::<PackageName>().ok();
    text.parse::<WheelFile>().ok();
    EntryPoints::parse(text).ok();
    PlatformTag::parse(text);
    assert_eq!(Headers::parse(text).to_string(), text);
    check_printing::<BuildTag>(text, text);
    check_printing::<Marker>(text, text);
    check_printing::<Metadata>(text, text);
    check_printing::<Requirement>(text, text);
    check_printing::<SdistFilename>(text, text);
    check_printing::<TagSet>(text, &text.to_ascii_lowercase());
    check_printing::<WheelFilename>(text, text);
    if let Some(name) = LibraryName::parse(text) {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(record) = Record::parse(text) {
        let printed = record.to_string();
        let mut sorted = record;
        sorted.rows.sort();
        assert_eq!(Record::parse(&printed).ok(), Some(sorted));
    }
}

/// Whatever the metadata, an edit leaves all other fields and the body alone, and a second one finds
/// nothing more to do.
pub fn check_edit(text: &str) {
    let Ok(metadata) = text.parse::<Metadata>() else {
        return;
    };
    let others = |metadata: &Metadata| -> Vec<String> {
        let fields = metadata
            .headers()
            .fields()
            .filter(|field| !field.name.eq_ignore_ascii_case("Requires-Dist"));
        fields
            .map(|field| format!("{}:{}", field.name, field.value))
            .collect()
    };
    for action in [
        EditAction::RelaxUpper,
        EditAction::Relax,
        EditAction::Remove,
    ] {
        let edits = [
            MetadataEdit::all(action),
            MetadataEdit::nixpkgs(action, "a"),
        ];
        let edited = metadata.edit(&edits);
        let again: Option<Metadata> = edited.text.parse().ok();
        assert_eq!(again.as_ref().map(&others), Some(others(&metadata)));
        assert_eq!(
            again.as_ref().map(|it| it.headers().body()),
            Some(metadata.headers().body())
        );
        if let Some(again) = again {
            let twice = again.edit(&edits);
            assert_eq!((twice.text, twice.changes.len()), (edited.text, 0));
        }
    }
}

fn check_printing<T: FromStr + Display>(text: &str, want: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), want);
    }
}
