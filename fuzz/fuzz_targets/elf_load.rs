//! Whatever the bytes, loaders take them or there is a reason why not.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wheelfix_elf::fuzzing::check_load(bytes));
