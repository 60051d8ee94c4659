//! No text makes a reader of lock files panic, nor what is done with what it read.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wheelfix_lock::fuzzing::check_readers(text));
