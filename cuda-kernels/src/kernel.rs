//! Which kernels there are, what they are called and how they are launched.

use core::ffi::CStr;
use core::mem::size_of;

use crate::arguments::{
    Sha256BlocksArgs, Sha256FewBlocksArgs, Sha256MessagesArgs, VerityDigestsArgs,
};
use crate::probe::{ProbeReadArgs, ProbeRegistersArgs};
use crate::ptx::{PROBES_PTX, PTX};

/// Threads in each block of a launch: what the kernels were compiled and tuned for. A launch with
/// more is refused by the driver.
pub const THREADS_PER_BLOCK: u32 = 128;

/// The most blocks that a launch may have along `x` on any CUDA device (2^31 − 1).
pub const MAX_GRID: u32 = i32::MAX.unsigned_abs();

/// A kernel of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kernel {
    /// A thread hashes one 4096-byte block: the fs-verity tree's leaves and every level above them.
    /// For launches that, with those beside them, are more than a device takes at a time. Takes [`Sha256BlocksArgs`].
    Sha256Blocks,
    /// The same for fewer blocks, of which each is done sooner. Takes [`Sha256FewBlocksArgs`].
    Sha256FewBlocks,
    /// A thread hashes one fs-verity descriptor: the digests of many small files whose roots are known.
    /// Takes [`VerityDigestsArgs`].
    VerityDigests,
    /// A thread hashes one message of any length: known-answer tests of the device's SHA-256.
    /// Takes [`Sha256MessagesArgs`].
    Sha256Messages,
    /// Each thread compresses in its registers alone: the rate that no hashing kernel can pass.
    /// Takes [`ProbeRegistersArgs`].
    ProbeRegisters,
    /// The threads read a range of memory together: the rate at which a device reads.
    /// Takes [`ProbeReadArgs`].
    ProbeRead,
}

impl Kernel {
    /// Every kernel, as they are declared.
    pub const ALL: [Self; 6] = [
        Self::Sha256Blocks,
        Self::Sha256FewBlocks,
        Self::VerityDigests,
        Self::Sha256Messages,
        Self::ProbeRegisters,
        Self::ProbeRead,
    ];

    /// The PTX that the kernel is in: what `cuModuleLoadDataEx` is given.
    #[must_use]
    pub const fn ptx(self) -> &'static CStr {
        match self {
            Self::Sha256Blocks
            | Self::Sha256FewBlocks
            | Self::VerityDigests
            | Self::Sha256Messages => PTX,
            Self::ProbeRegisters | Self::ProbeRead => PROBES_PTX,
        }
    }

    /// The entry's name in [its PTX](Self::ptx): what `cuModuleGetFunction` looks up.
    #[must_use]
    pub const fn name(self) -> &'static CStr {
        match self {
            Self::Sha256Blocks => c"vram_sha256_blocks",
            Self::Sha256FewBlocks => c"vram_sha256_few_blocks",
            Self::VerityDigests => c"vram_verity_digests",
            Self::Sha256Messages => c"vram_sha256_messages",
            Self::ProbeRegisters => c"vram_probe_registers",
            Self::ProbeRead => c"vram_probe_read",
        }
    }

    /// The kernel of this name, if there is one.
    #[must_use]
    pub fn from_name(name: &CStr) -> Option<Self> {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name)
    }

    /// Bytes in the kernel's one parameter: what a launch copies from `kernelParams[0]`.
    #[must_use]
    pub const fn args_size(self) -> usize {
        match self {
            Self::Sha256Blocks => size_of::<Sha256BlocksArgs>(),
            Self::Sha256FewBlocks => size_of::<Sha256FewBlocksArgs>(),
            Self::VerityDigests => size_of::<VerityDigestsArgs>(),
            Self::Sha256Messages => size_of::<Sha256MessagesArgs>(),
            Self::ProbeRegisters => size_of::<ProbeRegistersArgs>(),
            Self::ProbeRead => size_of::<ProbeReadArgs>(),
        }
    }
}

/// The blocks of a one-dimensional launch that gives each of `items` a thread, at
/// [`THREADS_PER_BLOCK`] threads a block.
///
/// `None` when there is nothing to launch (a launch without blocks is an error to the driver) or
/// more than one launch can cover ([`MAX_GRID`] blocks): then launch window by window.
///
/// ```
/// use vram_kernels::grid_for;
///
/// assert_eq!(grid_for(1), Some(1));
/// assert_eq!(grid_for(128), Some(1));
/// assert_eq!(grid_for(129), Some(2));
/// assert_eq!(grid_for(0), None);
/// assert_eq!(grid_for(u64::MAX), None);
/// ```
#[must_use]
pub fn grid_for(items: u64) -> Option<u32> {
    let blocks = u32::try_from(items.div_ceil(u64::from(THREADS_PER_BLOCK))).ok()?;
    (1..=MAX_GRID).contains(&blocks).then_some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_covers_every_item_and_refuses_what_one_launch_cannot_hold() {
        let most = u64::from(MAX_GRID) * u64::from(THREADS_PER_BLOCK);
        let cases = [
            (0, None),
            (1, Some(1)),
            (127, Some(1)),
            (128, Some(1)),
            (129, Some(2)),
            (256, Some(2)),
            (most, Some(MAX_GRID)),
            (most + 1, None),
            (u64::MAX, None),
        ];
        for (items, expected) in cases {
            assert_eq!(grid_for(items), expected, "{items} items");
        }
    }

    #[test]
    fn names_lead_back_to_their_kernels() {
        for kernel in Kernel::ALL {
            assert_eq!(Kernel::from_name(kernel.name()), Some(kernel));
        }
        assert_eq!(Kernel::from_name(c"vram_sha256"), None);
        assert_eq!(Kernel::from_name(c""), None);
    }

    #[test]
    fn parameter_sizes_are_those_of_the_argument_structs() {
        assert_eq!(Kernel::Sha256Blocks.args_size(), 96);
        assert_eq!(Kernel::Sha256FewBlocks.args_size(), 96);
        assert_eq!(Kernel::VerityDigests.args_size(), 64);
        assert_eq!(Kernel::Sha256Messages.args_size(), 48);
        assert_eq!(Kernel::ProbeRegisters.args_size(), 24);
        assert_eq!(Kernel::ProbeRead.args_size(), 32);
    }
}
