//! Objects that do not load without that being a fault.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_format::{PythonImport, python_import};
use wheelfix_loader::{Object, Undefined};

use crate::proof::builder::definers::Definers;
use crate::proof::builder::tally::imported_as;
use crate::proof::simulation::LoadFailure;
use crate::role::optional::{Group, GroupKind, Member, beside_rules, of_rules};
use crate::role::{Role, Roles, is_module, needs};
use crate::rules::{Pattern, Rules, any_matches};
use crate::tree::Tree;
use crate::tree::site::SITE_PACKAGES;
use crate::tree::text_names::has_library_name;

/// The objects that do not load, by path, with what they lack.
pub(super) type Failing<'f> = BTreeMap<&'f Path, &'f [LoadFailure]>;

/// All that an allowance depends on.
#[derive(Clone, Copy)]
pub(super) struct Allowances<'a> {
    pub(super) tree: &'a Tree,
    pub(super) rules: &'a Rules,
    /// Backends that the user asks for, which must load.
    pub(super) backends: &'a [Pattern],
    pub(super) definers: &'a Definers<'a>,
}

/// The names of the libraries among what an object lacks.
fn libraries(failures: &[LoadFailure]) -> impl Iterator<Item = &str> {
    failures.iter().filter_map(|failure| match failure {
        LoadFailure::Library { name, .. } => Some(name.as_str()),
        _ => None,
    })
}

/// The libraries that an object lacks but for some. `None` if it lacks something else than libraries.
fn own<'f>(failures: &'f [LoadFailure], shared: &BTreeSet<&str>) -> Option<BTreeSet<&'f str>> {
    let own: BTreeSet<&str> = libraries(failures).collect();
    let is_library = |failure: &LoadFailure| matches!(failure, LoadFailure::Library { .. });
    let own = own.into_iter().filter(|name| !shared.contains(name));
    failures.iter().all(is_library).then(|| own.collect())
}

/// The libraries that each of some objects lacks.
fn lacked_by_all<'f>(failing: impl Iterator<Item = &'f [LoadFailure]>) -> BTreeSet<&'f str> {
    let lacked = failing.map(|failures| libraries(failures).collect::<BTreeSet<&str>>());
    lacked
        .reduce(|all, lacked| &all & &lacked)
        .unwrap_or_default()
}

impl Allowances<'_> {
    /// Why objects need not load, as the end of a sentence, by path.
    ///
    /// Where nothing else of the output loads, what only lacks libraries must.
    pub(super) fn of(self, failing: &Failing<'_>, any_loads: bool) -> BTreeMap<PathBuf, String> {
        if failing.is_empty() {
            return BTreeMap::new();
        }
        let mut allowed = self.completed_by_rule(failing);
        let roles = Roles::of(self.tree, self.rules);
        let lacked_by_all = if any_loads {
            BTreeSet::new()
        } else {
            lacked_by_all(failing.values().copied())
        };
        let any_would = failing
            .values()
            .any(|failures| own(failures, &lacked_by_all).is_some_and(|own| own.is_empty()));
        if any_loads || any_would {
            let mut groups = of_rules(self.tree, self.rules);
            groups.extend(beside_rules(self.tree, self.rules, &roles));
            let members = groups.iter().flat_map(|group| &group.members);
            let members: BTreeSet<&Path> = members.map(|it| it.object.path.as_path()).collect();
            let mut elsewhere = lacked_by_all;
            let others = failing.iter().filter(|(path, _)| !members.contains(*path));
            elsewhere.extend(others.flat_map(|(_, failures)| libraries(failures)));
            for group in &groups {
                allowed.extend(self.of_group(group, failing, &elsewhere));
            }
        }
        allowed.extend(self.completed(&roles, failing, any_loads));
        allowed
    }

    /// Why members of a group need not load. `elsewhere` has the libraries that are missing whatever they lack: who lacks
    /// nothing but these stays among the faults.
    fn of_group(
        self,
        group: &Group<'_>,
        all: &Failing<'_>,
        elsewhere: &BTreeSet<&str>,
    ) -> Vec<(PathBuf, String)> {
        let failures = |member: &Member<'_>| {
            all.get(member.object.path.as_path())
                .copied()
                .unwrap_or(&[])
        };
        let (mut failing, sound): (Vec<&Member<'_>>, Vec<&Member<'_>>) = group
            .members
            .iter()
            .partition(|member| !failures(member).is_empty());
        let must_one = matches!(
            group.kind,
            GroupKind::OneOrMore | GroupKind::Alternatives(_)
        );
        let mut shared = elsewhere.clone();
        if must_one && sound.is_empty() {
            shared.extend(lacked_by_all(failing.iter().map(|member| failures(member))));
        }
        let lacks_more =
            |member: &&Member<'_>| own(failures(member), &shared).is_none_or(|own| !own.is_empty());
        if must_one && sound.is_empty() && failing.iter().all(lacks_more) {
            return Vec::new();
        }
        failing.retain(lacks_more);
        // What only lacks something may be left; what is damaged, only if a rule says so or nobody opens what is called so.
        let is_damaged = |member: &Member<'_>| {
            let mut failures = failures(member).iter();
            failures.any(
                |failure| matches!(failure, LoadFailure::Blocked { stop, .. } if !stop.is_inferred),
            )
        };
        let may_be_damaged =
            |member: &Member<'_>| member.is_ruled || !has_library_name(&member.object.path);
        let allowed = failing.into_iter();
        let allowed = allowed.filter(|member| may_be_damaged(member) || !is_damaged(member));
        let allowed = allowed.filter(|member| !member.is_named_by(self.backends));
        let may_lack = |member: &Member<'_>| {
            let GroupKind::Accelerated(libraries) = &group.kind else {
                return true;
            };
            own(failures(member), &shared)
                .is_some_and(|own| own.iter().all(|name| any_matches(libraries, name)))
        };
        let allowed = allowed.filter(|member| may_lack(member));
        let reason = |member: &Member<'_>| {
            let reason = format!("does not load and need not (rule `{}`)", member.rule);
            (member.object.path.clone(), reason)
        };
        allowed.map(reason).collect()
    }

    /// Objects that lack nothing but symbols, of which rules say that their host brings them.
    fn completed_by_rule(self, failing: &Failing<'_>) -> BTreeMap<PathBuf, String> {
        let completed = failing.iter().filter_map(|(path, failures)| {
            let lacking = symbols(failures)?;
            let rule = self.rules.together.iter().find(|rule| {
                let body = &rule.body;
                let is_host = |host: &Path| body.host.iter().any(|glob| glob.matches_end(host));
                let has = |symbol: &Undefined| {
                    let name = String::from_utf8_lossy(&symbol.name);
                    body.symbols.iter().any(|glob| glob.matches(&name))
                        || self.definers.of(symbol).any(is_host)
                };
                body.completed.iter().any(|glob| glob.matches_end(path)) && lacking.clone().all(has)
            })?;
            let reason = format!("loads only after its host (rule `{}`)", rule.name);
            Some((path.to_path_buf(), reason))
        });
        completed.collect()
    }

    /// Objects that lack nothing but symbols which their users bring: those of a library that is carried for
    /// others, if not all of it fails by itself, those that the output defines and makes visible to all, those of
    /// a program and of the libraries that it needs, which opens its own modules, and those that the output defines
    /// of what nobody opens by its name. What Python imports is imported without any of them, unless the source of
    /// its package makes some visible first.
    fn completed(
        self,
        roles: &Roles,
        failing: &Failing<'_>,
        any_loads: bool,
    ) -> BTreeMap<PathBuf, String> {
        let of_programs = LazyCell::new(|| self.definers.of_programs());
        let completed = failing.iter().filter_map(|(path, failures)| {
            let lacking = symbols(failures)?;
            let is_defined = |symbol| self.definers.of(symbol).next().is_some();
            let is_module = self.tree.get(path).is_some_and(is_module);
            let is_global =
                !is_module && roles.sources.completes(path) && lacking.clone().all(is_defined);
            let is_preceded = is_module
                && (roles.sources.precedes(path) || self.imports_what_is_global(path))
                && lacking
                    .clone()
                    .all(|symbol| self.definers.is_anywhere(symbol));
            let is_of_program = self.is_of_program(roles, path, lacking.clone(), &of_programs);
            let is_carried = roles.of_object(path) == Role::Carried
                && (any_loads || lacking.clone().any(is_defined));
            let is_part = any_loads
                && roles.is_of_distribution()
                && lacking.clone().all(is_defined)
                && self.tree.get(path).is_some_and(|object| {
                    self.is_opened_by_host(roles, object, &mut BTreeSet::new())
                });
            (is_carried || is_global || is_preceded || is_of_program || is_part).then(|| {
                let reason = "loads only after what has its symbols".to_owned();
                (path.to_path_buf(), reason)
            })
        });
        completed.collect()
    }

    /// Whether the `__init__.py` of a package that a module lies in, which Python runs before it imports the module, imports
    /// another wheel's package that makes symbols visible to all, as clingo does.
    fn imports_what_is_global(self, module: &Path) -> bool {
        let packages = module.ancestors().skip(1);
        let inits: BTreeSet<PathBuf> = packages.map(|it| it.join("__init__.py")).collect();
        let sources = self.tree.sources.iter();
        let mut inits = sources.filter(|source| inits.contains(&source.path));
        inits.any(|init| {
            let text = fs_err::read(&init.file).unwrap_or_default();
            let mut globals = self.definers.globals().iter();
            globals.any(|name| python_import(&text, name, true) == Some(PythonImport::Always))
        })
    }

    /// Whether only other objects can open one, if anything does: Python cannot import it, no source has its name, and none
    /// needs it of which that is not true, with which it would be loaded.
    fn is_opened_by_host<'t>(
        self,
        roles: &Roles,
        object: &'t Object,
        seen: &mut BTreeSet<&'t Path>,
    ) -> bool
    where
        Self: 't,
    {
        if !seen.insert(&object.path) {
            return true;
        }
        let is_started = is_importable(object) || object.is_program();
        let mut users = self.tree.objects().filter(|other| needs(other, object));
        !is_started
            && !roles.sources.may_open(object)
            && users.all(|user| self.is_opened_by_host(roles, user, seen))
    }

    /// Whether a program opens what lacks these symbols: it defines one, or a library that it needs does, and others
    /// that it opens define the rest. What a source names whole Python opens, which has no libraries of programs.
    fn is_of_program<'f>(
        self,
        roles: &Roles,
        path: &Path,
        lacking: impl Iterator<Item = &'f Undefined> + Clone,
        of_programs: &BTreeSet<PathBuf>,
    ) -> bool {
        let Some(object) = self.tree.get(path) else {
            return false;
        };
        // A program brings an interpreter of its own for what lies in no package.
        if is_importable(object) && is_in_package(object) {
            return false;
        }
        let is_named = roles.sources.names(object);
        let has_program = |symbol: &Undefined| {
            let is_program = |path| self.tree.get(path).is_some_and(Object::is_program);
            let is_of = |path| is_program(path) || (!is_named && of_programs.contains(path));
            self.definers.of(symbol).any(is_of)
        };
        let is_brought = |symbol: &Undefined| {
            has_program(symbol) || (!is_named && self.definers.of(symbol).next().is_some())
        };
        let mut all = lacking.clone();
        lacking.into_iter().any(has_program) && all.all(is_brought)
    }
}

/// Whether Python can import an object.
fn is_importable(object: &Object) -> bool {
    is_module(object) && imported_as(object, object.abi).is_some()
}

/// Whether an object lies in `site-packages` itself or in a package that has an `__init__.py`.
fn is_in_package(object: &Object) -> bool {
    let directory = object.file.parent();
    directory.is_none_or(|it| it.ends_with(SITE_PACKAGES) || it.join("__init__.py").is_file())
}

/// The symbols that are all that an object lacks; `None` if it lacks something else.
fn symbols(failures: &[LoadFailure]) -> Option<impl Iterator<Item = &Undefined> + Clone> {
    let only = failures
        .iter()
        .all(|failure| matches!(failure, LoadFailure::Symbols { .. }));
    let symbols = failures.iter().flat_map(|failure| match failure {
        LoadFailure::Symbols { symbols, .. } => symbols.as_slice(),
        _ => &[],
    });
    only.then_some(symbols)
}
