//! The options for wheels and their files, from settings.

use std::path::{Path, PathBuf};

use wheelfix_archive::Limits;
use wheelfix_format::{EditAction, MetadataEdit, Selector};
use wheelfix_install::{Cleanup, Provenance, Python, WheelOptions};
use wheelfix_link::Pattern;

use crate::builder::inputs;
use crate::builder::request::Reader;
use crate::error::Error;
use crate::limits::size;
use crate::wheel_options::{accepted, alias, direct_url, installer_name, namespace};

impl Reader<'_> {
    /// The options for so many wheels and their files.
    pub(crate) fn wheel_options(&mut self, wheels: usize) -> WheelOptions {
        let direct_url = self.one("directUrl", direct_url);
        if let Some(url) = &direct_url
            && wheels != 1
        {
            let reason = "is for one wheel: each has a URL of its own";
            self.fault("directUrl", url, reason);
        }
        if self.is_set("keepNamespacePth") && self.settings.list("namespaces").is_empty() {
            self.fault("keepNamespacePth", "true", "needs `namespaces`");
        }
        WheelOptions {
            metadata: self.metadata(),
            exclude: self.parse("exclude", Pattern::new),
            accept_mismatch: self.parse("acceptMismatch", accepted),
            provides: self.parse("provides", alias),
            limits: self.limits(),
            cleanup: Cleanup {
                namespaces: self.parse("namespaces", namespace),
                keep_namespace_pth: self.is_set("keepNamespacePth"),
                tests: self.is_set("removeTests"),
                bin_bytecode: self.is_set("removeBinBytecode"),
            },
            provenance: Provenance {
                installer: self.one("installer", installer_name),
                requested: self.is_set("requested"),
                direct_url,
            },
            standalone: None,
            dependencies: self.check_deps(),
        }
    }

    /// Prefixes that scripts find by themselves: those of what is propagated. `None` if that is not wanted,
    /// or no Python is named that could run them.
    pub(crate) fn standalone(
        &mut self,
        python: Option<&Python>,
    ) -> Result<Option<Vec<PathBuf>>, Error> {
        let wanted = self.settings.flag("standalone");
        let is_known = python.is_some_and(|python| python.executable().is_some());
        if wanted == Some(true) && !is_known {
            let reason = "needs a Python to run scripts: set `python` instead of `pythonVersion`";
            self.fault("standalone", "true", reason);
        }
        if wanted == Some(false) || !is_known {
            return Ok(None);
        }
        let propagated = self.settings.list("propagate").iter().map(Path::new);
        let mut prefixes = inputs::closure(propagated)?;
        prefixes.retain(|path| path.is_dir());
        Ok(Some(prefixes))
    }

    /// The edits of requirements.
    pub(crate) fn metadata(&mut self) -> Vec<MetadataEdit> {
        let nixpkgs = self.is_set("nixpkgsNames");
        let mut edits = Vec::new();
        for (name, action) in [
            ("relax", EditAction::Relax),
            ("relaxUpper", EditAction::RelaxUpper),
            ("removeDeps", EditAction::Remove),
        ] {
            if self.is_set(name) {
                edits.push(MetadataEdit::all(action));
            }
            edits.extend(self.parse(name, |word| {
                if nixpkgs && !word.is_empty() {
                    Ok(MetadataEdit::nixpkgs(action, word))
                } else {
                    MetadataEdit::named(action, word)
                }
            }));
        }
        if nixpkgs && edits.iter().all(|edit| edit.selector == Selector::All) {
            let reason = "there are no names in `relax`, `relaxUpper` or `removeDeps`";
            self.fault("nixpkgsNames", "true", reason);
        }
        edits
    }

    fn limits(&mut self) -> Limits {
        let mut limits = Limits::default();
        if let Some(total) = self.one("maxSize", size) {
            limits.total = total;
        }
        if let Some(ratio) = self.one("maxRatio", size) {
            limits.ratio = ratio;
        }
        limits
    }

    /// The prefixes that have to hold what the wheels require; `None` to check nothing.
    fn check_deps(&mut self) -> Option<Vec<PathBuf>> {
        let prefixes = self.settings.list("checkDeps");
        for word in prefixes {
            if !Path::new(word).is_dir() {
                self.fault("checkDeps", word, "is not a directory in this build");
            }
        }
        (!prefixes.is_empty()).then(|| prefixes.iter().map(PathBuf::from).collect())
    }

    fn is_set(&self, name: &str) -> bool {
        self.settings.flag(name) == Some(true)
    }
}
