//! Proofs of libraries compiled for one test.

use std::ops::Deref;
use std::path::PathBuf;

use wheelfix_link::{Excuses, Fault, Proof, ProofOptions, Remedy, Rules, Tree, prove};
use wheelfix_loader::{FileView, Place, Target};
use wheelfix_testkit::elf::LibraryDir;

/// A directory with libraries, as an output will have them, and its proof.
pub(crate) struct Toolchain {
    dir: LibraryDir,
}

impl Deref for Toolchain {
    type Target = LibraryDir;

    fn deref(&self) -> &LibraryDir {
        &self.dir
    }
}

impl Toolchain {
    pub(crate) fn new() -> Self {
        Self {
            dir: LibraryDir::new(),
        }
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
}
