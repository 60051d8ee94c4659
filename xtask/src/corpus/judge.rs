//! Judging one project by the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::corpus::copies::{self, Copies, Install};
use crate::corpus::list::Project;
use crate::corpus::outcome::{Judgement, Outcome};
use crate::corpus::probe::{Answer, Request};
use crate::corpus::remedy;
use crate::digest;
use crate::failure::Result;
use crate::place;

/// How often printed fixes are followed.
const ROUNDS: usize = 2;

/// Lines of a refusal that are kept.
const KEPT: usize = 40;

/// Everything that is the same for all projects.
#[derive(Debug)]
pub(crate) struct Judge<'run> {
    pub(crate) copies: Copies<'run>,
    /// The directories of the bed's libraries.
    pub(crate) libraries: Vec<PathBuf>,
    /// Digests of wheelfix and of the bed.
    pub(crate) key: String,
}

/// A project with the prefixes of its siblings.
struct Case<'case> {
    project: &'case Project,
    siblings: Vec<PathBuf>,
    /// pip's copies of all, side by side.
    control: PathBuf,
    /// The directories of libraries that it may use.
    libraries: Vec<PathBuf>,
}

/// A judgement with its reasons.
struct Finding {
    judgement: Judgement,
    opened: usize,
    /// The libraries that warnings name as missing.
    told: Vec<String>,
    /// The flags with which it was installed at last.
    flags: Vec<String>,
    reasons: Vec<String>,
}

impl Judge<'_> {
    /// The key of a project's outcome.
    pub(crate) fn key(&self, project: &Project) -> Result<String> {
        let entry = serde_json::to_string(project)?;
        Ok(digest::hex(&Sha256::digest(format!(
            "{} {entry}",
            self.key
        ))))
    }

    /// Installs the project, uses it, and compares.
    pub(crate) fn judge(&self, project: &Project) -> Result<Outcome> {
        let mut case = self.case(project)?;
        let mut finding = self.find(&case)?;
        finding.reasons.extend(self.without_main_library(&case)?);
        let mut without_libraries = None;
        if !project.libraries.is_empty() {
            case.libraries.retain(|dir| {
                let has = |soname: &String| dir.join(soname).exists();
                !project.libraries.iter().any(has)
            });
            let second = self.find(&case)?;
            // With the libraries it can be used: what is passed without them is not undecided.
            let is_false = match second.judgement {
                Judgement::Undecided => finding.judgement.is_right(),
                judgement => judgement == Judgement::FalsePass,
            };
            without_libraries = Some(match second.judgement {
                _ if is_false && second.tells_of(&project.libraries) => Judgement::Told,
                _ if is_false => Judgement::FalsePass,
                judgement => judgement,
            });
            let reasons = second.reasons.into_iter();
            finding
                .reasons
                .extend(reasons.map(|reason| format!("without its libraries: {reason}")));
        }
        fs_err::remove_dir_all(&case.control)?;
        Ok(Outcome {
            key: self.key(project)?,
            judgement: finding.judgement,
            elf_files: elf_files(&self.copies.control(&project.wheel)?)?,
            opened: finding.opened,
            without_libraries,
            flags: finding.flags,
            peer: None,
            reasons: finding.reasons,
        })
    }

    /// Makes the copies of its siblings and pip's copy.
    fn case<'case>(&self, project: &'case Project) -> Result<Case<'case>> {
        let mut siblings: Vec<PathBuf> = Vec::new();
        for file in &project.siblings {
            let lib_paths = [&siblings[..], &self.libraries].concat();
            siblings.push(self.copies.sibling(file, &lib_paths)?);
        }
        Ok(Case {
            project,
            siblings,
            control: self.copies.side_by_side(&project.name, project.files())?,
            libraries: self.libraries.clone(),
        })
    }

    fn find(&self, case: &Case<'_>) -> Result<Finding> {
        let control = self.use_control(case)?;
        let mut finding = self.find_with(case, control.clone(), &[])?;
        if finding.judgement != Judgement::FalseRefusal {
            return Ok(finding);
        }
        let mut flags = Vec::new();
        let mut reasons = finding.reasons.clone();
        // What extraction alone shows is printed once what the archive's directory shows is mended.
        for _ in 0..ROUNDS {
            let lines = reasons.iter().map(String::as_str);
            flags.extend(remedy::printed(lines, remedy::OF_FILES));
            if flags.is_empty() || !self.is_broken_anyhow(case, &flags)? {
                return Ok(finding);
            }
            let mended = self.find_with(case, control.clone(), &flags)?;
            if mended.judgement == Judgement::CorrectPass {
                return Ok(Finding {
                    judgement: Judgement::CorrectRefusal,
                    flags,
                    reasons: finding.reasons,
                    ..mended
                });
            }
            reasons = mended.reasons;
        }
        let more = reasons.into_iter();
        let more = more.map(|reason| format!("with the printed fixes: {reason}"));
        finding.reasons.extend(more);
        Ok(finding)
    }

    /// Installs it with these flags, and compares with what the use of pip's copy gave.
    fn find_with(
        &self,
        case: &Case<'_>,
        control: Option<String>,
        flags: &[String],
    ) -> Result<Finding> {
        let lib_paths = [&case.siblings[..], &case.libraries].concat();
        let prefix = self.copies.work.join("own").join(&case.project.name);
        let install = self
            .copies
            .install(&case.project.wheel, prefix, &lib_paths, flags)?;
        let finding = self.compare(case, &install, control);
        place::remove(&install.prefix)?;
        finding
    }

    /// Whether the files that flags leave out do not load in pip's copy either.
    fn is_broken_anyhow(&self, case: &Case<'_>, flags: &[String]) -> Result<bool> {
        let site = copies::site_packages(&case.control);
        let twins: Vec<PathBuf> = remedy::left_out(flags)
            .map(|file| site.join(file))
            .collect();
        if twins.is_empty() {
            return Ok(true);
        }
        let request = self.control_request(case).opening(twins.clone());
        let answer = request.ask(self.copies.bed)?;
        Ok(twins.iter().all(|twin| answer.failed.contains_key(twin)))
    }

    fn compare(
        &self,
        case: &Case<'_>,
        install: &Install,
        control: Option<String>,
    ) -> Result<Finding> {
        let judgement = match install.code {
            Some(0) => return self.compare_pass(case, install, control),
            Some(1..=3) if control.is_none() => Judgement::FalseRefusal,
            Some(1..=3) => Judgement::CorrectRefusal,
            _ => Judgement::Crash,
        };
        Ok(Finding {
            judgement,
            opened: 0,
            told: Vec::new(),
            flags: Vec::new(),
            reasons: install.log.lines().take(KEPT).map(str::to_owned).collect(),
        })
    }

    fn compare_pass(
        &self,
        case: &Case<'_>,
        install: &Install,
        control: Option<String>,
    ) -> Result<Finding> {
        let claimed = loadable(&install.document);
        let opened = claimed.len();
        let prefixes = [&case.siblings[..], std::slice::from_ref(&install.prefix)].concat();
        let request = Request::of_use(self.copies.bed, case.project, &prefixes).opening(claimed);
        let answer = request.ask(self.copies.bed)?;
        let drivers = texts(&install.document, "/proof/assumed/driver");
        let crashing = self.crashing_anyhow(case, install, &answer)?;
        let failed = answer.failed.iter().filter(|(path, message)| {
            // Libraries of drivers are nowhere in the bed.
            !drivers.iter().any(|library| message.contains(library)) && !crashing.contains(*path)
        });
        let mut reasons: Vec<String> = failed
            .map(|(path, message)| format!("does not load: {}: {message}", path.display()))
            .collect();
        let mut error = answer.error().map(str::to_owned);
        if error.is_some() && is_told_to_be_put_together(&install.document) {
            error = self.use_environment(case, &prefixes)?;
        }
        let judgement = match (&error, &control) {
            _ if !reasons.is_empty() => Judgement::FalsePass,
            (None, _) => Judgement::CorrectPass,
            (Some(_), None) => Judgement::FalsePass,
            (Some(_), Some(_)) => Judgement::Undecided,
        };
        reasons.extend(error.map(|error| format!("use: {error}")));
        reasons.extend(control.map(|error| format!("pip's copy: {error}")));
        Ok(Finding {
            judgement,
            opened,
            told: missing(&install.document),
            flags: Vec::new(),
            reasons,
        })
    }

    /// The error of using one environment of the prefixes. `None` if it works.
    fn use_environment(&self, case: &Case<'_>, prefixes: &[PathBuf]) -> Result<Option<String>> {
        let dir = self.copies.work.join("together").join(&case.project.name);
        let made = self.copies.environment(prefixes, dir, &case.libraries)?;
        if made.code != Some(0) {
            return Ok(made.log.lines().next().map(str::to_owned));
        }
        let places = std::slice::from_ref(&made.prefix);
        let answer = Request::of_use(self.copies.bed, case.project, places).ask(self.copies.bed)?;
        fs_err::remove_dir_all(&made.prefix)?;
        Ok(answer.error().map(str::to_owned))
    }

    /// Objects whose own code ends the process when they are opened by themselves, in pip's copy, too: the loader has
    /// found all that they need.
    fn crashing_anyhow(
        &self,
        case: &Case<'_>,
        install: &Install,
        answer: &Answer,
    ) -> Result<BTreeSet<PathBuf>> {
        let (ours, theirs) = (
            copies::site_packages(&install.prefix),
            copies::site_packages(&case.control),
        );
        let crashed = answer
            .failed
            .iter()
            .filter(|(_, message)| is_signal(message));
        let twins: BTreeMap<PathBuf, &PathBuf> = crashed
            .filter_map(|(path, _)| Some((theirs.join(path.strip_prefix(&ours).ok()?), path)))
            .collect();
        if twins.is_empty() {
            return Ok(BTreeSet::new());
        }
        // Their host has loaded before them what they have no path to.
        let beside = WalkDir::new(&case.control).into_iter().filter_entry(is_dir);
        let beside = beside.map(|entry| Ok(entry?.into_path()));
        let beside: Vec<PathBuf> = beside.collect::<Result<_>>()?;
        let request = self.control_request(case);
        let request = request.with_library_path([beside, case.libraries.clone()].concat());
        let control = request
            .opening(twins.keys().cloned().collect())
            .ask(self.copies.bed)?;
        let crashed = control
            .failed
            .iter()
            .filter(|(_, message)| is_signal(message));
        Ok(crashed
            .filter_map(|(path, _)| twins.get(path).map(|ours| (*ours).clone()))
            .collect())
    }

    /// The error of using pip's copy. `None` if it works.
    fn use_control(&self, case: &Case<'_>) -> Result<Option<String>> {
        let answer = self.control_request(case).ask(self.copies.bed)?;
        Ok(answer.error().map(str::to_owned))
    }

    fn control_request(&self, case: &Case<'_>) -> Request {
        let request = Request::of_use(
            self.copies.bed,
            case.project,
            std::slice::from_ref(&case.control),
        );
        request.with_library_path(case.libraries.clone())
    }

    /// Tells if the project can be used without its main library: its line proves nothing then.
    fn without_main_library(&self, case: &Case<'_>) -> Result<Option<String>> {
        let Some(library) = &case.project.library else {
            return Ok(None);
        };
        let file = [copies::site_packages(&case.control), case.control.clone()]
            .map(|dir| dir.join(library))
            .into_iter()
            .find(|file| file.is_file());
        let Some(file) = file else {
            return Ok(Some(format!("the list: `{library}` is not in the wheel")));
        };
        let aside = file.with_extension("aside");
        fs_err::rename(&file, &aside)?;
        let used = self.use_control(case);
        fs_err::rename(&aside, &file)?;
        Ok(used?
            .is_none()
            .then(|| format!("the list: it can be used without `{library}`")))
    }
}

impl Finding {
    /// Whether a warning names one of some libraries, perhaps without its version, as missing.
    fn tells_of(&self, libraries: &[String]) -> bool {
        let mut told = self.told.iter().flat_map(|names| names.split(" or "));
        told.any(|name| libraries.iter().any(|library| library.starts_with(name)))
    }
}

/// Whether a warning asks for one environment of the wheel and what it requires.
fn is_told_to_be_put_together(document: &Value) -> bool {
    let warnings = texts(document, "/warnings");
    warnings
        .iter()
        .any(|warning| warning.ends_with("make one environment of both"))
}

fn is_dir(entry: &walkdir::DirEntry) -> bool {
    entry.file_type().is_dir()
}

/// Whether opening an object has ended its process.
fn is_signal(message: &str) -> bool {
    message.starts_with("wait status ")
}

/// The libraries that the warnings of a proof name as missing, and those of files that were left out.
fn missing(document: &Value) -> Vec<String> {
    let list = |pointer: &str| {
        let list = document.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten()
    };
    let warned = list("/proof/warnings").filter_map(|warning| {
        let is_missing = warning.get("fault")? == "missing";
        warning.get("soname").filter(|_| is_missing)
    });
    let left_out = list("/relocation/drops").filter_map(|drop| drop.get("missing")?.as_array());
    let names = warned.chain(left_out.flatten()).filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

/// The objects that were said to load.
fn loadable(document: &Value) -> Vec<PathBuf> {
    texts(document, "/proof/loadable")
        .into_iter()
        .map(PathBuf::from)
        .collect()
}

fn texts(document: &Value, pointer: &str) -> Vec<String> {
    let list = document.pointer(pointer).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn elf_files(dir: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in WalkDir::new(dir) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let mut magic = [0; 4];
            let read = std::io::Read::read(&mut fs_err::File::open(entry.path())?, &mut magic)?;
            count += usize::from(read == 4 && magic == *b"\x7fELF");
        }
    }
    Ok(count)
}
