//! Memory maps: archives are read through them and large members are inflated into them.
//!
//! This and `libdeflate.rs` are the only modules of the workspace with `unsafe` code. A map is sound as
//! long as the file behind it keeps its bytes. For both kinds that is a promise of the caller, which no type can make:
//!
//! * An archive is an input: a store path, a download or a file the user named. Who rewrites a wheel
//!   while it is installed gets bytes that fail the checksum.
//! * An output file, or one for results on their way, was created by this process with `O_EXCL`, in a
//!   staging directory that only this process knows, and its blocks were allocated before it is
//!   mapped, so that a full disk is an error of `fallocate` and never a signal.
//!
//! Where a file was shortened, or its disk fails, touching the map is a `SIGBUS`. A handler puts zeros
//! in the place of what cannot be read and notes that the map is [lost](ReadMap::is_lost), so that a
//! reader goes on to its next check, and whoever owns the map asks before it relies on what was read.
//! The handler costs nothing until then. Reading the 539 MB of torch's wheel instead costs 0.23 s of
//! processor time more than the map (0.06 to 0.11 s) in pieces of 256 KiB, and 0.46 s in members as they
//! are, which is how libdeflate wants them: 480 MB of memory for the largest two.
//!
//! The bytes have no invariants (`u8`), and a map is exposed as one slice with the lifetime of the
//! map, so that no reference outlives it and no two mutable ones coexist.
#![expect(
    unsafe_code,
    reason = "mapping a file and handling a signal are unsafe; the reasons why it is sound here are above"
)]

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering::SeqCst};

use memmap2::{Mmap, MmapMut, MmapOptions};

/// A whole file, mapped for reading.
#[derive(Debug)]
pub(crate) struct ReadMap {
    map: Mmap,
    watched: Watched,
}

impl ReadMap {
    /// Maps all of `file`, which must not be empty.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the file is an input that nobody changes while we run; see the module's text.
        let map = unsafe { Mmap::map(file) }?;
        let watched = Watched::new(&map, libc::PROT_READ)?;
        Ok(Self { map, watched })
    }

    /// Whether some of the file could not be read, so that there were zeros in its place.
    pub(crate) fn is_lost(&self) -> bool {
        self.watched.is_lost()
    }

    /// An error if some of the file could not be read.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.watched.check()
    }
}

impl Deref for ReadMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

/// A whole file of our own, mapped for writing; the file changes as the bytes do.
#[derive(Debug)]
pub(crate) struct WriteMap {
    map: MmapMut,
    watched: Watched,
}

impl WriteMap {
    /// Maps the first `len` bytes of `file`, which must be allocated and more than none.
    pub(crate) fn new(file: &File, len: usize) -> io::Result<Self> {
        // SAFETY: the file is our own and fully allocated; see the module's text.
        let map = unsafe { MmapOptions::new().len(len).map_mut(file) }?;
        let watched = Watched::new(&map, libc::PROT_READ | libc::PROT_WRITE)?;
        Ok(Self { map, watched })
    }

    /// An error if some of the file could not be written.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.watched.check()
    }
}

impl Deref for WriteMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl DerefMut for WriteMap {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

/// A mapped region that the signal handler looks after, until this is dropped.
#[derive(Debug)]
struct Watched(&'static Region);

/// A region, as the handler sees it. It stays in the list for ever, since a handler may look at it at
/// any time, and is used again once its map is gone.
#[derive(Debug)]
struct Region {
    is_taken: AtomicBool,
    start: AtomicUsize,
    /// 0 while the region is not to be looked at.
    end: AtomicUsize,
    protection: AtomicI32,
    is_lost: AtomicBool,
    /// The next one in the list; never changes once the region is in it.
    next: AtomicPtr<Self>,
}

/// The first region of the list.
static REGIONS: AtomicPtr<Region> = AtomicPtr::new(ptr::null_mut());

/// The action for the signal before ours, and the length of a page; known once the handler is set.
static BEFORE: OnceLock<(libc::sigaction, usize)> = OnceLock::new();

impl Watched {
    fn new(map: &[u8], protection: c_int) -> io::Result<Self> {
        handle_signal()?;
        let region = regions().find(|region| !region.is_taken.swap(true, SeqCst));
        let region = region.unwrap_or_else(Region::add);
        let start = map.as_ptr().addr();
        region.is_lost.store(false, SeqCst);
        region.protection.store(protection, SeqCst);
        region.start.store(start, SeqCst);
        region.end.store(start + map.len(), SeqCst);
        Ok(Self(region))
    }

    fn is_lost(&self) -> bool {
        self.0.is_lost.load(SeqCst)
    }

    fn check(&self) -> io::Result<()> {
        if self.is_lost() {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        Ok(())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.end.store(0, SeqCst);
        self.0.is_taken.store(false, SeqCst);
    }
}

impl Region {
    /// A new region, taken, in the list.
    fn add() -> &'static Self {
        let region: &'static Self = Box::leak(Box::new(Self {
            is_taken: AtomicBool::new(true),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            protection: AtomicI32::new(0),
            is_lost: AtomicBool::new(false),
            next: AtomicPtr::new(ptr::null_mut()),
        }));
        let pointer = ptr::from_ref(region).cast_mut();
        let mut first = REGIONS.load(SeqCst);
        loop {
            region.next.store(first, SeqCst);
            match REGIONS.compare_exchange(first, pointer, SeqCst, SeqCst) {
                Ok(_) => return region,
                Err(other) => first = other,
            }
        }
    }

    /// The address behind the region, if this address lies in it.
    fn end_if_inside(&self, address: usize) -> Option<usize> {
        let end = self.end.load(SeqCst);
        let start = self.start.load(SeqCst);
        // Both are of one map if the end is still the same: it is 0 while the start changes.
        (start <= address && address < end && self.end.load(SeqCst) == end).then_some(end)
    }
}

/// All regions that ever were.
fn regions() -> impl Iterator<Item = &'static Region> {
    let mut next = REGIONS.load(SeqCst);
    std::iter::from_fn(move || {
        // SAFETY: the pointer is null or leads to a leaked region, which nobody has mutably.
        let region: &'static Region = unsafe { next.as_ref() }?;
        next = region.next.load(SeqCst);
        Some(region)
    })
}

/// Installs the handler, once in the process.
fn handle_signal() -> io::Result<()> {
    if BEFORE.get().is_some() {
        return Ok(());
    }
    // SAFETY: the structures are plain data for which zeros are valid values, and live long enough;
    // `on_bus_error` has the signature that `SA_SIGINFO` asks for, and calls nothing but `mmap` and
    // `sigaction`, which enter the kernel at once, besides atomics.
    unsafe {
        let mut before: libc::sigaction = mem::zeroed();
        if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut before) != 0 {
            return Err(io::Error::last_os_error());
        }
        // The handler may run as soon as it is installed, and needs what is here.
        BEFORE.get_or_init(|| (before, rustix::param::page_size()));
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        if libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Puts zeros in the place of what a map cannot give; leaves other faults to who was asked before.
///
/// Runs in the thread that touched the page, at any place in it.
extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    let Some((before, page_len)) = BEFORE.get() else {
        return;
    };
    // SAFETY: the kernel gives a valid structure with the address that was touched.
    let address = unsafe { (*info).si_addr() }.addr();
    let found = regions().find_map(|region| Some((region, region.end_if_inside(address)?)));
    let is_mended = found.is_some_and(|(region, end)| {
        region.is_lost.store(true, SeqCst);
        let page = address & !(page_len - 1);
        let protection = region.protection.load(SeqCst);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: the pages from the one that was touched to the end of the map belong to a map that
        // the thread uses right now, so that nobody unmaps it, and stay as they are but for what
        // they hold. Nobody may rely on that: it was the file's.
        let at = unsafe {
            libc::mmap(
                ptr::with_exposed_provenance_mut(page),
                end - page,
                protection,
                flags,
                -1,
                0,
            )
        };
        at != libc::MAP_FAILED
    });
    if !is_mended {
        // SAFETY: this is what the kernel gave. Returning touches the page again.
        unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 64 << 10;

    #[test]
    fn what_is_gone_reads_as_zeros_and_is_told() {
        let file = tempfile::tempfile().unwrap();
        let content = vec![7; 4 * PAGE];
        std::os::unix::fs::FileExt::write_all_at(&file, &content, 0).unwrap();
        let (whole, cut) = (ReadMap::new(&file).unwrap(), ReadMap::new(&file).unwrap());
        assert_eq!(whole[..], content);
        file.set_len(PAGE as u64).unwrap();
        assert_eq!(cut[0], 7);
        assert!(!cut.is_lost());
        assert_eq!(cut[3 * PAGE], 0);
        assert!(cut.is_lost());
        // Only from there on: what is before it is still that of the file.
        assert_eq!(cut[PAGE - 1], 7);
        assert!(!whole.is_lost());
        drop(cut);
        file.set_len(4 * PAGE as u64).unwrap();
        let again = ReadMap::new(&file).unwrap();
        assert_eq!(again[3 * PAGE], 0);
        assert!(!again.is_lost());
    }

    #[test]
    fn an_output_that_is_gone_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 * PAGE as u64).unwrap();
        let mut map = WriteMap::new(&file, 4 * PAGE).unwrap();
        map[0] = 1;
        map.check().unwrap();
        file.set_len(PAGE as u64).unwrap();
        map[2 * PAGE] = 1;
        assert_eq!(map.check().unwrap_err().raw_os_error(), Some(libc::EIO));
    }
}
