//! What holds for any bytes whatever: the bodies of the fuzz targets, which tests run too.

use std::cell::Cell;
use std::io;

use crate::elf::Elf;
use crate::hash::HashedName;
use crate::source::Source;

/// Reading may look at a part of the file more than once, but not without end.
const MOST_READS_OF_A_BYTE: u64 = 64;

/// A source that panics when a reader believes the sizes that a file claims.
struct Meter<'a> {
    bytes: &'a [u8],
    read_len: Cell<u64>,
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
    let meter = Meter {
        bytes,
        read_len: Cell::new(0),
    };
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
