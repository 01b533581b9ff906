//! What a machine refuses to be told.

use std::time::Duration;

/// Why a simulated machine could not be made, or a question to it not be answered.
///
/// These are mistakes of whoever arranges a simulation. What the simulated *driver* refuses it
/// answers as the driver does: with a `CUresult`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// Every simulated driver that this process can hold at once is in use.
    #[error(
        "all {slots} simulated machines of this process are in use, and none was dropped within \
         {waited:?}: drop a Machine and every Driver made from it first"
    )]
    TooManyMachines {
        /// How many there can be at once.
        slots: usize,
        /// How long the builder waited for one.
        waited: Duration,
    },
    /// A device model's memory isn't a positive number of whole pages.
    #[error(
        "device {device} has {bytes} bytes of memory: choose a positive multiple of {granularity}"
    )]
    MemorySize {
        /// The device's index.
        device: usize,
        /// The memory asked for, in bytes.
        bytes: u64,
        /// The page size, in bytes.
        granularity: u64,
    },
    /// The machine has no device of this index.
    #[error("no device {device}: the machine has {count}, counted from 0")]
    NoSuchDevice {
        /// The index asked for.
        device: usize,
        /// How many there are.
        count: usize,
    },
    /// No live allocation has this id.
    #[error("no allocation {id}: take ids from Machine::allocations, while the allocation lives")]
    NoSuchAllocation {
        /// The id asked for.
        id: u64,
    },
    /// A place outside an allocation.
    #[error("allocation {id} has {size} bytes: {len} bytes at {offset} are not inside it")]
    OutOfRange {
        /// The allocation's id.
        id: u64,
        /// The first byte asked for.
        offset: u64,
        /// How many bytes were asked for.
        len: usize,
        /// The allocation's size in bytes.
        size: u64,
    },
    /// A byte has no such bit.
    #[error("no bit {bit}: a byte's bits are 0 to 7")]
    NoSuchBit {
        /// The bit asked for.
        bit: u8,
    },
    /// The operating system refused what the simulation is made of.
    #[error("could not {what}: {source}. A simulated device needs memfd and address space")]
    Os {
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl SimError {
    /// Whether the same request may succeed later, without anything being changed in it.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::TooManyMachines { .. } | Self::Os { .. } => true,
            Self::MemorySize { .. }
            | Self::NoSuchDevice { .. }
            | Self::NoSuchAllocation { .. }
            | Self::OutOfRange { .. }
            | Self::NoSuchBit { .. } => false,
        }
    }

    /// Whether the machine is of no use after this. None is.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::TooManyMachines { .. }
            | Self::Os { .. }
            | Self::MemorySize { .. }
            | Self::NoSuchDevice { .. }
            | Self::NoSuchAllocation { .. }
            | Self::OutOfRange { .. }
            | Self::NoSuchBit { .. } => false,
        }
    }
}

/// Turns the system's answer into an error that says what was being done.
pub(crate) fn os(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> SimError {
    move |errno| SimError::Os {
        what,
        source: errno.into(),
    }
}
