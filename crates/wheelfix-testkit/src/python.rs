//! An archive as Python's standard library reads it: the opinion of `pip` and most other tools.

use std::path::Path;
use std::process::Command;

use crate::cache;

/// Reads every file of zip archives.
const READ_ZIPS: &str = r"
import hashlib, sys, zipfile
for path in sys.argv[1:]:
    print('archive')
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                digest = hashlib.sha256(archive.read(info)).hexdigest()
                print(digest, info.filename.encode().hex())
";

/// Returns path and SHA-256 in hexadecimal of all files that `zipfile` sees in each archive, in its
/// order.
pub fn read_zips(paths: &[&Path]) -> Vec<Vec<(String, String)>> {
    let text = run(READ_ZIPS, paths).unwrap();
    let parse = |line: &str| {
        let (digest, name) = line.split_once(' ').unwrap();
        (from_hex(name), digest.to_owned())
    };
    let archives = text.split("archive\n").skip(1);
    archives
        .map(|lines| lines.lines().map(parse).collect())
        .collect()
}

/// Unpacks a tar archive as PEP 721 asks, where Python has that (from 3.11.4 on).
const UNPACK_TAR: &str = r"
import sys, tarfile
with tarfile.open(sys.argv[1]) as archive:
    options = {'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}
    archive.extractall(sys.argv[2], **options)
";

/// Unpacks a tar archive into an existing directory as `tarfile` does, with its `data` filter if it has one.
pub fn unpack_tar(path: &Path, dir: &Path) -> Result<(), String> {
    run(UNPACK_TAR, &[path, dir]).map(|_| ())
}

/// Runs a script with these arguments; gives what it printed, or the last line of its error.
pub fn run(script: &str, args: &[&Path]) -> Result<String, String> {
    #[expect(clippy::disallowed_methods, reason = "the opinion of another program")]
    let output = Command::new(cache::tool("python3"))
        .args(["-I", "-c", script])
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        let error = text(output.stderr);
        Err(error.lines().last().unwrap_or_default().to_owned())
    }
}

fn from_hex(text: &str) -> String {
    let digits: Vec<char> = text.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    String::from_utf8(digits.chunks(2).map(byte).collect()).unwrap()
}
