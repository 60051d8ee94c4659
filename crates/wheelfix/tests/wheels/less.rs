//! Installed wheels that lack one thing, chosen at random: the proof fails where the loader in the bed
//! does, and names it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use walkdir::WalkDir;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::nixos::Bed;
use wheelfix_testkit::random::Random;

use crate::programs::succeed;

const NM: Tool = Tool {
    names: &["nm"],
    install: "apt-get install binutils",
};

/// Libraries of compilers, which wheels take from elsewhere.
const RUNTIMES: &[&str] = &[
    "libgcc-s1",
    "libstdc++6",
    "zlib1g",
    "libgfortran5",
    "libquadmath0",
    "libgomp1",
];

/// How many of the objects that nothing happened to are opened, each time.
const OTHERS: usize = 5;

/// Wheels, each in a prefix of its own, and copies of what they need.
pub(crate) struct Store {
    dir: TempDir,
    bed: Bed,
    /// The prefixes, in the order of installation.
    prefixes: Vec<PathBuf>,
    /// The names that each object needs.
    needed: BTreeMap<String, Vec<String>>,
    /// The files of each name.
    files: BTreeMap<String, Vec<PathBuf>>,
}

/// The damage that was done to a file.
struct Loss {
    /// The name that the proof has to mention.
    name: String,
    /// The damage, in words.
    deed: String,
    /// Objects that it should matter to.
    users: Vec<String>,
    undo: Undo,
}

enum Undo {
    Rename(PathBuf, PathBuf),
    Write(PathBuf, Vec<u8>),
}

impl Store {
    /// Installs the wheels, which must load.
    pub(crate) fn new(wheels: &[PathBuf]) -> Self {
        let mut store = Self {
            dir: tempfile::tempdir().unwrap(),
            bed: Bed::find(),
            prefixes: Vec::new(),
            needed: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        for package in RUNTIMES {
            let mut copy = Command::new("cp");
            let from = store.bed.store().join(package);
            succeed(copy.arg("-a").arg(from).arg(store.root()));
        }
        for (number, wheel) in wheels.iter().enumerate() {
            let prefix = store.root().join(format!("wheel{number}"));
            let mut command = store.wheelfix("install");
            command.args(["--no-bytecode", "--quiet"]).arg("--prefix");
            succeed(command.arg(&prefix).arg(wheel));
            store.prefixes.push(prefix);
        }
        let document = store.check();
        assert_eq!(document["faults"], serde_json::json!([]), "{document}");
        store.read(&paths(&document["loadable"]));
        store
    }

    /// Takes away one thing for each seed; fails with all differences to the loader.
    pub(crate) fn lose(&self, seeds: std::ops::Range<u64>) {
        let mut faults = Vec::new();
        let mut red = 0;
        for seed in seeds.clone() {
            let mut random = Random(seed);
            let loss = self.take(&mut random);
            let document = self.check();
            let fail = paths(&document["unloadable"]);
            red += usize::from(!fail.is_empty());
            let said = document["faults"].to_string();
            // The proof takes the driver for granted, which is not on this machine.
            let driver = paths(&document["assumed"]["driver"]);
            let lacks_driver = |said: &str| {
                let library = said.split_once(": ").map_or(said, |(library, _)| library);
                driver.contains(library)
            };
            let opened = self.open(&self.sample(&loss, &fail, &mut random));
            let differing = opened.iter().filter(|(path, said)| {
                let fails = fail.contains(*path);
                let loads = said.as_str() == "ok" || (!fails && lacks_driver(said));
                loads == fails
            });
            for (path, said) in differing {
                faults.push(format!(
                    "seed {seed}: {}: {path}: the loader says: {said}",
                    loss.deed
                ));
            }
            if !fail.is_empty() && !said.contains(&loss.name) {
                faults.push(format!(
                    "seed {seed}: {}: {} is not named",
                    loss.deed, loss.name
                ));
            }
            loss.undo.run();
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        let count = usize::try_from(seeds.end - seeds.start).unwrap();
        assert!(count * 2 / 3 <= red, "only {red} of {count} did any harm");
    }

    fn root(&self) -> PathBuf {
        fs_err::canonicalize(self.dir.path()).unwrap()
    }

    /// A command that is told of the Python and of all that is there.
    fn wheelfix(&self, name: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_wheelfix"));
        let mut command = self.bed.wheelfix(program);
        command.arg(name).arg("--python").arg(self.bed.python());
        for package in RUNTIMES {
            command.arg("--lib-path").arg(self.root().join(package));
        }
        for prefix in &self.prefixes {
            command.arg("--lib-path").arg(prefix);
        }
        command
    }

    fn check(&self) -> Value {
        let mut command = self.wheelfix("check");
        let output = command.arg("--json").args(&self.prefixes).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let is_red = document["unloadable"] != serde_json::json!([]);
        assert_eq!(output.status.code(), Some(i32::from(is_red)), "{document}");
        document
    }

    /// Reads what the objects need, and where everything is.
    fn read(&mut self, objects: &BTreeSet<String>) {
        for object in objects {
            let said = Tool::READELF.run(&["-dW", object]);
            let text = said.expect();
            let needed = text.lines().filter_map(|line| {
                let (_, rest) = line.split_once("(NEEDED)")?;
                Some(rest.split_once('[')?.1.split_once(']')?.0.to_owned())
            });
            self.needed.insert(object.clone(), needed.collect());
        }
        for entry in WalkDir::new(self.root()).sort_by_file_name() {
            let path = entry.unwrap().into_path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.contains(".so") && path.is_file() {
                self.files.entry(name).or_default().push(path);
            }
        }
    }

    /// Takes away a thing that somebody needs.
    fn take(&self, random: &mut Random) -> Loss {
        let is_ours = |name: &&String| self.files.contains_key(*name);
        let users: Vec<&String> = self
            .needed
            .iter()
            .filter(|(_, needed)| needed.iter().any(|name| is_ours(&name)))
            .map(|(object, _)| object)
            .collect();
        loop {
            let user = random.pick(&users);
            let names: Vec<&String> = self.needed[user].iter().filter(is_ours).collect();
            let name = random.pick(&names);
            let file = &self.files[name][0];
            let loss = match random.below(6) {
                0 => Some(self.move_away(file, name)),
                1 => Some(self.move_away(&fs_err::canonicalize(file).unwrap(), name)),
                2 | 3 => forget(user, file, '@', random),
                4 => forget(user, file, ' ', random),
                _ => self.misdirect(random),
            };
            if let Some(mut loss) = loss {
                if loss.users.is_empty() {
                    loss.users.push(user.clone());
                }
                return loss;
            }
        }
    }

    fn move_away(&self, file: &Path, name: &str) -> Loss {
        let mut aside = file.as_os_str().to_owned();
        aside.push(".aside");
        fs_err::rename(file, &aside).unwrap();
        let needs = |(object, needed): (&String, &Vec<String>)| {
            needed.iter().any(|it| it == name).then(|| object.clone())
        };
        Loss {
            name: name.to_owned(),
            deed: format!("{} was renamed", file.display()),
            users: self.needed.iter().filter_map(needs).take(4).collect(),
            undo: Undo::Rename(aside.into(), file.to_owned()),
        }
    }

    /// Has a program name another interpreter.
    fn misdirect(&self, random: &mut Random) -> Option<Loss> {
        let programs: Vec<&String> = self
            .needed
            .keys()
            .filter(|object| !object.contains(".so"))
            .collect();
        let program = (!programs.is_empty()).then(|| random.pick(&programs))?;
        let loader = self.bed.loader();
        let loss = overwrite(Path::new(program), loader.to_str().unwrap(), "X")?;
        Some(Loss {
            users: vec![program.clone()],
            name: loader.strip_prefix("/").unwrap().display().to_string(),
            ..loss
        })
    }

    /// The files to open: those that it should matter to, some that fail, some others.
    fn sample(
        &self,
        loss: &Loss,
        fail: &BTreeSet<String>,
        random: &mut Random,
    ) -> BTreeSet<String> {
        let all: Vec<&String> = self.needed.keys().collect();
        let others = (0..OTHERS).map(|_| random.pick(&all).clone());
        let mut sample: BTreeSet<String> = others.collect();
        sample.extend(loss.users.iter().cloned());
        sample.extend(fail.iter().take(OTHERS).cloned());
        sample.retain(|path| Path::new(path).is_file());
        sample
    }

    /// The loader's answer for each, opened in a fresh process in the bed.
    fn open(&self, files: &BTreeSet<String>) -> BTreeMap<String, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wheels/open_each.py");
        let mut command = self.bed.command(self.bed.python());
        command.args(["-I", script]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = command.stderr(Stdio::null()).spawn().unwrap();
        let list: Vec<&str> = files.iter().map(String::as_str).collect();
        let mut stdin = python.stdin.take().unwrap();
        stdin.write_all(list.join("\n").as_bytes()).unwrap();
        drop(stdin);
        let output = python.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        let opened: BTreeMap<String, String> = lines
            .map(|(path, said)| (path.to_owned(), said.to_owned()))
            .collect();
        assert_eq!(opened.len(), files.len(), "{text}");
        opened
    }
}

impl Undo {
    fn run(&self) {
        match self {
            Self::Rename(from, to) => fs_err::rename(from, to).unwrap(),
            Self::Write(path, bytes) => fs_err::write(path, bytes).unwrap(),
        }
    }
}

/// Gives all strings of this text another first letter; `None` if there are none.
fn overwrite(file: &Path, text: &str, letter: &str) -> Option<Loss> {
    let whole = fs_err::read(file).unwrap();
    let pattern = [b"\0", text.as_bytes(), b"\0"].concat();
    let finder = memchr::memmem::Finder::new(&pattern);
    let places: Vec<usize> = finder.find_iter(&whole).collect();
    if text.is_empty() || places.is_empty() {
        return None;
    }
    let mut less = whole.clone();
    for at in places {
        less[at + 1] = letter.as_bytes()[0];
    }
    fs_err::write(file, less).unwrap();
    Some(Loss {
        name: text.to_owned(),
        deed: format!("{} has lost {text}", file.display()),
        users: Vec::new(),
        undo: Undo::Write(file.to_owned(), whole),
    })
}

/// Symbols of an object, as in `name@VERSION`.
fn symbols(file: &Path, which: &str) -> BTreeSet<String> {
    let said = NM.run(&["-D", which, file.to_str().unwrap()]);
    let text = said.expect();
    let last = |line: &str| {
        let mut words = line.rsplit(' ');
        let symbol = words.next()?;
        // A weak one may be missing.
        let is_weak = which == "--undefined-only" && words.next().is_some_and(|kind| kind == "w");
        (!is_weak).then(|| symbol.replace("@@", "@"))
    };
    text.lines().filter_map(last).collect()
}

fn paths(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|path| path.as_str().unwrap().to_owned()).collect()
}

/// Has a library forget a version (`@`) or a symbol that the user needs of it.
fn forget(user: &str, file: &Path, kind: char, random: &mut Random) -> Option<Loss> {
    let name = file.file_name()?.display();
    let wanted = symbols(Path::new(user), "--undefined-only");
    let defined = symbols(file, "--defined-only");
    let both: Vec<&String> = wanted
        .intersection(&defined)
        .filter(|symbol| kind == ' ' || symbol.contains('@'))
        .collect();
    if both.is_empty() {
        return None;
    }
    let symbol = random.pick(&both);
    let (plain, version) = symbol.split_once('@').unwrap_or((symbol, ""));
    let text = if kind == '@' { version } else { plain };
    let loss = overwrite(&fs_err::canonicalize(file).unwrap(), text, "X")?;
    Some(Loss {
        users: vec![user.to_owned()],
        deed: format!("{name} has forgotten {text}"),
        ..loss
    })
}
