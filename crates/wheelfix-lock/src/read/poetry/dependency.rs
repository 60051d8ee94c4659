//! Requirements, as they stand in poetry.lock and in the pyproject.toml of Poetry.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::versions;
use crate::text::{Text, Unread};

/// The alternatives of a requirement: a text, a table, or a list of these.
#[derive(Debug)]
pub(crate) struct Dependency<'a>(pub(crate) Vec<Alternative<'a>>);

/// A requirement for some environments.
#[derive(Debug, Default)]
pub(crate) struct Alternative<'a> {
    /// In Poetry's own syntax.
    pub(crate) version: Option<Text<'a>>,
    /// A range of Pythons, in the same.
    python: Option<Text<'a>>,
    /// A value of `sys_platform`.
    platform: Option<Text<'a>>,
    pub(crate) markers: Option<Text<'a>>,
    pub(crate) extras: Vec<Text<'a>>,
    /// Whether only extras bring it.
    pub(crate) optional: bool,
}

impl Alternative<'_> {
    /// All its conditions as one marker; `None` if there are none.
    pub(crate) fn marker(&self) -> Option<String> {
        let python = self.python.as_deref().and_then(versions::python);
        let platform = self.platform.as_deref();
        let platform = platform.map(|platform| format!("sys_platform == '{platform}'"));
        let markers = self.markers.as_deref().map(str::to_owned);
        let parts: Vec<String> = [markers, python, platform].into_iter().flatten().collect();
        match parts.as_slice() {
            [] => None,
            [only] => Some(only.clone()),
            several => Some(format!("({})", several.join(") and ("))),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Dependency<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DependencyVisitor;

        impl<'de> Visitor<'de> for DependencyVisitor {
            type Value = Dependency<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version, a table, or a list of them")
            }

            fn visit_str<E>(self, version: &str) -> Result<Dependency<'de>, E> {
                Ok(Dependency(vec![Alternative {
                    version: Some(Text(version.to_owned().into())),
                    ..Alternative::default()
                }]))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dependency<'de>, A::Error> {
                let mut read = Alternative::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    match &*key {
                        "version" => read.version = Some(map.next_value()?),
                        "python" => read.python = Some(map.next_value()?),
                        "platform" => read.platform = Some(map.next_value()?),
                        "markers" => read.markers = Some(map.next_value()?),
                        "extras" => read.extras = map.next_value()?,
                        "optional" => read.optional = map.next_value()?,
                        _ => {
                            let Unread = map.next_value()?;
                        }
                    }
                }
                Ok(Dependency(vec![read]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dependency<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(Dependency(one)) = seq.next_element()? {
                    all.extend(one);
                }
                Ok(Dependency(all))
            }
        }

        deserializer.deserialize_any(DependencyVisitor)
    }
}
