//! What Python's standard library makes of an archive: the opinion of `pip` and most other tools.

use std::path::Path;
use std::process::Command;

use crate::cache;

/// Reads every file of a zip archive.
const READ_ZIP: &str = r"
import hashlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    for info in archive.infolist():
        if not info.is_dir():
            digest = hashlib.sha256(archive.read(info)).hexdigest()
            print(digest, info.filename.encode().hex())
";

/// Returns path and SHA-256 in hexadecimal of all files that `zipfile` sees, in its order; its error
/// otherwise.
pub fn read_zip(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = run(READ_ZIP, &[path])?;
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        (from_hex(fields[1]), fields[0].to_owned())
    };
    Ok(text.lines().map(parse).collect())
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
