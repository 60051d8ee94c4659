//! Symbol versions: which an object needs from others, and which it defines.
//!
//! <https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html>

use serde::Serialize;

use crate::encoding::{Encoding, Fields};
use crate::error::ReadError;
use crate::read::dynamic::StringTable;
use crate::read::window::Window;

/// Real files need versions of tens of libraries, and define at most hundreds.
const MAX_VERSIONS: u64 = 1 << 16;
/// Length of a `Verneed`, and of a `Vernaux`; the same in both classes.
pub(crate) const NEED_LEN: u64 = 16;
/// Length of a `Verdef`; the same in both classes.
pub(crate) const DEFINITION_LEN: u64 = 20;
const DEFINITION_NAME_LEN: u64 = 8;
/// Bit of `vna_flags`: it does no harm if the version is missing.
pub(crate) const VER_FLG_WEAK: u16 = 2;
/// Bit of `vd_flags`: names the library itself.
const VER_FLG_BASE: u16 = 1;

/// The versions that are needed from one library (`Verneed`).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct VersionNeeds {
    /// The library: the same text as one of the NEEDED entries.
    pub file: String,
    /// The versions that are needed from it.
    pub versions: Vec<VersionNeed>,
    /// File offset of the structure.
    #[serde(skip)]
    pub offset: u64,
    /// Offset of `file` in the string table.
    #[serde(skip)]
    pub file_offset: u32,
}

/// One version that is needed (`Vernaux`).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct VersionNeed {
    /// Its name, such as `GLIBC_2.17`.
    pub name: String,
    /// `vna_hash`: what is compared before the names are.
    pub hash: u32,
    /// Whether the program starts without it.
    pub weak: bool,
    /// `vna_other`: the number that symbols have in the version table, the hidden bit included.
    pub index: u16,
    /// File offset of the structure.
    #[serde(skip)]
    pub offset: u64,
    /// Offset of `name` in the string table.
    #[serde(skip)]
    pub name_offset: u32,
}

/// One version that is defined (`Verdef`).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct VersionDefinition {
    /// Its name. The base version is named like the library.
    pub name: String,
    /// The names of the versions it inherits from.
    pub parents: Vec<String>,
    /// `vd_hash`: what is compared before the names are.
    pub hash: u32,
    /// `vd_ndx`: the number that symbols have in the version table.
    pub index: u16,
    /// Whether it stands for the library itself and is not a version of symbols.
    pub base: bool,
    /// File offset of the structure.
    #[serde(skip)]
    pub offset: u64,
    /// Offsets of the names in the string table: its own and its parents'.
    #[serde(skip)]
    pub name_offsets: Vec<u32>,
}

impl VersionDefinition {
    /// Returns its own name and those of its parents, in the order of [`Self::name_offsets`].
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.name).chain(&self.parents)
    }
}

/// Where a chain of version structures is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// File offset of the first structure.
    pub(crate) offset: u64,
    /// File offset where the segment that holds it ends.
    pub(crate) end: u64,
    /// `DT_VERNEEDNUM` or `DT_VERDEFNUM`.
    pub(crate) count: u64,
}

/// Reads version structures: bounded in number by [`MAX_VERSIONS`] over the whole chain.
pub(crate) struct VersionReader<'w, 's> {
    pub(crate) window: &'w mut Window<'s>,
    pub(crate) encoding: Encoding,
    pub(crate) strings: StringTable,
    /// Another window, since the strings are elsewhere.
    structures: Window<'s>,
    read: u64,
}

impl<'w, 's> VersionReader<'w, 's> {
    pub(crate) fn new(
        window: &'w mut Window<'s>,
        encoding: Encoding,
        strings: StringTable,
    ) -> Self {
        let structures = Window::new(window.source());
        Self {
            window,
            encoding,
            strings,
            structures,
            read: 0,
        }
    }

    pub(crate) fn needs(&mut self, chain: Chain) -> Result<Vec<VersionNeeds>, ReadError> {
        let mut needs = Vec::new();
        let mut offset = chain.offset;
        for _ in 0..chain.count {
            let bytes = self.structure("Verneed", chain, offset, NEED_LEN)?;
            let Some((version, count, file, aux, next)) = parse_head(self.encoding, &bytes) else {
                break;
            };
            check_version("vn_version", offset, version)?;
            let file_name = self.strings.text(self.window, "vn_file", file.into())?;
            let versions = self.need_versions(chain, offset.saturating_add(aux.into()), count)?;
            needs.push(VersionNeeds {
                file: file_name,
                versions,
                offset,
                file_offset: file,
            });
            if next == 0 {
                break;
            }
            offset = offset.saturating_add(next.into());
        }
        Ok(needs)
    }

    fn need_versions(
        &mut self,
        chain: Chain,
        start: u64,
        count: u16,
    ) -> Result<Vec<VersionNeed>, ReadError> {
        let mut versions = Vec::new();
        let mut offset = start;
        for _ in 0..count {
            let bytes = self.structure("Vernaux", chain, offset, NEED_LEN)?;
            let mut fields = Fields::new(self.encoding, &bytes);
            let parsed = (|| {
                Some((
                    fields.u32()?,
                    fields.u16()?,
                    fields.u16()?,
                    fields.u32()?,
                    fields.u32()?,
                ))
            })();
            let Some((hash, flags, index, name_offset, next)) = parsed else {
                break;
            };
            let name = self
                .strings
                .text(self.window, "vna_name", name_offset.into())?;
            let weak = flags & VER_FLG_WEAK != 0;
            versions.push(VersionNeed {
                name,
                hash,
                weak,
                index,
                offset,
                name_offset,
            });
            if next == 0 {
                break;
            }
            offset = offset.saturating_add(next.into());
        }
        Ok(versions)
    }

    pub(crate) fn definitions(
        &mut self,
        chain: Chain,
    ) -> Result<Vec<VersionDefinition>, ReadError> {
        let mut definitions = Vec::new();
        let mut offset = chain.offset;
        for _ in 0..chain.count {
            let bytes = self.structure("Verdef", chain, offset, DEFINITION_LEN)?;
            let mut fields = Fields::new(self.encoding, &bytes);
            let parsed = (|| {
                let head = (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
                Some((head, fields.u32()?, fields.u32()?, fields.u32()?))
            })();
            let Some(((version, flags, index, count), hash, aux, next)) = parsed else {
                break;
            };
            check_version("vd_version", offset, version)?;
            let (name_offsets, mut names) =
                self.names(chain, offset.saturating_add(aux.into()), count)?;
            let name = if names.is_empty() {
                String::new()
            } else {
                names.remove(0)
            };
            let base = flags & VER_FLG_BASE != 0;
            definitions.push(VersionDefinition {
                name,
                parents: names,
                hash,
                index,
                base,
                offset,
                name_offsets,
            });
            if next == 0 {
                break;
            }
            offset = offset.saturating_add(next.into());
        }
        Ok(definitions)
    }

    fn names(
        &mut self,
        chain: Chain,
        start: u64,
        count: u16,
    ) -> Result<(Vec<u32>, Vec<String>), ReadError> {
        let (mut offsets, mut names) = (Vec::new(), Vec::new());
        let mut offset = start;
        for _ in 0..count {
            let bytes = self.structure("Verdaux", chain, offset, DEFINITION_NAME_LEN)?;
            let mut fields = Fields::new(self.encoding, &bytes);
            let (Some(name_offset), Some(next)) = (fields.u32(), fields.u32()) else {
                break;
            };
            offsets.push(name_offset);
            names.push(
                self.strings
                    .text(self.window, "vda_name", name_offset.into())?,
            );
            if next == 0 {
                break;
            }
            offset = offset.saturating_add(next.into());
        }
        Ok((offsets, names))
    }

    fn structure(
        &mut self,
        what: &'static str,
        chain: Chain,
        offset: u64,
        len: u64,
    ) -> Result<Vec<u8>, ReadError> {
        self.read += 1;
        if self.read > MAX_VERSIONS {
            return Err(ReadError::TooMany {
                what,
                offset,
                got: self.read,
                limit: MAX_VERSIONS,
            });
        }
        if offset.checked_add(len).is_none_or(|end| end > chain.end) {
            return Err(ReadError::Truncated {
                what,
                offset,
                len,
                file_len: chain.end,
            });
        }
        Ok(self.structures.bytes(what, offset, len)?.to_vec())
    }
}

fn parse_head(encoding: Encoding, bytes: &[u8]) -> Option<(u16, u16, u32, u32, u32)> {
    let mut fields = Fields::new(encoding, bytes);
    Some((
        fields.u16()?,
        fields.u16()?,
        fields.u32()?,
        fields.u32()?,
        fields.u32()?,
    ))
}

fn check_version(what: &'static str, offset: u64, version: u16) -> Result<(), ReadError> {
    match version {
        1 => Ok(()),
        got => Err(ReadError::Field {
            what,
            offset,
            got: got.into(),
            expected: "1",
        }),
    }
}
