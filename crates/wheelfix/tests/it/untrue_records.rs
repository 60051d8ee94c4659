//! RECORD files that do not match what they list.

use crate::scene::Scene;

const RECORD: &str = "out/lib/python3.11/site-packages/demo-1.0.dist-info/RECORD";

#[test]
fn a_record_that_is_not_true_is_told_and_mended() {
    let scene = Scene::new("patch");
    scene.reset();
    let record = scene.sandbox.path(RECORD);
    let old = fs_err::read(&record).unwrap();
    assert!(scene.command().status().unwrap().success());
    let new = fs_err::read(&record).unwrap();
    assert!(old != new);
    let check = || scene.sandbox.run(&["check", "out", "--lib-path", "store"]);
    assert!(!check().contains("is not true"), "{}", check());

    // As a run left it that was killed before it could update RECORD.
    fs_err::write(&record, &old).unwrap();
    for number in 0..12 {
        let path = format!("out/lib/python3.11/site-packages/demo/dep{number}.so");
        let file = fs_err::OpenOptions::new()
            .append(true)
            .open(scene.sandbox.path(&path));
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        file.unwrap().file().set_modified(later).unwrap();
    }
    let text = check();
    // METADATA has another size, too.
    let want = "RECORD` is not true of 13 files: ";
    assert!(text.contains(want), "{text}");
    let text = scene.sandbox.run(&["patch", "out", "--lib-path", "store"]);
    assert!(
        text.contains("0 ELF files edited") && text.contains("1 RECORD file updated"),
        "{text}"
    );
    let text = check();
    assert!(text.contains("RECORD` is not true of 1 file: "), "{text}");
    assert!(text.contains("METADATA` has changed"), "{text}");

    fs_err::write(&record, &new).unwrap();
    let missing = "out/lib/python3.11/site-packages/demo/m0.py";
    fs_err::remove_file(scene.sandbox.path(missing)).unwrap();
    assert!(check().contains("demo/m0.py` is not there"), "{}", check());
}
