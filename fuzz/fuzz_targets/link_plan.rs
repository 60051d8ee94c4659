//! Whatever the objects of an output, there is a plan for them and a proof.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wheelfix_link::fuzzing::check_plan(bytes));
