//! Regions of device memory: open while they are filled, then frozen.

use core::fmt;
use core::mem::ManuallyDrop;
use std::sync::Arc;

use vram_sys::{CUdeviceptr, CUmemAccess_flags, Function};

use crate::allocator::{Inner, Purpose};
use crate::context::Context;
use crate::fate::{Fate, Released};
use crate::memory::{self, Freezing, Memory};
use crate::observation::{self, RegionObservation};
use crate::size::{self, Bytes};
use crate::span::{Span, SpanMut};
use crate::{Device, Error, Result};

/// Memory with the allocator it goes back to. Dropping it waits for the device, wipes and releases.
pub(crate) struct Region {
    allocator: Arc<Inner>,
    memory: ManuallyDrop<Memory>,
    purpose: Purpose,
    len: u64,
    mapped: u64,
    /// Whether the device's MMU refuses writes at present.
    read_only: bool,
    fate: Fate,
}

impl Region {
    pub(crate) fn new(
        allocator: Arc<Inner>,
        memory: Memory,
        purpose: Purpose,
        len: u64,
        mapped: u64,
    ) -> Self {
        let memory = ManuallyDrop::new(memory);
        Self {
            allocator,
            memory,
            purpose,
            len,
            mapped,
            read_only: false,
            fate: Fate::default(),
        }
    }

    pub(crate) fn device(&self) -> &Device {
        self.allocator.device()
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        self.device().context()
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// The device address of a byte, once the range from there on has been checked.
    pub(crate) fn address(
        &self,
        operation: &'static str,
        offset: u64,
        len: u64,
    ) -> Result<CUdeviceptr> {
        size::check_range(operation, offset, len, self.len)?;
        let start = self.memory.address();
        start.checked_add(offset).ok_or(Error::OutOfBounds {
            operation,
            offset,
            len,
            size: self.len,
        })
    }

    /// Writes zeros after the last byte, up to the end of what is mapped.
    pub(crate) fn zero_padding(&self) -> Result<()> {
        let padding = self.mapped.saturating_sub(self.len);
        if padding == 0 {
            return Ok(());
        }
        let operation = "clearing the padding";
        let start = self.address(operation, self.len, 0)?;
        memory::wipe(self.device().stream(), start, padding)
    }

    /// Copies bytes in from ordinary host memory and waits (`cuMemcpyHtoDAsync`).
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let operation = "a write";
        let to = self.address(operation, offset, size::len_u64(bytes))?;
        if bytes.is_empty() {
            return Ok(());
        }
        let stream = self.device().stream();
        let entered = self.context().enter()?;
        // SAFETY: the range at `to` was checked against this region, which is writable; `bytes` is
        // borrowed until the stream has been waited for below, or the context is lost.
        let result = unsafe {
            (entered.table().cuMemcpyHtoDAsync_v2)(
                to,
                bytes.as_ptr().cast(),
                bytes.len(),
                stream.raw(),
            )
        };
        entered.check(
            Function::cuMemcpyHtoDAsync_v2,
            result,
            "copying to the device",
        )?;
        drop(entered);
        stream.settle()
    }

    /// Copies bytes out to ordinary host memory and waits (`cuMemcpyDtoHAsync`).
    fn read_back(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let operation = "a read";
        let from = self.address(operation, offset, size::len_u64(bytes))?;
        if bytes.is_empty() {
            return Ok(());
        }
        let stream = self.device().stream();
        let entered = self.context().enter()?;
        // SAFETY: the range at `from` was checked against this region; `bytes` is borrowed until
        // the stream has been waited for below, or the context is lost.
        let result = unsafe {
            (entered.table().cuMemcpyDtoHAsync_v2)(
                bytes.as_mut_ptr().cast(),
                from,
                bytes.len(),
                stream.raw(),
            )
        };
        entered.check(
            Function::cuMemcpyDtoHAsync_v2,
            result,
            "copying from the device",
        )?;
        drop(entered);
        stream.settle()
    }

    /// Makes the region writable again: for wiping, and for drills.
    pub(crate) fn thaw(&mut self) -> Result<()> {
        if let (true, Memory::Virtual(memory)) = (self.read_only, &*self.memory) {
            memory.set_access(CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE)?;
        }
        self.read_only = false;
        Ok(())
    }

    /// Makes the region read-only, where its memory can be, and has the driver confirm it.
    pub(crate) fn freeze(&mut self) -> Result<Freezing> {
        let Memory::Virtual(memory) = &*self.memory else {
            return Ok(Freezing::Software);
        };
        const READ: CUmemAccess_flags = CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ;
        memory.set_access(READ)?;
        self.read_only = true;
        let observed = memory.access()?;
        if observed != u64::from(READ.0) {
            return Err(Error::NotFrozen { observed });
        }
        Ok(Freezing::Mmu)
    }

    /// Overwrites everything mapped with zeros, padding included.
    fn wipe(&mut self) -> Result<()> {
        self.thaw()?;
        memory::wipe(self.device().stream(), self.memory.address(), self.mapped)
    }

    fn observe(&self) -> Result<RegionObservation> {
        observation::observe(self.context(), &self.memory)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Work that uses the region may still be queued on any stream. Here and below a single
        // refusal may pass; what can't be wiped is not given back.
        let device = self.device();
        let idle = device.synchronize().or_else(|_| device.synchronize());
        let wiped = idle.and_then(|()| self.wipe().or_else(|_| self.wipe()));
        // SAFETY: the field is not used again: this is drop.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        let released = match wiped {
            Ok(()) => match self.allocator.release(memory, self.purpose, self.mapped) {
                Ok(()) => Released::Wiped,
                Err(error) => Released::Kept {
                    reason: error.to_string(),
                },
            },
            // The memory went with its context; nobody will see it again in this process, and the
            // driver clears what it gives to another.
            Err(error) if self.device().is_lost() => {
                tracing::error!(
                    bytes = self.mapped,
                    "released without a wipe: the device is lost"
                );
                // It is logged and counted; more can't be done with what a lost device holds.
                drop(self.allocator.release(memory, self.purpose, self.mapped));
                Released::NotWiped {
                    reason: error.to_string(),
                }
            }
            Err(error) => {
                self.context()
                    .release_failed("a region that could not be wiped", &error);
                self.allocator.quarantine(memory, self.purpose, self.mapped);
                Released::NotWiped {
                    reason: error.to_string(),
                }
            }
        };
        self.fate.settle(released);
    }
}

/// A region that can be written.
///
/// Dropping it wipes and releases it.
pub struct OpenRegion {
    region: Region,
}

impl OpenRegion {
    pub(crate) const fn new(region: Region) -> Self {
        Self { region }
    }

    /// Bytes in the region, as they were asked for.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a region of 0 bytes doesn't exist"
    )]
    pub const fn len(&self) -> u64 {
        self.region.len()
    }

    /// Bytes taken from the device: the length rounded up.
    #[must_use]
    pub const fn mapped(&self) -> u64 {
        self.region.mapped
    }

    /// The device that the region is on.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.region.device()
    }

    /// Tells, once the region is gone, whether it was wiped and given back.
    #[must_use]
    pub fn fate(&self) -> Fate {
        self.region.fate.clone()
    }

    /// Wipes the region and gives it back, as dropping does, and says what came of it.
    pub fn release(self) -> Released {
        let fate = self.fate();
        drop(self);
        fate.of_dropped()
    }

    /// Copies bytes into the region, and waits until they are there.
    ///
    /// For small things; weights go through a [`StagingRing`](crate::StagingRing).
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the region; [`Error::Driver`],
    /// [`Error::DeviceLost`].
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.region.write(offset, bytes)
    }

    /// Copies bytes of the region to the host: for tests and repair.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn read_back(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.region.read_back(offset, bytes)
    }

    /// A range of the region, to be read by the device.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the region.
    pub fn span(&self, offset: u64, len: u64) -> Result<Span<'_>> {
        Span::new(&self.region, offset, len)
    }

    /// A range of the region, to be written by the device.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the region.
    pub fn span_mut(&mut self, offset: u64, len: u64) -> Result<SpanMut<'_>> {
        SpanMut::new(&mut self.region, offset, len)
    }

    /// Ends writing: the region becomes read-only, by the device's MMU where it can.
    ///
    /// # Errors
    ///
    /// [`Error::NotFrozen`] if the driver doesn't confirm it; [`Error::Driver`],
    /// [`Error::DeviceLost`]. The region is then wiped and released.
    pub fn freeze(mut self) -> Result<FrozenRegion> {
        // Writes still queued would fault once the region is read-only.
        self.region.device().synchronize()?;
        let freezing = self.region.freeze()?;
        Ok(FrozenRegion {
            region: self.region,
            freezing,
        })
    }

    /// What the driver says of the region now.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`].
    pub fn observe(&self) -> Result<RegionObservation> {
        self.region.observe()
    }
}

/// A region that can't be written any more.
///
/// Dropping it wipes and releases it; [`wipe`](Self::wipe) opens it again, empty.
pub struct FrozenRegion {
    pub(crate) region: Region,
    freezing: Freezing,
}

impl FrozenRegion {
    /// Bytes in the region, as they were asked for.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a region of 0 bytes doesn't exist"
    )]
    pub const fn len(&self) -> u64 {
        self.region.len()
    }

    /// Bytes taken from the device: the length rounded up.
    #[must_use]
    pub const fn mapped(&self) -> u64 {
        self.region.mapped
    }

    /// The device that the region is on.
    #[must_use]
    pub fn device(&self) -> &Device {
        self.region.device()
    }

    /// What keeps it from being written.
    #[must_use]
    pub const fn freezing(&self) -> Freezing {
        self.freezing
    }

    /// A range of the region, to be read by the device.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the region.
    pub fn span(&self, offset: u64, len: u64) -> Result<Span<'_>> {
        Span::new(&self.region, offset, len)
    }

    /// Copies bytes of the region to the host: for tests and repair.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the region; [`Error::Driver`],
    /// [`Error::DeviceLost`].
    pub fn read_back(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.region.read_back(offset, bytes)
    }

    /// Tells, once the region is gone, whether it was wiped and given back.
    #[must_use]
    pub fn fate(&self) -> Fate {
        self.region.fate.clone()
    }

    /// Wipes the region and gives it back, as dropping does, and says what came of it.
    pub fn release(self) -> Released {
        let fate = self.fate();
        drop(self);
        fate.of_dropped()
    }

    /// Overwrites the region with zeros and opens it again: the one way back.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`], [`Error::DeviceLost`]. The region is then released as on a drop.
    pub fn wipe(mut self) -> Result<OpenRegion> {
        self.region.device().synchronize()?;
        self.region.wipe()?;
        Ok(OpenRegion {
            region: self.region,
        })
    }

    /// What the driver says of the region now.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`].
    pub fn observe(&self) -> Result<RegionObservation> {
        self.region.observe()
    }

    /// Gives away the address of a range, for kernels of the caller's own.
    ///
    /// Nothing verifies the bytes here: `vram-residency` calls this behind an execution permit, and
    /// so should everyone.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the region.
    pub fn expose_address(&self, offset: u64, len: u64) -> Result<DeviceAddress> {
        self.region
            .address("exposing an address", offset, len)
            .map(DeviceAddress)
    }
}

macro_rules! debug_without_address {
    ($($region:ident),*) => {$(
        impl fmt::Debug for $region {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($region))
                    .field("len", &Bytes(self.len()))
                    .field("mapped", &Bytes(self.mapped()))
                    .field("device", self.device())
                    .finish_non_exhaustive()
            }
        }
    )*};
}

debug_without_address!(OpenRegion, FrozenRegion);

/// A device address. It prints as nothing: only [`as_raw`](Self::as_raw) shows it, to the kernel
/// launch that needs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeviceAddress(CUdeviceptr);

impl DeviceAddress {
    /// The address, as a `CUdeviceptr`. It is valid as long as what it was taken from.
    #[must_use]
    pub const fn as_raw(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceAddress(..)")
    }
}
