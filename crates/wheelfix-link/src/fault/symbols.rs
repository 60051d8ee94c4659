//! The text of faults about symbols that nothing defines.

use std::fmt;

use crate::fault::{BREAK, Fault, NAMED, some_of};

impl Fault {
    pub(super) fn fmt_symbols(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Symbols {
            path,
            opened_by,
            symbols,
            providers: _,
            defined_by,
        }
        | Self::LazySymbols {
            path,
            opened_by,
            symbols,
            providers: _,
            defined_by,
        }) = self
        else {
            return Ok(());
        };
        let is_lazy = matches!(self, Self::LazySymbols { .. });
        let named = symbols
            .iter()
            .take(NAMED)
            .map(|symbol| format!("`{symbol}`"));
        let named = named.collect::<Vec<_>>().join(", ");
        let verb = if is_lazy { "calls" } else { "refers to" };
        write!(
            f,
            "`{}` {verb} what nothing that is loaded with it defines: {named}",
            path.display()
        )?;
        if NAMED < symbols.len() {
            write!(f, " and {} more", symbols.len() - NAMED)?;
        }
        if is_lazy {
            write!(
                f,
                "{BREAK}  it fails when it is called; opened with `RTLD_NOW`, as by ctypes, it does not load at all"
            )?;
        }
        if opened_by.iter().any(|root| root != path) {
            write!(f, "{BREAK}  opened by: {}", some_of(opened_by))?;
        }
        if !defined_by.is_empty() {
            write!(f, "{BREAK}  defined by: {}", some_of(defined_by))?;
        }
        Ok(())
    }
}
