//! What the options in a message are called in a .nix file.

use std::collections::BTreeSet;

use crate::error::print;

/// An option of the command line, and the setting.
const OPTIONS: &[(&str, &str)] = &[
    ("--lib-path", "libs = [ \"${DIR}\" ];"),
    ("--exclude", "exclude = [ \"GLOB\" ];"),
    ("--ignore-missing", "ignoreMissing = [ \"GLOB\" ];"),
    ("--backend", "backends = [ \"NAME\" ];"),
    ("--interpreter", "interpreter = \"PATH\";"),
    ("--relax", "relax = [ \"NAME\" ];"),
    ("--relax-upper", "relaxUpper = [ \"NAME\" ];"),
    ("--remove-dep", "removeDeps = [ \"NAME\" ];"),
    ("--on-collision", "onCollision = [ \"GLOB=first\" ];"),
    ("--allow-unmet", "allowUnmet = [ \"NAME\" ];"),
    ("--bundled", "bundled = [ \"GLOB=keep\" ];"),
    ("--driver-path", "driverPath = \"DIR\";"),
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
    print(mentioned.iter().map(|(option, setting)| {
        format!("hint: in the .nix file `{option}` is `wheelfix.{setting}`\n")
    }));
}
