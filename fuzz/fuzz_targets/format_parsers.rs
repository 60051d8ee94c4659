//! No text makes a parser panic or print something else.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wheelfix_format::fuzzing::check_parsers(text));
