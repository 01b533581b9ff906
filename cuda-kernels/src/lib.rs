//! The SHA-256 tree kernels of vram-residency: CUDA source, the PTX made from it, and the same source
//! compiled for the CPU.
//!
//! A shard in GPU memory is measured where it lies: [`Kernel::Sha256Blocks`] hashes every 4096-byte block,
//! a thread a block, and hashes the digests level by level in the same way. The tree is that of Linux
//! fs-verity (Documentation/filesystems/fsverity.rst), so the result is what `fsverity digest` prints for
//! the file. [`Kernel::Sha256FewBlocks`] does the same where there are few blocks, and
//! [`Kernel::VerityDigests`] ends the trees of many small files. [`Kernel::Sha256Messages`] is plain
//! SHA-256 (FIPS 180-4) over messages of any length, for known-answer tests of the device before its
//! measurements are believed. [`Kernel::ProbeRegisters`] and
//! [`Kernel::ProbeRead`] find how fast a device can compress and read at most; they are PTX of their own, so
//! that a process which measures nothing but weights doesn't load them.
//!
//! This crate holds what a launcher, a simulator and a test must agree on, and no driver call:
//!
//! | what | where |
//! | --- | --- |
//! | which kernels there are, their names | [`Kernel`] |
//! | what each takes, by value | [`Sha256BlocksArgs`], [`Sha256FewBlocksArgs`], [`VerityDigestsArgs`], [`Sha256MessagesArgs`], [`ProbeRegistersArgs`], [`ProbeReadArgs`], tied to their kernels by [`KernelArgs`] |
//! | how each is launched | [`THREADS_PER_BLOCK`] threads a block, [`grid_for`] blocks |
//! | the code for the driver | [`PTX`], identified by [`PTX_SHA256`]; of the probes, [`PROBES_PTX`] |
//! | the code for the CPU | module `cpu`, with the feature `cpu` |
//!
//! ```
//! use vram_kernels::{Kernel, KernelArgs, PTX, Sha256BlocksArgs, grid_for};
//!
//! # let (device_address, scratch_address) = (0x7000_0000_0000, 0x7100_0000_0000);
//! // 1 GiB of weights, measured in two windows: the digests of the second.
//! let blocks = (1 << 30) / 4096;
//! let args = Sha256BlocksArgs::new(device_address, 1 << 30, scratch_address)
//!     .with_window(blocks / 2, blocks / 2);
//!
//! assert_eq!(grid_for(args.block_count), Some(1024));
//! assert_eq!(Sha256BlocksArgs::KERNEL, Kernel::Sha256Blocks);
//! assert_eq!(Sha256BlocksArgs::KERNEL.name(), c"vram_sha256_blocks");
//! assert!(PTX.to_str()?.contains(".visible .entry vram_sha256_blocks("));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Building
//!
//! Nothing here needs CUDA: the PTX is committed, and `cargo xtask kernels` renews it. The feature `cpu` needs
//! a C++17 compiler and Unix signals.

mod arguments;
#[cfg(feature = "cpu")]
pub mod cpu;
mod kernel;
mod probe;
mod ptx;

pub use arguments::{
    BLOCK_SIZE, DIGEST_SIZE, KernelArgs, Message, Prefix, Row, SHA256_INITIAL_STATE,
    Sha256BlocksArgs, Sha256FewBlocksArgs, Sha256MessagesArgs, VerityDigestsArgs,
};
pub use kernel::{Kernel, MAX_GRID, THREADS_PER_BLOCK, grid_for};
pub use probe::{PROBE_STATE_SIZE, PROBE_UNIT, ProbeReadArgs, ProbeRegistersArgs};
pub use ptx::{PROBES_PTX, PROBES_PTX_SHA256, PTX, PTX_SHA256};
