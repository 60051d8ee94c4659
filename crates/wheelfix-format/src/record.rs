//! `RECORD`, the list of the files of a wheel or of an installed distribution.
//!
//! <https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file>

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::URL_SAFE_NO_PAD};

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

/// A hash algorithm that the wheel format accepts: `sha256` or better.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum HashAlgorithm {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// A fault of one row of a `RECORD`.
///
/// Rows count from 1; a quoted path may span lines, but real ones do not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Fewer or more than three fields.
    #[error("row {row}: expected 3 fields, got {got}")]
    FieldCount {
        /// The row.
        row: usize,
        /// How many fields it has.
        got: usize,
    },
    /// A quoted field that is not UTF-8 or never ends.
    #[error("row {row}: malformed CSV")]
    Csv {
        /// The row.
        row: usize,
    },
    /// A row without a path.
    #[error("row {row}: the path is empty")]
    EmptyPath {
        /// The row.
        row: usize,
    },
    /// A hash without `=`.
    #[error("row {row}: expected algorithm=value, got `{got}`")]
    HashSyntax {
        /// The row.
        row: usize,
        /// The whole field.
        got: String,
    },
    /// md5, sha1, or something unknown.
    #[error(
        "row {row}: `{path}` has a hash that is not accepted, expected sha256, sha384 or sha512: `{got}`"
    )]
    HashAlgorithm {
        /// The row.
        row: usize,
        /// The path of the row.
        path: String,
        /// The name of the algorithm.
        got: String,
    },
    /// Not Base64, or of the wrong length for its algorithm.
    #[error("row {row}: expected {expected} bytes as URL-safe Base64 without padding, got `{got}`")]
    HashValue {
        /// The row.
        row: usize,
        /// Length of the digest in bytes.
        expected: usize,
        /// The text behind the `=`.
        got: String,
    },
    /// A size that is not a decimal number.
    #[error("row {row}: the size is not a number: `{got}`")]
    Size {
        /// The row.
        row: usize,
        /// The whole field.
        got: String,
    },
}

/// Some wheels pad their hashes, which Python's decoder tolerates.
const URL_SAFE_ANY_PAD: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Record {
    /// Parses a text; all faults at once.
    pub fn parse(text: &str) -> Result<Self, Vec<RecordError>> {
        let (mut rows, mut faults) = (Vec::new(), Vec::new());
        let mut add = |row| match row {
            Ok(row) => rows.push(row),
            Err(fault) => faults.push(fault),
        };
        if is_plain(text) {
            let lines = text.split(['\n', '\r']).filter(|line| !line.is_empty());
            for (index, line) in lines.enumerate() {
                add(parse_row(index + 1, line.split(',')));
            }
        } else {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            for (index, fields) in reader.records().enumerate() {
                let row = index + 1;
                let fields = fields.map_err(|_| RecordError::Csv { row });
                add(fields.and_then(|fields| parse_row(row, fields.iter())));
            }
        }
        if faults.is_empty() {
            Ok(Self { rows })
        } else {
            Err(faults)
        }
    }
}

/// Whether lines and commas are all there is to a text: it needs no tables of a CSV reader, which
/// cost more to make than most texts to read.
fn is_plain(text: &str) -> bool {
    !text.contains('"') && !text.starts_with('\u{feff}')
}

fn parse_row<'a>(
    row: usize,
    mut fields: impl Iterator<Item = &'a str> + Clone,
) -> Result<RecordRow, RecordError> {
    let all = fields.clone();
    let (Some(path), Some(hash), Some(size), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        let got = all.count();
        return Err(RecordError::FieldCount { row, got });
    };
    if path.is_empty() {
        return Err(RecordError::EmptyPath { row });
    }
    let hash = (!hash.is_empty())
        .then(|| parse_hash(row, path, hash))
        .transpose()?;
    let size = (!size.is_empty())
        .then(|| size.parse())
        .transpose()
        .map_err(|_| RecordError::Size {
            row,
            got: size.to_owned(),
        })?;
    let path = path.to_owned();
    Ok(RecordRow { path, hash, size })
}

fn parse_hash(row: usize, path: &str, text: &str) -> Result<RecordHash, RecordError> {
    let Some((name, value)) = text.split_once('=') else {
        let got = text.to_owned();
        return Err(RecordError::HashSyntax { row, got });
    };
    let algorithm = name.parse().map_err(|()| RecordError::HashAlgorithm {
        row,
        path: path.to_owned(),
        got: name.to_owned(),
    })?;
    let digest = URL_SAFE_ANY_PAD.decode(value).ok();
    let hash = digest.and_then(|digest| RecordHash::new(algorithm, digest));
    hash.ok_or_else(|| RecordError::HashValue {
        row,
        expected: algorithm.digest_len(),
        got: value.to_owned(),
    })
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
    /// Length of a digest in bytes.
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The name in a `RECORD`, which is that of Python's `hashlib`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

impl FromStr for HashAlgorithm {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::Sha256, Self::Sha384, Self::Sha512];
        all.into_iter()
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
            URL_SAFE_NO_PAD.encode(&self.digest)
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
            "a,\nb,,x\n,,\nc,sha256,1\nd,md5=abc,1\ne,sha256=abc,1\n",
            "error: row 1: expected 3 fields, got 2\n\
             error: row 2: the size is not a number: `x`\n\
             error: row 3: the path is empty\n\
             error: row 4: expected algorithm=value, got `sha256`\n\
             error: row 5: `d` has a hash that is not accepted, expected sha256, sha384 or sha512: `md5`\n\
             error: row 6: expected 32 bytes as URL-safe Base64 without padding, got `abc`\n",
        );
    }
}
