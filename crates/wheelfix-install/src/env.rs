//! One prefix from prefixes, store paths and wheels.
//!
//! The plan comes first, from directory listings and metadata; all its faults are reported together.
//! Then wheels are extracted and everything else linked, in parallel; the whole is proved, and renamed
//! into place.

mod collision;
mod content;
mod copies;
mod distribution;
mod fault;
mod generated;
mod input;
mod interpreter;
mod listing;
mod materialize;
mod merge;
mod plan;
mod planner;
mod record;
mod report;
mod requirements_check;
mod table;
#[cfg(test)]
mod tests;
mod torch;
mod variables;

use std::path::PathBuf;

use wheelfix_format::is_python_source;
use wheelfix_link::{Excused, LibraryTable, Pattern, Proof, Tree, Variable, count, merged_excuses};
use wheelfix_loader::real_path;

use crate::atomic::left_over::{clean_up, clean_up_above};
use crate::atomic::staging::{Staging, StagingError, Unpublished};
use crate::bytecode::{CompileFailure, Compiler};
use crate::env::generated::GeneratedFile;
use crate::env::materialize::Materializer;
use crate::env::merge::Node;
use crate::env::planner::{EnvPlan, EnvPlanner};
use crate::event::{Event, Listener, Phase};
use crate::install::twice;
use crate::install::{self, InstallRequest, Installation, ToVerify, Written};
use crate::launcher::Interpreter;
use crate::layout::Layout;
use crate::pipeline::error::LinkError;
use crate::pipeline::error::PipelineError;
use crate::pipeline::sources::Sources;
use crate::pipeline::verify;
use crate::pool::in_pool;

pub use collision::{
    CollisionAction, CollisionRule, CollisionRuleError, EnvCandidate, EnvCollision,
    EnvCollisionKind, ResolvedCollision,
};
pub use copies::RuntimeCopies;
pub use fault::EnvFault;
pub use input::{Prefix, is_source_tree, pythons_of};
pub use interpreter::Activation;
pub use materialize::{Counts, LinkMode};
pub use plan::{EntryAction, PlannedEntry};
pub use report::EnvReport;
pub use requirements_check::{DistributionCopy, DuplicateDistribution, UnmetRequirement};
pub use torch::TorchMismatch;

/// The inputs and options of an environment.
#[derive(Clone, Debug)]
pub struct EnvRequest {
    /// Prefixes, store paths and wheels.
    pub inputs: Vec<PathBuf>,
    /// Where to make it, for which Python, and how wheels are installed. Its wheels are those among
    /// the inputs; `wheels` and `merge` are not looked at.
    pub installation: InstallRequest,
    /// The activation of its interpreter; `None` for an environment without one. Needs a Python
    /// that can be run.
    pub activation: Option<Activation>,
    /// How files of prefixes come into it.
    pub link: LinkMode,
    /// The rules for collisions; the first one that matches counts.
    pub on_collision: Vec<CollisionRule>,
    /// Names of distributions that may be required and missing, or of another version.
    pub allow_unmet: Vec<Pattern>,
    /// The scope of the proof.
    pub proof: ProofScope,
    /// Whether to list every entry, and to make nothing.
    pub dry_run: bool,
}

/// The paths by which libraries are proved to load.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ProofScope {
    /// By their paths in the environment, and by those in the inputs.
    #[default]
    Both,
    /// By their paths in the environment.
    Environment,
    /// Not at all.
    None,
}

/// Why no environment was made.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// The inputs do not fit together; all faults that the plan finds.
    #[error("the inputs do not fit together: {}", count(.0.len(), "fault"))]
    Faults(Vec<EnvFault>),
    /// The wheels cannot be installed, or the result does not load.
    #[error(transparent)]
    Install(#[from] PipelineError),
}

impl From<rayon::ThreadPoolBuildError> for EnvError {
    fn from(error: rayon::ThreadPoolBuildError) -> Self {
        Self::Install(error.into())
    }
}

impl From<StagingError> for EnvError {
    fn from(error: StagingError) -> Self {
        Self::Install(error.into())
    }
}

impl From<LinkError> for EnvError {
    fn from(error: LinkError) -> Self {
        Self::Install(error.into())
    }
}

impl From<std::io::Error> for EnvError {
    fn from(error: std::io::Error) -> Self {
        Self::Install(error.into())
    }
}

impl From<EnvFault> for EnvError {
    fn from(fault: EnvFault) -> Self {
        Self::Faults(vec![fault])
    }
}

/// Makes an environment; with `dry_run` in a temporary directory that is thrown away.
pub fn assemble(request: &EnvRequest, listener: &Listener<'_>) -> Result<EnvReport, EnvError> {
    let prepared = prepare_environment(request, listener)?;
    Ok(prepared.publish()?)
}

/// Does all that [`assemble`] does, but for giving the prefix its name: that is left to the caller, who
/// may have something to do before.
pub fn prepare_environment(
    request: &EnvRequest,
    listener: &Listener<'_>,
) -> Result<Unpublished<EnvReport>, EnvError> {
    let mut made = make(request, listener)?;
    if request.installation.check_twice {
        let again = EnvRequest {
            installation: twice::again(&request.installation),
            dry_run: true,
            ..request.clone()
        };
        let again = make(&again, listener)?;
        made.report.made_twice = Some(twice::compare(&made, &again)?);
    }
    listener(Event::Phase {
        phase: Phase::Publish,
        bytes: 0,
    });
    Ok(made)
}

/// Makes an environment in a directory that is not published yet, or never, for a dry run.
fn make(request: &EnvRequest, listener: &Listener<'_>) -> Result<Unpublished<EnvReport>, EnvError> {
    in_pool(request.installation.jobs, || {
        let phase = |phase| listener(Event::Phase { phase, bytes: 0 });
        phase(Phase::Read);
        let layout = Layout::of(&request.installation.python);
        let site_packages = layout.site_packages();
        let sites = request
            .inputs
            .iter()
            .map(|input| input.join(&site_packages));
        clean_up_above(&sites.collect::<Vec<_>>())?;
        let inputs = input::find(&request.inputs, &layout);
        let inputs = inputs.map_err(|faults| with_refused(request, faults, listener))?;
        let prefix = real_path(&request.installation.prefix)?;
        input::refuse_inside(&prefix, &inputs)?;
        let installation = planner::installation(request, &inputs, &prefix);
        let wheels = install::open(&installation, listener)?;

        phase(Phase::Plan);
        let planner = EnvPlanner {
            request,
            installation: &installation,
            inputs: &inputs,
            wheels: &wheels,
            layout: &layout,
            prefix: &prefix,
        };
        let decided = planner.plan();
        let mut decided =
            decided.or_else(|error| take_back(error).and_then(|()| planner.plan()))?;

        let staging = if request.dry_run {
            Staging::never(&prefix, false)?
        } else {
            Staging::whole(&prefix)?
        };
        if let Some(libraries) = &installation.libraries {
            let sources = Sources::in_wheels(&mut decided.files, &wheels, libraries, &staging);
            decided.replaced = sources;
        }
        let report = fill(&planner, decided, &staging, listener);
        install::check_sources(&wheels)?;
        Ok(Unpublished::new(report?, staging))
    })
}

/// Adds the wheels that are refused, whatever else is wrong with the inputs.
fn with_refused(
    request: &EnvRequest,
    mut faults: Vec<EnvFault>,
    listener: &Listener<'_>,
) -> EnvError {
    let mut installation = request.installation.clone();
    let wheels = request.inputs.iter().filter(|input| input.is_file());
    installation.wheels = wheels.cloned().collect();
    if let Err(PipelineError::Wheels(refused)) = install::open(&installation, listener) {
        faults.extend(refused.into_iter().map(EnvFault::Refused));
    }
    EnvError::Faults(faults)
}

/// Takes back edits that were broken off, if a plan met some; else the error stays.
fn take_back(error: EnvError) -> Result<(), EnvError> {
    let EnvError::Faults(faults) = &error else {
        return Err(error);
    };
    let mut found = false;
    for fault in faults {
        if let EnvFault::BrokenOff(path) = fault {
            found |= clean_up(path)?;
        }
    }
    if found { Ok(()) } else { Err(error) }
}

/// Makes the whole content of the environment in the staging directory.
fn fill(
    planner: &EnvPlanner<'_>,
    mut decided: EnvPlan<'_>,
    staging: &Staging,
    listener: &Listener<'_>,
) -> Result<EnvReport, EnvError> {
    let (request, installation) = (planner.request, planner.installation);
    let phase = |phase| listener(Event::Phase { phase, bytes: 0 });
    let has_wheels = !planner.wheels.is_empty();
    let start = |bytes| install::start_compiler(installation, bytes).map_err(PipelineError::from);
    let mut compiler = if has_wheels { start(u64::MAX)? } else { None };
    let installing = Installation {
        request: installation,
        wheels: planner.wheels,
        planned: &decided.files,
        replaced: std::mem::take(&mut decided.replaced),
        layout: planner.layout,
        staging,
        context: installation.context()?,
        beside: Tree::default(),
        table: table::parts(planner, &decided).map_err(LinkError::from)?,
    };
    let mut written = write_wheels(&installing, compiler.as_ref(), listener)?;
    let generated = decided.generated.len();
    let table = installing.library_table().map(LibraryTable::modules);
    if table.is_some() && !has_wheels {
        // For the table alone.
        compiler = start(0)?;
    }
    let apart = add_own(
        &table::Place::of(planner, &decided.sources),
        table.into_iter().flatten(),
        &decided.variables,
        &mut decided.nodes,
        &mut decided.generated,
    )?;
    decided.whole_files = decided.whole_files.saturating_sub(apart);

    phase(Phase::Apply);
    let interpreter = installation.python.interpreter();
    let materializer = materializer(&decided, staging, request.link, &interpreter);
    materializer.make("", &decided.nodes)?;
    if let Some(compiler) = &compiler {
        let files = decided.generated.iter().skip(generated);
        compile(files, compiler, staging);
    }

    phase(Phase::Verify);
    let prover = Prover {
        planner,
        decided: &decided,
        staging,
    };
    let checked = prover.prove_beside(&installing, written.as_mut())?;

    phase(Phase::Compile);
    let outcome = (written, finished(compiler)?);
    materializer.check("", &decided.nodes)?;
    Ok(reported(planner, decided, checked, outcome))
}

/// Writes the files of the wheels, or decides on the table alone where there are none.
fn write_wheels(
    installing: &Installation<'_>,
    compiler: Option<&Compiler>,
    listener: &Listener<'_>,
) -> Result<Option<Written>, EnvError> {
    if installing.wheels.is_empty() {
        installing.decide_table(&[])?;
        return Ok(None);
    }
    Ok(Some(installing.write(compiler, listener)?))
}

/// Makes what is decided.
fn materializer<'m>(
    decided: &'m EnvPlan<'_>,
    staging: &'m Staging,
    mode: LinkMode,
    interpreter: &'m Interpreter,
) -> Materializer<'m> {
    Materializer {
        sources: &decided.sources,
        generated: &decided.generated,
        installed: decided.installed,
        root: staging.root(),
        prefix: staging.prefix(),
        mode,
        interpreter,
    }
}

/// Adds what Python runs when it starts: the files of a table, and variables. Returns how many files of directories that
/// were taken whole are entries of their own now.
fn add_own(
    place: &table::Place<'_>,
    table: impl Iterator<Item = (String, String)>,
    variables: &[Variable],
    nodes: &mut Vec<Node>,
    generated: &mut Vec<GeneratedFile<'_>>,
) -> Result<usize, EnvFault> {
    let variables = variables::text(variables);
    let variables = (!variables.is_empty()).then(|| (variables::PTH.to_owned(), variables));
    let own: Vec<_> = table.chain(variables).collect();
    if own.is_empty() {
        return Ok(0);
    }
    place.add(own, nodes, generated)
}

/// Waits until everything is compiled; gives what is not.
fn finished(compiler: Option<Compiler>) -> Result<Vec<CompileFailure>, PipelineError> {
    let failures = compiler.map(Compiler::finish).transpose();
    Ok(failures?.unwrap_or_default())
}

/// Compiles the Python sources among files of the environment's own.
fn compile<'f>(
    files: impl Iterator<Item = &'f GeneratedFile<'f>>,
    compiler: &Compiler,
    staging: &Staging,
) {
    for file in files.filter(|file| is_python_source(&file.path)) {
        let path = staging.root().join(&file.path);
        compiler.push(path, staging.prefix().join(&file.path));
    }
}

/// The report of an environment that is made.
fn reported(
    planner: &EnvPlanner<'_>,
    decided: EnvPlan<'_>,
    checked: Checked,
    (written, compile_failures): (Option<Written>, Vec<CompileFailure>),
) -> EnvReport {
    let mut report = EnvReport {
        copies: checked.copies,
        proof: checked.proof,
        input_proof: checked.input_proof,
        compile_failures,
        ..planner.report(decided)
    };
    if let Some(written) = written {
        report.elf_edited = written.applied.elf_edited;
        report.warnings.extend(written.applied.warnings);
        report.unbundling = written.plan.unbundling;
        report.link_plan = written.plan.link;
    }
    report
}

/// Proves that everything loads.
struct Prover<'a> {
    planner: &'a EnvPlanner<'a>,
    decided: &'a EnvPlan<'a>,
    staging: &'a Staging,
}

/// The findings about the files of an environment.
struct Checked {
    copies: Vec<RuntimeCopies>,
    proof: Option<Proof>,
    input_proof: Option<Proof>,
}

impl Prover<'_> {
    /// All ELF files by their paths in the environment.
    fn tree(&self, mut to_verify: ToVerify) -> Result<Tree, LinkError> {
        let of_prefixes = self.decided.elf.iter().map(|(path, source)| {
            (
                self.staging.prefix().join(path),
                self.decided.disk(*source, path),
            )
        });
        to_verify.elf.extend(of_prefixes);
        to_verify.read()
    }

    /// Proves everything, while what comes from wheels is finished.
    fn prove_beside(
        &self,
        installing: &Installation<'_>,
        mut written: Option<&mut Written>,
    ) -> Result<Checked, EnvError> {
        let to_verify = written
            .as_deref_mut()
            .map(|written| installing.to_verify(written));
        let finish = || {
            let mut written = written.into_iter();
            written.try_for_each(|written| installing.finish(written))
        };
        let prove = || {
            let to_verify = to_verify.unwrap_or_default();
            let excused = to_verify.excused.clone();
            let tree = self.tree(to_verify)?;
            let copies = copies::find(&tree);
            let (proof, input_proof) = self.prove(&tree, &excused, installing)?;
            Ok(Checked {
                copies,
                proof,
                input_proof,
            })
        };
        let (finished, checked) = rayon::join(finish, prove);
        finished?;
        checked
    }

    /// The proofs that are asked for: by the paths in the environment, and by those in the inputs.
    fn prove(
        &self,
        tree: &Tree,
        planned: &[Excused],
        installing: &Installation<'_>,
    ) -> Result<(Option<Proof>, Option<Proof>), EnvError> {
        let request = self.planner.request;
        let Some(context) = &installing.context else {
            return Ok((None, None));
        };
        let libraries = context.libraries;
        if request.proof == ProofScope::None {
            install::refuse_unused(tree, planned, libraries)?;
            return Ok((None, None));
        }
        let mut proof = verify::prove_together(tree, vec![installing.place()], context)?;
        let both = request.proof == ProofScope::Both && request.link.is_symbolic();
        let input_proof = if both && !self.decided.elf.is_empty() {
            let elf = self.decided.elf.iter();
            let paths = elf.map(|(path, source)| {
                let disk = self.decided.disk(*source, path);
                (disk.clone(), disk)
            });
            let tree = Tree::read(paths.collect()).map_err(LinkError::from)?;
            verify::prove(&tree, vec![installing.place()], context)?
        } else {
            None
        };
        if let Some(proof) = &mut proof {
            let excused = input_proof.iter().flat_map(|proof| &proof.excused);
            let excused = merged_excuses(planned.iter().chain(excused));
            verify::settle(proof, &excused, libraries);
        } else {
            install::refuse_unused(tree, planned, libraries)?;
        }
        refuse_unproved(proof, input_proof)
    }
}

/// Returns the proofs if neither has faults; otherwise fails with the faults of both in one proof.
fn refuse_unproved(
    proof: Option<Proof>,
    input_proof: Option<Proof>,
) -> Result<(Option<Proof>, Option<Proof>), EnvError> {
    let fails =
        |proof: &Option<Proof>| proof.as_ref().is_some_and(|proof| !proof.faults.is_empty());
    if !fails(&proof) && !fails(&input_proof) {
        return Ok((proof, input_proof));
    }
    let mut all = proof.into_iter().chain(input_proof);
    let Some(mut first) = all.next() else {
        return Ok((None, None));
    };
    for other in all {
        first.faults.extend(other.faults);
        first.unloadable.extend(other.unloadable);
    }
    Err(PipelineError::Unproved(Box::new(first)).into())
}
