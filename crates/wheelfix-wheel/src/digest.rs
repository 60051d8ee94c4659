//! The hashes of `RECORD`, computed.

use blake2::{Blake2b512, Blake2s256};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use sha3::{Sha3_256, Sha3_384, Sha3_512};
use wheelfix_format::{HashAlgorithm, RecordHash};

/// The hash of a content by an algorithm.
pub(crate) fn hash_of(algorithm: HashAlgorithm, content: &[u8]) -> Option<RecordHash> {
    let digest = match algorithm {
        HashAlgorithm::Sha256 => Sha256::digest(content).to_vec(),
        HashAlgorithm::Sha384 => Sha384::digest(content).to_vec(),
        HashAlgorithm::Sha512 => Sha512::digest(content).to_vec(),
        HashAlgorithm::Sha3_256 => Sha3_256::digest(content).to_vec(),
        HashAlgorithm::Sha3_384 => Sha3_384::digest(content).to_vec(),
        HashAlgorithm::Sha3_512 => Sha3_512::digest(content).to_vec(),
        HashAlgorithm::Blake2b => Blake2b512::digest(content).to_vec(),
        HashAlgorithm::Blake2s => Blake2s256::digest(content).to_vec(),
    };
    RecordHash::new(algorithm, digest)
}

/// Whether a content has another hash than `RECORD` says. SHA-256 is left to the reader of the archive,
/// which compares it as it reads.
pub fn differs(hash: Option<&RecordHash>, content: &[u8]) -> bool {
    hash.is_some_and(|hash| {
        hash.algorithm() != HashAlgorithm::Sha256
            && hash_of(hash.algorithm(), content).as_ref() != Some(hash)
    })
}
