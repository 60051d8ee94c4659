//! Nothing is unpacked outside the directory, whatever the archive.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(dir) = tempfile::tempdir() {
        wheelfix_archive::fuzzing::check_unpack_tar(bytes, dir.path());
    }
});
