//! `wheelfix patchelf` beside patchelf: the same command lines on the same files.
//!
//! Differences are allowed by name, case by case, and each name is a heading of
//! `docs/patchelf-differences.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use wheelfix_testkit::elf::{Kind, Layout, Outcome, Platform, Tool, Toolchain, patchelf};

/// The facts that readelf prints of a file: a text for each thing that an edit may be about.
type Facts = BTreeMap<&'static str, String>;

/// Files to edit, and a directory for each program that edits them.
struct Arena {
    toolchain: Toolchain,
    /// A symbolic link of the name `patchelf` to the binary under test.
    ours: PathBuf,
}

impl Arena {
    fn new() -> Self {
        let toolchain = Toolchain::new(Platform::Glibc);
        let dir = toolchain.dir();
        toolchain.link(Kind::Library, Layout::Default, &dir.join("library"));
        toolchain.link(Kind::Pie, Layout::Default, &dir.join("program"));
        for (name, options) in [
            (
                "rpath",
                ["--force-rpath", "--set-rpath", "/old/one:/old/two"].as_slice(),
            ),
            ("runpath", &["--set-rpath", "/old/one:/old/two"]),
        ] {
            fs_err::copy(dir.join("library"), dir.join(name)).unwrap();
            patchelf(dir, &[options, &[name]].concat()).expect();
        }
        fs_err::write(dir.join("list.txt"), "/from/a/file").unwrap();
        fs_err::write(dir.join("map.txt"), "probe_symbol_23 renamed_symbol\n").unwrap();
        fs_err::write(
            dir.join("text"),
            "no ELF file, but longer than an ELF header has to be, too\n",
        )
        .unwrap();
        for name in ["ours", "theirs"] {
            fs_err::create_dir_all(dir.join(name)).unwrap();
        }
        let ours = dir.join("patchelf");
        symlink(env!("CARGO_BIN_EXE_wheelfix"), &ours).unwrap();
        Self { toolchain, ours }
    }

    /// Runs both programs on copies of the files and returns what differs.
    fn differences(&self, line: &str) -> BTreeSet<&'static str> {
        let ours = self.side("ours", line, |dir, args| {
            Outcome::of(self.command(dir, args))
        });
        let theirs = self.side("theirs", line, patchelf);
        let mut different = BTreeSet::new();
        for key in ours.keys().chain(theirs.keys()) {
            if ours.get(key) != theirs.get(key) {
                different.insert(*key);
            }
        }
        different
    }

    #[expect(clippy::disallowed_methods, reason = "runs the program under test")]
    fn command(&self, dir: &Path, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(&self.ours);
        command.args(args).current_dir(dir).env_clear();
        command
    }

    fn side(&self, name: &str, line: &str, run: impl Fn(&Path, &[&str]) -> Outcome) -> Facts {
        let dir = self.toolchain.dir().join(name);
        for file in [
            "library", "program", "rpath", "runpath", "list.txt", "map.txt", "text",
        ] {
            fs_err::copy(self.toolchain.dir().join(file), dir.join(file)).unwrap();
        }
        let libraries = self.toolchain.libraries();
        let line = line.replace("LIBRARIES", libraries.to_str().unwrap());
        let args = |command: &'_ str| -> Vec<String> {
            let args = command.split(' ').map(|arg| arg.trim_matches('\''));
            args.map(str::to_owned).collect()
        };
        let mut commands = line.split(" ; ").map(args);
        let (mut outcome, mut args) = (None, Vec::new());
        for command in commands.by_ref() {
            args = command;
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            outcome = Some(run(&dir, &args));
        }
        let outcome = outcome.unwrap();
        let mut facts = Facts::new();
        facts.insert("exit code", format!("{:?}", outcome.code));
        facts.insert("output", outcome.stdout);
        facts.insert("error", outcome.stderr);
        let edited = ["result", "library", "program", "rpath", "runpath"]
            .into_iter()
            .find(|name| args.iter().any(|arg| arg == name) && dir.join(name).is_file());
        if let Some(name) = edited {
            facts.extend(read(&dir.join(name)));
        }
        if let Err(error) = fs_err::remove_file(dir.join("result")) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
        facts
    }
}

/// Reads a file with readelf.
fn read(file: &Path) -> Facts {
    let run = |options: &str| {
        Tool::READELF
            .run(&[options, file.to_str().unwrap()])
            .expect()
    };
    let mut facts = Facts::new();
    let mut add = |key, line: &str| {
        let text: &mut String = facts.entry(key).or_default();
        text.push_str(line);
        text.push('\n');
    };
    for line in run("-dW").lines().filter(|line| line.starts_with(" 0x")) {
        let (tag, value) = line.split_once('(').unwrap().1.split_once(')').unwrap();
        match tag {
            "NEEDED" => add("needed libraries", value.trim()),
            "RPATH" | "RUNPATH" => add("search path", &format!("{tag} {}", value.trim())),
            "SONAME" => add("soname", value.trim()),
            // Addresses and sizes of what the two place differently.
            "STRTAB" | "STRSZ" | "SYMTAB" | "GNU_HASH" | "VERSYM" | "VERNEED" | "VERDEF" => {
                add("tags", tag);
            }
            "VERNEEDNUM" => add("versions", value.trim()),
            "NULL" => {}
            _ => add("tags", &format!("{tag} {}", value.trim())),
        }
    }
    read_more(&run, &mut add);
    for key in ["tags", "symbols", "versions", "segments"] {
        if let Some(text) = facts.get_mut(key) {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            *text = lines.join("\n");
        }
    }
    facts
}

fn read_more(run: &dyn Fn(&str) -> String, add: &mut dyn FnMut(&'static str, &str)) {
    for line in run("-VW")
        .lines()
        .filter(|line| line.contains("Name: ") || line.contains("File: "))
    {
        // Without the offset in the table.
        add("versions", line.trim().split_once(": ").unwrap().1);
    }
    for line in run("-lW").lines() {
        let kind = line.split_whitespace().next().unwrap_or_default();
        match kind {
            "GNU_STACK" => add("stack", line),
            "GNU_RELRO" | "TLS" | "GNU_EH_FRAME" => add("segments", line),
            "[Requesting" => add("interpreter", line),
            _ => {}
        }
    }
    for line in run("-hW").lines().filter(|line| line.contains("OS/ABI")) {
        add("OS ABI", line);
    }
    for line in run("--dyn-syms")
        .lines()
        .filter(|line| line.contains(" DEFAULT "))
    {
        // Without the number, as renamed symbols change places, and without that of the section.
        let columns: Vec<&str> = line.split_whitespace().collect();
        add(
            "symbols",
            &[&columns[1..6], &columns[7..]].concat().join(" "),
        );
    }
}

/// Headings of the document, each with the facts that differ for this reason.
type Named = &'static [(&'static str, &'static [&'static str])];

const KIND: (&str, &[&str]) = ("The kind of the search path stays", &["search path"]);
const MESSAGES: (&str, &[&str]) = ("Messages say which file, where and why", &["error"]);
const TWICE: (&str, &[&str]) = ("What is there is not added again", &["needed libraries"]);
const VERSIONS: (&str, &[&str]) = ("Versions go with their library", &["versions", "symbols"]);

const LINES: &[(&str, Named)] = &[
    // Printing.
    ("--print-rpath library rpath runpath", &[]),
    ("--print-needed library program", &[]),
    ("--print-soname library", &[]),
    ("--print-soname program", &[]),
    ("--print-interpreter program", &[]),
    ("--print-interpreter library", &[]),
    (
        "--print-execstack --print-os-abi --print-needed --print-rpath --print-soname library",
        &[],
    ),
    ("--set-rpath /new --print-rpath rpath --force-rpath", &[]),
    // The search path.
    ("--set-rpath /new library", &[]),
    (
        "--set-rpath /new/path/that/is/longer/than/the/old/one runpath",
        &[],
    ),
    ("--set-rpath /new rpath", &[KIND]),
    ("--force-rpath --set-rpath /new rpath", &[]),
    ("--force-rpath --set-rpath /new runpath", &[]),
    ("--force-rpath --set-rpath /new library", &[]),
    ("--force-rpath rpath", &[]),
    ("--set-rpath /old/one:/old/two runpath", &[]),
    ("--set-rpath a --set-rpath b library", &[]),
    ("--set-rpath @list.txt library", &[]),
    ("--add-rpath /new runpath", &[]),
    ("--add-rpath /new rpath", &[KIND]),
    ("--add-rpath /new library", &[]),
    (
        "--add-rpath /old/one runpath",
        &[("What is there is not added again", &["search path"])],
    ),
    (
        "--set-rpath '' runpath",
        &[("An empty search path is none", &["search path"])],
    ),
    ("--set-rpath '' library", &[]),
    ("--remove-rpath rpath", &[]),
    ("--remove-rpath library", &[]),
    ("--set-rpath /x --remove-rpath runpath", &[]),
    (
        "--shrink-rpath runpath",
        &[("An empty search path is none", &["search path"])],
    ),
    ("--shrink-rpath library", &[]),
    (
        "--shrink-rpath --allowed-rpath-prefixes /old runpath",
        &[("An empty search path is none", &["search path"])],
    ),
    (
        "--set-rpath /x:LIBRARIES:$ORIGIN/y:LIBRARIES:z library ; --shrink-rpath library",
        &[],
    ),
    (
        "--set-rpath /x:LIBRARIES library ; --shrink-rpath --allowed-rpath-prefixes /a:/tmp library",
        &[],
    ),
    (
        "--set-rpath $ORIGIN:LIBRARIES library ; --shrink-rpath --allowed-rpath-prefixes /a:/b library",
        &[],
    ),
    // Needed libraries.
    ("--add-needed libz.so.1 library", &[]),
    ("--add-needed libz.so.1 --add-needed liba.so.2 program", &[]),
    ("--add-needed libc.so.6 library", &[TWICE]),
    ("--replace-needed libdep.so.1 libother.so.2 library", &[]),
    (
        "--replace-needed libdep.so.1 /a/path/to/libother.so.2 program",
        &[],
    ),
    ("--replace-needed nothing.so anything.so library", &[]),
    (
        "--replace-needed libdep.so.1 libc.so.6.1 --replace-needed libc.so.6 libdep.so.2 library",
        &[],
    ),
    ("--remove-needed libgcc_s.so.1 library", &[VERSIONS]),
    ("--remove-needed ld-linux-x86-64.so.2 library", &[VERSIONS]),
    ("--remove-needed nothing.so library", &[]),
    (
        "--remove-needed libdep.so.1 --add-needed libz.so.1 library",
        &[VERSIONS],
    ),
    // Names, interpreter, flags.
    ("--set-soname libnew.so.9 library", &[]),
    ("--set-soname libprobe.so library", &[]),
    ("--set-soname libnew.so.9 program", &[]),
    (
        "--set-interpreter /a/loader/with/a/rather/long/path/ld.so program",
        &[],
    ),
    ("--set-interpreter /ld.so program", &[]),
    ("--set-interpreter /ld.so library", &[]),
    ("--no-default-lib library", &[]),
    ("--add-debug-tag library", &[]),
    ("--add-debug-tag program", &[]),
    ("--set-execstack library", &[]),
    ("--clear-execstack library", &[]),
    ("--set-execstack --clear-execstack library", &[]),
    ("--set-os-abi FreeBSD library", &[]),
    ("--set-os-abi gnu program", &[]),
    // Symbols.
    ("--clear-symbol-version dlopen program", &[]),
    ("--clear-symbol-version nothing program", &[]),
    ("--rename-dynamic-symbols map.txt library", &[]),
    // All at once, files, output.
    (
        "--set-rpath /new --set-interpreter /ld.so --add-needed libz.so.1 --no-default-lib --add-debug-tag program",
        &[],
    ),
    ("--output result --set-rpath /new library", &[]),
    ("--output result library", &[]),
    (
        "--page-size 65536 --no-sort --no-clobber-old-sections --set-rpath /new library",
        &[],
    ),
    // Faults.
    ("--set-rpath /new", &[]),
    ("library --set-rpath", &[]),
    ("--replace-needed a", &[]),
    ("--set-rpath a --add-rpath b library", &[]),
    ("--output x library program", &[]),
    ("--page-size zero library", &[]),
    ("--set-os-abi CP/M library", &[]),
    ("--rename-dynamic-symbols list.txt library", &[]),
    ("--print-rpath missing", &[]),
    ("--print-rpath text", &[MESSAGES]),
    ("--bogus library", &[]),
];

#[test]
fn differences_are_named() {
    let arena = Arena::new();
    let mut faults = Vec::new();
    for (line, named) in LINES {
        let want: BTreeSet<&str> = named
            .iter()
            .flat_map(|(_, facts)| *facts)
            .copied()
            .collect();
        let got = arena.differences(line);
        if got != want {
            faults.push(format!("{line}: {got:?} differ, named are {want:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn named_differences_are_in_the_document() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let text = fs_err::read_to_string(root.join("docs/patchelf-differences.md")).unwrap();
    for (heading, _) in LINES.iter().flat_map(|(_, named)| *named) {
        assert!(
            text.contains(&format!("\n## {heading}\n")),
            "no heading `{heading}`"
        );
    }
}
