//! The bill of materials of a wheel that was relocated: which files are no longer those of its
//! makers, and how they differ.
//!
//! <https://peps.python.org/pep-0770/>, <https://cyclonedx.org/docs/1.6/json/>

use std::path::Path;

use serde_json::{Value, json};
use wheelfix_relocate::RelocationPlan;
use wheelfix_wheel::Wheel;

use crate::digest::FileDigest;
use crate::relocation::Applied;

/// Path in the wheel; a number tells those of several runs apart.
pub(crate) fn path(wheel: &Wheel) -> String {
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

/// The text; `member` gives the path in the wheel of a library.
pub(crate) fn text(
    wheel: &Wheel,
    relocation: &RelocationPlan,
    member: &dyn Fn(&Path) -> Option<String>,
    applied: &Applied,
) -> String {
    let edited = relocation.edits().filter_map(|object| {
        let digest = applied.edited.get(&object.file)?;
        let name = member(&object.path)?;
        let notes = object.edit.to_string();
        Some(json!({
            "type": "file",
            "bom-ref": name,
            "name": name,
            "hashes": [hash(digest)],
            "pedigree": {
                "ancestors": [original(wheel, &name)],
                "notes": notes.trim().replace("\n  ", "; "),
            },
        }))
    });
    let removed = relocation.drops.iter().filter_map(|drop| {
        let name = member(&drop.path)?;
        let mut component = original(wheel, &name);
        if let Value::Object(fields) = &mut component {
            fields.insert("bom-ref".to_owned(), json!(name));
            fields.insert("scope".to_owned(), json!("excluded"));
            let notes = format!("removed by the rule {}", drop.rule);
            fields.insert("pedigree".to_owned(), json!({ "notes": notes }));
        }
        Some(component)
    });
    let components: Vec<Value> = edited.chain(removed).collect();
    let (name, version) = (wheel.filename().name(), wheel.filename().version());
    let purl = format!("pkg:pypi/{name}@{version}");
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": purl,
                "name": name.as_str(),
                "version": version.to_string(),
                "purl": purl,
            },
            "tools": { "components": [{
                "type": "application",
                "name": "wheelfix",
                "version": env!("CARGO_PKG_VERSION"),
            }]},
        },
        "components": components,
    });
    format!("{bill:#}\n")
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
