//! The options for wheels and their files, from settings.

use std::path::{Path, PathBuf};

use wheelfix_format::MetadataEdit;
use wheelfix_install::{Python, WheelOptions};

use crate::builder::inputs;
use crate::builder::options::Options;
use crate::builder::request::Reader;
use crate::error::Error;
use crate::settings::{self, Kind};
use crate::wheel_options::OptionFaults;

impl Reader<'_> {
    /// The options for so many wheels and their files.
    pub(crate) fn wheel_options(
        &mut self,
        options: &Options,
        wheels: usize,
    ) -> Option<WheelOptions> {
        for word in self.settings.list("checkDeps") {
            if !Path::new(word).is_dir() {
                self.fault("checkDeps", word, "is not a directory in this build");
            }
        }
        self.refuse_no_names();
        let resolved = options.wheels.resolve(wheels, &options.limits);
        self.taken(resolved)
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
    pub(crate) fn metadata(&mut self, options: &Options) -> Vec<MetadataEdit> {
        self.refuse_no_names();
        let resolved = options.wheels.metadata.resolve();
        self.taken(resolved).unwrap_or_default()
    }

    /// Refuses `nixpkgsNames` where there are no names.
    fn refuse_no_names(&mut self) {
        let lists = ["relax", "relaxUpper", "removeDeps"].map(|name| self.settings.list(name));
        let is_set = self.settings.flag("nixpkgsNames") == Some(true);
        if is_set && lists.iter().all(|list| list.is_empty()) {
            let reason = "there are no names in `relax`, `relaxUpper` or `removeDeps`";
            self.fault("nixpkgsNames", "true", reason);
        }
    }

    /// The options, if they make sense.
    fn taken<T>(&mut self, resolved: Result<T, OptionFaults>) -> Option<T> {
        resolved
            .map_err(|faults| {
                for fault in faults.0 {
                    let setting = settings::of_option(fault.option);
                    let is_flag = setting.is_some_and(|it| it.kind == Kind::Flag);
                    let value = if is_flag { "true" } else { &fault.value };
                    self.fault(
                        setting.map_or(fault.option, |it| it.name),
                        value,
                        fault.reason,
                    );
                }
            })
            .ok()
    }
}
