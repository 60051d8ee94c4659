//! An edit of metadata leaves everything else alone.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wheelfix_format::fuzzing::check_edit(text));
