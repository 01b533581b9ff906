//! The content of a file as the digests of its pieces.

use std::num::NonZeroU64;

use vram_seal::Digest;

/// SHA-256 of every piece of a file: all pieces have the same size but the last, which may be shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceDigests {
    size: u64,
    piece_size: NonZeroU64,
    digests: Vec<Digest>,
}

impl PieceDigests {
    /// The digests of a file of `size` bytes in pieces of `piece_size`. `None` if there are more or fewer than such a
    /// file has, or the file is empty.
    #[must_use]
    pub fn new(size: u64, piece_size: NonZeroU64, digests: Vec<Digest>) -> Option<Self> {
        let pieces = size.div_ceil(piece_size.get());
        let whole = size > 0 && u64::try_from(digests.len()) == Ok(pieces);
        whole.then_some(Self {
            size,
            piece_size,
            digests,
        })
    }

    /// The file's size in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes in each piece but the last.
    #[must_use]
    pub const fn piece_size(&self) -> NonZeroU64 {
        self.piece_size
    }

    /// The digests, in the order of the pieces.
    #[must_use]
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_digests_as_pieces() {
        let three = NonZeroU64::new(3).unwrap();
        let digests = |count| vec![Digest::of(b""); count];

        assert!(PieceDigests::new(5, three, digests(2)).is_some());
        assert!(PieceDigests::new(6, three, digests(2)).is_some());
        assert!(PieceDigests::new(7, three, digests(2)).is_none());
        assert!(PieceDigests::new(3, three, digests(2)).is_none());
        assert!(PieceDigests::new(0, three, digests(0)).is_none());
    }
}
