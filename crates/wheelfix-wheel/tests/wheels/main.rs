//! The real wheels of the small set: all open, and every content is what `RECORD` says.
#![cfg(test)]

use wheelfix_testkit::cache;
use wheelfix_wheel::{ElfOptions, Wheel};

#[test]
fn real_wheels_agree_with_themselves() {
    for path in cache::wheels("small") {
        let wheel =
            Wheel::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let faults = wheel.verify_contents();
        assert!(faults.is_empty(), "{}: {faults:#?}", path.display());
        for member in wheel.elf_members(ElfOptions::default()) {
            assert!(
                member.elf.is_ok(),
                "{}: {}",
                member.file.path,
                member.elf.unwrap_err()
            );
        }
    }
}

#[test]
fn bundled_libraries_are_called_by_their_names() {
    let wheel = Wheel::open(&cache::wheel("scipy")).unwrap();
    let members = wheel.elf_members(ElfOptions::default());
    let files = members
        .iter()
        .map(|member| (member.file.path.as_str(), member.elf.as_ref().unwrap()));
    let bundled = wheelfix_wheel::ElfSet::new(files).bundled();
    let lines = bundled
        .iter()
        .map(|it| format!("{} needed by {}\n", it.canonical, it.needed_by.len()));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().concat(), @r"
    libgfortran.so.5.0.0 needed by 1
    libgfortran.so.5.0.0 needed by 4
    libquadmath.so.0.0.0 needed by 1
    libquadmath.so.0.0.0 needed by 1
    libscipy_openblas.so needed by 19
    ");
}

#[test]
fn a_tag_that_promises_too_much_is_found() {
    let wheel = Wheel::open(&cache::wheel("bitsandbytes")).unwrap();
    let tag_check = wheel.tag_check(&wheel.elf_members(ElfOptions::default()));
    let codes: Vec<String> = tag_check
        .iter()
        .map(|finding| finding.code.to_string())
        .collect();
    assert_eq!(codes, ["T001"]);
    assert!(
        tag_check[0].message.contains("2.32"),
        "{}",
        tag_check[0].message
    );
}

#[test]
fn every_backend_says_for_which_gpus_it_is() {
    let wheel = Wheel::open(&cache::wheel("bitsandbytes")).unwrap();
    let options = ElfOptions { contents: true };
    let lines = wheel.elf_members(options).into_iter().map(|member| {
        let (_, name) = member
            .file
            .path
            .as_str()
            .rsplit_once("libbitsandbytes_")
            .unwrap();
        let Some(code) = member.gpu_code else {
            return format!("{name}\n");
        };
        let targets: Vec<String> = code.targets.into_iter().collect();
        format!(
            "{name} {}: {}\n",
            code.platform.unwrap_or_default(),
            targets.join(" ")
        )
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().concat());
}
