//! The settings of a .nix file, by the options of the command line.

/// An option, how its setting is written with `{}` for the value, and a word for the value.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Setting(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

/// The options that have a setting, by name.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting("--accept-mismatch", "acceptMismatch = [ \"{}\" ];", "GLOB"),
    Setting("--activate", "activate = \"{}\";", "HOW"),
    Setting("--allow-unmet", "allowUnmet = [ \"{}\" ];", "NAME"),
    Setting("--backend", "backends = [ \"{}\" ];", "NAME"),
    Setting("--bundled", "bundled = [ \"{}\" ];", "GLOB=keep"),
    Setting("--bytecode", "bytecode = [ {} ];", "0 1"),
    Setting("--check-deps", "checkDeps = [ \"{}\" ];", "${PREFIX}"),
    Setting("--check-twice", "checkTwice = true;", ""),
    Setting("--direct-url", "directUrl = \"{}\";", "URL"),
    Setting("--driver-path", "driverPath = \"{}\";", "DIR"),
    Setting("--exclude", "exclude = [ \"{}\" ];", "GLOB"),
    Setting("--heal", "heal = true;", ""),
    Setting("--ignore-missing", "ignoreMissing = [ \"{}\" ];", "GLOB"),
    Setting("--ignore-symbol", "ignoreSymbols = [ \"{}\" ];", "GLOB"),
    Setting("--installer", "installer = \"{}\";", "NAME"),
    Setting("--interpreter", "interpreter = \"{}\";", "PATH"),
    Setting("--invalidation-mode", "invalidation = \"{}\";", "MODE"),
    Setting("--keep-namespace-pth", "keepNamespacePth = true;", ""),
    Setting("--lib-path", "libs = [ \"{}\" ];", "DIR"),
    Setting("--library-table", "libraryTable = true;", ""),
    Setting("--link", "link = \"{}\";", "MODE"),
    Setting("--max-ratio", "maxRatio = {};", "N"),
    Setting("--max-size", "maxSize = \"{}\";", "SIZE"),
    Setting("--namespace", "namespaces = [ \"{}\" ];", "NAME"),
    Setting("--nixpkgs-names", "nixpkgsNames = true;", ""),
    Setting("--no-bytecode", "bytecode = false;", ""),
    Setting("--no-library-table", "libraryTable = false;", ""),
    Setting("--on-collision", "onCollision = [ \"{}\" ];", "GLOB=first"),
    Setting("--prove", "prove = \"{}\";", "PATHS"),
    Setting("--provides", "provides = [ \"{}\" ];", "NEW=OLD"),
    Setting("--python", "python = \"{}\";", "EXE"),
    Setting("--python-version", "pythonVersion = \"{}\";", "X.Y"),
    Setting("--relax", "relax = [ \"{}\" ];", "NAME"),
    Setting("--relax-all", "relax = true;", ""),
    Setting("--relax-upper", "relaxUpper = [ \"{}\" ];", "NAME"),
    Setting("--remove-all-deps", "removeDeps = true;", ""),
    Setting("--remove-bin-bytecode", "removeBinBytecode = true;", ""),
    Setting("--remove-dep", "removeDeps = [ \"{}\" ];", "NAME"),
    Setting("--remove-tests", "removeTests = true;", ""),
    Setting("--requested", "requested = true;", ""),
    Setting("--rpath", "rpath = \"{}\";", "STYLE"),
    Setting("--rules", "rules = [ ./{} ];", "FILE"),
    Setting("--target", "target = \"{}\";", "TARGET"),
    Setting("--target-python", "targetPython = \"{}\";", "EXE"),
    Setting("--unify", "unify = true;", ""),
];

/// The setting of an option.
pub(crate) fn setting(option: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.0 == option)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;
    use crate::builder::settings;

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

    /// Settings that no option of these commands is.
    const ONLY_SETTINGS: &[&str] = &[
        "action",
        "appendRunpaths",
        "inputs",
        "package",
        "propagate",
        "runtimeDependencies",
        "standalone",
    ];

    #[test]
    fn options_are_sorted() {
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.0));
    }

    #[test]
    fn every_option_has_a_setting() {
        let command = crate::Args::command();
        let mut missing = BTreeSet::new();
        for name in ["install", "env", "patch"] {
            let command = command.find_subcommand(name).unwrap();
            let longs = command.get_arguments().filter_map(clap::Arg::get_long);
            missing.extend(
                longs
                    .map(|long| format!("--{long}"))
                    .filter(|option| !NONE.contains(&option.as_str()) && setting(option).is_none()),
            );
        }
        assert!(missing.is_empty(), "no setting for {missing:?}");
    }

    #[test]
    fn every_setting_is_that_of_an_option() {
        let of_options: BTreeSet<&str> = SETTINGS
            .iter()
            .filter_map(|Setting(_, setting, _)| setting.split(' ').next())
            .chain(ONLY_SETTINGS.iter().copied())
            .collect();
        let known: BTreeSet<&str> = settings::names().collect();
        assert_eq!(of_options, known);
    }

    #[test]
    fn every_setting_is_documented() {
        let text = include_str!("../../../docs/nix.md");
        let missing: Vec<&str> = settings::names()
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
