//! From settings to requests of the pipeline; all faults at once.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wheelfix_format::Target;
use wheelfix_install::{Bytecode, Invalidation, Libraries, Python, PythonError};
use wheelfix_loader::{System, with_causes};

use crate::builder::attributes::Attributes;
use crate::builder::inputs;
use crate::builder::options::Options;
use crate::builder::settings::{SettingFault, Settings};
use crate::builder::{Error, report_settings};
use crate::common::{read_rules, real_paths};

/// How Python sees that bytecode is stale; what is in the store never changes.
const INVALIDATIONS: &[(&str, Invalidation); 3] = &[
    ("unchecked-hash", Invalidation::UncheckedHash),
    ("checked-hash", Invalidation::CheckedHash),
    ("timestamp", Invalidation::Timestamp),
];

/// Reads settings, and collects the faults of their values.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(super) settings: &'a Settings,
    faults: Vec<SettingFault>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            faults: Vec::new(),
        }
    }

    /// Fails if anything was wrong.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(report_settings(&self.faults))
        }
    }

    pub(super) fn fault(&mut self, name: &'static str, value: &str, reason: impl Display) {
        self.faults.push(SettingFault::Value {
            name,
            value: value.to_owned(),
            reason: reason.to_string(),
        });
    }

    /// Refuses a text that has no effect, unless it is not set or a condition holds.
    pub(super) fn refuse_unless(&mut self, holds: bool, name: &'static str, reason: &str) {
        if let Some(text) = self.settings.text(name).filter(|_| !holds) {
            self.fault(name, text, reason);
        }
    }

    /// One of several names; the first of them if none is set.
    pub(crate) fn choice<T: Copy, const N: usize>(
        &mut self,
        name: &'static str,
        known: &[(&str, T); N],
    ) -> T {
        let (_, first) = known[0];
        let Some(text) = self.settings.text(name) else {
            return first;
        };
        if let Some((_, value)) = known.iter().find(|(known, _)| *known == text) {
            return *value;
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        self.fault(name, text, format!("expected one of: {}", names.join(", ")));
        first
    }

    /// A text of one kind, if it is set.
    pub(crate) fn one<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let word = self.settings.text(name)?;
        match parse(word) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, word, error);
                None
            }
        }
    }

    /// A list whose words are all of one kind.
    pub(crate) fn parse<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for word in self.settings.list(name) {
            match parse(word) {
                Ok(value) => values.push(value),
                Err(error) => self.fault(name, word, error),
            }
        }
        values
    }

    /// The Python to install for.
    pub(crate) fn python(&mut self) -> Option<Python> {
        let (program, version) = (
            self.settings.text("python"),
            self.settings.text("pythonVersion"),
        );
        let reason = "without `target` it is `python` that scripts name";
        let is_named = self.settings.text("target").is_some();
        self.refuse_unless(is_named, "targetPython", reason);
        if is_named {
            let reason = "`target` says which Python it is";
            self.refuse_unless(false, "pythonVersion", reason);
            let mut python = self.named_python()?;
            if let Some(path) = program {
                match Python::probe(&program_of(Path::new(path))) {
                    Ok(build) => python = python.compiled_by(&build),
                    Err(error) => self.fault("python", path, with_causes(&error)),
                }
            }
            return Some(python);
        }
        match (program, version) {
            (Some(path), None) => match Python::probe(&program_of(Path::new(path))) {
                Ok(python) => Some(python),
                Err(error) => {
                    self.fault("python", path, with_causes(&error));
                    None
                }
            },
            (None, Some(text)) => match text.parse() {
                Ok(version) => Some(Python::of_version(version)),
                Err(error) => {
                    self.fault("pythonVersion", text, error);
                    None
                }
            },
            (Some(path), Some(_)) => {
                let reason = "`python` and `pythonVersion` exclude each other";
                self.fault("python", path, reason);
                None
            }
            (None, None) => {
                let reason = "set it to the Python of the package set, \"${python3}\", \
                    or set `pythonVersion = \"3.13\"` to run no Python in the build";
                self.fault("python", "", reason);
                None
            }
        }
    }

    /// The system of the target that is named, if it is one.
    fn system(&self) -> Option<System> {
        let target: Target = self.settings.text("target")?.parse().ok()?;
        System::of(&target)
    }

    /// The Python of the target that is named.
    pub(crate) fn named_python(&mut self) -> Option<Python> {
        let text = self.settings.text("target")?;
        let target: Target = self.one("target", str::parse)?;
        crate::nixpkgs::for_target(&target);
        let program = self
            .settings
            .text("targetPython")
            .map(Path::new)
            .map(program_of);
        match Python::of_target(target, program.as_deref()) {
            Ok(python) => Some(python),
            Err(error @ PythonError::Target(_)) => {
                self.fault("target", text, with_causes(&error));
                None
            }
            Err(error) => {
                let path = self.settings.text("targetPython").unwrap_or_default();
                self.fault("targetPython", path, with_causes(&error));
                None
            }
        }
    }

    /// The options of byte-compilation: levels 0 and 1 unless set otherwise, as in nixpkgs. `None`
    /// if nothing is to be compiled, or no Python can be run.
    pub(crate) fn bytecode(&mut self, python: Option<&Python>) -> Option<Bytecode> {
        let level = |word: &str| match word {
            "0" => Ok(0),
            "1" => Ok(1),
            "2" => Ok(2),
            _ => Err("expected a level from 0 to 2"),
        };
        let mut levels: Vec<u8> = self.parse("bytecode", level);
        let wanted = self.settings.flag("bytecode");
        let invalidation = self.choice("invalidation", INVALIDATIONS);
        let python = python?;
        // What a target that is named lacks to be compiled for is told, and is no fault.
        let runs = python.compiler().is_some() || python.system().is_some();
        if !runs && (wanted == Some(true) || !levels.is_empty()) {
            let reason = "needs a Python to compile: set `python` instead of `pythonVersion`";
            self.fault("bytecode", "true", reason);
        }
        if wanted == Some(false) || !runs {
            let reason = "nothing is compiled: `bytecode = false`";
            self.refuse_unless(wanted != Some(false), "invalidation", reason);
            return None;
        }
        if levels.is_empty() {
            levels = vec![0, 1];
        }
        levels.sort_unstable();
        levels.dedup();
        Some(Bytecode {
            levels,
            invalidation,
        })
    }

    /// The same as uv does it, which pyproject.nix calls: level 0 unless set otherwise, with uv's variables.
    ///
    /// <https://docs.astral.sh/uv/reference/environment/#uv_compile_bytecode>
    pub(crate) fn bytecode_of_uv(
        &mut self,
        bytecode: Option<Bytecode>,
        attributes: &Attributes,
    ) -> Option<Bytecode> {
        // So uv2nix writes that the workspace wants none.
        if attributes.words("UV_COMPILE_BYTECODE") == ["0"] {
            return None;
        }
        let mut bytecode = bytecode?;
        if self.settings.list("bytecode").is_empty() {
            bytecode.levels = vec![0];
        }
        let name = "PYC_INVALIDATION_MODE";
        if let Some(Value::String(word)) = attributes.get(name) {
            let known = INVALIDATIONS.iter();
            let mut of_uv = known.map(|(name, mode)| (name.to_uppercase().replace('-', "_"), mode));
            if let Some((_, mode)) = of_uv.find(|(name, _)| name == word) {
                bytecode.invalidation = *mode;
            } else {
                let reason = "expected one of: CHECKED_HASH, UNCHECKED_HASH, TIMESTAMP";
                self.fault(name, word, reason);
            }
        }
        Some(bytecode)
    }

    /// The libraries that the output may use: those of `libs` and of propagated inputs, and of the
    /// inputs that these propagate.
    pub(crate) fn libraries(&mut self, options: &Options) -> Result<Libraries, Error> {
        let relocation = &options.relocation;
        Ok(Libraries {
            lib_paths: self.lib_paths()?,
            rules: read_rules(options.libraries.rules_files(), &[])?,
            options: options.libraries.options(relocation)?,
            // Without a choice all of them are left alone.
            unbundle: relocation.wants_unbundling().then(|| relocation.unbundle()),
            system: self.system(),
        })
    }

    fn lib_paths(&mut self) -> Result<Vec<PathBuf>, Error> {
        for word in self.settings.list("libs") {
            if !Path::new(word).is_dir() {
                self.fault("libs", word, "is not a directory in this build");
            }
        }
        let named = ["libs", "propagate"].map(|name| self.settings.list(name).iter());
        let mut paths = inputs::closure(named.into_iter().flatten().map(Path::new))?;
        paths.retain(|path| path.is_dir());
        Ok(real_paths(&paths)?)
    }
}

/// The interpreter of a Python that is named by its store path or by its program.
fn program_of(path: &Path) -> PathBuf {
    let program = path.join("bin/python3");
    if program.is_file() {
        program
    } else {
        path.to_owned()
    }
}
