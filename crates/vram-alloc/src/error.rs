//! What can go wrong with device memory, and what to do about it.

use vram_sys::{Function, LoadError};

use crate::foreign::Foreign;
use crate::size::Bytes;

/// The result of this crate's operations.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why an operation on a device was refused or failed.
///
/// Each message says what was refused, the value, the limit and what to do. None holds an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no driver to talk to.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A device index outside the enumerated ones.
    #[error("there is no device {index}; {}", listed(available))]
    NoSuchDevice {
        /// The index that was asked for.
        index: usize,
        /// The devices that exist, in order, by name.
        available: Vec<String>,
    },
    /// The driver refused a call. Nothing has changed.
    #[error("the driver refused {function} while {doing}: {name} ({code})")]
    Driver {
        /// The driver function.
        function: Function,
        /// The driver's name for the error.
        name: String,
        /// The driver's code, a `CUresult`.
        code: u32,
        /// What the call was for.
        doing: &'static str,
    },
    /// The context is gone, with everything in it. Nothing in this process will bring it back.
    #[error(
        "the device is lost ({name}, seen by {function}): what it held can no longer be trusted or \
         reached. Stop this process; look for Xid messages in the kernel log"
    )]
    DeviceLost {
        /// The driver function that first said so.
        function: Function,
        /// The driver's name for the error.
        name: String,
    },
    /// The device or the budget has too little left.
    #[error(
        "out of device memory: {needed} needed, {available} available{}. Free shards, raise the \
         budget, or use a device with more memory",
        budget.map(|budget| format!(" of a budget of {budget}")).unwrap_or_default()
    )]
    OutOfMemory {
        /// Bytes the request takes, rounded up to the device's granularity.
        needed: Bytes,
        /// Bytes that could be taken now.
        available: Bytes,
        /// The budget, where it is what stands in the way.
        budget: Option<Bytes>,
    },
    /// A request for nothing.
    #[error("a region of 0 bytes was asked for; the smallest is 1 byte")]
    ZeroSize,
    /// A size that overflows when rounded up, or is larger than any address range.
    #[error(
        "{size} bytes can't be allocated: rounded up to {granularity} it passes the largest size"
    )]
    SizeOverflow {
        /// Bytes asked for.
        size: u64,
        /// The device's granularity, in bytes.
        granularity: u64,
    },
    /// A range that leaves its region or buffer.
    #[error(
        "{operation} of {len} bytes at offset {offset} leaves a region of {size} bytes; the last \
         offset allowed for that length is {}",
        last_offset(*size, *len)
    )]
    OutOfBounds {
        /// What was attempted.
        operation: &'static str,
        /// First byte of the range.
        offset: u64,
        /// Bytes in the range.
        len: u64,
        /// Bytes in the region.
        size: u64,
    },
    /// Things of two devices in one operation.
    #[error("{operation} joins memory of two devices; use regions of one device")]
    WrongDevice {
        /// What was attempted.
        operation: &'static str,
    },
    /// A thread without a context, or with one that has been destroyed.
    #[error(
        "no context is current to this thread: make the device's primary one current first (in cust: \
         Context::new, or quick_init), or open the device by its index"
    )]
    NoCurrentContext,
    /// A context that isn't its device's primary one.
    #[error(
        "the current context was made by cuCtxCreate, and nothing could keep it from being destroyed; \
         use the primary context of {device} (in cust: Context::new, not context::legacy)"
    )]
    NotPrimary {
        /// The device's name.
        device: String,
    },
    /// A view whose first element lies across the alignment of its type.
    #[error(
        "{operation} starts {excess} bytes past a multiple of {align}, which its elements are aligned \
         to; start {excess} bytes earlier, or take elements of a smaller alignment"
    )]
    Misaligned {
        /// What was attempted.
        operation: &'static str,
        /// Bytes past the last aligned address.
        excess: u64,
        /// The alignment needed, in bytes.
        align: u64,
    },
    /// A view that ends within an element.
    #[error("{operation} of {len} bytes is no whole number of elements of {element} bytes")]
    PartialElement {
        /// What was attempted.
        operation: &'static str,
        /// Bytes in the view.
        len: u64,
        /// Bytes in an element.
        element: u64,
    },
    /// Memory that somebody else allocated, and that can't be used through this device.
    #[error(
        "the memory can't be adopted: {why}. Adopt memory that was allocated in the context that this device uses"
    )]
    ForeignMemory {
        /// What is wrong with it.
        why: Foreign,
    },
    /// The driver did not confirm that a region is read-only.
    #[error(
        "the region was not frozen: after cuMemSetAccess(READ) the driver reports access {observed}. \
         Treat the driver as untrustworthy and stop"
    )]
    NotFrozen {
        /// What `cuMemGetAccess` said.
        observed: u64,
    },
    /// The device's SHA-256 is wrong.
    #[error(
        "the device failed the SHA-256 self-test on {vector}: it can't be trusted to measure. Take \
         it out of service"
    )]
    SelfTest {
        /// The known answer that didn't come out.
        vector: &'static str,
    },
    /// A configured value outside its range.
    #[error("{setting} is {value}; it must be {expected}")]
    BadSetting {
        /// The setting's name.
        setting: &'static str,
        /// What it was.
        value: u64,
        /// What is allowed.
        expected: &'static str,
    },
}

impl Error {
    /// Whether the same call may succeed later with nothing repaired in between.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } => true,
            Self::Load(_)
            | Self::NoSuchDevice { .. }
            | Self::Driver { .. }
            | Self::DeviceLost { .. }
            | Self::ZeroSize
            | Self::SizeOverflow { .. }
            | Self::OutOfBounds { .. }
            | Self::WrongDevice { .. }
            | Self::NoCurrentContext
            | Self::NotPrimary { .. }
            | Self::Misaligned { .. }
            | Self::PartialElement { .. }
            | Self::ForeignMemory { .. }
            | Self::NotFrozen { .. }
            | Self::SelfTest { .. }
            | Self::BadSetting { .. } => false,
        }
    }

    /// Whether the device can't be used any further by this process.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        match self {
            Self::DeviceLost { .. } | Self::NotFrozen { .. } | Self::SelfTest { .. } => true,
            Self::Load(_)
            | Self::NoSuchDevice { .. }
            | Self::Driver { .. }
            | Self::OutOfMemory { .. }
            | Self::ZeroSize
            | Self::SizeOverflow { .. }
            | Self::OutOfBounds { .. }
            | Self::WrongDevice { .. }
            | Self::NoCurrentContext
            | Self::NotPrimary { .. }
            | Self::Misaligned { .. }
            | Self::PartialElement { .. }
            | Self::ForeignMemory { .. }
            | Self::BadSetting { .. } => false,
        }
    }
}

fn listed(available: &[String]) -> String {
    if available.is_empty() {
        return "there are none".to_owned();
    }
    let devices = available
        .iter()
        .enumerate()
        .map(|(index, name)| format!("{index} ({name})"));
    format!("choose one of {}", devices.collect::<Vec<_>>().join(", "))
}

fn last_offset(size: u64, len: u64) -> String {
    size.checked_sub(len)
        .map_or_else(|| "none".to_owned(), |last| last.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Covers: FN-4.4.
    #[test]
    fn a_missing_device_lists_those_that_exist() {
        let error = Error::NoSuchDevice {
            index: 7,
            available: vec!["A".into(), "B".into()],
        };

        assert_eq!(
            error.to_string(),
            "there is no device 7; choose one of 0 (A), 1 (B)"
        );
    }

    /// Covers: RP-004.
    #[test]
    fn out_of_bounds_names_the_last_offset_that_fits() {
        let error = Error::OutOfBounds {
            operation: "a write",
            offset: 9,
            len: 4,
            size: 10,
        };
        assert!(error.to_string().ends_with("is 6"), "{error}");

        let error = Error::OutOfBounds {
            operation: "a write",
            offset: 0,
            len: 11,
            size: 10,
        };
        assert!(error.to_string().ends_with("is none"), "{error}");
    }

    /// Covers: EX-1.4.
    #[test]
    fn running_out_is_worth_a_retry_and_losing_the_device_is_not() {
        let out = Error::OutOfMemory {
            needed: Bytes(2),
            available: Bytes(1),
            budget: None,
        };
        let lost = Error::DeviceLost {
            function: Function::cuCtxSynchronize,
            name: "X".into(),
        };

        assert!(out.is_retriable() && !out.is_fatal());
        assert!(!lost.is_retriable() && lost.is_fatal());
    }

    /// Covers: EX-1.4.
    #[test]
    fn a_device_that_can_not_be_trusted_is_fatal() {
        for error in [
            Error::NotFrozen { observed: 3 },
            Error::SelfTest { vector: "abc" },
        ] {
            assert!(error.is_fatal() && !error.is_retriable(), "{error}");
        }
    }
}
