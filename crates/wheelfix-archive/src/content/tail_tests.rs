//! Tails are what the whole gives.

use std::io::Write as _;

use flate2::{Compression, write::DeflateEncoder};

use crate::content::tail::Tail;

/// A few megabytes of what libraries have: names, code that hardly repeats, noise, zeros.
fn content() -> Vec<u8> {
    let mut state: u64 = 1;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 33
    };
    let mut content = Vec::new();
    for part in 0..96_u32 {
        match part % 4 {
            0 => (0..6000).for_each(|_| {
                let name = format!("_ZN2at6native{}kernel{}E\0", next() % 500, next() % 90);
                content.extend(name.into_bytes());
            }),
            1 => (0..60_000).for_each(|_| {
                let word = u32::try_from(next() % 5000).unwrap_or_default();
                content.extend(word.to_le_bytes());
            }),
            2 => content.extend((0..150_000).map(|_| next().to_le_bytes()[0])),
            _ => content.extend(std::iter::repeat_n(0, 90_000)),
        }
    }
    content
}

/// Deflates in pieces, with a flush after each, if so wished.
fn deflate(content: &[u8], level: u32, flushed: usize) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    for piece in content.chunks(flushed) {
        encoder.write_all(piece).unwrap();
        if flushed < content.len() {
            encoder.flush().unwrap();
        }
    }
    encoder.finish().unwrap()
}

#[test]
fn the_tail_is_what_the_whole_ends_with() {
    let content = content();
    let len = content.len();
    let mut found = 0;
    for (level, flushed) in [(1, len), (6, len), (9, len), (6, 100_001), (6, 1_000_003)] {
        let data = deflate(&content, level, flushed);
        for share in [1, 5, 10, 20, 30, 45] {
            let offset = len - len * share / 100;
            let Some(tail) = Tail::find(&data, len as u64, offset as u64) else {
                continue;
            };
            found += 1;
            assert!(
                tail.get(offset as u64) == Some(&content[offset..]),
                "level {level}, flushed after {flushed}, the last {share} %"
            );
        }
    }
    assert!(10 <= found, "only {found} were found");
}

#[test]
fn what_is_no_deflated_data_has_no_tail() {
    let content = content();
    let len = content.len() as u64;
    let data = deflate(&content, 6, content.len());
    let cut = &data[..data.len() - 10];
    let mut broken = data.clone();
    // Not among the noise, which is stored.
    let zeros = data.len() - 60;
    broken[zeros..zeros + 40].fill(0xff);
    // As a stream within the content, whose last block is not the member's.
    let mut inner = data.clone();
    inner.extend(&content[..400_000]);
    for data in [cut, &broken, &inner, &content, &[]] {
        let tail = Tail::find(data, len, len - 1000);
        assert!(tail.is_none());
    }
    // One that states to be longer than it is.
    assert!(Tail::find(&data, len, len + 1).is_none());
    let other = Tail::find(&data, len + 7, len - 1000).unwrap();
    assert!(other.get(len - 1000) != content.get(content.len() - 1000..));
}
