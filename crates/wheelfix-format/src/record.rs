//! `RECORD`, the list of the files of a wheel or of an installed distribution.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};

/// The rows of a `RECORD`. Printing sorts them by path and quotes what needs quoting.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record {
    /// In the order of the file.
    pub rows: Vec<RecordRow>,
}

/// One row of a [`Record`].
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RecordRow {
    /// Relative to `site-packages`, with `/` as separator. Never empty; may begin with `../` in the
    /// `RECORD` of an installed distribution.
    pub path: String,
    /// `None` for `RECORD` itself and its signatures; installers leave it out for byte code too.
    pub hash: Option<RecordHash>,
    /// Size of the file in bytes; optional in the format.
    pub size: Option<u64>,
}

/// The hash of a file.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RecordHash {
    algorithm: HashAlgorithm,
    digest: Vec<u8>,
}

/// A hash algorithm that the wheel format accepts: `sha256` or better, of those that each Python has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum HashAlgorithm {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
    /// 32 bytes.
    Sha3_256,
    /// 48 bytes.
    Sha3_384,
    /// 64 bytes.
    Sha3_512,
    /// 64 bytes.
    Blake2b,
    /// 32 bytes.
    Blake2s,
}

/// A `RECORD` as far as it can be read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReadRecord {
    /// Every row that has a path; one with a fault has neither hash nor size.
    pub record: Record,
    /// The rows that cannot be read.
    pub faults: Vec<RecordError>,
    /// The rows that are not as the format says, and whose meaning is plain, with their paths.
    pub oddities: Vec<(RecordOddity, String)>,
}

/// How a row of a `RECORD` is not as the format says, though its meaning is plain.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum RecordOddity {
    /// The digest is in hexadecimal, as in gmsh 4.15.2.
    Hexadecimal,
    /// Empty fields follow.
    MoreFields,
    /// The path is empty: the row says nothing.
    NoPath,
}

/// A fault of one row of a `RECORD`.
///
/// Rows count from 1; a quoted path may span lines, but real ones do not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Fewer than three fields, or more that are not empty.
    #[error("row {row}: expected 3 fields for `{path}`, got {got}")]
    FieldCount {
        /// The row.
        row: usize,
        /// The path of the row.
        path: String,
        /// How many fields it has.
        got: usize,
    },
    /// A quoted field that is not UTF-8 or never ends.
    #[error("row {row}: malformed CSV")]
    Csv {
        /// The row.
        row: usize,
    },
    /// A hash without `=`.
    #[error("row {row}: expected algorithm=value for `{path}`, got `{got}`")]
    HashSyntax {
        /// The row.
        row: usize,
        /// The path of the row.
        path: String,
        /// The whole field.
        got: String,
    },
    /// md5, sha1, or something unknown.
    #[error(
        "row {row}: `{path}` has a hash that is not accepted, expected sha256 or better: `{got}`"
    )]
    HashAlgorithm {
        /// The row.
        row: usize,
        /// The path of the row.
        path: String,
        /// The name of the algorithm.
        got: String,
    },
    /// Neither Base64 nor hexadecimal, or of the wrong length for its algorithm.
    #[error(
        "row {row}: expected {expected} bytes as URL-safe Base64 without padding for `{path}`, got `{got}`"
    )]
    HashValue {
        /// The row.
        row: usize,
        /// The path of the row.
        path: String,
        /// Length of the digest in bytes.
        expected: usize,
        /// The text behind the `=`.
        got: String,
    },
    /// A size that is not a decimal number.
    #[error("row {row}: the size of `{path}` is not a number: `{got}`")]
    Size {
        /// The row.
        row: usize,
        /// The path of the row.
        path: String,
        /// The whole field.
        got: String,
    },
}

impl Record {
    /// Parses a text; all faults at once.
    pub fn parse(text: &str) -> Result<Self, Vec<RecordError>> {
        let read = ReadRecord::read(text);
        if read.faults.is_empty() {
            Ok(read.record)
        } else {
            Err(read.faults)
        }
    }
}

impl ReadRecord {
    /// Reads what can be read of a text.
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        if is_plain(text) {
            let lines = text.split(['\n', '\r']).filter(|line| !line.is_empty());
            for (index, line) in lines.enumerate() {
                read.add(index + 1, line.split(','));
            }
        } else {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            for (index, fields) in reader.records().enumerate() {
                let row = index + 1;
                match fields {
                    Ok(fields) => read.add(row, fields.iter()),
                    Err(_) => read.faults.push(RecordError::Csv { row }),
                }
            }
        }
        read
    }

    fn add<'a>(&mut self, row: usize, fields: impl Iterator<Item = &'a str> + Clone) {
        let path = fields.clone().next().unwrap_or_default();
        match self.parse(row, fields) {
            Ok(row) => self.record.rows.extend(row),
            Err(fault) => {
                self.faults.push(fault);
                self.record.rows.push(RecordRow::unhashed(path));
            }
        }
    }

    fn parse<'a>(
        &mut self,
        row: usize,
        mut fields: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Option<RecordRow>, RecordError> {
        let all = fields.clone();
        let (path, hash, size) = (fields.next(), fields.next(), fields.next());
        let path = path.unwrap_or_default().to_owned();
        let (Some(hash), Some(size), true) = (hash, size, fields.clone().all(str::is_empty)) else {
            let got = all.count();
            return Err(RecordError::FieldCount { row, path, got });
        };
        let mut note = |oddity| self.oddities.push((oddity, path.clone()));
        if path.is_empty() {
            note(RecordOddity::NoPath);
            return Ok(None);
        }
        if fields.next().is_some() {
            note(RecordOddity::MoreFields);
        }
        let (hash, is_hexadecimal) = parse_hash(row, &path, hash)?;
        if is_hexadecimal {
            note(RecordOddity::Hexadecimal);
        }
        let size = match (size, size.parse()) {
            ("", _) => None,
            (_, Ok(size)) => Some(size),
            (got, Err(_)) => {
                let got = got.to_owned();
                return Err(RecordError::Size { row, path, got });
            }
        };
        Ok(Some(RecordRow { path, hash, size }))
    }
}

/// Whether lines and commas are all there is to a text: it needs no tables of a CSV reader, which
/// cost more to make than most texts to read.
fn is_plain(text: &str) -> bool {
    !text.contains('"') && !text.starts_with('\u{feff}')
}

/// The hash of a row, if it has one, and whether it is in hexadecimal.
fn parse_hash(
    row: usize,
    path: &str,
    text: &str,
) -> Result<(Option<RecordHash>, bool), RecordError> {
    if text.is_empty() {
        return Ok((None, false));
    }
    let path = path.to_owned();
    let Some((name, value)) = text.split_once('=') else {
        let got = text.to_owned();
        return Err(RecordError::HashSyntax { row, path, got });
    };
    let Ok(algorithm) = name.parse::<HashAlgorithm>() else {
        let got = name.to_owned();
        return Err(RecordError::HashAlgorithm { row, path, got });
    };
    // No Base64 of a digest is as long as its hexadecimal digits.
    let is_hexadecimal = value.len() == 2 * algorithm.digest_len();
    let encoding = match value {
        _ if is_hexadecimal => HEXLOWER_PERMISSIVE,
        // Some wheels pad their hashes, which Python's decoder tolerates.
        _ if value.ends_with('=') => BASE64URL,
        _ => BASE64URL_NOPAD,
    };
    let digest = encoding.decode(value.as_bytes()).ok();
    match digest.and_then(|digest| RecordHash::new(algorithm, digest)) {
        Some(hash) => Ok((Some(hash), is_hexadecimal)),
        None => Err(RecordError::HashValue {
            row,
            path,
            expected: algorithm.digest_len(),
            got: value.to_owned(),
        }),
    }
}

impl RecordError {
    /// The path of the row; `None` if it could not be read.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Csv { .. } => None,
            Self::FieldCount { path, .. }
            | Self::HashSyntax { path, .. }
            | Self::HashAlgorithm { path, .. }
            | Self::HashValue { path, .. }
            | Self::Size { path, .. } => Some(path),
        }
    }
}

impl RecordRow {
    /// The row of a file that has no hash: `RECORD` itself.
    pub fn unhashed(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            hash: None,
            size: None,
        }
    }
}

impl RecordHash {
    /// A hash; `None` if the digest has not the length that the algorithm gives.
    pub fn new(algorithm: HashAlgorithm, digest: Vec<u8>) -> Option<Self> {
        (digest.len() == algorithm.digest_len()).then_some(Self { algorithm, digest })
    }

    /// The hash that nearly every `RECORD` uses.
    pub fn sha256(digest: [u8; 32]) -> Self {
        Self {
            algorithm: HashAlgorithm::Sha256,
            digest: digest.to_vec(),
        }
    }

    /// How the digest was made.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The raw digest.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl HashAlgorithm {
    const ALL: [Self; 8] = [
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha3_256,
        Self::Sha3_384,
        Self::Sha3_512,
        Self::Blake2b,
        Self::Blake2s,
    ];

    /// Length of a digest in bytes.
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 | Self::Sha3_256 | Self::Blake2s => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 | Self::Blake2b => 64,
        }
    }

    /// The name in a `RECORD`, which is that of Python's `hashlib`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sha3_256 => "sha3_256",
            Self::Sha3_384 => "sha3_384",
            Self::Sha3_512 => "sha3_512",
            Self::Blake2b => "blake2b",
            Self::Blake2s => "blake2s",
        }
    }
}

impl FromStr for HashAlgorithm {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|it| it.name().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={}",
            self.algorithm.name(),
            BASE64URL_NOPAD.encode(&self.digest)
        )
    }
}

impl fmt::Display for RecordRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without quotes, a byte order mark at the start of a text is not a part of it.
        if self.path.contains([',', '"', '\n', '\r']) || self.path.starts_with('\u{feff}') {
            write!(f, "\"{}\",", self.path.replace('"', "\"\""))?;
        } else {
            write!(f, "{},", self.path)?;
        }
        if let Some(hash) = &self.hash {
            write!(f, "{hash}")?;
        }
        f.write_str(",")?;
        self.size.map_or(Ok(()), |size| write!(f, "{size}"))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<&RecordRow> = self.rows.iter().collect();
        rows.sort();
        rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match Record::parse(text) {
            Ok(record) => record.to_string(),
            Err(faults) => faults
                .iter()
                .map(|fault| format!("error: {fault}\n"))
                .collect::<Vec<_>>()
                .concat(),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn rows_are_printed_sorted() {
        check(
            &format!("b.py,{EMPTY},0\na-1.dist-info/RECORD,,\n../../bin/x,{EMPTY},0\n"),
            &format!("../../bin/x,{EMPTY},0\na-1.dist-info/RECORD,,\nb.py,{EMPTY},0\n"),
        );
        check("", "");
        check("a,,\r\nb,,\r\n", "a,,\nb,,\n");
    }

    #[test]
    fn quoting_is_that_of_csv() {
        check(
            "\"a,b.py\",,\n\"say \"\"x\"\"\",,1\n",
            "\"a,b.py\",,\n\"say \"\"x\"\"\",,1\n",
        );
        check("\"plain\",,\n", "plain,,\n");
        check(
            "\"\u{feff}a\",,\n\"\u{feff}\",,\n",
            "\"\u{feff}\",,\n\"\u{feff}a\",,\n",
        );
        check("\u{feff}a,,\n", "a,,\n");
    }

    #[test]
    fn padding_is_tolerated_and_not_printed() {
        check(&format!("a,{EMPTY}=,0\n"), &format!("a,{EMPTY},0\n"));
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        check(
            "a,\nb,,x\nc,sha256,1\nd,md5=abc,1\ne,sha256=abc,1\nf,,1,more\n",
            "error: row 1: expected 3 fields for `a`, got 2\n\
             error: row 2: the size of `b` is not a number: `x`\n\
             error: row 3: expected algorithm=value for `c`, got `sha256`\n\
             error: row 4: `d` has a hash that is not accepted, expected sha256 or better: `md5`\n\
             error: row 5: expected 32 bytes as URL-safe Base64 without padding for `e`, got `abc`\n\
             error: row 6: expected 3 fields for `f`, got 4\n",
        );
    }

    #[test]
    fn rows_whose_meaning_is_plain_are_read_and_told_of() {
        let hexadecimal = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = format!("a,sha256={hexadecimal},0\nb,{EMPTY},0,,\n,,\n");
        let read = ReadRecord::read(&text);
        assert_eq!(
            read.record.to_string(),
            format!("a,{EMPTY},0\nb,{EMPTY},0\n")
        );
        let oddities: Vec<_> = read
            .oddities
            .iter()
            .map(|(oddity, path)| (*oddity, path.as_str()))
            .collect();
        let want = [
            (RecordOddity::Hexadecimal, "a"),
            (RecordOddity::MoreFields, "b"),
            (RecordOddity::NoPath, ""),
        ];
        assert_eq!(oddities, want);
    }

    #[test]
    fn all_hashes_that_each_python_has_are_known_by_their_length() {
        for algorithm in HashAlgorithm::ALL {
            let hash = RecordHash::new(algorithm, vec![7; algorithm.digest_len()]).unwrap();
            check(&format!("a,{hash},0\n"), &format!("a,{hash},0\n"));
        }
    }
}
