//! The stamps of a virtual environment: what each of its parts was when it was last proved.
//!
//! They lie in one file beside `pyvenv.cfg`, which is written by one rename. Whatever is wrong with that file, there
//! are no stamps then, and all is looked at. They count only in the directory that they were written
//! for: a copy has none, nor has what an archive brought.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use data_encoding::HEXLOWER;
use fs_err as fs;
use serde::{Deserialize, Serialize};
use wheelfix_elf::temporary_file;
use wheelfix_link::Tree;

use super::listing::{Directory, fact};
use super::units::{Units, name_in, unit_of};
use crate::atomic::journal::Home;
use crate::atomic::left_over::open_itself;
use crate::patch::virtual_environment::VirtualEnvironment;
use crate::pipeline::sources::files_of_table;

/// The name of the file.
pub(crate) const STAMPS: &str = ".wheelfix-stamps.json";

const VERSION: u32 = 2;

/// Longer files are none of ours; in bytes.
const MAX_LEN: u64 = 64 << 20;

/// The stamps of an environment.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Stamps {
    version: u32,
    /// The directory of the environment.
    home: Home,
    /// A digest of everything else that decides.
    pub(crate) settings: String,
    /// The facts that tell the files of the table of libraries from others.
    #[serde(default)]
    pub(crate) table: Vec<String>,
    /// Whether a run over the environment has made that table: `wheelfix env` makes some, too.
    #[serde(default)]
    pub(crate) owns_table: bool,
    /// By the names of the parts.
    pub(crate) units: BTreeMap<String, Stamp>,
    /// The directories that are known, by their paths in the environment.
    pub(crate) directories: BTreeMap<String, Directory>,
}

/// The stamp of a part.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Stamp {
    pub(crate) digest: String,
    #[serde(flatten)]
    pub(crate) names: Names,
}

/// The names by which parts depend on one another.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Names {
    /// File names and sonames of its libraries.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) provides: BTreeSet<String>,
    /// Libraries that it needs or may open.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) needs: BTreeSet<String>,
}

impl Names {
    /// Those by which others depend on the part, or those by which it depends on others.
    pub(crate) fn side(&self, provides: bool) -> &BTreeSet<String> {
        if provides {
            &self.provides
        } else {
            &self.needs
        }
    }
}

impl Stamps {
    /// The stamps that an environment has; `None` if there are none that count.
    pub(crate) fn read(environment: &VirtualEnvironment) -> Option<Self> {
        let file = open_itself(&environment.root.join(STAMPS)).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > MAX_LEN {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(MAX_LEN).read_to_end(&mut bytes).ok()?;
        let stamps: Self = serde_json::from_slice(&bytes).ok()?;
        let is_ours =
            stamps.version == VERSION && stamps.home == Home::of(&environment.root).ok()?;
        is_ours.then_some(stamps)
    }

    /// The stamps of an environment of which no part is known yet.
    pub(crate) fn new(
        environment: &VirtualEnvironment,
        settings: String,
        owns_table: bool,
    ) -> io::Result<Self> {
        Ok(Self {
            version: VERSION,
            home: Home::of(&environment.root)?,
            settings,
            table: facts_of_table(environment),
            owns_table,
            units: BTreeMap::new(),
            directories: BTreeMap::new(),
        })
    }

    /// Writes the stamps of an environment.
    pub(crate) fn write(&self, environment: &VirtualEnvironment) -> io::Result<()> {
        let mut file = temporary_file(&environment.root)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.persist(environment.root.join(STAMPS))?;
        Ok(())
    }

    /// Takes the stamps away, so that the next run looks at everything.
    pub(crate) fn remove(root: &Path) -> io::Result<()> {
        match fs::remove_file(root.join(STAMPS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// The names of those parts that are not as they were, are new, or are gone.
    pub(crate) fn changed(&self, units: &Units) -> BTreeSet<String> {
        let is_same = |name: &str, digest: &str| {
            let stamp = self.units.get(name);
            stamp.is_some_and(|stamp| stamp.digest == digest)
        };
        let found = units.found.iter();
        let changed = found.filter(|(name, unit)| !is_same(name, &unit.digest));
        let gone = self
            .units
            .keys()
            .filter(|name| !units.found.contains_key(*name));
        changed.map(|(name, _)| name).chain(gone).cloned().collect()
    }
}

/// The names by which the parts of a tree depend on one another, by the names of the parts.
pub(crate) fn names_of(environment: &VirtualEnvironment, tree: &Tree) -> BTreeMap<String, Names> {
    let unit = |path: &Path| name_in(&environment.root, &unit_of(environment, path));
    let mut names: BTreeMap<String, Names> = BTreeMap::new();
    for (directory, held) in tree.directories() {
        for name in held.keys() {
            let of_unit = names.entry(unit(&directory.join(name))).or_default();
            of_unit.provides.insert(key(name));
        }
    }
    for object in tree.objects() {
        let of_unit = names.entry(unit(&object.path)).or_default();
        of_unit.provides.extend(object.soname.as_deref().map(key));
        let notes = object.dlopen_notes.iter().flat_map(|note| &note.soname);
        let needed = object.needed.iter().chain(&object.names).chain(notes);
        let needed = needed.chain(&object.load_conditions.filters);
        of_unit.needs.extend(needed.map(|name| key(name)));
    }
    for source in tree
        .sources
        .iter()
        .filter(|source| !source.loads.is_empty())
    {
        let asked = source.loads.iter().flat_map(|load| &load.names);
        let of_unit = names.entry(unit(&source.path)).or_default();
        of_unit
            .needs
            .extend(asked.map(|library| key(&library.name)));
    }
    names
}

/// The facts that tell the files of the table of libraries in an environment from others, and from none.
pub(crate) fn facts_of_table(environment: &VirtualEnvironment) -> Vec<String> {
    let sites = environment.site_packages.iter();
    let files = sites.flat_map(|site| files_of_table(site));
    let facts = files.map(|file| {
        let facts = fs::symlink_metadata(&file).map(|it| HEXLOWER.encode(&fact(&it)));
        format!("{} {}", file.display(), facts.unwrap_or_default())
    });
    facts.collect()
}

/// The name of a library without its directory and version: of several versions any may be meant.
pub(crate) fn key(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    let stem = name.split_once(".so").map_or(name, |(stem, _)| stem);
    stem.to_owned()
}
