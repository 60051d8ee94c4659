//! Bytes that are accepted as a wheel can be inspected.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wheelfix_wheel::fuzzing::check_wheel(bytes));
