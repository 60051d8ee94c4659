//! Writes a zip archive whose bytes depend on what is put into it alone: no times, no system, and a
//! compressor that gives the same on every machine.
//!
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;

use libdeflater::{CompressionLvl, Compressor};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::map::{ReadMap, WriteMap};
use crate::member_path::MemberPath;
use crate::zip::{Member, Method, ZipArchive};

/// 1980-01-01 00:00:00, the first time that the format knows.
const TIME_AND_DATE: u32 = 0x0021_0000;
/// The version that deflate needs.
const VERSION: u16 = 20;
/// The version that zip64 needs.
const ZIP64_VERSION: u16 = 45;
/// Attributes are those of Unix.
const MADE_BY: u16 = 3 << 8 | ZIP64_VERSION;
const FLAG_UTF8: u16 = 1 << 11;
const TYPE_FILE: u32 = 0o100_000;

/// A member that is ready to be written.
#[derive(Debug)]
pub struct Packed {
    method: Method,
    crc32: u32,
    len: u64,
    data: Data,
}

/// The data of a member, as the archive holds it.
#[derive(Debug)]
enum Data {
    Memory(Vec<u8>),
    /// In a file that is there for nothing else.
    Scratch(WriteMap),
}

impl Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Scratch(map) => map,
        }
    }
}

impl Packed {
    /// Compresses content; what does not get smaller is stored.
    pub fn new(content: &[u8]) -> Self {
        // Room for less than the content is enough: more is not wanted.
        let mut data = vec![0; content.len().saturating_sub(1)];
        let (method, data) = match compress(content, &mut data) {
            Some(len) => {
                data.truncate(len);
                data.shrink_to_fit();
                (Method::Deflated, data)
            }
            None => (Method::Stored, content.to_vec()),
        };
        Self::made(method, content, Data::Memory(data))
    }

    /// Compresses the content of a file without holding it in memory: the result is in `scratch`, an
    /// empty file that nobody else knows. Gives the same as [`new`](Self::new).
    pub fn of_file(file: &File, scratch: &File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        if len == 0 {
            return Ok(Self::new(&[]));
        }
        let content = ReadMap::new(file)?;
        let Some(mut data) = allocated(scratch, content.len())? else {
            return Ok(Self::new(&content));
        };
        let end = content.len() - 1;
        let room = data.get_mut(..end).unwrap_or_default();
        let compressed = compress(&content, room);
        if compressed.is_none() {
            data.copy_from_slice(&content);
        }
        content.check()?;
        data.check()?;
        let Some(len) = compressed else {
            return Ok(Self::made(Method::Stored, &content, Data::Scratch(data)));
        };
        drop(data);
        scratch.set_len(len as u64)?;
        let data = match len {
            0 => Data::Memory(Vec::new()),
            len => Data::Scratch(WriteMap::new(scratch, len)?),
        };
        Ok(Self::made(Method::Deflated, &content, data))
    }

    fn made(method: Method, content: &[u8], data: Data) -> Self {
        Self {
            method,
            crc32: crc32fast::hash(content),
            len: content.len() as u64,
            data,
        }
    }
}

/// Compresses into a buffer; gives the length, `None` if the result does not fit.
fn compress(content: &[u8], data: &mut [u8]) -> Option<usize> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    compressor.deflate_compress(content, data).ok()
}

/// An empty file, made as long as asked for and mapped; `None` if its file system cannot promise the
/// room. A disk that is full is an error here.
fn allocated(file: &File, len: usize) -> io::Result<Option<WriteMap>> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len as u64) {
        Ok(()) => WriteMap::new(file, len).map(Some),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes a zip archive, member by member.
#[derive(Debug)]
pub struct ZipWriter<W> {
    out: W,
    /// File offset of what is written next.
    offset: u64,
    /// The central directory so far.
    directory: Vec<u8>,
    count: u64,
}

/// The values of both headers of a member, the local one and the central one.
struct Header<'a> {
    path: &'a MemberPath,
    executable: bool,
    method: Method,
    crc32: u32,
    compressed_len: u64,
    len: u64,
    offset: u64,
}

impl<W: Write> ZipWriter<W> {
    /// An archive without members.
    pub fn new(out: W) -> Self {
        Self {
            out,
            offset: 0,
            directory: Vec::new(),
            count: 0,
        }
    }

    /// Adds a member of another archive with its data as it is, not inflated.
    pub fn copy(&mut self, archive: &ZipArchive, member: &Member) -> io::Result<()> {
        let data = archive.compressed(member);
        let header = Header {
            path: &member.path,
            executable: member.executable,
            method: member.method,
            crc32: member.crc32,
            compressed_len: data.len() as u64,
            len: member.len,
            offset: self.offset,
        };
        let written = self.write(&header, data);
        if written.is_err() {
            // Where the kernel reads for us, it sends no signal: reading does.
            std::hint::black_box(data.iter().step_by(512).fold(0, |sum, byte| sum ^ byte));
        }
        archive.check_source()?;
        written
    }

    /// Adds a member.
    pub fn add(&mut self, path: &MemberPath, executable: bool, packed: &Packed) -> io::Result<()> {
        let header = Header {
            path,
            executable,
            method: packed.method,
            crc32: packed.crc32,
            compressed_len: packed.data.len() as u64,
            len: packed.len,
            offset: self.offset,
        };
        self.write(&header, &packed.data)
    }

    fn write(&mut self, header: &Header<'_>, data: &[u8]) -> io::Result<()> {
        let local = header.local();
        self.out.write_all(&local)?;
        self.out.write_all(data)?;
        self.offset += (local.len() + data.len()) as u64;
        header.add_central(&mut self.directory);
        self.count += 1;
        Ok(())
    }

    /// Writes the central directory; gives what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        let directory_len = self.directory.len() as u64;
        let mut end = Vec::new();
        let (count, offset) = (short(self.count), word(self.offset));
        if count == u16::MAX || offset == u32::MAX || word(directory_len) == u32::MAX {
            let record = self.offset + directory_len;
            end.extend(b"PK\x06\x06");
            end.extend(44_u64.to_le_bytes()); // length of the rest
            end.extend(MADE_BY.to_le_bytes());
            end.extend(ZIP64_VERSION.to_le_bytes());
            end.extend([0; 8]); // this disk, and that of the directory
            for value in [self.count, self.count, directory_len, self.offset] {
                end.extend(value.to_le_bytes());
            }
            end.extend(b"PK\x06\x07");
            end.extend([0; 4]); // disk
            end.extend(record.to_le_bytes());
            end.extend(1_u32.to_le_bytes()); // number of disks
        }
        end.extend(b"PK\x05\x06");
        end.extend([0; 4]); // disks
        end.extend(count.to_le_bytes());
        end.extend(count.to_le_bytes());
        end.extend(word(directory_len).to_le_bytes());
        end.extend(offset.to_le_bytes());
        end.extend([0; 2]); // length of the comment
        self.out.write_all(&self.directory)?;
        self.out.write_all(&end)?;
        Ok(self.out)
    }
}

impl Header<'_> {
    /// Whether a length does not fit the old fields. Local headers leave both to zip64 then.
    fn is_large(&self) -> bool {
        word(self.len) == u32::MAX || word(self.compressed_len) == u32::MAX
    }

    fn version(&self) -> u16 {
        if self.is_large() || word(self.offset) == u32::MAX {
            ZIP64_VERSION
        } else {
            VERSION
        }
    }

    fn local(&self) -> Vec<u8> {
        let mut extra = Vec::new();
        let mut lens = (word(self.compressed_len), word(self.len));
        if self.is_large() {
            lens = (u32::MAX, u32::MAX);
            extra = zip64(&[self.len, self.compressed_len]);
        }
        let mut bytes = b"PK\x03\x04".to_vec();
        self.add_common(&mut bytes, lens, &extra);
        bytes.extend(self.path.as_str().as_bytes());
        bytes.extend(extra);
        bytes
    }

    fn add_central(&self, bytes: &mut Vec<u8>) {
        let mut lens = (word(self.compressed_len), word(self.len));
        let mut large = Vec::new();
        if self.is_large() {
            lens = (u32::MAX, u32::MAX);
            large.extend([self.len, self.compressed_len]);
        }
        if word(self.offset) == u32::MAX {
            large.push(self.offset);
        }
        let extra = if large.is_empty() {
            Vec::new()
        } else {
            zip64(&large)
        };
        bytes.extend(b"PK\x01\x02");
        bytes.extend(MADE_BY.to_le_bytes());
        self.add_common(bytes, lens, &extra);
        bytes.extend([0; 6]); // length of the comment, disk, internal attributes
        let mode = TYPE_FILE | if self.executable { 0o755 } else { 0o644 };
        bytes.extend((mode << 16).to_le_bytes());
        bytes.extend(word(self.offset).to_le_bytes());
        bytes.extend(self.path.as_str().as_bytes());
        bytes.extend(extra);
    }

    /// The fields that both headers have in the same order; `lens` are compressed and not.
    fn add_common(&self, bytes: &mut Vec<u8>, lens: (u32, u32), extra: &[u8]) {
        let name = self.path.as_str();
        let flags = if name.is_ascii() { 0 } else { FLAG_UTF8 };
        let method: u16 = match self.method {
            Method::Stored => 0,
            Method::Deflated => 8,
        };
        bytes.extend(self.version().to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(method.to_le_bytes());
        bytes.extend(TIME_AND_DATE.to_le_bytes());
        bytes.extend(self.crc32.to_le_bytes());
        bytes.extend(lens.0.to_le_bytes());
        bytes.extend(lens.1.to_le_bytes());
        bytes.extend(short(name.len() as u64).to_le_bytes());
        bytes.extend(short(extra.len() as u64).to_le_bytes());
    }
}

/// An extra field that is one zip64 record.
fn zip64(values: &[u64]) -> Vec<u8> {
    let len = short(8 * values.len() as u64);
    let mut extra = 1_u16.to_le_bytes().to_vec();
    extra.extend(len.to_le_bytes());
    extra.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    extra
}

/// The value; 0xFFFFFFFF, which leaves it to the zip64 record, if it does not fit.
fn word(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The value; 0xFFFF, which leaves it to the zip64 record, if it does not fit. Paths and extra
/// fields are never so long.
fn short(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zip::limits::Limits;

    fn path(text: &str) -> MemberPath {
        MemberPath::new(text).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_copied() {
        let mut writer = ZipWriter::new(Vec::new());
        let text = b"a line\n".repeat(100);
        writer
            .add(&path("a/b.txt"), false, &Packed::new(&text))
            .unwrap();
        writer.add(&path("a/ü"), true, &Packed::new(b"")).unwrap();
        let bytes = writer.finish().unwrap();
        let archive = ZipArchive::from_bytes(bytes.clone(), &Limits::default()).unwrap();
        let [plain, empty] = archive.members() else {
            panic!("two members");
        };
        assert_eq!(archive.read(plain, 1000).unwrap(), text);
        assert_eq!((plain.method, plain.executable), (Method::Deflated, false));
        assert_eq!((empty.method, empty.executable), (Method::Stored, true));

        let mut writer = ZipWriter::new(Vec::new());
        for member in archive.members() {
            writer.copy(&archive, member).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), bytes);
    }

    #[test]
    fn a_file_gives_the_same_as_its_content() {
        let noise: Vec<u8> = (0..5000_u32)
            .map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .collect();
        for content in [b"".to_vec(), b"x".to_vec(), vec![b'x'; 100_000], noise] {
            let (mut file, scratch) =
                (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
            file.write_all(&content).unwrap();
            let (packed, want) = (
                Packed::of_file(&file, &scratch).unwrap(),
                Packed::new(&content),
            );
            assert_eq!(packed.method, want.method);
            assert_eq!((packed.crc32, packed.len), (want.crc32, want.len));
            assert!(*packed.data == *want.data);
            if !content.is_empty() {
                let len = scratch.metadata().unwrap().len();
                assert_eq!(len, packed.data.len() as u64, "no more than is needed");
            }
        }
    }

    #[test]
    fn many_members_need_zip64() {
        let mut writer = ZipWriter::new(Vec::new());
        let packed = Packed::new(b"x");
        for number in 0..70_000 {
            writer
                .add(&path(&number.to_string()), false, &packed)
                .unwrap();
        }
        let bytes = writer.finish().unwrap();
        let archive = ZipArchive::from_bytes(bytes, &Limits::default()).unwrap();
        assert_eq!(archive.members().len(), 70_000);
    }

    #[test]
    fn large_values_are_left_to_zip64() {
        let large = u64::from(u32::MAX) + 5;
        let name = path("x");
        let header = Header {
            path: &name,
            executable: false,
            method: Method::Deflated,
            crc32: 7,
            compressed_len: 9,
            len: large,
            offset: large,
        };
        let local = header.local();
        assert_eq!(local[18..26], [0xff; 8], "both lengths");
        assert_eq!(local[30..35], *b"x\x01\0\x10\0");
        assert_eq!(local[35..43], large.to_le_bytes());
        assert_eq!(local[43..], 9_u64.to_le_bytes());
        let mut central = Vec::new();
        header.add_central(&mut central);
        assert_eq!(central[42..46], [0xff; 4], "offset");
        assert_eq!(central[47..51], [1, 0, 24, 0]);
        assert_eq!(central[67..], large.to_le_bytes());
    }
}
