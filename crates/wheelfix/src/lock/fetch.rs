//! Indexes, asked for what a lock lacks: where its files are, their hashes, and what packages require.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;
use wheelfix_archive::Limits;
use wheelfix_format::{BuildSystem, Metadata, PackageName, Requirement};
use wheelfix_lock::{
    Fault, Faults, IndexAnswers, Location, Lock, Package, Problem, Source, Sri, Wanted, public_url,
};
use wheelfix_wheel::{OpenOptions, Sdist, Wheel};

use super::curl::{Answer, CurlError, Request, fetch};
use super::index::Indexes;
use crate::error::Error;

/// The answers of an index that are understood: JSON, and no pages for people.
const JSON: &str = "application/vnd.pypi.simple.v1+json";

/// Longest answer about a package: the largest that are known have 30 MB.
const MAX_ANSWER: u64 = 200 << 20;

/// Longest METADATA.
const MAX_METADATA: u64 = 16 << 20;

/// Longest file.
pub(crate) const MAX_FILE: u64 = 16 << 30;

/// A file, and what its METADATA says that it requires.
type Required = (Wanted, Vec<String>);

/// Fetches for one lock.
pub(crate) struct Fetcher {
    indexes: Indexes,
    dir: TempDir,
    /// The directory of the lock.
    root: PathBuf,
    count: usize,
    /// All that went wrong.
    pub(crate) faults: Faults,
}

impl Fetcher {
    pub(crate) fn new(lock: &Lock<'_>, root: &Path) -> Result<Self, Error> {
        Ok(Self {
            indexes: Indexes::new(&lock.indexes),
            dir: tempfile::tempdir()?,
            root: root.to_owned(),
            count: 0,
            faults: Vec::new(),
        })
    }

    fn request(&mut self, url: &str, accept: Option<&'static str>, max_len: u64) -> Request {
        self.count += 1;
        let (url, user) = self.indexes.request(url);
        Request {
            url,
            user,
            accept,
            max_len,
            file: self.dir.path().join(self.count.to_string()),
        }
    }

    /// Asks the indexes about packages, each until one knows it.
    pub(crate) fn answers(
        &mut self,
        lock: &Lock<'_>,
        names: &BTreeSet<PackageName>,
        answers: &mut IndexAnswers,
    ) -> Result<(), Error> {
        let mut pending: BTreeMap<&PackageName, Vec<String>> = BTreeMap::new();
        for name in names {
            let indexes = self.indexes_of(lock, name);
            if indexes.is_empty() {
                self.fault(name.as_str(), Problem::NoIndex);
            } else {
                pending.insert(name, indexes);
            }
        }
        for round in 0.. {
            let asked = pending.iter();
            let asked =
                asked.filter_map(|(name, indexes)| Some((*name, indexes.get(round)?.clone())));
            let asked: Vec<(&PackageName, String)> = asked.collect();
            if asked.is_empty() {
                break;
            }
            let request = |(name, index): &(&PackageName, String)| {
                self.request(&format!("{index}/{name}/"), Some(JSON), MAX_ANSWER)
            };
            let requests: Vec<Request> = asked.iter().map(request).collect();
            let got = fetch(&requests).map_err(curl_error)?;
            for (((name, _), request), answer) in asked.iter().zip(&requests).zip(got) {
                match answer {
                    Answer {
                        failure: None, url, ..
                    } => {
                        pending.remove(*name);
                        let text = fs::read_to_string(&request.file)?;
                        if let Err(fault) = answers.add_from(&url, name, &text) {
                            let url = request.shown();
                            self.fault(name.as_str(), Problem::NoAnswer { url, fault });
                        }
                    }
                    Answer {
                        status: 404 | 410, ..
                    } => {}
                    Answer {
                        failure: Some(message),
                        ..
                    } => {
                        pending.remove(*name);
                        let url = request.shown();
                        self.fault(name.as_str(), Problem::Fetch { url, message });
                    }
                }
            }
        }
        for (name, indexes) in pending {
            self.fault(name.as_str(), Problem::UnknownToIndexes(indexes));
        }
        Ok(())
    }

    /// The index that the lock names for a package, or all that are known.
    fn indexes_of(&self, lock: &Lock<'_>, name: &PackageName) -> Vec<String> {
        let packages = lock
            .named(name)
            .filter_map(|number| lock.packages.get(number));
        let origins: BTreeSet<String> = packages
            .filter(|package| package.source == Source::Files && package.origin.contains("://"))
            .map(|package| public_url(&package.origin).trim_end_matches('/').to_owned())
            .collect();
        if origins.is_empty() {
            self.indexes.urls.clone()
        } else {
            origins.into_iter().collect()
        }
    }

    fn fault(&mut self, of: &str, problem: Problem) {
        self.faults.push(Fault::of(of, "", problem));
    }

    /// Adds the hashes of the files that have none.
    pub(crate) fn hashes(
        &mut self,
        lock: &mut Lock<'_>,
        wanted: &BTreeSet<Wanted>,
    ) -> Result<(), Error> {
        let wanted: Vec<Wanted> = wanted
            .iter()
            .copied()
            .filter(|wanted| {
                let file = lock.file(*wanted);
                file.is_some_and(|it| it.hash.is_none() && matches!(it.location, Location::Url(_)))
            })
            .collect();
        let mut notes = BTreeSet::new();
        for (wanted, path) in self.files(lock, &wanted)? {
            let package = lock.packages.get(wanted.package);
            let alternatives = package.map_or(&[][..], |package| &package.alternatives);
            if !alternatives.is_empty() {
                if let Some(hash) = hash_among(alternatives, &path)? {
                    lock.add_hash(wanted, hash);
                } else {
                    let name = lock.file(wanted).map(|file| file.name.to_string());
                    let problem = Problem::OtherFileThere(name.unwrap_or_default());
                    self.package_fault(lock, wanted, problem);
                }
                continue;
            }
            let mut file = fs::File::open(&path)?;
            let hash = Sri::of_bytes(b"").of_reader(&mut file)?;
            if let Some(file) = lock.file(wanted) {
                notes.insert(format!(
                    "the lock has no hash of {}, which is what its URL gives now",
                    file.name
                ));
            }
            lock.add_hash(wanted, hash);
        }
        lock.notes.extend(notes);
        Ok(())
    }

    /// Downloads files, and compares those that have a hash with it.
    fn files(
        &mut self,
        lock: &Lock<'_>,
        wanted: &[Wanted],
    ) -> Result<Vec<(Wanted, PathBuf)>, Error> {
        let mut requests = Vec::new();
        let mut asked = Vec::new();
        let mut found = Vec::new();
        for wanted in wanted {
            let Some(file) = lock.file(*wanted) else {
                continue;
            };
            match &file.location {
                // The name may come from the URL.
                Location::Url(_) if file.name.contains('/') || file.name.starts_with('.') => {
                    let name = file.name.clone().into_owned();
                    self.package_fault(lock, *wanted, Problem::OtherFileThere(name));
                }
                Location::Url(url) => {
                    let mut request = self.request(url, None, MAX_FILE);
                    fs::create_dir(&request.file)?;
                    request.file.push(&*file.name);
                    requests.push(request);
                    asked.push((*wanted, file));
                }
                Location::Path(path) => found.push((*wanted, self.root.join(path))),
                Location::Unknown => {}
            }
        }
        let answers = fetch(&requests).map_err(curl_error)?;
        for (((wanted, file), request), answer) in asked.into_iter().zip(requests).zip(answers) {
            let package = lock.packages.get(wanted.package);
            let label = package
                .map(wheelfix_lock::Package::label)
                .unwrap_or_default();
            if let Some(message) = answer.failure {
                let url = request.shown();
                self.fault(&label, Problem::Fetch { url, message });
                continue;
            }
            if let Some(hash) = &file.hash
                && hash.of_reader(&mut fs::File::open(&request.file)?)? != *hash
            {
                self.fault(&label, Problem::OtherFileThere(request.shown()));
                continue;
            }
            found.push((wanted, request.file));
        }
        Ok(found)
    }

    /// Adds what packages require where the lock does not say.
    pub(crate) fn requirements(
        &mut self,
        lock: &mut Lock<'_>,
        wanted: &BTreeSet<Wanted>,
        answers: &IndexAnswers,
    ) -> Result<(), Error> {
        let silent: Vec<Wanted> = wanted
            .iter()
            .copied()
            .filter(|wanted| {
                let package = lock.packages.get(wanted.package);
                package.is_some_and(|package| package.edges.is_none())
            })
            .collect();
        let (mut known, rest) = self.beside(lock, &silent, answers)?;
        // Only the file itself says what an sdist is built with.
        let sdists = wanted.iter().filter(|wanted| wanted.wheel.is_none());
        let files: BTreeSet<Wanted> = sdists.chain(&rest).copied().collect();
        let files: Vec<Wanted> = files.into_iter().collect();
        for (wanted, path) in self.files(lock, &files)? {
            match read_metadata(&path) {
                Ok(Contents { requires, build }) => {
                    let requires = requires.filter(|_| silent.contains(&wanted));
                    known.extend(requires.map(|texts| (wanted, texts)));
                    if let Some(build) = build {
                        lock.add_build(wanted.package, build);
                    }
                }
                Err(message) => self.unread(lock, wanted, message, silent.contains(&wanted)),
            }
        }
        for (wanted, texts) in known {
            if let Err(faults) = lock.add_requirements(wanted.package, &texts) {
                self.faults.extend(faults);
            }
        }
        Ok(())
    }

    /// Tells of a file that is not understood, which is a fault where nothing else says what it requires.
    fn unread(&mut self, lock: &mut Lock<'_>, wanted: Wanted, message: String, is_needed: bool) {
        let name = lock.file(wanted).map(|file| file.name.clone().into_owned());
        let url = name.unwrap_or_default();
        if is_needed {
            self.package_fault(lock, wanted, Problem::Fetch { url, message });
        } else {
            let note = format!("nothing says what {url} is built with: {message}");
            lock.notes.push(note);
        }
    }

    fn package_fault(&mut self, lock: &Lock<'_>, wanted: Wanted, problem: Problem) {
        let package = lock.packages.get(wanted.package);
        let label = package.map(wheelfix_lock::Package::label);
        self.fault(&label.unwrap_or_default(), problem);
    }

    /// The requirements in the METADATA that lies beside wheels, and the files that have none there.
    fn beside(
        &mut self,
        lock: &Lock<'_>,
        wanted: &[Wanted],
        answers: &IndexAnswers,
    ) -> Result<(Vec<Required>, Vec<Wanted>), Error> {
        let mut asked = Vec::new();
        let mut rest = Vec::new();
        for wanted in wanted {
            match lock.file(*wanted).map(|file| &file.location) {
                Some(Location::Url(url)) if wanted.wheel.is_some() => {
                    let end = url.find(['?', '#']).unwrap_or(url.len());
                    let (address, _) = url.split_at(end);
                    let request = self.request(&format!("{address}.metadata"), None, MAX_METADATA);
                    asked.push((*wanted, url, request));
                }
                _ => rest.push(*wanted),
            }
        }
        let (asked, requests): (Vec<_>, Vec<_>) = asked
            .into_iter()
            .map(|(wanted, url, request)| ((wanted, url), request))
            .unzip();
        let got = fetch(&requests).map_err(curl_error)?;
        let mut known = Vec::new();
        for (((wanted, url), request), answer) in asked.into_iter().zip(requests).zip(got) {
            if answer.failure.is_some() {
                rest.push(wanted);
                continue;
            }
            let bytes = fs::read(&request.file)?;
            if let Some(hash) = answers.metadata_hash(url)
                && Sri::of_bytes(&bytes) != *hash
            {
                self.package_fault(lock, wanted, Problem::OtherFileThere(request.shown()));
                continue;
            }
            let package = lock.packages.get(wanted.package);
            match package.and_then(|package| required_of(package, &bytes)) {
                Some(texts) => known.push((wanted, texts)),
                // A host may have a page for all that it does not have.
                None => rest.push(wanted),
            }
        }
        Ok((known, rest))
    }
}

pub(crate) fn curl_error(error: CurlError) -> Error {
    match error {
        CurlError::Start(_) | CurlError::Failed(_) => Error::environment(error),
        CurlError::Scheme(_) | CurlError::Control => Error::refused(error),
    }
}

/// The requirements in METADATA; `None` if it is not that of the package, in its version.
fn required_of(package: &Package<'_>, bytes: &[u8]) -> Option<Vec<String>> {
    let metadata: Metadata = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let has_version = |version| metadata.version() == version;
    let is_it =
        *metadata.name() == package.name && package.version.as_ref().is_none_or(has_version);
    is_it.then(|| requires(&metadata))
}

fn requires(metadata: &Metadata) -> Vec<String> {
    let fields = metadata.headers().get_all("Requires-Dist");
    fields.map(|field| field.value.to_owned()).collect()
}

/// The contents of a file that count here.
struct Contents {
    /// Its requirements; `None` where only the build tells them.
    requires: Option<Vec<String>>,
    /// The requirements of its build.
    build: Option<Vec<Requirement>>,
}

/// Reads a wheel or an sdist.
fn read_metadata(path: &Path) -> Result<Contents, String> {
    let is_wheel = path
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("whl"));
    if is_wheel {
        let options = OpenOptions {
            with_record_faults: true,
            ..OpenOptions::default()
        };
        let wheel = Wheel::open_with(path, &options).map_err(|error| error.to_string())?;
        return Ok(Contents {
            requires: Some(requires(wheel.metadata())),
            build: None,
        });
    }
    let sdist = Sdist::open(path, &Limits::default()).map_err(|error| error.to_string())?;
    let is_known = !sdist.is_dynamic("Requires-Dist");
    let build = sdist.build_system().cloned();
    let build = build.unwrap_or_else(BuildSystem::legacy);
    Ok(Contents {
        requires: is_known.then(|| requires(sdist.metadata())),
        build: Some(build.requires),
    })
}

/// The hash of a file that is among these; `None` if it has another one.
fn hash_among(hashes: &[Sri], path: &Path) -> std::io::Result<Option<Sri>> {
    for hash in hashes {
        if hash.of_reader(&mut fs::File::open(path)?)? == *hash {
            return Ok(Some(hash.clone()));
        }
    }
    Ok(None)
}
