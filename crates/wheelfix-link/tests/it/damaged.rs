//! Damaged modules: what the proof says of each is what the loader of this machine does with it.
#![expect(clippy::disallowed_methods, reason = "runs the loader")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_elf::load::{self, Condition, LoaderKind};
use wheelfix_elf::{Elf, ReadError};
use wheelfix_link::{Excuses, Proof, ProofOptions, Rules, Tree, prove};
use wheelfix_loader::{FileView, Place, Target};
use wheelfix_testkit::elf::{Mutant, Tool, mixed_up};

mod mutants;

const OPENER: &str = include_str!("damaged/opener.c");
const MODULE: &str = include_str!("damaged/module.c");
const VERSIONS: &str =
    "V1 { global: helper; PyInit_module; pointer; function; data; counter; local: *; };";

/// How the module is linked.
const LAYOUTS: [(&str, &[&str]); 3] = [
    ("plain", &[]),
    (
        "versioned",
        &[
            "-Wl,--version-script=versions.map",
            "-Wl,--hash-style=both",
            "-Wl,-z,pack-relative-relocs",
        ],
    ),
    (
        "old",
        &[
            "-Wl,--hash-style=sysv",
            "-Wl,-z,noseparate-code",
            "-Wl,-z,norelro",
        ],
    ),
];

/// Why the proof refuses what the loader takes: a part of the message, and the reason.
const STRICTER: &[(&str, &str)] = &[
    ("is a directory", "the empty name is that of the program"),
    (
        "has no terminating NUL",
        "glibc reads strings without a bound",
    ),
    ("lies outside of the memory", "that place was free"),
    (
        "is not in memory",
        "what lies there makes a symbol, or nobody uses it",
    ),
    (
        "section header",
        "no loader looks at them; strip, debuggers and the editor do",
    ),
    ("e_shentsize", "the same"),
    ("e_shstrndx", "the same"),
    (
        "contradicts itself",
        "the module does not use what lies elsewhere now",
    ),
    ("DT_STRSZ is missing", "glibc reads strings without a bound"),
    (
        "is outside of the string table",
        "the same: the bytes behind make a string, too",
    ),
    (
        "DT_STRTAB:",
        "the same: a length that reaches out of the segment",
    ),
    (
        "its number of entries is missing",
        "glibc follows the list of versions and does not count",
    ),
    ("its list of Ver", "the same"),
    (
        "Verdaux",
        "glibc looks at it where something needs that version of the module",
    ),
    ("vd_version", "the same"),
    ("vn_version", "glibc looks at the first one alone"),
    (
        "is not in the tables of versions",
        "glibc looks behind its table, where there may be zeroes",
    ),
    (
        "its PT_TLS cannot be used",
        "a thread is killed when it first uses a thread-local variable",
    ),
    (
        "does not fit into memory",
        "an end behind the last address is taken for one before",
    ),
    (
        "dynamic section at",
        "glibc goes by the address of PT_DYNAMIC, all else by its offset and length",
    ),
    ("its dynamic section is not at", "the same"),
    ("DT_NULL is missing", "the same"),
    (
        "not defined, and for the file alone",
        "the address of the module itself is taken, which nothing uses here",
    ),
    ("at the address 0", "the same"),
    ("no code at its address", "the same"),
    ("DT_HASH", "nothing looks at it beside DT_GNU_HASH"),
    (
        "`: undefined symbol",
        "a Bloom filter or a chain that hides a symbol is not looked at for each",
    ),
    (
        "does not define the version",
        "a need of a version counts by its hash and its library, which was not changed",
    ),
];

/// One damaged copy with what was found out about it.
struct Case {
    layout: &'static str,
    damage: String,
    file: PathBuf,
    condition: Option<Condition>,
    real: String,
}

/// The layouts that musl of before 1.2.4 knows: no packed relocations.
const MUSL_LAYOUTS: [(&str, &[&str]); 3] = [
    ("plain", &[]),
    (
        "versioned",
        &["-Wl,--version-script=versions.map", "-Wl,--hash-style=both"],
    ),
    ("old", LAYOUTS[2].1),
];

/// A loader, and what links for it.
struct Libc {
    kind: LoaderKind,
    compiler: Tool,
    layouts: [(&'static str, &'static [&'static str]); 3],
}

const GLIBC: Libc = Libc {
    kind: LoaderKind::Glibc,
    compiler: Tool::CC,
    layouts: LAYOUTS,
};

const MUSL: Libc = Libc {
    kind: LoaderKind::Musl,
    compiler: Tool::MUSL_CC,
    layouts: MUSL_LAYOUTS,
};

/// The first condition of a loader that a file does not meet.
fn condition(bytes: &Vec<u8>, loader: LoaderKind) -> Option<Condition> {
    let elf = match Elf::read(bytes) {
        Ok(elf) => elf,
        // All that is read later depends on it.
        Err(ReadError::Field {
            what: "e_phentsize",
            ..
        }) => return Some(Condition::EntrySize),
        Err(_) => return None,
    };
    let alone = load::refusal(&elf, bytes, loader);
    let refusal = alone.or_else(|| {
        let table = elf.symbols(bytes).ok()?;
        load::relocate(&elf, bytes, &table, loader).err()
    });
    refusal.map(|refusal| refusal.condition)
}

/// Makes all damaged copies and opens them.
fn cases(root: &Path, libc: &Libc) -> Vec<Case> {
    cases_of(root, libc, &|bytes, flags| {
        // One layout has them all.
        mutants::mutants(bytes, if flags.is_empty() { 1 } else { 3 })
    })
}

/// The damaged copies of a module that is linked with these flags.
type Damage<'d> = &'d dyn Fn(&[u8], &[&str]) -> Vec<Mutant>;

/// Makes damaged copies and opens them.
fn cases_of(root: &Path, libc: &Libc, damage: Damage<'_>) -> Vec<Case> {
    let at = |name: &str| root.join(name);
    for (name, text) in [
        ("opener.c", OPENER),
        ("module.c", MODULE),
        ("versions.map", VERSIONS),
    ] {
        fs_err::write(at(name), text).unwrap();
    }
    libc.compiler
        .run_in(root, &["-w", "-o", "opener", "opener.c"])
        .expect();
    let mut cases = Vec::new();
    for (layout, flags) in libc.layouts {
        let module = format!("{layout}.so");
        let start = ["-shared", "-fPIC", "-o", &module, "module.c"];
        libc.compiler
            .run_in(root, &[&start, flags].concat())
            .expect();
        fs_err::create_dir(at(layout)).unwrap();
        let mutants = damage(&fs_err::read(at(&module)).unwrap(), flags);
        for (index, mutant) in mutants.into_iter().enumerate() {
            let file = at(layout).join(format!("m{index}.so"));
            fs_err::write(&file, &mutant.bytes).unwrap();
            // Without a segment there is nothing to read the rest from.
            let is_empty = mutant.damage.starts_with("all PT_LOADs");
            let known = is_empty.then_some(Condition::NoSegment);
            cases.push(Case {
                layout,
                damage: mutant.damage,
                condition: condition(&mutant.bytes, libc.kind).or(known),
                file,
                real: String::new(),
            });
        }
    }
    for some in cases.chunks_mut(1000) {
        let files = some.iter().map(|case| &case.file);
        let output = Command::new(at("opener")).args(files).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            text.lines().count(),
            some.len(),
            "the opener ends too early"
        );
        for (case, line) in some.iter_mut().zip(text.lines()) {
            case.real = line.to_owned();
        }
    }
    cases
}

fn proof(root: &Path) -> Proof {
    let program = root.join("opener");
    let target = Target::of_program(&program, root.join("driver")).unwrap();
    let options = ProofOptions {
        program: Some(program),
        excuses: Excuses::default(),
        backends: Vec::new(),
        in_one_process: false,
        named: Vec::new(),
        library_table: None,
        stores: Vec::new(),
        lib_paths: Vec::new(),
    };
    let tree = Tree::scan(&Place::fixed(root.to_path_buf())).unwrap();
    let rules = Rules::shipped().unwrap();
    prove(
        &tree,
        &FileView::default(),
        &target.unwrap(),
        &rules,
        &options,
    )
}

/// The counts over all cases.
#[derive(Default)]
struct Tally {
    /// Where the proof says something else than the loader, and no row of a list says why.
    wrong: Vec<String>,
    /// Rows of the lists, and how often they were needed.
    used: BTreeMap<&'static str, usize>,
    /// Conditions that are not met, where the loader refuses or is killed.
    conditions: BTreeMap<Condition, usize>,
    /// How many files the loader refuses, or is killed by.
    refused: usize,
}

impl Tally {
    fn count(&mut self, case: &Case, claims: bool, faults: &[String]) {
        let loads = case.real == "loads";
        self.refused += usize::from(!loads);
        if let Some(condition) = case.condition.filter(|_| !loads) {
            *self.conditions.entry(condition).or_default() += 1;
        }
        if loads == claims {
            return;
        }
        let path = format!("{}\"", case.file.display());
        let said = faults.iter().find(|fault| fault.contains(&path));
        let said = said
            .and_then(|fault| fault.lines().next())
            .unwrap_or_default();
        let row = STRICTER
            .iter()
            .find(|(part, _)| loads && said.contains(part));
        match row {
            Some((part, _)) => *self.used.entry(part).or_default() += 1,
            None => self.wrong.push(format!(
                "{} module, {}: the loader: {}; the proof: {}",
                case.layout,
                case.damage,
                case.real,
                if claims { "loads" } else { said }
            )),
        }
    }
}

#[test]
fn the_proof_refuses_what_the_loader_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let root = fs_err::canonicalize(dir.path()).unwrap();
    let cases = cases(&root, &GLIBC);
    let proof = proof(&root);
    // The text of a fault names the first few files, the other form all.
    let faults = proof
        .faults
        .iter()
        .map(|fault| format!("{fault}\n{fault:?}"));
    let faults: Vec<String> = faults.collect();
    let mut tally = Tally::default();
    for case in &cases {
        tally.count(case, proof.loadable.contains(&case.file), &faults);
    }
    let Tally {
        wrong,
        used,
        conditions,
        refused,
    } = tally;
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    let rows = STRICTER.iter().map(|(part, _)| *part);
    let idle: Vec<&str> = rows.filter(|part| !used.contains_key(part)).collect();
    assert!(idle.is_empty(), "reasons without a case: {idle:?}");
    assert!(
        100 <= refused,
        "the loader refuses {refused} of {}",
        cases.len()
    );
    assert_eq!(conditions.len(), 25, "{conditions:?}");
    let few: Vec<_> = conditions
        .iter()
        .filter(|(_, count)| **count < 10)
        .collect();
    assert!(few.is_empty(), "conditions with few cases: {few:?}");
}

#[test]
fn the_proof_refuses_what_the_loader_of_musl_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let root = fs_err::canonicalize(dir.path()).unwrap();
    let cases = cases(&root, &MUSL);
    let proof = proof(&root);
    let refused = || cases.iter().filter(|case| case.real != "loads");
    let wrong = refused().filter(|case| proof.loadable.contains(&case.file));
    let wrong = wrong.map(|case| {
        let (layout, damage, real) = (case.layout, &case.damage, &case.real);
        format!("{layout} module, {damage}: {real}")
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert!(
        200 <= refused().count(),
        "the loader refuses {} of {}",
        refused().count(),
        cases.len()
    );
    let loads = |case: &&Case| case.real == "loads" && proof.loadable.contains(&case.file);
    assert!(200 <= cases.iter().filter(loads).count());
}

/// The damage of the copies below.
const SEED: u64 = 20_261_203;

/// Fields that are wrong together, or have the value of another one: whatever the loader refuses, the proof refuses.
#[test]
fn what_is_mixed_up_is_refused_where_the_loader_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let root = fs_err::canonicalize(dir.path()).unwrap();
    let cases = cases_of(&root, &GLIBC, &|bytes, _| {
        mixed_up(bytes, SEED, 400).collect()
    });
    let proof = proof(&root);
    let refused = || cases.iter().filter(|case| case.real != "loads");
    let wrong: Vec<String> = refused()
        .filter(|case| proof.loadable.contains(&case.file))
        .map(|case| format!("{} module, {}: {}", case.layout, case.damage, case.real))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(500 <= refused().count(), "{}", refused().count());
}
