//! Damaged copies of a file: every field of its tables in turn, its length, and random bytes.

use super::image::{Image, segment_type};
use super::linking::tag;

/// A damaged copy.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The damage to the file, for the message of a failing test.
    pub damage: String,
    /// The damaged bytes.
    pub bytes: Vec<u8>,
}

/// A field of a table.
#[derive(Clone, Copy, Debug)]
struct Field {
    table: &'static str,
    offset: u64,
    len: u64,
}

/// Copies of a well-formed file in which one field has a value that it should not have.
///
/// All fields of the ELF header, the program headers, the section headers, the dynamic section, and
/// the tables of versions and hashes.
pub fn damaged_fields(bytes: &[u8]) -> impl Iterator<Item = Mutant> {
    let image = Image::parse(bytes).expect("a well-formed file");
    let len = image.len();
    let big_endian = image.big_endian;
    fields(&image).into_iter().flat_map(move |field| {
        let original = read(bytes, field, big_endian);
        let values = [
            0,
            1,
            original ^ 1,
            original.wrapping_add(8),
            len,
            len - 1,
            1 << 31,
            u64::MAX,
        ];
        values
            .into_iter()
            .filter(move |value| *value != original)
            .map(move |value| {
                let mut copy = bytes.to_vec();
                write(&mut copy, field, value, big_endian);
                let Field { table, offset, len } = field;
                let damage = format!("{table}: {len} bytes at {offset:#x} set to {value:#x}");
                Mutant {
                    damage,
                    bytes: copy,
                }
            })
    })
}

/// Copies that end too early: at every byte of the tables at the start, then at every 97th.
pub fn truncated(bytes: &[u8]) -> impl Iterator<Item = Mutant> {
    let start = 0..bytes.len().min(600);
    let rest = (600..bytes.len()).step_by(97);
    start.chain(rest).map(|len| Mutant {
        damage: format!("cut to {len} bytes"),
        bytes: bytes[..len].to_vec(),
    })
}

/// Numbers that look random, the same ones for the same seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        let Self(state) = self;
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state >> 11).unwrap() % limit
    }
}

/// Copies with a few random bytes, the same ones for the same seed.
pub fn scribbled(bytes: &[u8], seed: u64, count: usize) -> impl Iterator<Item = Mutant> {
    let mut random = Random::new(seed);
    (0..count).map(move |number| {
        let mut copy = bytes.to_vec();
        for _ in 0..=random.below(6) {
            let at = random.below(copy.len());
            copy[at] = u8::try_from(random.below(256)).unwrap();
        }
        Mutant {
            damage: format!("scribble {number} of seed {seed}"),
            bytes: copy,
        }
    })
}

/// Copies of a well-formed file in which up to three fields that a loader looks at have a value near their own, one with
/// another bit, or that of another field; the same ones for the same seed.
pub fn mixed_up(bytes: &[u8], seed: u64, count: usize) -> impl Iterator<Item = Mutant> {
    let image = Image::parse(bytes).expect("a well-formed file");
    let big_endian = image.big_endian;
    let is_meaning = meanings(&image);
    let fields: Vec<Field> = fields(&image)
        .into_iter()
        .filter(|field| field.table != "section header" && !is_meaning(field.offset))
        .collect();
    let mut random = Random::new(seed);
    (0..count).map(move |_| {
        let mut copy = bytes.to_vec();
        let mut damage = Vec::new();
        for _ in 0..=random.below(3) {
            let field = fields[random.below(fields.len())];
            let old = read(&copy, field, big_endian);
            let step = 1 << random.below(17);
            let value = match random.below(4) {
                0 => old.wrapping_add(step),
                1 => old.wrapping_sub(step),
                2 => old ^ 1 << random.below(8 * usize::try_from(field.len).unwrap()),
                _ => read(&copy, fields[random.below(fields.len())], big_endian),
            };
            write(&mut copy, field, value, big_endian);
            let Field { table, offset, len } = field;
            damage.push(format!(
                "{table}: {len} bytes at {offset:#x} set to {value:#x}"
            ));
        }
        Mutant {
            damage: damage.join(", "),
            bytes: copy,
        }
    })
}

/// Tells whether the bytes at an offset are a place, a value or a name of which no loader knows that another one was meant:
/// those of relocations and of symbols, and the functions that are called at the start and at the end.
fn meanings(image: &Image<'_>) -> impl Fn(u64) -> bool + use<> {
    let names = [".rela.dyn", ".rela.plt", ".relr.dyn", ".dynsym"];
    let sections = names.map(|name| image.section(name)).into_iter().flatten();
    let mut ranges: Vec<_> = sections
        .map(|section| section.offset..section.offset + section.size)
        .collect();
    let dynamic = image.segments_of(segment_type::DYNAMIC);
    let entries = dynamic.flat_map(|place| (place.offset..place.offset + place.filesz).step_by(16));
    let functions = entries.filter(|at| {
        let tag = image.word(*at);
        tag.is_some_and(|tag| tag::FUNCTIONS.contains(&tag))
    });
    ranges.extend(functions.map(|at| at + 8..at + 16));
    move |offset| ranges.iter().any(|range| range.contains(&offset))
}

/// Sections with tables, and the length of what is damaged at once.
const TABLES: [(&str, u64); 9] = [
    (".gnu.version_r", 2),
    (".gnu.version_d", 2),
    (".gnu.hash", 4),
    (".hash", 4),
    (".gnu.version", 2),
    (".dynsym", 4),
    (".rela.dyn", 4),
    (".rela.plt", 4),
    (".relr.dyn", 8),
];

fn fields(image: &Image<'_>) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut table = |table, offset: u64, len: u64, size: u64| {
        let places =
            (offset..(offset + len).min(image.len())).step_by(usize::try_from(size).unwrap());
        fields.extend(places.map(|offset| Field {
            table,
            offset,
            len: size,
        }));
    };
    let word = image.word_size();
    table("identification", 4, 4, 1);
    table("header", 16, 4, 2);
    table("header", 24, 3 * word, word);
    table(
        "header",
        24 + 3 * word,
        image.header_size() - 24 - 3 * word,
        2,
    );
    let entry = image.segment_entry_size();
    for index in 0..image.phnum {
        let at = image.phoff + index * entry;
        if image.wide {
            table("program header", at, 8, 4);
            table("program header", at + 8, entry - 8, 8);
        } else {
            table("program header", at, entry, 4);
        }
    }
    let entry = image.section_entry_size();
    for index in 0..image.shnum {
        let at = image.shoff + index * entry;
        table("section header", at, 8, 4);
        table("section header", at + 8, 4 * word, word);
        table("section header", at + 8 + 4 * word, 8, 4);
        table("section header", at + 16 + 4 * word, 2 * word, word);
    }
    for dynamic in image.segments_of(segment_type::DYNAMIC) {
        table("dynamic section", dynamic.offset, dynamic.filesz, word);
    }
    for (name, size) in TABLES {
        if let Some(section) = image.section(name) {
            table(
                "table of symbols",
                section.offset,
                section.size.min(256),
                size,
            );
        }
    }
    fields
}

fn place(field: Field) -> std::ops::Range<usize> {
    let start = usize::try_from(field.offset).unwrap();
    start..start + usize::try_from(field.len).unwrap()
}

fn read(bytes: &[u8], field: Field, big_endian: bool) -> u64 {
    let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let bytes = &bytes[place(field)];
    if big_endian {
        bytes.iter().fold(0, fold)
    } else {
        bytes.iter().rev().fold(0, fold)
    }
}

fn write(bytes: &mut [u8], field: Field, value: u64, big_endian: bool) {
    let target = &mut bytes[place(field)];
    let len = target.len();
    for (index, byte) in value.to_le_bytes().into_iter().take(len).enumerate() {
        target[if big_endian { len - 1 - index } else { index }] = byte;
    }
}

/// A copy of a file of 64 bits whose ELF header names no section headers, as some tools leave files.
pub fn drop_section_headers(bytes: &[u8]) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    // `e_shoff`, then `e_shnum` and `e_shstrndx`.
    copy[40..48].fill(0);
    copy[60..64].fill(0);
    copy
}
