//! Damaged copies of a module: for each condition of the loader values that break it and values that do not.

use wheelfix_testkit::elf::{Image, Mutant, damaged_fields, segment_type, truncated};

/// Values of fields whose meaning is a place or a number of something: not in any file. Smaller ones are often those of
/// something else that is there, and no loader can know that another one was meant.
const NOWHERE: [&str; 2] = ["set to 0x80000000", "set to 0xffffffffffffffff"];

/// `DT_RELASZ` and `DT_PLTRELSZ`.
const LENGTHS: [u64; 2] = [8, 2];

/// `DT_RELAENT`, `DT_PLTREL` and `DT_RELRENT`.
const SIZES: [u64; 3] = [9, 20, 37];

/// The damaged copies of a module; of the long series every `step`th.
pub(crate) fn mutants(bytes: &[u8], step: usize) -> Vec<Mutant> {
    let image = Image::parse(bytes).expect("a well-formed module");
    let fields = damaged_fields(bytes).filter(|mutant| {
        let damage = &mutant.damage;
        let is_table = damage.starts_with("table of symbols");
        !damage.starts_with("section header")
            && (!is_table || NOWHERE.iter().any(|value| damage.ends_with(value)))
            && (!is_table || !is_content(&image, place_of(damage)))
    });
    let mut all: Vec<Mutant> = fields.step_by(step).collect();
    let cuts = truncated(bytes).skip(64).step_by(11);
    all.extend(cuts);
    header(&image, &mut all);
    segments(&image, &mut all);
    entries(&image, &mut all);
    symbols(&image, &mut all);
    let mut many = Vec::new();
    relocations(&image, &mut many);
    all.extend(many.into_iter().step_by(step));
    all
}

/// The offset in the description of a damage, as in "4 bytes at 0x10 set to 0".
fn place_of(damage: &str) -> u64 {
    let place = damage
        .split(" at 0x")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    u64::from_str_radix(place.expect("a place"), 16).expect("a number")
}

/// Whether the bytes at an offset are a number that is added to something: the loader adds it, whatever it is.
fn is_content(image: &Image<'_>, offset: u64) -> bool {
    let within = |name: &str| {
        let section = image.section(name)?;
        let inside = offset.checked_sub(section.offset)?;
        (inside < section.size).then_some(inside)
    };
    let addend = |name| within(name).is_some_and(|inside| inside % 24 >= 16);
    addend(".rela.dyn") || addend(".rela.plt") || within(".relr.dyn").is_some()
}

/// Adds a copy with other bytes at an offset.
fn put(image: &Image<'_>, offset: u64, new: &[u8], what: String, all: &mut Vec<Mutant>) {
    let mut bytes = image.bytes.to_vec();
    let start = usize::try_from(offset).unwrap();
    bytes[start..start + new.len()].copy_from_slice(new);
    if bytes != image.bytes {
        let damage = what;
        all.push(Mutant { damage, bytes });
    }
}

fn header(image: &Image<'_>, all: &mut Vec<Mutant>) {
    for at in 7..16 {
        for value in [1, 2, 3, 5, 9, 12, 255] {
            put(image, at, &[value], format!("e_ident[{at}] = {value}"), all);
        }
    }
    for value in [1, 2, 3, 4, 5, 9, 255] {
        put(
            image,
            7,
            &[3, value],
            format!("Linux, ABI version {value}"),
            all,
        );
    }
    for value in [0_u16, 4, 5, 6, 7, 100, 0xfe00, 0xfeff, 0xff00, u16::MAX] {
        put(
            image,
            16,
            &value.to_le_bytes(),
            format!("e_type = {value}"),
            all,
        );
    }
    for value in [0_u32, 2, 3, 7, 0x100, 0x0100_0000, u32::MAX] {
        put(
            image,
            20,
            &value.to_le_bytes(),
            format!("e_version = {value}"),
            all,
        );
    }
    for value in [0_u16, 1, 8, 32, 55, 57, 64, 112, 0xfff, u16::MAX] {
        put(
            image,
            54,
            &value.to_le_bytes(),
            format!("e_phentsize = {value}"),
            all,
        );
    }
}

fn segments(image: &Image<'_>, all: &mut Vec<Mutant>) {
    let place = |index: usize| image.phoff + index as u64 * image.segment_entry_size();
    for kind in [
        0_u32,
        4,
        5,
        8,
        0x6000_0000,
        0x6474_e554,
        0x7000_0000,
        0x7fff_ffff,
    ] {
        let mut bytes = image.bytes.to_vec();
        for (index, segment) in image.segments.iter().enumerate() {
            if segment.kind == segment_type::LOAD {
                let start = usize::try_from(place(index)).unwrap();
                bytes[start..start + 4].copy_from_slice(&kind.to_le_bytes());
            }
        }
        let damage = format!("all PT_LOADs have type {kind:#x}");
        all.push(Mutant { damage, bytes });
    }
    fields(image, all);
    swapped(image, all);
}

/// Fields of program headers with values that are often right for another segment.
fn fields(image: &Image<'_>, all: &mut Vec<Mutant>) {
    for (index, segment) in (0..).zip(&image.segments) {
        let at = image.phoff + index * image.segment_entry_size();
        let mut set = |name: &str, inside: u64, value: u64| {
            let text = format!("header {index}: {name} {value:#x}");
            put(image, at + inside, &value.to_le_bytes(), text, all);
        };
        for add in [1, 8, 0x10, 0x800, 0x1000, 0x10_0000] {
            set("offset", 8, segment.offset + add);
            set("address", 16, segment.vaddr + add);
        }
        let (more, much_more) = (segment.memsz + 0x1000, segment.memsz + 0x100_0000);
        for size in [more, much_more, 1 << 41, 1 << 46, 1 << 52] {
            set("memory", 40, size);
        }
        for align in [0, 1, 3, 0x800, 0x1001, 0x2000, 0x4000, 1 << 16, 1 << 21] {
            set("alignment", 48, align);
        }
        // The type is before the flags.
        for flags in 0..8 {
            set("type and flags", 0, u64::from(segment.kind) | flags << 32);
        }
    }
}

/// Program headers in another order.
fn swapped(image: &Image<'_>, all: &mut Vec<Mutant>) {
    let size = usize::try_from(image.segment_entry_size()).unwrap();
    let start = |index: usize| usize::try_from(image.phoff).unwrap() + index * size;
    let loads = image.segments.iter().enumerate();
    let loads: Vec<usize> = loads
        .filter(|(_, segment)| segment.kind == segment_type::LOAD)
        .map(|(index, _)| index)
        .collect();
    for (at, first) in loads.iter().enumerate() {
        for second in &loads[at + 1..] {
            let mut bytes = image.bytes.to_vec();
            let (one, two) = (start(*first), start(*second));
            for byte in 0..size {
                bytes.swap(one + byte, two + byte);
            }
            let damage = format!("headers {first} and {second} change places");
            all.push(Mutant { damage, bytes });
        }
    }
}

/// Each entry of the dynamic section taken out, and sizes of entries.
fn entries(image: &Image<'_>, all: &mut Vec<Mutant>) {
    let dynamic = image.segments_of(segment_type::DYNAMIC).next().unwrap();
    let places = (dynamic.offset..dynamic.offset + dynamic.filesz).step_by(16);
    for at in places {
        let kind = image.word(at).unwrap();
        if kind == 0 {
            break;
        }
        // A tag that nobody knows.
        let unknown = 0x6000_0123_u64.to_le_bytes();
        put(image, at, &unknown, format!("without entry {kind:#x}"), all);
        for value in [1 << 20, 1 << 31, 1 << 40, 1 << 62, u64::MAX - 23] {
            if LENGTHS.contains(&kind) {
                let value: u64 = value;
                put(
                    image,
                    at + 8,
                    &value.to_le_bytes(),
                    format!("entry {kind:#x} = {value}"),
                    all,
                );
            }
        }
        let is_size = SIZES.contains(&kind);
        for value in [0, 1, 7, 8, 12, 16, 17, 23, 25, 48_u64] {
            if is_size {
                put(
                    image,
                    at + 8,
                    &value.to_le_bytes(),
                    format!("entry {kind:#x} = {value}"),
                    all,
                );
            }
        }
    }
}

/// Bindings that no loader looks for, versions that there are not, and chains of a hash table that lead to themselves.
fn symbols(image: &Image<'_>, all: &mut Vec<Mutant>) {
    let section = |name: &str| image.section(name).into_iter();
    for symbols in section(".dynsym") {
        for at in (symbols.offset + 24..symbols.offset + symbols.size).step_by(24) {
            for binding in [3_u8, 5, 9, 12, 15] {
                let kind = image.bytes[usize::try_from(at).unwrap() + 4] & 0xf;
                let text = format!(".dynsym {at:#x}: binding {binding}");
                put(image, at + 4, &[binding << 4 | kind], text, all);
            }
        }
    }
    for versions in section(".gnu.version") {
        for at in (versions.offset + 2..versions.offset + versions.size).step_by(2) {
            let text = format!(".gnu.version {at:#x}: version 0x7ff0");
            put(image, at, &0x7ff0_u16.to_le_bytes(), text, all);
        }
    }
    for table in section(".hash") {
        let word = |index: u64| {
            let at = usize::try_from(table.offset + 4 * index).unwrap();
            u32::from_le_bytes(image.bytes[at..at + 4].try_into().unwrap())
        };
        let (buckets, symbols) = (u64::from(word(0)), u64::from(word(1)));
        // The loader runs until it is stopped.
        let symbol = symbols / 2;
        let itself = u32::try_from(symbol).unwrap().to_le_bytes();
        let at = table.offset + 4 * (2 + buckets + symbol);
        let text = format!(".hash: a circle at {symbol}");
        put(image, at, &itself, text, all);
    }
}

/// Types that the machine does not have, and places that cannot be written.
fn relocations(image: &Image<'_>, all: &mut Vec<Mutant>) {
    for name in [".rela.dyn", ".rela.plt"] {
        let Some(section) = image.section(name) else {
            continue;
        };
        for at in (section.offset..section.offset + section.size).step_by(24) {
            for kind in [3_u32, 4, 9, 11, 12, 14, 20, 24, 39, 40, 99, 255] {
                put(
                    image,
                    at + 8,
                    &kind.to_le_bytes(),
                    format!("{name} {at:#x}: type {kind}"),
                    all,
                );
            }
            let text = image.section(".text").unwrap().addr;
            for place in [0x10_u64, text, text + 8, 1 << 20, 1 << 40, u64::MAX - 7] {
                put(
                    image,
                    at,
                    &place.to_le_bytes(),
                    format!("{name} {at:#x}: place {place:#x}"),
                    all,
                );
            }
            for symbol in [200_u32, 5000, 1 << 20, u32::MAX] {
                put(
                    image,
                    at + 12,
                    &symbol.to_le_bytes(),
                    format!("{name} {at:#x}: symbol {symbol}"),
                    all,
                );
            }
        }
    }
}
