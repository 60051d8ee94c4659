//! The code of a Python source, apart from its comments and texts.

use memchr::{memchr, memchr2, memchr3};

/// A source with its comments and the contents of its string literals blanked, byte for byte.
pub(crate) struct Masked<'a> {
    text: &'a str,
    pub(crate) code: String,
}

impl<'a> Masked<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut code = Vec::with_capacity(text.len());
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let plain = memchr3(b'#', b'"', b'\'', rest).unwrap_or(rest.len());
            let (plain, rest) = rest.split_at(plain);
            code.extend(plain.iter().copied().map(ascii));
            let len = match rest.first().copied() {
                None => 0,
                Some(b'#') => memchr(b'\n', rest).unwrap_or(rest.len()),
                Some(byte) => {
                    let quote = quote_len(rest, byte);
                    let len = literal_len(rest, byte, quote);
                    let inside = len.saturating_sub(2 * quote);
                    code.extend(std::iter::repeat_n(byte, quote));
                    code.extend(blank(rest.get(quote..quote + inside).unwrap_or_default()));
                    code.extend(std::iter::repeat_n(byte, len - quote - inside));
                    at += plain.len() + len;
                    continue;
                }
            };
            code.extend(blank(rest.get(..len).unwrap_or_default()));
            at += plain.len() + len;
        }
        Self {
            text,
            code: String::from_utf8(code).unwrap_or_default(),
        }
    }

    /// The contents of the literal that begins at `start`, spaces aside, and where it ends. Formatted ones are
    /// none.
    pub(crate) fn literal(&self, start: usize) -> Option<(&'a str, usize)> {
        let code = self.code.get(start..)?;
        let start = start + code.len() - code.trim_start().len();
        let rest = self.code.get(start..)?.as_bytes();
        let prefix = usize::from(matches!(rest.first(), Some(b'r' | b'b' | b'R' | b'B')));
        let rest = rest.get(prefix..)?;
        let quote = rest
            .first()
            .copied()
            .filter(|byte| matches!(byte, b'"' | b'\''))?;
        let quotes = quote_len(rest, quote);
        let end = start + prefix + literal_len(rest, quote, quotes);
        let text = self.text.get(start + prefix + quotes..end - quotes)?;
        Some((text, end))
    }
}

/// Spaces for everything but the ends of lines.
fn blank(bytes: &[u8]) -> impl Iterator<Item = u8> + '_ {
    bytes
        .iter()
        .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' })
}

/// 3 for a literal in triple quotes.
fn quote_len(rest: &[u8], quote: u8) -> usize {
    if rest.starts_with(&[quote; 3]) { 3 } else { 1 }
}

/// How long a literal is, with its quotes. One that is not ended reaches to the end of its line, or
/// in triple quotes to the end of the source.
fn literal_len(rest: &[u8], quote: u8, quotes: usize) -> usize {
    let mut at = quotes;
    loop {
        let here = rest.get(at..).unwrap_or_default();
        let next = if quotes == 1 {
            memchr3(quote, b'\\', b'\n', here)
        } else {
            memchr2(quote, b'\\', here)
        };
        let Some(next) = next else {
            return rest.len();
        };
        at += next;
        let here = rest.get(at..).unwrap_or_default();
        match here.first() {
            Some(b'\\') => at += 2,
            Some(b'\n') => return at,
            _ if here.iter().take(quotes).all(|byte| *byte == quote) && quotes <= here.len() => {
                return at + quotes;
            }
            _ => at += 1,
        }
    }
}

/// A byte of code; those of other characters are letters.
fn ascii(byte: u8) -> u8 {
    if byte.is_ascii() { byte } else { b'_' }
}
