//! Every layout, kind and edit: does the file still work, also after `strip` and a second edit?

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::check::{Violation, describe, violations};
use super::compare;
use super::edit::{Edit, Request};
use super::layout::{Kind, Layout};
use super::platform::Platform;
use super::strip::Stripper;
use super::tool::Tool;
use super::toolchain::Toolchain;

/// The smallest page of the machine that tests run on, in bytes.
const PAGE: u64 = 4096;

/// A program or library that edits ELF files.
pub trait Editor: Sync {
    /// Edits the file in place; `Err` says why not.
    fn edit(&self, file: &Path, request: &Request) -> Result<(), String>;

    /// Whether the edited file will survive `strip`, as far as the editor says.
    fn survives_strip(&self, _file: &Path, _request: &Request) -> bool {
        true
    }

    /// Rules that this editor promises beyond what every file and every edit must fulfil.
    fn promises(&self, _before: &[u8], _after: &[u8]) -> Vec<Violation> {
        Vec::new()
    }
}

/// A case in which something went wrong.
#[derive(Debug)]
pub struct Failure {
    /// The linker's options.
    pub layout: Layout,
    /// The kind of the linked file.
    pub kind: Kind,
    /// The edit that the editor was asked for.
    pub edit: Edit,
    /// The step that failed: the edit itself, or a way to strip the edited file.
    pub step: String,
    /// The fault.
    pub text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            layout,
            kind,
            edit,
            step,
            text,
        } = self;
        write!(f, "{layout} {kind:?} {edit:?} {step}: {text}")
    }
}

/// Runs all cases of some layouts and returns how many there were, and what went wrong.
pub fn run(
    platform: Platform,
    layouts: impl IntoIterator<Item = Layout>,
    editor: &dyn Editor,
) -> (usize, Vec<Failure>) {
    let toolchain = Toolchain::new(platform);
    let links: Vec<(Layout, Kind)> = layouts
        .into_iter()
        .flat_map(|layout| Kind::ALL.map(|kind| (layout, kind)))
        .collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new((0, Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((layout, kind)) = links.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (cases, failures) = Bench::new(&toolchain, editor, *layout, *kind).run();
                    let mut results = results.lock().unwrap();
                    results.0 += cases;
                    results.1.extend(failures);
                }
            });
        }
    });
    results.into_inner().unwrap()
}

/// One linked probe with the edits that it goes through.
struct Bench<'a> {
    toolchain: &'a Toolchain,
    editor: &'a dyn Editor,
    layout: Layout,
    kind: Kind,
    original: PathBuf,
    /// The warnings of `readelf` about the file as linked.
    warnings: Vec<String>,
}

impl<'a> Bench<'a> {
    fn new(toolchain: &'a Toolchain, editor: &'a dyn Editor, layout: Layout, kind: Kind) -> Self {
        let original = toolchain.dir().join(format!("{layout}-{kind:?}"));
        toolchain.link(kind, layout, &original);
        toolchain
            .run(kind, &original, &Request::default())
            .expect("a probe that runs as linked");
        let bytes = fs_err::read(&original).unwrap();
        let as_linked = violations(&bytes, PAGE);
        assert!(
            as_linked.is_empty(),
            "{layout} {kind:?} as linked: {}",
            describe(&as_linked)
        );
        Self {
            toolchain,
            editor,
            layout,
            kind,
            warnings: warnings(&original),
            original,
        }
    }

    fn run(&self) -> (usize, Vec<Failure>) {
        let mut cases = 0;
        let mut failures = Vec::new();
        for edit in Edit::all(self.kind != Kind::Library) {
            cases += 1;
            let mut fail = |step: String, text: String| {
                let Self { layout, kind, .. } = *self;
                failures.push(Failure {
                    layout,
                    kind,
                    edit,
                    step,
                    text,
                });
            };
            match self.edit(edit) {
                Ok(edited) => self.strip(edit, &edited, &mut fail),
                Err(text) => fail("edited".to_owned(), text),
            }
        }
        (cases, failures)
    }

    /// Edits a copy of the original and returns its path.
    fn edit(&self, edit: Edit) -> Result<PathBuf, String> {
        let request = self.toolchain.request(edit, self.kind);
        let edited = self.original.with_extension(format!("{edit:?}"));
        fs_err::copy(&self.original, &edited).unwrap();
        self.editor.edit(&edited, &request)?;
        let before = fs_err::read(&self.original).unwrap();
        let after = fs_err::read(&edited).unwrap();
        let mut broken = violations(&after, PAGE);
        // Whether the dynamic section had to leave is a matter of the comparison.
        broken.retain(|violation| violation.code != "DYN_NOT_RELRO");
        broken.extend(compare::violations(&before, &after));
        broken.extend(self.editor.promises(&before, &after));
        if !broken.is_empty() {
            return Err(describe(&broken));
        }
        let warnings = warnings(&edited);
        if warnings != self.warnings {
            return Err(warnings.join("; "));
        }
        self.toolchain.run(self.kind, &edited, &request)?;
        self.editor
            .edit(&edited, &request)
            .map_err(|text| format!("repeated: {text}"))?;
        if fs_err::read(&edited).unwrap() != after {
            return Err("repeating the edit changes the file".to_owned());
        }
        Ok(edited)
    }

    /// Strips the edited file in each way, runs it, edits it again and runs it again.
    fn strip(&self, edit: Edit, edited: &Path, fail: &mut dyn FnMut(String, String)) {
        for stripper in Stripper::all(self.toolchain.platform()) {
            let stripped = edited.with_extension(format!("{edit:?}-{stripper:?}"));
            let result = stripper.strip(edited, &stripped).and_then(|()| {
                let mut request = self.toolchain.request(edit, self.kind);
                self.toolchain.run(self.kind, &stripped, &request)?;
                request.rpath = Some(self.toolchain.rpath(520));
                self.editor
                    .edit(&stripped, &request)
                    .and_then(|()| self.toolchain.run(self.kind, &stripped, &request))
                    .map_err(|text| format!("edited again: {text}"))
            });
            if let Err(text) = result {
                fail(format!("{stripper:?}"), text);
            }
            fs_err::remove_file(&stripped).unwrap();
        }
    }
}

/// The warnings of `readelf`.
fn warnings(file: &Path) -> Vec<String> {
    let outcome = Tool::READELF.run(&["-aW", file.to_str().unwrap()]);
    let lines = outcome.stdout.lines().chain(outcome.stderr.lines());
    let mut warnings: Vec<String> = lines
        .filter(|line| line.contains("Warning") || line.contains("Error"))
        .map(str::to_owned)
        .collect();
    warnings.sort();
    if outcome.code != Some(0) {
        warnings.push(outcome.to_string());
    }
    warnings
}
