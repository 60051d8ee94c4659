//! The search of musl's loader: `load_library` of `ldso/dynlink.c`, step by step.
//!
//! <https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c>

use crate::simulate::process::{Outcome, Process};
use crate::simulate::trace::Event;

/// Parts of the C library that are in the loader itself, between `lib` and `.`.
const RESERVED: &[&str] = &["c", "pthread", "rt", "m", "dl", "util", "xnet"];

impl Process<'_> {
    /// `load_library`.
    pub(crate) fn find_by_musl(&mut self, loader: Option<usize>, name: &str) -> Outcome {
        if name.contains('/') {
            return self.open_path(loader, name, name);
        }
        if is_reserved(name) {
            let interpreter = self.target.interpreter.as_ref();
            let interpreter = interpreter
                .and_then(|path| path.to_str())
                .map(ToOwned::to_owned);
            return interpreter
                .map_or(Outcome::Missing, |path| self.open_path(loader, &path, name));
        }
        // Only what was found by a search answers to its file name; sonames are not looked at.
        let known = self.loaded.iter().position(|loaded| {
            let searched = !loaded.was_asked_for(&loaded.path);
            searched && loaded.path.rsplit('/').next() == Some(name)
        });
        if let Some(known) = known {
            return Outcome::Loaded(known);
        }
        let target = self.target;
        let mut lists = vec![("LD_LIBRARY_PATH".to_owned(), target.library_path.clone())];
        let mut at = loader;
        while let Some(loaded) = at.and_then(|index| self.loaded.get(index)) {
            if let Some(path) = &loaded.object.run_path {
                let whose = format!("{} of {}", path.kind, loaded.path);
                lists.push((whose, Self::musl_elements(&loaded.path, &path.elements)));
            }
            at = loaded.loader;
        }
        lists.push((
            "default directories".to_owned(),
            target.system_directories.clone(),
        ));
        for (whose, directories) in lists {
            if let Some(found) = self.search_musl(&whose, &directories, loader, name) {
                return found;
            }
        }
        Outcome::Missing
    }

    /// `path_open`: an empty element is skipped.
    fn search_musl(
        &mut self,
        whose: &str,
        directories: &[String],
        loader: Option<usize>,
        name: &str,
    ) -> Option<Outcome> {
        if directories.is_empty() {
            return None;
        }
        self.trace.note(|| Event::Search {
            whose: whose.to_owned(),
            directories: directories.to_vec(),
        });
        for directory in directories.iter().filter(|directory| !directory.is_empty()) {
            let path = format!("{}/{name}", directory.trim_end_matches('/'));
            self.trace.note(|| Event::Try(path.clone()));
            if let Some(found) = self.take(loader, &path, name) {
                return Some(found);
            }
        }
        None
    }

    /// `fixup_rpath`: `$ORIGIN` is the only token, whatever follows it; a path with another one is
    /// not used at all.
    fn musl_elements(path: &str, elements: &[String]) -> Vec<String> {
        let origin = path
            .rsplit_once('/')
            .map_or(".", |(directory, _)| directory);
        let expand = |element: &String| {
            element
                .replace("$ORIGIN", origin)
                .replace("${ORIGIN}", origin)
        };
        let has_other = |element: &String| {
            let mut tokens = element.match_indices('$');
            tokens.any(|(at, _)| {
                let token = element.get(at + 1..).unwrap_or_default();
                !token.starts_with("ORIGIN") && !token.starts_with("{ORIGIN}")
            })
        };
        if elements.iter().any(has_other) {
            return Vec::new();
        }
        elements.iter().map(expand).collect()
    }
}

/// Whether the loader itself is meant, as `libpthread.so.0`.
fn is_reserved(name: &str) -> bool {
    let stem = name
        .strip_prefix("lib")
        .and_then(|rest| rest.split_once('.'));
    name.starts_with("libc.musl-") || stem.is_some_and(|(stem, _)| RESERVED.contains(&stem))
}
