//! Decides everything about an environment: what it holds, what collides, what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wheelfix_link::Variable;
use wheelfix_wheel::Wheel;

use crate::env::collision::{EnvCandidate, EnvCollision, ResolvedCollision, Rules};
use crate::env::distribution::{self, Distribution, Owners};
use crate::env::fault::EnvFault;
use crate::env::generated::{GeneratedContent, GeneratedFile, Virtual};
use crate::env::input::{self, Inputs, pythons_of};
use crate::env::materialize::{Counts, LinkMode};
use crate::env::merge::{Merger, Node, Notes, Source, UnownedCollision, What};
use crate::env::record::{self, Changes};
use crate::env::report::EnvReport;
use crate::env::requirements_check::{self, RequirementsCheck};
use crate::env::{EnvError, EnvRequest, interpreter, plan, torch, variables};
use crate::files::{self, Collected, File, Files};
use crate::install::InstallRequest;
use crate::install::report;
use crate::layout::Layout;
use crate::pipeline::sources::Sources;

/// An environment that is to be decided.
#[derive(Debug)]
pub(crate) struct EnvPlanner<'a> {
    pub(crate) request: &'a EnvRequest,
    /// The installation of the wheels.
    pub(crate) installation: &'a InstallRequest,
    pub(crate) inputs: &'a Inputs,
    pub(crate) wheels: &'a [Wheel],
    pub(crate) layout: &'a Layout,
    /// Where the environment will be, absolute.
    pub(crate) prefix: &'a Path,
}

/// An environment that is decided.
#[derive(Debug)]
pub(crate) struct EnvPlan<'a> {
    pub(crate) nodes: Vec<Node>,
    pub(crate) sources: Vec<Source>,
    pub(crate) generated: Vec<GeneratedFile<'a>>,
    /// How many of `made` come from wheels: those before this position.
    pub(crate) installed: usize,
    /// The files of wheels that are in the environment.
    pub(crate) files: Files<'a>,
    /// The texts that rules replace in their Python sources.
    pub(crate) replaced: Sources,
    /// Files of prefixes that may be ELF files: path, and source. Sorted.
    pub(crate) elf: Vec<(String, usize)>,
    /// Python sources of prefixes: path, and source. Sorted.
    pub(crate) python: Vec<(String, usize)>,
    pub(crate) whole_files: usize,
    /// The variables that rules give, by name.
    pub(crate) variables: Vec<Variable>,
    distributions: Vec<Distribution>,
    resolved: Vec<ResolvedCollision>,
    checked: RequirementsCheck,
}

impl EnvPlan<'_> {
    /// Where the file of a source lies.
    pub(crate) fn disk(&self, source: usize, path: &str) -> PathBuf {
        let root = self.sources.get(source).map(|source| &source.path);
        root.map(|root| root.join(path)).unwrap_or_default()
    }
}

/// The installation of the wheels among the inputs.
///
/// Their libraries may be found in the prefixes; their scripts are run by the environment's
/// interpreter.
pub(crate) fn installation(request: &EnvRequest, inputs: &Inputs, prefix: &Path) -> InstallRequest {
    let mut installation = request.installation.clone();
    installation.wheels = inputs
        .wheels
        .iter()
        .map(|wheel| wheel.path.clone())
        .collect();
    installation.merge = false;
    if let Some(libraries) = &mut installation.libraries {
        let prefixes = inputs.prefixes.iter().map(|prefix| prefix.path.clone());
        libraries.lib_paths.extend(prefixes);
    }
    if request.activation.is_some() {
        let python = installation.python;
        let program = prefix.join("bin").join(python.name());
        installation.python = python.with_scripts_run_by(program);
    }
    installation
}

impl<'a> EnvPlanner<'a> {
    /// Collects the files of the wheels.
    fn collect(&self) -> io::Result<Collected<'a>> {
        let interpreter = self.installation.python.interpreter();
        let wheel_options = &self.installation.wheel_options;
        let excuses = self.installation.excuses();
        files::collect(
            self.wheels,
            self.layout,
            &interpreter,
            wheel_options,
            excuses,
        )
    }

    /// Decides; all faults at once.
    pub(crate) fn plan(&self) -> Result<EnvPlan<'a>, EnvError> {
        let mut faults = self.other_pythons();
        let sources = self.sources();
        let Collected {
            tree,
            metadata,
            excluded,
            warnings,
            faults: of_files,
        } = self.collect()?;
        faults.extend(of_files.into_iter().map(Box::new).map(EnvFault::File));
        let files: Vec<File<'a>> = tree.into_candidates().collect();
        let installed = files.len() + self.wheels.len();
        let mut generated = self.generated(&files);
        let (distributions, unreadable) = self.distributions();
        faults.extend(unreadable);
        let rules = Rules::new(&self.request.on_collision);
        let (mut nodes, mut found) = self.merge(&sources, &generated, &rules);
        faults.append(&mut found.faults);
        faults.extend(rules.unused().into_iter().map(EnvFault::UnusedRule));

        let (variables, without) = variables::decide(self, &distributions, &nodes, &sources);
        faults.extend(without);
        let mut checked = self.check_requirements(&distributions);
        let (resolved, left) = self.collisions(&found, &sources, &distributions, &mut checked);
        faults.append(&mut checked.faults);
        faults.extend(left.into_iter().map(EnvFault::EnvCollision));
        faults.extend(checked.take_unmet());
        let mismatches = torch::mismatches(&distributions, self.wheels);
        faults.extend(mismatches.into_iter().map(Box::new).map(EnvFault::Torch));
        if !faults.is_empty() {
            return Err(EnvError::Faults(faults));
        }
        let changes = self.changes(&nodes, &found, &sources)?;
        let others = distributions.get(self.wheels.len()..).unwrap_or_default();
        let apart = record::renew(&mut nodes, &mut generated, &changes, others, self.layout)?;
        found.whole_files = found.whole_files.saturating_sub(apart);
        found.sort_files();
        let files = Files {
            list: kept_files(files, &nodes, &found.twins),
            metadata,
            excluded,
            warnings,
        };
        Ok(EnvPlan {
            nodes,
            sources,
            generated,
            installed,
            files,
            replaced: Sources::default(),
            elf: found.elf,
            python: found.python,
            whole_files: found.whole_files,
            variables,
            distributions,
            resolved,
            checked,
        })
    }

    /// Compares the distributions with what they require.
    fn check_requirements(&self, distributions: &[Distribution]) -> RequirementsCheck {
        let target = self.installation.python.target();
        let aliases = self.installation.aliases();
        let allowed = &self.request.allow_unmet;
        requirements_check::check(distributions, &self.chains(), target, allowed, aliases)
    }

    /// The report of a draft; fields about later steps are left empty.
    pub(crate) fn report(&self, decided: EnvPlan<'_>) -> EnvReport {
        let plan = self.request.dry_run.then(|| {
            plan::entries(
                &decided.nodes,
                &decided.sources,
                &decided.generated,
                self.request.link,
            )
        });
        let mut distributions: Vec<(String, String)> = decided
            .distributions
            .iter()
            .map(|it| (it.name().to_string(), it.metadata.version().to_string()))
            .collect();
        distributions.sort();
        EnvReport {
            prefix: self.prefix.to_owned(),
            prefixes: self.inputs.prefixes.clone(),
            passed_over: self.inputs.passed_over.iter().cloned().collect(),
            wheels: report::installed_wheels(self.wheels, &decided.files),
            distributions,
            counts: Counts::of(&decided.nodes),
            whole_files: decided.whole_files,
            plan,
            resolved: decided.resolved,
            unmet: decided.checked.allowed,
            copies: Vec::new(),
            unbundling: wheelfix_unbundle::UnbundlePlan::default(),
            link_plan: wheelfix_link::LinkPlan::empty(),
            proof: None,
            input_proof: None,
            elf_edited: 0,
            compile_failures: Vec::new(),
            warnings: report::uncompiled(self.installation, &decided.files.list)
                .into_iter()
                .chain(decided.files.warnings)
                .chain(decided.checked.unreadable)
                .chain(input::empty(&self.inputs.prefixes))
                .collect(),
            variables: decided.variables,
            made_twice: None,
        }
    }

    /// Prefixes that hold modules for other Pythons only.
    fn other_pythons(&self) -> Vec<EnvFault> {
        let target = self.installation.python.target().python_name();
        let site_packages = self.layout.site_packages();
        let prefixes = self.inputs.prefixes.iter();
        let without = prefixes.filter(|prefix| !prefix.path.join(&site_packages).is_dir());
        let faults = without.filter_map(|prefix| {
            let version = pythons_of(&prefix.path).into_iter().next()?;
            Some(EnvFault::OtherPython {
                path: prefix.path.clone(),
                version,
                target: target.clone(),
            })
        });
        faults.collect()
    }

    /// The environment itself, the wheels, the prefixes.
    fn sources(&self) -> Vec<Source> {
        let own = Source {
            path: PathBuf::new(),
            rank: 0,
        };
        let wheels = self.inputs.wheels.iter().map(|wheel| Source {
            path: wheel.path.clone(),
            rank: wheel.rank + 1,
        });
        let prefixes = self.inputs.prefixes.iter().map(|prefix| Source {
            path: prefix.path.clone(),
            rank: prefix.rank + 1,
        });
        std::iter::once(own).chain(wheels).chain(prefixes).collect()
    }

    /// Positions of the prefixes among the sources, each with its path.
    fn prefixes(&self) -> Vec<(usize, &'a Path)> {
        let first = 1 + self.inputs.wheels.len();
        let prefixes = self.inputs.prefixes.iter().enumerate();
        prefixes
            .map(|(index, prefix)| (first + index, prefix.path.as_path()))
            .collect()
    }

    /// The chain of inputs by which each source came in.
    fn chains(&self) -> BTreeMap<usize, Vec<PathBuf>> {
        let wheels = self.inputs.wheels.iter();
        let wheels = wheels.map(|wheel| vec![wheel.path.clone()]);
        let prefixes = self
            .inputs
            .prefixes
            .iter()
            .map(|prefix| prefix.chain.clone());
        (1..).zip(wheels.chain(prefixes)).collect()
    }

    /// The files of wheels, then the environment's own.
    fn generated(&self, files: &[File<'a>]) -> Vec<GeneratedFile<'a>> {
        let of_wheel = |file: &File<'a>| GeneratedFile {
            path: file.path.clone(),
            source: 1 + file.wheels.first().copied().unwrap_or_default(),
            content: match &file.source {
                files::Source::Member { member, hash, .. } => GeneratedContent::Member {
                    len: member.len,
                    hash: *hash,
                },
                files::Source::Text(text) => GeneratedContent::Text {
                    text: text.clone(),
                    executable: file.executable,
                },
            },
        };
        let record = |(source, wheel): (usize, &Wheel)| {
            let site_packages = self.layout.site_packages();
            GeneratedFile {
                path: format!("{site_packages}/{}/RECORD", wheel.dist_info()),
                source,
                content: GeneratedContent::Record,
            }
        };
        let mut generated: Vec<GeneratedFile<'a>> = files.iter().map(of_wheel).collect();
        generated.extend((1..).zip(self.wheels).map(record));
        if let Some(activation) = self.request.activation {
            let python = &self.installation.python;
            generated.extend(interpreter::files(
                activation,
                python,
                self.prefix,
                self.layout,
            ));
        }
        generated
    }

    fn distributions(&self) -> (Vec<Distribution>, Vec<EnvFault>) {
        let (mut all, mut faults) = (Vec::new(), Vec::new());
        for (index, wheel) in self.wheels.iter().enumerate() {
            let edited = wheel
                .metadata()
                .edit(&self.installation.wheel_options.metadata);
            match distribution::of_wheel(wheel, &edited.text, 1 + index) {
                Ok(distribution) => all.push(distribution),
                Err(fault) => faults.push(fault),
            }
        }
        let (of_prefixes, more) = distribution::read_prefixes(&self.prefixes(), self.layout);
        all.extend(of_prefixes);
        faults.extend(more);
        (all, faults)
    }

    fn merge(
        &self,
        sources: &[Source],
        generated: &[GeneratedFile<'a>],
        rules: &Rules,
    ) -> (Vec<Node>, Notes) {
        let merger = Merger {
            sources,
            generated,
            rules,
            layout: self.layout,
            whole: self.request.link == LinkMode::Auto,
            compiles: self.installation.bytecode.is_some(),
            rewrites: self.request.activation.is_some(),
            notes: Mutex::default(),
        };
        let files = Virtual::new(generated);
        let prefixes = self
            .prefixes()
            .iter()
            .map(|(source, _)| *source)
            .collect::<Vec<_>>();
        let nodes = merger.merge(&prefixes, &files);
        let found = merger.notes.into_inner();
        let mut found = found.unwrap_or_else(PoisonError::into_inner);
        // Threads find them in any order.
        found.faults.sort_by_cached_key(ToString::to_string);
        (nodes, found)
    }

    /// The changes by which RECORDs of prefixes are no longer true.
    fn changes(
        &self,
        nodes: &[Node],
        found: &Notes,
        sources: &[Source],
    ) -> Result<Changes, EnvFault> {
        let mut changes = Changes::default();
        let root = |source: usize| {
            let root = sources.get(source).map(|source| source.path.as_path());
            root.unwrap_or(Path::new(""))
        };
        let interpreter = self.installation.python.interpreter();
        changes.scripts(nodes, root, &interpreter, self.layout)?;
        changes.shadowed(&found.shadowed, self.layout);
        Ok(changes)
    }

    /// The collisions with their owners: those that a rule decided, and the others.
    ///
    /// Collisions of two copies of one distribution are counted, not listed: that there are two is the
    /// fault.
    fn collisions(
        &self,
        notes: &Notes,
        sources: &[Source],
        distributions: &[Distribution],
        checked: &mut RequirementsCheck,
    ) -> (Vec<ResolvedCollision>, Vec<EnvCollision>) {
        let mut owners = Owners::new(distributions, self.layout);
        let mut unowned: Vec<&UnownedCollision> = notes.unowned.iter().collect();
        unowned.sort_by(|one, other| (&one.path, one.kind).cmp(&(&other.path, other.kind)));
        let (mut resolved, mut collisions) = (Vec::new(), Vec::new());
        for found in unowned {
            let mut candidates: Vec<(usize, EnvCandidate)> = Vec::new();
            for (source, path) in &found.candidates {
                candidates.push((*source, self.candidate(*source, path, sources, &mut owners)));
            }
            let names: BTreeSet<&str> = candidates
                .iter()
                .map(|(_, candidate)| candidate.name())
                .collect();
            let duplicate = checked
                .duplicates
                .iter_mut()
                .find(|duplicate| names.len() == 1 && names.contains(duplicate.name.as_str()));
            let collision = EnvCollision {
                path: found.path.clone(),
                kind: found.kind,
                candidates: candidates
                    .into_iter()
                    .map(|(_, candidate)| candidate)
                    .collect(),
            };
            match (&found.decision, duplicate) {
                (Some((decision, kept)), _) => resolved.push(ResolvedCollision {
                    collision,
                    rule: decision.rule.clone(),
                    shipped: decision.shipped,
                    kept: *kept,
                }),
                (None, Some(duplicate)) => duplicate.collisions += 1,
                (None, None) => collisions.push(collision),
            }
        }
        (resolved, collisions)
    }

    fn candidate(
        &self,
        source: usize,
        path: &str,
        sources: &[Source],
        owners: &mut Owners<'_>,
    ) -> EnvCandidate {
        let root = sources.get(source).map(|source| source.path.clone());
        let root = root.unwrap_or_default();
        let first_prefix = 1 + self.inputs.wheels.len();
        EnvCandidate {
            owner: if source == 0 {
                Some("the environment's interpreter".to_owned())
            } else {
                owners.of(source, path)
            },
            from: match source {
                0 => self.prefix.join(path),
                source if source < first_prefix => root,
                _ => root.join(path),
            },
        }
    }
}

impl EnvCandidate {
    /// The name of the distribution, without its version; empty if it is not known.
    fn name(&self) -> &str {
        let owner = self.owner.as_deref().unwrap_or_default();
        owner.split(' ').next().unwrap_or_default()
    }
}

/// The files that are in the environment; where several are equal they become one.
fn kept_files<'a>(files: Vec<File<'a>>, nodes: &[Node], twins: &[(usize, usize)]) -> Vec<File<'a>> {
    let mut kept = BTreeSet::new();
    collect_generated(nodes, &mut kept);
    let mut more: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (file, twin) in twins {
        if let Some(twin) = files.get(*twin) {
            more.entry(*file).or_default().extend(&twin.wheels);
        }
    }
    let mut list = Vec::with_capacity(kept.len());
    for (position, mut file) in files.into_iter().enumerate() {
        if kept.contains(&position) {
            file.wheels
                .extend(more.remove(&position).unwrap_or_default());
            list.push(file);
        }
    }
    list
}

fn collect_generated(nodes: &[Node], kept: &mut BTreeSet<usize>) {
    for node in nodes {
        match &node.what {
            What::Directory(below) => collect_generated(below, kept),
            What::GeneratedFile { file } => {
                kept.insert(*file);
            }
            What::Whole { .. } | What::File { .. } | What::Link { .. } | What::Script { .. } => {}
        }
    }
}
