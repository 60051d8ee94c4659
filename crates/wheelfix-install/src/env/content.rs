//! Comparison of the content of files, and the first lines of Python scripts.

use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_format::HashAlgorithm;

use crate::digest::FileDigest;
use crate::env::generated::{GeneratedContent, GeneratedFile};

/// Bytes that are compared at a time.
const CHUNK: usize = 64 * 1024;

/// Most bytes of a first line, and of the line behind it.
const HEAD: u64 = 4096;

/// The content of a file.
#[derive(Clone, Debug)]
pub(crate) enum Content<'a> {
    /// A file that is made.
    GeneratedFile(&'a GeneratedFile<'a>),
    /// A file of an input.
    Disk(PathBuf),
}

impl Content<'_> {
    /// Whether two files have the same bytes.
    pub(crate) fn is_equal(&self, other: &Self) -> io::Result<bool> {
        match (self, other) {
            (Self::Disk(one), Self::Disk(other)) => are_equal(one, other),
            (Self::GeneratedFile(one), Self::GeneratedFile(other)) => {
                Ok(are_equal_generated(&one.content, &other.content))
            }
            (Self::GeneratedFile(generated), Self::Disk(path))
            | (Self::Disk(path), Self::GeneratedFile(generated)) => {
                is_equal_to_generated(path, &generated.content)
            }
        }
    }
}

fn are_equal_generated(one: &GeneratedContent<'_>, other: &GeneratedContent<'_>) -> bool {
    match (one, other) {
        (
            GeneratedContent::Member { len, hash },
            GeneratedContent::Member {
                len: other_len,
                hash: other_hash,
            },
        ) => hash.is_some() && len == other_len && hash == other_hash,
        (GeneratedContent::Text { text, .. }, GeneratedContent::Text { text: other, .. }) => {
            text == other
        }
        (GeneratedContent::Link(one), GeneratedContent::Link(other)) => one == other,
        _ => false,
    }
}

fn is_equal_to_generated(path: &Path, generated: &GeneratedContent<'_>) -> io::Result<bool> {
    match generated {
        GeneratedContent::Member { len, hash, .. } => {
            let Some(hash) = hash.filter(|hash| hash.algorithm() == HashAlgorithm::Sha256) else {
                return Ok(false);
            };
            Ok(fs::metadata(path)?.len() == *len
                && FileDigest::of_file(path)?.sha256.as_slice() == hash.digest())
        }
        GeneratedContent::Text { text, .. } => Ok(
            fs::metadata(path)?.len() == text.len() as u64 && fs::read(path)? == text.as_bytes()
        ),
        GeneratedContent::Record | GeneratedContent::Link(_) => Ok(false),
    }
}

fn are_equal(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (fs::File::open(one)?, fs::File::open(other)?);
    let (here, there) = (one.metadata()?, other.metadata()?);
    if (here.dev(), here.ino()) == (there.dev(), there.ino()) {
        return Ok(true);
    }
    if here.len() != there.len() {
        return Ok(false);
    }
    // Nearly always small: the buffers are no larger than the files.
    let len = usize::try_from(here.len()).unwrap_or(CHUNK).clamp(1, CHUNK);
    let (mut left, mut right) = (vec![0; len], vec![0; len]);
    loop {
        let read = one.read(&mut left)?;
        let Some(part) = left.get(..read).filter(|part| !part.is_empty()) else {
            return Ok(other.read(&mut right)? == 0);
        };
        let Some(counterpart) = right.get_mut(..read) else {
            return Ok(false);
        };
        match other.read_exact(counterpart) {
            Ok(()) if part == counterpart => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Whether a file is run by a Python. One that cannot be read is not.
pub(crate) fn is_python_script(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && end_of_shebang(&head).is_some()
}

/// The offset of the text of a Python script, behind the lines that name its interpreter; `None` if
/// it is not a Python script.
///
/// Knows the plain form, `env`, and the one for interpreters with long paths, in which `/bin/sh` runs
/// the second line.
pub(crate) fn end_of_shebang(script: &[u8]) -> Option<usize> {
    let line = script.strip_prefix(b"#!")?;
    let line_len = line
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(line.len());
    let first = std::str::from_utf8(line.get(..line_len)?).ok()?;
    let end = "#!".len() + line_len + 1;
    let mut words = first.split_whitespace();
    let program = file_name(words.next()?);
    let is_python = match program {
        "env" => words
            .find(|word| !word.starts_with('-'))
            .is_some_and(is_python_name),
        "sh" => {
            let rest = script.get(end..)?;
            let begin = b"'''exec' ";
            if !rest.starts_with(begin) {
                return None;
            }
            let close = rest.windows(5).position(|window| window == b"\n' ''")?;
            let line_end = rest
                .get(close + 1..)?
                .iter()
                .position(|byte| *byte == b'\n')?;
            return Some(end + close + 1 + line_end + 1);
        }
        program => is_python_name(program),
    };
    is_python.then_some(end.min(script.len()))
}

fn is_python_name(word: &str) -> bool {
    let rest = file_name(word).strip_prefix("python");
    rest.is_some_and(|rest| {
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

fn file_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_scripts_are_known_by_their_first_line() {
        for (script, want) in [
            ("#!/nix/store/x/bin/python3.11\nx\n", Some("x\n")),
            ("#!/usr/bin/env python3\nx\n", Some("x\n")),
            ("#!/usr/bin/env -S python3 -E\nx\n", Some("x\n")),
            (
                "#!/bin/sh\n'''exec' '/a b/python' \"$0\" \"$@\"\n' '''\nx\n",
                Some("x\n"),
            ),
            ("#!/bin/python", Some("")),
            ("#!/bin/sh\necho\n", None),
            ("#!/usr/bin/perl\n", None),
            ("#!/bin/python-config\n", None),
            ("\x7fELF", None),
            ("", None),
        ] {
            let got = end_of_shebang(script.as_bytes()).and_then(|at| script.get(at..));
            assert_eq!(got, want, "for {script:?}");
        }
    }

    #[test]
    fn equal_files_have_equal_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let long = vec![7; CHUNK + 1];
        let mut changed = long.clone();
        changed[CHUNK] = 8;
        for (left, right) in [
            (&b""[..], &b""[..]),
            (b"a", b"b"),
            (b"a", b"ab"),
            (&long, &long),
            (&long, &changed),
        ] {
            fs::write(&one, left).unwrap();
            fs::write(&other, right).unwrap();
            assert_eq!(are_equal(&one, &other).unwrap(), left == right);
        }
    }
}
