//! A wheel with its libraries linked, written as a wheel.
//!
//! Only ELF files and Python sources are unpacked, to a scratch directory beside the output. What was
//! not edited is copied compressed, so that the output depends on the input and the edits alone.

mod edits;
mod name;
mod sbom;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use fs_err as fs;
use name::Output;
use wheelfix_archive::{Digest, ExtractItem, MemberPath, Silent, extract};
use wheelfix_format::{MetadataEdit, WheelFilename};
use wheelfix_link::{LinkPlan, Proof, Tree, may_be_like_source, may_be_module};
use wheelfix_loader::Place;
use wheelfix_unbundle::UnbundlePlan;
use wheelfix_wheel::{OpenOptions, Placement, Scheme, Wheel, WheelError};

use crate::atomic::left_over::clean_up_above;
use crate::atomic::staging::Destination;
use crate::event::{Event, Listener, Phase};
use crate::files;
use crate::layout::{Layout, python_version};
use crate::patch_wheel::edits::Edits;
use crate::pipeline::applied::Applied;
use crate::pipeline::context::{Context, Libraries};
use crate::pipeline::error::LinkError;
use crate::pipeline::error::{PipelineError, Refusal, RefusedWheel};
use crate::pipeline::plan::{Draft, Plan, Scope, Subject};
use crate::pipeline::requirements::{EditedRequirements, Requirements};
use crate::pipeline::sources::Sources;
use crate::pipeline::verify;
use crate::pool::in_pool;
use crate::python::Python;
use crate::shebang::{KeptScript, MAX_LINE, foreign_interpreter};
use crate::warning::InstallWarning;

/// The wheel and options of a relocation into a new wheel.
#[derive(Clone, Debug)]
pub struct PatchWheelRequest {
    /// The wheel.
    pub wheel: PathBuf,
    /// The wheel to make, or the directory to make one in.
    pub output: PathBuf,
    /// How to open the wheel.
    pub options: OpenOptions,
    /// The libraries that it may use, and the options for bundled ones.
    pub libraries: Libraries,
    /// The scope of the edits.
    pub scope: Scope,
    /// Edits of the requirements, in order.
    pub metadata: Vec<MetadataEdit>,
    /// The Python that will load them; `None` if it is not on this machine.
    pub python: Option<Python>,
    /// Whether to decide only.
    pub dry_run: bool,
    /// How many threads to use.
    pub jobs: NonZeroUsize,
}

/// The report on a wheel that was written, or would be.
#[derive(Debug)]
pub struct PatchWheelReport {
    /// The new wheel.
    pub output: PathBuf,
    /// The plan for bundled libraries. Its paths are below [`PREFIX`].
    pub unbundling: UnbundlePlan,
    /// The plan for the libraries. Its paths are below [`PREFIX`].
    pub link_plan: LinkPlan,
    /// Its edited requirements; `None` if there are none.
    pub metadata: Option<EditedRequirements>,
    /// Warnings about the request.
    pub warnings: Vec<InstallWarning>,
    /// The proof that all of them load; `None` in a dry run, or if nothing is known of the target.
    pub proof: Option<Proof>,
    /// How many ELF files were edited.
    pub elf_edited: usize,
    /// How many members were copied as they are.
    pub copied: usize,
}

/// The prefix that a wheel is linked for: run paths name it relative to `$ORIGIN` alone.
pub const PREFIX: &str = "/prefix";

/// Links the libraries of a wheel into a new wheel, which appears whole or not at all.
pub fn patch_wheel(
    request: &PatchWheelRequest,
    listener: &Listener<'_>,
) -> Result<PatchWheelReport, PipelineError> {
    in_pool(request.jobs, || link(request, listener))
}

fn link(
    request: &PatchWheelRequest,
    listener: &Listener<'_>,
) -> Result<PatchWheelReport, PipelineError> {
    let phase = |phase| listener(Event::Phase { phase, bytes: 0 });
    phase(Phase::Read);
    let refuse = |reason: WheelError| refused(&request.wheel, reason);
    let wheel = Wheel::open_with(&request.wheel, &request.options).map_err(refuse)?;
    // Metadata is edited for any system.
    let mismatch = wheel.filename().tags().excludes_linux();
    let mismatch = mismatch.filter(|_| request.metadata.is_empty());
    let report = match (mismatch, wheel.foreign()) {
        (Some(mismatch), _) => Err(refused(&request.wheel, mismatch)),
        (None, Some(foreign)) => Err(refused(&request.wheel, foreign)),
        (None, None) => link_wheel(&wheel, request, listener),
    };
    wheel.check_source()?;
    report
}

fn link_wheel(
    wheel: &Wheel,
    request: &PatchWheelRequest,
    listener: &Listener<'_>,
) -> Result<PatchWheelReport, PipelineError> {
    let phase = |phase| listener(Event::Phase { phase, bytes: 0 });
    let mut requirements = requirements(wheel, &request.metadata)?;
    let output = Output::new(&request.output)?;
    clean_up_above([&output.directory])?;
    let destination = Destination::new(&output.directory.join("output"))?;
    let scratch = destination.scratch()?;
    let root = scratch.path().join("unpacked");
    fs::create_dir(&root)?;
    refuse_contents(wheel, request)?;
    let layout = layout(wheel, request)?;
    // By it files are known to be of a distribution, also of one that has them elsewhere only.
    fs::create_dir_all(root.join(layout.site_packages()))?;
    let unpacked = unpack(wheel, &layout, &root, request.jobs)?;

    phase(Phase::Plan);
    let program = request.python.as_ref().and_then(Python::program);
    let context = Context::new(&request.libraries, program).map_err(LinkError::from)?;
    let plan = plan(&context, request.scope, &unpacked, &root)?;
    let filename = name::of_output(wheel.filename(), &output, &plan.link)?;
    let mut warnings = requirements.warnings;
    warnings.extend(wheel.accepted().cloned().map(InstallWarning::Wheel));
    warnings.extend(plan.elf_edits.warnings.iter().cloned());
    if request.scope == Scope::Everything {
        warnings.extend(foreign_scripts(wheel, &layout));
    }
    if request.python.is_none() {
        warnings.extend(of_one_python(wheel, &layout, &plan.link));
    }
    let report = |plan: Plan| PatchWheelReport {
        output: output.directory.join(filename.to_string()),
        unbundling: plan.unbundling,
        link_plan: plan.link,
        metadata: requirements.edited.pop(),
        warnings,
        proof: None,
        elf_edited: 0,
        copied: 0,
    };
    if request.dry_run {
        return Ok(report(plan));
    }
    let before = faults_before(&context, request.scope, &unpacked, &root)?;
    phase(Phase::Apply);
    let mut applied = Applied::default();
    plan.apply(&mut applied)?;
    phase(Phase::Verify);
    let mut left = paths(&unpacked, &root);
    left.retain(|(_, file)| !applied.changes.removed.contains(file));
    let tree = Tree::read(left).map_err(LinkError::from)?;
    let proof = verify::prove(&tree, vec![place(&root)], &context)?;
    let proof = verify::accept(proof, &before, &plan.link.excused, &request.libraries)?;
    applied.hash()?;
    let mut report = PatchWheelReport {
        proof,
        elf_edited: applied.elf_edited,
        ..report(plan)
    };

    phase(Phase::Publish);
    let edits = Edits::new(wheel, &filename, &unpacked, &applied, &report)?;
    report.copied = publish(&edits, wheel, request, (&report.output, scratch.path()))?;
    Ok(report)
}

/// The faults that the files have as they are, where these are no reason to refuse the wheel.
fn faults_before(
    context: &Context<'_>,
    scope: Scope,
    unpacked: &[Unpacked],
    root: &Path,
) -> Result<BTreeSet<String>, PipelineError> {
    if scope != Scope::Unbundling {
        return Ok(BTreeSet::new());
    }
    let tree = Tree::read(paths(unpacked, root)).map_err(LinkError::from)?;
    let faults = verify::faults_of(&tree, vec![place(root)], context)?;
    Ok(faults)
}

/// Refuses a wheel whose files are not as its RECORD says.
fn refuse_contents(wheel: &Wheel, request: &PatchWheelRequest) -> Result<(), PipelineError> {
    let faults = wheel.verify_contents();
    if faults.is_empty() {
        return Ok(());
    }
    Err(PipelineError::Contents {
        wheel: request.wheel.clone(),
        faults,
    })
}

/// Writes the wheel and lets it appear; returns how many members were copied as they are.
fn publish(
    edits: &Edits,
    wheel: &Wheel,
    request: &PatchWheelRequest,
    (output, scratch): (&Path, &Path),
) -> Result<usize, PipelineError> {
    let destination = Destination::new(output)?;
    let made = scratch.join("output");
    let staged = destination.below(&made);
    fs::create_dir_all(staged.parent().unwrap_or(&made))?;
    let copied = edits.write(wheel, &staged)?;
    // What is written must be a wheel by our own standards.
    let written = Wheel::open_with(&staged, &request.options);
    written.map_err(|reason| refused(&request.wheel, reason))?;
    destination.publish(&made)?;
    Ok(copied)
}

fn refused(wheel: &Path, reason: impl Into<Refusal>) -> PipelineError {
    PipelineError::Wheels(vec![RefusedWheel {
        path: wheel.to_owned(),
        reason: reason.into(),
    }])
}

/// The layout that the wheel is unpacked in; an error if it is not for a target that is named.
fn layout(wheel: &Wheel, request: &PatchWheelRequest) -> Result<Layout, PipelineError> {
    let Some(python) = &request.python else {
        return Ok(Layout::new(python_version(wheel.filename())));
    };
    if python.system().is_some() {
        let rank = python.target().rank(wheel.filename().tags());
        rank.map_err(|error| refused(&request.wheel, error))?;
    }
    Ok(Layout::of(python))
}

/// A warning for each script that asks for a program that NixOS does not have there: who installs the wheel puts a Python
/// in the place of `#!python` alone.
fn foreign_scripts(wheel: &Wheel, layout: &Layout) -> Vec<InstallWarning> {
    let warnings = wheel.members().filter_map(|member| {
        let Placement::File { scheme, path } = member.placement else {
            return None;
        };
        let is_run = member.file.executable || *scheme == Scheme::Scripts;
        let start = is_run.then(|| wheel.archive().read_prefix(member.file, MAX_LINE as u64))?;
        let installed = layout.place(wheel, *scheme, path.as_str());
        Some(InstallWarning::Script {
            path: Path::new(PREFIX).join(installed),
            interpreter: foreign_interpreter(&start.ok()?)?.to_owned(),
            reason: KeptScript::InWheel,
        })
    });
    warnings.collect()
}

/// A warning for each file beside `site-packages` that is led there by its edit, where that is the directory of one version
/// of Python and the wheel is for several.
fn of_one_python(wheel: &Wheel, layout: &Layout, plan: &LinkPlan) -> Vec<InstallWarning> {
    let mut abis = wheel.filename().tags().abis().iter();
    if let (Some(abi), None) = (abis.next(), abis.next())
        && abi.starts_with("cp")
    {
        return Vec::new();
    }
    let site = layout.site_packages();
    let inside = Path::new(PREFIX).join(&site);
    let edits = plan.edits().filter(|object| {
        !object.path.starts_with(&inside) && object.edit.to_string().contains(&site)
    });
    let warning = |path: &Path| InstallWarning::OneVersion {
        path: path.to_owned(),
        site: site.clone(),
    };
    edits.map(|object| warning(&object.path)).collect()
}

/// Decides the edits of METADATA, and refuses those that match nothing.
fn requirements(wheel: &Wheel, edits: &[MetadataEdit]) -> Result<Requirements, PipelineError> {
    let path = PathBuf::from(format!("{}/METADATA", wheel.dist_info()));
    let requirements = Requirements::of_metadata(wheel.metadata(), path, edits);
    if requirements.faults.is_empty() {
        Ok(requirements)
    } else {
        Err(PipelineError::Files(requirements.faults))
    }
}

/// Plans the edits of libraries and sources, and refuses a plan that cannot be carried out.
fn plan(
    context: &Context<'_>,
    scope: Scope,
    unpacked: &[Unpacked],
    root: &Path,
) -> Result<Plan, PipelineError> {
    let tree = Tree::read(paths(unpacked, root)).and_then(Tree::compared);
    let tree = tree.map_err(LinkError::from)?;
    let places = [place(root)];
    let mut draft = Draft::of(Subject {
        tree: &tree,
        places: &places,
        context,
        scope,
    })?;
    if scope == Scope::Everything {
        draft.replace_sources(Sources::on_disk(&tree, context.libraries)?);
    }
    draft.refuse_unused();
    draft.finish(false)
}

/// Where the files lie, and where they are said to be.
fn place(root: &Path) -> Place {
    Place {
        on_disk: root.to_owned(),
        used_at: PathBuf::from(PREFIX),
    }
}

/// The starts of paths below [`PREFIX`], each with the start of the names that the same files have in
/// the wheel; the first that fits counts.
pub fn names_in_wheel(wheel: &Path, python: Option<&Python>) -> Vec<(String, String)> {
    let file_name = wheel.file_name().and_then(|name| name.to_str());
    let Some(name) = file_name.and_then(|name| name.parse::<WheelFilename>().ok()) else {
        return Vec::new();
    };
    let of_name = || Layout::new(python_version(&name));
    let layout = python.map_or_else(of_name, Layout::of);
    let parts: Vec<&str> = file_name.unwrap_or_default().split('-').take(2).collect();
    let (stem, distribution) = (parts.join("-"), parts.first().copied().unwrap_or_default());
    let schemes = [
        Scheme::Purelib,
        Scheme::Headers,
        Scheme::Scripts,
        Scheme::Data,
    ];
    let start = |scheme: Scheme| {
        let directory = layout.directory(scheme, distribution);
        let below = match scheme {
            Scheme::Purelib => String::new(),
            scheme => format!("{stem}.data/{}/", scheme.name()),
        };
        let from = match directory.as_str() {
            "" => format!("{PREFIX}/"),
            directory => format!("{PREFIX}/{directory}/"),
        };
        (from, below)
    };
    schemes.into_iter().map(start).collect()
}

/// The directory of modules of a Python in a prefix.
pub fn site_packages(prefix: &Path, python: &Python) -> PathBuf {
    prefix.join(Layout::of(python).directory(Scheme::Purelib, ""))
}

/// The starts of paths below a prefix, each with the start of the names that most of the files have in
/// wheels; the first that fits counts.
pub fn names_in_prefix(prefix: &Path, python: &Python) -> Vec<(String, String)> {
    let modules = site_packages(prefix, python);
    [modules.as_path(), prefix]
        .map(|directory| format!("{}/", directory.display()))
        .map(|from| (from, String::new()))
        .to_vec()
}

/// An ELF file or Python source of the wheel.
#[derive(Debug)]
struct Unpacked {
    /// Path in the wheel.
    member: MemberPath,
    /// Path below the prefix and below the scratch directory.
    installed: MemberPath,
}

/// Writes the ELF files of a wheel, its Python sources and what is run as they are, below a directory, each where it would be
/// installed.
fn unpack(
    wheel: &Wheel,
    layout: &Layout,
    root: &Path,
    jobs: NonZeroUsize,
) -> Result<Vec<Unpacked>, PipelineError> {
    let elf: BTreeSet<usize> = wheel
        .elf_files()
        .iter()
        .map(|member| member.file.index)
        .collect();
    let (mut unpacked, mut items) = (Vec::new(), Vec::new());
    for member in wheel.members() {
        let Placement::File { scheme, path } = member.placement else {
            continue;
        };
        let installed = MemberPath::new(&layout.place(wheel, *scheme, path.as_str()))?;
        let is_source = scheme.is_site() && files::is_source(path.as_str(), wheel.dist_info())
            || may_be_like_source(installed.as_path());
        let is_loaded = elf.contains(&member.file.index) || may_be_module(Path::new(path.as_str()));
        if !is_source && !is_loaded {
            continue;
        }
        items.push(ExtractItem {
            archive: wheel.archive(),
            member: member.file,
            dst: installed.clone(),
            executable: member.file.executable,
            digest: Digest::Skip,
            prioritized: false,
        });
        unpacked.push(Unpacked {
            member: member.file.path.clone(),
            installed,
        });
    }
    extract(&items, root, jobs, &Silent)?;
    Ok(unpacked)
}

/// Where the files will be, and where they are.
fn paths(unpacked: &[Unpacked], root: &Path) -> Vec<(PathBuf, PathBuf)> {
    let path = |file: &Unpacked| {
        let below = file.installed.as_path();
        (Path::new(PREFIX).join(below), root.join(below))
    };
    unpacked.iter().map(path).collect()
}
