//! What the driver says of a device, as plain data.

use serde::Serialize;
use vram_sys::{CUdevice, CUdevice_attribute, CUuuid, Function};

use crate::Result;
use crate::platform::Platform;
use crate::size::Bytes;

/// A device as the driver describes it.
///
/// The flags are observations: `None` where this driver has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeviceProperties {
    /// Position in the driver's order; `CUDA_VISIBLE_DEVICES` changes it.
    pub index: usize,
    /// Product name (`cuDeviceGetName`).
    pub name: String,
    /// Identity that stays with the card (`cuDeviceGetUuid_v2`; a MIG slice has its own).
    #[serde(serialize_with = "properties_serde::hex")]
    pub uuid: [u8; 16],
    /// Address on the PCI bus, as `0000:17:00.0`.
    pub pci_bus_id: Option<String>,
    /// All the device's memory.
    pub total_memory: Bytes,
    /// Major and minor compute capability.
    pub compute_capability: (i32, i32),
    /// Streaming multiprocessors.
    pub multiprocessors: i32,
    /// The driver's CUDA version, as 1000 × major + 10 × minor.
    pub driver_version: i32,
    /// Whether a simulation answered.
    pub simulated: bool,
    /// The device shares the host's memory (`INTEGRATED`).
    pub integrated: Option<bool>,
    /// The device can read pageable host memory (`PAGEABLE_MEMORY_ACCESS`).
    pub pageable_memory_access: Option<bool>,
    /// It does so through the host's page tables (`PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES`).
    pub uses_host_page_tables: Option<bool>,
    /// Managed memory could be allocated (`MANAGED_MEMORY`). Every discrete GPU says so.
    pub managed_memory: Option<bool>,
    /// Host memory could be mapped (`CAN_MAP_HOST_MEMORY`). Every discrete GPU says so.
    pub can_map_host_memory: Option<bool>,
    /// Regions can be mapped, and frozen, page by page (`VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED`).
    pub virtual_memory_management: Option<bool>,
    /// ECC protects the memory (`ECC_ENABLED`).
    pub ecc_enabled: Option<bool>,
    /// Host and device can use managed memory at the same time (`CONCURRENT_MANAGED_ACCESS`).
    pub concurrent_managed_access: Option<bool>,
    /// The host reads managed memory on the device without moving it
    /// (`DIRECT_MANAGED_MEM_ACCESS_FROM_HOST`), as over a coherent link.
    pub direct_managed_access_from_host: Option<bool>,
    /// The device runs under Windows' driver model without a display (`TCC_DRIVER`).
    pub tcc_driver: Option<bool>,
    /// The second-level cache (`L2_CACHE_SIZE`).
    pub l2_cache: Option<Bytes>,
    /// The width of the memory's bus in bits (`GLOBAL_MEMORY_BUS_WIDTH`).
    pub memory_bus_width: Option<u32>,
    /// Positions of the devices that could map this one's memory (`cuDeviceCanAccessPeer`); `None` where
    /// the driver didn't answer for every one of them.
    pub peers: Option<Vec<usize>>,
}

mod properties_serde {
    pub(super) fn hex<S: serde::Serializer>(uuid: &[u8; 16], out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&super::Uuid(uuid))
    }
}

/// Prints as NVIDIA's tools do: `GPU-` and the usual groups of hexadecimal digits.
struct Uuid<'a>(&'a [u8; 16]);

impl core::fmt::Display for Uuid<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("GPU-")?;
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl DeviceProperties {
    /// The UUID as NVIDIA's tools print it: `GPU-` and the usual groups of hexadecimal digits.
    #[must_use]
    pub fn uuid_string(&self) -> String {
        Uuid(&self.uuid).to_string()
    }
}

pub(crate) fn query(
    platform: &Platform,
    index: usize,
    device: CUdevice,
    others: Option<&[(usize, CUdevice)]>,
) -> Result<DeviceProperties> {
    let required = |attribute| required_attribute(platform, device, attribute);
    let flag = |attribute| optional_attribute(platform, device, attribute).map(|value| value != 0);
    let positive = |attribute| {
        optional_attribute(platform, device, attribute)
            .and_then(|value| u32::try_from(value).ok())
            .filter(|&value| value > 0)
    };
    Ok(DeviceProperties {
        index,
        name: name(platform, device)?,
        uuid: uuid(platform, device)?,
        pci_bus_id: pci_bus_id(platform, device),
        total_memory: Bytes(total_memory(platform, device)?),
        compute_capability: (
            required(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            required(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        multiprocessors: required(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        driver_version: driver_version(platform)?,
        simulated: platform.is_simulated(),
        integrated: flag(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED),
        pageable_memory_access: flag(
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS,
        ),
        uses_host_page_tables: flag(
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES,
        ),
        managed_memory: flag(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY),
        can_map_host_memory: flag(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY),
        virtual_memory_management: flag(
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
        ),
        ecc_enabled: flag(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED),
        concurrent_managed_access: flag(
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS,
        ),
        direct_managed_access_from_host: flag(
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST,
        ),
        tcc_driver: flag(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_TCC_DRIVER),
        l2_cache: positive(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)
            .map(|bytes| Bytes(bytes.into())),
        memory_bus_width: positive(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH),
        peers: others.and_then(|others| peers(platform, device, others)),
    })
}

/// Which of the other devices could map this one's memory: the question is asked of them.
fn peers(
    platform: &Platform,
    device: CUdevice,
    others: &[(usize, CUdevice)],
) -> Option<Vec<usize>> {
    let mut peers = Vec::new();
    for &(index, other) in others {
        if can_access(platform, other, device)? {
            peers.push(index);
        }
    }
    Some(peers)
}

/// Whether `from` could map memory of `device`.
fn can_access(platform: &Platform, from: CUdevice, device: CUdevice) -> Option<bool> {
    let mut can = 0;
    // SAFETY: the driver writes one int.
    let result = unsafe { (platform.table().cuDeviceCanAccessPeer)(&raw mut can, from, device) };
    let function = Function::cuDeviceCanAccessPeer;
    platform
        .check(function, result, "asking for peer access")
        .ok()
        .map(|()| can != 0)
}

fn name(platform: &Platform, device: CUdevice) -> Result<String> {
    let mut text = [0_u8; 256];
    // SAFETY: the driver writes at most the length given, with a NUL.
    let result =
        unsafe { (platform.table().cuDeviceGetName)(text.as_mut_ptr().cast(), TEXT_LEN, device) };
    platform.check(
        Function::cuDeviceGetName,
        result,
        "reading the device's name",
    )?;
    Ok(text_of(&text))
}

fn pci_bus_id(platform: &Platform, device: CUdevice) -> Option<String> {
    let mut text = [0_u8; 256];
    // SAFETY: the driver writes at most the length given, with a NUL.
    let result = unsafe {
        (platform.table().cuDeviceGetPCIBusId)(text.as_mut_ptr().cast(), TEXT_LEN, device)
    };
    let function = Function::cuDeviceGetPCIBusId;
    platform
        .check(function, result, "reading the bus address")
        .ok()
        .map(|()| text_of(&text))
}

/// The length of the buffers above.
const TEXT_LEN: core::ffi::c_int = 256;

fn text_of(text: &[u8]) -> String {
    let end = text
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(text.len());
    String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned()
}

fn uuid(platform: &Platform, device: CUdevice) -> Result<[u8; 16]> {
    let mut uuid = CUuuid::default();
    // SAFETY: the driver writes one CUuuid.
    let result = unsafe { (platform.table().cuDeviceGetUuid_v2)(&raw mut uuid, device) };
    platform.check(
        Function::cuDeviceGetUuid_v2,
        result,
        "reading the device's UUID",
    )?;
    Ok(uuid.bytes.map(|byte| u8::from_ne_bytes(byte.to_ne_bytes())))
}

fn total_memory(platform: &Platform, device: CUdevice) -> Result<u64> {
    let mut bytes = 0;
    // SAFETY: the driver writes one size.
    let result = unsafe { (platform.table().cuDeviceTotalMem_v2)(&raw mut bytes, device) };
    platform.check(
        Function::cuDeviceTotalMem_v2,
        result,
        "reading the device's memory size",
    )?;
    Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
}

fn driver_version(platform: &Platform) -> Result<i32> {
    let mut version = 0;
    // SAFETY: the driver writes one int.
    let result = unsafe { (platform.table().cuDriverGetVersion)(&raw mut version) };
    platform.check(
        Function::cuDriverGetVersion,
        result,
        "reading the driver's version",
    )?;
    Ok(version)
}

fn required_attribute(
    platform: &Platform,
    device: CUdevice,
    attribute: CUdevice_attribute,
) -> Result<i32> {
    let mut value = 0;
    // SAFETY: the driver writes one int.
    let result =
        unsafe { (platform.table().cuDeviceGetAttribute)(&raw mut value, attribute, device) };
    platform.check(
        Function::cuDeviceGetAttribute,
        result,
        "reading a device attribute",
    )?;
    Ok(value)
}

/// An attribute that a driver may not have: no answer is an answer.
fn optional_attribute(
    platform: &Platform,
    device: CUdevice,
    attribute: CUdevice_attribute,
) -> Option<i32> {
    required_attribute(platform, device, attribute).ok()
}
