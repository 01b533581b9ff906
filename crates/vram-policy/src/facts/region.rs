//! What is known of one region of memory.

use serde::{Deserialize, Serialize};

use super::MemoryKind;

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
    /// `CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE`: other processes could map the memory through
    /// `cuIpcGetMemHandle`.
    pub legacy_ipc: Option<bool>,
    /// `CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES`: the kinds of handle that the memory could be exported
    /// as; 0 for none.
    pub export_handle_types: Option<u64>,
    /// How kernels may use the memory now (`cuMemGetAccess`, `CU_POINTER_ATTRIBUTE_ACCESS_FLAGS`).
    pub access: Option<Access>,
    /// Whether the memory was frozen by the GPU's memory management unit, so that `access` must be
    /// [`Access::Read`].
    pub expected_frozen: bool,
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
            legacy_ipc: None,
            export_handle_types: None,
            access: None,
            expected_frozen: false,
        }
    }
}

/// What kernels may do with memory (`CUmemAccess_flags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Access {
    /// Nothing (0).
    None,
    /// Read it (1).
    Read,
    /// Read and write it (3).
    ReadWrite,
    /// A number that `CUmemAccess_flags` did not have when this was written.
    Other(u64),
}

impl Access {
    /// The access that a driver's `CUmemAccess_flags` number stands for.
    #[must_use]
    pub fn from_driver(number: u64) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Read,
            3 => Self::ReadWrite,
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Read => f.write_str("read"),
            Self::ReadWrite => f.write_str("read-write"),
            Self::Other(number) => write!(f, "unknown access {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceFacts;

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
