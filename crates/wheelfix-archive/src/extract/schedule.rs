//! The division of the work among the workers: a queue of pieces, the most expensive first.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::extract::{Digest, ExtractItem};

/// Members longer than this go straight into their mapped file, in bytes.
pub(crate) const MAX_SMALL: u64 = 256 << 10;

/// Cost of a batch of small members, in the unit of [`cost`].
const BATCH: u64 = 2 << 20;

/// Cost of a file apart from its content, in the unit of [`cost`]: about ten microseconds.
const FILE: u64 = 16 << 10;

/// All pieces of work, in an order that keeps all threads busy to the end.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Indices of items. Each piece of work is a range of them.
    order: Vec<usize>,
    work: Vec<Work>,
    next: AtomicUsize,
}

/// A piece of work for one thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Work {
    range: Range<usize>,
    /// Whether a second thread computes the digest: this member alone would keep one thread busy for
    /// longer than the rest keeps the others.
    pub(crate) split: bool,
}

impl Schedule {
    /// Plans the work on `items` for this number of threads.
    pub(crate) fn new(items: &[ExtractItem<'_>], threads: NonZeroUsize) -> Self {
        let mut schedule = Self {
            order: Vec::with_capacity(items.len()),
            work: Vec::new(),
            next: AtomicUsize::new(0),
        };
        let total: u64 = items.iter().map(cost).sum();
        let threads = u64::try_from(threads.get()).unwrap_or(u64::MAX);
        let share = total / threads;
        for prioritized in [true, false] {
            let indexed = || {
                items
                    .iter()
                    .enumerate()
                    .filter(|(_, item)| item.prioritized == prioritized)
            };
            let mut large: Vec<_> = indexed().filter(|(_, item)| !is_small(item)).collect();
            large.sort_by_key(|(_, item)| std::cmp::Reverse(cost(item)));
            let small = indexed().filter(|(_, item)| is_small(item));
            // Consumers wait for early items: small ones first, so that many come soon.
            if prioritized {
                schedule.push_batches(small);
                schedule.push_large(large, share, threads);
            } else {
                schedule.push_large(large, share, threads);
                schedule.push_batches(small);
            }
        }
        schedule
    }

    /// The next piece of work that nobody has taken.
    pub(crate) fn take(&self) -> Option<(&Work, &[usize])> {
        let work = self.work.get(self.next.fetch_add(1, Ordering::Relaxed))?;
        Some((work, self.order.get(work.range.clone()).unwrap_or_default()))
    }

    fn push_large(&mut self, large: Vec<(usize, &ExtractItem<'_>)>, share: u64, threads: u64) {
        for (index, item) in large {
            let split = 1 < threads && item.digest != Digest::Skip && share < cost(item);
            self.push(&[index], split);
        }
    }

    fn push_batches<'a>(&mut self, small: impl Iterator<Item = (usize, &'a ExtractItem<'a>)>) {
        let mut batch = Vec::new();
        let mut sum = 0;
        for (index, item) in small {
            batch.push(index);
            sum += cost(item);
            if BATCH <= sum {
                self.push(&batch, false);
                batch.clear();
                sum = 0;
            }
        }
        if !batch.is_empty() {
            self.push(&batch, false);
        }
    }

    fn push(&mut self, indices: &[usize], split: bool) {
        let start = self.order.len();
        self.order.extend_from_slice(indices);
        let range = start..self.order.len();
        self.work.push(Work { range, split });
    }
}

pub(crate) fn is_small(item: &ExtractItem<'_>) -> bool {
    item.member.len <= MAX_SMALL
}

/// About how long an item takes, in the time that inflating takes for a byte.
fn cost(item: &ExtractItem<'_>) -> u64 {
    let hashed = match item.digest {
        Digest::Skip => 0,
        Digest::Compute | Digest::Expect(_) => item.member.len * 3 / 4,
    };
    FILE.saturating_add(item.member.len).saturating_add(hashed)
}
