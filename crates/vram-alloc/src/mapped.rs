//! Host memory that the device reads over the link: what weights must not be in.

use core::fmt;
use std::sync::Arc;

use vram_sys::{CUdeviceptr, Function};

use crate::pinned::PinnedMemory;
use crate::size::{self, Bytes};
use crate::span::Span;
use crate::{Device, Error, Result};

/// Page-locked host memory that is mapped into the device's addresses (`cuMemHostAlloc` with
/// `CU_MEMHOSTALLOC_DEVICEMAP`).
///
/// Kernels read it as they read device memory, and each byte crosses the link. Nothing is ever put there by this
/// project: it shows what a measurement finds where memory isn't the device's. It is wiped when it is dropped.
pub struct MappedBuffer {
    device: Device,
    memory: PinnedMemory,
    address: CUdeviceptr,
}

impl MappedBuffer {
    /// Page-locks and maps `len` bytes of zeros.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroSize`]; [`Error::Driver`] if the host has no memory to page-lock, or the device can't map it.
    pub fn new(device: &Device, len: u64) -> Result<Self> {
        if len == 0 {
            return Err(Error::ZeroSize);
        }
        let len = size::to_usize("a mapping of host memory", len)?;
        let memory = PinnedMemory::mapped(Arc::clone(device.context()), len)?;
        let mut address = 0;
        let entered = device.context().enter()?;
        // SAFETY: the driver writes one address; the pointer is the start of memory that it mapped for devices.
        let result = unsafe {
            (entered.table().cuMemHostGetDevicePointer_v2)(
                &raw mut address,
                memory.start().cast(),
                0,
            )
        };
        let doing = "mapping host memory for the device";
        entered.check(Function::cuMemHostGetDevicePointer_v2, result, doing)?;
        drop(entered);
        Ok(Self {
            device: device.clone(),
            memory,
            address,
        })
    }

    /// Bytes in the buffer.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a buffer of 0 bytes doesn't exist"
    )]
    pub fn len(&self) -> u64 {
        u64::try_from(self.memory.len()).unwrap_or(u64::MAX)
    }

    /// The device that it is mapped for.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// A range of the buffer, to be read by the device.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the buffer.
    pub fn span(&self, offset: u64, len: u64) -> Result<Span<'_>> {
        let (operation, size) = ("a view", self.len());
        size::check_range(operation, offset, len, size)?;
        let address = self.address.checked_add(offset);
        let address = address.ok_or(Error::OutOfBounds {
            operation,
            offset,
            len,
            size,
        })?;
        Ok(Span::over(self.device.context(), address, len))
    }

    /// The bytes, to be changed, once nothing that the device was given to do can still read them.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceLost`] if any of that ended the context.
    pub fn bytes_mut(&mut self) -> Result<&mut [u8]> {
        self.device.synchronize()?;
        Ok(self.memory.bytes_mut())
    }
}

impl Drop for MappedBuffer {
    fn drop(&mut self) {
        let device = &self.device;
        if let Err(error) = device.synchronize().or_else(|_| device.synchronize()) {
            tracing::warn!(%error, "a mapped buffer is wiped without waiting for its readers");
        }
    }
}

impl fmt::Debug for MappedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedBuffer")
            .field("len", &Bytes(self.len()))
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}
