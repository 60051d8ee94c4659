//! The tables of versions: `_dl_check_map_versions` of glibc's `elf/dl-version.c`, as far as it depends on the file alone.

use std::collections::BTreeSet;
use std::fmt;

use crate::encoding::Fields;
use crate::load::dynamic::Linking;
use crate::load::refusal::{Condition, Refusal};
use crate::load::{LoaderKind, Loading};
use crate::read::dynamic_tag::Tag;
use crate::read::hash::sysv_hash;
use crate::read::image::Image;

/// More structures than any real file has.
const MOST_RECORDS: usize = 1 << 17;

/// Checks the versions: the numbers by which symbols may refer to them. Empty without any.
pub(crate) fn check(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
) -> Result<BTreeSet<u16>, Refusal> {
    let mut numbers = BTreeSet::new();
    if loading.loader == LoaderKind::Musl {
        return Ok(numbers);
    }
    if let Some(vaddr) = linking.get(Tag::VERNEED) {
        check_needs(loading, image, linking, vaddr, &mut numbers)?;
    }
    if let Some(vaddr) = linking.get(Tag::VERDEF) {
        check_definitions(loading, image, linking, vaddr, &mut numbers)?;
    }
    if !numbers.is_empty() && linking.get(Tag::VERSYM).is_none() {
        let text = format!("has versions, but no {}", Tag::VERSYM);
        return Err(Refusal::new(Condition::Versions, text));
    }
    check_packed(loading, linking)?;
    Ok(numbers)
}

/// A structure at an address.
fn record<const WORDS: usize>(
    loading: &Loading<'_>,
    image: &Image,
    vaddr: u64,
    what: &str,
) -> Result<Vec<u8>, Refusal> {
    let len = 4 * WORDS as u64;
    let bytes = image.read(loading.source, vaddr, len);
    bytes.ok_or_else(|| {
        let text = format!("its {what} at {vaddr:#x} is not in memory");
        Refusal::new(Condition::Versions, text)
    })
}

fn unsupported(what: &str, version: u16) -> Refusal {
    let text = format!("its {what} has the version {version}, which must be 1");
    Refusal::new(Condition::Versions, text)
}

/// The loader follows the list and does not look at the number of its entries.
fn miscounted(what: &str, got: impl fmt::Display, count: u64) -> Refusal {
    let text = format!("its list of {what} has {got} entries, where {count} should be");
    Refusal::new(Condition::Versions, text)
}

fn endless(what: &str) -> Refusal {
    Refusal::new(
        Condition::Versions,
        format!("its list of {what} does not end"),
    )
}

/// Adds the numbers of the versions that are needed.
fn check_needs(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
    first: u64,
    numbers: &mut BTreeSet<u16>,
) -> Result<(), Refusal> {
    let mut at = first;
    let (mut needs, mut records) = (0_u64, 0);
    loop {
        let bytes = record::<4>(loading, image, at, "Verneed")?;
        let mut fields = Fields::new(linking.encoding, &bytes);
        let head = (|| {
            Some((
                fields.u16()?,
                fields.u16()?,
                fields.u32()?,
                fields.u32()?,
                fields.u32()?,
            ))
        })();
        let (version, count, _, aux, next) = head.unwrap_or_default();
        needs += 1;
        if version != 1 && at == first {
            return Err(unsupported("first Verneed", version));
        }
        let before = records;
        let mut aux_at = Some(at.wrapping_add(aux.into()));
        while let Some(at) = aux_at {
            records += 1;
            if records > MOST_RECORDS {
                return Err(endless("Vernaux"));
            }
            let (number, next) = needed_version(loading, image, linking, at)?;
            numbers.insert(number & 0x7fff);
            aux_at = (next != 0).then(|| at.wrapping_add(next.into()));
        }
        if records - before != usize::from(count) {
            return Err(miscounted("Vernaux", records - before, count.into()));
        }
        if next == 0 {
            break;
        }
        at = at.wrapping_add(next.into());
    }
    let count = linking.get(Tag::VERNEEDNUM).unwrap_or_default();
    if needs != count {
        return Err(miscounted("Verneed", needs, count));
    }
    check_need_hashes(loading)
}

/// The number of a version that is needed, and where the next one lies from there; 0 for the last.
fn needed_version(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
    at: u64,
) -> Result<(u16, u32), Refusal> {
    let bytes = record::<4>(loading, image, at, "Vernaux")?;
    let mut fields = Fields::new(linking.encoding, &bytes);
    let entry = (|| {
        let (_hash, _flags, number) = (fields.u32()?, fields.u16()?, fields.u16()?);
        let (_name, next) = (fields.u32()?, fields.u32()?);
        Some((number, next))
    })();
    Ok(entry.unwrap_or_default())
}

/// A version is looked for by its hash first.
fn check_need_hashes(loading: &Loading<'_>) -> Result<(), Refusal> {
    let needs = loading
        .elf
        .dynamic
        .iter()
        .flat_map(|dynamic| &dynamic.version_needs);
    for need in needs.flat_map(|needs| &needs.versions) {
        let want = sysv_hash(need.name.as_bytes());
        if need.hash != want && !need.weak {
            let text = format!(
                "needs the version `{}` under the hash {:#x}, which is not that of its name: nothing defines it so",
                need.name, need.hash
            );
            return Err(Refusal::new(Condition::Versions, text));
        }
    }
    Ok(())
}

/// Adds the numbers of the versions that are defined.
fn check_definitions(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
    first: u64,
    numbers: &mut BTreeSet<u16>,
) -> Result<(), Refusal> {
    let mut at = first;
    for got in 1..MOST_RECORDS as u64 {
        let bytes = record::<5>(loading, image, at, "Verdef")?;
        let mut fields = Fields::new(linking.encoding, &bytes);
        let head = (|| {
            let numbers = (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
            Some((numbers, fields.u32()?, fields.u32()?, fields.u32()?))
        })();
        let ((_, _, number, _), _, aux, next) = head.unwrap_or_default();
        record::<2>(loading, image, at.wrapping_add(aux.into()), "Verdaux")?;
        numbers.insert(number & 0x7fff);
        if next == 0 {
            let count = linking.get(Tag::VERDEFNUM).unwrap_or_default();
            if got != count {
                return Err(miscounted("Verdef", got, count));
            }
            return Ok(());
        }
        at = at.wrapping_add(next.into());
    }
    Err(endless("Verdef"))
}

/// Packed relocations are an error where a version of glibc is needed that need not know them.
fn check_packed(loading: &Loading<'_>, linking: &Linking<'_>) -> Result<(), Refusal> {
    let dynamic = loading.elf.dynamic.iter();
    let mut of_libc = dynamic
        .flat_map(|dynamic| &dynamic.version_needs)
        .filter(|needs| needs.file.starts_with("libc.so."))
        .peekable();
    if linking.get(Tag::RELR).is_none() || of_libc.peek().is_none() {
        return Ok(());
    }
    let is_known = of_libc
        .flat_map(|needs| &needs.versions)
        .any(|need| need.name == "GLIBC_ABI_DT_RELR");
    let text = format!(
        "has {} and does not need the version `GLIBC_ABI_DT_RELR`",
        Tag::RELR
    );
    is_known
        .then_some(())
        .ok_or_else(|| Refusal::new(Condition::Versions, text))
}
