//! The first minutes of somebody who has read the README only: the transcript of `docs/first-minutes.md`.

use std::os::unix::fs::symlink;
use std::path::Path;

use fs_err as fs;
use wheelfix_testkit::cache;
use wheelfix_testkit::nixos::Bed;

/// Runs a line in the shell of the bed, where a function stands for `nix-build`; everything that it prints.
fn run(bed: &Bed, dir: &Path, line: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_wheelfix"))
        .display()
        .to_string();
    let (loader, own) = (bed.loader(), bed.library("libgcc-s1"));
    let (loader, own) = (loader.display(), own.display());
    let built = ["libstdc++6", "libgcc-s1", "zlib1g"].map(|package| bed.library(package));
    let built = built.map(|path| path.display().to_string()).join("\\n");
    let script = format!(
        "wheelfix() {{ {loader} --library-path {own} {program} \"$@\"; }}\n\
         nix_build() {{ printf '{built}\\n'; }}\n\
         {}",
        line.replace("nix-build", "nix_build")
    );
    let mut command = bed.command("/bin/sh");
    command.args(["-c", &format!("exec 2>&1; {script}")]);
    let output = command.current_dir(dir).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.replace(&program, "wheelfix");
    let text = text.replace(bed.store().to_str().unwrap(), "/nix/store");
    text.replace(dir.to_str().unwrap(), "/home/me")
}

#[test]
fn the_first_minutes_are_what_happens() {
    let bed = Bed::find();
    let dir = tempfile::tempdir().unwrap();
    // As pip leaves them.
    fs::create_dir(dir.path().join("wheels")).unwrap();
    for wheel in ["numpy", "opencv_python_headless"].map(cache::wheel) {
        let to = dir.path().join("wheels").join(wheel.file_name().unwrap());
        symlink(&wheel, to).unwrap();
    }
    let document = fs::read_to_string(cache::root().join("docs/first-minutes.md")).unwrap();
    let blocks = document.split("\n```text\n").skip(1);
    let blocks: Vec<&str> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let (line, _) = block.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let now = format!("$ {line}\n{}", run(&bed, dir.path(), line));
        assert_eq!(now, block);
    }
}
