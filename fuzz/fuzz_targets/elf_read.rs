//! No bytes make a reader of ELF files panic, believe a size, or loop.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wheelfix_elf::fuzzing::check_read(bytes));
