//! fs-verity's digest computed the plainest way, to compare with.

use ring::digest::{SHA256, digest};

const BLOCK: usize = 4096;

/// Everything a naive implementation knows of a file.
pub(crate) struct NaiveTree {
    /// The hashes of each level, leaves first, root last; none for an empty file.
    pub(crate) levels: Vec<Vec<[u8; 32]>>,
    pub(crate) root: [u8; 32],
    pub(crate) digest: [u8; 32],
}

impl NaiveTree {
    pub(crate) fn new(data: &[u8], salt: &[u8]) -> Self {
        let mut levels = Vec::new();
        let mut bytes = data.to_vec();
        while !bytes.is_empty() {
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
            let hashes: Vec<_> = bytes
                .chunks(BLOCK)
                .map(|block| salted(block, salt))
                .collect();
            bytes = if hashes.len() == 1 {
                Vec::new()
            } else {
                hashes.concat()
            };
            levels.push(hashes);
        }
        let root = levels.last().map_or([0; 32], |top| top[0]);

        let mut descriptor = vec![1, 1, 12, salt.len() as u8, 0, 0, 0, 0];
        descriptor.extend_from_slice(&(data.len() as u64).to_le_bytes());
        descriptor.extend_from_slice(&root);
        descriptor.resize(16 + 64, 0);
        descriptor.extend_from_slice(salt);
        descriptor.resize(256, 0);
        Self {
            levels,
            root,
            digest: sha256(&descriptor),
        }
    }

    /// What the crate calls the group hashes.
    pub(crate) fn groups(&self) -> &[[u8; 32]] {
        self.levels
            .get(1)
            .or(self.levels.first())
            .map_or(&[], Vec::as_slice)
    }
}

fn salted(block: &[u8], salt: &[u8]) -> [u8; 32] {
    let mut message = salt.to_vec();
    message.resize(if salt.is_empty() { 0 } else { 64 }, 0);
    message.extend_from_slice(block);
    sha256(&message)
}

fn sha256(message: &[u8]) -> [u8; 32] {
    digest(&SHA256, message)
        .as_ref()
        .try_into()
        .expect("SHA-256 gives 32 bytes")
}
