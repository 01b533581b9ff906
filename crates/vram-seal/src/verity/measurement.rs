//! From group hashes to the root and the verity digest.

use super::{BlockHasher, Shape};
use crate::{BlockHash, Error, HashPlan, Result, Salt, VerityDigest, digest::sha256, hash_bytes};

/// What an empty file has as its root.
const EMPTY_ROOT: BlockHash = BlockHash::from_bytes([0; 32]);

/// A file measured with fs-verity's tree: what is compared, and what locates a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerityMeasurement {
    size: u64,
    root: BlockHash,
    digest: VerityDigest,
    groups: Vec<BlockHash>,
}

impl VerityMeasurement {
    /// The file's size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root hash; zeros for an empty file.
    #[must_use]
    pub const fn root(&self) -> BlockHash {
        self.root
    }

    /// The verity digest. Two measurements agree when their digests do: it covers size, root
    /// and salt.
    #[must_use]
    pub const fn digest(&self) -> VerityDigest {
        self.digest
    }

    /// The group hashes: one for every 512 KiB, in order, the hash of the block that holds the
    /// group's leaf hashes.
    ///
    /// A file of 1 to 4096 bytes has no block of hashes: its one group hash is its one leaf hash,
    /// the root itself. An empty file has none.
    #[must_use]
    pub fn groups(&self) -> &[BlockHash] {
        &self.groups
    }

    /// The group hashes alone, without a copy.
    #[must_use]
    pub fn into_groups(self) -> Vec<BlockHash> {
        self.groups
    }
}

/// Computes the upper levels and the descriptor from group hashes, measured on a device for one.
///
/// `groups` holds what [`VerityMeasurement::groups`] describes, hashed with the same `salt`; for
/// `size` up to 4096 bytes it is the leaf hash, with no block of hashes above it.
///
/// # Errors
/// [`Error::GroupCount`] when a file of `size` bytes has another number of groups.
pub fn finish_from_groups(
    groups: Vec<BlockHash>,
    size: u64,
    salt: &Salt,
) -> Result<VerityMeasurement> {
    let expected = Shape::new(size).groups();
    let found = u64::try_from(groups.len()).unwrap_or(u64::MAX);
    if found != expected {
        return Err(Error::GroupCount { size, expected, found });
    }
    Ok(finish(groups, size, &BlockHasher::new(salt), salt))
}

/// As [`finish_from_groups`], for groups whose number is known to be right.
pub(crate) fn finish(
    groups: Vec<BlockHash>,
    size: u64,
    hasher: &BlockHasher,
    salt: &Salt,
) -> VerityMeasurement {
    let root = root(&groups, hasher);
    let digest = VerityDigest::from_bytes(sha256(&descriptor(size, root, salt)));
    VerityMeasurement { size, root, digest, groups }
}

fn root(groups: &[BlockHash], hasher: &BlockHasher) -> BlockHash {
    if let [] = groups {
        return EMPTY_ROOT;
    }
    if let [root] = groups {
        return *root;
    }
    let mut level = hasher.level(groups);
    loop {
        match level.as_slice() {
            [root] => return *root,
            below => level = hasher.level(below),
        }
    }
}

/// fs-verity's descriptor, whose SHA-256 is the verity digest
/// (`struct fsverity_descriptor` of `Documentation/filesystems/fsverity.rst`).
///
/// Version 1, algorithm 1 (SHA-256), log2 of the block size 12, the salt's length, 4 zeros, `size`
/// in little-endian order, the root in 64 bytes, the salt in 32, 144 zeros.
#[must_use]
pub fn descriptor(size: u64, root: BlockHash, salt: &Salt) -> [u8; 256] {
    let (salt, salt_len) = salt.descriptor_fields();
    let mut descriptor = [0; 256];
    let fields = [1, 1, 12, salt_len, 0, 0, 0, 0]
        .into_iter()
        .chain(size.to_le_bytes())
        .chain(*root.as_bytes())
        .chain([0; 32])
        .chain(*salt);
    for (to, from) in descriptor.iter_mut().zip(fields) {
        *to = from;
    }
    descriptor
}

/// Measures bytes in memory.
pub(crate) fn measure(data: &[u8], salt: &Salt) -> VerityMeasurement {
    todo!()
}
