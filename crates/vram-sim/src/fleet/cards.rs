//! The cards: what the driver and the management library say of each.

use vram_observe::{ConfidentialSettings, EccMode};
use vram_policy::{ComputeMode, RowRemapping, Virtualization};
use vram_sys::CUdevice_attribute as Attribute;

use super::GIB;
use super::attributes::{Figures, with};
use crate::{DeviceModel, EccErrors, ManagedCardModel, MigSliceModel};

const MIB: u64 = 1 << 20;

/// A card, in the part that it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silicon {
    H100,
    H100Slice,
    H100Confidential,
    Gh200,
    A100,
    A100HalfOfMps,
    L40s,
    V100,
    T4Share,
    Rtx4090,
    Rtx3080Wsl,
    Rtx6000Ada,
    T1000,
    Orin,
}

const H100: Figures = Figures {
    name: "H100 80GB HBM3",
    memory: 80 * GIB,
    compute_capability: (9, 0),
    multiprocessors: 132,
    l2_cache: 50 << 20,
    bus_width: 5120,
    clock: 1_980_000,
    memory_clock: 2_619_000,
    occupancy: (2048, 32),
    ecc: true,
    rdma: true,
};

const A100: Figures = Figures {
    name: "A100-SXM4-80GB",
    memory: 80 * GIB,
    compute_capability: (8, 0),
    multiprocessors: 108,
    l2_cache: 40 << 20,
    bus_width: 5120,
    clock: 1_410_000,
    memory_clock: 1_593_000,
    occupancy: (2048, 32),
    ecc: true,
    rdma: true,
};

impl Silicon {
    const fn figures(self) -> Figures {
        match self {
            Self::H100 => H100,
            // One of seven: an eighth of memory and cache, 16 multiprocessors.
            Self::H100Slice => Figures {
                name: "H100 80GB HBM3 MIG 1g.10gb",
                memory: 9856 * MIB,
                multiprocessors: 16,
                l2_cache: 50 << 17,
                bus_width: 640,
                ..H100
            },
            // Network cards have no way past the encryption of the bus.
            Self::H100Confidential => Figures {
                rdma: false,
                ..H100
            },
            Self::Gh200 => Figures {
                name: "GH200 480GB",
                memory: 96 * GIB,
                l2_cache: 60 << 20,
                bus_width: 6144,
                ..H100
            },
            Self::A100 => A100,
            // The daemon gives this client half of the threads.
            Self::A100HalfOfMps => Figures {
                multiprocessors: 54,
                ..A100
            },
            Self::L40s => Figures {
                name: "L40S",
                memory: 46_068 * MIB,
                compute_capability: (8, 9),
                multiprocessors: 142,
                l2_cache: 96 << 20,
                bus_width: 384,
                clock: 2_520_000,
                memory_clock: 9_001_000,
                occupancy: (1536, 24),
                ecc: true,
                rdma: true,
            },
            Self::V100 => Figures {
                name: "V100-SXM2-16GB",
                memory: 16 * GIB,
                compute_capability: (7, 0),
                multiprocessors: 80,
                l2_cache: 6 << 20,
                bus_width: 4096,
                clock: 1_530_000,
                memory_clock: 877_000,
                occupancy: (2048, 32),
                ecc: true,
                rdma: true,
            },
            Self::T4Share => Figures {
                name: "GRID T4-16C",
                memory: 16 * GIB,
                compute_capability: (7, 5),
                multiprocessors: 40,
                l2_cache: 4 << 20,
                bus_width: 256,
                clock: 1_590_000,
                memory_clock: 5_001_000,
                occupancy: (1024, 16),
                ecc: true,
                rdma: false,
            },
            Self::Rtx4090 => Figures {
                name: "GeForce RTX 4090",
                memory: 24 * GIB,
                compute_capability: (8, 9),
                multiprocessors: 128,
                l2_cache: 72 << 20,
                bus_width: 384,
                clock: 2_520_000,
                memory_clock: 10_501_000,
                occupancy: (1536, 24),
                ecc: false,
                rdma: false,
            },
            Self::Rtx3080Wsl => Figures {
                name: "GeForce RTX 3080",
                memory: 10 * GIB,
                compute_capability: (8, 6),
                multiprocessors: 68,
                l2_cache: 5 << 20,
                bus_width: 320,
                clock: 1_710_000,
                memory_clock: 9_501_000,
                occupancy: (1536, 16),
                ecc: false,
                rdma: false,
            },
            Self::Rtx6000Ada => Figures {
                name: "RTX 6000 Ada Generation",
                memory: 48 * GIB,
                compute_capability: (8, 9),
                multiprocessors: 142,
                l2_cache: 96 << 20,
                bus_width: 384,
                clock: 2_505_000,
                memory_clock: 10_001_000,
                occupancy: (1536, 24),
                ecc: true,
                rdma: true,
            },
            Self::T1000 => Figures {
                name: "T1000 8GB",
                memory: 8 * GIB,
                compute_capability: (7, 5),
                multiprocessors: 14,
                l2_cache: 1 << 20,
                bus_width: 128,
                clock: 1_395_000,
                memory_clock: 5_001_000,
                occupancy: (1024, 16),
                ecc: false,
                rdma: false,
            },
            // The memory is the processor's, less what the system keeps.
            Self::Orin => Figures {
                name: "Orin",
                memory: 61 * GIB,
                compute_capability: (8, 7),
                multiprocessors: 16,
                l2_cache: 4 << 20,
                bus_width: 256,
                clock: 1_300_000,
                memory_clock: 3_199_000,
                occupancy: (1536, 16),
                ecc: false,
                rdma: false,
            },
        }
    }

    /// What the CUDA driver says.
    pub(super) fn device(self) -> DeviceModel {
        let device = self.figures().device();
        match self {
            Self::Orin => with(
                device,
                &[
                    (Attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED, 1),
                    (Attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, 0),
                ],
            ),
            Self::Gh200 => with(
                device,
                &[
                    (Attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, 1),
                    (
                        Attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES,
                        1,
                    ),
                    (
                        Attribute::CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST,
                        1,
                    ),
                    (
                        Attribute::CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED,
                        1,
                    ),
                    (Attribute::CU_DEVICE_ATTRIBUTE_NUMA_CONFIG, 1),
                    (Attribute::CU_DEVICE_ATTRIBUTE_NUMA_ID, 1),
                ],
            ),
            // Under Windows managed memory doesn't move on demand, and WSL is Windows in this.
            Self::Rtx3080Wsl => with(
                device,
                &[
                    (Attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, 0),
                    (
                        Attribute::CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED,
                        0,
                    ),
                ],
            ),
            // Unified memory is switched off in guests by default, and so is what it rests on.
            Self::T4Share => with(
                device,
                &[
                    (Attribute::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 0),
                    (Attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, 0),
                    (
                        Attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED,
                        0,
                    ),
                ],
            ),
            _ => device,
        }
    }

    /// What the management library says.
    pub(super) fn managed(self, uuid: [u8; 16], pci_bus_id: &str) -> ManagedCardModel {
        let h100 = ManagedCardModel::h100(uuid, pci_bus_id);
        let a100 = ManagedCardModel {
            confidential: None,
            link_generation: Some(4),
            chip_to_chip: None,
            ..h100.clone()
        };
        // Cards without MIG.
        let undivided = ManagedCardModel {
            mig_mode: None,
            ..a100.clone()
        };
        match self {
            Self::H100 => h100,
            Self::H100Slice => ManagedCardModel {
                uuid: whole_card_of(uuid),
                mig_mode: Some(true),
                slices: vec![MigSliceModel {
                    uuid,
                    processes: Vec::new(),
                }],
                ..h100
            },
            Self::H100Confidential => ManagedCardModel {
                virtualization: Some(Virtualization::Passthrough),
                confidential: Some(ConfidentialSettings {
                    enabled: true,
                    developer_tools: false,
                }),
                confidential_ready: Some(true),
                ..h100
            },
            // The processor is behind the chip-to-chip link; of the other nothing is known.
            Self::Gh200 => ManagedCardModel {
                link_generation: None,
                link_width: None,
                chip_to_chip: Some(true),
                ..h100
            },
            Self::A100 => a100,
            Self::A100HalfOfMps => ManagedCardModel {
                compute_mode: Some(ComputeMode::ExclusiveProcess),
                ..a100
            },
            Self::L40s | Self::Rtx6000Ada => undivided,
            Self::V100 => ManagedCardModel {
                // From before row remapping: whole pages are retired.
                remapped_rows: None,
                pages_pending_retirement: Some(false),
                link_generation: Some(3),
                ..undivided
            },
            // A guest is told little of the card.
            Self::T4Share => ManagedCardModel {
                ecc_mode: None,
                ecc_errors: None,
                remapped_rows: None,
                virtualization: Some(Virtualization::VgpuGuest),
                link_generation: None,
                link_width: None,
                ..undivided
            },
            Self::Rtx4090 => ManagedCardModel {
                ecc_mode: Some(EccMode {
                    current: false,
                    pending: false,
                }),
                // Nobody counts while it is off.
                ecc_errors: None,
                persistence_mode: Some(false),
                ..undivided
            },
            Self::Rtx3080Wsl => ManagedCardModel {
                ecc_mode: None,
                ecc_errors: None,
                remapped_rows: None,
                // Windows knows them.
                processes: None,
                ..undivided
            },
            Self::T1000 => ManagedCardModel {
                ecc_mode: None,
                ecc_errors: None,
                remapped_rows: None,
                persistence_mode: Some(false),
                link_generation: Some(3),
                ..undivided
            },
            // Nobody is asked: there is no such library.
            Self::Orin => undivided,
        }
    }
}

/// Lets a card's memory fail: errors that ECC could not correct, two rows replaced, a third that waits for a
/// reset.
pub(super) fn fail(card: &mut ManagedCardModel) {
    card.ecc_errors = Some(EccErrors {
        corrected: 127,
        uncorrected: 3,
        uncorrected_lifetime: 5,
    });
    card.remapped_rows = Some(RowRemapping {
        after_corrected: 0,
        after_uncorrected: 2,
        pending: true,
        failed: false,
    });
}

/// The UUID of the card that a slice is of: another one.
fn whole_card_of(slice: [u8; 16]) -> [u8; 16] {
    slice.map(|byte| byte ^ 0x80)
}
