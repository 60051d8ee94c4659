//! Modules with code right behind the program headers: strings go to the last page of a segment, and `strip` does no harm.

use wheelfix_elf::{Elf, Request, patch_file};
use wheelfix_testkit::cache;
use wheelfix_testkit::elf::{Platform, Stripper, for_each_member, list_needed};

fn rpath(len: usize) -> Request {
    Request::set_run_path(format!("/{}", "x".repeat(len)))
}

#[test]
fn the_modules_of_black_survive_every_strip() {
    let dir = tempfile::tempdir().unwrap();
    let [edited, stripped] = ["edited.so", "stripped.so"].map(|name| dir.path().join(name));
    let mut faults = Vec::new();
    let mut count = 0;
    for_each_member(&cache::wheel("black"), &mut |member| {
        // The module with all the code has longer strings than a page has room for.
        if member.name.starts_with("85cae") {
            return;
        }
        count += 1;
        for stripper in Stripper::all(Platform::Glibc) {
            fs_err::write(&edited, &member.bytes).unwrap();
            let outcome = patch_file(&edited, &rpath(400)).unwrap();
            assert_eq!(outcome.plan.warnings, [], "{}", member.name);
            assert_eq!(outcome.plan.new_len, outcome.plan.old_len);
            let mut check = |what: &str, result: Result<(), String>| {
                faults.extend(
                    result
                        .err()
                        .map(|error| format!("{}, {what} {stripper:?}: {error}", member.name)),
                );
            };
            check("before", list_needed(&edited).map(drop));
            check("by", stripper.strip(&edited, &stripped));
            check("after", list_needed(&stripped).map(drop));
            // Longer, shorter, and none at all.
            for len in [900, 20, 1500] {
                patch_file(&stripped, &rpath(len)).unwrap();
                check("edited after", list_needed(&stripped).map(drop));
            }
            let bytes = fs_err::read(&stripped).unwrap();
            let path = Elf::read(&bytes).unwrap().dynamic.unwrap().run_path;
            assert_eq!(path.effective().unwrap().len(), 1501);
        }
    });
    assert_eq!(count, 29);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
