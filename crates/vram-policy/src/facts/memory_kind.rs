//! Kinds of memory.

use serde::{Deserialize, Serialize};

/// What kind of memory an address points to (`CUmemorytype`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MemoryKind {
    /// `CU_MEMORYTYPE_DEVICE` (2): memory of a device.
    Device,
    /// `CU_MEMORYTYPE_HOST` (1): host memory, registered or allocated by the driver.
    Host,
    /// `CU_MEMORYTYPE_ARRAY` (3): a texture array.
    Array,
    /// `CU_MEMORYTYPE_UNIFIED` (4): unified memory.
    Unified,
    /// A number that `CUmemorytype` did not have when this was written.
    Other(u32),
}

impl MemoryKind {
    /// The kind that a driver's `CUmemorytype` number stands for.
    #[must_use]
    pub fn from_driver(number: u32) -> Self {
        match number {
            1 => Self::Host,
            2 => Self::Device,
            3 => Self::Array,
            4 => Self::Unified,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for MemoryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Device => f.write_str("device"),
            Self::Host => f.write_str("host"),
            Self::Array => f.write_str("array"),
            Self::Unified => f.write_str("unified"),
            Self::Other(number) => write!(f, "unknown kind {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_kinds_follow_the_drivers_numbers() {
        assert_eq!(MemoryKind::from_driver(1), MemoryKind::Host);
        assert_eq!(MemoryKind::from_driver(2), MemoryKind::Device);
        assert_eq!(MemoryKind::from_driver(3), MemoryKind::Array);
        assert_eq!(MemoryKind::from_driver(4), MemoryKind::Unified);
    }

    #[test]
    fn a_number_the_driver_never_had_is_kept_and_is_not_device_memory() {
        for number in [0, 5, 6, u32::MAX] {
            let kind = MemoryKind::from_driver(number);

            assert_eq!(kind, MemoryKind::Other(number));
            assert_eq!(kind.to_string(), format!("unknown kind {number}"));
        }
    }
}
