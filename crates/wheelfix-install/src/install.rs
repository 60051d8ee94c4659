//! From wheels to a prefix: the one pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use wheelfix_link::{
    Excused, Excuses, LinkPlan, Proof, PythonSource, Tree, excuses_without_proof, made_executable,
    may_be_like_source,
};
use wheelfix_loader::Place;
use wheelfix_wheel::{InstalledError, Wheel};

use crate::atomic::staging::{Staging, StagingError, Unpublished};
use crate::bytecode::{Bytecode, CompileError, Compiler};
use crate::event::{Event, Listener, Phase};
use crate::extraction::{self, Destination, Extraction};
use crate::files::aliases::Aliases;
use crate::files::dependencies::{self, UnmetDependencies};
use crate::files::{self, File, FileFault, Files, PlanFilesError, Source, WheelOptions};
use crate::install::library_table::TableParts;
use crate::install::merging::{are_recorded, beside};
use crate::install::report::InstallReport;
use crate::install::shared_packages::shared_packages;
use crate::install::write_record::Site;
use crate::layout::Layout;
use crate::path_file::{is_of_a_python, path_files};
use crate::pipeline::applied::Applied;
use crate::pipeline::context::{Context, Libraries};
use crate::pipeline::error::LinkError;
use crate::pipeline::error::PipelineError;
use crate::pipeline::plan::{Draft, Plan, Scope, Subject};
use crate::pipeline::sboms;
use crate::pipeline::sources::Sources;
use crate::pipeline::verify;
use crate::pool::in_pool;
use crate::python::Python;
use crate::shebang::Programs;
use crate::warning::InstallWarning;

pub(crate) mod check_wheels;
pub(crate) mod library_table;
mod merging;
mod opening;
pub(crate) mod report;
mod shared_packages;
mod standalone;
#[cfg(test)]
mod tests;
pub(crate) mod twice;
mod write_record;

pub(crate) use opening::{check_sources, open};

/// The wheels and options of an installation.
#[derive(Clone, Debug)]
pub struct InstallRequest {
    /// The wheels.
    pub wheels: Vec<PathBuf>,
    /// The directory to make.
    pub prefix: PathBuf,
    /// Whether the prefix may hold files already.
    pub merge: bool,
    /// The Python to install for.
    pub python: Python,
    /// The options of byte-compilation; `None` compiles nothing. Needs an interpreter, but for a target that
    /// is named: then nothing is compiled, which a warning says.
    pub bytecode: Option<Bytecode>,
    /// Options for the wheels and their files.
    pub wheel_options: WheelOptions,
    /// The libraries that the output may use; `None` leaves ELF files as they are, for
    /// [`patch`](crate::patch()) to link once everything else has been done to the prefix.
    pub libraries: Option<Libraries>,
    /// Whether Python sources find the libraries that they open by name in a table.
    pub library_table: bool,
    /// Whether all is made a second time, with other threads and in another place, and compared.
    pub check_twice: bool,
    /// How many threads to use.
    pub jobs: NonZeroUsize,
}

impl InstallRequest {
    /// The context of the linking.
    pub(crate) fn context(&self) -> Result<Option<Context<'_>>, LinkError> {
        let program = self.python.program();
        let libraries = self.libraries.as_ref();
        let context = libraries.map(|libraries| Context::new(libraries, program));
        Ok(context.transpose()?)
    }

    /// The excuses, which are kept beside the metadata. `None` where nothing is linked.
    pub(crate) fn excuses(&self) -> Option<&Excuses> {
        let libraries = self.libraries.as_ref();
        libraries.map(|libraries| &libraries.options.excuses)
    }

    /// Which distributions may serve for others.
    pub(crate) fn aliases(&self) -> Aliases<'_> {
        Aliases {
            given: &self.wheel_options.provides,
            rules: self.libraries.as_ref().map(|libraries| &libraries.rules),
        }
    }
}

/// Installs wheels into a prefix.
pub fn install(
    request: &InstallRequest,
    listener: &Listener<'_>,
) -> Result<InstallReport, PipelineError> {
    Ok(prepare_install(request, listener)?.publish()?)
}

/// Does all that [`install`] does, but for giving the prefix its name: that is left to the caller, who
/// may have something to do before.
pub fn prepare_install(
    request: &InstallRequest,
    listener: &Listener<'_>,
) -> Result<Unpublished<InstallReport>, PipelineError> {
    let mut made = make(request, listener, || {
        if request.merge {
            Staging::merge(&request.prefix)
        } else {
            Staging::whole(&request.prefix)
        }
    })?;
    if request.check_twice {
        let again = rehearse(&twice::again(request), listener)?;
        made.report.made_twice = Some(twice::compare(&made, &again)?);
    }
    listener(Event::Phase {
        phase: Phase::Publish,
        bytes: 0,
    });
    Ok(made)
}

/// Says what [`install`] would do, and does it in a temporary directory that is thrown away.
pub fn dry_run(
    request: &InstallRequest,
    listener: &Listener<'_>,
) -> Result<InstallReport, PipelineError> {
    let made = rehearse(request, listener)?;
    if request.merge {
        made.refuse_others()?;
    }
    Ok(made.report)
}

/// Makes all in a temporary directory, which goes with the value.
fn rehearse(
    request: &InstallRequest,
    listener: &Listener<'_>,
) -> Result<Unpublished<InstallReport>, PipelineError> {
    make(request, listener, || {
        Staging::never(&request.prefix, request.merge)
    })
}

/// Makes all in a staging directory, which is made once the wheels are open.
fn make(
    request: &InstallRequest,
    listener: &Listener<'_>,
    staging: impl FnOnce() -> Result<Staging, StagingError> + Send,
) -> Result<Unpublished<InstallReport>, PipelineError> {
    in_pool(request.jobs, || {
        let wheels = open(request, listener)?;
        let staging = staging()?;
        let report = fill(request, &wheels, &staging, listener);
        check_sources(&wheels)?;
        Ok(Unpublished::new(report?, staging))
    })
}

/// Makes the whole content of the prefix in the staging directory.
fn fill(
    request: &InstallRequest,
    wheels: &[Wheel],
    staging: &Staging,
    listener: &Listener<'_>,
) -> Result<InstallReport, PipelineError> {
    let phase = |phase, bytes| listener(Event::Phase { phase, bytes });
    let layout = Layout::of(&request.python);
    let (planned, replaced) = plan_files(request, wheels, &layout, staging)?;

    let may_be_done = request.merge && are_recorded(wheels, &layout, staging.prefix());
    if !may_be_done {
        staging.refuse_existing(planned.list.iter().map(|file| file.path.as_str()))?;
    }

    let sources = planned.list.iter().filter(|file| file.is_source());
    let compiler = start_compiler(request, sources.map(len).sum())?;
    let installation = Installation {
        request,
        wheels,
        planned: &planned,
        replaced,
        layout: &layout,
        staging,
        context: request.context()?,
        beside: beside(request, staging, &planned)?,
        table: TableParts::of(request, &staging.prefix().join(layout.site_packages())),
    };
    let mut written = installation.write(compiler.as_ref(), listener)?;
    installation.write_table(compiler.as_ref(), &mut written.applied)?;
    let beside = installation.of_other_prefixes()?;

    phase(Phase::Verify, 0);
    let to_verify = installation.to_verify(&mut written);
    let finish = || installation.finish(&mut written);
    // Hashing what was edited takes longer than the proof, which has parts that no two threads share.
    let (finished, proof) = rayon::join(finish, || installation.prove(to_verify));
    finished?;
    let proof = proof?;

    phase(Phase::Compile, 0);
    let compile_failures = compiler.map(Compiler::finish).transpose()?;
    let opened = wheels;
    let wheels = report::installed_wheels(opened, &planned);
    let mut warnings = planned.warnings;
    warnings.extend(report::uncompiled(request, &planned.list));
    warnings.extend(written.applied.warnings);
    warnings.extend(beside);
    Ok(InstallReport {
        prefix: staging.prefix().to_owned(),
        wheels,
        unbundling: written.plan.unbundling,
        link_plan: written.plan.link,
        proof,
        elf_edited: written.applied.elf_edited,
        elf_bytes_written: written.applied.bytes_written,
        compile_failures: compile_failures.unwrap_or_default(),
        warnings,
        unmet: unmet(request, opened).unwrap_or_default(),
        made_twice: None,
    })
}

/// The requirements that neither the wheels nor the prefix that they are merged into meet; none where they
/// are looked for elsewhere, and are faults. What cannot be read in that prefix only costs the list.
fn unmet(
    request: &InstallRequest,
    wheels: &[Wheel],
) -> Result<Vec<UnmetDependencies>, InstalledError> {
    let options = &request.wheel_options;
    if options.dependencies.is_some() {
        return Ok(Vec::new());
    }
    let prefix = Some(&request.prefix).filter(|prefix| request.merge && prefix.is_dir());
    let prefixes: Vec<PathBuf> = prefix.cloned().into_iter().collect();
    let target = request.python.target();
    let aliases = request.aliases();
    Ok(dependencies::check(wheels, &options.metadata, target, &prefixes, aliases)?.unmet)
}

/// Decides the files, and checks that what the wheels require is there; all faults at once.
pub(crate) fn plan_files<'a>(
    request: &InstallRequest,
    wheels: &'a [Wheel],
    layout: &Layout,
    staging: &Staging,
) -> Result<(Files<'a>, Sources), PipelineError> {
    let interpreter = &request.python.interpreter();
    let wheel_options = &request.wheel_options;
    let mut faults = Vec::new();
    let aliases = request.aliases();
    if let Some(prefixes) = &wheel_options.dependencies {
        let edits = &wheel_options.metadata;
        let target = request.python.target();
        let checked = dependencies::check(wheels, edits, target, prefixes, aliases)?;
        faults.extend(checked.unmet.into_iter().map(FileFault::from));
        faults.extend(checked.unused.into_iter().map(FileFault::UnusedAlias));
    } else {
        let nothing = BTreeMap::new();
        faults.extend(aliases.unused(&nothing).map(FileFault::UnusedAlias));
    }
    match files::plan(
        wheels,
        layout,
        interpreter,
        wheel_options,
        request.excuses(),
    ) {
        Ok(mut planned) if faults.is_empty() => {
            let mut replaced = Sources::default();
            if let Some(libraries) = &request.libraries {
                replaced = Sources::in_wheels(&mut planned, wheels, libraries, staging);
            }
            Ok((planned, replaced))
        }
        Ok(_) => Err(PipelineError::Files(faults)),
        Err(PlanFilesError::Faults(more)) => {
            faults.extend(more);
            Err(PipelineError::Files(faults))
        }
        Err(PlanFilesError::Io(error)) => Err(error.into()),
    }
}

/// The bytes of sources that take an interpreter about as long as starting it costs ten times over.
const BYTES_FOR_INTERPRETER: u64 = 128 << 10;

/// Starts as many interpreters as there are jobs, and no more than so many bytes of sources are worth.
pub(crate) fn start_compiler(
    request: &InstallRequest,
    bytes: u64,
) -> Result<Option<Compiler>, CompileError> {
    match (&request.bytecode, request.python.compiler()) {
        (Some(bytecode), Some(python)) => {
            let worth =
                usize::try_from(bytes.div_ceil(BYTES_FOR_INTERPRETER)).unwrap_or(usize::MAX);
            let jobs = request.jobs.get().min(worth.max(1));
            Compiler::start(python, bytecode, jobs).map(Some)
        }
        _ => Ok(None),
    }
}

fn total_len(files: &Files<'_>) -> u64 {
    files.list.iter().map(len).sum()
}

fn len(file: &File<'_>) -> u64 {
    match &file.source {
        Source::Member { member, .. } => member.len,
        Source::Text(_) => 0,
    }
}

/// Wheels whose files are decided.
#[derive(Debug)]
pub(crate) struct Installation<'a> {
    pub(crate) request: &'a InstallRequest,
    pub(crate) wheels: &'a [Wheel],
    pub(crate) planned: &'a Files<'a>,
    /// The texts that rules replace in Python sources; the files have them already.
    pub(crate) replaced: Sources,
    pub(crate) layout: &'a Layout,
    pub(crate) staging: &'a Staging,
    /// The context of the linking; `None` leaves ELF files as they are.
    pub(crate) context: Option<Context<'a>>,
    /// The files that are in the prefix already.
    pub(crate) beside: Tree,
    /// The parts of the table of libraries; `None` if none is made.
    pub(crate) table: Option<TableParts<'a>>,
}

/// The results of writing and editing the files.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) extraction: Extraction,
    pub(crate) plan: Plan,
    pub(crate) applied: Applied,
    /// The Python sources, of which nothing changes any more.
    sources: Vec<PythonSource>,
}

/// The files that are to be proved, and what the plan excused.
#[derive(Debug, Default)]
pub(crate) struct ToVerify {
    /// Files that may be ELF files: where they will be, and where they are.
    pub(crate) elf: Vec<(PathBuf, PathBuf)>,
    /// Python sources as they were read for the plan.
    sources: Vec<PythonSource>,
    /// Things that the plan excused.
    pub(crate) excused: Vec<Excused>,
}

impl ToVerify {
    /// Reads the ELF files.
    pub(crate) fn read(self) -> Result<Tree, LinkError> {
        let mut tree = Tree::read(self.elf)?;
        tree.add_sources(self.sources);
        Ok(tree)
    }
}

impl Installation<'_> {
    /// Writes the files to the staging directory and edits libraries. [`finish`](Self::finish) is
    /// still to be called.
    pub(crate) fn write(
        &self,
        compiler: Option<&Compiler>,
        listener: &Listener<'_>,
    ) -> Result<Written, PipelineError> {
        let phase = |phase, bytes| listener(Event::Phase { phase, bytes });
        phase(Phase::Extract, total_len(self.planned));
        let destination = Destination {
            root: self.staging.root(),
            prefix: self.staging.prefix(),
            compiler,
            jobs: self.request.jobs,
        };
        let extraction = extraction::run(self.wheels, &self.planned.list, &destination, listener)?;

        phase(Phase::Plan, 0);
        let mut paths = self.elf_paths(&extraction);
        let (unread, others) = self.sources(&extraction);
        paths.extend(unread);
        // A program of `bin` is in both.
        paths.sort();
        paths.dedup();
        let mut tree = Tree::read(paths).map_err(LinkError::from)?;
        tree.add_sources(others);
        tree.add_beside(&self.beside);
        let mut tree = tree.compared().map_err(LinkError::from)?;
        self.decide_table(&tree.sources)?;
        let plan = self.plan(&tree)?;
        let made_executable = self.allow_execution(&tree)?;
        let sources = std::mem::take(&mut tree.sources);

        phase(Phase::Apply, 0);
        let mut applied = Applied::default();
        applied.warnings.extend(made_executable);
        applied
            .warnings
            .extend(plan.elf_edits.warnings.iter().cloned());
        plan.apply(&mut applied)?;
        let owners = self.site().owners(&applied.changes.removed);
        sboms::update(&plan.unbundling, &owners, &mut applied).map_err(LinkError::from)?;
        Ok(Written {
            extraction,
            plan,
            applied,
            sources,
        })
    }

    /// Warnings of what is lost in a prefix of its own: packages that others have files of, and `.pth` files.
    fn of_other_prefixes(&self) -> io::Result<Vec<InstallWarning>> {
        let libraries = self.request.libraries.as_ref();
        let prefixes = libraries.map_or(&[][..], |libraries| &libraries.lib_paths);
        let site = self.layout.site_packages();
        let mut warnings = shared_packages(self.staging.root(), prefixes, &site)?;
        if !is_of_a_python(self.staging.prefix()) {
            warnings.extend(path_files(self.staging.root(), &site)?);
        }
        Ok(warnings)
    }

    /// Makes those programs executable that could be made so only where files can be written.
    fn allow_execution(&self, tree: &Tree) -> io::Result<Vec<InstallWarning>> {
        let place = self.place();
        let mut warnings = Vec::new();
        for file in made_executable(tree, &place)? {
            fs_err::set_permissions(&file, Permissions::from_mode(0o755))?;
            warnings.push(InstallWarning::MadeExecutable(place.used(&file)));
        }
        Ok(warnings)
    }

    /// Edits scripts and writes RECORD, after all that was edited has been read.
    pub(crate) fn finish(&self, written: &mut Written) -> Result<(), PipelineError> {
        written.applied.hash()?;
        let interpreter = self.request.python.interpreter();
        let site = self.site();
        let libraries = self.request.libraries.as_ref();
        let programs = Programs {
            python: &interpreter,
            lib_paths: libraries.map_or(&[], |libraries| &libraries.lib_paths),
        };
        let warnings = site.finish(&written.extraction, &written.applied, programs)?;
        written.applied.warnings.extend(warnings);
        Ok(())
    }

    fn site(&self) -> Site<'_> {
        Site {
            wheels: self.wheels,
            planned: self.planned,
            layout: self.layout,
            root: self.staging.root(),
            prefix: self.staging.prefix(),
            standalone: self.request.wheel_options.standalone.as_deref(),
        }
    }

    /// Plans the edits of the libraries, and refuses a plan that cannot be carried out.
    fn plan(&self, tree: &Tree) -> Result<Plan, PipelineError> {
        let Some(context) = &self.context else {
            return Ok(Plan::empty());
        };
        let places = [self.place()];
        let mut draft = Draft::of(Subject {
            tree,
            places: &places,
            context,
            scope: Scope::Everything,
        })?;
        draft.add_replaced_sources(self.replaced.clone());
        draft.finish(false)
    }

    /// Where the files lie, and where they will be.
    pub(crate) fn place(&self) -> Place {
        Place {
            on_disk: self.staging.root().to_owned(),
            used_at: self.staging.prefix().to_owned(),
        }
    }

    /// Proves that what was written loads from where it will be.
    fn prove(&self, to_verify: ToVerify) -> Result<Option<Proof>, PipelineError> {
        let Some(context) = &self.context else {
            return Ok(None);
        };
        let excused = to_verify.excused.clone();
        let mut tree = to_verify.read()?;
        tree.extend(self.beside.clone());
        let Some(proof) = verify::prove(&tree, vec![self.place()], context)? else {
            return refuse_unused(&tree, &excused, context.libraries).map(|()| None);
        };
        let mut before = BTreeSet::new();
        if !proof.faults.is_empty() && !self.beside.is_empty() {
            before = verify::faults_of(&self.beside, Vec::new(), context)?;
        }
        verify::accept(Some(proof), &before, &excused, context.libraries)
    }

    /// The files to be proved: those that were written and not removed.
    pub(crate) fn to_verify(&self, written: &mut Written) -> ToVerify {
        let mut elf = self.elf_paths(&written.extraction);
        elf.retain(|(_, file)| !written.applied.changes.removed.contains(file));
        ToVerify {
            elf,
            sources: std::mem::take(&mut written.sources),
            excused: written.plan.link.excused.clone(),
        }
    }

    /// Python's sources, where they will be and where they are: those to read, and those that are known already to
    /// open no library.
    fn sources(&self, extraction: &Extraction) -> (Vec<(PathBuf, PathBuf)>, Vec<PythonSource>) {
        let (mut read, mut plain) = (Vec::new(), Vec::new());
        for (position, file) in self.planned.list.iter().enumerate() {
            let was_seen = matches!(file.source, Source::Member { .. })
                && extraction.elf.binary_search(&position).is_err();
            if file.compile && was_seen && !extraction.openers.contains(&position) {
                let (path, on_disk) = self.staging.in_place(&file.path);
                plain.push(PythonSource::plain(&path, on_disk));
            } else if file.compile || may_be_like_source(Path::new(&file.path)) {
                read.push(self.staging.in_place(&file.path));
            }
        }
        (read, plain)
    }

    /// The ELF files that were written: where they will be, and where they are.
    fn elf_paths(&self, extraction: &Extraction) -> Vec<(PathBuf, PathBuf)> {
        let paths = extraction.elf.iter().filter_map(|position| {
            let file = self.planned.list.get(*position)?;
            Some(self.staging.in_place(&file.path))
        });
        paths.collect()
    }
}

/// Refuses excuses that the plan had no use for, where nothing is proved that could have.
pub(crate) fn refuse_unused(
    tree: &Tree,
    excused: &[Excused],
    libraries: &Libraries,
) -> Result<(), PipelineError> {
    let faults = excuses_without_proof(tree, &libraries.options.excuses, excused);
    if faults.is_empty() {
        return Ok(());
    }
    Err(PipelineError::Unsound(Box::new(LinkPlan {
        faults,
        ..LinkPlan::empty()
    })))
}
