//! Code that is run on load and on unload: `call_init` of glibc's `elf/dl-init.c`, `_dl_fini`.

use crate::load::Loading;
use crate::load::dynamic::Linking;
use crate::load::refusal::{Condition, Refusal};
use crate::load::relocations::Relocated;
use crate::machine::Machine;
use crate::read::dynamic_tag::Tag;
use crate::read::header::ObjectType;
use crate::read::image::Image;
use crate::read::symbol::{Symbol, SymbolKind};
use crate::read::symbol_table::SymbolTable;

/// Machines where the address of a function is that of its code, and `DT_INIT` is run.
pub(crate) const PLAIN: [Machine; 4] = [
    Machine::X86_64,
    Machine::X86,
    Machine::AARCH64,
    Machine::ARM,
];

/// Checks that what is run is code.
pub(crate) fn check(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
    relocated: &Relocated,
    table: &SymbolTable,
) -> Result<(), Refusal> {
    if !PLAIN.contains(&linking.machine) {
        return Ok(());
    }
    for tag in [Tag::INIT, Tag::FINI] {
        if let Some(at) = linking.get(tag)
            && !image.is_code(at)
        {
            return Err(no_code(&format!("its {tag}, at {at:#x},")));
        }
    }
    let is_fixed = loading.elf.header.object_type == ObjectType::Executable;
    for (tag, len_tag) in [
        (Tag::INIT_ARRAY, Tag::INIT_ARRAYSZ),
        (Tag::FINI_ARRAY, Tag::FINI_ARRAYSZ),
    ] {
        if let (Some(start), Some(len)) = (linking.get(tag), linking.get(len_tag))
            && !is_fixed
        {
            check_list(loading, image, linking, relocated, (tag, start, len))?;
        }
    }
    let is_function = |symbol: &Symbol<'_>| symbol.kind == SymbolKind::FUNC && symbol.is_exported();
    let mut functions = table.iter().filter(is_function).peekable();
    if functions.peek().is_some() && !functions.any(|symbol| image.is_code(symbol.value)) {
        return Err(no_code("none of the functions that it defines"));
    }
    Ok(())
}

fn check_list(
    loading: &Loading<'_>,
    image: &Image,
    linking: &Linking<'_>,
    relocated: &Relocated,
    (tag, start, len): (Tag, u64, u64),
) -> Result<(), Refusal> {
    let word = linking.encoding.word_len() as u64;
    let len = len - len % word;
    let bytes = (len <= loading.elf.file_len)
        .then(|| image.read(loading.source, start, len))
        .flatten();
    let Some(bytes) = bytes else {
        let text = format!("its {tag}, {len:#x} bytes at {start:#x}, is not in memory");
        return Err(Refusal::new(Condition::DynamicEntries, text));
    };
    let places = (0..).map(|index| start + index * word);
    for (bytes, place) in bytes
        .chunks_exact(usize::try_from(word).unwrap_or(8))
        .zip(places)
    {
        let known = relocated.functions.get(&place);
        let is_code = match known {
            // The address of a symbol, which may be anywhere.
            Some(None) => true,
            Some(Some(address)) => image.is_code(*address),
            None => false,
        };
        if !is_code {
            let value = linking.encoding.word_at(bytes, 0).unwrap_or_default();
            let at = known.copied().flatten().unwrap_or(value);
            return Err(no_code(&format!("the function {at:#x} in its {tag}")));
        }
    }
    Ok(())
}

fn no_code(what: &str) -> Refusal {
    let text = format!("cannot run its code: {what} is not in memory that can be run");
    Refusal::new(Condition::Code, text)
}
