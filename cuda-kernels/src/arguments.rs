//! What the kernels are given: one struct each, passed by value.
//!
//! `cuda/arguments.h` declares the same structs for the device; both sides state every offset.

use core::fmt;
use core::mem::{align_of, offset_of, size_of};

use crate::kernel::Kernel;

/// Bytes in a block of the tree, as in fs-verity with its usual block size.
pub const BLOCK_SIZE: u64 = 4096;

/// Bytes in a SHA-256 digest as the kernels write it: big-endian, in the order of FIPS 180-4.
pub const DIGEST_SIZE: u64 = 32;

/// The initial hash value of SHA-256 (FIPS 180-4, section 5.3.3).
pub const SHA256_INITIAL_STATE: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The arguments of a [`Kernel`], tied to it by type: what a launch takes by value.
///
/// Sealed: a launcher that accepts any `KernelArgs` relies on the layouts that this crate checks.
pub trait KernelArgs: Copy + fmt::Debug + Send + Sync + sealed::Sealed + 'static {
    /// The kernel that takes these arguments.
    const KERNEL: Kernel;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// How much each block's hash has absorbed before the block itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Prefix {
    /// Nothing: the initial state is that of SHA-256.
    #[default]
    None = 0,
    /// One 64-byte block, which is how fs-verity puts a salt before each block it hashes.
    SaltBlock = 64,
}

impl Prefix {
    /// The prefix of so many bytes; `None` for any length but 0 and 64.
    #[must_use]
    pub const fn from_len(bytes: u64) -> Option<Self> {
        match bytes {
            0 => Some(Self::None),
            64 => Some(Self::SaltBlock),
            _ => None,
        }
    }
}

/// Arguments of [`Kernel::Sha256Blocks`]: hash `block_count` 4096-byte blocks of `data`, from
/// `first_block` on, and write their digests one after the other to `digests`.
///
/// - Block *i* is bytes `4096 * i ..` of the data. Where the data ends inside a block or before it,
///   the rest of the block counts as zeros.
/// - The same rule serves every level of the tree: the data of a level above is the digests below.
/// - The kernel reads bytes `data .. data + data_len` at most, and writes 32 bytes for each block
///   of the window to `digests ..`, nothing else. The two ranges must not overlap.
/// - Addresses may have any alignment. Data aligned to 16 bytes is read 16 bytes at a time; other
///   data costs many times that.
///
/// The data may also lie in many pieces, listed in a table of [`Row`]s: see
/// [`of_rows`](Self::of_rows).
///
/// Made by [`new`](Self::new), then narrowed. `Debug` leaves the device addresses out.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Sha256BlocksArgs {
    /// Device address of byte 0 of the data; 0 where there are rows.
    pub data: u64,
    /// Bytes of data; 0 where there are rows.
    pub data_len: u64,
    /// Device address that the digest of the window's first block goes to.
    pub digests: u64,
    /// Index of the window's first block.
    pub first_block: u64,
    /// Blocks in the window: one thread each.
    pub block_count: u64,
    /// Device address of a table of [`Row`], aligned to 8 bytes; 0 where the data is in one piece.
    pub rows: u64,
    /// SHA-256 state that every block starts from.
    pub initial_state: [u32; 8],
    /// What that state has absorbed already.
    pub prefix: Prefix,
    /// A 1 that the device's compiler doesn't know of: it turns additions into multiply-adds,
    /// which run on a pipe that SHA-256 leaves idle.
    one: u32,
    /// How many blocks each row stands for, as a power of 2: below 32.
    pub row_shift: u32,
    /// Zero.
    reserved: u32,
}

impl Sha256BlocksArgs {
    /// Every block of `data_len` bytes at the device address `data`, unsalted, digests to the
    /// device address `digests`.
    #[must_use]
    pub const fn new(data: u64, data_len: u64, digests: u64) -> Self {
        Self {
            data,
            data_len,
            digests,
            first_block: 0,
            block_count: data_len.div_ceil(BLOCK_SIZE),
            rows: 0,
            initial_state: SHA256_INITIAL_STATE,
            prefix: Prefix::None,
            one: 1,
            row_shift: 0,
            reserved: 0,
        }
    }

    /// The blocks of `row_count` pieces of data, which the table of [`Row`]s at the device address
    /// `rows` lists, unsalted, digests to the device address `digests`.
    ///
    /// Each row stands for 2<sup>`row_shift`</sup> blocks, so its digests start
    /// 32 · 2<sup>`row_shift`</sup> bytes after the row's before it. Blocks that a row has no data for
    /// are not hashed, and their digests are not written. What a row has beyond its blocks is not read.
    #[must_use]
    pub const fn of_rows(rows: u64, row_count: u64, row_shift: u32, digests: u64) -> Self {
        let mut args = Self::new(0, 0, digests);
        args.rows = rows;
        // Below 32, as the kernel takes it.
        args.row_shift = row_shift & 31;
        args.block_count = row_count << args.row_shift;
        args
    }

    /// Starts every block from `words`, a state that has absorbed `prefix` already: a salt.
    #[must_use]
    pub const fn with_initial_state(mut self, words: [u32; 8], prefix: Prefix) -> Self {
        self.initial_state = words;
        self.prefix = prefix;
        self
    }

    /// Narrows the launch to `block_count` blocks from `first_block` on.
    #[must_use]
    pub const fn with_window(mut self, first_block: u64, block_count: u64) -> Self {
        self.first_block = first_block;
        self.block_count = block_count;
        self
    }
}

impl fmt::Debug for Sha256BlocksArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256BlocksArgs")
            .field("data_len", &self.data_len)
            .field("first_block", &self.first_block)
            .field("block_count", &self.block_count)
            .field("in_rows", &(self.rows != 0))
            .field("row_shift", &self.row_shift)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl sealed::Sealed for Sha256BlocksArgs {}
impl KernelArgs for Sha256BlocksArgs {
    const KERNEL: Kernel = Kernel::Sha256Blocks;
}

/// Arguments of [`Kernel::Sha256FewBlocks`]: those of [`Kernel::Sha256Blocks`], and the same is read and
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Sha256FewBlocksArgs(pub Sha256BlocksArgs);

impl sealed::Sealed for Sha256FewBlocksArgs {}
impl KernelArgs for Sha256FewBlocksArgs {
    const KERNEL: Kernel = Kernel::Sha256FewBlocks;
}

/// Arguments of [`Kernel::VerityDigests`]: the fs-verity digest of each row's data, whose root is known,
/// digests one after the other.
///
/// - Each [`Row`]'s address is where the root lies, 32 bytes at a multiple of 8; its length is that of the
///   data, in bytes.
/// - The kernel reads the table and the roots, and writes 32 bytes a row to `digests ..`, nothing else. What
///   it writes must not overlap what it reads.
///
/// `Debug` leaves the device addresses out, and the salt.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct VerityDigestsArgs {
    /// Device address of the table: `row_count` rows of [`Row`], aligned to 8 bytes.
    pub rows: u64,
    /// Device address that the first row's digest goes to.
    pub digests: u64,
    /// Rows in the table: one thread each.
    pub row_count: u64,
    /// The salt, padded with zeros.
    salt: [u8; 32],
    /// Bytes of it.
    salt_len: u32,
    /// A 1 that the device's compiler doesn't know of, as in [`Sha256BlocksArgs`].
    one: u32,
}

impl VerityDigestsArgs {
    /// `row_count` rows at the device address `rows`, unsalted, digests to the device address `digests`.
    #[must_use]
    pub const fn new(rows: u64, row_count: u64, digests: u64) -> Self {
        Self {
            rows,
            digests,
            row_count,
            salt: [0; 32],
            salt_len: 0,
            one: 1,
        }
    }

    /// The same under a salt; `None` for one that fs-verity's descriptor has no room for, of more than 32
    /// bytes.
    #[must_use]
    pub fn with_salt(mut self, salt: &[u8]) -> Option<Self> {
        self.salt = [0; 32];
        self.salt.get_mut(..salt.len())?.copy_from_slice(salt);
        self.salt_len = u32::try_from(salt.len()).ok()?;
        Some(self)
    }
}

impl fmt::Debug for VerityDigestsArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerityDigestsArgs")
            .field("row_count", &self.row_count)
            .field("salt_len", &self.salt_len)
            .finish_non_exhaustive()
    }
}

impl sealed::Sealed for VerityDigestsArgs {}
impl KernelArgs for VerityDigestsArgs {
    const KERNEL: Kernel = Kernel::VerityDigests;
}

/// Arguments of [`Kernel::Sha256Messages`]: the plain SHA-256 (FIPS 180-4, padding and all) of each
/// message of a table, digests one after the other.
///
/// - The kernel reads the messages' bytes within `data .. data + data_len` and the table, and
///   writes 32 bytes a message to `digests ..`, nothing else. What it writes must not overlap what
///   it reads.
/// - A row that reaches outside the data is not followed: its digest is written as 32 zero bytes.
/// - Messages start at any byte and have any length. The table is aligned to 8 bytes.
///
/// `Debug` leaves the device addresses out.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Sha256MessagesArgs {
    /// Device address of the buffer that holds the messages.
    pub data: u64,
    /// Bytes in that buffer.
    pub data_len: u64,
    /// Device address of the table: `message_count` rows of [`Message`], aligned to 8 bytes.
    pub messages: u64,
    /// Device address that the first message's digest goes to.
    pub digests: u64,
    /// Rows in the table: one thread each.
    pub message_count: u64,
    /// A 1 that the device's compiler doesn't know of, as in [`Sha256BlocksArgs`].
    one: u32,
    /// Zero.
    reserved: u32,
}

impl Sha256MessagesArgs {
    /// `message_count` messages, found by the table at the device address `messages`, within
    /// `data_len` bytes at the device address `data`; digests to the device address `digests`.
    #[must_use]
    pub const fn new(
        data: u64,
        data_len: u64,
        messages: u64,
        message_count: u64,
        digests: u64,
    ) -> Self {
        Self {
            data,
            data_len,
            messages,
            digests,
            message_count,
            one: 1,
            reserved: 0,
        }
    }
}

impl fmt::Debug for Sha256MessagesArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256MessagesArgs")
            .field("data_len", &self.data_len)
            .field("message_count", &self.message_count)
            .finish_non_exhaustive()
    }
}

impl sealed::Sealed for Sha256MessagesArgs {}
impl KernelArgs for Sha256MessagesArgs {
    const KERNEL: Kernel = Kernel::Sha256Messages;
}

/// A row of the table that [`Sha256MessagesArgs::messages`] points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Message {
    /// The message's first byte, counted from the data's first.
    pub offset: u64,
    /// Bytes in the message.
    pub length: u64,
}

impl Message {
    /// The row as it lies in device memory, whose byte order is little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let row = u128::from(self.offset) | (u128::from(self.length) << u64::BITS);
        row.to_le_bytes()
    }
}

/// A row of the table that [`Sha256BlocksArgs::rows`] or [`VerityDigestsArgs::rows`] points to: a piece of data
/// of its own.
///
/// `Debug` leaves the device address out.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Row {
    /// Device address of the piece's byte 0.
    pub address: u64,
    /// Bytes in the piece.
    pub length: u64,
}

impl Row {
    /// The row as it lies in device memory, whose byte order is little-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let row = u128::from(self.address) | (u128::from(self.length) << u64::BITS);
        row.to_le_bytes()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

const _: () = {
    assert!(size_of::<Sha256BlocksArgs>() == 96);
    assert!(align_of::<Sha256BlocksArgs>() == 8);
    assert!(offset_of!(Sha256BlocksArgs, data) == 0);
    assert!(offset_of!(Sha256BlocksArgs, data_len) == 8);
    assert!(offset_of!(Sha256BlocksArgs, digests) == 16);
    assert!(offset_of!(Sha256BlocksArgs, first_block) == 24);
    assert!(offset_of!(Sha256BlocksArgs, block_count) == 32);
    assert!(offset_of!(Sha256BlocksArgs, rows) == 40);
    assert!(offset_of!(Sha256BlocksArgs, initial_state) == 48);
    assert!(offset_of!(Sha256BlocksArgs, prefix) == 80);
    assert!(offset_of!(Sha256BlocksArgs, one) == 84);
    assert!(offset_of!(Sha256BlocksArgs, row_shift) == 88);
    assert!(offset_of!(Sha256BlocksArgs, reserved) == 92);

    assert!(size_of::<Row>() == 16);
    assert!(align_of::<Row>() == 8);
    assert!(offset_of!(Row, address) == 0);
    assert!(offset_of!(Row, length) == 8);

    assert!(size_of::<Sha256FewBlocksArgs>() == size_of::<Sha256BlocksArgs>());
    assert!(align_of::<Sha256FewBlocksArgs>() == align_of::<Sha256BlocksArgs>());

    assert!(size_of::<VerityDigestsArgs>() == 64);
    assert!(align_of::<VerityDigestsArgs>() == 8);
    assert!(offset_of!(VerityDigestsArgs, rows) == 0);
    assert!(offset_of!(VerityDigestsArgs, digests) == 8);
    assert!(offset_of!(VerityDigestsArgs, row_count) == 16);
    assert!(offset_of!(VerityDigestsArgs, salt) == 24);
    assert!(offset_of!(VerityDigestsArgs, salt_len) == 56);
    assert!(offset_of!(VerityDigestsArgs, one) == 60);

    assert!(size_of::<Sha256MessagesArgs>() == 48);
    assert!(align_of::<Sha256MessagesArgs>() == 8);
    assert!(offset_of!(Sha256MessagesArgs, data) == 0);
    assert!(offset_of!(Sha256MessagesArgs, data_len) == 8);
    assert!(offset_of!(Sha256MessagesArgs, messages) == 16);
    assert!(offset_of!(Sha256MessagesArgs, digests) == 24);
    assert!(offset_of!(Sha256MessagesArgs, message_count) == 32);
    assert!(offset_of!(Sha256MessagesArgs, one) == 40);
    assert!(offset_of!(Sha256MessagesArgs, reserved) == 44);

    assert!(size_of::<Message>() == 16);
    assert!(align_of::<Message>() == 8);
    assert!(offset_of!(Message, offset) == 0);
    assert!(offset_of!(Message, length) == 8);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_covers_every_block_of_the_data() {
        let cases = [
            (0, 0),
            (1, 1),
            (4095, 1),
            (4096, 1),
            (4097, 2),
            (u64::MAX, 1 << 52),
        ];
        for (data_len, blocks) in cases {
            let args = Sha256BlocksArgs::new(0x1000, data_len, 0x2000);
            assert_eq!(
                (args.first_block, args.block_count),
                (0, blocks),
                "{data_len} bytes"
            );
        }
    }

    #[test]
    fn debug_shows_no_device_address() {
        let blocks = Sha256BlocksArgs::new(0xdead_beef_1000, 7, 0xdead_beef_2000);
        let messages =
            Sha256MessagesArgs::new(0xdead_beef_1000, 7, 0xdead_beef_3000, 1, 0xdead_beef_2000);
        let digests = VerityDigestsArgs::new(0xdead_beef_1000, 7, 0xdead_beef_2000);
        for shown in [
            format!("{blocks:?}"),
            format!("{:?}", Sha256FewBlocksArgs(blocks)),
            format!("{messages:?}"),
            format!("{digests:?}"),
            format!("{blocks:#x?}"),
        ] {
            for address in [0xdead_beef_1000_u64, 0xdead_beef_2000, 0xdead_beef_3000] {
                assert!(!shown.contains(&format!("{address}")), "{shown}");
                assert!(!shown.contains(&format!("{address:x}")), "{shown}");
            }
        }
    }

    #[test]
    fn only_no_prefix_and_one_salt_block_are_prefixes() {
        assert_eq!(Prefix::from_len(0), Some(Prefix::None));
        assert_eq!(Prefix::from_len(64), Some(Prefix::SaltBlock));
        for refused in [1, 32, 63, 65, 128, u64::MAX] {
            assert_eq!(Prefix::from_len(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_salt_of_more_than_32_bytes_has_no_descriptor() {
        let args = VerityDigestsArgs::new(0, 1, 0);
        assert_eq!(args.with_salt(&[]), Some(args));
        let salted = args.with_salt(b"salt").unwrap();
        assert_eq!((&salted.salt[..5], salted.salt_len), (&b"salt\0"[..], 4));
        // Not what was there before.
        assert_eq!(salted.with_salt(&[]), Some(args));
        assert!(args.with_salt(&[7; 32]).is_some());
        assert_eq!(args.with_salt(&[7; 33]), None);
    }

    #[test]
    fn a_table_row_is_two_little_endian_numbers() {
        let row = Message {
            offset: 0x0102_0304_0506_0708,
            length: 0x1112_1314_1516_1718,
        };
        let bytes = row.to_bytes();
        assert_eq!(bytes[..8], 0x0102_0304_0506_0708_u64.to_le_bytes());
        assert_eq!(bytes[8..], 0x1112_1314_1516_1718_u64.to_le_bytes());
    }
}
