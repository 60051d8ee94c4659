//! Which of several wheels is taken: as pip 26.3, which was asked about each of these.

use std::fmt::Write as _;

use wheelfix_format::{RankedTags, Target};
use wheelfix_lock::{Preference, choose, ranked};

use crate::support::read;

/// A lock of one package with these wheels.
fn lock(wheels: &[&str]) -> String {
    let mut text = "version = 1\n[[package]]\nname = \"a\"\nversion = \"1\"\n\
        source = { registry = \"https://x/simple\" }\nwheels = [\n"
        .to_owned();
    for wheel in wheels {
        writeln!(text, "    {{ url = \"https://x/a-1-{wheel}.whl\" }},").unwrap();
    }
    text + "]\n"
}

/// Checks in both orders which wheel is taken by CPython 3.11 with glibc 2.36.
#[track_caller]
fn check(wheels: &[&str], want: &str) {
    let target: Target = "x86_64-glibc2.36-cp311".parse().unwrap();
    let tags = RankedTags::new(&target);
    let reversed: Vec<&str> = wheels.iter().rev().copied().collect();
    for wheels in [wheels, &reversed] {
        let text = lock(wheels);
        let lock = read("uv.lock", &text);
        let (fitting, _) = ranked(&lock.packages[0], &tags);
        let got = fitting.first().map_or("none", |file| {
            file.name
                .strip_prefix("a-1-")
                .unwrap()
                .strip_suffix(".whl")
                .unwrap()
        });
        assert_eq!(got, want, "for {wheels:?}");
    }
}

#[test]
fn the_highest_build_of_the_best_tag_is_taken() {
    let any = "py3-none-any";
    let builds = [any, "2-py3-none-any", "9-py3-none-any", "10-py3-none-any"];
    check(&builds, "10-py3-none-any");
    check(
        &["1-py3-none-any", "1a-py3-none-any", "1b-py3-none-any"],
        "1b-py3-none-any",
    );
    check(&["5-py3-none-any", "cp311-none-any"], "cp311-none-any");
}

#[test]
fn the_best_tag_is_that_of_packaging() {
    let of = |start: &str, platform: &str| format!("{start}-{platform}_x86_64");
    let (new, old) = ("manylinux_2_28", "manylinux_2_17");
    let best = |wheels: &[(&str, &str)], want: (&str, &str)| {
        let wheels: Vec<String> = wheels
            .iter()
            .map(|(start, platform)| of(start, platform))
            .collect();
        let wheels: Vec<&str> = wheels.iter().map(String::as_str).collect();
        check(&wheels, &of(want.0, want.1));
    };
    let cp = "cp311-cp311";
    best(&[(cp, "linux"), (cp, new), (cp, old)], (cp, "linux"));
    best(&[(cp, old), (cp, new), (cp, "manylinux_2_5")], (cp, new));
    best(&[(cp, "manylinux2014"), (cp, old)], (cp, old));
    best(
        &[("cp39-abi3", new), ("cp311-none", old), ("cp311-abi3", old)],
        ("cp311-abi3", old),
    );
    best(
        &[("cp39-abi3", new), ("cp311-none", old)],
        ("cp311-none", old),
    );
    best(
        &[("cp37-abi3", new), ("cp310-abi3", old)],
        ("cp310-abi3", old),
    );
    best(&[("cp32-abi3", old), ("py3-none", new)], ("cp32-abi3", old));
    best(
        &[("py3-none", new), ("py311-none", old), ("py310-none", new)],
        ("py311-none", old),
    );
    check(
        &["py30-none-manylinux_2_17_x86_64", "cp311-none-any"],
        "py30-none-manylinux_2_17_x86_64",
    );
    check(
        &["py3-none-any", "py311-none-any", "py310-none-any"],
        "py311-none-any",
    );
    check(
        &["CP311-CP311-Manylinux_2_28_x86_64", "py3-none-any"],
        "CP311-CP311-Manylinux_2_28_x86_64",
    );
    // Equally good: the first by name, in whatever order they are.
    check(&["py3-none-any", "py2.py3-none-any"], "py2.py3-none-any");
}

#[test]
fn what_does_not_fit_is_never_taken() {
    let wheels = [
        "cp311-cp311-musllinux_1_1_x86_64",
        "cp310-cp310-manylinux_2_17_x86_64",
        "cp310-none-manylinux_2_17_x86_64",
        "cp310-none-any",
        "cp311-abi3-any",
        "cp311-cp311-manylinux_2_28_x86_64-cu128",
    ];
    check(&wheels, "none");
    check(
        &["cp311-cp311-manylinux_2_28_x86_64-cu128", "py3-none-any"],
        "py3-none-any",
    );
    check(
        &["cp311-cp311-musllinux_1_1_x86_64.manylinux_2_17_x86_64"],
        "cp311-cp311-musllinux_1_1_x86_64.manylinux_2_17_x86_64",
    );
    let text = lock(&wheels);
    let lock = read("uv.lock", &text);
    let tags = RankedTags::new(&"x86_64-glibc2.36-cp311".parse().unwrap());
    assert_eq!(
        choose(&lock.packages[0], &tags, Preference::Sdist).unwrap_err(),
        [
            "it is the variant `cu128`, and the lock does not say what for",
            "there are wheels for Linux on x86_64 with musl 1.1, any platform, this is Linux on x86_64 with glibc 2.36",
            "others are for cp310, this is cp311",
        ]
    );
}
