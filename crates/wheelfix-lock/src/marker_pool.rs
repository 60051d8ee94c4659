//! The markers of a lock file: few texts, each used many times.

use std::collections::BTreeMap;

use wheelfix_format::{Marker, MarkerEnvironment, MarkerError, MarkerSets};

/// All markers of a lock, each text once.
#[derive(Debug, Default)]
pub(crate) struct MarkerPool {
    markers: Vec<Marker>,
    numbers: BTreeMap<String, usize>,
}

/// A marker of a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MarkerNumber(usize);

impl MarkerPool {
    /// The number of the marker with this text.
    pub(crate) fn number(&mut self, text: &str) -> Result<MarkerNumber, MarkerError> {
        if let Some(number) = self.numbers.get(text) {
            return Ok(MarkerNumber(*number));
        }
        let number = self.markers.len();
        self.markers.push(text.parse()?);
        self.numbers.insert(text.to_owned(), number);
        Ok(MarkerNumber(number))
    }

    /// The marker of a number.
    pub(crate) fn get(&self, MarkerNumber(number): MarkerNumber) -> Option<&Marker> {
        self.markers.get(number)
    }
}

/// The answers of a pool's markers in one environment.
#[derive(Debug)]
pub(crate) struct MarkerAnswers<'l> {
    pool: &'l MarkerPool,
    environment: MarkerEnvironment,
    sets: MarkerSets,
    known: Vec<Option<bool>>,
}

impl<'l> MarkerAnswers<'l> {
    pub(crate) fn new(pool: &'l MarkerPool, environment: MarkerEnvironment) -> Self {
        Self {
            pool,
            environment,
            sets: MarkerSets::default(),
            known: vec![None; pool.markers.len()],
        }
    }

    pub(crate) fn environment(&self) -> &MarkerEnvironment {
        &self.environment
    }

    pub(crate) fn sets(&self) -> &MarkerSets {
        &self.sets
    }

    /// Changes what is selected.
    pub(crate) fn set(&mut self, sets: MarkerSets) {
        if self.sets != sets {
            self.sets = sets;
            self.known.fill(None);
        }
    }

    /// Whether the marker of a requirement, which may ask for an extra of its package, can hold.
    pub(crate) fn may_hold(&self, marker: Option<MarkerNumber>) -> bool {
        let marker = marker.and_then(|number| self.pool.get(number));
        marker.is_none_or(|marker| marker.may_apply(&self.environment))
    }

    /// Whether the marker holds; no marker always does.
    pub(crate) fn holds(&mut self, marker: Option<MarkerNumber>) -> bool {
        let Some(number) = marker else { return true };
        let (environment, sets) = (&self.environment, &self.sets);
        let ask = || {
            let marker = self.pool.get(number);
            marker.is_none_or(|marker| marker.holds(environment, sets))
        };
        match self.known.get_mut(number.0) {
            Some(known) => *known.get_or_insert_with(ask),
            None => ask(),
        }
    }
}
