//! Source distributions unpack to what Python's `tarfile` makes of them with its `data` filter.

use std::path::Path;
use std::process::Command;

use rayon::prelude::*;
use wheelfix_testkit::{cache, python};

use crate::run::succeed;
use crate::tree;

#[test]
fn trees_are_those_of_the_data_filter() {
    let sdists = cache::sdists();
    assert!(50 <= sdists.len(), "{} source distributions", sdists.len());
    let faults: Vec<String> = sdists
        .par_iter()
        .flat_map_iter(|sdist| {
            let name = sdist.file_name().unwrap().to_string_lossy().into_owned();
            let faults = faults(sdist).unwrap_or_else(|error| vec![error]);
            faults
                .into_iter()
                .map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn faults(sdist: &Path) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    succeed(command.args(["unpack", "--quiet"]).arg(sdist).arg(&ours))?;
    fs_err::create_dir(&theirs).unwrap();
    python::unpack_tar(sdist, &theirs)?;
    Ok(tree::differences(
        &tree::read(&ours),
        &tree::read(&theirs),
        &std::collections::BTreeSet::new(),
    ))
}
