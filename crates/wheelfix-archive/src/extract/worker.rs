//! One of the threads that write members.

use std::fs::File;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::Builder;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::content::{ContentError, Inflater, Stream};
use crate::extract::checksums::{self, Checksums};
use crate::extract::schedule::{MAX_SMALL, Schedule, is_small};
use crate::extract::tree::{OpenDirs, Tree};
use crate::extract::{ExtractError, ExtractItem, Extracted, ItemFault, Observer, Written};
use crate::map::{ReadMap, WriteMap};
use crate::output;

/// Piece of a large member that is inflated, checked and hashed before the next, in bytes: fits the
/// second-level cache.
const PIECE: usize = 256 << 10;

/// The data that all workers share.
pub(crate) struct Shared<'a> {
    items: &'a [ExtractItem<'a>],
    tree: &'a Tree<'a>,
    schedule: &'a Schedule,
    observer: &'a dyn Observer,
    /// Set after an I/O error.
    is_stopped: AtomicBool,
}

/// The results of one worker.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) done: Vec<(usize, Extracted)>,
    pub(crate) faults: Vec<ItemFault>,
    pub(crate) failed: Option<ExtractError>,
}

/// The resources that one worker uses again and again.
struct Worker<'a> {
    shared: &'a Shared<'a>,
    dirs: OpenDirs<'a>,
    inflater: Inflater,
    buffer: Vec<u8>,
}

/// Why one item was not written.
enum Failure {
    Io(io::Error),
    Content(ContentError),
}

impl<'a> Shared<'a> {
    pub(crate) fn new(
        items: &'a [ExtractItem<'a>],
        tree: &'a Tree<'a>,
        schedule: &'a Schedule,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            items,
            tree,
            schedule,
            observer,
            is_stopped: AtomicBool::new(false),
        }
    }

    /// Takes work until there is none; `workers` threads do this.
    pub(crate) fn work(&self, workers: NonZeroUsize) -> Outcome {
        let mut outcome = Outcome::default();
        let mut worker = Worker {
            shared: self,
            dirs: self.tree.open_dirs(workers.get()),
            inflater: Inflater::new(),
            buffer: Vec::new(),
        };
        while let Some((work, indices)) = self.schedule.take() {
            for index in indices {
                if self.is_stopped.load(Ordering::Relaxed) {
                    return outcome;
                }
                worker.run(*index, work.split, &mut outcome);
            }
        }
        outcome
    }
}

impl Worker<'_> {
    /// Writes the item at this index and notes how it went.
    fn run(&mut self, index: usize, split: bool, outcome: &mut Outcome) {
        let Some(item) = self.shared.items.get(index) else {
            return;
        };
        let path = self.shared.tree.path().join(item.dst.as_path());
        let observer = self.shared.observer;
        let notify = |content: &[u8]| {
            observer.written(Written {
                index,
                item,
                path: &path,
                content,
            });
        };
        let written = if is_small(item) {
            self.write_small(index, item)
                .inspect(|_| notify(&self.buffer))
        } else {
            self.write_large(index, item, split, &notify)
        };
        match written {
            Ok(extracted) => outcome.done.push((index, extracted)),
            Err(Failure::Content(error)) => outcome.faults.push(ItemFault {
                index,
                name: item.member.path.clone(),
                error,
            }),
            Err(Failure::Io(source)) => {
                self.shared.is_stopped.store(true, Ordering::Relaxed);
                outcome.failed = Some(ExtractError::Write { path, source });
            }
        }
    }

    /// Writes a small item by way of the buffer, which holds its content afterwards.
    fn write_small(&mut self, index: usize, item: &ExtractItem<'_>) -> Result<Extracted, Failure> {
        let len = item.member.len.min(MAX_SMALL);
        self.buffer
            .resize(usize::try_from(len).unwrap_or_default(), 0);
        item.archive
            .inflate_into(item.member, &mut self.inflater, &mut self.buffer)?;
        let mut checksums = Checksums::new(item.digest);
        checksums.update(&self.buffer);
        let extracted = checksums.finish(item.member, item.digest)?;
        let mut file = self.create(index, item)?;
        file.write_all(&self.buffer)?;
        self.shared.observer.progress(item.member.len);
        Ok(extracted)
    }

    /// Writes a large item into its mapped file, or piece by piece where files cannot be allocated.
    fn write_large(
        &mut self,
        index: usize,
        item: &ExtractItem<'_>,
        split: bool,
        notify: &dyn Fn(&[u8]),
    ) -> Result<Extracted, Failure> {
        let file = self.create(index, item)?;
        let Some(mut map) = allocate(&file, item.member.len)? else {
            let extracted = self.stream(item, file)?;
            let map = ReadMap::new(&self.reopen(index, item)?)?;
            notify(&map);
            map.check()?;
            return Ok(extracted);
        };
        let extracted = if split {
            self.fill_split(item, &mut map)?
        } else {
            None
        };
        let extracted = match extracted {
            Some(extracted) => extracted,
            None => self.fill(item, &mut map)?,
        };
        notify(&map);
        map.check()?;
        Ok(extracted)
    }

    /// Inflates all of a member at once, then goes through it.
    fn fill(
        &mut self,
        item: &ExtractItem<'_>,
        content: &mut [u8],
    ) -> Result<Extracted, ContentError> {
        item.archive
            .inflate_into(item.member, &mut self.inflater, content)?;
        let mut checksums = Checksums::new(item.digest);
        for piece in content.chunks(PIECE) {
            checksums.update(piece);
            self.shared.observer.progress(piece.len() as u64);
        }
        checksums.finish(item.member, item.digest)
    }

    /// Inflates a member piece by piece while a second thread computes the digest of what is there. `None` if the system
    /// gives no thread.
    fn fill_split(
        &self,
        item: &ExtractItem<'_>,
        content: &mut [u8],
    ) -> Result<Option<Extracted>, ContentError> {
        let (sender, receiver) = mpsc::channel::<&[u8]>();
        std::thread::scope(|scope| {
            let hash = move || {
                let mut sha256 = Sha256::new();
                for piece in receiver {
                    sha256.update(piece);
                }
                sha256.finalize().into()
            };
            let Ok(hasher) = Builder::new().spawn_scoped(scope, hash) else {
                return Ok(None);
            };
            let mut stream = Stream::new(item.archive, item.member);
            let mut crc32 = crc32fast::Hasher::new();
            for piece in content.chunks_mut(PIECE) {
                stream.fill(piece)?;
                crc32.update(piece);
                self.shared.observer.progress(piece.len() as u64);
                // The receiver is there until the sender is dropped.
                sender.send(piece).ok();
            }
            stream.end()?;
            drop(sender);
            let sha256 = hasher.join().unwrap_or_else(|panic| resume_unwind(panic));
            checksums::check(item.member, crc32.finalize(), item.digest, Some(sha256)).map(Some)
        })
    }

    /// Inflates and writes piece by piece.
    fn stream(&mut self, item: &ExtractItem<'_>, mut file: File) -> Result<Extracted, Failure> {
        let mut stream = Stream::new(item.archive, item.member);
        let mut checksums = Checksums::new(item.digest);
        self.buffer.resize(PIECE, 0);
        let mut left = item.member.len;
        while 0 < left {
            let len = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = self.buffer.get_mut(..len).unwrap_or_default();
            stream.fill(piece)?;
            checksums.update(piece);
            file.write_all(piece)?;
            self.shared.observer.progress(len as u64);
            left -= len as u64;
        }
        stream.end()?;
        Ok(checksums.finish(item.member, item.digest)?)
    }

    /// Creates the file of an item, which must not exist, with its final mode.
    fn create(&mut self, index: usize, item: &ExtractItem<'_>) -> Result<File, Errno> {
        let dir = self.dirs.get(self.shared.tree.home(index))?;
        output::create_file(dir, item.dst.file_name(), item.executable)
    }

    /// Opens a file that [`create`](Self::create) made for reading.
    fn reopen(&mut self, index: usize, item: &ExtractItem<'_>) -> Result<File, Errno> {
        let dir = self.dirs.get(self.shared.tree.home(index))?;
        output::open_file(dir, item.dst.file_name())
    }
}

/// Allocates all blocks of a new file and maps it; `None` if its file system allocates only on
/// writing, where a full disk would be a signal instead of an error.
fn allocate(file: &File, len: u64) -> io::Result<Option<WriteMap>> {
    let Ok(map_len) = usize::try_from(len) else {
        return Ok(None);
    };
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
        Ok(()) => WriteMap::new(file, map_len).map(Some),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ContentError> for Failure {
    fn from(error: ContentError) -> Self {
        Self::Content(error)
    }
}

#[cfg(test)]
mod tests {
    use wheelfix_testkit::raw_zip::{RawMember, RawZip};

    use super::*;
    use crate::extract::{Digest, Silent};
    use crate::zip::ZipArchive;
    use crate::zip::limits::Limits;

    /// Writes one member as on a file system that allocates nothing; gives the file and its digest.
    fn stream(member: RawMember) -> Result<(Vec<u8>, Option<[u8; 32]>), ContentError> {
        let bytes = RawZip::new(vec![member]).build();
        let archive = ZipArchive::from_bytes(bytes, &Limits::default()).unwrap();
        let member = &archive.members()[0];
        let items = [ExtractItem {
            archive: &archive,
            member,
            dst: member.path.clone(),
            executable: false,
            digest: Digest::Compute,
            prioritized: false,
        }];
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::create(dir.path(), &items).unwrap();
        let schedule = Schedule::new(&items, NonZeroUsize::MIN);
        let shared = Shared::new(&items, &tree, &schedule, &Silent);
        let mut worker = Worker {
            shared: &shared,
            dirs: tree.open_dirs(1),
            inflater: Inflater::new(),
            buffer: Vec::new(),
        };
        let file = worker.create(0, &items[0]).unwrap();
        match worker.stream(&items[0], file) {
            Ok(extracted) => {
                let map = ReadMap::new(&worker.reopen(0, &items[0]).unwrap()).unwrap();
                Ok((map.to_vec(), extracted.sha256))
            }
            Err(Failure::Content(error)) => Err(error),
            Err(Failure::Io(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn without_allocation_a_member_is_written_piece_by_piece() {
        let content: Vec<u8> = (0..u8::MAX).cycle().take(3 * PIECE + 5).collect();
        for member in [
            RawMember::new("d/x", &content),
            RawMember::stored("d/x", &content),
        ] {
            let (written, sha256) = stream(member).unwrap();
            assert!(written == content);
            assert_eq!(sha256, Some(Sha256::digest(&content).into()));
        }
    }

    #[test]
    fn piece_by_piece_the_same_faults_are_found() {
        let content = vec![7; PIECE + 5];
        let mut member = RawMember::new("x", &content);
        member.fields.len -= 1;
        let error = stream(member).unwrap_err();
        assert!(matches!(error, ContentError::TooLong { .. }), "{error}");
        let mut member = RawMember::new("x", &content);
        member.fields.len += 1;
        let error = stream(member).unwrap_err();
        assert!(matches!(error, ContentError::TooShort { .. }), "{error}");
        let mut member = RawMember::new("x", &content);
        member.fields.crc32 ^= 1;
        let error = stream(member).unwrap_err();
        assert!(matches!(error, ContentError::Crc32 { .. }), "{error}");
    }
}
