//! Notes: the build id, the libraries that a program says it loads by `dlopen`, and the level of x86-64
//! that it needs.
//!
//! <https://www.sco.com/developers/gabi/latest/ch5.pheader.html#note_section>,
//! <https://systemd.io/ELF_DLOPEN_METADATA/>, <https://gitlab.com/x86-psABIs/x86-64-ABI>

use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::encoding::{Class, Encoding, Fields};
use crate::error::ReadError;
use crate::read::program_header::{ProgramHeader, SegmentKind};
use crate::read::section_header::{SHT_NOTE, SectionHeader};
use crate::read::window::Window;

/// `n_type` of the build id, owner `GNU`.
const NT_GNU_BUILD_ID: u32 = 3;
/// `n_type` of the properties of a program, owner `GNU`.
const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
/// `pr_type` of the levels of x86-64 that a program needs: a bit for each, from the first on.
const GNU_PROPERTY_X86_ISA_1_NEEDED: u32 = 0xc000_8002;
/// `n_type` of a `dlopen` note, owner `FDO`.
const NT_FDO_DLOPEN: u32 = 0x407c_0c0a;
/// Longer notes are passed over: none that we look at is.
const MAX_NOTE_LEN: u64 = 1 << 16;
/// A build id is 16 or 20 bytes; longer ones are passed over.
const MAX_BUILD_ID_LEN: usize = 64;
/// How many notes of one file are looked at.
const MAX_NOTES: usize = 1024;

/// The data from the notes of a file.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Notes {
    /// The build id in hexadecimal.
    pub build_id: Option<String>,
    /// The JSON texts of the `.note.dlopen` notes, as they are in the file without the NUL at the end.
    pub dlopen: Vec<String>,
    /// The level of x86-64 that a processor must have for it, from 1 to 4: 3 is `x86-64-v3`. `None` if
    /// no property says so, which is so for most files, whatever they need.
    pub x86_level: Option<u8>,
}

/// Where a table of notes is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    offset: u64,
    len: u64,
    align: u64,
}

impl Notes {
    /// Reads the notes of all `PT_NOTE` segments, and of note sections, which need not be in memory.
    ///
    /// A malformed table ends where it stops making sense: notes are advice, no loader refuses a file for them.
    pub(crate) fn read(
        window: &mut Window<'_>,
        encoding: Encoding,
        program_headers: &[ProgramHeader],
        sections: &[SectionHeader],
    ) -> Result<Self, ReadError> {
        let segments = program_headers
            .iter()
            .filter(|header| header.kind == SegmentKind::NOTE);
        let mut places: Vec<Place> = segments
            .map(|header| Place {
                offset: header.offset,
                len: header.file_len,
                align: header.align,
            })
            .collect();
        let outside = |section: &&SectionHeader| {
            let covers = |place: &Place| {
                place.offset <= section.offset
                    && section.file_end() <= place.offset.saturating_add(place.len)
            };
            section.kind == SHT_NOTE && !places.iter().any(covers)
        };
        let sections: Vec<Place> = sections
            .iter()
            .filter(outside)
            .map(|section| Place {
                offset: section.offset,
                len: section.len,
                align: section.align,
            })
            .collect();
        places.extend(sections);
        places.sort_unstable();
        places.dedup();
        let mut notes = Self::default();
        let mut budget = MAX_NOTES;
        for place in places {
            notes.read_table(window, encoding, place, &mut budget)?;
        }
        Ok(notes)
    }

    fn read_table(
        &mut self,
        window: &mut Window<'_>,
        encoding: Encoding,
        place: Place,
        budget: &mut usize,
    ) -> Result<(), ReadError> {
        let end = place
            .offset
            .saturating_add(place.len)
            .min(window.source().file_len());
        let align = if place.align == 8 { 8 } else { 4 };
        let mut offset = place.offset;
        while offset.checked_add(12).is_some_and(|after| after <= end) && *budget > 0 {
            *budget -= 1;
            let head = window.bytes("note", offset, 12)?;
            let mut fields = Fields::new(encoding, head);
            let (Some(name_len), Some(len), Some(kind)) =
                (fields.u32(), fields.u32(), fields.u32())
            else {
                break;
            };
            let name_at = offset + 12;
            let data_at = name_at + u64::from(name_len).next_multiple_of(4);
            let data_end = data_at + u64::from(len);
            if data_end > end {
                break;
            }
            if u64::from(name_len) == 4 && u64::from(len) <= MAX_NOTE_LEN {
                let owner = window.bytes("note owner", name_at, 4)?.to_vec();
                let data = window.bytes("note", data_at, len.into())?;
                self.take(&owner, kind, data, encoding);
            }
            offset = place.offset + (data_end - place.offset).next_multiple_of(align);
        }
        Ok(())
    }

    fn take(&mut self, owner: &[u8], kind: u32, data: &[u8], encoding: Encoding) {
        match (owner, kind) {
            (b"GNU\0", NT_GNU_BUILD_ID) if data.len() <= MAX_BUILD_ID_LEN => {
                self.build_id.get_or_insert_with(|| HEXLOWER.encode(data));
            }
            (b"GNU\0", NT_GNU_PROPERTY_TYPE_0) => {
                self.x86_level = self.x86_level.max(x86_level(data, encoding));
            }
            (b"FDO\0", NT_FDO_DLOPEN) => {
                let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
                self.dlopen.push(String::from_utf8_lossy(text).into_owned());
            }
            _ => {}
        }
    }
}

/// The highest level of x86-64 among properties; `None` if they name none.
fn x86_level(mut properties: &[u8], encoding: Encoding) -> Option<u8> {
    let align = match encoding.class {
        Class::Elf32 => 4,
        Class::Elf64 => 8,
    };
    loop {
        let mut fields = Fields::new(encoding, properties.get(..12)?);
        let (kind, len, value) = (fields.u32()?, fields.u32()?, fields.u32()?);
        if kind == GNU_PROPERTY_X86_ISA_1_NEEDED && len == 4 {
            return u8::try_from((value & 0xf).checked_ilog2()? + 1).ok();
        }
        let len = usize::try_from(len).ok()?.checked_next_multiple_of(align)?;
        properties = properties.get(8_usize.checked_add(len)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{ByteOrder, FieldWriter};

    const ENCODING: Encoding = Encoding {
        class: Class::Elf64,
        byte_order: ByteOrder::Little,
    };

    fn note(owner: [u8; 4], kind: u32, data: &[u8]) -> Vec<u8> {
        let mut writer = FieldWriter::new(ENCODING);
        writer
            .u32(4)
            .u32(u32::try_from(data.len()).unwrap())
            .u32(kind);
        let mut bytes = writer.finish();
        bytes.extend(owner);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[track_caller]
    fn check(bytes: &[u8], want: &Notes) {
        let header = ProgramHeader {
            kind: SegmentKind::NOTE,
            flags: 4,
            offset: 0,
            vaddr: 0,
            paddr: 0,
            file_len: bytes.len() as u64,
            memory_len: bytes.len() as u64,
            align: 4,
        };
        let bytes = bytes.to_vec();
        let got = Notes::read(&mut Window::new(&bytes), ENCODING, &[header, header], &[]).unwrap();
        assert_eq!(&got, want);
    }

    #[test]
    fn build_id_and_dlopen_notes_are_taken() {
        let json = "[{\"soname\":[\"libz.so.1\"]}]";
        let mut bytes = note(*b"GNU\0", 3, &[0xab, 0x01]);
        bytes.extend(note(*b"FDO\0", 0x407c_0c0a, format!("{json}\0").as_bytes()));
        bytes.extend(note(*b"GNU\0", 1, &[0; 16]));
        check(
            &bytes,
            &Notes {
                build_id: Some("ab01".to_owned()),
                dlopen: vec![json.to_owned()],
                x86_level: None,
            },
        );
    }

    #[test]
    fn the_highest_level_of_x86_64_is_taken() {
        let property = |kind: u32, value: u32| {
            let mut writer = FieldWriter::new(ENCODING);
            writer.u32(kind).u32(4).u32(value).u32(0);
            writer.finish()
        };
        let levels = |value| property(GNU_PROPERTY_X86_ISA_1_NEEDED, value);
        let check = |properties: &[u8], level| {
            let notes = Notes {
                x86_level: level,
                ..Notes::default()
            };
            check(&note(*b"GNU\0", 5, properties), &notes);
        };
        check(&levels(0b11), Some(2));
        check(&[property(0xc000_0002, 3), levels(0b111)].concat(), Some(3));
        check(&property(0xc000_0002, 3), None);
        check(&levels(0), None);
        check(&[&property(0xc000_0002, 3)[..], &[2, 0x80]].concat(), None);
        check(&[0xff; 16], None);
    }

    #[test]
    fn a_table_ends_where_it_stops_making_sense() {
        let mut bytes = note(*b"GNU\0", 3, &[1]);
        bytes.extend([0xff; 20]);
        check(
            &bytes,
            &Notes {
                build_id: Some("01".to_owned()),
                dlopen: Vec::new(),
                x86_level: None,
            },
        );
        check(&[0; 11], &Notes::default());
    }
}
