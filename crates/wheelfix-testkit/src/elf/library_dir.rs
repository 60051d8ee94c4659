//! Libraries compiled for one test.

use std::path::PathBuf;

use tempfile::TempDir;

use super::tool::Tool;

/// A directory with libraries, as an output will have them.
#[derive(Debug)]
pub struct LibraryDir {
    dir: TempDir,
}

impl LibraryDir {
    /// An empty directory.
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The directory, links on the way resolved.
    pub fn root(&self) -> PathBuf {
        fs_err::canonicalize(self.dir.path()).unwrap()
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Compiles a library from C, all of whose symbols are bound on load. The soname is the file name;
    /// the flags come last.
    pub fn library(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let file = self.path("source.c");
        fs_err::write(&file, source).unwrap();
        let soname = format!(
            "-Wl,-soname,{}",
            path.file_name().unwrap().to_str().unwrap()
        );
        let file = file.to_str().unwrap();
        let output = path.to_str().unwrap();
        let start = [
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-Wl,--no-as-needed,-z,now",
            &soname,
            "-o",
            output,
            file,
        ];
        Tool::CC
            .run_in(&self.root(), &[&start, flags].concat())
            .expect();
        path
    }

    /// Compiles a library whose symbols have the versions of a linker script.
    pub fn versioned(&self, name: &str, source: &str, script: &str) -> PathBuf {
        let file = self.path("versions.map");
        fs_err::write(&file, script).unwrap();
        self.library(
            name,
            source,
            &[&format!("-Wl,--version-script={}", file.display())],
        )
    }

    /// A text with `DIR` for the directory.
    pub fn shorten(&self, text: &str) -> String {
        text.replace(self.root().to_str().unwrap(), "DIR")
    }
}

impl Default for LibraryDir {
    fn default() -> Self {
        Self::new()
    }
}
