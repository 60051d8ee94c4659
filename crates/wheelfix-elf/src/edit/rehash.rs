//! Hash tables for symbols that have other names and numbers; each has the same length as before.

use std::collections::BTreeMap;

use crate::encoding::{Class, FieldWriter};
use crate::read::hash::{GnuHash, SysvHash};

impl GnuHash {
    /// Encodes the table anew. `hash` gives the hash of the symbol with a new number; the symbols are in the order of their
    /// buckets.
    pub(crate) fn rebuild(&self, hash: impl Fn(u32) -> u32) -> Vec<u8> {
        let encoding = self.encoding();
        let bits: u32 = if encoding.class == Class::Elf64 {
            64
        } else {
            32
        };
        let (bucket_count, bloom_count, shift) =
            (self.bucket_count(), self.bloom_count(), self.bloom_shift);
        let mut bloom = vec![0_u64; bloom_count as usize];
        let mut buckets = vec![0_u32; bucket_count as usize];
        let mut chain: Vec<u32> = Vec::new();
        let count = u32::try_from(self.chain.len() / 4).unwrap_or_default();
        let hashes: Vec<u32> = (0..count).map(|place| hash(self.first + place)).collect();
        for (place, hash) in (0..).zip(&hashes) {
            let bucket = hash.checked_rem(bucket_count).unwrap_or_default();
            let word = (hash / bits) as usize & bloom.len().saturating_sub(1);
            if let Some(word) = bloom.get_mut(word) {
                *word |=
                    1 << (hash % bits) | 1 << (hash.checked_shr(shift).unwrap_or_default() % bits);
            }
            if let Some(start) = buckets
                .get_mut(bucket as usize)
                .filter(|start| **start == 0)
            {
                *start = self.first + place;
            }
            let next = hashes
                .get(place as usize + 1)
                .and_then(|hash| hash.checked_rem(bucket_count));
            chain.push(if next == Some(bucket) {
                hash & !1
            } else {
                hash | 1
            });
        }
        let mut writer = FieldWriter::new(encoding);
        writer
            .u32(bucket_count)
            .u32(self.first)
            .u32(bloom_count)
            .u32(shift);
        for word in bloom {
            writer.word(word);
        }
        for word in buckets.into_iter().chain(chain) {
            writer.u32(word);
        }
        writer.finish()
    }
}

impl SysvHash {
    /// Encodes the table anew. `moved` gives the new numbers of symbols, `hash` the hash of the symbol with a new number.
    pub(crate) fn rebuild(&self, moved: &BTreeMap<u32, u32>, hash: impl Fn(u32) -> u32) -> Vec<u8> {
        let (bucket_count, chain_count) = (self.bucket_count, self.chain_count);
        let mut members: Vec<u32> = self
            .members()
            .into_iter()
            .map(|old| *moved.get(&old).unwrap_or(&old))
            .collect();
        members.sort_unstable();
        let mut words = vec![bucket_count, chain_count];
        words.resize(
            2 + usize::try_from(bucket_count + chain_count).unwrap_or_default(),
            0,
        );
        // The first of a chain is the one put in last, so that the lowest number comes first.
        for index in members.into_iter().rev() {
            let bucket = u64::from(hash(index))
                .checked_rem(bucket_count)
                .unwrap_or_default();
            let head = usize::try_from(2 + bucket).unwrap_or_default();
            let link = usize::try_from(2 + bucket_count + u64::from(index)).unwrap_or_default();
            let first = words.get(head).copied().unwrap_or_default();
            if let Some(link) = words.get_mut(link) {
                *link = first;
            }
            if let Some(head) = words.get_mut(head) {
                *head = index.into();
            }
        }
        self.encode(&words)
    }
}
