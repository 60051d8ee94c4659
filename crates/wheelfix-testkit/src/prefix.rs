//! Prefixes as an installer leaves them: modules with their bytecode, metadata, RECORD, scripts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

/// Builds a prefix with one distribution, for Python 3.11.
#[derive(Clone, Debug)]
pub struct PrefixBuilder {
    name: String,
    version: String,
    metadata: String,
    tag: String,
    /// Content and mode, by path below the prefix.
    files: BTreeMap<String, (Vec<u8>, u32)>,
    propagated: Vec<PathBuf>,
}

/// Where modules lie.
pub const SITE_PACKAGES: &str = "lib/python3.11/site-packages";

impl PrefixBuilder {
    /// A distribution without modules.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            metadata: String::new(),
            tag: "py3-none-any".to_owned(),
            files: BTreeMap::new(),
            propagated: Vec::new(),
        }
    }

    /// Adds lines to METADATA.
    #[must_use]
    pub fn metadata(mut self, lines: &str) -> Self {
        self.metadata.push_str(lines);
        self
    }

    /// Sets the tag in WHEEL.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    /// Adds a file below `site-packages`.
    #[must_use]
    pub fn file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.add(&format!("{SITE_PACKAGES}/{path}"), content, 0o644)
    }

    /// Adds a module below `site-packages`, with bytecode that names this prefix: not what Python would
    /// write, but like it never equal to that of another prefix.
    #[must_use]
    pub fn module(self, path: &str, source: &str) -> Self {
        let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = file.strip_suffix(".py").unwrap();
        let cache = format!("{directory}/__pycache__/{stem}.cpython-311.pyc");
        let bytecode = format!("bytecode of {} in {path}", self.name);
        self.file(path, source)
            .file(cache.trim_start_matches('/'), bytecode)
    }

    /// Adds a script in `bin`.
    #[must_use]
    pub fn script(self, name: &str, text: &str) -> Self {
        self.add(&format!("bin/{name}"), text, 0o755)
    }

    /// Adds a file anywhere below the prefix.
    #[must_use]
    pub fn add(mut self, path: &str, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        self.files.insert(path.to_owned(), (content.into(), mode));
        self
    }

    /// Adds a prefix that is needed at run time.
    #[must_use]
    pub fn propagates(mut self, prefix: &Path) -> Self {
        self.propagated.push(prefix.to_owned());
        self
    }

    /// Writes the prefix to a new directory.
    pub fn write_to(&self, prefix: &Path) {
        let dist_info = format!("{}-{}.dist-info", self.name, self.version);
        let metadata = format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {}\n{}",
            self.name, self.version, self.metadata
        );
        let wheel = format!(
            "Wheel-Version: 1.0\nGenerator: testkit\nRoot-Is-Purelib: true\nTag: {}\n",
            self.tag
        );
        let mut files = self.files.clone();
        for (name, text) in [("METADATA", metadata), ("WHEEL", wheel)] {
            let path = format!("{SITE_PACKAGES}/{dist_info}/{name}");
            files.insert(path, (text.into_bytes(), 0o644));
        }
        let mut record = String::new();
        for (path, (content, _)) in &files {
            let inside = path.strip_prefix(&format!("{SITE_PACKAGES}/"));
            let row = inside.map_or_else(|| format!("../../../{path}"), str::to_owned);
            let is_bytecode = row.rsplit_once('.').is_some_and(|(_, it)| it == "pyc");
            if !is_bytecode {
                let digest = BASE64URL_NOPAD.encode(&Sha256::digest(content));
                writeln!(record, "{row},sha256={digest},{}", content.len()).unwrap();
            }
        }
        writeln!(record, "{dist_info}/RECORD,,").unwrap();
        let record_path = format!("{SITE_PACKAGES}/{dist_info}/RECORD");
        files.insert(record_path, (record.into_bytes(), 0o644));
        if !self.propagated.is_empty() {
            let list: Vec<&str> = self
                .propagated
                .iter()
                .map(|path| path.to_str().unwrap())
                .collect();
            let text = format!(" {} \n", list.join(" "));
            let path = "nix-support/propagated-build-inputs".to_owned();
            files.insert(path, (text.into_bytes(), 0o644));
        }
        for (path, (content, mode)) in files {
            let path = prefix.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, content).unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}
