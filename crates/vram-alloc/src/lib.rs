//! Safe GPU memory: devices, a budget, regions that freeze, pinned staging, wiping and accounting.
//!
//! Over the raw driver of `vram-sys`, this crate owns: what is allocated is released, what is
//! released was wiped, every offset and length was checked before the driver saw it, and everything
//! keeps alive what it needs. It decides nothing about keys, digests or policy.
//!
//! | what | type |
//! | --- | --- |
//! | the driver and its devices | [`Platform`], [`Device`], [`DeviceProperties`] |
//! | a budget of a device's memory | [`Allocator`], [`Capacity`] |
//! | memory being filled, memory that is frozen | [`OpenRegion`], [`FrozenRegion`], [`Freezing`] |
//! | the way from the host, and back | [`StagingRing`], [`Readback`] |
//! | hashing on the device | [`Kernels`], [`RowTables`], [`Span`], [`SpanMut`], [`Stream`], [`Event`] |
//! | what the driver says of a region | [`RegionObservation`] |
//! | memory that somebody else allocated | [`ExternalRegion`], [`Device::adopt`], [`Foreign`] |
//! | kernels and buffers of the crate `cust` | the module `cust`, with the feature of that name |
//! | a device's limits, and how they are timed | [`Probes`], [`PinnedBuffer`], [`MappedBuffer`], [`Stopwatch`] |
//!
//! ```
//! use vram_alloc::{Allocator, AllocatorConfig, Freezing, Platform};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // On a machine with a GPU: Platform::load()?
//! let machine = vram_sim::Machine::builder().device(vram_sim::DeviceModel::h100()).build()?;
//! let platform = Platform::with_driver(machine.driver())?;
//! let device = platform.open(0)?;
//! let allocator = Allocator::new(&device, AllocatorConfig::default().with_budget(64 << 20))?;
//!
//! let mut region = allocator.allocate(5)?;
//! region.write(0, b"bytes")?;
//! let frozen = region.freeze()?;
//! assert_eq!(frozen.freezing(), Freezing::Mmu);
//! assert_eq!(allocator.capacity()?.used.0, 2 << 20);
//!
//! drop(frozen); // wiped, unmapped, returned
//! assert_eq!(allocator.capacity()?.used.0, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Freezing
//!
//! Where the device has virtual memory management, a region is mapped by `cuMemMap`, and freezing
//! it is `cuMemSetAccess(PROT_READ)`: the device's MMU then refuses every write. A kernel that
//! tries loses the context; copies and fills the driver refuses before (`CUDA_ERROR_INVALID_VALUE`
//! on an H100 under driver 580). Elsewhere the region is a `cuMemAlloc`, and freezing is
//! [`Freezing::Software`].
//!
//! # A lost device
//!
//! Some errors end a context for good. The first is remembered: every later call answers
//! [`Error::DeviceLost`] without asking the driver. Releases are still tried; those that the driver
//! refuses are logged and counted ([`Device::release_failures`]).

mod allocator;
mod context;
#[cfg(feature = "cust")]
pub mod cust;
mod device;
#[cfg(feature = "drill")]
mod drill;
mod error;
mod external;
mod failure;
mod fate;
mod foreign;
mod kernels;
mod mapped;
mod memory;
mod observation;
mod pinned;
mod platform;
mod probe;
mod properties;
mod readable;
mod readback;
mod region;
mod rows;
mod self_test;
mod size;
mod span;
mod staging;
mod stopwatch;
mod stream;
mod sync;

pub use allocator::{Allocator, AllocatorConfig, Capacity, Mechanism};
pub use device::{Device, DeviceMemory, PinnedHost};
pub use error::{Error, Result};
pub use external::ExternalRegion;
pub use fate::{Fate, Released};
pub use foreign::Foreign;
pub use kernels::{HashStart, Kernels, message_row};
pub use mapped::MappedBuffer;
pub use memory::Freezing;
pub use observation::{MemoryKind, RegionObservation};
pub use pinned::PinnedBuffer;
pub use platform::Platform;
pub use probe::{Probes, ReadSum};
pub use properties::DeviceProperties;
pub use readable::Readable;
pub use readback::Readback;
pub use region::{DeviceAddress, FrozenRegion, OpenRegion};
pub use rows::RowTables;
pub use self_test::SELF_TEST_SCRATCH;
pub use size::Bytes;
pub use span::{Span, SpanMut};
pub use staging::{Sent, StagingBuffer, StagingRing};
pub use stopwatch::Stopwatch;
pub use stream::{Event, Stream};
