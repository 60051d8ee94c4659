//! Readers of all that the dynamic loader reads of an ELF file.

pub(crate) mod dynamic;
pub mod dynamic_tag;
pub(crate) mod elf;
pub(crate) mod hash;
pub(crate) mod header;
pub(crate) mod image;
pub(crate) mod lazy;
pub(crate) mod mapping;
pub(crate) mod minimum_versions;
pub(crate) mod notes;
pub mod program_header;
pub mod section_header;
pub mod symbol;
pub(crate) mod symbol_table;
pub(crate) mod text_scan;
pub(crate) mod versions;
pub(crate) mod window;

#[cfg(test)]
mod elf_tests;
