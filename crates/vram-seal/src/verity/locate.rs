//! From a difference between two measurements to the blocks that changed.

use std::fmt;

use super::{BLOCK_HASHES, GROUP_BYTES, Shape, VerityMeasurement, count};
use crate::{BlockHash, Error, Result};

/// A group's position in the file, counted from 0: bytes `n * 512 KiB` and on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupIndex(u64);

impl GroupIndex {
    /// The group at this position.
    #[must_use]
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The position, from 0.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Which bytes of a file of `size` bytes lie in this group; none past the end.
    #[must_use]
    pub fn byte_range(self, size: u64) -> std::ops::Range<u64> {
        let start = self.0.saturating_mul(GROUP_BYTES);
        start.min(size)..start.saturating_add(GROUP_BYTES).min(size)
    }
}

impl fmt::Display for GroupIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The first four bytes of a leaf hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeafPrint([u8; 4]);

impl LeafPrint {
    pub(crate) const fn of(leaf: &BlockHash) -> Self {
        let [a, b, c, d, ..] = *leaf.as_bytes();
        Self([a, b, c, d])
    }
}

/// Four bytes of every leaf hash of a file: 1 MiB per GiB, where the hashes would take 8.
///
/// They only pin down in which block of a group a change lies; that there is one, the group hashes
/// say, all 32 bytes of them. A changed block keeps its print once in four thousand million times.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LeafPrints(Vec<LeafPrint>);

impl LeafPrints {
    pub(crate) const fn new(prints: Vec<LeafPrint>) -> Self {
        Self(prints)
    }

    /// How many leaves they are of.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether they are of an empty file.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for LeafPrints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LeafPrints({} leaves)", self.len())
    }
}

/// The prints of leaf hashes in file order, for leaves that a device hashed.
impl FromIterator<BlockHash> for LeafPrints {
    fn from_iter<I: IntoIterator<Item = BlockHash>>(leaves: I) -> Self {
        let mut prints = Self::default();
        prints.extend(leaves);
        prints
    }
}

/// The prints of more leaf hashes, which follow in file order.
impl Extend<BlockHash> for LeafPrints {
    fn extend<I: IntoIterator<Item = BlockHash>>(&mut self, leaves: I) {
        let prints = leaves.into_iter().map(|leaf| LeafPrint::of(&leaf));
        self.0.extend(prints);
    }
}

/// What a file was, kept to say where it has changed.
///
/// Both sides must have been hashed with the same salt.
///
/// ```
/// use vram_seal::{HashPlan, Salt, hash_bytes, verity::{Locator, leaf_hashes, GROUP_SIZE}};
///
/// let mut weights = vec![1; 3 * GROUP_SIZE];
/// let sealed = hash_bytes(&weights, HashPlan::VERITY, &Salt::none());
/// let locator = Locator::new(sealed.verity.unwrap(), sealed.prints.unwrap())?;
///
/// weights[GROUP_SIZE + 5 * 4096] ^= 1;
/// let now = hash_bytes(&weights, HashPlan::VERITY, &Salt::none()).verity.unwrap();
///
/// let groups = locator.locate_groups(now.groups())?;
/// assert_eq!(groups.len(), 1);
/// let leaves = leaf_hashes(&weights[GROUP_SIZE..2 * GROUP_SIZE], &Salt::none());
/// assert_eq!(locator.locate_blocks(groups[0], &leaves)?, [128 + 5]);
/// # Ok::<(), vram_seal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Locator {
    shape: Shape,
    groups: Vec<BlockHash>,
    prints: LeafPrints,
}

impl Locator {
    /// Keeps what is needed of a measurement.
    ///
    /// # Errors
    /// [`Error::PrintCount`] when the prints are of a file of another size.
    pub fn new(measurement: VerityMeasurement, prints: LeafPrints) -> Result<Self> {
        let shape = Shape::new(measurement.size());
        let (expected, found) = (shape.leaves(), count(prints.len()));
        if found != expected {
            return Err(Error::PrintCount {
                size: shape.size(),
                expected,
                found,
            });
        }
        Ok(Self {
            shape,
            groups: measurement.into_groups(),
            prints,
        })
    }

    /// The file's size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.shape.size()
    }

    /// The group hashes as they were.
    #[must_use]
    pub fn groups(&self) -> &[BlockHash] {
        &self.groups
    }

    /// The groups that differ from what they were, in order.
    ///
    /// # Errors
    /// [`Error::GroupCount`] when `measured` is of a file with another number of groups.
    pub fn locate_groups(&self, measured: &[BlockHash]) -> Result<Vec<GroupIndex>> {
        let (expected, found) = (self.shape.groups(), count(measured.len()));
        if found != expected {
            return Err(Error::GroupCount {
                size: self.shape.size(),
                expected,
                found,
            });
        }
        Ok((0..)
            .zip(self.groups.iter().zip(measured))
            .filter(|(_, (was, is))| was != is)
            .map(|(index, _)| GroupIndex(index))
            .collect())
    }

    /// The blocks of one group that differ from what they were, as positions in the file: block
    /// `n` is the bytes `n * 4096` and on.
    ///
    /// `measured` holds all leaf hashes of the group as it is now. No block is named only if the
    /// group did not change or, once in four thousand million times, if the changed block's hash
    /// starts with the same four bytes: the group as a whole is what changed then.
    ///
    /// # Errors
    /// [`Error::GroupOutOfRange`] for a group past the end, [`Error::LeafCount`] when the group
    /// has another number of leaves.
    pub fn locate_blocks(&self, group: GroupIndex, measured: &[BlockHash]) -> Result<Vec<u64>> {
        if group.0 >= self.shape.groups() {
            return Err(Error::GroupOutOfRange {
                group: group.0,
                groups: self.shape.groups(),
            });
        }
        let (expected, found) = (self.shape.leaves_in_group(group.0), count(measured.len()));
        if found != expected {
            return Err(Error::LeafCount {
                group: group.0,
                expected,
                found,
            });
        }
        let first = group.0.saturating_mul(BLOCK_HASHES);
        let skip = usize::try_from(first).unwrap_or(usize::MAX);
        let was = self.prints.0.iter().skip(skip);
        Ok((first..)
            .zip(was.zip(measured))
            .filter(|(_, (was, is))| **was != LeafPrint::of(is))
            .map(|(block, _)| block)
            .collect())
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests compute on known values"
)]
mod tests {
    use super::*;
    use crate::{
        HashPlan, Salt, hash_bytes,
        verity::{GROUP_SIZE, finish_from_groups, leaf_hashes},
    };

    const SIZE: usize = 2 * GROUP_SIZE + 5000;

    fn locator(data: &[u8]) -> Locator {
        let sealed = hash_bytes(data, HashPlan::VERITY, &Salt::none());
        Locator::new(sealed.verity.unwrap(), sealed.prints.unwrap()).unwrap()
    }

    #[test]
    fn a_groups_index_reads_as_its_number() {
        assert_eq!(format!("{:>3}", GroupIndex::new(12)), " 12");
    }

    #[test]
    fn several_changes_are_all_found() {
        let mut data = vec![1; SIZE];
        let locator = locator(&data);
        for at in [0, 4096, GROUP_SIZE - 1, SIZE - 1] {
            data[at] ^= 0x80;
        }
        let now = hash_bytes(&data, HashPlan::VERITY, &Salt::none())
            .verity
            .unwrap();
        let groups = locator.locate_groups(now.groups()).unwrap();
        assert_eq!(groups, [GroupIndex::new(0), GroupIndex::new(2)]);
        let blocks = |group: GroupIndex| {
            let range = group.byte_range(SIZE as u64);
            let leaves = leaf_hashes(
                &data[range.start as usize..range.end as usize],
                &Salt::none(),
            );
            locator.locate_blocks(group, &leaves).unwrap()
        };
        assert_eq!(blocks(groups[0]), [0, 1, 127]);
        assert_eq!(blocks(groups[1]), [257]);
    }

    #[test]
    fn no_change_is_found_where_there_is_none() {
        let data = vec![1; SIZE];
        let locator = locator(&data);
        let groups = locator.groups().to_vec();
        assert_eq!(locator.locate_groups(&groups).unwrap(), []);
        let leaves = leaf_hashes(&data[..GROUP_SIZE], &Salt::none());
        assert_eq!(
            locator.locate_blocks(GroupIndex::new(0), &leaves).unwrap(),
            [] as [u64; 0]
        );
        assert_eq!(locator.size(), SIZE as u64);
    }

    #[test]
    fn lists_of_another_length_are_refused() {
        let locator = locator(&[1; SIZE]);
        let leaves = leaf_hashes(&[1; GROUP_SIZE], &Salt::none());
        let (first, last) = (GroupIndex::new(0), GroupIndex::new(2));

        let error = locator.locate_groups(&locator.groups()[..2]).unwrap_err();
        assert!(
            matches!(
                error,
                Error::GroupCount {
                    expected: 3,
                    found: 2,
                    ..
                }
            ),
            "{error}"
        );
        let error = locator.locate_blocks(first, &leaves[..127]).unwrap_err();
        assert!(matches!(
            error,
            Error::LeafCount {
                group: 0,
                expected: 128,
                found: 127
            }
        ));
        let error = locator.locate_blocks(last, &leaves).unwrap_err();
        assert!(matches!(
            error,
            Error::LeafCount {
                group: 2,
                expected: 2,
                found: 128
            }
        ));
        for group in [3, u64::MAX] {
            let error = locator
                .locate_blocks(GroupIndex::new(group), &[])
                .unwrap_err();
            assert!(
                matches!(error, Error::GroupOutOfRange { groups: 3, .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn prints_of_another_file_are_refused() {
        let one = hash_bytes(&[1; 4097], HashPlan::VERITY, &Salt::none());
        let other = hash_bytes(&[1; 4096], HashPlan::VERITY, &Salt::none());
        let error = Locator::new(one.verity.unwrap(), other.prints.unwrap()).unwrap_err();
        assert!(matches!(
            error,
            Error::PrintCount {
                size: 4097,
                expected: 2,
                found: 1
            }
        ));
    }

    #[test]
    fn a_change_that_keeps_the_print_is_still_a_changed_group() {
        let print = BlockHash::from_bytes([7; 32]);
        let mut twin = [7; 32];
        twin[4] = 8;
        let twin = BlockHash::from_bytes(twin);
        let measured = finish_from_groups(vec![print], 4096, &Salt::none()).unwrap();
        let locator = Locator::new(measured, [print].into_iter().collect()).unwrap();
        assert_eq!(
            locator.locate_groups(&[twin]).unwrap(),
            [GroupIndex::new(0)]
        );
        assert_eq!(
            locator.locate_blocks(GroupIndex::new(0), &[twin]).unwrap(),
            [] as [u64; 0]
        );
    }

    #[test]
    fn a_groups_bytes_end_with_the_file() {
        let range = |group, size| GroupIndex::new(group).byte_range(size);
        assert_eq!(range(0, 10), 0..10);
        assert_eq!(range(1, 524_288 * 3), 524_288..1_048_576);
        assert!(range(1, 524_288).is_empty());
        assert!(range(u64::MAX, u64::MAX).is_empty());
    }

    #[test]
    fn four_bytes_are_kept_of_each_leaf() {
        let prints: LeafPrints = [BlockHash::from_bytes([1; 32]); 3].into_iter().collect();
        assert_eq!((prints.len(), prints.is_empty()), (3, false));
        assert_eq!(size_of::<LeafPrint>(), 4);
        assert_eq!(format!("{prints:?}"), "LeafPrints(3 leaves)");
    }
}
