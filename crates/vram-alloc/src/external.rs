//! Memory that somebody else allocated, borrowed to be read by the device.

use core::fmt;

use vram_sys::CUdeviceptr;

use crate::foreign::{Claimed, Extent, Foreign, Found};
use crate::observation::{self, RegionObservation};
use crate::size::{self, Bytes};
use crate::span::Span;
use crate::{Device, Error, Result};

/// An allocation of somebody else's, adopted to be measured where it lies ([`Device::adopt`]).
///
/// It is never written, frozen, wiped or freed here: it stays its owner's. Dropping this waits for the
/// device, so that nothing reads the memory any more when its owner frees it.
pub struct ExternalRegion {
    device: Device,
    claimed: Claimed,
    found: Found,
}

impl Device {
    /// Adopts an allocation of somebody else's by its address and length, to be read by the device.
    ///
    /// The driver is asked what lies there, and anything but a whole allocation of plain memory on this device is
    /// refused by name: see [`Foreign`]. Its size may be the length rounded up to the device's granularity, as that
    /// of mapped memory is. Then the device is waited for: what fills the memory may still be queued, and streams
    /// of this crate don't wait for other libraries'.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignMemory`] for what is refused; [`Error::ZeroSize`]; [`Error::Driver`], [`Error::DeviceLost`].
    ///
    /// # Safety
    ///
    /// Any address may be given: what isn't memory is refused. But if the result is `Ok`, then until it is dropped:
    ///
    /// - the allocation isn't freed, unmapped, or mapped to other memory;
    /// - its access rights aren't taken from this device.
    ///
    /// A kernel that reads memory that is gone loses the context, with everything in it. Writing the memory
    /// meanwhile isn't unsound, but what is measured is then of no one moment: whoever adopts memory to learn
    /// its digest keeps it from being written.
    pub unsafe fn adopt(&self, address: u64, len: u64) -> Result<ExternalRegion> {
        let granularity = self.granularity();
        // SAFETY: the contract is the caller's.
        unsafe { ExternalRegion::adopt(self, address, len, Extent::Whole { granularity }) }
    }
}

impl ExternalRegion {
    /// # Safety
    ///
    /// As for [`Device::adopt`].
    pub(crate) unsafe fn adopt(
        device: &Device,
        address: CUdeviceptr,
        len: u64,
        extent: Extent,
    ) -> Result<Self> {
        if len == 0 {
            return Err(Error::ZeroSize);
        }
        let claimed = Claimed {
            ordinal: device.properties().index,
            address,
            len,
            extent,
        };
        let found = claimed.require(device.context())?;
        device.synchronize()?;
        Ok(Self {
            device: device.clone(),
            claimed,
            found,
        })
    }

    /// Asks the driver again what lies there: everything that adopting it asked, and whether it is the same
    /// allocation still.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignMemory`], [`Error::DeviceLost`].
    pub fn recheck(&self) -> Result<()> {
        let found = self.claimed.require(self.device.context())?;
        if found == self.found {
            return Ok(());
        }
        Err(Error::ForeignMemory {
            why: Foreign::Replaced,
        })
    }

    /// Bytes in the region.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a region of 0 bytes isn't adopted"
    )]
    pub const fn len(&self) -> u64 {
        self.claimed.len
    }

    /// Bytes in the allocation: its length, or that rounded up by whoever allocated it.
    #[must_use]
    pub const fn allocation(&self) -> u64 {
        self.found.allocation
    }

    /// The device that it is on.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// A range of the region, to be read by the device.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the region.
    pub fn span(&self, offset: u64, len: u64) -> Result<Span<'_>> {
        let (operation, size) = ("a view", self.len());
        size::check_range(operation, offset, len, size)?;
        let address = self.claimed.address.checked_add(offset);
        let address = address.ok_or(Error::OutOfBounds {
            operation,
            offset,
            len,
            size,
        })?;
        Ok(Span::over(self.device.context(), address, len))
    }

    /// What the driver says of the region now.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`].
    pub fn observe(&self) -> Result<RegionObservation> {
        observation::observe_foreign(self.device.context(), self.claimed.address)
    }
}

impl Drop for ExternalRegion {
    fn drop(&mut self) {
        let device = &self.device;
        let idle = device.synchronize().or_else(|_| device.synchronize());
        if let Err(error) = idle {
            let what = "adopted memory that may still be read";
            device.context().release_failed(what, &error);
        }
    }
}

impl fmt::Debug for ExternalRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalRegion")
            .field("len", &Bytes(self.len()))
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}
