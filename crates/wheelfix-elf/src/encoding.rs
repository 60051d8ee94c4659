//! Word size and byte order, and how fields are taken from and put into bytes.

use serde::Serialize;

/// Word size of the file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// `ELFCLASS32`.
    Elf32,
    /// `ELFCLASS64`.
    Elf64,
}

/// Byte order of the file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// `ELFDATA2LSB`.
    Little,
    /// `ELFDATA2MSB`.
    Big,
}

/// How the fields of a file are encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Encoding {
    /// Word size.
    pub class: Class,
    /// Byte order.
    pub byte_order: ByteOrder,
}

impl Encoding {
    /// Length of an address, an offset and a `size_t` in bytes: 4 or 8.
    pub const fn word_len(self) -> usize {
        self.pick(4, 8)
    }

    /// Length of the ELF header in bytes.
    pub const fn header_len(self) -> usize {
        self.pick(52, 64)
    }

    /// Length of a program header in bytes.
    pub const fn program_header_len(self) -> usize {
        self.pick(32, 56)
    }

    /// Length of a section header in bytes.
    pub const fn section_header_len(self) -> usize {
        self.pick(40, 64)
    }

    /// Length of a symbol in bytes.
    pub const fn symbol_len(self) -> usize {
        self.pick(16, 24)
    }

    /// Length of an entry of the dynamic section in bytes.
    pub const fn dynamic_entry_len(self) -> usize {
        self.pick(8, 16)
    }

    /// The largest address or offset the class can hold.
    pub const fn max_word(self) -> u64 {
        match self.class {
            Class::Elf32 => u32::MAX as u64,
            Class::Elf64 => u64::MAX,
        }
    }

    const fn pick(self, elf32: usize, elf64: usize) -> usize {
        match self.class {
            Class::Elf32 => elf32,
            Class::Elf64 => elf64,
        }
    }

    pub(crate) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = array(bytes, at)?;
        Some(match self.byte_order {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        })
    }

    pub(crate) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = array(bytes, at)?;
        Some(match self.byte_order {
            ByteOrder::Little => u32::from_le_bytes(bytes),
            ByteOrder::Big => u32::from_be_bytes(bytes),
        })
    }

    pub(crate) fn u64_at(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = array(bytes, at)?;
        Some(match self.byte_order {
            ByteOrder::Little => u64::from_le_bytes(bytes),
            ByteOrder::Big => u64::from_be_bytes(bytes),
        })
    }

    pub(crate) fn word_at(self, bytes: &[u8], at: usize) -> Option<u64> {
        match self.class {
            Class::Elf32 => self.u32_at(bytes, at).map(u64::from),
            Class::Elf64 => self.u64_at(bytes, at),
        }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Takes fields from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    encoding: Encoding,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(encoding: Encoding, bytes: &'a [u8]) -> Self {
        Self {
            encoding,
            bytes,
            at: 0,
        }
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        let value = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(value)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        let value = self.encoding.u16_at(self.bytes, self.at)?;
        self.at += 2;
        Some(value)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let value = self.encoding.u32_at(self.bytes, self.at)?;
        self.at += 4;
        Some(value)
    }

    pub(crate) fn word(&mut self) -> Option<u64> {
        let value = self.encoding.word_at(self.bytes, self.at)?;
        self.at += self.encoding.word_len();
        Some(value)
    }
}

/// Puts fields at the end of a buffer.
#[derive(Debug)]
pub(crate) struct FieldWriter {
    encoding: Encoding,
    bytes: Vec<u8>,
}

impl FieldWriter {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            bytes: Vec::new(),
        }
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        match self.encoding.byte_order {
            ByteOrder::Little => self.bytes.extend(value.to_le_bytes()),
            ByteOrder::Big => self.bytes.extend(value.to_be_bytes()),
        }
        self
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        match self.encoding.byte_order {
            ByteOrder::Little => self.bytes.extend(value.to_le_bytes()),
            ByteOrder::Big => self.bytes.extend(value.to_be_bytes()),
        }
        self
    }

    /// Puts an address or offset. The caller has checked that it fits the class (see [`Encoding::max_word`]).
    pub(crate) fn word(&mut self, value: u64) -> &mut Self {
        match (self.encoding.class, self.encoding.byte_order) {
            (Class::Elf32, ByteOrder::Little) => {
                self.bytes.extend(value.to_le_bytes().iter().take(4));
            }
            (Class::Elf32, ByteOrder::Big) => self.bytes.extend(value.to_be_bytes().iter().skip(4)),
            (Class::Elf64, ByteOrder::Little) => self.bytes.extend(value.to_le_bytes()),
            (Class::Elf64, ByteOrder::Big) => self.bytes.extend(value.to_be_bytes()),
        }
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_were_put() {
        for class in [Class::Elf32, Class::Elf64] {
            for byte_order in [ByteOrder::Little, ByteOrder::Big] {
                let encoding = Encoding { class, byte_order };
                let mut writer = FieldWriter::new(encoding);
                writer.u16(0x0102).u32(0x0304_0506).word(0x0708_090a);
                let bytes = writer.finish();
                assert_eq!(bytes.len(), 6 + encoding.word_len());
                let mut fields = Fields::new(encoding, &bytes);
                assert_eq!(fields.u16(), Some(0x0102));
                assert_eq!(fields.u32(), Some(0x0304_0506));
                assert_eq!(fields.word(), Some(0x0708_090a));
                assert_eq!(fields.u8(), None);
            }
        }
    }

    #[test]
    fn big_endian_puts_the_high_byte_first() {
        let mut writer = FieldWriter::new(Encoding {
            class: Class::Elf32,
            byte_order: ByteOrder::Big,
        });
        writer.u16(1).u32(2).word(3);
        assert_eq!(writer.finish(), [0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
    }
}
