//! Memory by `cuMemAlloc`, for devices without virtual memory management: it can't be made
//! read-only, so freezing it is a promise of software.

use std::sync::Arc;

use vram_sys::{CUdeviceptr, Function};

use crate::context::Context;
use crate::observation;
use crate::{Result, size};

/// A plain allocation. It is given back when it is dropped.
pub(crate) struct PlainMemory {
    context: Arc<Context>,
    address: CUdeviceptr,
    /// Identifies the allocation for the life of the process, unlike its address.
    buffer_id: Option<u64>,
    held: bool,
}

impl PlainMemory {
    pub(crate) fn allocate(context: Arc<Context>, len: u64) -> Result<Self> {
        let mut address = 0;
        let entered = context.enter()?;
        let len = size::to_usize("an allocation", len)?;
        // SAFETY: the driver writes one address.
        let result = unsafe { (entered.table().cuMemAlloc_v2)(&raw mut address, len) };
        entered.check(Function::cuMemAlloc_v2, result, "allocating device memory")?;
        let buffer_id = observation::buffer_id(&entered, address);
        drop(entered);
        Ok(Self {
            context,
            address,
            buffer_id,
            held: true,
        })
    }

    pub(crate) const fn address(&self) -> CUdeviceptr {
        self.address
    }

    pub(crate) fn release(&mut self) -> Result<()> {
        if !self.held {
            return Ok(());
        }
        self.free().or_else(|error| {
            // cuMemFree may report an earlier failure after having freed. Only what is provably the
            // same allocation may be freed again: the address may be somebody else's by now.
            let entered = self.context.enter()?;
            let found = observation::buffer_id(&entered, self.address);
            drop(entered);
            if found.is_none() || found != self.buffer_id {
                return Err(error);
            }
            self.free()
        })?;
        self.held = false;
        Ok(())
    }

    /// Forgets the allocation, which went with its context.
    pub(crate) const fn abandon(&mut self) {
        self.held = false;
    }

    fn free(&self) -> Result<()> {
        let entered = self.context.enter_even_if_lost()?;
        // SAFETY: this value holds the allocation; whoever drops it has waited for the device.
        let result = unsafe { (entered.table().cuMemFree_v2)(self.address) };
        entered.check(Function::cuMemFree_v2, result, "freeing device memory")
    }
}

impl Drop for PlainMemory {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            self.context.release_failed("device memory", &error);
        }
    }
}

#[cfg(test)]
mod tests {
    use vram_sim::{DeviceModel, Machine};

    use super::*;
    use crate::Platform;

    #[test]
    fn memory_that_nobody_released_is_given_back_as_it_is_dropped() {
        let model = DeviceModel::small(64 << 20);
        let machine = Machine::builder().device(model).build().unwrap();
        let platform = Platform::with_driver(machine.driver()).unwrap();
        let device = platform.open(0).unwrap();
        let free = || device.memory().unwrap().free;
        let before = free();

        let memory = PlainMemory::allocate(Arc::clone(device.context()), 2 << 20).unwrap();
        assert!(free() < before);
        drop(memory);

        assert_eq!(free(), before);
    }
}
