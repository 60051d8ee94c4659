//! Hashes of files, as browsers and Nix write them: `sha256-…` with base64.
//!
//! <https://www.w3.org/TR/sri/#integrity-metadata>

use std::fmt;
use std::io::{self, Read};

use data_encoding::{BASE64, BitOrder, Encoding, HEXLOWER_PERMISSIVE, Specification};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// A hash that is good enough to vouch for a file.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Sri {
    algorithm: Algorithm,
    digest: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// Why a text is not a hash that vouches for a file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SriError {
    /// An algorithm that is broken, or that nobody knows.
    #[error("expected SHA-256, SHA-384 or SHA-512, got {0}")]
    Algorithm(String),
    /// Not `algorithm:digest`, nor `algorithm-digest`.
    #[error("expected an algorithm and a digest, as `sha256:…`")]
    Parts,
    /// Not a digest of the algorithm.
    #[error("expected {expected} bytes in hexadecimal")]
    Digest {
        /// How many bytes a digest has.
        expected: usize,
    },
    /// Not a digest of the algorithm.
    #[error("expected {expected} bytes in base64")]
    Base64 {
        /// How many bytes a digest has.
        expected: usize,
    },
}

impl Algorithm {
    fn of(name: &str) -> Result<Self, SriError> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "sha384" => Ok(Self::Sha384),
            "sha512" => Ok(Self::Sha512),
            name => Err(SriError::Algorithm(name.to_owned())),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Sri {
    /// The SHA-256 of some bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            digest: Sha256::digest(bytes).to_vec(),
        }
    }

    /// Reads `sha256:` and a digest in hexadecimal.
    pub fn parse(text: &str) -> Result<Self, SriError> {
        let (algorithm, digest) = text.split_once(':').ok_or(SriError::Parts)?;
        Self::from_hex(algorithm, digest)
    }

    /// Reads `sha256-` and a digest in base64.
    pub fn read(text: &str) -> Result<Self, SriError> {
        let (algorithm, digest) = text.split_once('-').ok_or(SriError::Parts)?;
        let algorithm = Algorithm::of(algorithm)?;
        let expected = algorithm.len();
        match BASE64.decode(digest.as_bytes()) {
            Ok(digest) if digest.len() == expected => Ok(Self { algorithm, digest }),
            _ => Err(SriError::Base64 { expected }),
        }
    }

    /// Whether both are of one algorithm, so that they are of different files unless they are equal.
    pub(crate) fn has_algorithm_of(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm
    }

    /// The hash of what a reader gives, by the same algorithm.
    ///
    /// # Errors
    ///
    /// Reading fails.
    pub fn of_reader(&self, reader: &mut impl Read) -> io::Result<Self> {
        fn digest<D: Digest>(reader: &mut impl Read) -> io::Result<Vec<u8>> {
            let mut hasher = D::new();
            let mut buffer = vec![0; 1 << 20];
            loop {
                match reader.read(&mut buffer)? {
                    0 => return Ok(hasher.finalize().to_vec()),
                    count => hasher.update(buffer.get(..count).unwrap_or_default()),
                }
            }
        }
        let digest = match self.algorithm {
            Algorithm::Sha256 => digest::<Sha256>(reader),
            Algorithm::Sha384 => digest::<Sha384>(reader),
            Algorithm::Sha512 => digest::<Sha512>(reader),
        }?;
        Ok(Self {
            algorithm: self.algorithm,
            digest,
        })
    }

    /// Reads a SHA-256 in Nix' base32, which is written from its end.
    pub fn from_nix32(text: &str) -> Result<Self, SriError> {
        let algorithm = Algorithm::Sha256;
        let expected = algorithm.len();
        let reversed: Vec<u8> = text.bytes().rev().collect();
        let digest = nix32().and_then(|encoding| encoding.decode(&reversed).ok());
        let digest = digest.filter(|digest| digest.len() == expected);
        let digest = digest.ok_or(SriError::Digest { expected })?;
        Ok(Self { algorithm, digest })
    }

    /// Reads a digest in hexadecimal.
    pub fn from_hex(algorithm: &str, digest: &str) -> Result<Self, SriError> {
        let algorithm = Algorithm::of(algorithm)?;
        let expected = algorithm.len();
        let digest = HEXLOWER_PERMISSIVE.decode(digest.as_bytes()).ok();
        let digest = digest.filter(|digest| digest.len() == expected);
        let digest = digest.ok_or(SriError::Digest { expected })?;
        Ok(Self { algorithm, digest })
    }

    /// The strongest of several hashes of one file, each with its algorithm. Those that vouch for
    /// nothing are passed over if there is a better one.
    pub fn strongest<'a>(
        hashes: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Option<Result<Self, (String, SriError)>> {
        let mut best: Option<Result<Self, (String, SriError)>> = None;
        for (algorithm, digest) in hashes {
            let hash = Self::from_hex(algorithm, digest);
            best = match (hash, best) {
                (Ok(hash), Some(Ok(best))) => Some(Ok(best.max(hash))),
                (Ok(hash), _) => Some(Ok(hash)),
                (Err(error), None) => Some(Err((format!("{algorithm}:{digest}"), error))),
                (Err(_), best) => best,
            };
        }
        best
    }
}

/// The base32 of Nix, from the end of a text.
fn nix32() -> Option<Encoding> {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("0123456789abcdfghijklmnpqrsvwxyz");
    specification.bit_order = BitOrder::LeastSignificantFirst;
    specification.encoding().ok()
}

impl fmt::Display for Sri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}",
            self.algorithm.name(),
            BASE64.encode(&self.digest)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match Sri::parse(text) {
            Ok(hash) => hash.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn hexadecimal_becomes_base64() {
        check(
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        );
        assert_eq!(
            Sri::of_bytes(b"").to_string(),
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }

    #[test]
    fn weak_and_wrong_ones_are_refused() {
        check(
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "error: expected SHA-256, SHA-384 or SHA-512, got md5",
        );
        check(
            "sha256",
            "error: expected an algorithm and a digest, as `sha256:…`",
        );
        check("sha256:e3", "error: expected 32 bytes in hexadecimal");
        check(
            "sha256:ééb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8",
            "error: expected 32 bytes in hexadecimal",
        );
    }

    #[test]
    fn the_base32_of_nix_is_read() {
        // As `nix-hash --to-base32` writes the one of nothing.
        let text = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        assert_eq!(Sri::from_nix32(text), Ok(Sri::of_bytes(b"")));
        for text in [
            "",
            &text.replace('m', "e"),
            &text.replacen('0', "z", 1),
            &"é".repeat(26),
        ] {
            assert!(Sri::from_nix32(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_strongest_counts() {
        let (sha256, sha384, md5) = ("00".repeat(32), "00".repeat(48), "00".repeat(16));
        let pick = |hashes: &[(&str, &str)]| {
            let hash = Sri::strongest(hashes.iter().copied()).unwrap();
            hash.map(|hash| hash.algorithm.name())
        };
        assert_eq!(
            pick(&[("md5", &md5), ("sha256", &sha256), ("sha384", &sha384)]),
            Ok("sha384")
        );
        assert!(pick(&[("md5", &md5)]).is_err());
        assert!(Sri::strongest([]).is_none());
    }
}
