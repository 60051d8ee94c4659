//! Source distributions, made with the `tar` crate and with the encoders of each compression.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

/// How a source distribution is packed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "named as the end of the file's name")]
pub enum Packing {
    TarGz,
    TarBz2,
    TarXz,
    TarZst,
}

impl Packing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TarGz, Self::TarBz2, Self::TarXz, Self::TarZst];

    /// The end of the file's name, with its dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::TarGz => ".tar.gz",
            Self::TarBz2 => ".tar.bz2",
            Self::TarXz => ".tar.xz",
            Self::TarZst => ".tar.zst",
        }
    }

    /// Compresses a tar archive.
    pub fn compress(self, tar: &[u8]) -> Vec<u8> {
        match self {
            Self::TarGz => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(tar).unwrap();
                encoder.finish().unwrap()
            }
            Self::TarBz2 => {
                let mut encoder =
                    bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
                encoder.write_all(tar).unwrap();
                encoder.finish().unwrap()
            }
            Self::TarXz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
                encoder.write_all(tar).unwrap();
                encoder.finish().unwrap()
            }
            Self::TarZst => zstd::encode_all(tar, 3).unwrap(),
        }
    }
}

/// Builds a tar archive whose members lie in one directory, as those of source distributions do.
pub struct SdistBuilder {
    name: String,
    tar: Builder<Vec<u8>>,
}

impl fmt::Debug for SdistBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SdistBuilder({})", self.name)
    }
}

impl SdistBuilder {
    /// A source distribution with `PKG-INFO` and `pyproject.toml`.
    pub fn new(name: &str, version: &str) -> Self {
        let info = format!("Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n");
        Self::without_texts(name, version).file("PKG-INFO", info).file(
            "pyproject.toml",
            "[build-system]\nrequires = [\"flit_core\"]\nbuild-backend = \"flit_core.buildapi\"\n",
        )
    }

    /// A source distribution with nothing but its directory.
    pub fn without_texts(name: &str, version: &str) -> Self {
        let this = Self {
            name: format!("{name}-{version}"),
            tar: Builder::new(Vec::new()),
        };
        this.directory("")
    }

    /// Adds a file; the path is relative to the directory of the distribution.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.add(EntryType::Regular, 0o644, path, content.as_ref())
    }

    /// Adds a file with this mode.
    #[must_use]
    pub fn file_with_mode(self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        self.add(EntryType::Regular, mode, path, content.as_ref())
    }

    /// Adds a directory.
    #[must_use]
    pub fn directory(self, path: &str) -> Self {
        self.add(EntryType::Directory, 0o775, &format!("{path}/"), b"")
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.add_link(EntryType::Symlink, path, target)
    }

    /// Adds a hard link; the target is relative to the directory of the distribution.
    #[must_use]
    pub fn hard_link(self, path: &str, target: &str) -> Self {
        let target = format!("{}/{target}", self.name);
        self.add_link(EntryType::Link, path, &target)
    }

    /// Adds a member below the root of the archive instead of the directory of the distribution.
    #[must_use]
    pub fn beside(self, path: &str, content: &[u8]) -> Self {
        self.append(EntryType::Regular, 0o644, path, content)
    }

    /// The bytes of the tar archive, which is not compressed.
    pub fn tar(self) -> Vec<u8> {
        self.tar.into_inner().unwrap()
    }

    /// Writes the compressed archive into a directory, under its name; gives its path.
    pub fn write_to(self, dir: &Path, packing: Packing) -> PathBuf {
        let path = dir.join(format!("{}{}", self.name, packing.extension()));
        fs_err::write(&path, packing.compress(&self.tar())).unwrap();
        path
    }

    fn add(self, kind: EntryType, mode: u32, path: &str, content: &[u8]) -> Self {
        let path = format!("{}/{path}", self.name);
        self.append(kind, mode, &path, content)
    }

    fn append(mut self, kind: EntryType, mode: u32, path: &str, content: &[u8]) -> Self {
        let mut header = header(kind, mode, content.len());
        self.tar.append_data(&mut header, path, content).unwrap();
        self
    }

    fn add_link(mut self, kind: EntryType, path: &str, target: &str) -> Self {
        let path = format!("{}/{path}", self.name);
        // For a hard link it is also the mode of what it links to.
        let mut header = header(kind, 0o644, 0);
        self.tar.append_link(&mut header, path, target).unwrap();
        self
    }
}

fn header(kind: EntryType, mode: u32, len: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(1000);
    header.set_mtime(1_700_000_000);
    header.set_size(len as u64);
    header
}

/// A tar archive written block by block, so that any of them can lie.
#[derive(Clone, Debug, Default)]
pub struct RawTar {
    bytes: Vec<u8>,
}

impl RawTar {
    /// An archive without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member of this type with an old header, whose fields may be changed before its checksum
    /// is computed.
    #[must_use]
    pub fn member(
        mut self,
        kind: u8,
        name: &str,
        content: &[u8],
        change: impl FnOnce(&mut [u8; 512]),
    ) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::new(kind));
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        let block = header.as_mut_bytes();
        block[..name.len()].copy_from_slice(name.as_bytes());
        change(block);
        header.set_cksum();
        self.bytes.extend(header.as_bytes());
        self.bytes.extend(content);
        self.pad()
    }

    /// Adds a regular file.
    #[must_use]
    pub fn file(self, name: &str, content: &[u8]) -> Self {
        self.member(b'0', name, content, |_| {})
    }

    /// Adds a link of this type.
    #[must_use]
    pub fn link(self, kind: u8, name: &str, target: &str) -> Self {
        self.member(kind, name, b"", |block| {
            block[157..157 + target.len()].copy_from_slice(target.as_bytes());
        })
    }

    /// Adds an extended header with these records.
    #[must_use]
    pub fn pax(self, kind: u8, records: &[(&str, &str)]) -> Self {
        let mut content = String::new();
        for (key, value) in records {
            let rest = format!(" {key}={value}\n");
            let mut len = rest.len() + 1;
            while len.to_string().len() + rest.len() != len {
                len += 1;
            }
            content.push_str(&len.to_string());
            content.push_str(&rest);
        }
        self.member(kind, "././@PaxHeader", content.as_bytes(), |_| {})
    }

    /// Adds bytes as they are, padded to whole blocks.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self.pad()
    }

    /// The bytes with the end marker.
    pub fn build(self) -> Vec<u8> {
        self.raw(&[0; 1024]).bytes
    }

    /// The bytes without the end marker.
    pub fn build_open(self) -> Vec<u8> {
        self.bytes
    }

    fn pad(mut self) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }
}
