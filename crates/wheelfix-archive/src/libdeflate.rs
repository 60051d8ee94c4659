//! Inflating with libdeflate, which says how much of the data it read.
//!
//! `libdeflater` has no function for that, and without it nobody sees bytes that are hidden behind the
//! last block. zlib-rs tells, and needs no `unsafe` here, but takes 0.11 s of processor time for the 81
//! MiB of `libmkl_avx512.so.3` of mkl-2026.2.0, where libdeflate takes 0.07 to 0.08 s (three turns each,
//! in one process). Nothing else here needs libdeflate's own interface.
#![expect(
    unsafe_code,
    reason = "libdeflate is written in C; each call says why it is sound"
)]

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use libdeflate_sys::{
    libdeflate_alloc_decompressor, libdeflate_decompressor, libdeflate_deflate_decompress_ex,
    libdeflate_free_decompressor, libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE as NO_ROOM,
    libdeflate_result_LIBDEFLATE_SUCCESS as SUCCESS,
};

/// The memory of libdeflate's decoder, to be used for many streams.
pub(crate) struct Decoder(NonNull<libdeflate_decompressor>);

/// The lengths of a stream that was inflated.
pub(crate) struct Inflated {
    /// Number of bytes read, the last of which may be used in part.
    pub(crate) used: usize,
    /// Number of bytes written.
    pub(crate) made: usize,
}

/// Why a stream cannot be inflated.
pub(crate) enum Failure {
    /// It is broken, or the data ends before it does.
    Corrupt,
    /// There is no room for all of its content.
    TooLong,
}

// SAFETY: the decoder is plain memory that no thread has a part in; it may be used by one thread at a
// time, which `&mut` sees to.
unsafe impl Send for Decoder {}

impl Decoder {
    pub(crate) fn new() -> Self {
        // SAFETY: the function may be called at any time.
        let decoder = unsafe { libdeflate_alloc_decompressor() };
        // How much was wanted is not known.
        let layout = Layout::new::<usize>();
        Self(NonNull::new(decoder).unwrap_or_else(|| handle_alloc_error(layout)))
    }

    /// Inflates the stream that `data` begins with.
    pub(crate) fn inflate(&mut self, data: &[u8], content: &mut [u8]) -> Result<Inflated, Failure> {
        let (mut used, mut made) = (0, 0);
        // SAFETY: the decoder lives as long as `self`, which is borrowed for this call alone; the data
        // and the content are as long as they say and do not overlap; the numbers are ours.
        let result = unsafe {
            libdeflate_deflate_decompress_ex(
                self.0.as_ptr(),
                data.as_ptr().cast(),
                data.len(),
                content.as_mut_ptr().cast(),
                content.len(),
                &raw mut used,
                &raw mut made,
            )
        };
        match result {
            SUCCESS => Ok(Inflated { used, made }),
            NO_ROOM => Err(Failure::TooLong),
            _ => Err(Failure::Corrupt),
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: it is ours, and nobody has it after this.
        unsafe { libdeflate_free_decompressor(self.0.as_ptr()) };
    }
}
