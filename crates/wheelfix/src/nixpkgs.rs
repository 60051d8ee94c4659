//! Packages of nixpkgs as expressions, and what nixpkgs does not evaluate unasked.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::OnceLock;

use wheelfix_format::{Libc, Target};

/// Why nixpkgs does not evaluate a package.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Refusal {
    /// Its licence is not free.
    Unfree,
    /// Nobody mends it any more: it has to be permitted by this name.
    Insecure(&'static str),
    /// It is not there any more.
    Removed,
}

/// Starts of attributes with what refuses them, in nixpkgs 26.05.
const REFUSED: &[(&str, Refusal)] = &[
    ("cudaPackages", Refusal::Unfree),
    ("mkl", Refusal::Unfree),
    ("mysql80", Refusal::Removed),
    ("openssl_1_1", Refusal::Insecure("openssl-1.1.1w")),
];

/// The reason that refuses an attribute, in whatever set of packages it is.
pub(crate) fn refusal(attribute: &str) -> Option<Refusal> {
    let name = attribute.strip_prefix("pkgsi686Linux.");
    let name = name.unwrap_or(attribute);
    let mut refused = REFUSED.iter();
    let (_, refusal) = refused.find(|(start, _)| {
        let rest = name.strip_prefix(start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
    })?;
    Some(*refusal)
}

impl Refusal {
    /// The setting of nixpkgs' configuration with which it is evaluated; `None` if there is none.
    pub(crate) fn setting(self) -> Option<Cow<'static, str>> {
        match self {
            Self::Unfree => Some("allowUnfree = true;".into()),
            Self::Insecure(name) => {
                Some(format!("permittedInsecurePackages = [ \"{name}\" ];").into())
            }
            Self::Removed => None,
        }
    }

    /// A comment: all that has to be known of an attribute.
    pub(crate) fn comment(self, attribute: &str) -> String {
        match self {
            Self::Unfree => "unfree".to_owned(),
            Self::Insecure(_) => {
                "insecure: nobody mends it any more, and a newer nixpkgs may not have it".to_owned()
            }
            Self::Removed => {
                format!("`{attribute}` is removed from nixpkgs, an older one has it")
            }
        }
    }
}

/// The packages for a target that is named: the arguments of nixpkgs, and the set in it.
static FOR_TARGET: OnceLock<(String, &'static str)> = OnceLock::new();

/// Says that files are for a target that is named.
pub(crate) fn for_target(target: &Target) {
    FOR_TARGET.get_or_init(|| {
        let machine = match target.arch.as_str() {
            "ppc64le" => "powerpc64le",
            "ppc64" => "powerpc64",
            "armv8l" => "armv7l",
            arch => arch,
        };
        let set = match target.libc {
            Libc::Musl { .. } => ".pkgsMusl",
            _ => "",
        };
        (format!("system = \"{machine}-linux\"; "), set)
    });
}

/// Whether a target is named.
pub(crate) fn is_for_target() -> bool {
    FOR_TARGET.get().is_some()
}

/// The packages of nixpkgs, as an expression, with what has to be allowed for these.
pub(crate) fn packages<'a>(attributes: impl IntoIterator<Item = &'a str>) -> String {
    let refusals: BTreeSet<Refusal> = attributes.into_iter().filter_map(refusal).collect();
    let settings = refusals.into_iter().filter_map(Refusal::setting);
    let add = |all: String, setting: Cow<'_, str>| all + "config." + &setting + " ";
    let config = settings.fold(String::new(), add);
    let (system, set) = FOR_TARGET
        .get()
        .map_or(("", ""), |(system, set)| (system, *set));
    let packages = format!("import <nixpkgs> {{ {system}{config}}}");
    if set.is_empty() {
        packages
    } else {
        format!("({packages}){set}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_attributes_are_known_in_any_set() {
        for attribute in ["cudaPackages.cudnn", "cudaPackages_12.libcublas", "mkl"] {
            assert_eq!(refusal(attribute), Some(Refusal::Unfree), "{attribute}");
        }
        let insecure = Some(Refusal::Insecure("openssl-1.1.1w"));
        assert_eq!(refusal("pkgsi686Linux.openssl_1_1"), insecure);
        for attribute in ["openssl", "zlib", "mklx", "stdenv.cc.cc.lib"] {
            assert_eq!(refusal(attribute), None, "{attribute}");
        }
    }

    #[test]
    fn what_is_allowed_is_said_once() {
        let two = ["mkl", "cudaPackages.nccl", "zlib"];
        let want = "import <nixpkgs> { config.allowUnfree = true; }";
        assert_eq!(packages(two), want);
        assert_eq!(packages(["zlib"]), "import <nixpkgs> { }");
    }
}
