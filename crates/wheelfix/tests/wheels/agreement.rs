//! The proof agrees with reality: `wheelfix check` passes exactly where the loader does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::{cache, host};

use crate::programs::succeed;

const SITE_PACKAGES: &str = "lib/python3.11/site-packages";

/// The lister of symbols of binutils.
const NM: Tool = Tool {
    names: &["nm"],
    install: "apt-get install binutils",
};

/// Wheels, each installed into a prefix of its own, as in a store.
struct Store {
    dir: TempDir,
    /// In the order of installation.
    prefixes: Vec<PathBuf>,
}

impl Store {
    fn new() -> Self {
        let store = Self {
            dir: tempfile::tempdir().unwrap(),
            prefixes: Vec::new(),
        };
        host::copy_runtimes(&store.root().join("runtimes"));
        store
    }

    /// The directory, links on the way resolved.
    fn root(&self) -> PathBuf {
        fs_err::canonicalize(self.dir.path()).unwrap()
    }

    fn install(&mut self, wheel: &Path) {
        let name = wheel.file_name().unwrap().to_str().unwrap();
        let prefix = self.root().join(name.split('-').next().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
        command.args(["install", "--quiet", "--no-bytecode", "--python"]);
        command.arg(cache::tool("python3")).arg("--lib-path");
        command.arg(self.root().join("runtimes"));
        for other in &self.prefixes {
            command.arg("--lib-path").arg(other);
        }
        let output = command
            .arg("--prefix")
            .arg(&prefix)
            .arg(wheel)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.prefixes.push(prefix);
    }

    /// A file of an installed wheel.
    fn file(&self, wheel: &str, path: &str) -> PathBuf {
        self.root().join(wheel).join(SITE_PACKAGES).join(path)
    }

    /// The document of `wheelfix check` over all prefixes.
    fn check(&self) -> Value {
        self.check_of(&self.prefixes)
    }

    /// The same of places that are named as seen from the directory of the prefixes.
    fn check_of(&self, places: &[PathBuf]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
        command
            .args(["check", "--json", "--python"])
            .arg(cache::tool("python3"))
            .current_dir(self.root());
        // A run path may lead to a directory for temporary files only where that is asked for.
        command.arg("--lib-path").arg(self.root().join("runtimes"));
        let output = command.args(places).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Makes an environment of links to all prefixes.
    fn link(&self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
        command.args(["env", "--quiet", "--prefix", "env", "--python"]);
        command.arg(cache::tool("python3")).current_dir(self.root());
        command.args(["--lib-path", "runtimes"]);
        succeed(command.args(&self.prefixes));
    }

    /// The faults of a document.
    fn faults(document: &Value) -> Vec<&Value> {
        document["faults"].as_array().unwrap().iter().collect()
    }
}

fn paths(list: &Value) -> BTreeSet<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|path| path.as_str().unwrap())
        .collect()
}

/// The outcome for each file, opened in a fresh process.
fn opened(files: &BTreeSet<&str>) -> BTreeMap<String, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wheels/open_each.py");
    let mut command = Command::new(cache::tool("python3"));
    command
        .args(["-I", script])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    let list: Vec<&str> = files.iter().copied().collect();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(list.join("\n").as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines
        .map(|(path, said)| (path.to_owned(), said.to_owned()))
        .collect()
}

/// Where the proof and the loader differ, a line each, and how many files were opened.
fn differences(document: &Value) -> (Vec<String>, usize) {
    let (load, fail) = (paths(&document["loadable"]), paths(&document["unloadable"]));
    let granted = paths(&document["assumed"]["driver"]);
    let results = opened(&load.union(&fail).copied().collect());
    assert_eq!(results.len(), load.len() + fail.len());
    let mut differences = Vec::new();
    for (path, said) in &results {
        // There is no driver on this machine; the proof says that it takes it for granted.
        let library = said.split(": cannot open shared").next().unwrap();
        let loads = said == "ok" || granted.contains(library);
        if loads != load.contains(path.as_str()) {
            differences.push(format!("{path}: the loader says: {said}"));
        }
    }
    (differences, results.len())
}

#[test]
fn every_object_of_the_small_and_the_cuda_set_loads_where_the_proof_says_so() {
    let mut store = Store::new();
    for set in ["small", "cuda"] {
        for wheel in cache::wheels(set) {
            // It works with torch, which comes later in the list.
            if !wheel.to_string_lossy().contains("bitsandbytes") {
                store.install(&wheel);
            }
        }
    }
    store.install(&cache::wheel("bitsandbytes"));
    let document = store.check();
    let faults = Store::faults(&document);
    assert!(faults.is_empty(), "{} faults: {}", faults.len(), faults[0]);
    let (wrong, count) = differences(&document);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(300 <= count, "only {count} objects");

    a_library_less(&store);
    an_older_cudnn(&store);
    a_version_less(&store);
    a_stub_of_the_driver(&store);
}

#[test]
fn links_and_relative_paths_lead_to_the_same_verdicts() {
    let mut store = Store::new();
    let names = ["numpy", "greenlet", "pillow"];
    for name in names {
        store.install(&cache::wheel(name));
    }
    store.link();
    let ways: [&[&str]; 4] = [
        &names,
        &["env"],
        &["runtimes/../env/"],
        &["numpy/../greenlet", "./pillow", "numpy//"],
    ];
    let library = store.file("numpy", "numpy.libs");
    let aside = library.with_extension("aside");
    let whole = store.verdicts(&ways);
    assert!(whole.values().all(|loads| *loads), "{whole:?}");
    fs_err::rename(&library, &aside).unwrap();
    let less = store.verdicts(&ways);
    let failing = less.values().filter(|loads| !**loads).count();
    assert!(0 < failing && failing < less.len(), "{less:?}");
}

impl Store {
    /// The verdict on each object, by its path below site-packages: the same whichever way it is
    /// named, and the loader's.
    fn verdicts(&self, ways: &[&[&str]]) -> BTreeMap<String, bool> {
        let mut verdicts = ways.iter().map(|way| {
            let places: Vec<PathBuf> = way.iter().map(PathBuf::from).collect();
            let document = self.check_of(&places);
            let (wrong, _) = differences(&document);
            assert!(wrong.is_empty(), "{way:?}: {}", wrong.join("\n"));
            let in_site = |path: &str| {
                let (_, name) = path.split_once("site-packages/").unwrap();
                // What was moved aside is there still, and loads.
                (!name.starts_with("numpy.")).then(|| name.to_owned())
            };
            let of = |key: &str, loads: bool| {
                let names: Vec<String> = paths(&document[key])
                    .into_iter()
                    .filter_map(in_site)
                    .collect();
                names.into_iter().map(move |name| (name, loads))
            };
            of("loadable", true)
                .chain(of("unloadable", false))
                .collect()
        });
        let first: BTreeMap<String, bool> = verdicts.next().unwrap();
        for (way, other) in ways[1..].iter().zip(verdicts) {
            assert_eq!(other, first, "{way:?}");
        }
        first
    }
}

/// Without cuFFT, exactly that is missing, for the loader too.
fn a_library_less(store: &Store) {
    let library = store.file("nvidia_cufft", "nvidia/cu13/lib/libcufft.so.12");
    let aside = library.with_extension("aside");
    fs_err::rename(&library, &aside).unwrap();
    let document = store.check();
    let faults = Store::faults(&document);
    let sonames: Vec<&Value> = faults.iter().map(|fault| &fault["soname"]).collect();
    assert_eq!(sonames, ["libcufft.so.12"], "{faults:?}");
    assert_eq!(faults[0]["fault"], "missing");
    let (wrong, _) = differences(&document);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fs_err::rename(&aside, &library).unwrap();
}

/// A cuDNN that lacks three of the functions that torch calls: exactly those are named.
fn an_older_cudnn(store: &Store) {
    let torch = store.file("torch", "torch/lib/libtorch_cuda.so");
    let names = NM.run_in(
        &store.root(),
        &["-D", "--undefined-only", torch.to_str().unwrap()],
    );
    let names = names.expect();
    // As in `U cudnnCreate@libcudnn.so.9`.
    let mut names: BTreeSet<&str> = names
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("U ")?
                .strip_suffix("@libcudnn.so.9")
        })
        .collect();
    let lacking: Vec<&str> = (0..3).map(|_| names.pop_last().unwrap()).collect();
    let functions = names.iter().map(|name| format!("void {name}(void) {{}}\n"));
    let source = functions.collect::<Vec<_>>().concat();
    fs_err::write(store.root().join("cudnn.c"), source).unwrap();
    fs_err::write(store.root().join("cudnn.map"), "libcudnn.so.9 { *; };").unwrap();
    let library = store.file("nvidia_cudnn_cu13", "nvidia/cudnn/lib/libcudnn.so.9");
    let aside = library.with_extension("aside");
    fs_err::rename(&library, &aside).unwrap();
    let flags = [
        "-Wl,--version-script=cudnn.map",
        "-shared",
        "-fPIC",
        "-Wl,-soname,libcudnn.so.9",
        "cudnn.c",
        "-o",
    ];
    Tool::CC
        .run_in(
            &store.root(),
            &[&flags[..], &[library.to_str().unwrap()]].concat(),
        )
        .expect();
    let document = store.check();
    let faults = Store::faults(&document);
    let of_torch: Vec<&&Value> = faults
        .iter()
        .filter(|fault| fault["path"].as_str() == torch.to_str())
        .collect();
    assert_eq!(of_torch.len(), 1, "{faults:?}");
    let symbols: BTreeSet<&str> = paths(&of_torch[0]["symbols"]);
    let lacking: Vec<String> = lacking
        .iter()
        .map(|name| format!("{name}@libcudnn.so.9"))
        .collect();
    assert_eq!(symbols, lacking.iter().map(String::as_str).collect());
    fs_err::rename(&aside, &library).unwrap();
}

/// A libstdc++ that lacks one version: exactly that is named, with the symbols that have it, and the
/// loader misses it in the same files.
fn a_version_less(store: &Store) {
    let library = store.root().join("runtimes/lib/libstdc++.so.6");
    let whole = fs_err::read(&library).unwrap();
    let (old, new) = (b"\0GLIBCXX_3.4.22\0", b"\0GLIBCXX_3.4.XX\0");
    let at = whole.windows(old.len()).position(|bytes| bytes == old);
    let mut less = whole.clone();
    less[at.unwrap()..][..new.len()].copy_from_slice(new);
    fs_err::write(&library, less).unwrap();
    let document = store.check();
    let faults = Store::faults(&document);
    let of_kind = |kind: &'static str| faults.iter().filter(move |fault| fault["fault"] == kind);
    let versions: Vec<&Value> = of_kind("version").map(|fault| &fault["version"]).collect();
    assert_eq!(versions, ["GLIBCXX_3.4.22"], "{faults:?}");
    let of_symbols = || of_kind("symbols").chain(of_kind("lazy-symbols"));
    let mut symbols = of_symbols().flat_map(|fault| paths(&fault["symbols"]));
    assert!(symbols.all(|symbol| symbol.ends_with("@GLIBCXX_3.4.22")));
    assert_eq!(of_symbols().count() + 1, faults.len(), "{faults:?}");
    let (wrong, _) = differences(&document);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fs_err::write(&library, whole).unwrap();
}

/// A library of the driver's name beside those of torch is refused.
fn a_stub_of_the_driver(store: &Store) {
    let stub = store.file("torch", "torch/lib/libcuda.so.1");
    fs_err::write(
        store.root().join("stub.c"),
        "int cuInit(int x) { return x; }",
    )
    .unwrap();
    let flags = [
        "-shared",
        "-fPIC",
        "-Wl,-soname,libcuda.so.1",
        "stub.c",
        "-o",
    ];
    let args = [&flags[..], &[stub.to_str().unwrap()]].concat();
    Tool::CC.run_in(&store.root(), &args).expect();
    let document = store.check();
    let faults = Store::faults(&document);
    let stubs: Vec<&&Value> = faults
        .iter()
        .filter(|fault| fault["fault"] == "stub")
        .collect();
    assert_eq!(stubs.len(), 1, "{faults:?}");
    assert_eq!(stubs[0]["soname"], "libcuda.so.1");
    assert_eq!(stubs[0]["path"].as_str(), stub.to_str());
    fs_err::remove_file(&stub).unwrap();
}
