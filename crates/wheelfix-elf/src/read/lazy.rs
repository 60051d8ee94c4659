//! Functions that the loader looks up when they are called, and not before.

use std::collections::BTreeSet;

use crate::encoding::Class;
use crate::error::ReadError;
use crate::read::dynamic_tag::{Tag, flags, flags_1};
use crate::read::elf::{Dynamic, Elf};
use crate::read::window::read_range;
use crate::source::Source;

/// A table of relocations: its address, its length in bytes, and how many words an entry has.
type Table = (u64, u64, usize);

impl Elf {
    /// The numbers of the dynamic symbols that nothing but calls through the PLT refers to. Empty if
    /// the file asks to be bound on load, by `DT_BIND_NOW`, `DF_BIND_NOW` or `DF_1_NOW`.
    ///
    /// Whoever opens the file with `RTLD_NOW` has them looked up at once all the same.
    pub fn lazily_bound<S: Source + ?Sized>(&self, source: &S) -> Result<BTreeSet<u32>, ReadError> {
        let jump_slot = self
            .header
            .machine
            .facts()
            .and_then(|facts| facts.jump_slot);
        let (Some(dynamic), Some(jump_slot)) = (&self.dynamic, jump_slot) else {
            return Ok(BTreeSet::new());
        };
        let Some(plt) = plt(dynamic).filter(|_| !is_bound_on_load(dynamic)) else {
            return Ok(BTreeSet::new());
        };
        let (mut called, mut eager) = (BTreeSet::new(), BTreeSet::new());
        self.relocations(&source, plt, &mut |_, symbol, kind| {
            let symbols = if kind == jump_slot {
                &mut called
            } else {
                &mut eager
            };
            symbols.insert(symbol);
        })?;
        let (start, len, _) = plt;
        for table in others(dynamic) {
            self.relocations(&source, table, &mut |address, symbol, _| {
                // Some linkers count the relocations for the PLT among the others.
                if !(start..start.saturating_add(len)).contains(&address) {
                    eager.insert(symbol);
                }
            })?;
        }
        called.retain(|symbol| !eager.contains(symbol));
        Ok(called)
    }

    /// Reports the address, the symbol and the kind of each relocation of a table.
    fn relocations(
        &self,
        source: &dyn Source,
        (address, len, words): Table,
        report: &mut dyn FnMut(u64, u32, u64),
    ) -> Result<(), ReadError> {
        let encoding = self.header.encoding;
        let shift = match encoding.class {
            Class::Elf32 => 8,
            Class::Elf64 => 32,
        };
        let offset = self.image().place("relocations", address, len)?;
        let bytes = read_range(source, "relocations", offset, len)?;
        let entry_len = words * encoding.word_len();
        for (entry, at) in bytes.chunks_exact(entry_len).zip((0..).step_by(entry_len)) {
            let info = encoding.word_at(entry, encoding.word_len());
            let info = info.unwrap_or_default();
            let symbol = u32::try_from(info >> shift).unwrap_or_default();
            report(
                address.saturating_add(at),
                symbol,
                info & ((1 << shift) - 1),
            );
        }
        Ok(())
    }
}

fn is_bound_on_load(dynamic: &Dynamic) -> bool {
    dynamic.array.get(Tag::BIND_NOW).is_some()
        || dynamic.flags & flags::BIND_NOW != 0
        || dynamic.flags_1 & flags_1::NOW != 0
}

/// The relocations for the PLT.
fn plt(dynamic: &Dynamic) -> Option<Table> {
    let array = &dynamic.array;
    let with_addends = array.get(Tag::PLTREL) == Some(Tag::RELA.0.cast_unsigned());
    let words = if with_addends { 3 } else { 2 };
    Some((array.get(Tag::JMPREL)?, array.get(Tag::PLTRELSZ)?, words))
}

/// The other relocations that name symbols.
fn others(dynamic: &Dynamic) -> Vec<Table> {
    let array = &dynamic.array;
    let tables = [(Tag::RELA, Tag::RELASZ, 3), (Tag::REL, Tag::RELSZ, 2)];
    let tables = tables.into_iter().filter_map(|(tag, len, words)| {
        let table = (array.get(tag)?, array.get(len)?, words);
        Some(table)
    });
    tables.collect()
}

#[cfg(test)]
mod tests {
    use wheelfix_testkit::elf::Tool;

    use crate::{Elf, FileSource};

    /// The names that are bound lazily in a library of this source.
    fn lazy(source: &str, flags: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join("x.c"), source).unwrap();
        let start = ["-shared", "-fPIC", "-nostdlib", "-o", "x.so", "x.c"];
        Tool::CC
            .run_in(dir.path(), &[&start, flags].concat())
            .expect();
        let file = FileSource::open(&dir.path().join("x.so")).unwrap();
        let elf = Elf::read(&file).unwrap();
        let symbols = elf.symbols(&file).unwrap();
        let numbers = elf.lazily_bound(&file).unwrap();
        let names = numbers.into_iter().map(|number| {
            let name = symbols.get(number).unwrap().name;
            String::from_utf8(name.to_vec()).unwrap()
        });
        names.collect()
    }

    #[test]
    fn what_is_only_called_is_bound_lazily() {
        let calls = "void f(void); void g(void); void u(void) { f(); g(); }";
        assert_eq!(lazy(calls, &["-Wl,-z,lazy"]), ["f", "g"]);
        assert!(lazy(calls, &["-Wl,-z,now"]).is_empty());
        let takes = "void f(void); void *p = f; void g(void); void u(void) { f(); g(); }";
        assert_eq!(lazy(takes, &["-Wl,-z,lazy"]), ["g"]);
        let data = "extern int d; int u(void) { return d; }";
        assert!(lazy(data, &["-Wl,-z,lazy"]).is_empty());
    }
}
