//! The command lines of README and docs: each names a command that is there, and options that it has.

use std::collections::{BTreeMap, BTreeSet};

use fs_err as fs;
use wheelfix_testkit::cache;

use crate::support::Sandbox;

/// The command lines of a document: of its blocks and of the code in its sentences, lines that go on
/// joined.
fn command_lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let mut lines = Vec::new();
    for line in text.lines() {
        let code = line.trim();
        if line.starts_with("    ") && code.starts_with("wheelfix ") {
            lines.push(code.to_owned());
        } else {
            let parts = line.split('`').skip(1).step_by(2);
            lines.extend(
                parts
                    .filter(|part| part.starts_with("wheelfix "))
                    .map(str::to_owned),
            );
        }
    }
    lines
}

/// The long options of a line, without those of the programs that it runs.
fn options(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split("$(").enumerate().map(|(number, part)| {
        let after = part.split_once(')').map_or("", |(_, after)| after);
        if number == 0 { part } else { after }
    });
    let words = parts.flat_map(str::split_whitespace);
    let own = words.take_while(|word| !["|", "&&", "#", ";", "--"].contains(word));
    own.filter(|word| word.starts_with("--"))
        .map(|word| word.split(['=', ',', ')', ']']).next().unwrap_or(word))
}

#[test]
fn commands_and_options_that_documents_name_exist() {
    let sandbox = Sandbox::new();
    let mut documents = vec![cache::root().join("README.md")];
    for entry in fs::read_dir(cache::root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        // Results of runs hold what was current then.
        let is_record = ["corpus.md", "full-test-results.md"].map(|name| path.ends_with(name));
        if path.extension().is_some_and(|it| it == "md") && !is_record.contains(&true) {
            documents.push(path);
        }
    }
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let (mut looked_at, mut wrong) = (0, BTreeSet::new());
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for line in command_lines(&text) {
            let command = line.split_whitespace().nth(1).unwrap_or_default();
            if !command.starts_with(|c: char| c.is_ascii_lowercase()) || command == "help" {
                continue;
            }
            let help = helps.entry(command.to_owned()).or_insert_with(|| {
                let text = sandbox.run(&[command, "--help"]);
                if text.starts_with("exit: 0\n") {
                    text
                } else {
                    String::new()
                }
            });
            let has = |option: &str| {
                help.split(option).skip(1).any(|after| {
                    !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
                })
            };
            looked_at += 1;
            let missing: Vec<&str> = options(&line).filter(|option| !has(option)).collect();
            if help.is_empty() || !missing.is_empty() {
                let name = document.file_name().unwrap().to_string_lossy();
                wrong.insert(format!("{name}: `{line}`: {missing:?}"));
            }
        }
    }
    assert!(100 < looked_at, "{looked_at}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
