//! Edits that are made twice: the second one finds nothing to do.

use crate::edit::{NeededEdit, Request};
use crate::edit_tests::{dynamic, edit};
use crate::fuzzing;
use crate::sample::Sample;

/// Found by fuzzing: a false `PT_PHDR` keeps a segment that holds nothing, and makes way for the program header that the
/// edit needs.
#[test]
fn what_an_edit_leaves_dead_is_healed_by_it() {
    let mut bytes = Sample::default().build();
    let mut set = |header: usize, kind: u32, words: [u64; 6]| {
        let at = 64 + header * 56;
        bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        let words = words.iter().flat_map(|word| word.to_le_bytes());
        bytes[at + 8..at + 56].copy_from_slice(&words.collect::<Vec<u8>>());
    };
    let (page, len) = (0x1_0000, 16);
    set(4, 6, [0, page, page, len, len, 8]);
    set(5, 1, [0, page, page, len, len, 0x1000]);
    let names: Vec<String> = (0..9).map(|number| format!("lib{number}.so")).collect();
    let request = Request {
        heal: true,
        needed: names.iter().cloned().map(NeededEdit::Prepend).collect(),
        ..Request::default()
    };
    let (after, plan) = edit(&bytes, &request).unwrap();
    let retired = plan.summary.iter().filter(|line| line.contains("retired"));
    assert_eq!(retired.count(), 1, "{plan}");
    let (_, again) = edit(&after, &request).unwrap();
    assert!(again.is_noop(), "{again}");
    assert_eq!(dynamic(&after).needed.len(), 11);
    fuzzing::check_edit(&bytes);
}

/// Found by fuzzing: a `PT_INTERP` that reaches over the dynamic section, in a file without sections, which would say so.
#[test]
fn an_interpreter_that_holds_the_dynamic_section_is_refused() {
    let sample = Sample {
        program: true,
        sections: false,
        ..Sample::default()
    };
    let mut bytes = sample.build();
    // PT_PHDR, PT_INTERP, two PT_LOAD, PT_DYNAMIC.
    let dynamic = bytes[64 + 4 * 56 + 8..][..32].to_vec();
    bytes[64 + 56 + 8..][..32].copy_from_slice(&dynamic);
    let request = Request {
        interpreter: Some("/a/loader".to_owned()),
        ..Request::default()
    };
    let offset = u64::from_le_bytes(dynamic[..8].try_into().unwrap());
    let len = u64::from_le_bytes(dynamic[24..].try_into().unwrap());
    let error = edit(&bytes, &request).unwrap_err();
    let want = format!(
        "PT_INTERP at {offset:#x}: expected the interpreter's name alone, got: {len} bytes with the dynamic section"
    );
    assert_eq!(error.to_string(), want);
    fuzzing::check_edit(&bytes);
}
