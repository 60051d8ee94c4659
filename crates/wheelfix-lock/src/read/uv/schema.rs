//! The tables of a `uv.lock`, as serde reads them. Everything that is known is listed, so that a key
//! that is not can be noted; nothing is flattened or untagged, which is slow.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::text::{Keys, Text, Unread};

/// The file, as far as it says which version it has.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Head {
    pub(super) version: Option<i64>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
pub(super) struct File<'a> {
    pub(super) version: i64,
    #[serde(default)]
    pub(super) revision: i64,
    pub(super) requires_python: Option<Text<'a>>,
    #[serde(default, rename = "resolution-markers", alias = "environment-markers")]
    _resolution_markers: Unread,
    #[serde(default)]
    pub(super) supported_markers: Vec<Text<'a>>,
    #[serde(default, rename = "required-markers")]
    _required_markers: Unread,
    #[serde(default)]
    pub(super) conflicts: Vec<Vec<ConflictItem<'a>>>,
    #[serde(default, rename = "options")]
    _options: Unread,
    #[serde(default)]
    pub(super) manifest: Manifest<'a>,
    #[serde(default, alias = "distribution")]
    pub(super) package: Vec<Package<'a>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ConflictItem<'a> {
    pub(super) package: Text<'a>,
    pub(super) extra: Option<Text<'a>>,
    pub(super) group: Option<Text<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Manifest<'a> {
    pub(super) members: Vec<Text<'a>>,
    pub(super) requirements: Vec<Requirement<'a>>,
    pub(super) dependency_groups: BTreeMap<Text<'a>, Vec<Requirement<'a>>>,
    pub(super) default_groups: Option<Groups<'a>>,
    pub(super) group_requires_python: BTreeMap<Text<'a>, Text<'a>>,
    #[serde(rename = "constraints")]
    _constraints: Unread,
    #[serde(rename = "overrides")]
    _overrides: Unread,
    #[serde(rename = "excludes")]
    _excludes: Unread,
    #[serde(rename = "build-constraints")]
    _build_constraints: Unread,
    #[serde(rename = "dependency-metadata")]
    _dependency_metadata: Unread,
}

/// A requirement of a script, or of a project without a `[project]`.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Requirement<'a> {
    pub(super) name: Text<'a>,
    #[serde(default, alias = "extra")]
    pub(super) extras: Vec<Text<'a>>,
    pub(super) marker: Option<Text<'a>>,
    #[serde(default, rename = "specifier")]
    _specifier: Unread,
    #[serde(default, rename = "index")]
    _index: Unread,
    #[serde(default, rename = "conflict")]
    _conflict: Unread,
    #[serde(default, rename = "url")]
    _url: Unread,
    #[serde(default, rename = "git")]
    _git: Unread,
    #[serde(default, rename = "path")]
    _path: Unread,
    #[serde(default, rename = "directory")]
    _directory: Unread,
    #[serde(default, rename = "editable")]
    _editable: Unread,
    #[serde(default, rename = "virtual")]
    _virtual: Unread,
    #[serde(default, rename = "subdirectory")]
    _subdirectory: Unread,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case", bound(deserialize = "'de: 'a"))]
pub(super) struct Package<'a> {
    pub(super) name: Text<'a>,
    pub(super) version: Option<Text<'a>>,
    pub(super) source: Source<'a>,
    #[serde(default, alias = "environment-markers")]
    pub(super) resolution_markers: Vec<Text<'a>>,
    #[serde(default)]
    pub(super) dependencies: Vec<Dependency<'a>>,
    #[serde(default)]
    pub(super) optional_dependencies: BTreeMap<Text<'a>, Vec<Dependency<'a>>>,
    #[serde(default, alias = "dependency-groups")]
    pub(super) dev_dependencies: BTreeMap<Text<'a>, Vec<Dependency<'a>>>,
    pub(super) default_groups: Option<Groups<'a>>,
    #[serde(default)]
    pub(super) group_requires_python: BTreeMap<Text<'a>, Text<'a>>,
    pub(super) sdist: Option<Artifact<'a>>,
    #[serde(default)]
    pub(super) wheels: Vec<Artifact<'a>>,
    #[serde(default)]
    pub(super) metadata: Metadata<'a>,
}

/// The declarations of a package: of them only the names of extras and groups count, of which those
/// that are empty stand nowhere else.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default, bound(deserialize = "'de: 'a"))]
pub(super) struct Metadata<'a> {
    pub(super) provides_extras: Vec<Text<'a>>,
    #[serde(alias = "dependency-groups")]
    pub(super) requires_dev: Keys<'a>,
    #[serde(rename = "requires-dist")]
    _requires_dist: Unread,
}

#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Source<'a> {
    pub(super) registry: Option<Text<'a>>,
    pub(super) url: Option<Text<'a>>,
    pub(super) subdirectory: Option<Text<'a>>,
    pub(super) path: Option<Text<'a>>,
    pub(super) git: Option<Text<'a>>,
    pub(super) directory: Option<Text<'a>>,
    pub(super) editable: Option<Text<'a>>,
    pub(super) r#virtual: Option<Text<'a>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Dependency<'a> {
    pub(super) name: Text<'a>,
    pub(super) version: Option<Text<'a>>,
    pub(super) source: Option<Source<'a>>,
    #[serde(default)]
    pub(super) extra: Vec<Text<'a>>,
    pub(super) marker: Option<Text<'a>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Artifact<'a> {
    pub(super) url: Option<Text<'a>>,
    pub(super) path: Option<Text<'a>>,
    pub(super) filename: Option<Text<'a>>,
    pub(super) hash: Option<Text<'a>>,
    pub(super) size: Option<u64>,
    #[serde(default, rename = "upload-time", alias = "upload_time")]
    _upload_time: Unread,
}

/// A list of groups, or the text for all of them.
#[derive(Clone, Debug)]
pub(super) enum Groups<'a> {
    All,
    Named(Vec<Text<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Groups<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GroupsVisitor;

        impl<'de> Visitor<'de> for GroupsVisitor {
            type Value = Groups<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of groups, or \"all\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Groups<'de>, E> {
                if text == "all" {
                    Ok(Groups::All)
                } else {
                    Err(E::custom(format!(
                        "expected a list of groups, or \"all\", got {text:?}"
                    )))
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Groups<'de>, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element()? {
                    names.push(name);
                }
                Ok(Groups::Named(names))
            }
        }

        deserializer.deserialize_any(GroupsVisitor)
    }
}
