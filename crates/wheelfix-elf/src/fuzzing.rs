//! Properties that hold for any bytes: the bodies of the fuzz targets, which tests run too.

#![expect(clippy::panic, reason = "a panic is how a check fails")]

use std::cell::Cell;
use std::io;

use crate::edit::{NeededEdit, Plan, Planned, Request, RunPathEdit, RunPathRequest};
use crate::load::{self, LoaderKind};
use crate::read::elf::Elf;
use crate::read::hash::HashedName;
use crate::source::Source;
use crate::verify::Checked;

/// Reading may look at a part of the file more than once, but not without end.
const MOST_READS_OF_A_BYTE: u64 = 64;

/// A source that panics when a reader believes the sizes that a file claims.
struct Meter<'a> {
    bytes: &'a [u8],
    read_len: Cell<u64>,
}

impl<'a> Meter<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let read_len = Cell::new(0);
        Self { bytes, read_len }
    }
}

impl Source for Meter<'_> {
    fn file_len(&self) -> u64 {
        self.bytes.file_len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let file_len = self.bytes.len();
        assert!(
            buffer.len() <= file_len,
            "a buffer of {} bytes for a file of {file_len}",
            buffer.len()
        );
        let read_len = self.read_len.get() + buffer.len() as u64;
        assert!(
            read_len <= MOST_READS_OF_A_BYTE * (self.bytes.file_len() + 4096),
            "{read_len} bytes read of a file of {file_len}"
        );
        self.read_len.set(read_len);
        self.bytes.read_exact_at(buffer, offset)
    }
}

/// Reads everything there is to read; panics if a reader is fooled.
pub fn check_read(bytes: &[u8]) {
    let meter = Meter::new(bytes);
    Elf::read_without_sections(&meter).ok();
    let Ok(elf) = Elf::read(&meter) else {
        return;
    };
    let Ok(symbols) = elf.symbols(&meter) else {
        return;
    };
    assert!(symbols.memory_len() as u64 <= 64 * (elf.file_len + 4096));
    for symbol in symbols.iter().take(4096) {
        symbols.version(&symbol);
        let name = HashedName::new(symbol.name);
        symbols.lookup(&name).take(4096).count();
        symbols.definition(&name, None);
    }
}

/// Checks a file as both loaders do; panics where a sum overflows, or a loader finds more symbols
/// than the file has bytes.
pub fn check_load(bytes: &[u8]) {
    let meter = Meter::new(bytes);
    let Ok(elf) = Elf::read(&meter) else {
        return;
    };
    load::old_glibc_refusal(&elf);
    for loader in [LoaderKind::Glibc, LoaderKind::Musl] {
        if load::refusal(&elf, &meter, loader).is_some() {
            continue;
        }
        let Ok(table) = elf.symbols(&meter) else {
            continue;
        };
        if let Ok(referenced) = load::relocate(&elf, &meter, &table, loader) {
            assert!(referenced.len() as u64 <= elf.file_len);
        }
    }
}

/// Requests that make use of every part of the editor.
fn requests(elf: &Elf) -> Vec<Request> {
    let mut requests = vec![
        Request::set_run_path("/r"),
        Request::set_run_path("/a/search/path/that/is/longer/than/most".repeat(12)),
        Request {
            run_path: Some(RunPathRequest {
                edit: RunPathEdit::Remove,
                kind: None,
            }),
            soname: Some("libnew-name-of-the-library.so.1".to_owned()),
            executable_stack: elf.executable_stack.map(|executable| !executable),
            no_default_lib: true,
            debug_tag: true,
            os_abi: Some(3),
            ..Request::default()
        },
        Request {
            needed: (0..9)
                .map(|number| NeededEdit::Prepend(format!("libadded{number}.so")))
                .collect(),
            heal: true,
            ..Request::default()
        },
    ];
    if elf.interpreter.is_some() {
        requests.push(Request {
            interpreter: Some("/a/loader/with/a/path/longer/than/any".repeat(4)),
            ..Request::default()
        });
    }
    let needed = elf.dynamic.iter().flat_map(|dynamic| &dynamic.needed);
    for (number, name) in needed.take(2).enumerate() {
        let edit = if number == 0 {
            NeededEdit::Replace {
                from: name.clone(),
                to: format!("{name}-and-a-much-longer-name"),
            }
        } else {
            NeededEdit::Remove(name.clone())
        };
        requests.push(Request {
            needed: vec![edit],
            ..Request::default()
        });
    }
    requests
}

/// Plans edits; panics if a plan reaches outside of the file it promises, breaks a rule that the file kept, or asks for
/// more when it is made again.
pub fn check_edit(bytes: &[u8]) {
    let Ok(elf) = Elf::read(bytes) else {
        return;
    };
    for request in requests(&elf) {
        let meter = Meter::new(bytes);
        let Ok(plan) = Plan::new(&meter, &elf, &request) else {
            continue;
        };
        // This is what keeps such a plan from being written.
        match plan.check(&Meter::new(bytes)) {
            Ok(Checked { new, .. }) if new.is_empty() => {}
            _ => continue,
        }
        let edited = written(bytes, &plan);
        let elf = match Elf::read(&edited) {
            Ok(elf) => elf,
            Err(error) => panic!("the edited file cannot be read: {error}: {request:?}"),
        };
        // A table that was damaged before may be in the way of a second edit, which is then refused.
        if let Ok(again) = Plan::new(&edited, &elf, &request) {
            assert!(again.is_noop(), "not done by {request:?}: {again}");
        }
    }
}

/// The bytes after the writes of a plan.
fn written(bytes: &[u8], plan: &Plan) -> Vec<u8> {
    let planned = Planned::new(&bytes, plan);
    // A plan adds its strings and a few tables.
    assert!(
        plan.new_len <= bytes.len() as u64 * 2 + (1 << 20),
        "{} bytes",
        plan.new_len
    );
    let mut edited = vec![0; usize::try_from(plan.new_len).unwrap_or_default()];
    if let Err(error) = planned.read_exact_at(&mut edited, 0) {
        panic!("the plan copies bytes that are not there: {error}");
    }
    edited
}
