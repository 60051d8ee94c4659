//! An edit of any bytes is refused, or gives a file that keeps every rule.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wheelfix_elf::fuzzing::check_edit(bytes));
