//! What is known of one device.

use serde::{Deserialize, Serialize};

use super::{ManagementFacts, OperatingSystem};

/// What a driver said about one device, and what NVIDIA's management library said of the same card.
///
/// The names are those of the driver's device attributes (`cuDeviceGetAttribute`), lower-cased.
/// [`DeviceFacts::default`] is a device about which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceFacts {
    /// `cuDeviceGetName`. Shown, judged by no check.
    pub name: Option<String>,
    /// `cuDeviceGetUuid_v2`, as NVIDIA's tools print it. Shown, judged by no check.
    pub uuid: Option<String>,
    /// The operating system that the driver runs on: on Linux there is no Windows driver model to judge.
    pub system: Option<OperatingSystem>,
    /// Whether a simulation answered. Shown, judged by no check.
    pub simulated: bool,
    /// `CU_DEVICE_ATTRIBUTE_INTEGRATED`: the GPU has no memory of its own and uses the host's.
    pub integrated: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS`: kernels can read and write any host memory
    /// of the process, without it being registered.
    pub pageable_memory_access: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES`: they do so through the
    /// host's page tables, so that one address space covers both memories.
    pub pageable_memory_access_uses_host_page_tables: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS`: host and device can use managed memory at the
    /// same time, so its pages move while kernels run.
    pub concurrent_managed_access: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST`: the host reads managed memory that is
    /// on the device without moving it, as over a coherent link.
    pub direct_managed_access_from_host: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY`: managed memory could be allocated. True on every
    /// discrete GPU; recorded, and judged by no check.
    pub managed_memory: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY`: host memory could be mapped. True on every
    /// discrete GPU; recorded, and judged by no check.
    pub can_map_host_memory: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED`: regions can be frozen by the GPU's own
    /// memory management unit.
    pub virtual_memory_management: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR`.
    pub compute_capability: Option<(u32, u32)>,
    /// `cuDriverGetVersion`: 1000 × major + 10 × minor of the CUDA version that the driver supports.
    pub cuda_driver_version: Option<u32>,
    /// `CU_DEVICE_ATTRIBUTE_TCC_DRIVER`: on Windows, the driver model without a display. On other systems
    /// it says nothing.
    pub tcc_driver: Option<bool>,
    /// `CU_DEVICE_ATTRIBUTE_ECC_ENABLED`: the driver's word on ECC.
    pub ecc_enabled: Option<bool>,
    /// Devices of this machine, by their ordinals, that could map this one's memory
    /// (`cuDeviceCanAccessPeer`).
    pub peers: Option<Vec<u32>>,
    /// What the management library says of the card; every field `None` where the library is absent.
    pub management: ManagementFacts,
}
