//! The bill of materials of a wheel that was linked: which files are no longer those of its
//! makers, and how they differ.
//!
//! <https://peps.python.org/pep-0770/>, <https://cyclonedx.org/docs/1.6/json/>

use serde_json::{Value, json};
use wheelfix_unbundle::Sbom;
use wheelfix_wheel::Wheel;

use crate::digest::FileDigest;

/// Path in the wheel; a number tells those of several runs apart.
pub(super) fn path(wheel: &Wheel) -> String {
    let path = |number: u64| {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        format!("{}/sboms/wheelfix{suffix}.cdx.json", wheel.dist_info())
    };
    let mut number = 1;
    while wheel.archive().find(&path(number)).is_some() {
        number += 1;
    }
    path(number)
}

/// The files of a wheel that are no longer those of its makers.
pub(super) struct WheelSbom<'a> {
    wheel: &'a Wheel,
    components: Vec<Value>,
}

impl<'a> WheelSbom<'a> {
    /// A bill of nothing.
    pub(super) fn new(wheel: &'a Wheel) -> Self {
        Self {
            wheel,
            components: Vec::new(),
        }
    }

    /// Adds a file with new content; the notes say what is new.
    pub(super) fn edited(&mut self, name: &str, digest: &FileDigest, notes: &str) {
        self.components.push(json!({
            "type": "file",
            "bom-ref": name,
            "name": name,
            "hashes": [hash(digest)],
            "pedigree": {
                "ancestors": [original(self.wheel, name)],
                "notes": notes,
            },
        }));
    }

    /// Adds a file that is gone.
    pub(super) fn removed(&mut self, name: &str, rule: &str) {
        self.left_out(name, &format!("removed by the rule {rule}"));
    }

    /// Adds a file that is gone; the notes say why, or what stands in.
    pub(super) fn left_out(&mut self, name: &str, notes: &str) {
        let mut component = original(self.wheel, name);
        if let Value::Object(fields) = &mut component {
            fields.insert("bom-ref".to_owned(), json!(name));
            fields.insert("scope".to_owned(), json!("excluded"));
            fields.insert("pedigree".to_owned(), json!({ "notes": notes }));
        }
        self.components.push(component);
    }

    /// The text.
    pub(super) fn text(self) -> String {
        let filename = self.wheel.filename();
        let (name, version) = (filename.name().as_str(), filename.version().to_string());
        let tool = json!({
            "type": "application",
            "name": "wheelfix",
            "version": env!("CARGO_PKG_VERSION"),
        });
        Sbom::new(name, &version, &tool, self.components).text()
    }
}

/// A file as it was in the wheel.
fn original(wheel: &Wheel, name: &str) -> Value {
    let mut members = wheel.members();
    let hash = members
        .find(|member| member.file.path.as_str() == name)
        .and_then(|member| member.hash);
    let hashes: Vec<Value> = hash
        .map(|hash| {
            let digits = hash.digest().iter().map(|byte| format!("{byte:02x}"));
            let alg = match hash.digest().len() {
                32 => "SHA-256",
                48 => "SHA-384",
                _ => "SHA-512",
            };
            json!({ "alg": alg, "content": digits.collect::<Vec<_>>().concat() })
        })
        .into_iter()
        .collect();
    json!({ "type": "file", "name": name, "hashes": hashes })
}

fn hash(digest: &FileDigest) -> Value {
    json!({ "alg": "SHA-256", "content": digest.hex() })
}
