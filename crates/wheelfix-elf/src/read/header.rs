//! The ELF header.
//!
//! <https://www.sco.com/developers/gabi/latest/ch4.eheader.html>

use serde::{Serialize, Serializer};

use crate::encoding::{ByteOrder, Class, Encoding, Fields};
use crate::error::ReadError;
use crate::machine::Machine;
use crate::read::window::Window;

/// The fields of the ELF header that say what the file is and where its tables are.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Header {
    /// Word size and byte order.
    pub encoding: Encoding,
    /// `EI_OSABI`: 0 is System V, 3 is GNU/Linux.
    pub os_abi: u8,
    /// `EI_ABIVERSION`.
    pub abi_version: u8,
    /// Whether a byte of `e_ident` behind `EI_ABIVERSION` is not 0.
    #[serde(skip)]
    pub has_padding: bool,
    /// `e_version`.
    #[serde(skip)]
    pub version: u32,
    /// `e_type`.
    pub object_type: ObjectType,
    /// `e_machine`.
    pub machine: Machine,
    /// `e_flags`: the machine's own bits, such as the float ABI of Arm and RISC-V.
    pub machine_flags: u32,
    /// `e_entry`, an address.
    pub entry: u64,
    /// `e_phentsize`: length of a program header in bytes.
    #[serde(skip)]
    pub program_header_len: u16,
    /// `e_phoff`: file offset of the program headers, 0 without any.
    pub program_headers_offset: u64,
    /// Number of program headers.
    pub program_header_count: u16,
    /// `e_shoff`: file offset of the section headers, 0 without any.
    pub section_headers_offset: u64,
    /// `e_shnum` as it is in the header: 0 also if the true number is in `sh_size` of section 0.
    pub section_header_count: u16,
    /// `e_shstrndx` as it is in the header: 0xffff if the true index is in `sh_link` of section 0.
    pub section_names_index: u16,
}

/// `e_type`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ObjectType {
    /// `ET_REL`: an object file for the linker.
    Relocatable,
    /// `ET_EXEC`: a program with a fixed address.
    Executable,
    /// `ET_DYN`: a shared library or a position-independent program.
    Dynamic,
    /// `ET_CORE`: a memory image.
    Core,
    /// Any other value.
    Other(u16),
}

impl ObjectType {
    fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Relocatable,
            2 => Self::Executable,
            3 => Self::Dynamic,
            4 => Self::Core,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for ObjectType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Relocatable => f.write_str("relocatable"),
            Self::Executable => f.write_str("executable"),
            Self::Dynamic => f.write_str("dynamic"),
            Self::Core => f.write_str("core"),
            Self::Other(number) => write!(f, "type {number}"),
        }
    }
}

impl Serialize for ObjectType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The length of `e_ident`.
const IDENT_LEN: usize = 16;
const MAGIC: &[u8] = b"\x7fELF";

impl Header {
    pub(crate) fn read(window: &mut Window<'_>) -> Result<Self, ReadError> {
        let encoding = read_ident(window)?;
        let len = encoding.header_len() as u64;
        let bytes = window.bytes("ELF header", 0, len)?.to_vec();
        let truncated = ReadError::Truncated {
            what: "ELF header",
            offset: 0,
            len,
            file_len: bytes.len() as u64,
        };
        let (header, section_header_len) = Self::parse(encoding, &bytes).ok_or(truncated)?;
        let rows = [
            (
                "e_phentsize",
                header.program_header_count,
                header.program_header_len,
                encoding.program_header_len(),
            ),
            (
                "e_shentsize",
                header.section_header_count,
                section_header_len,
                encoding.section_header_len(),
            ),
        ];
        for (what, count, got, want) in rows {
            if count != 0 && usize::from(got) != want {
                let expected = match want {
                    32 => "32",
                    40 => "40",
                    56 => "56",
                    _ => "64",
                };
                return Err(ReadError::Field {
                    what,
                    offset: 0,
                    got: got.into(),
                    expected,
                });
            }
        }
        Ok(header)
    }

    /// Returns the header, and the length of a section header that it claims.
    fn parse(encoding: Encoding, bytes: &[u8]) -> Option<(Self, u16)> {
        let mut fields = Fields::new(encoding, bytes.get(IDENT_LEN..)?);
        let object_type = ObjectType::from_number(fields.u16()?);
        let machine = Machine(fields.u16()?);
        let version = fields.u32()?;
        let entry = fields.word()?;
        let program_headers_offset = fields.word()?;
        let section_headers_offset = fields.word()?;
        let machine_flags = fields.u32()?;
        let _header_len = fields.u16()?;
        let program_header_len = fields.u16()?;
        let program_header_count = fields.u16()?;
        let section_header_len = fields.u16()?;
        let header = Self {
            encoding,
            os_abi: *bytes.get(7)?,
            abi_version: *bytes.get(8)?,
            has_padding: bytes.get(9..IDENT_LEN)?.iter().any(|byte| *byte != 0),
            version,
            program_header_len,
            object_type,
            machine,
            machine_flags,
            entry,
            program_headers_offset,
            program_header_count,
            section_headers_offset,
            section_header_count: fields.u16()?,
            section_names_index: fields.u16()?,
        };
        Some((header, section_header_len))
    }
}

/// Checks `e_ident` and returns the encoding it names.
fn read_ident(window: &mut Window<'_>) -> Result<Encoding, ReadError> {
    let file_len = window.source().file_len();
    let magic = window.bytes("ELF magic", 0, file_len.min(MAGIC.len() as u64))?;
    if magic != MAGIC {
        let got: Vec<String> = magic.iter().map(|byte| format!("{byte:02x}")).collect();
        return Err(ReadError::NotElf { got: got.join(" ") });
    }
    let ident = window.bytes("e_ident", 0, IDENT_LEN as u64)?;
    let field = |at: usize| ident.get(at).copied().unwrap_or_default();
    let class = match field(4) {
        1 => Class::Elf32,
        2 => Class::Elf64,
        got => return Err(bad_ident("EI_CLASS", 4, got, "1 or 2")),
    };
    let byte_order = match field(5) {
        1 => ByteOrder::Little,
        2 => ByteOrder::Big,
        got => return Err(bad_ident("EI_DATA", 5, got, "1 or 2")),
    };
    match field(6) {
        1 => Ok(Encoding { class, byte_order }),
        got => Err(bad_ident("EI_VERSION", 6, got, "1")),
    }
}

fn bad_ident(what: &'static str, offset: u64, got: u8, expected: &'static str) -> ReadError {
    ReadError::Field {
        what,
        offset,
        got: got.into(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(class: u8, data: u8, version: u8) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, data, version];
        bytes.resize(64, 0);
        bytes
    }

    #[track_caller]
    fn check(bytes: &[u8], want: &str) {
        let bytes = bytes.to_vec();
        let got = match Header::read(&mut Window::new(&bytes)) {
            Ok(header) => format!("{:?} {}", header.encoding, header.object_type),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn what_is_no_elf_file_is_named() {
        check(
            b"",
            "not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: ``",
        );
        check(
            b"\x7fE",
            "not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: `7f 45`",
        );
        check(
            b"PK\x03\x04abc",
            "not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: `50 4b 03 04`",
        );
        check(
            b"\x7fELF\x02\x01\x01",
            "e_ident at 0x0 needs 16 bytes, but the file has 7",
        );
        check(
            &header(3, 1, 1),
            "EI_CLASS at 0x4: expected 1 or 2, got 0x3",
        );
        check(&header(2, 0, 1), "EI_DATA at 0x5: expected 1 or 2, got 0x0");
        check(&header(2, 1, 9), "EI_VERSION at 0x6: expected 1, got 0x9");
        check(
            &header(2, 1, 1)[..63],
            "ELF header at 0x0 needs 64 bytes, but the file has 63",
        );
        check(
            &header(1, 2, 1),
            "Encoding { class: Elf32, byte_order: Big } type 0",
        );
    }

    #[test]
    fn entry_lengths_belong_to_the_class() {
        let mut bytes = header(2, 1, 1);
        bytes[54] = 32;
        bytes[56] = 1;
        check(&bytes, "e_phentsize at 0x0: expected 56, got 0x20");
    }
}
