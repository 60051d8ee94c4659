//! Properties of every parser.

use proptest::prelude::*;
use wheelfix_format::{
    EditAction, Metadata, MetadataEdit, Record, RecordHash, RecordRow, Requirement, fuzzing,
};

/// Texts that look like the ones we read, more often than random ones do.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,6}",
        "\\PC{0,3}",
        proptest::sample::select(vec![
            "Requires-Dist: ",
            "Name: ",
            "Version: ",
            "Metadata-Version: 2.1",
            "Wheel-Version: 1.0",
            "Root-Is-Purelib: true",
            "Tag: ",
            "\n",
            "\r\n",
            "\n ",
            ": ",
            "[",
            "]",
            "(",
            ")",
            ";",
            "@",
            ",",
            "=",
            "==",
            ">=",
            "~=",
            "1.0",
            "a",
            "-",
            ".whl",
            ".tar.gz",
            "py3-none-any",
            "sha256=",
            "\"",
            "extra == 'x'",
            "python_version",
            " and ",
            " or ",
            "console_scripts",
            "a:b",
            ".so",
            "-0123abcd",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn requirement() -> impl Strategy<Value = String> {
    let clause = "(<|<=|>|>=|==|!=|~=)[ ]?[0-9]{1,2}\\.[0-9]{1,2}";
    let clauses = proptest::collection::vec(clause, 0..4).prop_map(|clauses| clauses.join(","));
    let marker = proptest::sample::select(vec!["", " ; extra == 'x'", "; python_version < '4'"]);
    (
        "[A-Za-z][A-Za-z0-9._-]{0,8}[a-z0-9]",
        proptest::sample::select(vec!["", "[a]", " [a, b]"]),
        clauses,
        marker,
    )
        .prop_map(|(name, extras, clauses, marker)| format!("{name}{extras}{clauses}{marker}"))
}

proptest! {
    #[test]
    fn what_holds_for_any_text(text in text()) {
        fuzzing::check_parsers(&text);
    }

    #[test]
    fn what_holds_for_any_metadata(text in text()) {
        fuzzing::check_edit(&text);
        fuzzing::check_edit(&format!("Metadata-Version: 2.1\nName: x\nVersion: 1\nRequires-Dist: {text}"));
    }

    #[test]
    fn a_record_survives_printing(paths in proptest::collection::btree_set("\\PC{1,12}", 0..8), size in any::<Option<u64>>()) {
        let rows: Vec<RecordRow> = paths
            .iter()
            .map(|path| RecordRow { path: path.clone(), hash: Some(RecordHash::sha256([7; 32])), size })
            .collect();
        let record = Record { rows };
        prop_assert_eq!(Record::parse(&record.to_string()).unwrap(), record);
    }

    #[test]
    fn a_record_without_quotes_means_the_same_beside_one(text in "(a|b\\.py|,|=|sha256|1|\u{feff}|é|\n|\r|\t| ){0,40}") {
        // A quote anywhere makes it a matter for the CSV reader.
        let mut beside = Record::parse(&format!("{text}\n\"last\",,\n"));
        if let Ok(record) = &mut beside {
            prop_assert_eq!(record.rows.pop(), Some(RecordRow::unhashed("last")));
        }
        prop_assert_eq!(Record::parse(&text), beside);
    }

    #[test]
    fn an_edit_changes_the_wanted_lines_only_and_once(
        requirements in proptest::collection::vec(requirement(), 1..6),
        action in proptest::sample::select(vec![EditAction::Relax, EditAction::RelaxUpper, EditAction::Remove]),
        chosen in any::<proptest::sample::Index>(),
    ) {
        let head = "Metadata-Version: 2.1\nName: x\nVersion: 1\n";
        let lines: Vec<String> = requirements.iter().map(|it| format!("Requires-Dist: {it}\n")).collect();
        let metadata: Metadata = format!("{head}{}\nbody\n", lines.concat()).parse().unwrap();
        let wanted: Requirement = chosen.get(&requirements).parse().unwrap();
        let edit = MetadataEdit::named(action, wanted.name().as_str()).unwrap();
        let edited = metadata.edit(std::slice::from_ref(&edit));
        prop_assert!(edited.unmatched.is_empty());

        let others = lines.iter().zip(&requirements).filter(|(_, it)| it.parse::<Requirement>().unwrap().name() != wanted.name());
        for (line, _) in others {
            prop_assert!(edited.text.contains(line.as_str()));
        }
        let again: Metadata = edited.text.parse().unwrap();
        for (field, requirement) in again.requires_dist() {
            prop_assert!(requirement.is_ok(), "{}", field.value);
        }
        let twice = again.edit(&[edit]);
        prop_assert_eq!(&twice.text, &edited.text);
        prop_assert!(twice.changes.is_empty());
    }
}
