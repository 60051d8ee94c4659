//! A lock file of any format, read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wheelfix_format::{PackageName, Requirement, Version, VersionSpecifiers};

use crate::file::{File, Owner};
use crate::marker_pool::{MarkerNumber, MarkerPool};
use crate::{Fault, Format, Problem, Sri};

/// A lock file.
#[derive(Debug)]
pub struct Lock<'a> {
    /// The format of the file.
    pub format: Format,
    /// The version of the format, as `1.5`.
    pub version: String,
    /// The Pythons that it is for.
    pub requires_python: Option<VersionSpecifiers>,
    /// The environments that it is for, one of which must hold; none for all.
    pub(crate) environments: Vec<MarkerNumber>,
    /// Sets of which no two can be selected together.
    pub conflicts: Vec<Vec<Conflict>>,
    /// Where a selection begins.
    pub roots: Vec<Root>,
    /// The default groups of all roots together, where no member is named and no project has them: those of a
    /// workspace without a project at its top.
    pub(crate) workspace_groups: Option<DefaultGroups>,
    /// All packages.
    pub packages: Vec<Package<'a>>,
    /// The indexes that the file names, as written, for packages that do not name one.
    pub indexes: Vec<String>,
    /// Oddities that the user should know.
    pub notes: Vec<String>,
    pub(crate) markers: MarkerPool,
}

/// A member of a set of which no two can be selected.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Conflict {
    /// A package, with what it requires.
    Project(PackageName),
    /// An extra of a package.
    Extra(PackageName, PackageName),
    /// A dependency group of a package.
    Group(PackageName, PackageName),
}

impl Conflict {
    /// The extra that uv makes up for it in markers.
    pub(crate) fn invented_extra(&self) -> String {
        let length = |package: &PackageName| package.as_str().len();
        match self {
            Self::Project(package) => format!("project-{}-{package}", length(package)),
            Self::Extra(package, extra) => {
                format!("extra-{}-{package}-{extra}", length(package))
            }
            Self::Group(package, group) => {
                format!("group-{}-{package}-{group}", length(package))
            }
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(package) => write!(f, "`{package}`"),
            Self::Extra(package, extra) => write!(f, "`{package}[{extra}]`"),
            Self::Group(package, group) => write!(f, "the group `{group}` of `{package}`"),
        }
    }
}

/// Where a selection can begin.
#[derive(Debug)]
pub struct Root {
    /// The member of the workspace; `None` for the file as a whole, which has no extras.
    pub package: Option<usize>,
    /// Whether it is selected where no member is named.
    pub is_default: bool,
    /// Requirements without a package that has them.
    pub requirements: Vec<Edge>,
    /// Dependency groups.
    pub groups: BTreeMap<PackageName, Vec<Edge>>,
    /// Extras, with what they add where no package has them.
    pub extras: BTreeMap<PackageName, Vec<Edge>>,
    /// The groups that are selected unless the user says otherwise.
    pub default_groups: DefaultGroups,
    /// The Pythons that groups are for.
    pub group_requires_python: BTreeMap<PackageName, VersionSpecifiers>,
    /// The environments that groups are for, one of which must hold; none for all.
    pub(crate) group_environments: BTreeMap<PackageName, Vec<MarkerNumber>>,
}

/// Which groups are selected by default.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DefaultGroups {
    /// Every one.
    All,
    /// These, as far as they are there.
    Named(Vec<PackageName>),
}

/// A package of a lock.
#[derive(Debug)]
pub struct Package<'a> {
    /// The normalised name.
    pub name: PackageName,
    /// The version; `None` where it is known only once the package is built.
    pub version: Option<Version>,
    /// Where it comes from.
    pub source: Source<'a>,
    /// The directory of the sdist, or of the repository, in which the project is.
    pub subdirectory: Option<String>,
    /// The index, URL or path that tells it from others of its name and version.
    pub origin: Cow<'a, str>,
    /// The Pythons that it is for.
    pub requires_python: Option<VersionSpecifiers>,
    /// The resolutions that it is for, one of which must hold; none for all.
    pub(crate) forks: Vec<MarkerNumber>,
    /// When it is selected without being required by another; each with its group, if it has one.
    pub(crate) listed: Vec<Listing>,
    /// The extras that are wanted of it where it is listed.
    pub(crate) listed_extras: BTreeSet<PackageName>,
    /// Its requirements; `None` where the format does not say.
    pub edges: Option<Vec<Edge>>,
    /// The requirements of its METADATA that no package of the lock serves for.
    pub(crate) unmet: Vec<Requirement>,
    /// The requirements that its extras add.
    pub extras: BTreeMap<PackageName, Vec<Edge>>,
    /// The wheels, in the order of the file.
    pub wheels: Vec<File<'a>>,
    /// The source distribution.
    pub sdist: Option<File<'a>>,
    /// The hashes of its files, where the lock does not say which files there are.
    pub hashes: Vec<Sri>,
    /// Hashes of which one is that of its file, where the lock does not say which.
    pub alternatives: Vec<Sri>,
    /// The files that may be taken, if the lock restricts them.
    pub only: Option<Only>,
    /// Whether an index was asked where its files are.
    pub(crate) is_answered: bool,
    /// The requirements of the build of its sdist, if somebody has looked.
    pub build: Option<Vec<Requirement>>,
}

/// The files of a package that may be taken, as pip's `--only-binary` and `--no-binary` say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Only {
    /// Wheels: `--only-binary`.
    Binary,
    /// The source distribution: `--no-binary`.
    Source,
}

/// A condition under which a package is a part of a selection.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) group: Option<PackageName>,
    pub(crate) marker: Option<MarkerNumber>,
}

/// Where a package comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source<'a> {
    /// From its wheels and its sdist.
    Files,
    /// From a commit of a repository.
    Git {
        /// The repository, as written.
        url: Cow<'a, str>,
        /// The commit.
        commit: Cow<'a, str>,
        /// Whether large files are kept by Git LFS.
        lfs: bool,
    },
    /// From a directory.
    Directory {
        /// The path from the directory of the lock.
        path: Cow<'a, str>,
        /// Whether it is imported from there.
        editable: bool,
    },
    /// From conda, whose packages are no wheels: nixpkgs has to give it, if another requires it.
    Conda,
    /// Nothing is installed but what it requires.
    Virtual {
        /// The path from the directory of the lock.
        path: Cow<'a, str>,
    },
}

/// One requirement of a package.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The packages that may be meant; which of several, their forks decide.
    pub targets: Vec<usize>,
    /// The extras that are required.
    pub extras: Vec<PackageName>,
    pub(crate) marker: Option<MarkerNumber>,
}

impl Package<'_> {
    pub(crate) fn new(name: PackageName) -> Self {
        Self {
            name,
            version: None,
            source: Source::Files,
            subdirectory: None,
            origin: Cow::Borrowed(""),
            requires_python: None,
            forks: Vec::new(),
            listed: Vec::new(),
            listed_extras: BTreeSet::new(),
            edges: Some(Vec::new()),
            unmet: Vec::new(),
            extras: BTreeMap::new(),
            wheels: Vec::new(),
            sdist: None,
            hashes: Vec::new(),
            alternatives: Vec::new(),
            only: None,
            is_answered: false,
            build: None,
        }
    }

    /// The name, and the version if it is known.
    pub fn label(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.to_string(),
        }
    }

    /// The name and the version, and whatever else tells it from others.
    pub(crate) fn label_and_origin(&self) -> String {
        match &*self.origin {
            "" => self.label(),
            origin => format!("{} from {origin}", self.label()),
        }
    }

    /// Its name and version, which those of its files have to be.
    pub(crate) fn owner(&self) -> Owner<'_> {
        Owner {
            name: &self.name,
            version: self.version.as_ref(),
        }
    }

    /// A fault of the package.
    pub(crate) fn fault(&self, key: impl Into<String>, problem: Problem) -> Fault {
        Fault::of(self.label(), key, problem)
    }
}

impl Lock<'_> {
    /// The numbers of the packages with a name.
    pub fn named(&self, name: &PackageName) -> impl Iterator<Item = usize> {
        let packages = self.packages.iter().enumerate();
        packages.filter_map(move |(number, package)| (package.name == *name).then_some(number))
    }

    pub(crate) fn marker_text(&self, number: MarkerNumber) -> String {
        let marker = self.markers.get(number);
        marker.map(ToString::to_string).unwrap_or_default()
    }
}
