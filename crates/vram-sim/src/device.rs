//! What a simulated GPU is, and what it is like at the moment.

use std::collections::HashMap;

use vram_sys::{CUdevice_attribute, CUpointer_attribute, CUresult};

use crate::address_space::GRANULARITY;
use crate::answer::Answer;
use crate::context::Context;
use crate::error::SimError;
use crate::physical::Physical;

const GIB: u64 = 1 << 30;

/// A kind of GPU, as [`MachineBuilder::device`](crate::MachineBuilder::device) takes it.
///
/// The constructors are starting points; every field may be changed:
///
/// ```
/// use vram_sim::DeviceModel;
/// use vram_sys::CUdevice_attribute;
///
/// let mut shared = DeviceModel::h100().with_attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 0);
/// shared.total_memory = 16 << 30;
/// ```
#[derive(Clone, Debug)]
pub struct DeviceModel {
    /// What `cuDeviceGetName` says.
    pub name: String,
    /// What `cuDeviceGetUuid` says; `None` for one that names the simulator and the device's index.
    pub uuid: Option<[u8; 16]>,
    /// Memory in bytes, a multiple of 2 MiB. It takes room on the host as it is written.
    pub total_memory: u64,
    /// Major and minor compute capability.
    pub compute_capability: (i32, i32),
    /// What `cuDeviceGetAttribute` says; every attribute that isn't here is 0.
    pub attributes: HashMap<CUdevice_attribute, i32>,
    /// Whether `cuDeviceCanAccessPeer` says yes between this device and another that says so too. Nothing
    /// more comes of it: memory can't be mapped between simulated devices.
    pub peer_access: bool,
}

impl DeviceModel {
    /// An H100 with 80 GiB: a discrete GPU of a data centre.
    #[must_use]
    pub fn h100() -> Self {
        Self {
            name: "Simulated H100".to_owned(),
            uuid: None,
            total_memory: 80 * GIB,
            compute_capability: (9, 0),
            attributes: discrete(),
            peer_access: false,
        }
    }

    /// A discrete GPU with `bytes` of memory: what most tests need.
    #[must_use]
    pub fn small(bytes: u64) -> Self {
        Self {
            name: "Simulated GPU".to_owned(),
            total_memory: bytes,
            ..Self::h100()
        }
    }

    /// A GPU that has no memory of its own, like a Jetson Orin.
    #[must_use]
    pub fn integrated() -> Self {
        let model = Self {
            name: "Simulated Orin".to_owned(),
            total_memory: 32 * GIB,
            compute_capability: (8, 7),
            ..Self::h100()
        };
        model
            .with_attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED, 1)
            .with_attribute(
                CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
                16,
            )
            .with_attribute(
                CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS,
                0,
            )
            .with_attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 0)
    }

    /// A GPU whose memory and the host's are one coherent system, like a GH200.
    #[must_use]
    pub fn coherent() -> Self {
        let model = Self {
            name: "Simulated GH200".to_owned(),
            total_memory: 96 * GIB,
            ..Self::h100()
        };
        model
            .with_attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, 1)
            .with_attribute(
                CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES,
                1,
            )
            .with_attribute(
                CUdevice_attribute::CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST,
                1,
            )
            .with_attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED, 1)
            .with_attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_NUMA_CONFIG, 1)
            .with_attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_NUMA_ID, 1)
    }

    /// A discrete GPU with 16 GiB under a driver without virtual memory management, as some
    /// virtual GPUs are: `cuMemCreate` and its like answer `CUDA_ERROR_NOT_SUPPORTED`.
    #[must_use]
    pub fn without_vmm() -> Self {
        let model = Self {
            name: "Simulated vGPU".to_owned(),
            total_memory: 16 * GIB,
            compute_capability: (7, 5),
            ..Self::h100()
        };
        model.with_attribute(
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
            0,
        )
    }

    /// The same with one attribute changed.
    #[must_use]
    pub fn with_attribute(mut self, attribute: CUdevice_attribute, value: i32) -> Self {
        self.attributes.insert(attribute, value);
        self
    }
}

/// What `cuDeviceGetAttribute` says of a discrete GPU of a data centre.
fn discrete() -> HashMap<CUdevice_attribute, i32> {
    HashMap::from([
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK,
            1024,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X,
            1024,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y,
            1024,
        ),
        (CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X,
            i32::MAX,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y,
            65_535,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z,
            65_535,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK,
            49_152,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY,
            65_536,
        ),
        (CUdevice_attribute::CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK,
            65_536,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE,
            1_980_000,
        ),
        (CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GPU_OVERLAP, 1),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
            132,
        ),
        (CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED, 0),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS,
            1,
        ),
        (CUdevice_attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 1),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE,
            2_619_000,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH,
            5120,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE,
            50 << 20,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,
            2048,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT,
            3,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR,
            65_536,
        ),
        (CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 1),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS,
            0,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR,
            32,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED,
            1,
        ),
        (
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED,
            1,
        ),
    ])
}

/// A device of a machine.
#[derive(Debug)]
pub(crate) struct Device {
    index: usize,
    model: DeviceModel,
    pub(crate) memory: Physical,
    /// The primary context.
    pub(crate) context: Context,
    /// The error that every further use of the device gives, once something went wrong for good.
    lost: Option<CUresult>,
    vanished: bool,
    /// Bytes that other processes hold.
    pub(crate) other_use: u64,
    pub(crate) attributes: HashMap<CUdevice_attribute, i32>,
    pub(crate) pointer_attributes: HashMap<CUpointer_attribute, u64>,
}

impl Device {
    pub(crate) fn new(index: usize, model: DeviceModel) -> Result<Self, SimError> {
        let bytes = model.total_memory;
        if bytes == 0 || !bytes.is_multiple_of(GRANULARITY) {
            return Err(SimError::MemorySize {
                device: index,
                bytes,
                granularity: GRANULARITY,
            });
        }
        Ok(Self {
            index,
            memory: Physical::new("vram-sim device memory", bytes, GRANULARITY)?,
            model,
            context: Context::default(),
            lost: None,
            vanished: false,
            other_use: 0,
            attributes: HashMap::new(),
            pointer_attributes: HashMap::new(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.model.name
    }

    pub(crate) fn uuid(&self) -> [u8; 16] {
        self.model.uuid.unwrap_or_else(|| {
            let mut uuid = *b"vram-simulated-0";
            let index = u8::try_from(self.index).unwrap_or(u8::MAX);
            if let Some(last) = uuid.last_mut() {
                *last = last.wrapping_add(index);
            }
            uuid
        })
    }

    pub(crate) fn attribute(&self, attribute: CUdevice_attribute) -> Answer<i32> {
        if attribute.0 == 0 || attribute.0 >= CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX.0 {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let given = self
            .attributes
            .get(&attribute)
            .or(self.model.attributes.get(&attribute));
        Ok(given.copied().unwrap_or_else(|| {
            let (major, minor) = self.model.compute_capability;
            match attribute {
                CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR => major,
                CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR => minor,
                CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PCI_BUS_ID => self.bus(),
                _ => 0,
            }
        }))
    }

    /// Whether an attribute is other than 0.
    pub(crate) fn has(&self, attribute: CUdevice_attribute) -> bool {
        self.attribute(attribute).is_ok_and(|value| value != 0)
    }

    /// Whether the device could map the peer's memory; never its own, as the driver has it.
    pub(crate) fn can_access(&self, peer: &Self) -> bool {
        self.index != peer.index && self.model.peer_access && peer.model.peer_access
    }

    /// The PCI bus: the first device is on bus 1.
    pub(crate) fn bus(&self) -> i32 {
        i32::try_from(self.index)
            .unwrap_or(i32::MAX)
            .saturating_add(1)
    }

    pub(crate) const fn compute_capability(&self) -> (i32, i32) {
        self.model.compute_capability
    }

    /// Bytes that an allocation can still get.
    pub(crate) fn available(&self) -> u64 {
        self.memory.free().saturating_sub(self.other_use)
    }

    /// An error if the device was lost or has vanished.
    pub(crate) fn working(&self) -> Answer {
        self.lost.map_or(Ok(()), Err)
    }

    /// An error if the device has vanished: what is known of a lost one can still be asked.
    pub(crate) const fn present(&self) -> Answer {
        if self.vanished {
            Err(CUresult::CUDA_ERROR_UNKNOWN)
        } else {
            Ok(())
        }
    }

    /// Loses the device for good. The first reason stays.
    pub(crate) fn lose(&mut self, code: CUresult) {
        self.lost.get_or_insert(code);
    }

    /// Takes the device off the bus.
    pub(crate) fn vanish(&mut self) {
        self.vanished = true;
        self.lost = Some(CUresult::CUDA_ERROR_UNKNOWN);
    }
}
