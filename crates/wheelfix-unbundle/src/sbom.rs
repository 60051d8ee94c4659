//! The list of libraries that stand in for removed ones, and the entries of other lists for the
//! removed ones.
//!
//! PEP 770 puts such lists into `sboms/` of a `.dist-info` directory; ours is `wheelfix.cdx.json`, in the
//! format `CycloneDX`: <https://peps.python.org/pep-0770/>, <https://cyclonedx.org/docs/1.6/json/>.

use serde_json::{Map, Value, json};

/// A library that a distribution uses and no longer carries.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name: `libgfortran`.
    pub name: String,
    /// Its soname.
    pub soname: String,
    /// Its upstream version, if it is known.
    pub version: Option<String>,
    /// Where it is.
    pub path: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

/// A list of software in `CycloneDX`'s JSON.
#[derive(Clone, Debug)]
pub struct Sbom {
    document: Map<String, Value>,
}

/// Why a text is not such a list.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SbomError {
    /// It is not JSON.
    #[error("no JSON document")]
    Json(#[from] serde_json::Error),
    /// It is something else than `CycloneDX`.
    #[error("expected `bomFormat` to be CycloneDX")]
    Format,
}

impl Sbom {
    /// A list of what belongs to a distribution, made by a tool.
    pub fn new(distribution: &str, version: &str, tool: &Value, components: Vec<Value>) -> Self {
        let own = format!("pkg:pypi/{distribution}@{version}");
        let about = json!({
            "type": "library", "bom-ref": own, "name": distribution, "version": version, "purl": own,
        });
        let tools = json!({"components": [tool]});
        let document = [
            ("bomFormat", json!("CycloneDX")),
            ("specVersion", json!("1.6")),
            ("version", json!(1)),
            ("metadata", json!({"component": about, "tools": tools})),
            ("components", Value::Array(components)),
        ];
        let document = document.map(|(key, value)| (key.to_owned(), value));
        Self {
            document: document.into_iter().collect(),
        }
    }

    /// A list without components, of what a distribution uses and no longer carries.
    pub fn of(distribution: &str, version: &str) -> Self {
        let tool = json!({"type": "application", "name": "wheelfix"});
        let mut list = Self::new(distribution, version, &tool, Vec::new());
        let dependencies = json!([{"ref": list.own(), "dependsOn": []}]);
        list.document
            .insert("dependencies".to_owned(), dependencies);
        list
    }

    /// Adds a component that the subject of the list depends on, unless it is there.
    pub fn add(&mut self, component: &Component) {
        let reference = format!("{}#{}", component.soname, component.sha256);
        let own = self.own();
        let Some(Value::Array(components)) = self.document.get_mut("components") else {
            return;
        };
        let is_this =
            |value: &Value| value.get("bom-ref").and_then(Value::as_str) == Some(&reference);
        if components.iter().any(is_this) {
            return;
        }
        components.push(describe(component, &reference));
        if let Some(Value::Array(dependencies)) = self.document.get_mut("dependencies") {
            for dependency in dependencies.iter_mut() {
                if dependency.get("ref").and_then(Value::as_str) == own.as_deref()
                    && let Some(Value::Array(on)) = dependency.get_mut("dependsOn")
                {
                    on.push(reference.as_str().into());
                }
            }
            dependencies.push(json!({"ref": reference}));
        }
    }

    /// The reference of the subject of the list.
    fn own(&self) -> Option<String> {
        let metadata = self.document.get("metadata")?;
        let reference = metadata.pointer("/component/bom-ref")?;
        reference.as_str().map(str::to_owned)
    }

    /// Reads a list.
    pub fn parse(text: &str) -> Result<Self, SbomError> {
        let document: Map<String, Value> = serde_json::from_str(text)?;
        if document.get("bomFormat").and_then(Value::as_str) != Some("CycloneDX") {
            return Err(SbomError::Format);
        }
        Ok(Self { document })
    }

    /// Takes out the components that `is_gone` says are not there any more, by name, with what refers to
    /// them. Gives whether there was one. The component that the list is about stays.
    pub fn remove(&mut self, is_gone: impl Fn(&str) -> bool) -> bool {
        let own = self.own();
        let (mut gone, mut changes) = (Vec::new(), false);
        if let Some(Value::Array(components)) = self.document.get_mut("components") {
            components.retain(|component| {
                let text = |key| component.get(key).and_then(Value::as_str);
                let reference = text("bom-ref").map(str::to_owned);
                // One without a reference is not the one that the list is about.
                let is_own = reference.is_some() && reference == own;
                let goes = text("name").is_some_and(&is_gone) && !is_own;
                if goes {
                    changes = true;
                    gone.extend(reference);
                }
                !goes
            });
        }
        if let Some(Value::Array(dependencies)) = self.document.get_mut("dependencies") {
            let is_gone = |value: &Value| {
                value
                    .as_str()
                    .is_some_and(|text| gone.iter().any(|gone| gone == text))
            };
            dependencies.retain(|dependency| !dependency.get("ref").is_some_and(is_gone));
            for dependency in dependencies {
                if let Some(Value::Array(on)) = dependency.get_mut("dependsOn") {
                    on.retain(|reference| !is_gone(reference));
                }
            }
        }
        changes
    }

    /// The list as text, with a line break at its end.
    pub fn text(&self) -> String {
        let document = Value::Object(self.document.clone());
        format!("{document:#}\n")
    }
}

fn describe(component: &Component, reference: &str) -> Value {
    let mut described = json!({
        "type": "library",
        "bom-ref": reference,
        "name": component.name,
        "hashes": [{"alg": "SHA-256", "content": component.sha256}],
        "properties": [
            {"name": "wheelfix:soname", "value": component.soname},
            {"name": "wheelfix:path", "value": component.path},
        ],
    });
    if let (Some(version), Some(object)) = (&component.version, described.as_object_mut()) {
        object.insert("version".to_owned(), version.as_str().into());
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_goes_with_what_refers_to_it() {
        let text = r#"{"bomFormat": "CycloneDX", "metadata": {"component": {"bom-ref": "w"}},
            "components": [{"name": "w", "bom-ref": "w"}, {"name": "libz", "bom-ref": "z"}, {"name": "libx", "bom-ref": "x"}],
            "dependencies": [{"ref": "w", "dependsOn": ["z", "x"]}, {"ref": "z"}, {"ref": "x"}]}"#;
        let mut sbom = Sbom::parse(text).unwrap();
        assert!(sbom.remove(|name| name == "libz" || name == "w"));
        assert!(!sbom.remove(|name| name == "libz"));
        let want = r#"{"bomFormat":"CycloneDX","components":[{"bom-ref":"w","name":"w"},{"bom-ref":"x","name":"libx"}],"dependencies":[{"dependsOn":["x"],"ref":"w"},{"ref":"x"}],"metadata":{"component":{"bom-ref":"w"}}}"#;
        let got: Value = serde_json::from_str(&sbom.text()).unwrap();
        assert_eq!(got, serde_json::from_str::<Value>(want).unwrap());
    }

    #[test]
    fn other_documents_are_refused() {
        let error = |text| Sbom::parse(text).unwrap_err().to_string();
        assert_eq!(error("[]"), "no JSON document");
        assert_eq!(error("{}"), "expected `bomFormat` to be CycloneDX");
    }
}
