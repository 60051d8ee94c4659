//! The proof that one library does what users ask of another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_elf::{
    Binding, HashedName, Symbol, SymbolKind, Visibility, WantedVersion, is_newer_version,
};
use wheelfix_link::{Found, any_matches};
use wheelfix_loader::Object;

use crate::facts::{Facts, FactsOf};
use crate::glibc_version;
use crate::graph::Graph;
use crate::identify::{Candidate, incompatibilities};
use crate::incompatibility::Incompatibility;
use crate::request::Request;

/// All that a proof depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prover<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) graph: &'a Graph,
    pub(crate) facts: &'a FactsOf,
    /// The newest glibc that may be needed; `None` if it is not known.
    pub(crate) glibc_version: Option<&'a str>,
}

/// A library that may stand in for a copy.
#[derive(Clone, Debug)]
pub(crate) struct Substitute<'a> {
    pub(crate) object: &'a Object,
    /// The file, links followed.
    pub(crate) file: &'a Path,
    /// Where the loader will find it.
    pub(crate) path: PathBuf,
    /// The name that users will need it by.
    pub(crate) name: String,
    /// The `--lib-path` that it comes from; `None` for one of the tree.
    pub(crate) lib_path: Option<PathBuf>,
}

/// The result of a proof.
#[derive(Debug, Default)]
pub(crate) struct Proved {
    /// The number of symbols that users take from the copy.
    pub(crate) symbols: usize,
    /// The reasons why the other library will not do.
    pub(crate) incompatibilities: Vec<Incompatibility>,
}

impl Prover<'_> {
    /// Proves that a library does for all users of a copy.
    pub(crate) fn prove(&self, copy: &Candidate<'_>, substitute: &Substitute<'_>) -> Proved {
        let mut proved = Proved::default();
        let (old, new) = match (
            self.facts.get(&copy.object.file),
            self.facts.get(substitute.file),
        ) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(reason), _) => return unreadable(&copy.object.path, reason),
            (_, Err(reason)) => return unreadable(&substitute.path, reason),
        };
        self.check_itself(copy, substitute, [old, new], &mut proved.incompatibilities);
        let mut comparison = Comparison::new(old, new);
        for path in self.graph.loaders(&copy.object.path) {
            let Some(user) = self.request.tree.get(&path) else {
                continue;
            };
            let facts = match self.facts.get(&user.file) {
                Ok(facts) => facts,
                Err(reason) => return unreadable(&path, reason),
            };
            let names = self.graph.names(&path, &copy.object.path);
            let names = names.cloned().unwrap_or_default();
            comparison.imports(&path, facts, &names);
            comparison.versions(user, substitute.object, &names);
            if facts.elf.is_program() {
                comparison.copied(&path, facts);
            }
        }
        proved.symbols = comparison.taken.len();
        proved
            .incompatibilities
            .extend(comparison.into_incompatibilities());
        proved
    }

    /// Checks the library itself, whatever its users take.
    fn check_itself(
        &self,
        copy: &Candidate<'_>,
        substitute: &Substitute<'_>,
        [old, new]: [&Facts; 2],
        found: &mut Vec<Incompatibility>,
    ) {
        let expected = &substitute.name;
        let is_hashed_twin = substitute.lib_path.is_none();
        if substitute.object.soname.as_ref() != Some(expected) && !is_hashed_twin {
            found.push(Incompatibility::Soname {
                expected: expected.clone(),
                got: substitute.object.soname.clone(),
            });
        }
        if let Some(rule) = copy.rule {
            let symbols: BTreeSet<String> = incompatibilities(rule, new).into_iter().collect();
            if !symbols.is_empty() {
                found.push(Incompatibility::Identity { symbols });
            }
        }
        let (flags, new_flags) = (old.elf.header.machine_flags, new.elf.header.machine_flags);
        if flags != new_flags {
            found.push(Incompatibility::MachineFlags {
                expected: flags,
                got: new_flags,
            });
        }
        let allowed = if old.has_static_tls() {
            old.tls_len().max(SPARE_STATIC_TLS)
        } else {
            0
        };
        if new.has_static_tls() && allowed < new.tls_len() {
            found.push(Incompatibility::StaticTls {
                len: new.tls_len(),
                allowed,
            });
        }
        self.check_closure(copy, substitute, found);
    }

    /// Checks the libraries that the library needs in turn: found, of the same C library, and not
    /// too new for it.
    fn check_closure(
        &self,
        copy: &Candidate<'_>,
        substitute: &Substitute<'_>,
        found: &mut Vec<Incompatibility>,
    ) {
        let wanted_libc = libc_of(copy.object);
        let mut seen = BTreeSet::new();
        let mut pending = vec![(substitute.object, substitute.path.clone())];
        while let Some((object, path)) = pending.pop() {
            if let (Some(needed), Some(available)) = (
                glibc_version::needed_by(std::iter::once(object)),
                self.glibc_version,
            ) && is_newer_version(&needed, available)
            {
                found.push(Incompatibility::LibcVersion {
                    path: path.clone(),
                    needed,
                    available: available.to_owned(),
                });
            }
            if let (Some(expected), Some(got)) = (wanted_libc, libc_of(object))
                && expected != got
            {
                found.push(Incompatibility::OtherLibc {
                    got: got.to_owned(),
                    expected: expected.to_owned(),
                });
            }
            for name in &object.needed {
                if self.is_of_system(name) || !seen.insert(name.clone()) {
                    continue;
                }
                match self
                    .request
                    .index
                    .by_file_name(name, object, self.request.rules)
                {
                    Found::Library(library) => {
                        pending.push((&library.object, library.directory.join(&library.name)));
                    }
                    _ if substitute.lib_path.is_none() || self.is_needed_already(name) => {}
                    _ => found.push(Incompatibility::Needs {
                        path: path.clone(),
                        soname: name.clone(),
                    }),
                }
            }
        }
    }

    /// Whether the C library or the driver has it.
    fn is_of_system(&self, name: &str) -> bool {
        let rules = self.request.rules;
        rules
            .libc
            .iter()
            .any(|rule| any_matches(&rule.body.soname, name))
            || rules
                .driver
                .iter()
                .any(|rule| any_matches(&rule.body.soname, name))
    }

    /// Whether the tree needs it too, so that it is looked for anyway.
    fn is_needed_already(&self, name: &str) -> bool {
        let mut objects = self.request.tree.objects();
        objects.any(|object| object.needed.iter().any(|needed| needed == name))
    }
}

/// glibc sets this aside for libraries that are opened while the program runs, in bytes
/// (`rtld.optional_static_tls`).
const SPARE_STATIC_TLS: u64 = 512;

fn unreadable(path: &Path, reason: &str) -> Proved {
    Proved {
        symbols: 0,
        incompatibilities: vec![Incompatibility::Unreadable {
            path: path.to_path_buf(),
            reason: reason.to_owned(),
        }],
    }
}

/// One reason for all names that are missing, with the users of any; `None` if none is missing.
fn group(
    missing: BTreeMap<String, BTreeSet<PathBuf>>,
    incompatibility: impl Fn(BTreeSet<String>, BTreeSet<PathBuf>) -> Incompatibility,
) -> Option<Incompatibility> {
    let users: BTreeSet<PathBuf> = missing.values().flatten().cloned().collect();
    let names: BTreeSet<String> = missing.into_keys().collect();
    (!names.is_empty()).then(|| incompatibility(names, users))
}

/// The C library that an object is linked to: `libc.so.6` or that of musl.
fn libc_of(object: &Object) -> Option<&str> {
    let is_libc = |name: &&String| {
        *name == "libc.so.6" || name.starts_with("libc.musl-") || *name == "libc.so"
    };
    let name = object.needed.iter().find(is_libc)?;
    Some(if name == "libc.so.6" {
        "libc.so.6"
    } else {
        "musl"
    })
}

/// Symbols and versions that users take from one library, looked up in another.
struct Comparison<'a> {
    old: &'a Facts,
    new: &'a Facts,
    /// Symbols that users take, with versions.
    taken: BTreeSet<String>,
    /// Those of them that the other library does not define, and who takes each.
    symbols: BTreeMap<String, BTreeSet<PathBuf>>,
    /// Versions that the other library does not define, and who needs each.
    versions: BTreeMap<String, BTreeSet<PathBuf>>,
    incompatibilities: Vec<Incompatibility>,
    takes_tls: bool,
}

impl<'a> Comparison<'a> {
    fn new(old: &'a Facts, new: &'a Facts) -> Self {
        Self {
            old,
            new,
            taken: BTreeSet::new(),
            symbols: BTreeMap::new(),
            versions: BTreeMap::new(),
            incompatibilities: Vec::new(),
            takes_tls: false,
        }
    }
}

impl Comparison<'_> {
    /// Looks up what a user imports; `names` are those by which it needs the old library itself.
    fn imports(&mut self, path: &Path, user: &Facts, names: &BTreeSet<String>) {
        let undefined = user.symbols.iter().filter(is_import);
        for symbol in undefined {
            let version = user.symbols.version(&symbol);
            let (file, wanted) = match version {
                Some(version) => (version.file.as_deref(), Some(version.name.as_str())),
                None => (None, None),
            };
            let is_named = file.is_some_and(|file| names.contains(file));
            let name = HashedName::new(symbol.name);
            let wanted = wanted.map(|name| WantedVersion {
                name,
                hidden: false,
            });
            let before = self.old.symbols.definition(&name, wanted);
            // What has the version of another library comes from there, unless only the name was lost.
            if !is_named
                && (file.is_some_and(|file| !names.is_empty() || !self.answers_to(file))
                    || before.is_none())
            {
                continue;
            }
            let text = describe(&symbol, wanted);
            self.taken.insert(text.clone());
            match (before, self.new.symbols.definition(&name, wanted)) {
                (_, None) => {
                    self.symbols
                        .entry(text)
                        .or_default()
                        .insert(path.to_path_buf());
                }
                (Some(before), Some(after)) => self.compare(path, text, &before, &after),
                (None, Some(_)) => {}
            }
        }
    }

    /// Whether the old library has this soname.
    fn answers_to(&self, file: &str) -> bool {
        let soname = self
            .old
            .elf
            .dynamic
            .as_ref()
            .and_then(|dynamic| dynamic.soname.as_deref());
        soname == Some(file)
    }

    fn compare(&mut self, path: &Path, symbol: String, before: &Symbol<'_>, after: &Symbol<'_>) {
        if let (Some(expected), Some(got)) = (kind(before.kind), kind(after.kind))
            && expected != got
        {
            self.push(Incompatibility::Kind {
                symbol,
                expected: expected.to_owned(),
                got: got.to_owned(),
            });
        } else if before.kind == SymbolKind::TLS {
            self.takes_tls = true;
            if before.len != after.len {
                self.push(Incompatibility::Length {
                    symbol,
                    expected: before.len,
                    got: after.len,
                    user: path.to_path_buf(),
                });
            }
        }
    }

    /// Compares the lengths of data that a program has copied to itself when it was linked.
    fn copied(&mut self, path: &Path, program: &Facts) {
        let own = program.symbols.iter();
        for symbol in own.filter(|symbol| symbol.is_exported() && symbol.kind == SymbolKind::OBJECT)
        {
            let name = HashedName::new(symbol.name);
            let version = program
                .symbols
                .version(&symbol)
                .map(|version| version.name.as_str());
            let wanted = version.map(|name| WantedVersion {
                name,
                hidden: false,
            });
            if self.old.symbols.definition(&name, wanted).is_none() {
                continue;
            }
            let text = describe(&symbol, wanted);
            self.taken.insert(text.clone());
            match self.new.symbols.definition(&name, wanted) {
                None => {
                    self.symbols
                        .entry(text)
                        .or_default()
                        .insert(path.to_path_buf());
                }
                Some(after) if after.len != symbol.len => self.push(Incompatibility::Length {
                    symbol: text,
                    expected: symbol.len,
                    got: after.len,
                    user: path.to_path_buf(),
                }),
                Some(_) => {}
            }
        }
    }

    /// Looks up the versions that a user needs of the old library; `names` as in [`Self::imports`].
    fn versions(&mut self, user: &Object, substitute: &Object, names: &BTreeSet<String>) {
        let needs = user.version_needs.iter();
        for need in needs.filter(|need| names.contains(&need.file) && !need.weak) {
            if !substitute.version_definitions.contains(&need.version) {
                let users = self.versions.entry(need.version.clone()).or_default();
                users.insert(user.path.clone());
            }
        }
    }

    /// All reasons why the new library will not do.
    fn into_incompatibilities(mut self) -> Vec<Incompatibility> {
        let (expected, got) = (self.old.tls_len(), self.new.tls_len());
        if self.takes_tls && got < expected {
            self.push(Incompatibility::TlsBlock { expected, got });
        }
        let versions = group(self.versions, |versions, needed_by| {
            Incompatibility::Versions {
                versions,
                needed_by,
            }
        });
        let symbols = group(self.symbols, |symbols, needed_by| {
            Incompatibility::Symbols { symbols, needed_by }
        });
        versions
            .into_iter()
            .chain(symbols)
            .chain(self.incompatibilities)
            .collect()
    }

    fn push(&mut self, incompatibility: Incompatibility) {
        if !self.incompatibilities.contains(&incompatibility) {
            self.incompatibilities.push(incompatibility);
        }
    }
}

fn is_import(symbol: &Symbol<'_>) -> bool {
    let visible = matches!(
        symbol.visibility,
        Visibility::Default | Visibility::Protected
    );
    !symbol.is_defined() && symbol.binding != Binding::LOCAL && visible && !symbol.name.is_empty()
}

fn describe(symbol: &Symbol<'_>, version: Option<WantedVersion<'_>>) -> String {
    let name = String::from_utf8_lossy(symbol.name);
    match version {
        Some(version) => format!("{name}@{}", version.name),
        None => name.into_owned(),
    }
}

/// The kind of a symbol to its users: code, data or thread-local data; `None` if it does not say.
fn kind(kind: SymbolKind) -> Option<&'static str> {
    match kind {
        SymbolKind::NOTYPE => None,
        SymbolKind::OBJECT | SymbolKind::COMMON => Some("data"),
        SymbolKind::TLS => Some("thread-local data"),
        _ => Some("code"),
    }
}
