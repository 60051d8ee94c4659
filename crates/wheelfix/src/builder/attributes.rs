//! The attributes of the derivation that is being built.
//!
//! With `__structuredAttrs` they are a JSON document, else variables of the environment:
//! <https://nix.dev/manual/nix/latest/language/advanced-attributes.html#adv-attr-structuredAttrs>.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::{Map, Value};

/// The attributes of a derivation.
#[derive(Debug)]
pub(crate) struct Attributes {
    values: Map<String, Value>,
    /// Whether values have types; else each is a text, and a list is its words.
    structured: bool,
    outputs: BTreeMap<String, PathBuf>,
}

/// The variable with the path of structured attributes.
pub(crate) const JSON_FILE: &str = "NIX_ATTRS_JSON_FILE";

/// Why the attributes cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttributesError {
    /// The file that Nix promises is not a JSON document.
    #[error("`NIX_ATTRS_JSON_FILE` is not a JSON object: `{}`", .path.display())]
    Json {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// No derivation is being built.
    #[error("no output is named: neither `NIX_ATTRS_JSON_FILE` nor `$out` is set")]
    NoOutput,
    /// An output of the list has no path.
    #[error("the output `{0}` has no path")]
    NoPath(String),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Attributes {
    /// Reads the attributes that an environment gives.
    pub(crate) fn read(
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, AttributesError> {
        // What is not Unicode is none of our variables.
        let variables: BTreeMap<String, String> = environment
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        match variables.get(JSON_FILE) {
            Some(file) => Self::structured(Path::new(file)),
            None => Self::plain(variables),
        }
    }

    fn structured(file: &Path) -> Result<Self, AttributesError> {
        let bytes = fs::read(file)?;
        let values: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|source| AttributesError::Json {
                path: file.to_owned(),
                source,
            })?;
        let mut outputs = BTreeMap::new();
        if let Some(Value::Object(named)) = values.get("outputs") {
            for (name, path) in named {
                let path = path.as_str().map(PathBuf::from);
                let path = path.ok_or_else(|| AttributesError::NoPath(name.clone()))?;
                outputs.insert(name.clone(), path);
            }
        }
        Self::with_outputs(values, true, outputs)
    }

    fn plain(variables: BTreeMap<String, String>) -> Result<Self, AttributesError> {
        let names = variables.get("outputs").map_or("out", String::as_str);
        let mut outputs = BTreeMap::new();
        for name in names.split_whitespace() {
            match variables.get(name) {
                Some(path) => outputs.insert(name.to_owned(), PathBuf::from(path)),
                None if name == "out" => return Err(AttributesError::NoOutput),
                None => return Err(AttributesError::NoPath(name.to_owned())),
            };
        }
        let values = variables
            .into_iter()
            .map(|(name, value)| (name, Value::String(value)))
            .collect();
        Self::with_outputs(values, false, outputs)
    }

    fn with_outputs(
        values: Map<String, Value>,
        structured: bool,
        outputs: BTreeMap<String, PathBuf>,
    ) -> Result<Self, AttributesError> {
        if !outputs.contains_key("out") {
            return Err(AttributesError::NoOutput);
        }
        Ok(Self {
            values,
            structured,
            outputs,
        })
    }

    /// Whether values have types.
    pub(crate) fn is_structured(&self) -> bool {
        self.structured
    }

    /// Name and value of each attribute.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// The value of an attribute.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The path of an output.
    pub(crate) fn output(&self, name: &str) -> Option<&Path> {
        self.outputs.get(name).map(PathBuf::as_path)
    }

    /// The names of the outputs, sorted.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &str> {
        self.outputs.keys().map(String::as_str)
    }

    /// A variable of nixpkgs that is a list: the words of a text, or a list of texts. Empty if it is
    /// not set.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        let mut words = Vec::new();
        match self.values.get(name) {
            Some(Value::Array(list)) => {
                words.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Some(Value::String(text)) => {
                words.extend(text.split_whitespace().map(str::to_owned));
            }
            _ => {}
        }
        words
    }

    /// A variable of nixpkgs that is a flag, which bash reads as "is it empty".
    pub(crate) fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) => !text.is_empty() && text != "0",
            Some(Value::Number(number)) => number.as_i64() != Some(0),
            Some(Value::Null) | None => false,
            Some(Value::Array(_) | Value::Object(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(variables: &[(&str, &str)]) -> Result<Attributes, AttributesError> {
        let variables = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Attributes::read(variables)
    }

    #[test]
    fn variables_are_attributes() {
        let attributes = plain(&[
            ("outputs", "out dist"),
            ("out", "/o"),
            ("dist", "/d"),
            ("pythonRemoveDeps", "a  b"),
            ("flag", "1"),
            ("none", ""),
        ])
        .unwrap();
        assert_eq!(attributes.output("dist"), Some(Path::new("/d")));
        assert!(!attributes.is_structured());
        assert_eq!(attributes.words("pythonRemoveDeps"), ["a", "b"]);
        assert!(attributes.flag("flag"));
        assert!(!attributes.flag("none") && !attributes.flag("unset"));
    }

    #[test]
    fn a_document_has_types() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("attrs.json");
        let text = r#"{"outputs": {"out": "/o"}, "list": ["a b", "c"], "yes": true, "no": false}"#;
        fs::write(&file, text).unwrap();
        let attributes = plain(&[("NIX_ATTRS_JSON_FILE", file.to_str().unwrap())]).unwrap();
        assert!(attributes.is_structured());
        assert_eq!(attributes.words("list"), ["a b", "c"]);
        assert!(attributes.flag("yes") && !attributes.flag("no"));
        assert_eq!(attributes.outputs().collect::<Vec<_>>(), ["out"]);
    }

    #[test]
    fn what_is_no_derivation_is_said() {
        let check = |variables: &[(&str, &str)], want: &str| {
            assert_eq!(plain(variables).unwrap_err().to_string(), want);
        };
        check(
            &[],
            "no output is named: neither `NIX_ATTRS_JSON_FILE` nor `$out` is set",
        );
        check(
            &[("outputs", "out dev"), ("out", "/o")],
            "the output `dev` has no path",
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("attrs.json");
        fs::write(&file, "[]").unwrap();
        let error = plain(&[("NIX_ATTRS_JSON_FILE", file.to_str().unwrap())]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`NIX_ATTRS_JSON_FILE` is not a JSON object")
        );
    }
}
