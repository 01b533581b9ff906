//! What `cuDeviceGetAttribute` says of a GPU, as far as kinds differ.

use vram_sys::CUdevice_attribute as Attribute;

use crate::DeviceModel;

/// The figures of a GPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) name: &'static str,
    /// In bytes; whole pages of 2 MiB.
    pub(super) memory: u64,
    pub(super) compute_capability: (i32, i32),
    pub(super) multiprocessors: i32,
    /// In bytes.
    pub(super) l2_cache: i32,
    /// In bits.
    pub(super) bus_width: i32,
    /// In kHz.
    pub(super) clock: i32,
    /// In kHz.
    pub(super) memory_clock: i32,
    /// Threads and blocks that a multiprocessor holds.
    pub(super) occupancy: (i32, i32),
    pub(super) ecc: bool,
    /// Network cards reach the memory.
    pub(super) rdma: bool,
}

impl Figures {
    /// A discrete GPU under Linux.
    pub(super) fn device(self) -> DeviceModel {
        let (threads, blocks) = self.occupancy;
        let model = DeviceModel {
            name: format!("Simulated {}", self.name),
            total_memory: self.memory,
            compute_capability: self.compute_capability,
            ..DeviceModel::h100()
        };
        with(
            model,
            &[
                (
                    Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
                    self.multiprocessors,
                ),
                (Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, self.l2_cache),
                (
                    Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH,
                    self.bus_width,
                ),
                (Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE, self.clock),
                (
                    Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE,
                    self.memory_clock,
                ),
                (
                    Attribute::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,
                    threads,
                ),
                (
                    Attribute::CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR,
                    blocks,
                ),
                (Attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED, self.ecc.into()),
                (
                    Attribute::CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED,
                    self.rdma.into(),
                ),
            ],
        )
    }
}

/// The same with these attributes changed.
pub(super) fn with(model: DeviceModel, attributes: &[(Attribute, i32)]) -> DeviceModel {
    attributes.iter().fold(model, |model, &(attribute, value)| {
        model.with_attribute(attribute, value)
    })
}
