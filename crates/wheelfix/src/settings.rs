//! The settings of a .nix file and the options of the command line: one table of both.

/// The type of a setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Text,
    List,
    /// A list of files beside the .nix file.
    Paths,
    /// `true` stands for all there are.
    ListOrTrue,
    /// Optimisation levels of bytecode; `false` is none of them, `true` the usual ones.
    Levels,
    Flag,
    /// A number, or a text like `64G`.
    Size,
    /// The same, mostly a number.
    Number,
}

/// The purpose of a setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scope {
    /// Everything.
    Any,
    /// Wheels, also those of an environment.
    Wheels,
    /// Environments.
    Environments,
    /// Trees that are on disk already.
    Trees,
    /// Wheels, but not those of an environment.
    Installs,
    /// Packages of the builder: a recipe says what it propagates itself.
    Packages,
}

/// A setting, and the options that say the same on the command line.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) scope: Scope,
    /// The option that gives it its value or a word of its list, and a word for the value; `None` where only a
    /// derivation has a use for it.
    option: Option<(&'static str, &'static str)>,
    /// The option that stands for another value, and that value.
    other: Option<(&'static str, &'static str)>,
}

/// All settings, sorted.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new("acceptMismatch", Kind::List, Scope::Wheels).option("--accept-mismatch", "GLOB"),
    Setting::new("action", Kind::Text, Scope::Any),
    Setting::new("activate", Kind::Text, Scope::Environments).option("--activate", "HOW"),
    Setting::new("allowUnmet", Kind::List, Scope::Environments).option("--allow-unmet", "NAME"),
    Setting::new("appendRunpaths", Kind::List, Scope::Any).option("--append-rpath", "ELEMENT"),
    Setting::new("backends", Kind::List, Scope::Any).option("--backend", "NAME"),
    Setting::new("bundled", Kind::List, Scope::Any).option("--bundled", "GLOB=keep"),
    Setting::new("bytecode", Kind::Levels, Scope::Wheels)
        .option("--bytecode", "0 1")
        .other("--no-bytecode", "false"),
    Setting::new("checkDeps", Kind::List, Scope::Installs).option("--check-deps", "${PREFIX}"),
    Setting::new("checkTwice", Kind::Flag, Scope::Wheels).option("--check-twice", ""),
    Setting::new("directUrl", Kind::Text, Scope::Wheels).option("--direct-url", "URL"),
    Setting::new("driverPath", Kind::Text, Scope::Any).option("--driver-path", "DIR"),
    Setting::new("exclude", Kind::List, Scope::Wheels).option("--exclude", "GLOB"),
    Setting::new("heal", Kind::Flag, Scope::Trees).option("--heal", ""),
    Setting::new("ignoreMissing", Kind::List, Scope::Any).option("--ignore-missing", "GLOB"),
    Setting::new("ignoreSymbols", Kind::List, Scope::Any).option("--ignore-symbol", "GLOB"),
    Setting::new("inputs", Kind::List, Scope::Environments),
    Setting::new("installer", Kind::Text, Scope::Wheels).option("--installer", "NAME"),
    Setting::new("interpreter", Kind::Text, Scope::Any).option("--interpreter", "PATH"),
    Setting::new("invalidation", Kind::Text, Scope::Wheels).option("--invalidation-mode", "MODE"),
    Setting::new("keepNamespacePth", Kind::Flag, Scope::Wheels).option("--keep-namespace-pth", ""),
    Setting::new("libraryTable", Kind::Flag, Scope::Wheels)
        .option("--library-table", "")
        .other("--no-library-table", "false"),
    Setting::new("libs", Kind::List, Scope::Any).option("--lib-path", "DIR"),
    Setting::new("link", Kind::Text, Scope::Environments).option("--link", "MODE"),
    Setting::new("maxRatio", Kind::Number, Scope::Wheels).option("--max-ratio", "N"),
    Setting::new("maxSize", Kind::Size, Scope::Wheels).option("--max-size", "SIZE"),
    Setting::new("namespaces", Kind::List, Scope::Wheels).option("--namespace", "NAME"),
    Setting::new("nixpkgsNames", Kind::Flag, Scope::Any).option("--nixpkgs-names", ""),
    Setting::new("onCollision", Kind::List, Scope::Environments)
        .option("--on-collision", "GLOB=first"),
    Setting::new("package", Kind::Text, Scope::Any),
    Setting::new("propagate", Kind::List, Scope::Packages),
    Setting::new("prove", Kind::Text, Scope::Environments).option("--prove", "PATHS"),
    Setting::new("provides", Kind::List, Scope::Wheels).option("--provides", "NEW=OLD"),
    Setting::new("python", Kind::Text, Scope::Any).option("--python", "EXE"),
    Setting::new("pythonVersion", Kind::Text, Scope::Wheels).option("--python-version", "X.Y"),
    Setting::new("relax", Kind::ListOrTrue, Scope::Any)
        .option("--relax", "NAME")
        .other("--relax-all", "true"),
    Setting::new("relaxUpper", Kind::List, Scope::Any).option("--relax-upper", "NAME"),
    Setting::new("removeBinBytecode", Kind::Flag, Scope::Wheels)
        .option("--remove-bin-bytecode", ""),
    Setting::new("removeDeps", Kind::ListOrTrue, Scope::Any)
        .other("--remove-all-deps", "true")
        .option("--remove-dep", "NAME"),
    Setting::new("removeTests", Kind::Flag, Scope::Wheels).option("--remove-tests", ""),
    Setting::new("requested", Kind::Flag, Scope::Wheels).option("--requested", ""),
    Setting::new("rpath", Kind::Text, Scope::Any).option("--rpath", "STYLE"),
    Setting::new("rules", Kind::Paths, Scope::Any).option("--rules", "FILE"),
    Setting::new("runtimeDependencies", Kind::List, Scope::Any)
        .option("--runtime-dependency", "DIR"),
    Setting::new("standalone", Kind::Flag, Scope::Packages),
    Setting::new("target", Kind::Text, Scope::Any).option("--target", "TARGET"),
    Setting::new("targetPython", Kind::Text, Scope::Any).option("--target-python", "EXE"),
    Setting::new("unify", Kind::Flag, Scope::Any).option("--unify", ""),
];

impl Setting {
    const fn new(name: &'static str, kind: Kind, scope: Scope) -> Self {
        Self {
            name,
            kind,
            scope,
            option: None,
            other: None,
        }
    }

    const fn option(self, option: &'static str, word: &'static str) -> Self {
        Self {
            option: Some((option, word)),
            ..self
        }
    }

    const fn other(self, option: &'static str, value: &'static str) -> Self {
        Self {
            other: Some((option, value)),
            ..self
        }
    }

    /// The option that gives it its value or a word of its list, and the one that stands for another value.
    pub(crate) fn options(&self) -> (Option<&'static str>, Option<&'static str>) {
        let name = |option: Option<(&'static str, _)>| option.map(|(name, _)| name);
        (name(self.option), name(self.other))
    }

    /// The setting as it is written for an option, with `{}` for the value, and a word for that.
    pub(crate) fn template(&self, option: &str) -> (String, &'static str) {
        let name = self.name;
        if let Some((_, value)) = self.other.filter(|(other, _)| *other == option) {
            return (format!("{name} = {value};"), "");
        }
        let value = match self.kind {
            Kind::Text | Kind::Size => "\"{}\"",
            Kind::List | Kind::ListOrTrue => "[ \"{}\" ]",
            Kind::Paths => "[ ./{} ]",
            Kind::Levels => "[ {} ]",
            Kind::Flag => "true",
            Kind::Number => "{}",
        };
        let word = self.option.map_or("", |(_, word)| word);
        (format!("{name} = {value};"), word)
    }
}

/// The names of all settings, sorted.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name)
}

/// The setting of an option.
pub(crate) fn of_option(option: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| {
        let mut options = setting.option.iter().chain(&setting.other);
        options.any(|(known, _)| *known == option)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;

    /// Options that are none of a derivation's business.
    const NONE: &[&str] = &[
        "--dry-run", // nix-instantiate
        "--lock",    // fromLock reads it
        "--select",
        "--wheels",
        "--jobs", // Nix says it in NIX_BUILD_CORES
        "--json",
        "--quiet",
        "--merge", // an output is new
        "--prefix",
        "--output",
        "--help",
        "--verbose",
    ];

    /// Settings that only a derivation has a use for.
    const ONLY_SETTINGS: &[&str] = &["action", "inputs", "package", "propagate", "standalone"];

    #[test]
    fn settings_are_sorted() {
        assert!(names().is_sorted());
    }

    #[test]
    fn every_option_has_a_setting() {
        let command = crate::Args::command();
        let mut missing = BTreeSet::new();
        for name in ["install", "env", "patch"] {
            let command = command.find_subcommand(name).unwrap();
            let longs = command.get_arguments().filter_map(clap::Arg::get_long);
            missing.extend(
                longs.map(|long| format!("--{long}")).filter(|option| {
                    !NONE.contains(&option.as_str()) && of_option(option).is_none()
                }),
            );
        }
        assert!(missing.is_empty(), "no setting for {missing:?}");
    }

    #[test]
    fn every_setting_is_that_of_an_option() {
        let command = crate::Args::command();
        let commands = command.get_subcommands();
        let longs: BTreeSet<String> = commands
            .flat_map(|command| command.get_arguments().filter_map(clap::Arg::get_long))
            .map(|long| format!("--{long}"))
            .collect();
        for setting in SETTINGS {
            let options = setting.option.iter().chain(&setting.other);
            let options: Vec<&str> = options.map(|(option, _)| *option).collect();
            let is_only = ONLY_SETTINGS.contains(&setting.name);
            assert_eq!(options.is_empty(), is_only, "{}", setting.name);
            assert!(options.iter().all(|it| longs.contains(*it)), "{options:?}");
        }
    }

    #[test]
    fn a_setting_is_written_by_its_type() {
        let written = |option| {
            let (template, word) = of_option(option).unwrap().template(option);
            template.replace("{}", word)
        };
        assert_eq!(written("--exclude"), "exclude = [ \"GLOB\" ];");
        assert_eq!(written("--max-size"), "maxSize = \"SIZE\";");
        assert_eq!(written("--max-ratio"), "maxRatio = N;");
        assert_eq!(written("--rules"), "rules = [ ./FILE ];");
        assert_eq!(written("--relax-all"), "relax = true;");
        assert_eq!(written("--no-bytecode"), "bytecode = false;");
        assert_eq!(written("--bytecode"), "bytecode = [ 0 1 ];");
        assert_eq!(written("--heal"), "heal = true;");
    }

    #[test]
    fn every_setting_is_documented() {
        let text = include_str!("../../../docs/nix.md");
        let missing: Vec<&str> = names()
            .filter(|name| {
                let is_row = |line: &str| {
                    let cell = line
                        .strip_prefix("| `")
                        .and_then(|rest| rest.split('|').next());
                    cell.is_some_and(|cell| format!("`{cell}").contains(&format!("`{name}`")))
                };
                !text.lines().any(is_row)
            })
            .collect();
        assert!(missing.is_empty(), "not in docs/nix.md: {missing:?}");
    }
}
