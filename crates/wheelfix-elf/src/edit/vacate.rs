//! A segment that an earlier edit made, which something now follows in the file: `strip` puts its headers there. All that
//! is in it moves on to the new segment, which takes its program header, so that neither headers nor dead segments pile up.

use crate::edit::displace::movable_tag;
use crate::edit::lay::Item;
use crate::edit::model::Model;
use crate::program_header::{PF_R, ProgramHeader, SegmentKind};

/// A segment that is given up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Vacated {
    /// Number of its program header.
    pub(crate) load: usize,
    /// The tables in it, without the strings and the interpreter's name.
    pub(crate) tables: Vec<Item>,
    /// Whether the interpreter's name is in it.
    pub(crate) interpreter: bool,
}

impl Vacated {
    /// Finds the segment of the strings, if all that is in it can move.
    pub(crate) fn find(model: &Model<'_>) -> Option<Self> {
        let strings = model.strings_section()?;
        let interpreter = model.interpreter_section();
        let vaddr = model.strings.vaddr;
        let holds = |load: &ProgramHeader| {
            load.is_load() && load.vaddr <= vaddr && vaddr < load.memory_end()
        };
        let load = model.program_headers.iter().position(holds)?;
        let header = model.program_headers.get(load)?;
        let table = model.program_headers_offset;
        if header.flags != PF_R || header.offset <= table && table < header.file_end() {
            return None;
        }
        let mut vacated = Self {
            load,
            tables: Vec::new(),
            interpreter: false,
        };
        for (section, index) in model.sections.iter().zip(0..) {
            let apart =
                section.memory_end() <= header.vaddr || header.memory_end() <= section.vaddr;
            if !section.is_alloc() || section.len == 0 || apart || index == strings {
                continue;
            }
            if Some(index) == interpreter {
                vacated.interpreter = true;
            } else {
                vacated
                    .tables
                    .push(Item::Table(index, movable_tag(model, index)?));
            }
        }
        // Nothing else may be in there, such as notes.
        let alone = model.program_headers.iter().all(|other| {
            let apart = other.memory_end() <= header.vaddr || header.memory_end() <= other.vaddr;
            other.is_load() || apart || other.kind == SegmentKind::INTERP || other.memory_len == 0
        });
        alone.then_some(vacated)
    }

    /// Takes the interpreter's name along, if it is in the segment and is not changed anyway. Returns whether it has to.
    pub(crate) fn keep_interpreter(&self, model: &mut Model<'_>) -> bool {
        let path = model
            .elf
            .interpreter
            .iter()
            .flat_map(|path| path.bytes())
            .chain([0]);
        if self.interpreter && model.interpreter.is_none() {
            model.interpreter = Some(path.collect());
        }
        self.interpreter
    }
}
