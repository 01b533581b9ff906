//! What was observed, as plain data. `None` always means "the driver could not say".

use serde::{Deserialize, Serialize};

/// What a driver said about one device.
///
/// The names are those of the driver's device attributes (`cuDeviceGetAttribute`), lower-cased.
/// [`DeviceFacts::default`] is a device about which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceFacts {
    /// `CU_DEVICE_ATTRIBUTE_INTEGRATED`: the GPU has no memory of its own and uses the host's.
    pub integrated: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS`: kernels can read and write any host memory
    /// of the process, without it being registered.
    pub pageable_memory_access: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES`: they do so through the
    /// host's page tables, so that one address space covers both memories.
    pub pageable_memory_access_uses_host_page_tables: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY`: managed memory could be allocated. True on every
    /// discrete GPU; recorded, and judged by no check.
    pub managed_memory: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY`: host memory could be mapped. True on every
    /// discrete GPU; recorded, and judged by no check.
    pub can_map_host_memory: Option<bool>,
}

/// What a driver said about one region of memory, beside what was expected of it.
///
/// It holds no address: the range is described relative to the region that was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionFacts {
    /// `CU_POINTER_ATTRIBUTE_MEMORY_TYPE`.
    pub memory: Option<MemoryKind>,
    /// `CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL`: the device that the memory belongs to.
    pub device_ordinal: Option<i32>,
    /// The device that the region was allocated on.
    pub expected_device_ordinal: i32,
    /// Whether the allocation that the driver knows (`CU_POINTER_ATTRIBUTE_RANGE_START_ADDR`)
    /// starts where the region starts.
    pub starts_at_region: Option<bool>,
    /// `CU_POINTER_ATTRIBUTE_RANGE_SIZE`: size of the allocation that the driver knows, in bytes.
    pub reported_size: Option<u64>,
    /// Size of the region in bytes, rounded up to the allocation granularity: what the driver was
    /// asked for.
    pub expected_size: u64,
    /// `CU_POINTER_ATTRIBUTE_IS_MANAGED`: the driver may move the memory between host and device.
    pub managed: Option<bool>,
    /// Whether `CU_POINTER_ATTRIBUTE_HOST_POINTER` names a host address for the memory. A driver
    /// that answers "invalid value" says that there is none: that is `Some(false)`. Any other
    /// failure is `None`.
    pub host_alias: Option<bool>,
}

impl RegionFacts {
    /// A region about which nothing has been observed yet: every check answers unknown.
    #[must_use]
    pub fn unobserved(expected_device_ordinal: i32, expected_size: u64) -> Self {
        Self {
            memory: None,
            device_ordinal: None,
            expected_device_ordinal,
            starts_at_region: None,
            reported_size: None,
            expected_size,
            managed: None,
            host_alias: None,
        }
    }
}

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

    #[test]
    fn facts_survive_json_with_unknown_observations_as_null() {
        let facts = RegionFacts {
            memory: Some(MemoryKind::Other(9)),
            ..RegionFacts::unobserved(3, 7)
        };

        let json = serde_json::to_value(&facts).unwrap();

        assert_eq!(json["managed"], serde_json::Value::Null);
        assert_eq!(serde_json::from_value::<RegionFacts>(json).unwrap(), facts);
    }

    #[test]
    fn a_misspelt_fact_is_refused_rather_than_dropped() {
        let refused = serde_json::from_str::<DeviceFacts>(r#"{"integrate": false}"#);

        assert!(refused.unwrap_err().to_string().contains("integrate"));
    }
}
