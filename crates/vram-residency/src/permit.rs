//! Permits: the proof that a shard was verified, and the only way to its address.

use std::fmt;
use std::ops::Range;

#[cfg(feature = "cust")]
use vram_alloc::cust::{CustSlice, Element};
use vram_alloc::{DeviceAddress, FrozenRegion};

use crate::manager::Manager;
use crate::model::Tensor;
use crate::shard::SealedShard;
use crate::{Error, Result};

/// Proof that a shard was verified and found as it was sealed.
///
/// Only a verification that passed makes one ([`Manager::verify`](crate::Manager::verify)). It
/// can't be copied and doesn't outlive its shard; once the manager that verified has stopped, or the one
/// that sealed, it gives nothing out any more. What kernels are launched on goes through it, so that forgetting to verify doesn't
/// compile.
///
/// ```compile_fail
/// # fn twice(permit: vram_residency::ExecutionPermit<'_>) {
/// let copy = permit.clone();
/// # }
/// ```
#[must_use = "a permit is what the address is given out for"]
pub struct ExecutionPermit<'shard> {
    shard: &'shard SealedShard,
    /// Who verified it, which need not be who sealed it.
    issuer: Manager,
}

/// A tensor of a sealed shard, where it lies on the device.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TensorView<'permit> {
    /// Its name, type, shape and place in the shard.
    pub tensor: &'permit Tensor,
    /// Its first byte on the device; valid while the permit lives.
    pub address: DeviceAddress,
}

impl<'shard> ExecutionPermit<'shard> {
    pub(crate) const fn new(shard: &'shard SealedShard, issuer: Manager) -> Self {
        Self { shard, issuer }
    }

    /// The shard that was verified.
    #[must_use]
    pub const fn shard(&self) -> &'shard SealedShard {
        self.shard
    }

    /// The device address of the shard's first byte.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] once the manager has stopped.
    pub fn device_address(&self) -> Result<DeviceAddress> {
        self.range(0..self.shard.size().0)
    }

    /// The device address of a range of the shard.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] once the manager has stopped;
    /// [`vram_alloc::Error::OutOfBounds`] for a range that leaves the shard.
    pub fn range(&self, range: Range<u64>) -> Result<DeviceAddress> {
        let region = self.region()?;
        let len = range
            .end
            .checked_sub(range.start)
            .ok_or(vram_alloc::Error::OutOfBounds {
                operation: "a view",
                offset: range.start,
                len: 0,
                size: region.len(),
            })?;
        Ok(region.expose_address(range.start, len)?)
    }

    /// A range of the shard, in bytes, as cust's slice: for kernels launched through `cust`.
    ///
    /// cust has no slice that can only be read: see [`vram_alloc::cust`] for what refuses writes.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] once the manager has stopped; [`vram_alloc::Error::OutOfBounds`] for a range
    /// that leaves the shard; [`vram_alloc::Error::Misaligned`] and
    /// [`vram_alloc::Error::PartialElement`] for one that isn't made up of whole, aligned elements.
    #[cfg(feature = "cust")]
    pub fn cust_slice<T: Element>(&self, range: Range<u64>) -> Result<CustSlice<'_, T>> {
        Ok(self.region()?.expose_cust_slice(range)?)
    }

    /// A tensor by name, as cust's slice. What its elements are, [`tensor`](Self::tensor) tells.
    ///
    /// # Errors
    ///
    /// As [`tensor`](Self::tensor) and [`cust_slice`](Self::cust_slice).
    #[cfg(feature = "cust")]
    pub fn cust_tensor<T: Element>(&self, name: &str) -> Result<CustSlice<'_, T>> {
        let view = self.tensor(name)?;
        self.cust_slice(view.tensor.range())
    }

    /// The shard's memory, while both managers permit its use.
    fn region(&self) -> Result<&'shard FrozenRegion> {
        let sealer = self.shard.manager();
        self.issuer.require_running()?;
        sealer.require_running()?;
        self.shard.region().ok_or_else(|| sealer.stopped_error())
    }

    /// A tensor by name.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTensor`]; [`Error::Stopped`] once the manager has stopped.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>> {
        let table = self.shard.tensors();
        let tensor =
            table
                .and_then(|table| table.get(name))
                .ok_or_else(|| Error::NoSuchTensor {
                    shard: self.shard.id().clone(),
                    name: name.to_owned(),
                    tensors: table.map_or(0, crate::model::TensorTable::len),
                })?;
        Ok(TensorView {
            tensor,
            address: self.range(tensor.range())?,
        })
    }
}

impl fmt::Debug for ExecutionPermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecutionPermit")
            .field("shard", &self.shard.id().as_str())
            .finish()
    }
}
