//! Libraries compiled for one test.

use std::path::PathBuf;

use tempfile::TempDir;
use wheelfix_link::{
    Excuses, Fault, FileView, Place, Proof, ProofOptions, Remedy, Rules, Target, Tree, prove,
};
use wheelfix_testkit::elf::Tool;

/// A directory with libraries, as an output will have them.
pub(crate) struct Toolchain {
    dir: TempDir,
}

impl Toolchain {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The directory, links on the way resolved.
    pub(crate) fn root(&self) -> PathBuf {
        fs_err::canonicalize(self.dir.path()).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Compiles a library from C, all of whose symbols are bound on load. The soname is the file name;
    /// the flags come last.
    pub(crate) fn library(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let file = self.path("source.c");
        fs_err::write(&file, source).unwrap();
        let soname = format!(
            "-Wl,-soname,{}",
            path.file_name().unwrap().to_str().unwrap()
        );
        let file = file.to_str().unwrap();
        let output = path.to_str().unwrap();
        let start = [
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-Wl,--no-as-needed,-z,now",
            &soname,
            "-o",
            output,
            file,
        ];
        Tool::CC
            .run_in(&self.root(), &[&start, flags].concat())
            .expect();
        path
    }

    /// Compiles a library whose symbols have the versions of a linker script.
    pub(crate) fn versioned(&self, name: &str, source: &str, script: &str) -> PathBuf {
        let file = self.path("versions.map");
        fs_err::write(&file, script).unwrap();
        self.library(
            name,
            source,
            &[&format!("-Wl,--version-script={}", file.display())],
        )
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::scan(&Place::fixed(self.root())).unwrap()
    }

    /// Proves all libraries of the toolchain, each as the program of its process.
    pub(crate) fn prove(&self) -> Proof {
        self.prove_for(&Target::unknown(self.path("driver")))
    }

    pub(crate) fn prove_for(&self, target: &Target) -> Proof {
        self.prove_with(target, &[])
    }

    /// As [`prove`](Self::prove), with stores that run paths must stay in.
    pub(crate) fn prove_in(&self, stores: &[PathBuf]) -> Proof {
        self.prove_with(&Target::unknown(self.path("driver")), stores)
    }

    fn prove_with(&self, target: &Target, stores: &[PathBuf]) -> Proof {
        let options = ProofOptions {
            program: None,
            excuses: Excuses::default(),
            backends: Vec::new(),
            stores: stores.to_vec(),
            lib_paths: Vec::new(),
            in_one_process: false,
            named: Vec::new(),
            library_table: None,
        };
        let view = FileView::default();
        prove(
            &self.tree(),
            &view,
            target,
            &Rules::shipped().unwrap(),
            &options,
        )
    }

    /// The faults of the proof, with `DIR` for the toolchain.
    pub(crate) fn faults(&self) -> String {
        self.describe(&self.prove())
    }

    /// The remedies for the faults of the proof.
    pub(crate) fn remedies(&self) -> Vec<Remedy> {
        let faults = self.prove().faults;
        faults.iter().flat_map(Fault::remedies).collect()
    }

    pub(crate) fn describe(&self, proof: &Proof) -> String {
        let faults: Vec<String> = proof.faults.iter().map(ToString::to_string).collect();
        self.shorten(&faults.join("\n"))
    }

    pub(crate) fn shorten(&self, text: &str) -> String {
        text.replace(self.root().to_str().unwrap(), "DIR")
    }
}
