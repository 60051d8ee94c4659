//! Which files an installation consists of: decided from the wheels alone, before anything is
//! written.

pub(crate) mod aliases;
pub(crate) mod cleanup;
pub(crate) mod dependencies;
pub(crate) mod provenance;
pub(crate) mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wheelfix_archive::{Limits, Member};
use wheelfix_format::is_python_source;
use wheelfix_format::{Change, EditAction, MetadataEdit, RecordHash, Selector};
use wheelfix_link::{Alias, Choice, EXCUSES_FILE, Excuses, Pattern, Remedy};
use wheelfix_wheel::{Placement, Scheme, Wheel, WheelMember};

use crate::files::cleanup::{Cleaner, Cleanup};
use crate::files::dependencies::UnmetDependencies;
use crate::files::provenance::Provenance;
use crate::files::tree::{Candidates, Collision, Content, Tree};
use crate::launcher::{self, Interpreter};
use crate::layout::Layout;
use crate::warning::InstallWarning;

/// The files of an installation.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    /// By path.
    pub(crate) list: Vec<File<'a>>,
    /// The edits of METADATA: the wheel's position, and each change.
    pub(crate) metadata: Vec<(usize, Change)>,
    /// How many files were left out, for each wheel.
    pub(crate) excluded: Vec<usize>,
    /// Warnings about the options.
    pub(crate) warnings: Vec<InstallWarning>,
}

/// A file that is to be made.
#[derive(Debug)]
pub(crate) struct File<'a> {
    /// Relative to the prefix, with `/` as separator.
    pub(crate) path: String,
    /// Positions of the wheels that have it; nearly always one.
    pub(crate) wheels: Vec<usize>,
    /// Where its content comes from.
    pub(crate) source: Source<'a>,
    /// Whether its mode is 0755; else it is 0644.
    pub(crate) executable: bool,
    /// Whether it is a Python source that is to be compiled.
    pub(crate) compile: bool,
    /// Whether it is a script, whose first line may be a placeholder.
    pub(crate) script: bool,
}

impl File<'_> {
    /// The hash in RECORD.
    pub(crate) fn hash(&self) -> Option<&RecordHash> {
        match self.source {
            Source::Member { hash, .. } => hash,
            Source::Text(_) => None,
        }
    }

    /// Whether it is the program of an entry point.
    pub(crate) fn is_entry_point(&self) -> bool {
        self.executable && !self.script && matches!(self.source, Source::Text(_))
    }

    /// Whether it is a Python source of a package, which may be read and compiled at any time.
    pub(crate) fn is_source(&self) -> bool {
        !self.script && is_python_source(&self.path)
    }
}

/// Where the content of a file comes from.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// A member of a wheel.
    Member {
        /// Position of the wheel.
        wheel: usize,
        /// The member.
        member: &'a Member,
        /// The hash in RECORD; `None` if there is none.
        hash: Option<&'a RecordHash>,
    },
    /// Made by the installation.
    Text(String),
}

/// The options of the user for wheels and their files.
#[derive(Clone, Debug, Default)]
pub struct WheelOptions {
    /// Edits of METADATA, in order.
    pub metadata: Vec<MetadataEdit>,
    /// Files to leave out, as globs of paths relative to the prefix or to `site-packages`.
    pub exclude: Vec<Pattern>,
    /// Members that are accepted although RECORD does not vouch for them, as globs of paths in wheels.
    pub accept_mismatch: Vec<Pattern>,
    /// Distributions that serve for others where requirements are checked, besides those of rules.
    pub provides: Vec<Alias>,
    /// How large a wheel may be unpacked.
    pub limits: Limits,
    /// Files to leave out as nixpkgs' hooks do.
    pub cleanup: Cleanup,
    /// Files to add that say where a distribution came from.
    pub provenance: Provenance,
    /// Prefixes whose modules and programs the scripts find without an environment around them, besides
    /// those of the wheels; `None` leaves scripts as the wheels have them.
    pub standalone: Option<Vec<PathBuf>>,
    /// Prefixes that have to hold what the wheels require and do not bring themselves; `None` leaves
    /// requirements alone.
    pub dependencies: Option<Vec<PathBuf>>,
}

/// An option that matches nothing, or a collision.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// Two candidates for one place.
    #[error("{0}")]
    Collision(Collision),
    /// An edit of METADATA that matches no requirement of any wheel or distribution.
    #[error("no distribution has a requirement to edit: {}", describe(.0))]
    MetadataEdit(MetadataEdit),
    /// METADATA on disk that is not valid.
    #[error("`{path}` is not a valid METADATA: {reason}")]
    Metadata {
        /// The file.
        path: String,
        /// The reason why it is not valid.
        reason: String,
    },
    /// A glob that matches no file.
    #[error("no file matches `{0}`, which is to be left out")]
    Exclude(String),
    /// A member that is to be accepted, of no wheel.
    #[error("no wheel has a file `{0}`, which is to be accepted")]
    Exception(String),
    /// A distribution that is said to serve for another, and does not: it is not there, or the other is.
    #[error("`{0}` serves for nothing: the first is not there, or the other is")]
    UnusedAlias(String),
    /// Dependencies that nothing meets.
    #[error(transparent)]
    Dependencies(#[from] UnmetDependencies),
    /// A distribution that comes in several wheels.
    #[error("`{name}` comes in {} wheels: {}", wheels.len(), list(wheels))]
    SeveralWheels {
        /// Its normalised name.
        name: String,
        /// The wheels, in the order in which they were named.
        wheels: Vec<PathBuf>,
        /// Those that are left out where one stays.
        others: Vec<PathBuf>,
    },
}

/// Why the files of an installation cannot be decided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanFilesError {
    /// The wheels do not fit together, or an option matches nothing.
    #[error("the files of the wheels have faults")]
    Faults(Vec<FileFault>),
    /// A wheel cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Vec<FileFault>> for PlanFilesError {
    fn from(faults: Vec<FileFault>) -> Self {
        Self::Faults(faults)
    }
}

/// Decides the files of an installation; all faults at once.
pub(crate) fn plan<'a>(
    wheels: &'a [Wheel],
    layout: &Layout,
    interpreter: &Interpreter,
    wheel_options: &WheelOptions,
    excuses: Option<&Excuses>,
) -> Result<Files<'a>, PlanFilesError> {
    let mut faults = duplicate_wheels(wheels);
    let is_twice = !faults.is_empty();
    let collected = collect(wheels, layout, interpreter, wheel_options, excuses)?;
    faults.extend(collected.faults);
    match collected.tree.resolve() {
        Ok(files) if faults.is_empty() => Ok(Files {
            list: files.into_iter().map(join).collect(),
            metadata: collected.metadata,
            excluded: collected.excluded,
            warnings: collected.warnings,
        }),
        Ok(_) => Err(faults.into()),
        // That the files of one distribution collide with their own is not news.
        Err(_) if is_twice => Err(faults.into()),
        Err(collisions) => {
            faults.extend(collisions.into_iter().map(FileFault::Collision));
            Err(faults.into())
        }
    }
}

/// The files of wheels, before it is decided whether they fit together.
#[derive(Debug)]
pub(crate) struct Collected<'a> {
    /// All candidates for all paths.
    pub(crate) tree: Tree<File<'a>>,
    /// As in [`Files`].
    pub(crate) metadata: Vec<(usize, Change)>,
    /// As in [`Files`].
    pub(crate) excluded: Vec<usize>,
    /// As in [`Files`].
    pub(crate) warnings: Vec<InstallWarning>,
    /// Options that match nothing.
    pub(crate) faults: Vec<FileFault>,
}

/// Collects the files of wheels.
pub(crate) fn collect<'a>(
    wheels: &'a [Wheel],
    layout: &Layout,
    interpreter: &Interpreter,
    wheel_options: &WheelOptions,
    excuses: Option<&Excuses>,
) -> io::Result<Collected<'a>> {
    let mut builder = Builder {
        layout,
        interpreter,
        excludes: &wheel_options.exclude,
        used_excludes: BTreeSet::new(),
        cleaner: Cleaner::new(&wheel_options.cleanup, layout),
        tree: Tree::new(),
        excluded: vec![0; wheels.len()],
        owner: "".into(),
    };
    let mut metadata = Vec::new();
    let mut unmatched = wheel_options.metadata.clone();
    for (index, wheel) in wheels.iter().enumerate() {
        let edited = wheel.metadata().edit(&wheel_options.metadata);
        unmatched.retain(|edit| edited.unmatched.contains(edit));
        let text = (!edited.changes.is_empty()).then_some(edited.text);
        let mut more = wheel_options.provenance.files(wheel.path())?;
        more.extend(
            excuses
                .and_then(Excuses::to_json)
                .map(|text| (EXCUSES_FILE, text)),
        );
        builder.owner = wheel.filename().to_string().into();
        builder.add_scripts(index, wheel);
        builder.add_provenance(index, wheel, &more);
        builder.add_members(index, wheel, text, &more);
        metadata.extend(edited.changes.into_iter().map(|change| (index, change)));
    }
    let mut warnings = prefix_warnings(wheels, &metadata);
    let unused = builder.cleaner.unused();
    warnings.extend(unused.map(|name| InstallWarning::Namespace(name.to_owned())));
    let mut faults = Vec::new();
    for edit in unmatched {
        match self::unmatched(edit) {
            Ok(warning) => warnings.push(warning),
            Err(fault) => faults.push(fault),
        }
    }
    let accepted = wheel_options.accept_mismatch.iter();
    let idle = accepted.filter(|glob| !wheels.iter().any(|wheel| wheel.has(glob)));
    faults.extend(idle.map(|glob| FileFault::Exception(glob.text().to_owned())));
    let excludes = wheel_options.exclude.iter().enumerate();
    let idle = excludes.filter(|(index, _)| !builder.used_excludes.contains(index));
    faults.extend(idle.map(|(_, glob)| FileFault::Exclude(glob.text().to_owned())));
    Ok(Collected {
        tree: builder.tree,
        metadata,
        excluded: builder.excluded,
        warnings,
        faults,
    })
}

/// The warning or the fault about an edit that matches no requirement at all.
pub(crate) fn unmatched(edit: MetadataEdit) -> Result<InstallWarning, FileFault> {
    match edit.selector {
        // nixpkgs' hooks say nothing about these, so recipes are full of them.
        Selector::NixpkgsPrefix { .. } => Ok(InstallWarning::MetadataEdit(edit)),
        _ => Err(FileFault::MetadataEdit(edit)),
    }
}

/// Warnings about edits that matched only the beginning of a name.
fn prefix_warnings(wheels: &[Wheel], edits: &[(usize, Change)]) -> Vec<InstallWarning> {
    let by_prefix = edits.iter().filter(|(_, change)| change.by_prefix);
    let warnings = by_prefix.filter_map(|(wheel, change)| {
        Some(InstallWarning::Prefix {
            wheel: wheels.get(*wheel)?.filename().to_string(),
            change: change.clone(),
        })
    });
    warnings.collect()
}

/// The edit, as the end of a sentence.
fn describe(edit: &MetadataEdit) -> String {
    let verb = match edit.action {
        EditAction::RelaxUpper => "drop the upper bounds of",
        EditAction::Relax => "drop the bounds of",
        EditAction::Remove => "remove",
    };
    match selected(edit) {
        None => format!("{verb} all"),
        Some(name) => format!("{verb} `{name}`"),
    }
}

/// The names that an edit is for; `None` for all.
fn selected(edit: &MetadataEdit) -> Option<String> {
    match &edit.selector {
        Selector::All => None,
        Selector::Name(name) => Some(name.to_string()),
        Selector::Pattern(pattern) => Some(pattern.to_string()),
        Selector::NixpkgsPrefix { prefix, .. } => Some(prefix.clone()),
    }
}

impl FileFault {
    /// Remedies, each of which mends it; empty if that is not known.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Exclude(glob) => vec![Remedy::remove(Choice::Exclude, glob)],
            Self::SeveralWheels { others, .. } => vec![Remedy::LeaveOut {
                inputs: others.clone(),
            }],
            Self::UnusedAlias(pair) => vec![Remedy::remove(Choice::Provides, pair)],
            Self::Exception(path) => vec![Remedy::remove(Choice::AcceptMismatch, path)],
            Self::MetadataEdit(edit) => {
                let selected = selected(edit);
                let wish = match (edit.action, &selected) {
                    (EditAction::Relax, Some(_)) => Choice::Relax,
                    (EditAction::Relax, None) => Choice::RelaxAll,
                    (EditAction::RelaxUpper, _) => Choice::RelaxUpper,
                    (EditAction::Remove, Some(_)) => Choice::RemoveDep,
                    (EditAction::Remove, None) => Choice::RemoveAllDeps,
                };
                vec![Remedy::remove(wish, selected.unwrap_or_default())]
            }
            _ => Vec::new(),
        }
    }
}

fn duplicate_wheels(wheels: &[Wheel]) -> Vec<FileFault> {
    let mut by_name: BTreeMap<&str, Vec<&Wheel>> = BTreeMap::new();
    for wheel in wheels {
        let name = wheel.filename().name().as_str();
        by_name.entry(name).or_default().push(wheel);
    }
    by_name.retain(|_, copies| 1 < copies.len());
    let fault = |(name, copies): (&str, Vec<&Wheel>)| {
        let copies = copies.iter().map(|it| (it.path(), it.filename().version()));
        FileFault::SeveralWheels {
            name: name.to_owned(),
            wheels: copies.clone().map(|(path, _)| path.to_owned()).collect(),
            others: all_but_newest(copies),
        }
    };
    by_name.into_iter().map(fault).collect()
}

/// The paths of all copies but the one that stays: the newest, and of equal ones the first.
pub(crate) fn all_but_newest<'p, V: Ord>(
    copies: impl Iterator<Item = (&'p Path, V)>,
) -> Vec<PathBuf> {
    let mut copies: Vec<(&Path, V)> = copies.collect();
    copies.sort_by(|(_, one), (_, other)| other.cmp(one));
    let others = copies.into_iter().skip(1);
    others.map(|(path, _)| path.to_owned()).collect()
}

/// Paths as a list in a sentence.
fn list(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Files of one place that are equal become one, with all wheels that have it.
fn join(candidates: Candidates<File<'_>>) -> File<'_> {
    let mut file = candidates.first;
    for other in candidates.more {
        let is_new = |wheel: &usize| !file.wheels.contains(wheel);
        let new: Vec<usize> = other.wheels.into_iter().filter(is_new).collect();
        file.wheels.extend(new);
    }
    file
}

/// Collects files.
struct Builder<'a, 'b> {
    layout: &'b Layout,
    interpreter: &'b Interpreter,
    excludes: &'b [Pattern],
    used_excludes: BTreeSet<usize>,
    cleaner: Cleaner<'b>,
    tree: Tree<File<'a>>,
    excluded: Vec<usize>,
    /// The file name of the wheel whose files are added.
    owner: Arc<str>,
}

impl<'a> Builder<'a, '_> {
    /// Adds the programs that the entry points of a wheel ask for.
    fn add_scripts(&mut self, index: usize, wheel: &Wheel) {
        for script in wheel.entry_points().scripts() {
            let Some(attribute) = &script.object.attr else {
                // `Wheel` refuses a script that names no function.
                continue;
            };
            let text = launcher::entry_point(self.interpreter, &script.object.module, attribute);
            self.add(
                None,
                File {
                    path: format!("bin/{}", script.name),
                    wheels: vec![index],
                    source: Source::Text(text),
                    executable: true,
                    compile: false,
                    script: false,
                },
            );
        }
    }

    /// Adds the files of `.dist-info` that say where a wheel came from.
    fn add_provenance(&mut self, index: usize, wheel: &Wheel, files: &[(&str, String)]) {
        let site_packages = self.layout.site_packages();
        for (name, text) in files {
            self.add(
                None,
                File {
                    path: format!("{site_packages}/{}/{name}", wheel.dist_info()),
                    wheels: vec![index],
                    source: Source::Text(text.clone()),
                    executable: false,
                    compile: false,
                    script: false,
                },
            );
        }
    }

    /// Adds the files of a wheel; `metadata` is the edited METADATA, if it was edited, and `made` are
    /// the files of `.dist-info` that are made here whatever the wheel has.
    fn add_members(
        &mut self,
        index: usize,
        wheel: &'a Wheel,
        mut metadata: Option<String>,
        made: &[(&str, String)],
    ) {
        let metadata_path = format!("{}/METADATA", wheel.dist_info());
        let is_made = |path: &str| {
            let below = path.strip_prefix(wheel.dist_info());
            let name = below.and_then(|below| below.strip_prefix('/'));
            made.iter().any(|(made, _)| Some(*made) == name)
        };
        for member in wheel.members() {
            let Placement::File { scheme, path } = member.placement else {
                continue;
            };
            if is_made(member.file.path.as_str()) {
                continue;
            }
            let is_metadata = member.file.path.as_str() == metadata_path;
            let source = match metadata.take_if(|_| is_metadata) {
                Some(text) => Source::Text(text),
                None => Source::Member {
                    wheel: index,
                    member: member.file,
                    hash: member.hash,
                },
            };
            let script = *scheme == Scheme::Scripts;
            self.add(
                content(&source, member),
                File {
                    path: self.layout.place(wheel, *scheme, path.as_str()),
                    wheels: vec![index],
                    source,
                    executable: member.file.executable || script,
                    compile: scheme.is_site() && is_source(path.as_str(), wheel.dist_info()),
                    script,
                },
            );
        }
    }

    fn add(&mut self, content: Option<Content>, file: File<'a>) {
        if self.cleaner.removes(&file.path) || self.is_excluded(&file.path) {
            for index in file.wheels {
                if let Some(count) = self.excluded.get_mut(index) {
                    *count += 1;
                }
            }
            return;
        }
        self.tree
            .insert(file.path.clone(), &self.owner, content, file);
    }

    fn is_excluded(&mut self, path: &str) -> bool {
        if self.excludes.is_empty() {
            return false;
        }
        let in_site = self.layout.from_site_packages(path);
        let mut excluded = false;
        for (index, glob) in self.excludes.iter().enumerate() {
            if glob.matches(path) || glob.matches(&in_site) {
                self.used_excludes.insert(index);
                excluded = true;
            }
        }
        excluded
    }
}

/// The length and hash by which a file is compared with that of another wheel; `None` for a text, and
/// where nothing vouches for it.
fn content(source: &Source<'_>, member: WheelMember<'_>) -> Option<Content> {
    match source {
        Source::Member { .. } => Some(Content {
            len: member.file.len,
            hash: member.hash?.clone(),
        }),
        Source::Text(_) => None,
    }
}

/// Whether a path of `site-packages` is a module; metadata is not.
pub(crate) fn is_source(path: &str, dist_info: &str) -> bool {
    // Python itself looks for this ending, in this case.
    is_python_source(path) && path.split('/').next() != Some(dist_info)
}
