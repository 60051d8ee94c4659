//! The same small wheel and source distribution again, wrong in hundreds of places, one by one: cut at
//! each place, with each byte of a structure changed, with each line of a text changed.
//!
//! Some are still right. They are made by code, and are always the same bytes.

use std::fmt::Write as _;

use super::base;
use crate::sdist::{Packing, SdistBuilder};
use crate::wheel::WheelBuilder;

/// An archive, and what is special about it.
pub type Mutant = (String, Vec<u8>);

/// More than 200 wheels.
pub fn wheels() -> Vec<Mutant> {
    let mut mutants = structures();
    mutants.extend(texts());
    mutants.extend(rows());
    mutants.extend(scripts());
    mutants
}

/// The wheel cut short, and with each byte of its first headers and of its end changed.
fn structures() -> Vec<Mutant> {
    let whole = base().build();
    let mut mutants = Vec::new();
    for part in 0..40 {
        let len = whole.len() * part / 40;
        mutants.push((format!("cut-after-{len}"), whole[..len].to_vec()));
    }
    let central = find(&whole, b"PK\x01\x02");
    let end = find(&whole, b"PK\x05\x06");
    for (name, start, len) in [("local", 0, 30), ("central", central, 46), ("end", end, 22)] {
        for at in 0..len {
            let mut bytes = whole.clone();
            bytes[start + at] ^= 0xff;
            mutants.push((format!("{name}-header-byte-{at}"), bytes));
        }
    }
    mutants
}

fn find(bytes: &[u8], signature: &[u8]) -> usize {
    let mut windows = bytes.windows(signature.len());
    windows.position(|window| window == signature).unwrap()
}

/// The wheel with each line of METADATA and WHEEL left out, doubled, emptied or filled.
fn texts() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let metadata = ["Metadata-Version: 2.1", "Name: demo", "Version: 1.0"];
    let wheel = [
        "Wheel-Version: 1.0",
        "Root-Is-Purelib: true",
        "Tag: py3-none-any",
    ];
    for (file, lines) in [("METADATA", metadata), ("WHEEL", wheel)] {
        for (number, line) in lines.iter().enumerate() {
            let (field, _) = line.split_once(':').unwrap();
            let long = "9".repeat(100_000);
            for (what, new) in [
                ("left-out", String::new()),
                ("doubled", format!("{line}\n{line}\n")),
                (
                    "doubled-with-another-value",
                    format!("{line}\n{field}: 1.1\n"),
                ),
                ("emptied", format!("{field}:\n")),
                ("with-a-nul", format!("{line}\0\n")),
                ("with-an-escape", format!("{line}\u{1b}[2J\n")),
                ("without-end", format!("{field}: {long}\n")),
            ] {
                let texts = lines.iter().enumerate().map(|(at, line)| {
                    if at == number {
                        new.clone()
                    } else {
                        format!("{line}\n")
                    }
                });
                let text: String = texts.collect();
                let path = format!("demo-1.0.dist-info/{file}");
                let wheel = WheelBuilder::new("demo", "1.0")
                    .file("demo/__init__.py", "")
                    .file(&path, text);
                mutants.push((format!("{file}-{field}-{what}"), wheel.build()));
            }
        }
    }
    mutants
}

/// The wheel with rows of RECORD that lie.
fn rows() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let hash = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    let mut rows: Vec<(String, String)> = Vec::new();
    for path in ["../x", "/x", "x/../y", "C:x", "x\\y", "", ".", "con", "x/"] {
        rows.push((format!("path-{path}"), format!("{path},sha256={hash},0")));
    }
    for algorithm in ["md5", "sha1", "", "sha256=", "none", "shake_128"] {
        rows.push((
            format!("hash-{algorithm}"),
            format!("demo/x,{algorithm}={hash},0"),
        ));
    }
    for size in ["-1", "1e9", "99999999999999999999", "0x0", " 0", "NaN"] {
        rows.push((
            format!("size-{size}"),
            format!("demo/x,sha256={hash},{size}"),
        ));
    }
    for (number, (name, row)) in rows.into_iter().enumerate() {
        // It becomes the name of a directory, and is read by a shell.
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let name = format!("{name}-{number}");
        mutants.push((format!("row-with-{name}"), base().record_more(&row).build()));
    }
    for fields in [1, 2, 4, 10, 100_000] {
        let mut row = String::from("demo/x");
        for _ in 1..fields {
            row.push(',');
        }
        mutants.push((
            format!("row-of-{fields}-fields"),
            base().record_more(&row).build(),
        ));
    }
    mutants
}

/// The wheel with odd scripts and places.
fn scripts() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let long = "a".repeat(300);
    for (number, line) in [
        "../a = demo:main",
        "a/b = demo:main",
        ". = demo:main",
        "python = demo:main",
        "a = demo.def:main",
        "a = demo:class",
        "a = demo",
        "a = demo:main()",
        "a = :main",
        "a = demo:",
        "a = demo:\u{b2}",
        "\u{202e}a = demo:main",
        "a\u{1b} = demo:main",
        "= demo:main",
        "a = demo:main\na = demo:other",
        &format!("{long} = demo:main"),
        &format!("a = demo:{long}"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut text = String::from("[console_scripts]\n");
        writeln!(text, "{line}").unwrap();
        mutants.push((
            format!("script-{number}"),
            base().entry_points(&text).build(),
        ));
    }
    for (number, path) in [
        "purelib/demo/__init__.py",
        "scripts/python3",
        "scripts/a/b",
        "nothing/a",
        "a",
        "data/nix-support/setup-hook",
        "headers/../../x",
        "data/bin/python",
        "platlib",
    ]
    .into_iter()
    .enumerate()
    {
        mutants.push((format!("place-{number}"), base().data(path, "").build()));
    }
    mutants
}

/// More than 60 source distributions, each with the ending of its name.
pub fn sdists() -> Vec<(Mutant, &'static str)> {
    let tar = || {
        SdistBuilder::new("demo", "1.0")
            .file("src/demo.c", "int main;\n".repeat(100))
            .symlink("link", "src/demo.c")
            .tar()
    };
    let whole = tar();
    let mut mutants = Vec::new();
    // Name, start and length of the fields of a header.
    for (name, start, len) in [
        ("name", 0, 100),
        ("mode", 100, 8),
        ("uid", 108, 8),
        ("gid", 116, 8),
        ("size", 124, 12),
        ("mtime", 136, 12),
        ("checksum", 148, 8),
        ("type", 156, 1),
        ("link", 157, 100),
        ("magic", 257, 6),
        ("version", 263, 2),
        ("prefix", 345, 155),
    ] {
        for (what, byte) in [("full", 0xff), ("nines", b'9'), ("empty", 0)] {
            let mut bytes = whole.clone();
            bytes[start..start + len].fill(byte);
            if name != "checksum" {
                sign(&mut bytes[..512]);
            }
            let packed = Packing::TarGz.compress(&bytes);
            mutants.push(((format!("tar-{name}-{what}"), packed), ".tar.gz"));
        }
    }
    for packing in [
        Packing::TarGz,
        Packing::TarBz2,
        Packing::TarXz,
        Packing::TarZst,
    ] {
        let packed = packing.compress(&whole);
        for part in 0..6 {
            let len = packed.len() * part / 6;
            let cut = packed[..len].to_vec();
            mutants.push(((format!("cut-after-{len}"), cut), packing.extension()));
        }
        let mut damaged = packed.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        mutants.push((("damaged".to_owned(), damaged), packing.extension()));
    }
    mutants
}

/// Makes the checksum of a header right.
fn sign(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let text = format!("{sum:06o}\0 ");
    header[148..156].copy_from_slice(text.as_bytes());
}
