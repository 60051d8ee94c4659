//! The options for wheels and their files.

use std::path::PathBuf;

use wheelfix_format::{EditAction, MetadataEdit, PackageNameError, PatternError};
use wheelfix_install::{Cleanup, Provenance, WheelOptions};
use wheelfix_link::{Alias, Pattern};

use crate::common::real_paths;
use crate::error::Error;
use crate::limits::LimitArgs;
use crate::message::BREAK;
use crate::remedy::ask_plain;

/// Options for wheels and their files
#[derive(Debug, clap::Args)]
pub(crate) struct WheelArgs {
    #[command(flatten)]
    pub(crate) metadata: MetadataArgs,
    /// Files to leave out, relative to the prefix or to site-packages
    #[arg(long, value_name = "GLOB", value_parser = Pattern::new, help_heading = "Wheels")]
    exclude: Vec<Pattern>,
    /// Files of a wheel to accept although RECORD does not vouch for them
    #[arg(long, value_name = "GLOB", value_parser = accepted, help_heading = "Wheels")]
    accept_mismatch: Vec<Pattern>,
    /// Prefix that has to hold what the wheels require and do not bring themselves
    #[arg(long, value_name = "DIR")]
    check_deps: Vec<PathBuf>,
    /// Distribution that serves for another where requirements are checked
    #[arg(long, value_name = "NEW=OLD", value_parser = alias)]
    provides: Vec<Alias>,
    #[command(flatten)]
    cleanup: CleanupArgs,
    #[command(flatten)]
    provenance: ProvenanceArgs,
}

/// How requirements are edited
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Requirements")]
pub(crate) struct MetadataArgs {
    /// Drop all version bounds of this requirement (`*` matches any text)
    #[arg(long, value_name = "NAME")]
    relax: Vec<String>,
    /// Drop the version bounds of all requirements
    #[arg(long)]
    relax_all: bool,
    /// Drop the upper version bounds of this requirement
    #[arg(long, value_name = "NAME")]
    relax_upper: Vec<String>,
    /// Remove this requirement
    #[arg(long, value_name = "NAME")]
    remove_dep: Vec<String>,
    /// Remove all requirements
    #[arg(long)]
    remove_all_deps: bool,
    /// Match names by prefix, as nixpkgs' hooks do; one that matches nothing is not an error
    #[arg(long)]
    nixpkgs_names: bool,
}

/// Files that nixpkgs' hooks remove
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Files that nixpkgs removes")]
struct CleanupArgs {
    /// Package that is a namespace, like `google.cloud`: it and its parents get no __init__.py
    #[arg(long, value_name = "NAME", value_parser = namespace)]
    namespace: Vec<String>,
    /// Keep `*-nspkg.pth` where there is a `--namespace`
    #[arg(long)]
    keep_namespace_pth: bool,
    /// Leave out `tests` and `test` at the top of site-packages
    #[arg(long)]
    remove_tests: bool,
    /// Leave out bytecode in `bin`
    #[arg(long)]
    remove_bin_bytecode: bool,
}

/// Where the wheels came from
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Origin")]
struct ProvenanceArgs {
    /// Write INSTALLER with this name
    #[arg(long, value_name = "NAME", value_parser = installer_name)]
    installer: Option<String>,
    /// Write REQUESTED
    #[arg(long)]
    requested: bool,
    /// Write `direct_url.json` with this URL; for one wheel
    #[arg(long, value_name = "URL", value_parser = direct_url)]
    direct_url: Option<String>,
}

/// A value of an option that makes no sense.
#[derive(Debug)]
pub(crate) struct OptionFault {
    /// The option.
    pub(crate) option: &'static str,
    pub(crate) value: String,
    /// The reason why it is refused.
    pub(crate) reason: String,
}

/// All values of options that make no sense.
#[derive(Debug)]
pub(crate) struct OptionFaults(pub(crate) Vec<OptionFault>);

impl OptionFault {
    fn new(option: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self {
            option,
            value: value.to_owned(),
            reason: reason.into(),
        }
    }
}

impl From<OptionFaults> for Error {
    fn from(faults: OptionFaults) -> Self {
        let lines = faults.0.iter().map(|fault| {
            let OptionFault {
                option,
                value,
                reason,
            } = fault;
            match value.as_str() {
                "" => format!("`{option}` {reason}"),
                value => format!("invalid value `{value}` for `{option}`: {reason}"),
            }
        });
        Self::Usage(lines.collect::<Vec<_>>().join(&BREAK.to_string()))
    }
}

/// Why a glob is not taken for files that may differ from RECORD.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcceptedError {
    /// It is not a glob.
    #[error(transparent)]
    Glob(#[from] PatternError),
    /// It matches what nobody has looked at.
    #[error("it accepts nearly every file: name those whose content you know")]
    MatchesAll,
}

/// Why a text does not say which distribution serves for which.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AliasError {
    /// It is not two names.
    #[error("expected NEW=OLD, as `psycopg2-binary=psycopg2`")]
    Form,
    /// One of them is not a name.
    #[error(transparent)]
    Name(#[from] PackageNameError),
}

/// Why a text is not a name of its kind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    /// Of a namespace.
    #[error("expected a.b.c")]
    Namespace,
    /// Of a place on the net or on this machine.
    #[error(
        "is not an absolute URL, as `https://example.org/a-1.0-py3-none-any.whl` or `file:///a.whl`"
    )]
    Url,
    /// Of an installer.
    #[error("is not a name")]
    Installer,
}

/// Made-up files of wheels that have nothing in common: a glob that matches two names nothing.
const UNLIKE: [&str; 9] = [
    "kaqu.py",
    "Maz_ub.pth",
    "bozu/wivy.pyi",
    "dexy/_fupo.abi3.so",
    "jumi/share/glet.json",
    "nicu/hobra/skip.sh",
    "vela-1.0.data/scripts/womp",
    "xyst-2.0.dist-info/licenses/LICENSE",
    "_quag/Data/7z.BIN",
];

/// Files to accept although RECORD does not vouch for them: a glob that names some of them.
pub(crate) fn accepted(text: &str) -> Result<Pattern, AcceptedError> {
    let pattern = Pattern::new(text)?;
    let matched = UNLIKE.iter().filter(|path| pattern.matches(path));
    if matched.count() < 2 {
        Ok(pattern)
    } else {
        Err(AcceptedError::MatchesAll)
    }
}

/// A distribution that serves for another.
pub(crate) fn alias(text: &str) -> Result<Alias, AliasError> {
    let (new, old) = text.split_once('=').ok_or(AliasError::Form)?;
    Ok(Alias {
        distribution: vec![new.trim().parse()?],
        provides: vec![old.trim().parse()?],
    })
}

/// A URL for `direct_url.json`: absolute, with a scheme and what follows it.
///
/// <https://packaging.python.org/en/latest/specifications/direct-url-data-structure/>
pub(crate) fn direct_url(text: &str) -> Result<String, NameError> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) && is_plain && !rest.is_empty() => {
            Ok(text.to_owned())
        }
        _ => Err(NameError::Url),
    }
}

/// A name for INSTALLER.
pub(crate) fn installer_name(text: &str) -> Result<String, NameError> {
    if text.is_empty() || text.contains(char::is_control) {
        Err(NameError::Installer)
    } else {
        Ok(text.to_owned())
    }
}

/// A package that is a namespace, like `google.cloud`.
pub(crate) fn namespace(text: &str) -> Result<String, NameError> {
    let mut parts = text.split('.');
    let is_name = parts.all(|part| {
        let is_start = !part.starts_with(|c: char| c.is_ascii_digit());
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        !part.is_empty() && is_start && part.chars().all(is_word)
    });
    if is_name {
        Ok(text.to_owned())
    } else {
        Err(NameError::Namespace)
    }
}

impl WheelArgs {
    /// Refuses `--check-deps`, for a command that always checks requirements.
    pub(crate) fn refuse_check_deps(&self) -> Result<(), Error> {
        if self.check_deps.is_empty() {
            return Ok(());
        }
        let text = "`--check-deps` is for `install`: an environment checks requirements itself";
        Err(Error::Usage(text.to_owned()))
    }

    /// The options for so many wheels as the pipeline takes them.
    pub(crate) fn resolve(
        &self,
        wheels: usize,
        limits: &LimitArgs,
    ) -> Result<WheelOptions, OptionFaults> {
        let mut faults = Vec::new();
        if let Some(url) = &self.provenance.direct_url
            && wheels != 1
        {
            let reason = "is for one wheel: each has a URL of its own";
            faults.push(OptionFault::new("--direct-url", url, reason));
        }
        let check_deps = real_paths(&self.check_deps).unwrap_or_else(|error| {
            faults.push(OptionFault::new("--check-deps", "", error.to_string()));
            Vec::new()
        });
        let mut take = |faulty: OptionFaults| faults.extend(faulty.0);
        let metadata = self.metadata.resolve().unwrap_or_else(|faulty| {
            take(faulty);
            Vec::new()
        });
        let cleanup = self.cleanup.resolve().unwrap_or_else(|faulty| {
            take(faulty);
            Cleanup::default()
        });
        if !faults.is_empty() {
            return Err(OptionFaults(faults));
        }
        Ok(WheelOptions {
            standalone: None,
            metadata,
            exclude: self.exclude.clone(),
            accept_mismatch: self.accept_mismatch.clone(),
            provides: self.provides.clone(),
            limits: limits.resolve(),
            cleanup,
            provenance: self.provenance.resolve(),
            dependencies: (!check_deps.is_empty()).then_some(check_deps),
        })
    }
}

impl MetadataArgs {
    /// The edits, in an order that does not depend on that of the command line.
    pub(crate) fn resolve(&self) -> Result<Vec<MetadataEdit>, OptionFaults> {
        let (mut edits, mut faults) = (Vec::new(), Vec::new());
        let all = [
            (self.relax_all, EditAction::Relax),
            (self.remove_all_deps, EditAction::Remove),
        ];
        let all = all.into_iter().filter(|(is_asked, _)| *is_asked);
        edits.extend(all.map(|(_, action)| MetadataEdit::all(action)));
        for (names, option, action) in [
            (&self.relax, "--relax", EditAction::Relax),
            (&self.relax_upper, "--relax-upper", EditAction::RelaxUpper),
            (&self.remove_dep, "--remove-dep", EditAction::Remove),
        ] {
            for name in names {
                match self.named(action, name) {
                    Ok(edit) => edits.push(edit),
                    Err(error) => faults.push(OptionFault::new(option, name, error.to_string())),
                }
            }
        }
        if faults.is_empty() {
            Ok(edits)
        } else {
            Err(OptionFaults(faults))
        }
    }

    fn named(&self, action: EditAction, name: &str) -> Result<MetadataEdit, PackageNameError> {
        if self.nixpkgs_names && !name.is_empty() {
            Ok(MetadataEdit::nixpkgs(action, name))
        } else {
            MetadataEdit::named(action, name)
        }
    }
}

impl CleanupArgs {
    fn resolve(&self) -> Result<Cleanup, OptionFaults> {
        if self.keep_namespace_pth && self.namespace.is_empty() {
            let reason = format!("needs {}", ask_plain("--namespace"));
            let fault = OptionFault::new("--keep-namespace-pth", "", reason);
            return Err(OptionFaults(vec![fault]));
        }
        Ok(Cleanup {
            namespaces: self.namespace.clone(),
            keep_namespace_pth: self.keep_namespace_pth,
            tests: self.remove_tests,
            bin_bytecode: self.remove_bin_bytecode,
        })
    }
}

impl ProvenanceArgs {
    fn resolve(&self) -> Provenance {
        Provenance {
            installer: self.installer.clone(),
            requested: self.requested,
            direct_url: self.direct_url.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_of_files_to_accept_names_some() {
        for text in [
            "*",
            "**",
            "**/*",
            "*/*",
            "?*",
            "[!q]*",
            "[!q]**",
            "{**,q}",
            "*.*",
            "**.*",
            "[a-z]*/**",
            "*i*/**",
            "**a**",
            "**[!q]",
            "**/*i*",
            "{amm,[a-z]*}/**",
            "[!\u{1}]**",
        ] {
            assert!(accepted(text).is_err(), "{text}");
        }
        for text in [
            "torch/lib/*.so*",
            "a.*",
            "demo/**",
            "**/*.json",
            "**/top_level.txt",
            "x.py",
        ] {
            assert!(accepted(text).is_ok(), "{text}");
        }
    }
}
