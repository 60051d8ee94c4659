//! More files than a command takes: told with lines that do what was meant.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command};

use crate::quoting::shell_word;

/// Adds what to type instead to the error of a command line with too many files.
pub(crate) fn advise(error: &mut clap::Error, command: Command) {
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let lines: Vec<StyledStr> = lines(command).into_iter().map(StyledStr::from).collect();
    if !lines.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(lines));
    }
}

/// The commands that take one file, and the arguments that they have in common.
const OF_ONE: &[(&str, &[&str])] = &[
    ("inspect", &["path"]),
    ("unpack", &["archive", "dir"]),
    ("why", &["file", "soname"]),
    ("diff", &["a", "b"]),
];

/// The lines to type; none where the surplus is no file, or the command has no other fault.
fn lines(command: Command) -> Vec<String> {
    let command = OF_ONE.iter().fold(command, |command, (name, _)| {
        let surplus = Arg::new("surplus").num_args(0..);
        command.mut_subcommand(*name, |it| it.arg(surplus))
    });
    let Ok(matches) = command.try_get_matches() else {
        return Vec::new();
    };
    let of_command = matches.subcommand().and_then(|(name, matches)| {
        let (_, arguments) = OF_ONE.iter().find(|(other, _)| *other == name)?;
        Some((name, words(matches, arguments)))
    });
    let Some((name, words)) = of_command else {
        return Vec::new();
    };
    let each = |files: &[String], line: &str| {
        let files = files.join(" ");
        format!("`for file in {files}; do wheelfix {line}; done` takes one after the other")
    };
    match (name, &words[..]) {
        ("inspect", files) => {
            let all = each(files, "inspect \"$file\"");
            let differ =
                |[a, b]: &[String; 2]| format!("`wheelfix diff {a} {b}` says how they differ");
            let two = <&[String; 2]>::try_from(files).ok().map(differ);
            two.into_iter().chain([all]).collect()
        }
        ("unpack", [archives @ .., dir]) => {
            vec![each(
                archives,
                &format!("unpack \"$file\" {dir}/\"${{file##*/}}\""),
            )]
        }
        ("why", files) => vec![each(files, "why \"$file\"")],
        ("diff", [a, b, ..]) => vec![format!(
            "two are compared at a time: `wheelfix diff {a} {b}`"
        )],
        _ => Vec::new(),
    }
}

/// The files of a command line, as they are typed.
fn words(matches: &ArgMatches, arguments: &[&str]) -> Vec<String> {
    let all = arguments.iter().chain(&["surplus"]);
    let raw = all.flat_map(|id| matches.get_raw(id).into_iter().flatten());
    raw.map(|word| shell_word(&word.to_string_lossy()))
        .collect()
}
