//! Where a distribution came from: files of `.dist-info` that an installer may add.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>

use std::io;
use std::path::Path;

use crate::digest::FileDigest;

/// The files about the origin of a distribution that are added; by default none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Provenance {
    /// The text of `INSTALLER`, without the end of its line.
    pub installer: Option<String>,
    /// Whether there is a file `REQUESTED`: the user asked for this very distribution.
    pub requested: bool,
    /// The URL in `direct_url.json`; the hash beside it is that of the wheel.
    pub direct_url: Option<String>,
}

impl Provenance {
    /// The files to add for a wheel, by their name in `.dist-info`.
    pub(crate) fn files(&self, wheel: &Path) -> io::Result<Vec<(&'static str, String)>> {
        let mut files = Vec::new();
        if let Some(installer) = &self.installer {
            files.push(("INSTALLER", format!("{installer}\n")));
        }
        if self.requested {
            files.push(("REQUESTED", String::new()));
        }
        if let Some(url) = &self.direct_url {
            let digest = FileDigest::of_file(wheel)?;
            files.push(("direct_url.json", direct_url(url, &digest.hex())));
        }
        Ok(files)
    }
}

/// <https://packaging.python.org/en/latest/specifications/direct-url-data-structure/>
fn direct_url(url: &str, sha256: &str) -> String {
    let value = serde_json::json!({
        "archive_info": { "hash": format!("sha256={sha256}"), "hashes": { "sha256": sha256 } },
        "url": url,
    });
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let wheel = dir.path().join("a.whl");
        fs_err::write(&wheel, "abc").unwrap();
        assert_eq!(Provenance::default().files(&wheel).unwrap(), []);
        let provenance = Provenance {
            installer: Some("nix".to_owned()),
            requested: true,
            direct_url: Some("https://example.org/a\"b.whl".to_owned()),
        };
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let url = format!(
            r#"{{"archive_info":{{"hash":"sha256={sha256}","hashes":{{"sha256":"{sha256}"}}}},"url":"https://example.org/a\"b.whl"}}"#
        );
        assert_eq!(
            provenance.files(&wheel).unwrap(),
            [
                ("INSTALLER", "nix\n".to_owned()),
                ("REQUESTED", String::new()),
                ("direct_url.json", url),
            ]
        );
    }
}
