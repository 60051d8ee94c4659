//! Random chains of edits by several releases of patchelf, by the editor under test and by strippers: what real files have
//! been through before they reach us.

use std::fmt::Write as _;
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::edit::Request;
use super::golang;
use super::layout::{Kind, Layout};
use super::matrix::Editor;
use super::mutate::drop_section_headers;
use super::patchelf::{PATCHELF_RELEASES, patchelf_release};
use super::platform::Platform;
use super::strip::Stripper;
use super::toolchain::{Checks, DEPENDENCY, Toolchain, extra_names, long_dependency};
use crate::random::Random;

/// The most edits in a chain.
const MAX_STEPS: usize = 6;

const STRIPPERS: [Stripper; 4] = [
    Stripper::Strip,
    Stripper::LlvmStrip,
    Stripper::EuStrip,
    Stripper::LlvmStrip19,
];

/// The results of the chains.
#[derive(Debug, Default)]
pub struct Chains {
    /// How many chains there were.
    pub chains: usize,
    /// How many edits the editor under test was asked for, of files that ran.
    pub edits: usize,
    /// How many of them it refused.
    pub refused: usize,
    /// Failures, with all that came before.
    pub faults: Vec<String>,
}

/// Runs the chains with these seeds.
pub fn run(seeds: Range<u64>, editor: &dyn Editor) -> Chains {
    let bench = Bench::new(editor);
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new(Chains::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let chains = Chain::new(&bench, seed).run();
                    let mut total = total.lock().unwrap();
                    total.chains += chains.chains;
                    total.edits += chains.edits;
                    total.refused += chains.refused;
                    total.faults.extend(chains.faults);
                }
            });
        }
    });
    total.into_inner().unwrap()
}

/// The files that chains begin with.
struct Bench<'a> {
    toolchain: Toolchain,
    editor: &'a dyn Editor,
    originals: Vec<Original>,
}

struct Original {
    /// How it was linked.
    name: String,
    path: PathBuf,
    kind: Kind,
    is_go: bool,
}

impl<'a> Bench<'a> {
    fn new(editor: &'a dyn Editor) -> Self {
        let toolchain = Toolchain::new(Platform::Glibc);
        let mut originals = Vec::new();
        let layouts = Layout::ALL.into_iter();
        for layout in layouts.chain([Layout::GoldRosegment, Layout::Mold]) {
            for kind in Kind::ALL {
                let name = format!("{layout}-{kind:?}");
                let path = toolchain.dir().join(&name);
                toolchain.link(kind, layout, &path);
                let is_go = false;
                originals.push(Original {
                    name,
                    path,
                    kind,
                    is_go,
                });
            }
            let name = format!("{layout}-Names");
            let path = toolchain.dir().join(&name);
            toolchain.link_with_names(layout, &path);
            originals.push(Original {
                name,
                path,
                kind: Kind::Library,
                is_go: false,
            });
        }
        for options in golang::BUILDS {
            let name = format!("Go{}", options.concat().replace([' ', '='], "-"));
            let path = toolchain.dir().join(&name);
            golang::build(toolchain.dir(), options, &path);
            let (kind, is_go) = (Kind::Pie, true);
            originals.push(Original {
                name,
                path,
                kind,
                is_go,
            });
        }
        Self {
            toolchain,
            editor,
            originals,
        }
    }
}

/// How much of itself a file still finds in order.
type Health = Option<Checks>;

struct Chain<'a> {
    bench: &'a Bench<'a>,
    original: &'a Original,
    random: Random,
    dir: PathBuf,
    file: PathBuf,
    /// All edits so far.
    edited: Request,
    /// An account of what was done so far, for people.
    story: String,
    /// The file before an edit of ours that `strip` may follow.
    before_ours: Option<PathBuf>,
    total: Chains,
}

impl<'a> Chain<'a> {
    fn new(bench: &'a Bench<'a>, seed: u64) -> Self {
        let mut random = Random(seed);
        let original = &bench.originals[random.below(bench.originals.len())];
        let dir = bench.toolchain.dir().join(format!("chain-{seed}"));
        fs_err::create_dir(&dir).unwrap();
        let file = dir.join("file");
        fs_err::copy(&original.path, &file).unwrap();
        let mut story = format!("seed {seed}: {}", original.name);
        if random.below(5) == 0 {
            let bytes = drop_section_headers(&fs_err::read(&file).unwrap());
            fs_err::write(&file, bytes).unwrap();
            story.push_str(", without section headers");
        }
        Self {
            bench,
            original,
            random,
            dir,
            file,
            edited: Request::default(),
            story,
            before_ours: None,
            total: Chains {
                chains: 1,
                ..Chains::default()
            },
        }
    }

    fn run(mut self) -> Chains {
        let steps = 1 + self.random.below(MAX_STEPS);
        let mut health = self.health(&self.file, &self.edited);
        assert!(health.is_some(), "{} does not run", self.story);
        for _ in 0..steps {
            health = match self.random.below(20) {
                0..8 => self.patchelf(),
                8..16 => self.ours(health),
                _ => self.strip(health),
            };
            if health.is_none() {
                break;
            }
        }
        if self.total.faults.is_empty() {
            fs_err::remove_dir_all(&self.dir).unwrap();
        }
        self.total
    }

    fn note(&mut self, text: &str) {
        write!(self.story, "\n  {text}").unwrap();
    }

    fn fault(&mut self, text: &str) {
        self.total
            .faults
            .push(format!("{}\n  FAULT: {text}", self.story));
    }

    /// Runs or loads a file.
    fn checked(&self, file: &Path, edited: &Request, checks: Checks) -> Result<(), String> {
        if self.original.is_go {
            return golang::run(file);
        }
        let toolchain = &self.bench.toolchain;
        toolchain.run_checks(self.original.kind, file, edited, checks)
    }

    fn health(&self, file: &Path, edited: &Request) -> Health {
        [Checks::All, Checks::Lenient]
            .into_iter()
            .find(|checks| self.checked(file, edited, *checks).is_ok())
    }

    /// Draws an edit.
    fn request(&mut self) -> Request {
        let mut request = Request::default();
        let is_program = self.original.kind != Kind::Library;
        let what = self.random.below(10);
        if is_program && (what < 3 || what == 9) {
            let len = 70 + self.random.below(71);
            let mut path = self.dir.join("i").to_str().unwrap().to_owned();
            while path.len() < len {
                path.push('i');
            }
            if !Path::new(&path).is_symlink() {
                symlink(Platform::Glibc.interpreter(), &path).unwrap();
            }
            request.interpreter = Some(path);
        }
        if what >= 3 || request.interpreter.is_none() {
            let len = 60 + self.random.below(841);
            request.rpath = Some(self.bench.toolchain.rpath(len));
        }
        if self.original.is_go {
            return request;
        }
        if what == 5 && self.edited.replace_needed.is_empty() {
            let pair = (DEPENDENCY.to_owned(), long_dependency());
            request.replace_needed.push(pair);
        }
        if what == 6 && self.edited.add_needed.is_empty() {
            let count = self.random.pick(&[1, 7]);
            request.add_needed = extra_names().take(count).collect();
        }
        request
    }

    /// All that was asked for so far, with one more edit.
    fn with(&self, request: &Request) -> Request {
        let mut all = self.edited.clone();
        all.rpath = request.rpath.clone().or(all.rpath);
        all.replace_needed.extend(request.replace_needed.clone());
        all.add_needed.extend(request.add_needed.clone());
        all
    }

    fn patchelf(&mut self) -> Health {
        let (release, request) = (self.random.pick(&PATCHELF_RELEASES), self.request());
        let copy = self.copy("patchelf");
        let result = patchelf_release(release, &copy, &request);
        self.note(&format!("patchelf {release} {}", describe(&request)));
        if result.is_err() {
            self.note("(it refused)");
            return self.health(&self.file, &self.edited);
        }
        self.edited = self.with(&request);
        self.before_ours = None;
        fs_err::rename(copy, &self.file).unwrap();
        self.health(&self.file, &self.edited)
    }

    fn ours(&mut self, health: Health) -> Health {
        let request = self.request();
        self.note(&format!("ours {}", describe(&request)));
        let Some(checks) = health else { return health };
        self.total.edits += 1;
        let edited = self.with(&request);
        let before = self.copy("before-ours");
        let survives = self.bench.editor.survives_strip(&self.file, &request);
        if let Err(text) = self.bench.editor.edit(&self.file, &request) {
            self.total.refused += 1;
            self.note(&format!("(refused: {text})"));
            if let Some(release) = self.patchelf_that_can(&request, &edited, checks) {
                self.fault(&format!("patchelf {release} edits it, and it works"));
                return None;
            }
            return health;
        }
        self.edited = edited;
        if let Err(text) = self.checked(&self.file, &self.edited, checks) {
            self.fault(&format!("{checks:?} checks passed before: {text}"));
            return None;
        }
        self.before_ours = survives.then_some(before);
        health
    }

    /// The release of patchelf whose result works, of an edit that was refused.
    fn patchelf_that_can(
        &self,
        request: &Request,
        edited: &Request,
        checks: Checks,
    ) -> Option<&'static str> {
        PATCHELF_RELEASES.into_iter().find(|release| {
            let copy = self.copy("refused");
            patchelf_release(release, &copy, request).is_ok()
                && self.checked(&copy, edited, checks).is_ok()
        })
    }

    fn strip(&mut self, health: Health) -> Health {
        let stripper = self.random.pick(&STRIPPERS);
        let result = self.dir.join("stripped");
        self.note(&format!("{stripper:?}"));
        if stripper.strip(&self.file, &result).is_err() {
            self.note("(it complains)");
            return health;
        }
        let after = self.health(&result, &self.edited);
        if let (Some(before), None) = (self.before_ours.take(), after) {
            let other = self.dir.join("stripped-before");
            let unedited = stripper.strip(&before, &other).ok();
            if unedited.is_some_and(|()| self.health(&other, &Request::default()).is_some()) {
                self.fault("breaks the file, and does not without our edit before it");
            }
        }
        fs_err::rename(result, &self.file).unwrap();
        after
    }

    fn copy(&self, name: &str) -> PathBuf {
        let copy = self.dir.join(name);
        fs_err::copy(&self.file, &copy).unwrap();
        copy
    }
}

fn describe(request: &Request) -> String {
    let mut text = String::new();
    for (name, value) in [
        ("interpreter", &request.interpreter),
        ("rpath", &request.rpath),
    ] {
        if let Some(value) = value {
            write!(text, "{name} of {} ", value.len()).unwrap();
        }
    }
    if !request.replace_needed.is_empty() {
        text.push_str("replace-needed ");
    }
    if !request.add_needed.is_empty() {
        write!(text, "add-needed {} ", request.add_needed.len()).unwrap();
    }
    text.trim_end().to_owned()
}
