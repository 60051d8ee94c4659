//! The Python sources of a tree, and what is run as they are.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use memchr::memmem;
use wheelfix_format::{AskedLibrary, PythonLoad, UnnamedLoad, is_python_source, source_loads};
use wheelfix_loader::normalize;

/// A Python source.
#[derive(Clone, Debug)]
pub struct PythonSource {
    /// Its final path.
    pub path: PathBuf,
    /// Where its bytes lie now.
    pub file: PathBuf,
    /// The libraries that it opens by name.
    pub loads: Vec<PythonLoad>,
    /// The calls by which it opens libraries by names that are not in it.
    pub unnamed_loads: Vec<UnnamedLoad>,
}

impl PythonSource {
    /// One that opens no library, as [`may_open_libraries`](wheelfix_format::may_open_libraries) says of its text.
    pub fn plain(path: &Path, file: PathBuf) -> Self {
        Self {
            path: normalize(path),
            file,
            loads: Vec::new(),
            unnamed_loads: Vec::new(),
        }
    }

    /// Reads a file that is a source, or is run as one is; `None` for another. The buffer is for its text.
    pub(crate) fn read(path: &Path, file: &Path, buffer: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let is_source = is_python_source(path);
        if !is_source && !is_like_source(path, file)? {
            return Ok(None);
        }
        let mut source = Self::plain(path, file.to_path_buf());
        read_source(file, buffer)?;
        let found = source_loads(buffer);
        source.unnamed_loads = found.unnamed;
        // Nothing imports a script: who runs it is told what it lacks.
        if is_source || is_python_script(buffer) {
            source.loads = found.named;
            for load in &mut source.loads {
                load.is_needed &= is_source;
            }
        }
        Ok(Some(source))
    }

    /// All libraries that it asks for, each of several alternatives too.
    pub(crate) fn asked(&self) -> impl Iterator<Item = &AskedLibrary> {
        self.loads.iter().flat_map(|load| &load.names)
    }
}

/// Larger Python sources are data; in bytes.
const MAX_SOURCE_LEN: u64 = 16 << 20;

/// Reads the text of a Python source, in as few calls of the system as possible; nothing of one that is too long.
///
/// The buffer is the same for many sources: most are read, looked through and forgotten.
fn read_source(file: &Path, text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    let file = fs_err::File::open(file)?;
    let len = file.metadata()?.len();
    if len <= MAX_SOURCE_LEN {
        text.reserve(usize::try_from(len).unwrap_or_default());
        file.take(len).read_to_end(text)?;
    }
    Ok(())
}

/// Whether a file is run as a source is: a script of `bin`, a `.pth` file, or byte code in the place of a source.
fn is_like_source(path: &Path, file: &Path) -> io::Result<bool> {
    if may_be_like_source(path) {
        return Ok(match path.extension().and_then(|ending| ending.to_str()) {
            Some("pyc") => !file.with_extension("py").is_file(),
            Some("pth") => true,
            _ => {
                let mut start = [0; 2];
                let read = fs_err::File::open(file)?.read(&mut start)?;
                read == start.len() && start == *b"#!"
            }
        });
    }
    Ok(false)
}

/// Whether the first line of a script names Python.
fn is_python_script(text: &[u8]) -> bool {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && memmem::find(first, b"python").is_some()
}

/// Whether a file has the name or the place of what is run as a source is.
pub fn may_be_like_source(path: &Path) -> bool {
    let parent = path.parent().and_then(Path::file_name);
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("pyc") => parent.is_none_or(|name| name != "__pycache__"),
        Some("pth") => true,
        _ => parent.is_some_and(|name| name == "bin"),
    }
}
