//! The settings of wheelfix in a derivation: `wheelfix = { ... }`, or variables such as
//! `wheelfixLibs`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::builder::attributes::Attributes;
use crate::settings::{Kind, SETTINGS, Scope, Setting, names};

/// The settings of a derivation: known names, right types.
#[derive(Debug, Default)]
pub(crate) struct Settings(BTreeMap<&'static str, Given>);

/// The value of a setting.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Given {
    Text(String),
    List(Vec<String>),
    Flag(bool),
}

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingFault {
    /// There is none of this name.
    #[error("unknown setting `{name}`{}", suggestion(*.nearest))]
    Unknown {
        name: String,
        nearest: Option<&'static str>,
    },
    /// The value has another type.
    #[error("`{name}` has to be {expected}, got {got}")]
    Type {
        name: String,
        expected: &'static str,
        got: &'static str,
    },
    /// It is of no use for what is made.
    #[error("`{name}` has no effect here: it is for {use_for}")]
    Idle {
        name: &'static str,
        use_for: &'static str,
    },
    /// The value has the right type and is none of those that are possible.
    #[error("`{name}`: `{value}`: {reason}")]
    Value {
        name: &'static str,
        value: String,
        reason: String,
    },
}

fn suggestion(nearest: Option<&'static str>) -> String {
    if let Some(name) = nearest {
        return format!(", did you mean `{name}`?");
    }
    let names: Vec<&str> = names().collect();
    format!(", expected one of: {}", names.join(", "))
}

impl Kind {
    fn describe(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::List | Self::Paths => "a list of strings: [ \"...\" ]",
            Self::ListOrTrue => "a list of strings, or `true`: [ \"...\" ]",
            Self::Levels => "`true`, `false` or a list of levels: [ 0 1 ]",
            Self::Flag => "`true` or `false`",
            Self::Size | Self::Number => "a number, or a string like \"64G\"",
        }
    }

    /// Reads a value with types. `None` if it is of another kind.
    fn read(self, value: &Value) -> Option<Given> {
        match (self, value) {
            (Self::Text | Self::Size | Self::Number, Value::String(text)) => {
                Some(Given::Text(text.clone()))
            }
            (Self::Size | Self::Number, Value::Number(number)) => {
                Some(Given::Text(number.to_string()))
            }
            (Self::ListOrTrue | Self::Levels | Self::Flag, Value::Bool(flag)) => {
                Some(Given::Flag(*flag))
            }
            (Self::Levels, Value::Array(list)) if list.is_empty() => Some(Given::Flag(false)),
            (Self::Levels, Value::Array(list)) => {
                let words = list.iter().map(|it| it.as_u64().map(|it| it.to_string()));
                words.collect::<Option<_>>().map(Given::List)
            }
            (Self::List | Self::Paths | Self::ListOrTrue, Value::Array(list)) => {
                let words = list.iter().map(|it| it.as_str().map(str::to_owned));
                words.collect::<Option<_>>().map(Given::List)
            }
            _ => None,
        }
    }

    /// Reads a variable, in which Nix writes `true` as `1`, `false` as nothing and a list as words.
    /// `None` if it is of another kind, or may mean several things.
    fn read_text(self, text: &str) -> Option<Given> {
        Some(match (self, text) {
            (Self::Text | Self::Size | Self::Number, text) => Given::Text(text.to_owned()),
            (Self::ListOrTrue | Self::Flag, "1" | "true") | (Self::Levels, "true") => {
                Given::Flag(true)
            }
            (Self::Flag, "0" | "false") | (Self::Levels, "false" | "") => Given::Flag(false),
            // `true`, or level 1.
            (Self::Flag, _) | (Self::Levels, "1") => return None,
            _ => Given::List(text.split_whitespace().map(str::to_owned).collect()),
        })
    }
}

impl Scope {
    fn describe(self) -> &'static str {
        match self {
            Self::Any => "everything",
            Self::Wheels => "wheels",
            Self::Environments => "environments, `action = \"env\"`",
            Self::Trees => "trees, `action = \"patch\"`",
            Self::Installs => "wheels; an environment checks requirements itself",
            Self::Packages => {
                "packages of the builder; recipes have `propagatedBuildInputs`, environments `inputs`"
            }
        }
    }
}

/// The type of a value, in words.
fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a Boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list of other things",
        Value::Object(_) => "an attribute set",
    }
}

impl Settings {
    /// Reads the settings of a derivation; all faults at once.
    pub(crate) fn read(attributes: &Attributes) -> Result<Self, Vec<SettingFault>> {
        let mut reader = Reader::default();
        match attributes.get("wheelfix") {
            None | Some(Value::Null) => {}
            Some(Value::Object(settings)) => {
                for (name, value) in settings {
                    reader.take(name, name, value, false);
                }
            }
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(Value::Object(settings)) => {
                    for (name, value) in &settings {
                        reader.take(name, name, value, false);
                    }
                }
                _ => reader.refuse("wheelfix", "a string"),
            },
            Some(value) => reader.refuse("wheelfix", describe(value)),
        }
        for (name, value) in attributes.iter() {
            if let Some(setting) = variable(name) {
                reader.take(name, &setting, value, !attributes.is_structured());
            }
        }
        if reader.faults.is_empty() {
            Ok(reader.settings)
        } else {
            Err(reader.faults)
        }
    }

    /// Refuses settings that are for something else than these scopes; empty lists do not count.
    pub(crate) fn refuse_idle(&self, scopes: &[Scope]) -> Result<(), Vec<SettingFault>> {
        let is_set = |name: &str| match self.0.get(name) {
            None => false,
            Some(Given::List(list)) => !list.is_empty(),
            Some(Given::Flag(flag)) => *flag,
            Some(Given::Text(_)) => true,
        };
        let idle = SETTINGS.iter().filter(|setting| {
            let scope = setting.scope;
            scope != Scope::Any && !scopes.contains(&scope) && is_set(setting.name)
        });
        let faults: Vec<_> = idle
            .map(|setting| SettingFault::Idle {
                name: setting.name,
                use_for: setting.scope.describe(),
            })
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// The options that say the same as a setting, each with its value; none if it is not set.
    pub(crate) fn options(&self, setting: &'static Setting) -> Vec<(&'static str, Option<&str>)> {
        let (option, other) = setting.options();
        let words: Vec<Option<&str>> = match self.0.get(setting.name) {
            Some(Given::Text(text)) => vec![Some(text)],
            Some(Given::List(list)) => list.iter().map(|word| Some(word.as_str())).collect(),
            Some(Given::Flag(true)) if setting.kind == Kind::Flag => vec![None],
            // What stands for all, or for none.
            Some(Given::Flag(flag)) => {
                let stands = *flag == (setting.kind == Kind::ListOrTrue);
                let other = other.filter(|_| stands);
                return other.map(|option| (option, None)).into_iter().collect();
            }
            None => Vec::new(),
        };
        let words = words.into_iter();
        words.filter_map(|word| Some((option?, word))).collect()
    }

    /// A text, if it is set.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Given::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A list; empty if it is not set.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        match self.0.get(name) {
            Some(Given::List(list)) => list,
            _ => &[],
        }
    }

    /// A flag; `None` if it is not set, or set to a list.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name) {
            Some(Given::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }
}

/// The setting behind the name of a variable: `libs` of `wheelfixLibs`.
fn variable(name: &str) -> Option<String> {
    let rest = name.strip_prefix("wheelfix")?;
    let first = rest.chars().next().filter(char::is_ascii_uppercase)?;
    let tail = rest.get(1..).unwrap_or_default();
    Some(format!("{}{tail}", first.to_ascii_lowercase()))
}

#[derive(Default)]
struct Reader {
    settings: Settings,
    faults: Vec<SettingFault>,
}

impl Reader {
    /// Takes a setting; `as_written` is its name in the derivation.
    fn take(&mut self, as_written: &str, name: &str, value: &Value, untyped: bool) {
        let known = SETTINGS.iter().find(|setting| setting.name == name);
        let Some(Setting { name, kind, .. }) = known else {
            self.faults.push(SettingFault::Unknown {
                name: as_written.to_owned(),
                nearest: nearest(name),
            });
            return;
        };
        let setting = match value {
            Value::Null => return,
            Value::String(text) if untyped => {
                if text.is_empty() && *kind != Kind::Levels {
                    return;
                }
                kind.read_text(text)
            }
            value => kind.read(value),
        };
        match setting {
            Some(setting) => {
                self.settings.0.insert(name, setting);
            }
            None => self.faults.push(SettingFault::Type {
                name: as_written.to_owned(),
                expected: kind.describe(),
                got: describe(value),
            }),
        }
    }

    fn refuse(&mut self, name: &str, got: &'static str) {
        self.faults.push(SettingFault::Type {
            name: name.to_owned(),
            expected: "an attribute set, with `__structuredAttrs = true`: { ... }",
            got,
        });
    }
}

/// The known name that is most like the given one, if any is much like it.
fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
    let (best, score) = names()
        .map(|known| (known, likeness(known)))
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    (0.75 <= score).then_some(best)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    /// The settings of a derivation with structured attributes, or with variables.
    #[track_caller]
    fn read(attributes: &Value) -> Result<Settings, Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("attrs.json");
        let mut attributes = attributes.clone();
        attributes["outputs"] = serde_json::json!({"out": "/o"});
        fs_err::write(&file, attributes.to_string()).unwrap();
        let variable = (OsString::from("NIX_ATTRS_JSON_FILE"), file.into());
        settings(&Attributes::read([variable].into_iter()).unwrap())
    }

    fn read_variables(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let all = [("out", "/o")].iter().chain(variables);
        let all = all.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        settings(&Attributes::read(all).unwrap())
    }

    fn settings(attributes: &Attributes) -> Result<Settings, Vec<String>> {
        Settings::read(attributes)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_attribute_set_is_read() {
        let json = serde_json::json!({"wheelfix": {
            "libs": ["/a", "/b c"], "python": "/p", "relax": true, "bytecode": [0, 1],
            "removeDeps": null,
        }, "wheelfixExclude": ["x"], "wheelfixture": "no setting"});
        let settings = read(&json).unwrap();
        assert_eq!(settings.list("libs"), ["/a", "/b c"]);
        assert_eq!(settings.text("python"), Some("/p"));
        assert_eq!(settings.flag("relax"), Some(true));
        assert_eq!(settings.list("bytecode"), ["0", "1"]);
        assert_eq!(settings.list("exclude"), ["x"]);
        assert!(settings.list("removeDeps").is_empty());
    }

    #[test]
    fn variables_are_read() {
        let settings = read_variables(&[
            ("wheelfixLibs", "/a /b"),
            ("wheelfixRelax", "1"),
            ("wheelfixBytecode", "false"),
            ("wheelfixExclude", ""),
            ("wheelfix", r#"{"python": "/p"}"#),
        ])
        .unwrap();
        assert_eq!(settings.list("libs"), ["/a", "/b"]);
        assert_eq!(settings.flag("relax"), Some(true));
        assert_eq!(settings.flag("bytecode"), Some(false));
        assert_eq!(settings.text("python"), Some("/p"));
        assert!(settings.list("exclude").is_empty());
    }

    #[test]
    fn flags_and_sizes_are_read() {
        let json = serde_json::json!({"wheelfix": {"requested": true, "heal": false,
            "maxSize": "1G", "maxRatio": 7}});
        let settings = read(&json).unwrap();
        assert_eq!(settings.flag("requested"), Some(true));
        assert_eq!(settings.flag("heal"), Some(false));
        assert_eq!(settings.text("maxSize"), Some("1G"));
        assert_eq!(settings.text("maxRatio"), Some("7"));
        let settings = read_variables(&[
            ("wheelfixRequested", "1"),
            ("wheelfixHeal", ""),
            ("wheelfixMaxRatio", "7"),
            ("wheelfixRemoveDeps", "1"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.flag("requested"), Some(true));
        assert_eq!(settings.flag("heal"), None);
        assert_eq!(settings.text("maxRatio"), Some("7"));
        assert_eq!(settings.flag("removeDeps"), Some(true));
        let faults = read_variables(&[("wheelfixRequested", "yes")]).unwrap_err();
        insta::assert_snapshot!(faults.join("\n"), @"`wheelfixRequested` has to be `true` or `false`, got a string");
    }

    #[test]
    fn levels_are_read_where_they_are_clear() {
        for (json, variable) in [
            (serde_json::json!(false), "false"),
            (serde_json::json!([]), ""),
        ] {
            let settings = read(&serde_json::json!({"wheelfix": {"bytecode": json}})).unwrap();
            assert_eq!(settings.flag("bytecode"), Some(false));
            let settings = read_variables(&[("wheelfixBytecode", variable)]).unwrap();
            assert_eq!(settings.flag("bytecode"), Some(false));
        }
        let settings = read_variables(&[("wheelfixBytecode", "0 1")]).unwrap();
        assert_eq!(settings.list("bytecode"), ["0", "1"]);
        let faults = read_variables(&[("wheelfixBytecode", "1")]).unwrap_err();
        insta::assert_snapshot!(faults.join("\n"), @"`wheelfixBytecode` has to be `true`, `false` or a list of levels: [ 0 1 ], got a string");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let json = serde_json::json!({"wheelfix": {
            "lib": ["/a"], "libs": "/a", "python": ["/p"], "rules": {"a": 1}, "zzz": 1,
        }});
        let faults = read(&json).unwrap_err();
        insta::assert_snapshot!(faults.join("\n"), @r#"
        unknown setting `lib`, did you mean `libs`?
        `libs` has to be a list of strings: [ "..." ], got a string
        `python` has to be a string, got a list of other things
        `rules` has to be a list of strings: [ "..." ], got an attribute set
        unknown setting `zzz`, expected one of: acceptMismatch, action, activate, allowUnmet, appendRunpaths, backends, bundled, bytecode, checkDeps, checkTwice, directUrl, driverPath, exclude, heal, ignoreMissing, ignoreSymbols, inputs, installer, interpreter, invalidation, keepNamespacePth, libraryTable, libs, link, maxRatio, maxSize, namespaces, nixpkgsNames, onCollision, package, propagate, prove, provides, python, pythonVersion, relax, relaxUpper, removeBinBytecode, removeDeps, removeTests, requested, rpath, rules, runtimeDependencies, standalone, target, targetPython, unify
        "#);
        let faults = read(&serde_json::json!({"wheelfix": 1})).unwrap_err();
        insta::assert_snapshot!(faults.join("\n"), @"`wheelfix` has to be an attribute set, with `__structuredAttrs = true`: { ... }, got a number");
        let faults = read_variables(&[("wheelfixIgnoremissing", "x")]).unwrap_err();
        insta::assert_snapshot!(faults.join("\n"), @"unknown setting `wheelfixIgnoremissing`, did you mean `ignoreMissing`?");
    }
}
