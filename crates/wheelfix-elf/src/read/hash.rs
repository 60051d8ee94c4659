//! The hash tables through which the loader finds symbols.
//!
//! System V: <https://www.sco.com/developers/gabi/latest/ch5.dynamic.html#hash>,
//! GNU: <https://sourceware.org/legacy-ml/binutils/2006-10/msg00377.html>

use std::collections::BTreeSet;

use crate::encoding::{Class, Encoding, FieldWriter};
use crate::error::ReadError;
use crate::machine::Machine;
use crate::read::image::Image;
use crate::read::window::read_range;
use crate::source::Source;

/// A name with its hashes, to be looked up in many objects.
#[derive(Clone, Copy, Debug)]
pub struct HashedName<'n> {
    /// The name.
    pub name: &'n [u8],
    /// Its hash for GNU tables.
    pub gnu: u32,
    /// Its hash for System V tables, and for the names of versions.
    pub sysv: u32,
}

impl<'n> HashedName<'n> {
    /// Computes the hashes of a name.
    pub fn new(name: &'n [u8]) -> Self {
        Self {
            name,
            gnu: gnu_hash(name),
            sysv: sysv_hash(name),
        }
    }
}

/// Powers of 33, the factor of GNU hashes, for the places of a block.
const POWERS: [u32; 8] = {
    let mut powers = [1; 8];
    let mut place = 7;
    while place > 0 {
        place -= 1;
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            powers[place] = 33_u32.wrapping_mul(powers[place + 1]);
        }
    }
    powers
};

/// Returns the hash that GNU tables use.
///
/// Each byte is added to 33 times what was before. Eight bytes are taken at once, so that one multiplication need not wait
/// for the last: checking a library means hashing megabytes of names.
pub fn gnu_hash(name: &[u8]) -> u32 {
    let (blocks, rest) = name.as_chunks::<8>();
    let mut hash = 5381_u32;
    for block in blocks {
        let shifted = hash.wrapping_mul(POWERS[0].wrapping_mul(33));
        let pairs = block.iter().zip(POWERS);
        hash = pairs.fold(shifted, |sum, (byte, power)| {
            sum.wrapping_add(u32::from(*byte).wrapping_mul(power))
        });
    }
    rest.iter().fold(hash, |hash, byte| {
        hash.wrapping_mul(33).wrapping_add(u32::from(*byte))
    })
}

/// Returns the hash that System V tables and symbol versions use.
pub fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(*byte));
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

/// A table `DT_GNU_HASH`.
#[derive(Clone, Debug)]
pub(crate) struct GnuHash {
    encoding: Encoding,
    /// Number of the first symbol that is in the table.
    pub(crate) first: u32,
    pub(crate) bloom_shift: u32,
    bloom: Vec<u8>,
    pub(crate) buckets: Vec<u8>,
    /// One word per symbol from `first` on.
    pub(crate) chain: Vec<u8>,
    /// File offset of the table.
    pub(crate) offset: u64,
}

impl GnuHash {
    pub(crate) fn read(
        source: &dyn Source,
        encoding: Encoding,
        image: &Image,
        vaddr: u64,
    ) -> Result<Self, ReadError> {
        let what = "DT_GNU_HASH";
        let len = 16;
        let unmapped = ReadError::Unmapped { what, vaddr, len };
        let (offset, left) = image.locate(vaddr).ok_or(unmapped)?;
        let place = Place {
            source,
            offset,
            left,
            vaddr,
        };
        let head = place.read(0, 16)?;
        let field = |at| encoding.u32_at(&head, at).unwrap_or_default();
        let (bucket_count, first, bloom_count, bloom_shift) =
            (field(0), field(4), field(8), field(12));
        // The loader looks for nothing in a table without buckets, as `strip --remove-section` leaves it.
        if !bloom_count.is_power_of_two() && (bucket_count, bloom_count) != (0, 0) {
            let (got, expected) = (bloom_count.into(), "a power of two");
            return Err(ReadError::Field {
                what: "bloom words of DT_GNU_HASH",
                offset: offset + 8,
                got,
                expected,
            });
        }
        let bloom_len = u64::from(bloom_count) * encoding.word_len() as u64;
        let bloom = place.read(16, bloom_len)?;
        let buckets_len = u64::from(bucket_count) * 4;
        let buckets = place.read(16 + bloom_len, buckets_len)?;
        let words = buckets.chunks_exact(4);
        let words = words.filter_map(|word| encoding.u32_at(word, 0));
        let last = words.max().unwrap_or_default();
        let chain = match last.checked_sub(first) {
            _ if last == 0 => Vec::new(),
            Some(known) => read_chain(&place, encoding, 16 + bloom_len + buckets_len, known)?,
            None => {
                let (got, expected) = (last.into(), "not below the first hashed symbol");
                return Err(ReadError::Field {
                    what: "bucket of DT_GNU_HASH",
                    offset,
                    got,
                    expected,
                });
            }
        };
        Ok(Self {
            encoding,
            first,
            bloom_shift,
            bloom,
            buckets,
            chain,
            offset,
        })
    }

    /// The number of symbols, as far as the table tells: `None` if it is empty.
    pub(crate) fn symbol_count(&self) -> Option<u64> {
        (!self.chain.is_empty()).then_some(u64::from(self.first) + (self.chain.len() / 4) as u64)
    }

    /// Whether the other table has the same content, wherever it is.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        (self.first, self.bloom_shift) == (other.first, other.bloom_shift)
            && self.bloom == other.bloom
            && self.buckets == other.buckets
            && self.chain == other.chain
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(crate) fn bucket_count(&self) -> u32 {
        u32::try_from(self.buckets.len() / 4).unwrap_or(u32::MAX)
    }

    pub(crate) fn bloom_count(&self) -> u32 {
        u32::try_from(self.bloom.len() / self.encoding.word_len()).unwrap_or(u32::MAX)
    }

    /// The length of the table in bytes.
    pub(crate) fn len(&self) -> u64 {
        (16 + self.bloom.len() + self.buckets.len() + self.chain.len()) as u64
    }

    /// The hash that the table has for a symbol, without its lowest bit. `None` if it is not in the table.
    pub(crate) fn hash_of(&self, index: u32) -> Option<u32> {
        let at = index.checked_sub(self.first)? as usize * 4;
        Some(self.encoding.u32_at(&self.chain, at)? & !1)
    }

    /// Returns the numbers of the symbols that may have the name with this hash.
    pub(crate) fn candidates(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        let start = if self.may_contain(hash) {
            self.bucket(hash).unwrap_or_default()
        } else {
            0
        };
        let mut at = start.checked_sub(self.first).filter(|_| start != 0);
        std::iter::from_fn(move || {
            loop {
                let place = at?;
                let word = self.encoding.u32_at(&self.chain, place as usize * 4)?;
                at = if word & 1 == 0 {
                    place.checked_add(1)
                } else {
                    None
                };
                if (word ^ hash) >> 1 == 0 {
                    return self.first.checked_add(place);
                }
            }
        })
    }

    fn may_contain(&self, hash: u32) -> bool {
        let bits: u32 = match self.encoding.class {
            Class::Elf32 => 32,
            Class::Elf64 => 64,
        };
        let words = self.bloom.len() / self.encoding.word_len();
        // The number of words is a power of two.
        let index = (hash / bits) as usize & words.saturating_sub(1);
        let word = self
            .encoding
            .word_at(&self.bloom, index * self.encoding.word_len())
            .unwrap_or_default();
        let second = hash.checked_shr(self.bloom_shift).unwrap_or_default();
        let mask = (1_u64 << (hash % bits)) | (1_u64 << (second % bits));
        word & mask == mask
    }

    fn bucket(&self, hash: u32) -> Option<u32> {
        let count = u32::try_from(self.buckets.len() / 4).ok()?;
        self.encoding
            .u32_at(&self.buckets, hash.checked_rem(count)? as usize * 4)
    }
}

/// A table whose length is not known, in the segment that holds it.
struct Place<'s> {
    source: &'s dyn Source,
    /// File offset of the table.
    offset: u64,
    /// From there to the end of the segment.
    left: u64,
    vaddr: u64,
}

impl Place<'_> {
    fn read(&self, at: u64, len: u64) -> Result<Vec<u8>, ReadError> {
        let what = "DT_GNU_HASH";
        match at.checked_add(len) {
            Some(end) if end <= self.left => read_range(self.source, what, self.offset + at, len),
            _ => Err(ReadError::Unmapped {
                what,
                vaddr: self.vaddr.saturating_add(at),
                len,
            }),
        }
    }
}

/// Reads the chain words: up to `known`, the start of the last bucket's chain, and on to the word with the lowest bit set.
fn read_chain(
    place: &Place<'_>,
    encoding: Encoding,
    start: u64,
    known: u32,
) -> Result<Vec<u8>, ReadError> {
    let mut chain = place.read(start, (u64::from(known) + 1) * 4)?;
    while !chain_ends(encoding, &chain) {
        let at = start + chain.len() as u64;
        let len = place.left.saturating_sub(at).min(1024) & !3;
        let more = place.read(at, len.max(4))?;
        let end = more
            .chunks_exact(4)
            .position(|word| chain_ends(encoding, word));
        chain.extend(
            more.iter()
                .take(end.map_or(more.len(), |last| (last + 1) * 4)),
        );
    }
    Ok(chain)
}

fn chain_ends(encoding: Encoding, chain: &[u8]) -> bool {
    chain
        .len()
        .checked_sub(4)
        .and_then(|at| encoding.u32_at(chain, at))
        .is_none_or(|word| word & 1 == 1)
}

/// A table `DT_HASH`.
#[derive(Clone, Debug)]
pub(crate) struct SysvHash {
    encoding: Encoding,
    wide: bool,
    pub(crate) bucket_count: u64,
    /// The number of symbols.
    pub(crate) chain_count: u64,
    words: Vec<u8>,
    /// File offset of the table.
    pub(crate) offset: u64,
}

impl SysvHash {
    pub(crate) fn read(
        source: &dyn Source,
        encoding: Encoding,
        machine: Machine,
        image: &Image,
        vaddr: u64,
    ) -> Result<Self, ReadError> {
        let what = "DT_HASH";
        // The only machine of ours whose table has words of 8 bytes; but LLVM's linker writes words of 4 bytes for it
        // too, and then two counts seem to be one that no table can have.
        let wide = machine == Machine::S390 && encoding.class == Class::Elf64 && {
            let first = read_range(source, what, image.place(what, vaddr, 8)?, 8)?;
            encoding.u32_at(&first, 0) == Some(0)
        };
        let word_len = if wide { 8 } else { 4 };
        let offset = image.place(what, vaddr, 2 * word_len)?;
        let mut table = Self {
            encoding,
            wide,
            bucket_count: 0,
            chain_count: 0,
            words: Vec::new(),
            offset,
        };
        table.words = read_range(source, what, offset, 2 * word_len)?;
        (table.bucket_count, table.chain_count) =
            (table.word(0).unwrap_or(0), table.word(1).unwrap_or(0));
        let len = table
            .bucket_count
            .checked_add(table.chain_count)
            .and_then(|count| count.checked_add(2)?.checked_mul(word_len))
            .ok_or(ReadError::Unmapped {
                what,
                vaddr,
                len: u64::MAX,
            })?;
        image.place(what, vaddr, len)?;
        table.words = read_range(source, what, offset, len)?;
        Ok(table)
    }

    /// The length of the table in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.words.len() as u64
    }

    /// Returns the numbers of the symbols that may have the name with this hash.
    pub(crate) fn candidates(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        let bucket = u64::from(hash).checked_rem(self.bucket_count);
        let mut next = bucket
            .and_then(|bucket| self.word(2 + bucket))
            .filter(|index| *index != 0);
        // A chain that leads in a circle ends after as many steps as there are symbols.
        let mut steps = self.chain_count;
        std::iter::from_fn(move || {
            let index = next?;
            steps = steps.checked_sub(1)?;
            next = (index < self.chain_count)
                .then(|| self.word(2 + self.bucket_count + index))
                .flatten()
                .filter(|index| *index != 0);
            u32::try_from(index).ok()
        })
    }

    /// Whether the other table has the same content, wherever it is.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        self.words == other.words
    }

    /// Returns the numbers of all symbols in the table, each once.
    pub(crate) fn members(&self) -> BTreeSet<u32> {
        let mut members = BTreeSet::new();
        for bucket in 0..self.bucket_count {
            let mut next = self.word(2 + bucket).unwrap_or_default();
            // A chain that leads back ends at a symbol that was seen.
            while next != 0
                && next < self.chain_count
                && members.insert(u32::try_from(next).unwrap_or_default())
            {
                next = self.word(2 + self.bucket_count + next).unwrap_or_default();
            }
        }
        members
    }

    /// Encodes words as those of this table.
    pub(crate) fn encode(&self, words: &[u64]) -> Vec<u8> {
        let mut writer = FieldWriter::new(self.encoding);
        for word in words {
            match (self.wide, u32::try_from(*word)) {
                (false, Ok(word)) => writer.u32(word),
                _ => writer.word(*word),
            };
        }
        writer.finish()
    }

    fn word(&self, index: u64) -> Option<u64> {
        let at = usize::try_from(index).ok()?;
        if self.wide {
            self.encoding.u64_at(&self.words, at.checked_mul(8)?)
        } else {
            self.encoding
                .u32_at(&self.words, at.checked_mul(4)?)
                .map(u64::from)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_give_the_same_as_single_bytes() {
        let name: Vec<u8> = (1..=255).collect();
        for len in 0..name.len() {
            let one_by_one =
                |hash: u32, byte: &u8| hash.wrapping_mul(33).wrapping_add(u32::from(*byte));
            assert_eq!(
                gnu_hash(&name[..len]),
                name[..len].iter().fold(5381, one_by_one)
            );
        }
    }

    #[test]
    fn hashes_are_those_of_the_specifications() {
        // From the GNU hash proposal and from `readelf -V` of the C library.
        for (name, gnu, sysv) in [
            ("", 0x1505, 0),
            ("printf", 0x156b_2bb8, 0x0779_05a6),
            ("exit", 0x7c96_7e3f, 0x0006_cf04),
            ("flapenguin.me", 0x8ae9_f18e, 0x0398_7915),
        ] {
            assert_eq!((gnu_hash(name.as_bytes()), name), (gnu, name));
            assert_eq!((sysv_hash(name.as_bytes()), name), (sysv, name));
        }
        assert_eq!(sysv_hash(b"GLIBC_2.2.5"), 0x0969_1a75);
    }
}
