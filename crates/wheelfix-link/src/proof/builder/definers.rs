//! The objects of an output that define a symbol.

use std::path::Path;

use wheelfix_elf::{HashedName, WantedVersion};
use wheelfix_loader::{SymbolTables, Undefined};

use crate::proof::simulation::Simulation;

/// All objects of an output with their symbols.
pub(super) struct Definers<'a> {
    pub(super) simulations: &'a [Simulation<'a>],
    pub(super) tables: &'a SymbolTables,
}

impl Definers<'_> {
    /// Final paths of the objects that define a symbol.
    pub(super) fn of(&self, symbol: &Undefined) -> impl Iterator<Item = &Path> {
        let name = HashedName::new(&symbol.name);
        let version = symbol.version.as_deref();
        let wanted = version.map(|name| WantedVersion {
            name,
            hidden: false,
        });
        let has = move |simulation: &&Simulation<'_>| {
            let table = simulation.key().and_then(|key| self.tables.get(key));
            table.is_some_and(|table| table.definition(&name, wanted).is_some())
        };
        let simulations = self.simulations.iter().filter(has);
        simulations.map(|simulation| simulation.object.path.as_path())
    }
}
