//! One bundled library, and the decision about it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use wheelfix_link::count;

use crate::incompatibility::{Incompatibility, list};

/// A copy of somebody else's library in a tree.
#[derive(Clone, Debug, Serialize)]
pub struct Bundled {
    /// Its final path.
    pub path: PathBuf,
    /// Where its bytes lie now.
    #[serde(skip)]
    pub file: PathBuf,
    /// The soname that its makers gave it: `libgfortran.so.5`.
    pub soname: String,
    /// The rule that knows it; `None` for a library that no rule knows.
    pub rule: Option<String>,
    /// Its upstream version: `14.2`, or `8 or later` where only a lower bound is known. `None` if
    /// nothing states it.
    pub version: Option<String>,
    /// In hexadecimal; `None` if it has none.
    pub build_id: Option<String>,
    /// In bytes.
    pub len: u64,
    /// Final paths of those that need it.
    pub users: Vec<PathBuf>,
    /// Final paths of other files of the tree that are the same library.
    pub copies: Vec<PathBuf>,
    /// The decision about it.
    #[serde(rename = "verdict")]
    pub decision: Decision,
}

/// The decision about a bundled library.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Decision {
    /// It stays.
    Keep {
        /// Why.
        reason: KeepReason,
    },
    /// It goes, and its users use another one.
    Replace {
        /// The one that stands in.
        by: Provider,
        /// How many symbols its users take from it; the other one defines all of them.
        symbols: usize,
    },
    /// It goes.
    Drop {
        /// Why.
        reason: DropReason,
    },
}

/// A library that stands in for a copy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Provider {
    /// Where the loader will find it.
    pub path: PathBuf,
    /// The file behind the path, links followed, where it lies now.
    #[serde(skip)]
    pub file: PathBuf,
    /// The name that users need it by.
    pub name: String,
    /// The library path that it comes from; `None` for a file of the tree itself.
    pub lib_path: Option<PathBuf>,
    /// Its upstream version, as in [`Bundled`].
    pub version: Option<String>,
}

/// Why a bundled library stays.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum KeepReason {
    /// The user wants it.
    #[serde(rename = "wished")]
    Overridden {
        /// The `--bundled` option.
        #[serde(rename = "wish")]
        given: String,
    },
    /// It is at home there.
    Home,
    /// The rule says so.
    Rule,
    /// No rule knows it.
    Unknown,
    /// It has the name of a known library, but is another one.
    Impostor {
        /// The symbols that the known library defines and this file does not.
        #[serde(rename = "lacks")]
        incompatibilities: Vec<String>,
    },
    /// Nothing on a library path has its name.
    NoProvider,
    /// A library was found that is not proved to do for the copy.
    Unproved {
        /// The library that would stand in.
        by: PathBuf,
        /// The reasons why it would not do.
        #[serde(rename = "lacks")]
        incompatibilities: Vec<Incompatibility>,
    },
    /// Another copy that answers to the same name stays; the loader takes one of a name.
    Namesake {
        /// The other copy.
        path: PathBuf,
    },
    /// Nobody needs it, but a file contains its name, and may open it.
    Mentioned {
        /// The file.
        path: PathBuf,
    },
    /// Nobody needs it, but it lies where others may be meant to find it.
    Carried,
    /// The others of the tree use it now.
    Chosen,
}

/// Why a bundled library goes without a substitute.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DropReason {
    /// The user wants it.
    #[serde(rename = "wished")]
    Overridden {
        /// The `--bundled` option.
        #[serde(rename = "wish")]
        given: String,
    },
    /// Nobody needs it.
    Orphan,
    /// Only libraries that go needed it.
    OnlyRemoved {
        /// Their final paths.
        users: Vec<PathBuf>,
    },
}

impl Bundled {
    /// Whether it leaves the tree.
    pub fn goes(&self) -> bool {
        !matches!(self.decision, Decision::Keep { .. })
    }
}

impl Decision {
    /// The decision as one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Keep { .. } => "keep",
            Self::Replace { .. } => "replace",
            Self::Drop { .. } => "drop",
        }
    }

    /// The reason in one line.
    pub fn reason(&self) -> String {
        match self {
            Self::Keep { reason } => reason.to_string(),
            Self::Replace { by, symbols } => {
                let version = by
                    .version
                    .as_deref()
                    .map_or_else(String::new, |version| format!(" ({version})"));
                if *symbols == 0 {
                    return format!("{}{version}: nothing uses its symbols", by.path.display());
                }
                let all = if *symbols == 1 { "the" } else { "all" };
                let symbols = count(*symbols, "symbol");
                format!("{}{version} has {all} {symbols}", by.path.display())
            }
            Self::Drop { reason } => reason.to_string(),
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overridden { given } => write!(f, "`{given}` is asked for"),
            Self::Home => f.write_str("it is at home here"),
            Self::Rule => f.write_str("its rule keeps it"),
            Self::Unknown => f.write_str("unknown library"),
            Self::Impostor { incompatibilities } => write!(
                f,
                "it only has the name: it does not define {}",
                list(incompatibilities)
            ),
            Self::NoProvider => f.write_str("no library path has it"),
            Self::Unproved {
                by,
                incompatibilities,
            } => match incompatibilities.split_first() {
                Some((first, [])) => write!(f, "{} will not do: {first}", by.display()),
                Some((first, rest)) => {
                    write!(
                        f,
                        "{} will not do: {first}, and {} more",
                        by.display(),
                        rest.len()
                    )
                }
                None => write!(f, "{} will not do", by.display()),
            },
            Self::Namesake { path } => {
                write!(f, "{} stays, and answers to the same name", path.display())
            }
            Self::Mentioned { path } => {
                write!(
                    f,
                    "{} names it or its directory, or lists libraries, and may open it",
                    path.display()
                )
            }
            Self::Carried => {
                f.write_str("nobody needs it here, but others may be meant to load it")
            }
            Self::Chosen => f.write_str("the other copies are replaced by it"),
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overridden { given } => write!(f, "`{given}` is asked for"),
            Self::Orphan => f.write_str("nobody needs it"),
            Self::OnlyRemoved { users } => {
                let names = users
                    .iter()
                    .map(|user| user.file_name().unwrap_or_default().to_string_lossy());
                write!(f, "only {} needed it", list(&names.collect::<Vec<_>>()))
            }
        }
    }
}
