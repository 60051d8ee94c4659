//! The steps of the loader, in order.

use crate::simulate::process::Outcome;

/// One step of the loader.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A name is looked for, because the object at this index needs or opens it.
    Find {
        /// The name.
        name: String,
        /// Index among the loaded objects; `None` for the program itself.
        loader: Option<usize>,
    },
    /// A list of directories is searched.
    Search {
        /// Whose list it is: `RPATH of /p/x.so`, `LD_LIBRARY_PATH`, `default directories`.
        whose: String,
        /// The directories that are there or were not looked at, each with a `/` at its end.
        directories: Vec<String>,
    },
    /// The cache of `ldconfig` is asked.
    Cache,
    /// A file is tried.
    Try(String),
    /// The search ended.
    Outcome(Outcome),
}

/// A list of events, or nothing where nobody asks.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    events: Option<Vec<Event>>,
}

impl Trace {
    /// A trace that keeps its events.
    pub fn kept() -> Self {
        Self {
            events: Some(Vec::new()),
        }
    }

    /// Adds an event, which is made only if it is kept.
    pub(crate) fn note(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.events {
            events.push(event());
        }
    }

    /// The events; empty if they were not kept.
    pub fn events(&self) -> &[Event] {
        self.events.as_deref().unwrap_or_default()
    }
}
