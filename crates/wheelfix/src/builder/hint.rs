//! What the options in a message are called in a .nix file.

use std::collections::BTreeSet;

use crate::error::print;

/// An option of the command line, and how its setting is written.
const OPTIONS: &[(&str, &str)] = &[
    ("--accept-mismatch", "acceptMismatch = [ \"PATH\" ];"),
    ("--activate", "activate = \"HOW\";"),
    ("--allow-unmet", "allowUnmet = [ \"NAME\" ];"),
    ("--backend", "backends = [ \"NAME\" ];"),
    ("--bundled", "bundled = [ \"GLOB=keep\" ];"),
    ("--bytecode", "bytecode = [ 0 1 ];"),
    ("--check-deps", "checkDeps = [ \"${PREFIX}\" ];"),
    ("--direct-url", "directUrl = \"URL\";"),
    ("--driver-path", "driverPath = \"DIR\";"),
    ("--exclude", "exclude = [ \"GLOB\" ];"),
    ("--heal", "heal = true;"),
    ("--ignore-missing", "ignoreMissing = [ \"GLOB\" ];"),
    ("--ignore-symbol", "ignoreSymbols = [ \"GLOB\" ];"),
    ("--installer", "installer = \"NAME\";"),
    ("--interpreter", "interpreter = \"PATH\";"),
    ("--invalidation-mode", "invalidation = \"MODE\";"),
    ("--keep-namespace-pth", "keepNamespacePth = true;"),
    ("--lib-path", "libs = [ \"${DIR}\" ];"),
    ("--link", "link = \"MODE\";"),
    ("--max-ratio", "maxRatio = N;"),
    ("--max-size", "maxSize = \"SIZE\";"),
    ("--namespace", "namespaces = [ \"NAME\" ];"),
    ("--nixpkgs-names", "nixpkgsNames = true;"),
    ("--no-bytecode", "bytecode = false;"),
    ("--on-collision", "onCollision = [ \"GLOB=first\" ];"),
    ("--prove", "prove = \"PATHS\";"),
    ("--python", "python = \"${python3}\";"),
    ("--python-version", "pythonVersion = \"X.Y\";"),
    ("--relax", "relax = [ \"NAME\" ];"),
    ("--relax-all", "relax = true;"),
    ("--relax-upper", "relaxUpper = [ \"NAME\" ];"),
    ("--remove-all-deps", "removeDeps = true;"),
    ("--remove-bin-bytecode", "removeBinBytecode = true;"),
    ("--remove-dep", "removeDeps = [ \"NAME\" ];"),
    ("--remove-tests", "removeTests = true;"),
    ("--requested", "requested = true;"),
    ("--rpath", "rpath = \"STYLE\";"),
    ("--rules", "rules = [ ./rules.toml ];"),
    ("--unify", "unify = true;"),
];

/// Prints how to write the options that the texts mention.
pub(crate) fn translate(texts: impl IntoIterator<Item = String>) {
    let mut mentioned = BTreeSet::new();
    for text in texts {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        for word in words {
            mentioned.extend(OPTIONS.iter().find(|(option, _)| *option == word));
        }
    }
    print(
        "hint",
        mentioned.iter().map(|(option, setting)| {
            format!("in the .nix file `{option}` is `wheelfix.{setting}`")
        }),
    );
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::builder::settings;

    /// Options that are none of a derivation's business.
    const NONE: &[&str] = &[
        "--dry-run", // nix-instantiate
        "--jobs",    // Nix says it in NIX_BUILD_CORES
        "--json",
        "--quiet",
        "--merge", // an output is new
        "--prefix",
        "--output",
        "--help",
    ];

    /// Settings that no option of these commands is.
    const ONLY_SETTINGS: &[&str] = &[
        "action",
        "appendRunpaths",
        "inputs",
        "propagate",
        "runtimeDependencies",
    ];

    #[test]
    fn options_are_sorted() {
        assert!(OPTIONS.is_sorted());
    }

    #[test]
    fn every_option_has_a_setting() {
        let command = crate::Args::command();
        let mut missing = BTreeSet::new();
        for name in ["install", "env", "patch"] {
            let command = command.find_subcommand(name).unwrap();
            let longs = command.get_arguments().filter_map(clap::Arg::get_long);
            missing.extend(longs.map(|long| format!("--{long}")).filter(|option| {
                !NONE.contains(&option.as_str()) && OPTIONS.iter().all(|(it, _)| it != option)
            }));
        }
        assert!(missing.is_empty(), "no setting for {missing:?}");
    }

    #[test]
    fn every_setting_is_that_of_an_option() {
        let of_options: BTreeSet<&str> = OPTIONS
            .iter()
            .filter_map(|(_, setting)| setting.split(' ').next())
            .chain(ONLY_SETTINGS.iter().copied())
            .collect();
        let known: BTreeSet<&str> = settings::names().collect();
        assert_eq!(of_options, known);
    }

    #[test]
    fn every_setting_is_documented() {
        let text = include_str!("../../../../docs/nix.md");
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
