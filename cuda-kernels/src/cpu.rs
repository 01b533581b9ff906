//! Launching the kernels on the CPU: the simulated driver's `cuLaunchKernel`.
//!
//! The kernels are those of the GPU, compiled from the same source; a "device address" is an address of
//! this process. A thread of the grid runs from start to end before the next one does, so a launch's
//! blocks can be shared out over as many CPU threads as one likes: every [`launch`] takes a range of them.
//!
//! A kernel that touches memory it must not (unmapped, or write-protected) ends the launch with a
//! [`CpuFault`], as a GPU's memory management unit ends it with `CUDA_ERROR_ILLEGAL_ADDRESS`. For that the
//! first launch takes over the signals `SIGSEGV` and `SIGBUS` and passes on, to the handlers that it found,
//! every fault that isn't a launch's.
//!
//! ```
//! use vram_kernels::{KernelArgs as _, Sha256BlocksArgs, THREADS_PER_BLOCK, cpu, grid_for};
//!
//! let data = vec![0_u8; 10_000];
//! let mut digests = vec![[0_u8; 32]; 3];
//! let args = Sha256BlocksArgs::new(
//!     data.as_ptr().expose_provenance() as u64,
//!     data.len() as u64,
//!     digests.as_mut_ptr().expose_provenance() as u64,
//! );
//! let grid = grid_for(args.block_count).ok_or("nothing to launch")?;
//!
//! // SAFETY: `args` describes the live buffers `data` and `digests`, which nothing else uses meanwhile,
//! // and it is the argument struct of the kernel named.
//! unsafe {
//!     cpu::launch(
//!         Sha256BlocksArgs::KERNEL,
//!         grid,
//!         THREADS_PER_BLOCK,
//!         0..grid,
//!         (&raw const args).cast(),
//!     )
//! }?;
//!
//! // SHA-256 of 4096 zero bytes.
//! assert_eq!(digests[0][..4], [0xad, 0x7f, 0xac, 0xb2]);
//! assert_eq!(digests[0], digests[2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::ffi::c_void;
use core::fmt;
use core::ops::Range;

use crate::kernel::Kernel;

/// What a faulting kernel was doing to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// The processor didn't say.
    Unknown,
}

/// A launch stopped because its kernel touched memory that it must not touch. Some of the launch's digests
/// may have been written.
///
/// Neither `Debug` nor `Display` shows the address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CpuFault {
    access: Access,
    address: u64,
}

impl CpuFault {
    /// What the kernel was doing.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// The address that the kernel touched. For tests: it belongs in no log and no message.
    #[must_use]
    pub const fn address(&self) -> u64 {
        self.address
    }
}

impl fmt::Debug for CpuFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuFault")
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for CpuFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.access {
            Access::Read => "the kernel read memory that is not mapped for it",
            Access::Write => "the kernel wrote to memory that is not mapped for writing",
            Access::Unknown => "the kernel touched memory that is not mapped for it",
        })
    }
}

impl core::error::Error for CpuFault {}

/// `struct Fault` of `cuda/cpu/guard.h`.
#[derive(Default)]
#[repr(C)]
struct RawFault {
    address: u64,
    access: i32,
    reserved: i32,
}

const _: () = {
    assert!(size_of::<RawFault>() == 16);
    assert!(core::mem::offset_of!(RawFault, access) == 8);
};

// SAFETY: the declaration is that of `cuda/cpu/launch.cpp`, which the build script compiles and links.
unsafe extern "C" {
    fn vram_cpu_launch(
        kernel: u32,
        threads_per_block: u32,
        first_block: u32,
        end_block: u32,
        args: *const c_void,
        fault: *mut RawFault,
    ) -> i32;
}

/// The kernel's number in `cuda/cpu/launch.cpp`.
const fn identifier(kernel: Kernel) -> u32 {
    match kernel {
        Kernel::Sha256Blocks => 0,
        Kernel::Sha256Messages => 1,
        Kernel::Sha256FewBlocks => 2,
        Kernel::VerityDigests => 3,
        Kernel::ProbeRegisters => 100,
        Kernel::ProbeRead => 101,
    }
}

/// Runs the blocks `blocks` of a launch of `grid_x` blocks with `block_x` threads each, on this thread, to
/// the end. Blocks outside the grid do not exist and do not run.
///
/// # Errors
///
/// The first access to memory that is unmapped or protected ends the call: see [`CpuFault`].
///
/// # Safety
///
/// - `args` points to [`Kernel::args_size`] readable bytes that are a valid value of the kernel's
///   [argument struct](crate::KernelArgs); any alignment will do.
/// - What the arguments name as device memory is either memory that the caller lets the kernel use for
///   as long as the call lasts — to read it, or to write the digests to it, with nothing else writing
///   what it reads or touching what it writes — or memory whose access faults: not mapped at all, or
///   protected. In particular it may not be memory of this process that belongs to something else.
/// - Nothing has replaced the handlers of `SIGSEGV` and `SIGBUS` since the first launch; otherwise a fault
///   does whatever those do.
pub unsafe fn launch(
    kernel: Kernel,
    grid_x: u32,
    block_x: u32,
    blocks: Range<u32>,
    args: *const c_void,
) -> Result<(), CpuFault> {
    let mut fault = RawFault::default();
    let first = blocks.start;
    let end = blocks.end.min(grid_x);
    // SAFETY: the caller vouches for `args` and for the memory it names; `fault` is ours. The C++ side
    // leaves its own frames on a fault, none of which owns anything, and never jumps over a Rust frame.
    let outcome = unsafe {
        vram_cpu_launch(
            identifier(kernel),
            block_x,
            first,
            end,
            args,
            &raw mut fault,
        )
    };
    if outcome == 0 {
        return Ok(());
    }
    let access = match fault.access {
        1 => Access::Read,
        2 => Access::Write,
        _ => Access::Unknown,
    };
    Err(CpuFault {
        access,
        address: fault.address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_shows_no_address() {
        let fault = CpuFault {
            access: Access::Write,
            address: 0xdead_beef_1000,
        };
        for shown in [
            format!("{fault:?}"),
            format!("{fault}"),
            format!("{fault:#?}"),
        ] {
            assert!(!shown.contains("dead"), "{shown}");
            assert!(
                !shown.contains(&0xdead_beef_1000_u64.to_string()),
                "{shown}"
            );
        }
        assert_eq!(fault.address(), 0xdead_beef_1000);
    }
}
