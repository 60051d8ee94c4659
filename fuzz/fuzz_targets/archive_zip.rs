//! No bytes are a zip archive that two readers understand differently.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wheelfix_archive::fuzzing::check_zip(bytes));
