//! Files that an ELF editor must refuse, or has nothing to do with.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::image::{Image, Segment, segment_type};
use super::layout::{Kind, Layout};
use super::linking::{Linking, tag};
use super::tool::Tool;
use super::toolchain::Toolchain;

/// A fault of a path or of the file there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Bad {
    /// A text.
    NotElf,
    /// Nothing at all.
    Empty,
    /// A program without a dynamic section.
    Static,
    /// A static program that relocates itself: position-independent, with a dynamic section.
    StaticPie,
    /// The C library's dynamic loader.
    Loader,
    /// The core file of a program that was ended by a signal.
    Core,
    /// The separate debug information of a library.
    DebugFile,
    /// The object file that a compiler makes.
    Object,
    /// Segments that lie over each other in memory.
    OverlappingSegments,
    /// A string table that reaches far into the next table.
    OverlappingTables,
    /// A string table at an address that no segment has.
    UnmappedStrings,
    /// A symbol table at an address that no segment has.
    UnmappedSymbols,
    /// A needed library whose name is behind the string table.
    StringOutside,
    /// 2^32 section headers, as the first of them says.
    ManySections,
    /// 2^32 - 1 program headers, as the first section header says.
    ManyProgramHeaders,
    /// A segment that is longer than the file.
    LongSegment,
    /// A symbolic link to a device.
    Device,
    /// A directory.
    Directory,
    /// A named pipe that nobody writes to.
    Pipe,
    /// A symbolic link to nowhere.
    DanglingLink,
    /// No such file.
    Missing,
}

impl Bad {
    /// Makes the file in the directory of a toolchain.
    pub fn make(self, toolchain: &Toolchain) -> PathBuf {
        let path = toolchain.dir().join("subject");
        let write = |bytes: &[u8]| fs_err::write(&path, bytes).unwrap();
        let text = path.to_str().unwrap();
        match self {
            Self::NotElf => write(b"#!/bin/sh\necho this is no ELF file, but as long as one\n"),
            Self::Empty => write(b""),
            Self::Static => compile(toolchain, &["-static", "-o", text]),
            Self::StaticPie => compile(toolchain, &["-static-pie", "-o", text]),
            Self::Loader => {
                fs_err::copy("/lib64/ld-linux-x86-64.so.2", &path).expect("the loader is copied");
            }
            Self::Object => compile(toolchain, &["-c", "-o", text]),
            Self::Core => write(&core_file()),
            Self::DebugFile => {
                let library = toolchain.dir().join("library");
                toolchain.link(Kind::Library, Layout::Default, &library);
                let args = ["--only-keep-debug", library.to_str().unwrap(), text];
                Tool::OBJCOPY.run(&args).expect();
            }
            Self::Device => symlink("/dev/null", &path).unwrap(),
            Self::Directory => fs_err::create_dir(&path).unwrap(),
            Self::Pipe => drop(Tool::MKFIFO.run(&[text]).expect()),
            Self::DanglingLink => symlink("nowhere", &path).unwrap(),
            Self::Missing => {}
            _ => {
                toolchain.link(Kind::Library, Layout::Default, &path);
                let mut bytes = fs_err::read(&path).unwrap();
                for (offset, value) in self.damage(&Image::parse(&bytes).unwrap()) {
                    let at = usize::try_from(offset).unwrap();
                    bytes[at..at + value.len()].copy_from_slice(&value);
                }
                write(&bytes);
            }
        }
        path
    }

    /// Bytes to be overwritten in a library of 64 bits, lowest byte first.
    fn damage(self, image: &Image<'_>) -> Vec<(u64, Vec<u8>)> {
        let word = |offset: u64, value: u64| (offset, value.to_le_bytes().to_vec());
        let half = |offset: u64, value: u16| (offset, value.to_le_bytes().to_vec());
        let loads: Vec<(u64, &Segment)> = (0..)
            .zip(&image.segments)
            .filter(|(_, segment)| segment.kind == segment_type::LOAD)
            .collect();
        let header = |load: usize| image.phoff + loads[load].0 * 56;
        let strings_len = Linking::read(image).unwrap().first(tag::STRSZ).unwrap();
        match self {
            // The second begins in the page where the first ends.
            Self::OverlappingSegments => vec![word(header(0) + 40, loads[1].1.vaddr + 0x10)],
            Self::OverlappingTables => vec![word(entry(image, tag::STRSZ), strings_len + 0x100)],
            Self::UnmappedStrings => vec![word(entry(image, tag::STRTAB), 1 << 40)],
            Self::UnmappedSymbols => vec![word(entry(image, tag::SYMTAB), 1 << 40)],
            Self::StringOutside => vec![word(entry(image, tag::NEEDED), strings_len + 1)],
            Self::ManySections => vec![half(60, 0), word(image.shoff + 32, 1 << 32)],
            Self::ManyProgramHeaders => {
                let info = (image.shoff + 44, u32::MAX.to_le_bytes().to_vec());
                vec![half(56, u16::MAX), info]
            }
            Self::LongSegment => vec![word(header(3) + 32, 1 << 30), word(header(3) + 40, 1 << 30)],
            _ => Vec::new(),
        }
    }
}

/// File offset of the value of a dynamic entry.
fn entry(image: &Image<'_>, tag: u64) -> u64 {
    let dynamic = image.segments_of(segment_type::DYNAMIC).next().unwrap();
    let entries = Linking::read(image).unwrap().entries;
    let index = entries.iter().position(|entry| entry.0 == tag).unwrap();
    dynamic.offset + 16 * index as u64 + 8
}

fn compile(toolchain: &Toolchain, options: &[&str]) {
    let source = toolchain.dir().join("main.c");
    fs_err::write(&source, "int main(void) { return 0; }\n").unwrap();
    let args = [options, &[source.to_str().unwrap()]].concat();
    Tool::CC.run(&args).expect();
}

/// A core file of x86-64 as the kernel writes it: a note with the state of a thread, and a page of memory.
fn core_file() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    let half = |bytes: &mut Vec<u8>, value: u16| bytes.extend(value.to_le_bytes());
    let word = |bytes: &mut Vec<u8>, value: u64| bytes.extend(value.to_le_bytes());
    half(&mut bytes, 4); // ET_CORE
    half(&mut bytes, 62); // EM_X86_64
    bytes.extend(1_u32.to_le_bytes());
    for value in [0, 64, 0] {
        word(&mut bytes, value);
    }
    bytes.extend(0_u32.to_le_bytes());
    for value in [64, 56, 2, 0, 0, 0] {
        half(&mut bytes, value);
    }
    let note_len = 12 + 8 + 336;
    for (kind, flags, offset, vaddr, len, align) in [
        (4_u32, 0_u32, 0x100, 0, note_len, 4),
        (1, 6, 0x1000, 0x40_0000, 0x1000, 0x1000),
    ] {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        for value in [offset, vaddr, 0, len, len, align] {
            word(&mut bytes, value);
        }
    }
    bytes.resize(0x100, 0);
    for value in [5_u32, 336, 1] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(b"CORE\0\0\0\0");
    bytes.resize(0x2000, 0);
    bytes
}
