//! Memory maps: archives are read through them and large members are inflated into them.
//!
//! This is the only module of the workspace with `unsafe` code. A map is sound as long as nobody
//! shortens or rewrites the file behind it. For both kinds that is a promise of the caller, which no
//! type can make:
//!
//! * An archive is an input: a store path, a download or a file the user named. Who rewrites a wheel
//!   while it is installed gets bytes that fail the checksum, or, if they shorten it, the end of the
//!   process by `SIGBUS`; in neither case is output published.
//! * An output file, or one for results on their way, was created by this process with `O_EXCL`,
//!   in a staging directory that only this process knows, and its blocks were allocated before it is mapped, so that a full disk is an
//!   error of `fallocate` and never a signal.
//!
//! The bytes have no invariants (`u8`), and a map is exposed as one slice with the lifetime of the
//! map, so that no reference outlives it and no two mutable ones coexist.
#![expect(
    unsafe_code,
    reason = "mapping a file is unsafe; the reasons why it is sound here are above"
)]

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};

use memmap2::{Mmap, MmapMut, MmapOptions};

/// A whole file, mapped for reading.
#[derive(Debug)]
pub(crate) struct ReadMap(Mmap);

impl ReadMap {
    /// Maps all of `file`, which must not be empty.
    pub(crate) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the file is an input that nobody changes while we run; see the module's text.
        unsafe { Mmap::map(file) }.map(Self)
    }
}

impl Deref for ReadMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A whole file of our own, mapped for writing; the file changes as the bytes do.
#[derive(Debug)]
pub(crate) struct WriteMap(MmapMut);

impl WriteMap {
    /// Maps the first `len` bytes of `file`, which must be allocated and more than none.
    pub(crate) fn new(file: &File, len: usize) -> io::Result<Self> {
        // SAFETY: the file is our own and fully allocated; see the module's text.
        unsafe { MmapOptions::new().len(len).map_mut(file) }.map(Self)
    }
}

impl Deref for WriteMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for WriteMap {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
