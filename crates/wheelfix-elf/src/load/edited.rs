//! The same demands on a file that was edited, without going through millions of relocations again that are the same.

use std::ops::Range;

use crate::error::ReadError;
use crate::load::dynamic::Linking;
use crate::load::refusal::Refusal;
use crate::load::{LoaderKind, Loading, any_refusal, check_tables, refusal, segments};
use crate::read::dynamic_tag::Tag;
use crate::read::elf::Elf;
use crate::source::Source;

/// A file before and after an edit.
pub(crate) struct Edited<'a> {
    pub(crate) old: &'a Elf,
    pub(crate) new: &'a Elf,
    /// The bytes of the new one.
    pub(crate) source: &'a dyn Source,
    /// Where these may be others than the old one has there; file offsets.
    pub(crate) touched: &'a [Range<u64>],
}

/// Entries that say what is relocated, and by what.
const RELOCATION: [Tag; 20] = [
    Tag::RELA,
    Tag::RELASZ,
    Tag::REL,
    Tag::RELSZ,
    Tag::RELR,
    Tag::RELRSZ,
    Tag::JMPREL,
    Tag::PLTRELSZ,
    Tag::PLTREL,
    Tag::INIT,
    Tag::FINI,
    Tag::INIT_ARRAY,
    Tag::INIT_ARRAYSZ,
    Tag::FINI_ARRAY,
    Tag::FINI_ARRAYSZ,
    Tag::TEXTREL,
    Tag::FLAGS,
    Tag::SYMTAB,
    Tag::VERSYM,
    Tag::HASH,
];

/// Tables with their lengths.
const TABLES: [(Tag, Tag); 6] = [
    (Tag::RELA, Tag::RELASZ),
    (Tag::REL, Tag::RELSZ),
    (Tag::RELR, Tag::RELRSZ),
    (Tag::JMPREL, Tag::PLTRELSZ),
    (Tag::INIT_ARRAY, Tag::INIT_ARRAYSZ),
    (Tag::FINI_ARRAY, Tag::FINI_ARRAYSZ),
];

/// Whatever a loader does not like about the new file. `None` if it takes it, or if it relocates it as the old one.
pub(crate) fn refusal_of_edited(
    edited: &Edited<'_>,
    loader: LoaderKind,
) -> Result<Option<Refusal>, ReadError> {
    let &Edited { new, source, .. } = edited;
    if !is_relocated_alike(edited, loader) {
        return any_refusal(new, source, loader);
    }
    let alone = refusal(new, source, loader);
    Ok(alone.or_else(|| {
        let elf = new;
        let loading = Loading {
            elf,
            source,
            loader,
        };
        let image = segments::map(&loading).ok()?;
        check_tables(&loading, &image, &Linking::of(elf)?).err()
    }))
}

/// Whether the old file's memory and relocations are there in the new one.
fn is_relocated_alike(edited: &Edited<'_>, loader: LoaderKind) -> bool {
    let image = |elf| {
        let source = edited.source;
        segments::map(&Loading {
            elf,
            source,
            loader,
        })
    };
    let (Ok(before), Ok(after)) = (image(edited.old), image(edited.new)) else {
        return false;
    };
    let (Some(old), Some(new)) = (Linking::of(edited.old), Linking::of(edited.new)) else {
        return false;
    };
    let is_same = RELOCATION.iter().all(|tag| old.get(*tag) == new.get(*tag));
    let relative = [Tag::RELACOUNT, Tag::RELCOUNT];
    let is_counted = |tag: &Tag| new.get(*tag).is_none() || old.get(*tag) == new.get(*tag);
    if !is_same || !relative.iter().all(is_counted) || !after.keeps(&before) {
        return false;
    }
    let mut tables: Vec<(u64, u64)> = TABLES
        .iter()
        .filter_map(|(tag, len)| Some((new.get(*tag)?, new.get(*len)?)))
        .collect();
    for vaddr in [Tag::SYMTAB, Tag::VERSYM]
        .iter()
        .filter_map(|tag| new.get(*tag))
    {
        let mut sections = edited.new.sections.iter();
        let section = sections.find(|section| section.vaddr == vaddr && section.has_bytes());
        tables.push((vaddr, section.map_or(u64::MAX, |section| section.len)));
    }
    tables.into_iter().all(|(vaddr, len)| {
        let Some((offset, left)) = after.locate(vaddr) else {
            return len == 0;
        };
        let end = offset.saturating_add(len.min(left));
        let is_apart = |range: &Range<u64>| range.end <= offset || end <= range.start;
        edited.touched.iter().all(is_apart)
    })
}

#[cfg(test)]
mod tests {
    use wheelfix_testkit::elf::Tool;

    use super::*;
    use crate::edit::{Data, Plan, Planned, Request, Write};
    use crate::sample::Sample;
    use crate::verify::Rule;

    /// The rules that a plan of one write breaks.
    fn broken(bytes: &[u8], offset: u64, byte: u8) -> (Vec<Rule>, Vec<u8>) {
        let mut plan = Plan::noop(bytes.len() as u64);
        plan.writes.push(Write {
            offset,
            what: "a byte",
            data: Data::Bytes(vec![byte]),
        });
        let checked = plan.check(&bytes).unwrap();
        let rules = checked.new.iter().map(|violation| violation.rule);
        let after = Planned::new(&bytes, &plan).to_bytes().unwrap();
        (rules.collect(), after)
    }

    #[test]
    fn what_no_loader_would_take_any_more_is_not_planned() {
        let bytes = Sample::default().build();
        let elf = Elf::read(&bytes).unwrap();
        for loader in [LoaderKind::Glibc, LoaderKind::Musl] {
            assert_eq!(any_refusal(&elf, &bytes, loader).unwrap(), None);
        }
        let (rules, padded) = broken(&bytes, 9, 1);
        assert_eq!(rules, [Rule::ChangedAdmission]);
        // What was wrong before is not the edit's.
        let elf = Elf::read(&padded).unwrap();
        let plan = Plan::new(&padded, &elf, &Request::set_run_path("/a/b/c")).unwrap();
        assert!(plan.check(&padded).unwrap().new.is_empty());
    }

    #[test]
    fn relocations_are_gone_through_where_they_were_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let source = "static int data; int *pointer = &data;\n";
        fs_err::write(dir.path().join("x.c"), source).unwrap();
        let args = ["-shared", "-fPIC", "-nostdlib", "-o", "x.so", "x.c"];
        Tool::CC.run_in(dir.path(), &args).expect();
        let bytes = fs_err::read(dir.path().join("x.so")).unwrap();
        let elf = Elf::read(&bytes).unwrap();
        let linking = Linking::of(&elf).unwrap();
        let vaddr = linking.get(Tag::RELA).unwrap();
        let offset = elf.image().place("DT_RELA", vaddr, 24).unwrap();
        // The type is the lowest byte of the second word.
        let (rules, _) = broken(&bytes, offset + 8, 0xee);
        assert_eq!(rules, [Rule::ChangedAdmission; 2], "for each loader");
    }
}
