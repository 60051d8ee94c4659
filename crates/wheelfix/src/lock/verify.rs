//! `wheelfix lock wheelfix.lock.json --verify`: whether the files of a document are still there.

use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_link::count;
use wheelfix_lock::{Locked, LockedFile, Sri};

use super::curl::{Answer, Request, fetch};
use super::fetch::{MAX_FILE, curl_error};
use super::index::Indexes;
use crate::error::{Error, print, print_line};

/// Files that are on the disk at a time: some have gigabytes.
const BATCH: usize = 8;

/// A file that is not as in the lock.
#[derive(Debug, thiserror::Error)]
enum Drift {
    /// Its hash is none.
    #[error("`{0}` has no hash that could be compared")]
    NoHash(String),
    /// It is not there.
    #[error("`{url}` is gone: {message}")]
    Gone { url: String, message: String },
    /// It cannot be read.
    #[error("`{}` is gone: {error}", path.display())]
    Unread {
        path: PathBuf,
        error: std::io::Error,
    },
    /// Another file is there.
    #[error("`{place}` is another file than the one of the lock: expected {wanted}, got {got}")]
    Other {
        place: String,
        wanted: String,
        got: String,
    },
}

/// Asks for all files of a document, and compares them with their hashes.
pub(crate) fn verify(path: &Path, is_quiet: bool) -> Result<(), Error> {
    let locked = Locked::read(&fs::read(path)?).map_err(|error| {
        print("error", [format!("`{}` {error}", path.display())]);
        Error::Reported
    })?;
    let mut drifts = Vec::new();
    let (mut remote, mut local) = (Vec::new(), Vec::new());
    for key in locked.keys() {
        match locked.file(key) {
            Some(LockedFile {
                url: Some(url),
                hash: Some(hash),
                ..
            }) => remote.push((url, hash)),
            Some(LockedFile {
                path: Some(path),
                hash,
                ..
            }) => local.push((path, hash)),
            _ => drifts.push(Drift::NoHash(key.to_owned())),
        }
    }
    let beside = path.parent().unwrap_or(Path::new(""));
    for (path, hash) in &local {
        drifts.extend(at_path(&beside.join(path), hash.as_ref()));
    }
    let indexes = Indexes::new(&[]);
    for batch in remote.chunks(BATCH) {
        drifts.extend(at_urls(&indexes, batch)?);
    }
    let all = remote.len() + local.len();
    if drifts.is_empty() {
        if !is_quiet {
            print_line(format_args!("{} as in the lock", count(all, "file")))?;
        }
        return Ok(());
    }
    print(
        "error",
        drifts
            .iter()
            .map(|drift| format!("`{}`: {drift}", path.display())),
    );
    Err(Error::Reported)
}

/// A file beside the document; one without a hash has to be there.
fn at_path(path: &Path, wanted: Option<&Sri>) -> Option<Drift> {
    let unread = |error| Drift::Unread {
        path: path.to_owned(),
        error,
    };
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) => return Some(unread(error)),
    };
    let wanted = wanted?;
    match wanted.of_reader(&mut file) {
        Ok(got) => other(path.display().to_string(), wanted, &got),
        Err(error) => Some(unread(error)),
    }
}

fn other(place: String, wanted: &Sri, got: &Sri) -> Option<Drift> {
    (wanted != got).then(|| Drift::Other {
        place,
        wanted: wanted.to_string(),
        got: got.to_string(),
    })
}

fn at_urls(indexes: &Indexes, batch: &[(String, Sri)]) -> Result<Vec<Drift>, Error> {
    let dir = tempfile::tempdir()?;
    let requests: Vec<Request> = batch
        .iter()
        .enumerate()
        .map(|(number, (url, _))| {
            let (url, user) = indexes.request(url);
            let file = dir.path().join(number.to_string());
            Request {
                url,
                user,
                accept: None,
                max_len: MAX_FILE,
                file,
            }
        })
        .collect();
    let answers = fetch(&requests).map_err(curl_error)?;
    let mut drifts = Vec::new();
    for ((request, (_, wanted)), answer) in requests.iter().zip(batch).zip(answers) {
        let url = request.shown();
        if let Answer {
            failure: Some(message),
            ..
        } = answer
        {
            drifts.push(Drift::Gone { url, message });
            continue;
        }
        let got = wanted.of_reader(&mut fs::File::open(&request.file)?)?;
        drifts.extend(other(url, wanted, &got));
    }
    Ok(drifts)
}
