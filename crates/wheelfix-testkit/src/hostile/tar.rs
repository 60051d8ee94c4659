//! Source distributions that are wrong in one chosen way each. All are gzip files.

use crate::hostile::Case;
use crate::sdist::{Packing, RawTar};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = streams();
    cases.extend(headers());
    cases.extend(extensions());
    cases.extend(names());
    cases.extend(links());
    cases
}

fn case(name: &'static str, tar: RawTar) -> Case {
    bytes(name, &tar.build())
}

fn bytes(name: &'static str, tar: &[u8]) -> Case {
    Case {
        name,
        archive: Packing::TarGz.compress(tar),
    }
}

/// An archive that begins well.
fn base() -> RawTar {
    RawTar::new()
        .member(b'5', "demo-1.0/", b"", |_| {})
        .file("demo-1.0/PKG-INFO", b"Name: demo\n")
}

fn streams() -> Vec<Case> {
    let whole = base().build();
    let cut = |name, len: usize| {
        let mut case = bytes(name, &whole);
        case.archive.truncate(len);
        case
    };
    vec![
        cut("gzip-empty", 0),
        cut("gzip-cut", 60),
        Case {
            name: "gzip-is-text",
            archive: b"Not Found\n".to_vec(),
        },
        Case {
            name: "gzip-is-bzip2",
            archive: Packing::TarBz2.compress(&whole),
        },
        Case {
            name: "gzip-crc-wrong",
            archive: {
                let mut archive = Packing::TarGz.compress(&whole);
                let at = archive.len() - 8;
                archive[at] ^= 1;
                archive
            },
        },
        Case {
            name: "gzip-trailing-bytes",
            archive: [Packing::TarGz.compress(&whole), b"surplus".to_vec()].concat(),
        },
        bytes("tar-empty", b""),
        bytes("tar-without-end", &base().build_open()),
        bytes("tar-cut-in-header", &whole[..700]),
        bytes("tar-cut-in-content", &base().build_open()[..1030]),
        bytes("tar-twice", &[whole.clone(), whole.clone()].concat()),
        bytes("tar-trailing-bytes", &[&whole[..], b"surplus"].concat()),
        case("bomb", base().file("demo-1.0/zeros", &vec![0; 80 << 20])),
    ]
}

fn headers() -> Vec<Case> {
    let header = |name, change: fn(&mut [u8; 512])| {
        case(name, base().member(b'0', "demo-1.0/x", b"x", change))
    };
    let typed = |name, kind| case(name, base().member(kind, "demo-1.0/x", b"", |_| {}));
    vec![
        bytes("checksum-wrong", &{
            let mut tar = base().build();
            tar[512] ^= 1;
            tar
        }),
        header("length-not-octal", |block| {
            block[124..136].copy_from_slice(b"99999999999\0");
        }),
        header("length-huge", |block| {
            block[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0]);
        }),
        header("length-negative", |block| block[124..136].fill(0xff)),
        header("length-beyond-end", |block| {
            block[124..136].copy_from_slice(b"00000010000\0");
        }),
        header("prefix-in-old-header", |block| {
            block[257..265].fill(0);
            block[345..350].copy_from_slice(b"/etc/");
        }),
        typed("character-device", b'3'),
        typed("block-device", b'4'),
        typed("named-pipe", b'6'),
        typed("sparse-file", b'S'),
        typed("multi-volume", b'M'),
        typed("type-unknown", b'Z'),
        case(
            "directory-with-length",
            base().member(b'5', "demo-1.0/x/", b"content", |_| {}),
        ),
        case(
            "link-with-length",
            base().member(b'2', "demo-1.0/x", b"content", |block| block[157] = b'y'),
        ),
        case(
            "file-with-name-of-directory",
            base().file("demo-1.0/x/", b"content"),
        ),
    ]
}

fn extensions() -> Vec<Case> {
    let pax = |name, records: &[(&str, &str)]| {
        case(name, base().pax(b'x', records).file("demo-1.0/x", b"x"))
    };
    vec![
        pax("pax-path-parent", &[("path", "../escaped.txt")]),
        pax("pax-size-differs", &[("size", "513")]),
        pax("pax-size-not-a-number", &[("size", "one")]),
        pax(
            "pax-path-twice",
            &[("path", "demo-1.0/a"), ("path", "demo-1.0/b")],
        ),
        pax("pax-sparse", &[("GNU.sparse.name", "demo-1.0/y")]),
        case(
            "pax-global-path",
            base()
                .pax(b'g', &[("path", "demo-1.0/y")])
                .file("demo-1.0/x", b"x"),
        ),
        case(
            "pax-length-wrong",
            base()
                .member(b'x', "pax", b"99 path=x\n", |_| {})
                .file("demo-1.0/x", b"x"),
        ),
        case(
            "pax-not-records",
            base()
                .member(b'x', "pax", b"hello", |_| {})
                .file("demo-1.0/x", b"x"),
        ),
        case(
            "pax-too-long",
            base()
                .member(b'x', "pax", &vec![b'0'; 2 << 20], |_| {})
                .file("demo-1.0/x", b"x"),
        ),
        case("pax-last", base().pax(b'x', &[("path", "demo-1.0/y")])),
        case(
            "long-name-parent",
            base()
                .member(b'L', "long", b"../escaped.txt\0", |_| {})
                .file("demo-1.0/x", b"x"),
        ),
        case(
            "long-name-and-pax-path",
            base()
                .member(b'L', "long", b"demo-1.0/a\0", |_| {})
                .pax(b'x', &[("path", "demo-1.0/b")])
                .file("demo-1.0/x", b"x"),
        ),
    ]
}

fn names() -> Vec<Case> {
    let named = |name, path: &str| case(name, base().file(path, b"owned\n"));
    vec![
        named("name-parent", "../escaped.txt"),
        named("name-parent-deep", "demo-1.0/../../escaped.txt"),
        named("name-absolute", "/tmp/escaped.txt"),
        named("name-backslash", "demo-1.0\\..\\..\\escaped.txt"),
        named("name-empty", ""),
        named("name-empty-part", "demo-1.0//x"),
        named("name-newline", "demo-1.0/x\n"),
        case(
            "name-not-utf8",
            base().member(b'0', "demo-1.0/x", b"", |block| block[9] = 0xff),
        ),
        named("duplicate", "demo-1.0/PKG-INFO"),
        case(
            "directory-over-file",
            base().member(b'5', "demo-1.0/PKG-INFO/", b"", |_| {}),
        ),
        named("file-over-directory", "demo-1.0"),
        named("file-below-file", "demo-1.0/PKG-INFO/x"),
    ]
}

fn links() -> Vec<Case> {
    let symlink = |name, target| case(name, base().link(b'2', "demo-1.0/link", target));
    let hard = |name, target| case(name, base().link(b'1', "demo-1.0/link", target));
    vec![
        symlink("symlink-absolute", "/etc/passwd"),
        symlink("symlink-parent", "../../etc/passwd"),
        symlink("symlink-parent-through-directory", "x/../../../etc/passwd"),
        symlink("symlink-empty", ""),
        symlink("symlink-to-itself", "link"),
        case(
            "symlink-through-symlink",
            base().link(b'2', "demo-1.0/a/b/up", "../../..").link(
                b'2',
                "demo-1.0/link",
                "a/b/up/../../etc",
            ),
        ),
        case(
            "file-below-symlink",
            base()
                .link(b'2', "demo-1.0/link", "..")
                .file("demo-1.0/link/escaped.txt", b"owned\n"),
        ),
        case(
            "file-over-symlink",
            base()
                .link(b'2', "demo-1.0/link", "../escaped.txt")
                .file("demo-1.0/link", b"owned\n"),
        ),
        hard("hard-link-absolute", "/etc/passwd"),
        hard("hard-link-parent", "../escaped.txt"),
        hard("hard-link-missing", "demo-1.0/missing"),
        hard("hard-link-to-directory", "demo-1.0"),
        case(
            "hard-link-to-symlink",
            base()
                .link(b'2', "demo-1.0/s", "PKG-INFO")
                .link(b'1', "demo-1.0/link", "demo-1.0/s"),
        ),
    ]
}
