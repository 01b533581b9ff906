//! What the probe kernels are given: one struct each, passed by value.
//!
//! `cuda/probe_arguments.h` declares the same structs for the device; both sides state every offset.

use core::fmt;
use core::mem::{align_of, offset_of, size_of};

use crate::arguments::{KernelArgs, sealed};
use crate::kernel::Kernel;

/// Bytes of SHA-256 state that each thread of [`Kernel::ProbeRegisters`] writes: eight words in the
/// device's byte order.
pub const PROBE_STATE_SIZE: u64 = 32;

/// Bytes that [`Kernel::ProbeRead`] reads at a time, and that each of its threads writes.
pub const PROBE_UNIT: u64 = 16;

/// Arguments of [`Kernel::ProbeRegisters`]: each thread compresses `compressions` messages of 64 bytes
/// in a row, the first made from its index, each next one the last sixteen words of the schedule of the
/// one before, and writes the state to `states ..`, [`PROBE_STATE_SIZE`] bytes a thread. It reads no
/// memory.
///
/// `Debug` leaves the device address out.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ProbeRegistersArgs {
    /// Device address that the first thread's state goes to, aligned to 16 bytes.
    pub states: u64,
    /// Threads that work.
    pub threads: u64,
    /// Compressions by each thread.
    pub compressions: u32,
    /// A 1 that the device's compiler doesn't know of, as in
    /// [`Sha256BlocksArgs`](crate::Sha256BlocksArgs).
    one: u32,
}

impl ProbeRegistersArgs {
    /// `compressions` by each of `threads` threads, states to the device address `states`.
    #[must_use]
    pub const fn new(states: u64, threads: u64, compressions: u32) -> Self {
        Self {
            states,
            threads,
            compressions,
            one: 1,
        }
    }
}

impl fmt::Debug for ProbeRegistersArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeRegistersArgs")
            .field("threads", &self.threads)
            .field("compressions", &self.compressions)
            .finish_non_exhaustive()
    }
}

impl sealed::Sealed for ProbeRegistersArgs {}
impl KernelArgs for ProbeRegistersArgs {
    const KERNEL: Kernel = Kernel::ProbeRegisters;
}

/// Arguments of [`Kernel::ProbeRead`]: `threads` threads read `data_len` bytes from `data` on, each every
/// `threads`-th unit of [`PROBE_UNIT`] bytes, and each writes the exclusive or of its units to
/// `sums ..`. The sums' exclusive or is that of the whole data, the last unit padded with zeros.
///
/// The sums must not overlap the data. `Debug` leaves the device addresses out.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ProbeReadArgs {
    /// Device address of the data, aligned to 16 bytes.
    pub data: u64,
    /// Bytes of data.
    pub data_len: u64,
    /// Device address that the first thread's sum goes to, aligned to 16 bytes.
    pub sums: u64,
    /// Threads that share the work.
    pub threads: u64,
}

impl ProbeReadArgs {
    /// `threads` threads over `data_len` bytes at the device address `data`, sums to the device address
    /// `sums`.
    #[must_use]
    pub const fn new(data: u64, data_len: u64, sums: u64, threads: u64) -> Self {
        Self {
            data,
            data_len,
            sums,
            threads,
        }
    }
}

impl fmt::Debug for ProbeReadArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeReadArgs")
            .field("data_len", &self.data_len)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl sealed::Sealed for ProbeReadArgs {}
impl KernelArgs for ProbeReadArgs {
    const KERNEL: Kernel = Kernel::ProbeRead;
}

const _: () = {
    assert!(size_of::<ProbeRegistersArgs>() == 24);
    assert!(align_of::<ProbeRegistersArgs>() == 8);
    assert!(offset_of!(ProbeRegistersArgs, states) == 0);
    assert!(offset_of!(ProbeRegistersArgs, threads) == 8);
    assert!(offset_of!(ProbeRegistersArgs, compressions) == 16);
    assert!(offset_of!(ProbeRegistersArgs, one) == 20);

    assert!(size_of::<ProbeReadArgs>() == 32);
    assert!(align_of::<ProbeReadArgs>() == 8);
    assert!(offset_of!(ProbeReadArgs, data) == 0);
    assert!(offset_of!(ProbeReadArgs, data_len) == 8);
    assert!(offset_of!(ProbeReadArgs, sums) == 16);
    assert!(offset_of!(ProbeReadArgs, threads) == 24);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_device_address() {
        let registers = ProbeRegistersArgs::new(0xdead_beef_1000, 1, 2);
        let read = ProbeReadArgs::new(0xdead_beef_1000, 7, 0xdead_beef_2000, 1);
        for shown in [format!("{registers:?}"), format!("{read:?}")] {
            for address in [0xdead_beef_1000_u64, 0xdead_beef_2000] {
                assert!(!shown.contains(&address.to_string()), "{shown}");
            }
        }
    }
}
