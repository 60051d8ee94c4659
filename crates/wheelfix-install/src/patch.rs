//! The relocation of what is on disk already.

pub(crate) mod environment;
pub(crate) mod table;
pub(crate) mod virtual_environment;

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use wheelfix_format::MetadataEdit;
use wheelfix_link::{LibraryTable, LinkPlan, Proof, Tree};
use wheelfix_loader::{Place, existing_path};
use wheelfix_unbundle::UnbundlePlan;

use crate::atomic::detach::{behind_links, detach};
use crate::atomic::left_over::scan_clean;
use crate::atomic::transaction::{Changes, Locked, Transaction};
use crate::atomic::writer::Writer;
use crate::event::{Event, Listener, Phase};
use crate::patch::table::TableEdits;
use crate::patch::virtual_environment::{VirtualEnvironment, links_out};
use crate::pipeline::applied::Applied;
use crate::pipeline::context::{Context, Libraries};
use crate::pipeline::error::LinkError;
use crate::pipeline::error::PipelineError;
use crate::pipeline::plan::{Draft, Plan, Scope, Subject};
use crate::pipeline::requirements::{self, EditedRequirements, Requirements};
use crate::pipeline::sboms;
use crate::pipeline::sources::{Sources, bytecode_of};
use crate::pipeline::verify;
use crate::pool::in_pool;
use crate::record::update::{
    RecordUpdateError, check_beside, listing, owners, records_below, update_beside, update_these,
};
use crate::record::{check as record_check, record_roots};
use crate::warning::InstallWarning;

/// The files and options of a relocation.
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
#[derive(Clone, Debug)]
pub struct PatchRequest {
    /// Files and directories; libraries of one may be used by another.
    pub paths: Vec<PathBuf>,
    /// Which libraries they may use.
    pub libraries: Libraries,
    /// The Python that will load them; `None` if it is not on this machine.
    pub python: Option<PathBuf>,
    /// The virtual environments among `paths`.
    pub environments: Vec<VirtualEnvironment>,
    /// Whether it is a fault that there is nothing to link in what `paths` names.
    pub wants_some: bool,
    /// Whether to retire segments that hold no section: earlier tools left them, and `strip` breaks
    /// files that have them.
    pub heal: bool,
    /// Edits of the requirements of what is installed there, in order.
    pub metadata: Vec<MetadataEdit>,
    /// The scope of the edits.
    pub scope: Scope,
    /// Whether the one virtual environment gets a table of the libraries that its Python code opens by name; one that it
    /// has goes otherwise.
    pub library_table: bool,
    /// Whether to decide only.
    pub dry_run: bool,
    /// How many threads to use.
    pub jobs: NonZeroUsize,
}

/// The report on a relocation that was made, or would be.
#[derive(Debug)]
pub struct PatchReport {
    /// The plan for bundled libraries.
    pub unbundling: UnbundlePlan,
    /// The plan for the libraries.
    pub link_plan: LinkPlan,
    /// The distributions whose requirements were edited.
    pub metadata: Vec<EditedRequirements>,
    /// Warnings about the request.
    pub warnings: Vec<InstallWarning>,
    /// The proof that all of them load; `None` in a dry run, or if nothing is known of the target.
    pub proof: Option<Proof>,
    /// How many names the table of libraries has, if there is to be one.
    pub table_names: Option<usize>,
    /// Whether that is another one than before.
    pub table_changed: bool,
    /// How many ELF files were edited.
    pub elf_edited: usize,
    /// How many bytes were written to edit them.
    pub elf_bytes_written: u64,
    /// How many RECORD files were updated.
    pub records_updated: usize,
}

/// Links ELF files in place, and keeps RECORD true: all of it, or nothing.
pub fn patch(
    request: &PatchRequest,
    listener: &Listener<'_>,
) -> Result<PatchReport, PipelineError> {
    in_pool(request.jobs, || link(request, listener))
}

fn link(request: &PatchRequest, listener: &Listener<'_>) -> Result<PatchReport, PipelineError> {
    let mut places = Vec::new();
    for path in &request.paths {
        places.push(Place::fixed(existing_path(path)?));
    }
    let (report, _) = link_in(request, &Extent::of(places), listener, &|_| Ok(()))?;
    Ok(report)
}

/// The extent of a run.
#[derive(Debug)]
pub(crate) struct Extent {
    /// The places that are looked at.
    pub(crate) places: Vec<Place>,
    /// The trees that they belong to, none below another.
    pub(crate) roots: BTreeSet<PathBuf>,
    /// The RECORD files that list their files; `None` if they are to be looked for.
    pub(crate) records: Option<Vec<PathBuf>>,
    /// The table of libraries for what is not looked at.
    pub(crate) known_table: LibraryTable,
    /// Whether an earlier run has made the table that is there.
    pub(crate) owns_table: bool,
}

impl Extent {
    /// The extent of a run over all of these places.
    pub(crate) fn of(places: Vec<Place>) -> Self {
        Self {
            roots: record_roots(places.iter().map(|place| place.on_disk.as_path())),
            places,
            records: None,
            known_table: LibraryTable::default(),
            owns_table: false,
        }
    }

    fn records(&self) -> io::Result<Vec<PathBuf>> {
        if let Some(records) = &self.records {
            return Ok(records.clone());
        }
        let mut records = Vec::new();
        for root in &self.roots {
            records.extend(records_below(root)?);
        }
        Ok(records)
    }
}

/// Links what lies in an extent; gives the tree as it is then, if there is a target. `before_proof` is called with
/// the paths that may have changed when all is edited and nothing was read again yet.
pub(crate) fn link_in(
    request: &PatchRequest,
    extent: &Extent,
    listener: &Listener<'_>,
    before_proof: &dyn Fn(&BTreeSet<PathBuf>) -> io::Result<()>,
) -> Result<(PatchReport, Tree), PipelineError> {
    let phase = |phase| listener(Event::Phase { phase, bytes: 0 });
    phase(Phase::Read);
    let places = &extent.places;
    let locked = (!request.dry_run).then(|| Locked::new(&extent.roots));
    let _locked = locked.transpose()?;
    let tree = scan_clean(places, Tree::scan_own).and_then(Tree::compared);
    let tree = tree.map_err(LinkError::from)?;

    phase(Phase::Plan);
    let decision = decide(request, &tree, extent)?;
    let (records, untrue) = decision.records(extent)?;
    if request.dry_run {
        let report = PatchReport {
            elf_edited: decision.plan.elf_edits.count(),
            ..report(decision, &Applied::default(), 0)
        };
        return Ok((report, tree));
    }

    phase(Phase::Apply);
    let mut changes = decision.changes(&records)?;
    let links = links_out(&request.environments, &records)?;
    links.iter().try_for_each(|link| changes.replace(link))?;
    let touched = changes.paths();
    let transaction = Transaction::begin(&extent.roots, changes)?;
    let writer = Writer::later(transaction.prepared());
    let mut applied = Applied::new(writer, untrue);
    let prepared = prepare(&decision, records, &mut applied);
    let proved = prepared.and_then(|records| {
        decision.plan.make(&applied)?;
        // Some are dropped, or were edited.
        let mut left = links.iter().filter(|link| link.is_symlink());
        left.try_for_each(|link| detach(link))?;
        before_proof(&touched)?;
        phase(Phase::Verify);
        let (tree, proof) = prove(places, &decision, tree)?;
        Ok((records, tree, proof))
    });
    match proved {
        Ok((records, tree, proof)) => {
            transaction.commit()?;
            let report = PatchReport {
                proof,
                ..report(decision, &applied, records)
            };
            Ok((report, tree))
        }
        Err(error) => {
            transaction.roll_back()?;
            Err(error)
        }
    }
}

/// The plan for all edits, and their effect.
struct Decision<'a> {
    context: Context<'a>,
    plan: Plan,
    requirements: Requirements,
    table: TableEdits,
    /// Keys of the faults that were there before and may be there afterwards.
    before: BTreeSet<String>,
}

impl Decision<'_> {
    /// The RECORD files that list a file which changes, but for METADATA: what lists that lies beside it, and there
    /// is no need to look for it among thousands of files. Also libraries that changed before, and
    /// that RECORD is not true of.
    ///
    /// Refuses what would leave a RECORD untrue: one that cannot be read cannot be updated.
    fn records(
        &self,
        extent: &Extent,
    ) -> Result<(Vec<PathBuf>, BTreeSet<PathBuf>), RecordUpdateError> {
        let changing = self.plan.files().chain(self.table.files());
        let mut files: BTreeSet<PathBuf> = changing.cloned().collect();
        let mut edited = self.requirements.edited.iter();
        edited.try_for_each(|distribution| check_beside(&distribution.path))?;
        let (mut records, mut untrue) = (Vec::new(), BTreeSet::new());
        let objects = self.plan.link.objects.iter();
        let objects: BTreeSet<&PathBuf> = objects.map(|object| &object.file).collect();
        if !files.is_empty() || !objects.is_empty() {
            let metadata = self.requirements.edited.iter();
            files.extend(metadata.map(|distribution| distribution.path.clone()));
            for source in &self.plan.link.sources {
                files.extend(bytecode_of(&source.file)?);
            }
            records = extent.records()?;
            untrue = record_check::changed(&records, &objects)?;
            untrue.retain(|file| !files.contains(file));
            files.extend(untrue.iter().cloned());
        }
        Ok((listing(records, &files)?, untrue))
    }

    /// Everything that changes.
    fn changes(&self, records: &[PathBuf]) -> io::Result<Changes> {
        let mut changes = Changes::default();
        self.plan.add_to(&mut changes)?;
        self.table.add_to(&mut changes)?;
        for distribution in &self.requirements.edited {
            changes.replace(&distribution.path)?;
            let record = distribution.path.with_file_name("RECORD");
            if record.is_file() {
                changes.replace(&record)?;
            }
        }
        for record in records {
            changes.replace(record)?;
            if !self.plan.unbundling.removed.is_empty() {
                sboms::add_to(&mut changes, record)?;
            }
        }
        Ok(changes)
    }
}

/// Decides, and refuses what cannot be done.
fn decide<'a>(
    request: &'a PatchRequest,
    tree: &Tree,
    extent: &Extent,
) -> Result<Decision<'a>, PipelineError> {
    let places = extent.places.as_slice();
    let mut requirements = Requirements::on_disk(places, &request.metadata)?;
    if !requirements.faults.is_empty() {
        return Err(PipelineError::Files(requirements.faults));
    }
    let context = Context::new(&request.libraries, request.python.as_deref());
    let context = context.map_err(LinkError::from)?;
    let unstarted = verify::unstarted(tree, &context);
    requirements.warnings.extend(unstarted);
    for environment in &request.environments {
        requirements.warnings.extend(environment.warnings()?);
    }
    let mut draft = Draft::of(Subject {
        tree,
        places,
        context: &context,
        scope: request.scope,
    })?;
    let mut before = BTreeSet::new();
    if request.scope == Scope::Everything {
        draft.replace_sources(Sources::on_disk(tree, &request.libraries)?);
    } else if !request.dry_run {
        before = verify::faults_of(tree, Vec::new(), &context)?;
    }
    let table = TableEdits::plan(request, &context, tree, extent);
    let table = table.map_err(LinkError::from)?;
    draft.refuse_unused();
    if request.wants_some && request.metadata.is_empty() {
        draft.refuse_nothing();
    }
    let plan = draft.finish(request.heal)?;
    refuse_behind_links(places, &plan, &requirements)?;
    Ok(Decision {
        context,
        plan,
        requirements,
        table,
        before,
    })
}

/// Refuses to change what lies elsewhere, in a directory that a link leads to.
fn refuse_behind_links(
    places: &[Place],
    plan: &Plan,
    requirements: &Requirements,
) -> Result<(), PipelineError> {
    let metadata = requirements.edited.iter().map(|edited| &edited.path);
    let files = plan.wanted_files().chain(metadata);
    let behind = behind_links(places, files.map(PathBuf::as_path))?;
    if behind.is_empty() {
        Ok(())
    } else {
        Err(PipelineError::BehindLinks(behind))
    }
}

/// Writes all that is to take the place of files, before anything changes; gives how many RECORD files are updated.
fn prepare(
    Decision {
        plan,
        requirements,
        table,
        ..
    }: &Decision<'_>,
    records: Vec<PathBuf>,
    applied: &mut Applied,
) -> Result<usize, PipelineError> {
    plan.apply(applied)?;
    if !plan.unbundling.removed.is_empty() {
        let owners = owners(&records, &applied.changes.removed)?;
        sboms::update(&plan.unbundling, &owners, applied).map_err(LinkError::from)?;
    }
    requirements::apply(&requirements.edited, applied)?;
    table.apply(applied)?;
    let Applied {
        writer, changes, ..
    } = applied;
    let mut updated = update_these(records, changes, writer)?;
    for distribution in &requirements.edited {
        if let Some(digest) = changes.edited.get(&distribution.path) {
            updated += update_beside(&distribution.path, *digest, changes, writer)?;
        }
    }
    Ok(updated)
}

/// Reads everything again, and proves that it loads. Where nothing is known of the target, nothing can be proved, and
/// `planned` is given back, for which the plan was made.
fn prove(
    places: &[Place],
    decision: &Decision<'_>,
    planned: Tree,
) -> Result<(Tree, Option<Proof>), PipelineError> {
    if decision.context.target.is_none() {
        return Ok((planned, None));
    }
    let tree = Tree::scan_all(places).map_err(LinkError::from)?;
    let context = &decision.context;
    let proof = verify::prove(&tree, Vec::new(), context)?;
    let excused = &decision.plan.link.excused;
    let proof = verify::accept(proof, &decision.before, excused, context.libraries)?;
    Ok((tree, proof))
}

fn report(decision: Decision<'_>, applied: &Applied, records_updated: usize) -> PatchReport {
    let Decision {
        plan,
        requirements,
        table,
        ..
    } = decision;
    let mut warnings = requirements.warnings;
    warnings.extend(plan.elf_edits.warnings);
    PatchReport {
        metadata: requirements.edited,
        warnings,
        table_names: table.names,
        table_changed: table.is_any(),
        proof: None,
        elf_edited: applied.elf_edited,
        elf_bytes_written: applied.bytes_written,
        records_updated,
        unbundling: plan.unbundling,
        link_plan: plan.link,
    }
}
