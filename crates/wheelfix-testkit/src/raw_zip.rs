//! Zip archives written field by field, so that any of them can lie.
//!
//! Without a lie the bytes are those of an ordinary archive; a test compares them with the reading of
//! Python's `zipfile`.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Method for content as it is.
pub const STORED: u16 = 0;
/// Method for deflated content.
pub const DEFLATED: u16 = 8;
/// Flag for lengths and checksum that follow the data.
pub const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Flag for a name in UTF-8.
pub const FLAG_UTF8: u16 = 1 << 11;

/// An archive: members, central directory, end records.
#[derive(Clone, Debug, Default)]
pub struct RawZip {
    /// The members in the order of both the file and the central directory.
    pub members: Vec<RawMember>,
    /// Bytes before the first member; offsets count them.
    pub before: Vec<u8>,
    /// Bytes between the last member and the central directory.
    pub before_directory: Vec<u8>,
    /// The archive's comment.
    pub comment: Vec<u8>,
    /// Bytes after the archive.
    pub after: Vec<u8>,
    /// Whether there are zip64 end records.
    pub zip64: bool,
    /// Applied to the fields of the end record.
    pub lie_end: Option<fn(&mut EndFields)>,
    /// Applied to the fields of the zip64 end records.
    pub lie_zip64: Option<fn(&mut Zip64Fields)>,
}

/// A member: local header, data, descriptor, and its entry in the central directory.
#[derive(Clone, Debug)]
pub struct RawMember {
    /// Fields of both headers; what follows changes one of them.
    pub fields: HeaderFields,
    /// The data as it lies in the archive.
    pub data: Vec<u8>,
    /// Bytes after the data, instead of a descriptor if the flag is set.
    pub after: Option<Vec<u8>>,
    /// Unix mode with the file type.
    pub mode: u32,
    /// Applied to the fields of the local header.
    pub lie_local: Option<fn(&mut HeaderFields)>,
    /// Applied to the fields of the entry, after the offset was set.
    pub lie_central: Option<fn(&mut HeaderFields)>,
    /// Whether it is in the file; else it is only in the central directory.
    pub is_local: bool,
    /// Whether it is in the central directory; else it is only in the file.
    pub is_central: bool,
}

/// The fields that both headers have, and the offset.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as in the specification of the format")]
pub struct HeaderFields {
    pub signature: [u8; 4],
    pub version: u16,
    pub flags: u16,
    pub method: u16,
    pub crc32: u32,
    pub compressed_len: u32,
    pub len: u32,
    pub name: Vec<u8>,
    pub extra: Vec<u8>,
    pub comment: Vec<u8>,
    pub disk: u16,
    pub offset: u32,
}

/// The fields of the end record.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as in the specification of the format")]
pub struct EndFields {
    pub disk: u16,
    pub count_here: u16,
    pub count: u16,
    pub directory_len: u32,
    pub directory_offset: u32,
    pub comment_len: u16,
}

/// The fields of the zip64 end record and of its locator.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as in the specification of the format")]
pub struct Zip64Fields {
    pub count: u64,
    pub directory_len: u64,
    pub directory_offset: u64,
    pub record_len: u64,
    pub record_offset: u64,
    pub extensible: Vec<u8>,
}

impl RawZip {
    /// An archive of these members.
    pub fn new(members: Vec<RawMember>) -> Self {
        Self {
            members,
            ..Self::default()
        }
    }

    /// The bytes of the archive.
    pub fn build(&self) -> Vec<u8> {
        let mut out = self.before.clone();
        let mut entries = Vec::new();
        for member in &self.members {
            let mut fields = member.fields.clone();
            fields.offset = u32::try_from(out.len()).unwrap();
            if member.is_local {
                member.write_local(&fields, &mut out);
            }
            if member.is_central {
                member.write_central(fields, &mut entries);
            }
        }
        out.extend(&self.before_directory);
        let directory_offset = out.len();
        let directory_len = entries.len();
        out.extend(entries);
        let count = self
            .members
            .iter()
            .filter(|member| member.is_central)
            .count();
        if self.zip64 {
            self.write_zip64(count, directory_offset, &mut out);
        }
        let mut end = EndFields {
            disk: 0,
            count_here: u16::try_from(count).unwrap(),
            count: u16::try_from(count).unwrap(),
            directory_len: u32::try_from(directory_len).unwrap(),
            directory_offset: u32::try_from(directory_offset).unwrap(),
            comment_len: u16::try_from(self.comment.len()).unwrap(),
        };
        if self.zip64 {
            (end.count_here, end.count) = (u16::MAX, u16::MAX);
            (end.directory_len, end.directory_offset) = (u32::MAX, u32::MAX);
        }
        apply(self.lie_end, &mut end);
        end.write(&mut out);
        out.extend(&self.comment);
        out.extend(&self.after);
        out
    }

    fn write_zip64(&self, count: usize, directory_offset: usize, out: &mut Vec<u8>) {
        let mut fields = Zip64Fields {
            count: count as u64,
            directory_len: (out.len() - directory_offset) as u64,
            directory_offset: directory_offset as u64,
            record_len: 44,
            record_offset: out.len() as u64,
            extensible: Vec::new(),
        };
        apply(self.lie_zip64, &mut fields);
        out.extend(b"PK\x06\x06");
        out.extend(fields.record_len.to_le_bytes());
        out.extend([45, 0, 45, 0]); // versions
        out.extend([0; 8]); // disks
        out.extend(fields.count.to_le_bytes());
        out.extend(fields.count.to_le_bytes());
        out.extend(fields.directory_len.to_le_bytes());
        out.extend(fields.directory_offset.to_le_bytes());
        out.extend(&fields.extensible);
        out.extend(b"PK\x06\x07");
        out.extend([0; 4]);
        out.extend(fields.record_offset.to_le_bytes());
        out.extend(1u32.to_le_bytes());
    }
}

impl RawMember {
    /// A deflated member, as Python's `zipfile` would write it.
    pub fn new(name: &str, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        Self::with_data(name, content, DEFLATED, encoder.finish().unwrap())
    }

    /// A stored member.
    pub fn stored(name: &str, content: &[u8]) -> Self {
        Self::with_data(name, content, STORED, content.to_vec())
    }

    fn with_data(name: &str, content: &[u8], method: u16, data: Vec<u8>) -> Self {
        let is_dir = name.ends_with('/');
        Self {
            fields: HeaderFields {
                signature: *b"PK\x03\x04",
                version: 20,
                flags: if name.is_ascii() { 0 } else { FLAG_UTF8 },
                method,
                crc32: crc32fast::hash(content),
                compressed_len: u32::try_from(data.len()).unwrap(),
                len: u32::try_from(content.len()).unwrap(),
                name: name.as_bytes().to_vec(),
                extra: Vec::new(),
                comment: Vec::new(),
                disk: 0,
                offset: 0,
            },
            data,
            after: None,
            mode: if is_dir { 0o40_755 } else { 0o100_644 },
            lie_local: None,
            lie_central: None,
            is_local: true,
            is_central: true,
        }
    }

    /// A data descriptor that says what the fields say, with or without its signature.
    pub fn descriptor(&self, has_signature: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if has_signature {
            out.extend(b"PK\x07\x08");
        }
        out.extend(self.fields.crc32.to_le_bytes());
        out.extend(self.fields.compressed_len.to_le_bytes());
        out.extend(self.fields.len.to_le_bytes());
        out
    }

    fn write_local(&self, fields: &HeaderFields, out: &mut Vec<u8>) {
        let mut local = fields.clone();
        if local.flags & FLAG_DESCRIPTOR != 0 {
            (local.crc32, local.compressed_len, local.len) = (0, 0, 0);
        }
        apply(self.lie_local, &mut local);
        out.extend(local.signature);
        local.write_shared(out);
        out.extend(&local.name);
        out.extend(&local.extra);
        out.extend(&self.data);
        if let Some(after) = &self.after {
            out.extend(after);
        } else if fields.flags & FLAG_DESCRIPTOR != 0 {
            out.extend(self.descriptor(true));
        }
    }

    fn write_central(&self, mut central: HeaderFields, out: &mut Vec<u8>) {
        central.signature = *b"PK\x01\x02";
        apply(self.lie_central, &mut central);
        out.extend(central.signature);
        out.extend([20, 3]); // version and system of the writer: Unix
        central.write_shared(out);
        out.extend(u16::try_from(central.comment.len()).unwrap().to_le_bytes());
        out.extend(central.disk.to_le_bytes());
        out.extend([0; 2]); // internal attributes
        out.extend((self.mode << 16).to_le_bytes());
        out.extend(central.offset.to_le_bytes());
        out.extend(&central.name);
        out.extend(&central.extra);
        out.extend(&central.comment);
    }
}

impl HeaderFields {
    /// From the version to the length of the extra field.
    fn write_shared(&self, out: &mut Vec<u8>) {
        out.extend(self.version.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend([0, 0, 0x21, 0]); // time and date: 1980-01-01
        out.extend(self.crc32.to_le_bytes());
        out.extend(self.compressed_len.to_le_bytes());
        out.extend(self.len.to_le_bytes());
        out.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        out.extend(u16::try_from(self.extra.len()).unwrap().to_le_bytes());
    }
}

impl EndFields {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(b"PK\x05\x06");
        out.extend(self.disk.to_le_bytes());
        out.extend(self.disk.to_le_bytes());
        out.extend(self.count_here.to_le_bytes());
        out.extend(self.count.to_le_bytes());
        out.extend(self.directory_len.to_le_bytes());
        out.extend(self.directory_offset.to_le_bytes());
        out.extend(self.comment_len.to_le_bytes());
    }
}

/// A record of an extra field.
pub fn extra(id: u16, content: &[u8]) -> Vec<u8> {
    let mut out = id.to_le_bytes().to_vec();
    out.extend(u16::try_from(content.len()).unwrap().to_le_bytes());
    out.extend(content);
    out
}

fn apply<T>(lie: Option<fn(&mut T)>, fields: &mut T) {
    if let Some(lie) = lie {
        lie(fields);
    }
}
