//! From group hashes to the root and the verity digest.

use std::fmt;

use super::{BlockHasher, HASHES_PER_BLOCK, Shape, count};
use crate::{BlockHash, Error, Result, Salt, VerityDigest, digest::sha256};

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
    /// and salt, as far as whoever computed it is believed (see [`GroupHashes::finish_as`]).
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
    let found = count(groups.len());
    if found != expected {
        return Err(Error::GroupCount {
            size,
            expected,
            found,
        });
    }
    Ok(finish(groups, size, &BlockHasher::new(salt), salt))
}

/// Group hashes as they come back from a device, in file order: the level above is computed meanwhile.
///
/// For large files, where hashing that level at the end would take as long as the device takes for
/// hundreds of MiB.
///
/// ```
/// use vram_seal::{HashPlan, Salt, hash_bytes, verity::GroupHashes};
///
/// let expected = hash_bytes(&[7; 3 << 20], HashPlan::VERITY, &Salt::none()).verity.unwrap();
/// let mut groups = GroupHashes::new(3 << 20, &Salt::none());
/// groups.extend(expected.groups().iter().copied());
/// assert_eq!(groups.finish()?, expected);
/// # Ok::<(), vram_seal::Error>(())
/// ```
pub struct GroupHashes {
    size: u64,
    salt: Salt,
    groups: Vec<BlockHash>,
    /// The hashes of the whole blocks that the groups fill so far.
    above: Vec<BlockHash>,
}

impl GroupHashes {
    /// Nothing yet, of a file of `size` bytes.
    #[must_use]
    pub fn new(size: u64, salt: &Salt) -> Self {
        Self {
            size,
            salt: *salt,
            groups: Vec::new(),
            above: Vec::new(),
        }
    }

    /// The measurement of all groups that came.
    ///
    /// # Errors
    /// [`Error::GroupCount`] when the file has another number of groups.
    pub fn finish(mut self) -> Result<VerityMeasurement> {
        self.require_all()?;
        let hasher = BlockHasher::new(&self.salt);
        let rest = self.groups.get(self.hashed()..).unwrap_or_default();
        if self.above.is_empty() {
            // All groups are in one block, if in any.
            return Ok(finish(self.groups, self.size, &hasher, &self.salt));
        }
        if !rest.is_empty() {
            self.above.push(hasher.hashes(rest));
        }
        let root = root(&self.above, &hasher);
        Ok(measurement(self.groups, self.size, root, &self.salt))
    }

    /// The measurement of all groups that came, under a root and with a digest that were computed from them
    /// elsewhere: on the device that computed the groups. Neither is computed again here: the digest says of size,
    /// root and salt what whoever computed it says. Compare it with one that is trusted, and take nothing else from
    /// it.
    ///
    /// # Errors
    /// [`Error::GroupCount`] when the file has another number of groups.
    pub fn finish_as(self, root: BlockHash, digest: VerityDigest) -> Result<VerityMeasurement> {
        self.require_all()?;
        Ok(VerityMeasurement {
            size: self.size,
            root,
            digest,
            groups: self.groups,
        })
    }

    fn require_all(&self) -> Result<()> {
        let expected = Shape::new(self.size).groups();
        let found = count(self.groups.len());
        if found == expected {
            return Ok(());
        }
        Err(Error::GroupCount {
            size: self.size,
            expected,
            found,
        })
    }

    /// How many groups the level above covers.
    fn hashed(&self) -> usize {
        self.above.len().saturating_mul(HASHES_PER_BLOCK)
    }
}

impl Extend<BlockHash> for GroupHashes {
    fn extend<I: IntoIterator<Item = BlockHash>>(&mut self, groups: I) {
        self.groups.extend(groups);
        let waiting = self.groups.get(self.hashed()..).unwrap_or_default();
        let (blocks, _) = waiting.as_chunks::<HASHES_PER_BLOCK>();
        if blocks.is_empty() {
            return;
        }
        let hasher = BlockHasher::new(&self.salt);
        let hashes = blocks.iter().map(|block| hasher.hashes(block));
        self.above.extend(hashes);
    }
}

impl fmt::Debug for GroupHashes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GroupHashes")
            .field("size", &self.size)
            .field("groups", &self.groups.len())
            .finish_non_exhaustive()
    }
}

/// As [`finish_from_groups`], for groups whose number is known to be right.
pub(crate) fn finish(
    groups: Vec<BlockHash>,
    size: u64,
    hasher: &BlockHasher,
    salt: &Salt,
) -> VerityMeasurement {
    let root = root(&groups, hasher);
    measurement(groups, size, root, salt)
}

fn measurement(
    groups: Vec<BlockHash>,
    size: u64,
    root: BlockHash,
    salt: &Salt,
) -> VerityMeasurement {
    let digest = VerityDigest::from_bytes(sha256(&descriptor(size, root, salt)));
    VerityMeasurement {
        size,
        root,
        digest,
        groups,
    }
}

fn root(level: &[BlockHash], hasher: &BlockHasher) -> BlockHash {
    match level {
        [] => EMPTY_ROOT,
        [root] => *root,
        below => root(&hasher.level(below), hasher),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HashPlan, hash_bytes, verity::GROUP_SIZE};

    fn groups(count: usize) -> Vec<BlockHash> {
        vec![BlockHash::from_bytes([1; 32]); count]
    }

    #[test]
    fn the_descriptor_lays_out_its_fields() {
        let salt = Salt::new(&[0xaa; 5]).unwrap();
        let descriptor = descriptor(
            0x0102_0304_0506_0708,
            BlockHash::from_bytes([0xbb; 32]),
            &salt,
        );
        assert_eq!(descriptor[..8], [1, 1, 12, 5, 0, 0, 0, 0]);
        assert_eq!(descriptor[8..16], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(descriptor[16..48], [0xbb; 32]);
        assert_eq!(descriptor[48..80], [0; 32]);
        assert_eq!(descriptor[80..85], [0xaa; 5]);
        assert_eq!(descriptor[85..], [0; 171]);
    }

    #[test]
    fn a_file_of_one_block_has_its_leaf_as_root_and_group() {
        let hasher = BlockHasher::new(&Salt::none());
        for data in [&[3_u8][..], &[3; 4096]] {
            let measured = hash_bytes(data, HashPlan::VERITY, &Salt::none())
                .verity
                .unwrap();
            assert_eq!(measured.root(), hasher.data(data));
            assert_eq!(measured.groups(), [hasher.data(data)]);
        }
        // One byte more, and there is a block of hashes above.
        let measured = hash_bytes(&[3; 4097], HashPlan::VERITY, &Salt::none())
            .verity
            .unwrap();
        let leaves = [hasher.data(&[3; 4096]), hasher.data(&[3])];
        assert_eq!(measured.groups(), [hasher.hashes(&leaves)]);
        assert_eq!(measured.root(), hasher.hashes(&leaves));
    }

    #[test]
    fn groups_of_another_file_are_refused() {
        let size = 2 * GROUP_SIZE as u64;
        for (size, count, expected) in [
            (size, 1, 2),
            (size, 3, 2),
            (size + 1, 2, 3),
            (0, 1, 0),
            (1, 0, 1),
            (u64::MAX, 1, 1 << 45),
        ] {
            let error = finish_from_groups(groups(count), size, &Salt::none()).unwrap_err();
            assert!(
                matches!(error, Error::GroupCount { size: s, expected: e, found: f }
                    if s == size && e == expected && f == count as u64),
                "{error}"
            );
        }
    }

    #[test]
    fn groups_that_come_in_pieces_measure_as_at_once() {
        let salt = Salt::new(b"salt").unwrap();
        for total in [1_u8, 2, 127, 128, 129, 255] {
            let groups: Vec<_> = (0..total).map(|n| BlockHash::from_bytes([n; 32])).collect();
            for size in [
                u64::from(total) * 524_288,
                u64::from(total) * 524_288 - 5000,
            ] {
                let expected = finish_from_groups(groups.clone(), size, &salt).unwrap();
                for piece in [1, 5, 128, 200, 255] {
                    let mut together = GroupHashes::new(size, &salt);
                    groups
                        .chunks(piece)
                        .for_each(|piece| together.extend(piece.iter().copied()));
                    assert_eq!(together.finish().unwrap(), expected, "{total} by {piece}");
                }
            }
        }
        // A whole block of blocks, and one more.
        for total in [16_384, 16_385] {
            let groups: Vec<_> = groups(total);
            let size = total as u64 * 524_288;
            let expected = finish_from_groups(groups.clone(), size, &salt).unwrap();
            let mut together = GroupHashes::new(size, &salt);
            together.extend(groups);
            assert_eq!(together.finish().unwrap(), expected, "{total}");
        }
        let missing = GroupHashes::new(1, &salt).finish();
        assert!(matches!(missing, Err(Error::GroupCount { found: 0, .. })));
    }

    #[test]
    fn what_was_computed_elsewhere_stands_as_it_is_over_all_groups_or_none() {
        let salt = Salt::none();
        let size = 3 * 524_288;
        let expected = finish_from_groups(groups(3), size, &salt).unwrap();
        let with = |count: usize, root: BlockHash, digest: VerityDigest| {
            let mut together = GroupHashes::new(size, &salt);
            together.extend(groups(count));
            together.finish_as(root, digest)
        };
        let (root, digest) = (expected.root(), expected.digest());

        assert_eq!(with(3, root, digest).unwrap(), expected);
        let (other_root, other) = (
            BlockHash::from_bytes([7; 32]),
            VerityDigest::from_bytes([8; 32]),
        );
        assert_eq!(with(3, other_root, digest).unwrap().root(), other_root);
        assert_eq!(with(3, root, other).unwrap().digest(), other);
        let missing = with(2, root, digest).unwrap_err();
        assert!(matches!(missing, Error::GroupCount { found: 2, .. }));
    }

    #[test]
    fn size_root_and_salt_all_count() {
        let finish = |groups, size, salt: &[u8]| {
            finish_from_groups(groups, size, &Salt::new(salt).unwrap())
                .unwrap()
                .digest()
        };
        let base = finish(groups(1), 5000, b"");
        assert_ne!(base, finish(groups(1), 5001, b""));
        assert_ne!(base, finish(groups(1), 5000, b"\0"));
        assert_ne!(
            base,
            finish(vec![BlockHash::from_bytes([2; 32])], 5000, b"")
        );
        assert_eq!(base, finish(groups(1), 5000, b""));
    }

    #[test]
    fn the_groups_are_given_out_as_they_were_put_in() {
        let measured = finish_from_groups(groups(3), 3 * GROUP_SIZE as u64, &Salt::none());

        assert_eq!(measured.unwrap().into_groups(), groups(3));
    }

    #[test]
    fn hashes_in_the_making_show_how_many_there_are() {
        let hashes = GroupHashes::new(3 * GROUP_SIZE as u64, &Salt::none());

        assert_eq!(
            format!("{hashes:?}"),
            "GroupHashes { size: 1572864, groups: 0, .. }"
        );
    }
}
