//! Invariants of every edit, over samples of every class, byte order and layout.

use goblin::elf::Elf as Goblin;
use proptest::prelude::*;

use crate::edit::{
    Data, EditError, NeededEdit, Plan, Planned, Request, RunPathEdit, RunPathKind, RunPathRequest,
    Warning,
};
use crate::read::dynamic_tag::Tag;
use crate::read::elf::{Elf, RunPath};
use crate::read::program_header::SegmentKind;
use crate::read::section_header::SHT_SYMTAB;
use crate::sample::{self, Behind, Sample};
use crate::verify::verify;

/// Plans an edit, checks everything that holds for any edit, and returns the result.
pub(crate) fn edit(bytes: &[u8], request: &Request) -> Result<(Vec<u8>, Plan), EditError> {
    let elf = Elf::read(bytes)?;
    let plan = Plan::new(bytes, &elf, request)?;
    let after = Planned::new(&bytes, &plan).to_bytes().unwrap();
    assert_eq!(
        in_order(bytes, &plan),
        after,
        "the writes, one after the other\n{plan}"
    );
    let checked = plan.check(&bytes).unwrap();
    assert!(checked.new.is_empty(), "{:?}\n{plan}", checked.new);
    for (offset, (old, new)) in (0_u64..).zip(bytes.iter().zip(&after)) {
        let declared = plan
            .writes
            .iter()
            .any(|write| write.offset <= offset && offset < write.end());
        assert!(old == new || declared, "{offset:#x} changed\n{plan}");
    }
    Ok((after, plan))
}

/// Makes the writes of a plan one after the other.
fn in_order(bytes: &[u8], plan: &Plan) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let long = usize::try_from(plan.new_len.max(plan.old_len)).unwrap();
    bytes.resize(long, 0);
    for write in &plan.writes {
        let at = usize::try_from(write.offset).unwrap();
        match &write.data {
            Data::Bytes(new) => bytes[at..at + new.len()].copy_from_slice(new),
            Data::Zeros(len) => bytes[at..at + usize::try_from(*len).unwrap()].fill(0),
            Data::Copy { from, len } => {
                let from = usize::try_from(*from).unwrap();
                bytes.copy_within(from..from + usize::try_from(*len).unwrap(), at);
            }
        }
    }
    bytes.truncate(usize::try_from(plan.new_len).unwrap());
    bytes
}

fn edited(bytes: &[u8], request: &Request) -> Vec<u8> {
    edit(bytes, request).unwrap().0
}

fn run_path(len: usize, letter: char) -> Request {
    Request::set_run_path(format!("/{}", letter.to_string().repeat(len - 1)))
}

fn add(names: &[String]) -> Request {
    let needed = names.iter().cloned().map(NeededEdit::Append).collect();
    Request {
        needed,
        ..Request::default()
    }
}

pub(crate) fn dynamic(bytes: &[u8]) -> crate::read::elf::Dynamic {
    Elf::read(bytes).unwrap().dynamic.unwrap()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn samples_are_what_linkers_make() {
    for sample in Sample::variety() {
        let bytes = sample.build();
        let theirs = Goblin::parse(&bytes).unwrap();
        assert_eq!(theirs.libraries, [sample::NEEDED, sample::PLAIN_NEEDED]);
        assert_eq!(
            theirs.dynsyms.len(),
            sample::DEFINED.len() + 2,
            "{sample:?}"
        );
        assert_eq!(verify(&bytes).unwrap(), [], "{sample:?}");
        let elf = Elf::read(&bytes).unwrap();
        assert_eq!(elf.notes.build_id.as_deref(), Some("0102030405060708"));
        assert_eq!(
            elf.symbols(&bytes).unwrap().len(),
            sample::DEFINED.len() + 2
        );
    }
}

#[test]
fn every_edit_of_every_sample_does_what_was_asked() {
    let seven: Vec<String> = (0..7)
        .map(|number| format!("libadded{number}.so"))
        .collect();
    for sample in Sample::variety() {
        let bytes = sample.build();
        let mut request = run_path(400, 'a');
        request.needed = seven.iter().cloned().map(NeededEdit::Prepend).collect();
        let to = "libc-with-a-longer-name.so.6".to_owned();
        request.needed.push(NeededEdit::Replace {
            from: sample::NEEDED.to_owned(),
            to: to.clone(),
        });
        request
            .needed
            .push(NeededEdit::Remove(sample::PLAIN_NEEDED.to_owned()));
        request.soname = Some("libother.so.1".to_owned());
        request.no_default_lib = true;
        request.debug_tag = true;
        request.executable_stack = Some(true);
        request.os_abi = Some(3);
        if sample.program {
            request.interpreter = Some(format!("/nix/store/{}/ld.so", "i".repeat(100)));
        }
        let (after, plan) = edit(&bytes, &request).unwrap();
        let theirs = Goblin::parse(&after).unwrap();
        let mut wanted: Vec<&str> = seven.iter().rev().map(String::as_str).collect();
        wanted.push(&to);
        assert_eq!(theirs.libraries, wanted, "{sample:?}\n{plan}");
        assert_eq!(theirs.soname, Some("libother.so.1"));
        assert_eq!(theirs.interpreter, request.interpreter.as_deref());
        if sample.sections {
            // goblin finds versions through their sections.
            let needs = theirs.verneed.as_ref().unwrap().iter().next().unwrap();
            assert_eq!(theirs.dynstrtab.get_at(needs.vn_file), Some(to.as_str()));
        }
        let elf = Elf::read(&after).unwrap();
        let dynamic = elf.dynamic.as_ref().unwrap();
        assert_eq!(dynamic.run_path.effective().map(str::len), Some(400));
        assert_eq!(dynamic.flags_1 & 0x800, 0x800);
        assert_eq!(dynamic.array.get(Tag::DEBUG), Some(0));
        assert_eq!((elf.executable_stack, elf.header.os_abi), (Some(true), 3));
        assert!(
            !contains(&after, sample::PLAIN_NEEDED) && !contains(&after, "/old/path"),
            "{sample:?}\n{plan}"
        );
        let (_, again) = edit(&after, &request).unwrap();
        assert!(again.is_noop(), "{sample:?}\n{again}");
    }
}

#[test]
fn an_edit_with_nothing_to_do_writes_nothing() {
    for sample in Sample::variety() {
        let bytes = sample.build();
        let keep = RunPathRequest {
            edit: RunPathEdit::Keep,
            kind: None,
        };
        let rows = [
            Request::default(),
            Request {
                run_path: Some(keep),
                ..Request::default()
            },
            Request {
                needed: vec![NeededEdit::Append(sample::NEEDED.to_owned())],
                ..Request::default()
            },
            Request {
                needed: vec![NeededEdit::Remove("libabsent.so".to_owned())],
                ..Request::default()
            },
            Request {
                executable_stack: Some(false),
                os_abi: Some(0),
                heal: true,
                ..Request::default()
            },
        ];
        for request in rows {
            let (after, plan) = edit(&bytes, &request).unwrap();
            assert!(
                plan.is_noop() && after == bytes,
                "{sample:?} {request:?}\n{plan}"
            );
        }
    }
}

#[test]
fn the_kind_of_a_search_path_is_kept_unless_it_is_forced() {
    for (old, kind, want) in [
        (None, None, Tag::RUNPATH),
        (None, Some(RunPathKind::Rpath), Tag::RPATH),
        (Some(Tag::RPATH), None, Tag::RPATH),
        (Some(Tag::RUNPATH), None, Tag::RUNPATH),
        (Some(Tag::RPATH), Some(RunPathKind::Runpath), Tag::RUNPATH),
        (Some(Tag::RUNPATH), Some(RunPathKind::Rpath), Tag::RPATH),
    ] {
        let sample = Sample {
            run_path: old.map(|tag| (tag, "/old/path")),
            ..Sample::default()
        };
        let edits = [
            RunPathEdit::Set("/new".to_owned()),
            RunPathEdit::Append("/more".to_owned()),
            RunPathEdit::Keep,
        ];
        let paths = match old {
            Some(_) => ["/new", "/old/path:/more", "/old/path"],
            None => ["/new", "/more", ""],
        };
        for (edit_, path) in edits.into_iter().zip(paths) {
            let request = Request {
                run_path: Some(RunPathRequest { edit: edit_, kind }),
                ..Request::default()
            };
            let after = dynamic(&edited(&sample.build(), &request));
            let path = path.to_owned();
            let want = match want {
                _ if path.is_empty() => RunPath::None,
                Tag::RPATH => RunPath::Rpath { path },
                _ => RunPath::Runpath { path },
            };
            assert_eq!(after.run_path, want);
        }
    }
}

#[test]
fn a_removed_search_path_leaves_no_trace() {
    for sample in Sample::variety() {
        let Some((_, path)) = sample.run_path else {
            continue;
        };
        let remove = RunPathRequest {
            edit: RunPathEdit::Remove,
            kind: None,
        };
        let (after, plan) = edit(
            &sample.build(),
            &Request {
                run_path: Some(remove),
                ..Request::default()
            },
        )
        .unwrap();
        assert_eq!(dynamic(&after).run_path, RunPath::None);
        assert!(!contains(&after, path), "{plan}");
        assert_eq!(plan.new_len, plan.old_len, "the strings fit where they are");
    }
}

#[test]
fn versions_of_a_removed_library_go_with_it() {
    let remove = Request {
        needed: vec![NeededEdit::Remove(sample::NEEDED.to_owned())],
        ..Request::default()
    };
    for sample in Sample::variety() {
        let (after, plan) = edit(&sample.build(), &remove).unwrap();
        let dynamic = dynamic(&after);
        assert_eq!(dynamic.needed, [sample::PLAIN_NEEDED]);
        assert_eq!(dynamic.version_needs, []);
        assert!(!contains(&after, sample::VERSION), "{plan}");
        let symbols = Elf::read(&after).unwrap().symbols(&after).unwrap();
        let printf = symbols
            .iter()
            .find(|symbol| symbol.name == sample::UNDEFINED.as_bytes())
            .unwrap();
        assert_eq!(printf.version.map(|version| version.0), Some(1));
    }
}

#[test]
fn renamed_symbols_are_found_under_their_new_names() {
    let pairs = [
        ("sample_one", "other_name_of_one"),
        ("sample_four", "z"),
        ("printf", "my_printf"),
    ];
    let names = pairs
        .iter()
        .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
        .collect();
    let request = Request {
        rename_symbols: names,
        ..Request::default()
    };
    for sample in Sample::variety() {
        let (after, plan) = edit(&sample.build(), &request).unwrap();
        let symbols = Elf::read(&after).unwrap().symbols(&after).unwrap();
        for name in ["other_name_of_one", "sample_two", "sample_three", "z"] {
            assert_eq!(
                symbols
                    .lookup(&crate::HashedName::new(name.as_bytes()))
                    .count(),
                1,
                "{name}\n{plan}"
            );
        }
        assert!(!contains(&after, "sample_one") && !contains(&after, "sample_four"));
        let printf = symbols
            .iter()
            .find(|symbol| symbol.name == b"my_printf")
            .unwrap();
        assert_eq!(symbols.version(&printf).unwrap().name, sample::VERSION);
    }
    let taken = [("sample_one".to_owned(), "sample_two".to_owned())].into();
    let request = Request {
        rename_symbols: taken,
        ..Request::default()
    };
    let error = edit(&Sample::default().build(), &request).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a symbol cannot be renamed to `sample_two`: there is one of this name"
    );
}

#[test]
fn a_cleared_version_leaves_the_symbol() {
    let clear_symbol_versions = [sample::UNDEFINED.to_owned()].into();
    let request = Request {
        clear_symbol_versions,
        ..Request::default()
    };
    let bytes = edited(&Sample::default().build(), &request);
    let symbols = Elf::read(&bytes).unwrap().symbols(&bytes).unwrap();
    let printf = symbols
        .iter()
        .find(|symbol| symbol.name == sample::UNDEFINED.as_bytes())
        .unwrap();
    assert_eq!(symbols.version(&printf), None);
}

#[test]
fn symbols_follow_their_sections() {
    for sample in Sample::variety()
        .into_iter()
        .filter(|sample| sample.sections)
    {
        let mut request = run_path(400, 'a');
        request.needed = add(&(0..12)
            .map(|number| format!("lib{number}.so"))
            .collect::<Vec<_>>())
        .needed;
        let before = sample.build();
        let old_dynamic = Elf::read(&before)
            .unwrap()
            .program_header(SegmentKind::DYNAMIC)
            .unwrap()
            .vaddr;
        let (after, plan) = edit(&before, &request).unwrap();
        let elf = Elf::read(&after).unwrap();
        let theirs = Goblin::parse(&after).unwrap();
        let note = elf.program_header(SegmentKind::NOTE).unwrap().vaddr;
        let symbols: Vec<_> = theirs.syms.iter().collect();
        assert_eq!(symbols[1].st_value, note, "{sample:?}\n{plan}");
        assert_eq!(
            symbols[2].st_value, old_dynamic,
            "`_DYNAMIC` is where code looks for it"
        );
        let section = &elf.sections[symbols[2].st_shndx];
        assert!(section.vaddr <= old_dynamic && old_dynamic < section.memory_end());
        assert_eq!(
            elf.sections
                .iter()
                .filter(|section| section.kind == SHT_SYMTAB)
                .count(),
            1
        );
        let retired = elf
            .sections
            .iter()
            .find(|section| section.name == "dynamic")
            .expect("twelve do not fit");
        assert_eq!(retired.vaddr, old_dynamic);
        assert!(plan.warnings.len() <= 2 && !plan.warnings.is_empty());
    }
}

#[test]
fn code_behind_the_program_headers_stays() {
    let sample = Sample {
        behind: Behind::Code,
        ..Sample::default()
    };
    let (after, plan) = edit(&sample.build(), &run_path(400, 'a')).unwrap();
    let elf = Elf::read(&after).unwrap();
    assert!(elf.header.program_headers_offset > plan.old_len, "{plan}");
    let warnings: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["the program headers are at the end of the file now: do not strip it"]
    );
    // From then on there is room.
    let (_, plan) = edit(&after, &run_path(500, 'b')).unwrap();
    assert_eq!(plan.new_len - plan.old_len, 100, "{plan}");
}

#[test]
fn a_claimed_alignment_does_not_make_the_file_long() {
    for sample in Sample::variety()
        .into_iter()
        .filter(|sample| sample.sections)
    {
        let bytes = sample.build();
        let elf = Elf::read(&bytes).unwrap();
        let word_len = elf.header.encoding.word_len();
        let header_len = elf.header.encoding.section_header_len();
        for index in 1..elf.sections.len() {
            let mut damaged = bytes.clone();
            let table = usize::try_from(elf.header.section_headers_offset).unwrap();
            // `sh_addralign` is the last word but one.
            let at = table + (index + 1) * header_len - 2 * word_len;
            damaged[at..at + word_len].fill(0);
            damaged[at + word_len / 2] = 0x80;
            let elf = Elf::read(&damaged).unwrap();
            if let Ok(plan) = Plan::new(&damaged, &elf, &run_path(400, 'a')) {
                assert!(
                    plan.new_len < bytes.len() as u64 + (1 << 20),
                    "{sample:?}\n{plan}"
                );
            }
        }
    }
}

/// Edits that all need the end of the file, so that what came before does not matter.
fn long_paths() -> impl Strategy<Value = (usize, usize)> {
    (200..600_usize, 200..600_usize)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn only_the_last_of_two_edits_counts((first, second) in long_paths(), number in 0..32_usize) {
        let bytes = Sample::variety()[number].build();
        let (a, b) = (run_path(first, 'a'), run_path(second, 'b'));
        let direct = edited(&bytes, &b);
        prop_assert_eq!(&edited(&edited(&bytes, &a), &b), &direct);
        prop_assert!(edit(&direct, &b).unwrap().1.is_noop());
        prop_assert_eq!(edited(&edited(&direct, &a), &b), direct);
    }

    #[test]
    fn only_the_last_of_two_interpreters_counts((first, second) in long_paths(), rpath in any::<bool>(), number in 0..32_usize) {
        let sample = Sample { program: true, ..Sample::variety()[number].clone() };
        let bytes = sample.build();
        let request = |len, letter| {
            let interpreter = Some(format!("/{}", "i".repeat(len)));
            let run_path = rpath.then(|| run_path(700 - len, letter).run_path.unwrap());
            Request { run_path, interpreter, ..Request::default() }
        };
        let (a, b) = (request(first, 'a'), request(second, 'b'));
        let direct = edited(&bytes, &b);
        prop_assert_eq!(edited(&edited(&bytes, &a), &b), direct);
    }

    #[test]
    fn short_and_long_edits_in_any_order_keep_the_file_right(
        edits in prop::collection::vec((0..4_u8, 1..300_usize), 1..6),
        number in 0..32_usize,
    ) {
        let mut bytes = Sample::variety()[number].build();
        for (kind, len) in edits {
            let request = match kind {
                0 => run_path(len + 1, 'p'),
                1 => Request { soname: Some("s".repeat(len)), ..Request::default() },
                2 => add(&(0..len / 20).map(|number| format!("lib{number}-{len}.so")).collect::<Vec<_>>()),
                _ => Request { run_path: Some(RunPathRequest { edit: RunPathEdit::Remove, kind: None }), ..Request::default() },
            };
            let after = edited(&bytes, &request);
            prop_assert!(edit(&after, &request).unwrap().1.is_noop());
            prop_assert_eq!(Goblin::parse(&after).unwrap().libraries, dynamic(&after).needed);
            bytes = after;
        }
    }

    #[test]
    fn damaged_files_are_refused_or_edited_correctly(place in any::<prop::sample::Index>(), value in prop::num::u8::ANY, number in 0..32_usize) {
        let mut bytes = Sample::variety()[number].build();
        let place = place.index(bytes.len());
        bytes[place] = value;
        if let Ok(elf) = Elf::read(&bytes) {
            verify(&bytes).ok();
            if let Ok(plan) = Plan::new(&bytes, &elf, &run_path(300, 'a')) {
                plan.check(&bytes).ok();
            }
        }
    }
}

#[test]
fn no_byte_of_the_tables_makes_the_editor_panic() {
    for (sample, shift) in Sample::variety().into_iter().zip((0..5).cycle()) {
        let bytes = sample.build();
        for place in (shift..bytes.len()).step_by(23) {
            for value in [0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[place] = value;
                let Ok(elf) = Elf::read(&damaged) else {
                    continue;
                };
                if let Ok(plan) = Plan::new(&damaged, &elf, &run_path(300, 'a')) {
                    plan.check(&damaged).ok();
                }
            }
        }
    }
}

#[test]
fn an_alignment_that_is_no_power_of_two_is_mended() {
    let mut bytes = Sample::default().build();
    let sound = edited(&bytes, &run_path(9, 'a'));
    bytes[64 + 48] = 1;
    let (kept, plan) = edit(&bytes, &run_path(9, 'a')).unwrap();
    assert_eq!(plan.warnings, [Warning::LoadMisaligned]);
    let heal = Request {
        heal: true,
        ..Request::default()
    };
    let healed = edited(&kept, &heal);
    assert!(healed == sound, "only the alignment is another");
    assert!(edit(&healed, &heal).unwrap().1.is_noop());
}

#[test]
fn what_cannot_be_edited_is_refused_with_the_reason() {
    let bytes = Sample::default().build();
    let set = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        bytes
    };
    let interpreter = Request {
        interpreter: Some("/ld.so".to_owned()),
        ..Request::default()
    };
    let nul = Request::set_run_path("/a\0b");
    let empty = Request {
        soname: Some(String::new()),
        ..Request::default()
    };
    let rows = [
        (bytes.clone(), interpreter, "the file has no PT_INTERP"),
        (bytes.clone(), nul, "search path contains a NUL: `/a\\0b`"),
        (bytes.clone(), empty, "soname is empty"),
        (
            set(16, 1),
            run_path(9, 'a'),
            "e_type at 0x10: expected a program or a shared library, got: `relocatable`",
        ),
        (
            set(16, 4),
            run_path(9, 'a'),
            "e_type at 0x10: expected a program or a shared library, got: `core`",
        ),
        (
            set(18, 8),
            run_path(400, 'a'),
            "files for machine 8 are read, but not edited",
        ),
        (
            set(64 + 56 + 8, 8),
            run_path(9, 'a'),
            "PT_LOAD 1: offset 0x308 and address 0x1390 do not agree with the alignment 0x1000",
        ),
    ];
    for (bytes, request, want) in rows {
        assert_eq!(edit(&bytes, &request).unwrap_err().to_string(), want);
    }
}
