//! The tree over data that is hashed in pieces: in any order, by any number of threads.

use std::fmt;

use super::{
    BLOCK_SIZE, BlockHasher, GROUP_BYTES, GROUP_SIZE, LeafPrints, Shape, VerityMeasurement, count,
    locate::LeafPrint, measurement, stream,
};
use crate::{BlockHash, Error, Result, Salt};

/// Hashes pieces of one file, wherever in it they lie. Shared by the threads that hash.
///
/// ```
/// use vram_seal::{Salt, VerityDigest, verity::{GROUP_SIZE, PieceHasher, PieceTree}};
///
/// let weights = vec![7; GROUP_SIZE + 5];
/// let hasher = PieceHasher::new(524_293, &Salt::none());
/// let mut tree = PieceTree::new(524_293, &Salt::none());
/// // The last piece first.
/// tree.place(&hasher.hash(524_288, &weights[GROUP_SIZE..])?);
/// tree.place(&hasher.hash(0, &weights[..GROUP_SIZE])?);
/// let (measurement, _) = tree.finish()?;
/// assert_eq!(measurement.digest(), VerityDigest::of(&weights));
/// # Ok::<(), vram_seal::Error>(())
/// ```
pub struct PieceHasher {
    shape: Shape,
    blocks: BlockHasher,
}

/// The hashes of one piece: its group hashes, and the prints of its leaves.
#[derive(Clone)]
pub struct Piece {
    first_group: u64,
    groups: Vec<BlockHash>,
    prints: Vec<LeafPrint>,
}

/// Takes in the hashes of pieces until it has those of the whole file.
pub struct PieceTree {
    shape: Shape,
    salt: Salt,
    groups: Vec<Option<BlockHash>>,
    prints: Vec<LeafPrint>,
}

impl PieceHasher {
    /// Hashes pieces of a file of `size` bytes.
    #[must_use]
    pub fn new(size: u64, salt: &Salt) -> Self {
        Self {
            shape: Shape::new(size),
            blocks: BlockHasher::new(salt),
        }
    }

    /// Hashes the piece that starts at `offset`, on this thread.
    ///
    /// # Errors
    /// [`Error::PieceRange`] for a piece that doesn't start with a group, that ends within one
    /// before the file's end, or that goes on past it.
    pub fn hash(&self, offset: u64, data: &[u8]) -> Result<Piece> {
        self.hash_by(offset, data, stream::hash_in_turn)
    }

    /// Hashes the piece that starts at `offset`, its groups spread over the machine's cores.
    ///
    /// # Errors
    /// As [`hash`](Self::hash).
    pub fn hash_spread(&self, offset: u64, data: &[u8]) -> Result<Piece> {
        self.hash_by(offset, data, stream::hash_spread)
    }

    fn hash_by(&self, offset: u64, data: &[u8], hash: HashGroups) -> Result<Piece> {
        let first_group = self.first_group(offset, data)?;
        let mut piece = Piece {
            first_group,
            groups: vec![BlockHash::from_bytes([0; 32]); data.len().div_ceil(GROUP_SIZE)],
            prints: vec![LeafPrint::default(); data.len().div_ceil(BLOCK_SIZE)],
        };
        if self.shape.leaves() > 1 {
            hash(&self.blocks, data, &mut piece.groups, &mut piece.prints);
        } else {
            // One block: there is no block of hashes, the leaf hash is the root.
            let leaf = self.blocks.data(data);
            piece.groups.fill(leaf);
            piece.prints.fill(LeafPrint::of(&leaf));
        }
        Ok(piece)
    }

    fn first_group(&self, offset: u64, data: &[u8]) -> Result<u64> {
        let (len, size) = (count(data.len()), self.shape.size());
        let end = offset.checked_add(len).filter(|end| *end <= size);
        let whole = |bytes: u64| bytes.is_multiple_of(GROUP_BYTES);
        match end {
            Some(end) if whole(offset) && (whole(end) || end == size) => {
                Ok(offset.checked_div(GROUP_BYTES).unwrap_or(0))
            }
            _ => Err(Error::PieceRange { offset, len, size }),
        }
    }
}

/// How the groups of a piece are hashed: in turn, or several at once.
type HashGroups = fn(&BlockHasher, &[u8], &mut [BlockHash], &mut [LeafPrint]);

impl PieceTree {
    /// The tree over a file of `size` bytes, of which nothing is known yet. Takes the room for all
    /// its hashes at once: a bit over 1 MiB per GiB.
    #[must_use]
    pub fn new(size: u64, salt: &Salt) -> Self {
        let shape = Shape::new(size);
        let room = |hashes: u64| usize::try_from(hashes).unwrap_or(usize::MAX);
        Self {
            shape,
            salt: *salt,
            groups: vec![None; room(shape.groups())],
            prints: vec![LeafPrint::default(); room(shape.leaves())],
        }
    }

    /// Puts a piece's hashes in their place. A piece that is given twice counts as it was given last;
    /// what a piece of a larger file has past the end is not taken.
    pub fn place(&mut self, piece: &Piece) {
        let first = usize::try_from(piece.first_group).unwrap_or(usize::MAX);
        let groups = self.groups.iter_mut().skip(first);
        for (to, from) in groups.zip(&piece.groups) {
            *to = Some(*from);
        }
        let first = first.saturating_mul(super::HASHES_PER_BLOCK);
        let prints = self.prints.get_mut(first..).unwrap_or_default();
        for (to, from) in prints.iter_mut().zip(&piece.prints) {
            *to = *from;
        }
    }

    /// Computes what lies above the groups.
    ///
    /// # Errors
    /// [`Error::PieceMissing`] while there is a group that no piece had.
    pub fn finish(self) -> Result<(VerityMeasurement, LeafPrints)> {
        let size = self.shape.size();
        let missing = || self.groups.iter().position(Option::is_none);
        if let Some(group) = missing() {
            let group = count(group);
            return Err(Error::PieceMissing { group, size });
        }
        let groups = self.groups.into_iter().flatten().collect();
        let measurement = measurement::finish_from_groups(groups, size, &self.salt)?;
        Ok((measurement, LeafPrints::new(self.prints)))
    }
}

impl fmt::Debug for PieceHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PieceHasher")
            .field("size", &self.shape.size())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Piece")
            .field("first_group", &self.first_group)
            .field("groups", &self.groups.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PieceTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PieceTree")
            .field("size", &self.shape.size())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HashPlan, hash_bytes};

    fn pattern(size: usize) -> Vec<u8> {
        (0..size)
            .map(|at| u8::try_from((at ^ at >> 11) % 253).unwrap())
            .collect()
    }

    /// Every piece of `len` bytes with its offset.
    fn pieces(data: &[u8], len: usize) -> Vec<(u64, &[u8])> {
        let offsets = (0..).step_by(len).map(count);
        offsets.zip(data.chunks(len)).collect()
    }

    #[test]
    fn pieces_in_any_order_give_what_the_whole_gives() {
        let salt = Salt::new(b"challenge").unwrap();
        for size in [
            1,
            4095,
            4096,
            4097,
            GROUP_SIZE - 1,
            GROUP_SIZE,
            GROUP_SIZE + 1,
            5 * GROUP_SIZE + 4097,
        ] {
            let data = pattern(size);
            for salt in [&Salt::none(), &salt] {
                let expected = hash_bytes(&data, HashPlan::VERITY, salt);
                for groups in [1, 2, 64] {
                    let hasher = PieceHasher::new(count(size), salt);
                    let mut tree = PieceTree::new(count(size), salt);
                    let pieces = pieces(&data, groups * GROUP_SIZE);
                    for (at, (offset, piece)) in pieces.into_iter().enumerate().rev() {
                        let hashed = if at % 2 == 0 {
                            hasher.hash(offset, piece)
                        } else {
                            hasher.hash_spread(offset, piece)
                        };
                        tree.place(&hashed.unwrap());
                    }
                    let (measurement, prints) = tree.finish().unwrap();
                    assert_eq!(Some(measurement), expected.verity, "{size} by {groups}");
                    assert_eq!(Some(prints), expected.prints, "{size} by {groups}");
                }
            }
        }
    }

    #[test]
    fn an_empty_file_has_no_pieces() {
        let (measurement, prints) = PieceTree::new(0, &Salt::none()).finish().unwrap();

        let expected = hash_bytes(b"", HashPlan::VERITY, &Salt::none());
        assert_eq!(Some(measurement), expected.verity);
        assert!(prints.is_empty());
    }

    #[test]
    fn a_missing_piece_is_named() {
        let data = pattern(3 * GROUP_SIZE);
        let hasher = PieceHasher::new(count(data.len()), &Salt::none());
        let mut tree = PieceTree::new(count(data.len()), &Salt::none());
        tree.place(&hasher.hash(0, &data[..GROUP_SIZE]).unwrap());
        tree.place(
            &hasher
                .hash(2 * GROUP_BYTES, &data[2 * GROUP_SIZE..])
                .unwrap(),
        );

        let error = tree.finish().unwrap_err();

        assert!(
            matches!(error, Error::PieceMissing { group: 1, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_piece_that_is_no_whole_groups_of_the_file_is_refused() {
        let data = pattern(2 * GROUP_SIZE);
        let size = 2 * GROUP_BYTES + 7;
        let hasher = PieceHasher::new(size, &Salt::none());
        for (offset, len) in [
            (1, GROUP_SIZE),
            (0, GROUP_SIZE - 1),
            (0, 4096),
            (2 * GROUP_BYTES, 6),
            (2 * GROUP_BYTES, 8),
            (u64::MAX - 1, 2),
            (u64::MAX - GROUP_BYTES + 1, GROUP_SIZE),
        ] {
            let error = hasher.hash(offset, &data[..len]).unwrap_err();
            assert!(
                matches!(error, Error::PieceRange { offset: at, .. } if at == offset),
                "{offset} + {len}: {error}"
            );
        }
        assert!(hasher.hash(2 * GROUP_BYTES, &data[..7]).is_ok());
    }

    #[test]
    fn a_piece_of_a_larger_file_does_not_reach_past_the_end() {
        let data = pattern(2 * GROUP_SIZE);
        let piece = PieceHasher::new(2 * GROUP_BYTES, &Salt::none())
            .hash(0, &data)
            .unwrap();
        let mut tree = PieceTree::new(GROUP_BYTES, &Salt::none());

        tree.place(&piece);

        let (measurement, _) = tree.finish().unwrap();
        let expected = hash_bytes(&data[..GROUP_SIZE], HashPlan::VERITY, &Salt::none());
        assert_eq!(Some(measurement), expected.verity);
    }

    #[test]
    fn pieces_show_where_they_lie_and_no_byte_of_theirs() {
        let (size, salt) = (count(GROUP_SIZE) + 1, Salt::none());
        let hasher = PieceHasher::new(size, &salt);
        let piece = hasher.hash(count(GROUP_SIZE), b"x").unwrap();

        assert_eq!(format!("{hasher:?}"), "PieceHasher { size: 524289, .. }");
        assert_eq!(
            format!("{piece:?}"),
            "Piece { first_group: 1, groups: 1, .. }"
        );
        assert_eq!(
            format!("{:?}", PieceTree::new(size, &salt)),
            "PieceTree { size: 524289, .. }"
        );
    }
}
