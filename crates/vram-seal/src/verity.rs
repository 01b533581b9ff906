//! The fs-verity tree: SHA-256 over 4096-byte blocks, and over blocks of their hashes.
//!
//! What this module computes is what Linux computes when fs-verity is enabled on a file, and what
//! `fsverity digest --hash-alg=sha256 --block-size=4096 [--salt=HEX]` prints
//! (`Documentation/filesystems/fsverity.rst`):
//!
//! * The data is cut into blocks of 4096 bytes, the last one padded with zeros. Each is hashed;
//!   these are the *leaf hashes*.
//! * 128 hashes fill a block of 4096 bytes, the last one of a level padded with zeros. Each is
//!   hashed, and so on, until a level has one hash: the *root*. A file of one block has that
//!   block's hash as its root and no block of hashes; an empty file has a root of zeros.
//! * The *verity digest* is SHA-256 of a [descriptor] of 256 bytes.
//! * A [salt](crate::Salt), zero-padded to 64 bytes, is hashed in front of every block. The
//!   descriptor is hashed without it, and holds it.
//!
//! # Groups
//!
//! 128 leaves, 512 KiB of data, lie under one level-1 hash: the *group hash*. The list of them is
//! 1/16384 of the data. It is what a device gives back, from which [`finish_from_groups`] computes
//! the rest, and what [`Locator`] compares to find a change. A file that is read in several places
//! at once is hashed in [pieces](PieceHasher) of whole groups, in any order.

mod block;
mod locate;
mod measurement;
mod pieces;
mod shape;
mod stream;

use self::block::BlockHasher;
pub(crate) use self::stream::VerityHasher;
pub use self::{
    block::{group_hashes, leaf_hashes},
    locate::{GroupIndex, LeafPrints, Locator},
    measurement::{GroupHashes, VerityMeasurement, descriptor, finish_from_groups},
    pieces::{Piece, PieceHasher, PieceTree},
    shape::Shape,
};

/// How many bytes are hashed at once.
pub const BLOCK_SIZE: usize = 4096;

/// How many hashes fill a block.
pub const HASHES_PER_BLOCK: usize = 128;

/// How many bytes of data lie under one group hash: 128 blocks, 512 KiB.
pub const GROUP_SIZE: usize = 524_288;

/// [`BLOCK_SIZE`] as file offsets are counted.
pub(crate) const BLOCK_BYTES: u64 = 4096;

/// [`HASHES_PER_BLOCK`] as file offsets are counted.
pub(crate) const BLOCK_HASHES: u64 = 128;

/// [`GROUP_SIZE`] as file offsets are counted.
pub(crate) const GROUP_BYTES: u64 = 524_288;

/// A length in memory, counted as file offsets are: no platform's `usize` is wider than 64 bits.
pub(crate) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
