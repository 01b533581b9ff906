//! Bytes to copy, and what they must hash to.

use ring::digest::{SHA256, digest};

/// Bytes of a block, as the kernels hash them.
pub(crate) const BLOCK: usize = 4096;

/// Bytes that look random, the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

/// The digest of each block behind a prefix, the last block padded with zeros.
pub(crate) fn block_digests(prefix: &[u8], data: &[u8]) -> Vec<[u8; 32]> {
    let of_block = |block: &[u8]| {
        let mut message = prefix.to_vec();
        message.extend_from_slice(block);
        message.resize(prefix.len() + BLOCK, 0);
        sha256(&message)
    };
    data.chunks(BLOCK).map(of_block).collect()
}
