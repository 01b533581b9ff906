//! Memory by the driver's virtual memory management: physical pages, mapped at a range of addresses
//! of our own, with access rights that the device's MMU enforces.

use std::sync::Arc;

use vram_sys::{
    CUdevice, CUdeviceptr, CUmemAccess_flags, CUmemAccessDesc, CUmemAllocationProp,
    CUmemAllocationType, CUmemGenericAllocationHandle, CUmemLocation, CUmemLocationType, Function,
};

use crate::context::{Context, Entered};
use crate::{Result, size};

/// Plain device memory, which no handle can share with another process.
pub(crate) fn properties(device: CUdevice) -> CUmemAllocationProp {
    CUmemAllocationProp {
        type_: CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED,
        location: location(device),
        // requestedHandleTypes stays CU_MEM_HANDLE_TYPE_NONE: not exportable.
        ..CUmemAllocationProp::default()
    }
}

fn location(device: CUdevice) -> CUmemLocation {
    CUmemLocation {
        type_: CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE,
        id: device,
    }
}

/// What the context's device may do with mapped pages at an address (`cuMemGetAccess`).
pub(crate) fn access_at(
    context: &Context,
    entered: &Entered<'_>,
    address: CUdeviceptr,
) -> Result<u64> {
    let location = location(context.device());
    let mut flags = 0;
    // SAFETY: the driver reads one location and writes one number; an address that it doesn't know is refused.
    let result =
        unsafe { (entered.table().cuMemGetAccess)(&raw mut flags, &raw const location, address) };
    entered.check(Function::cuMemGetAccess, result, "reading access rights")?;
    Ok(flags)
}

/// Pages mapped at a range of addresses. Both are given back when it is dropped.
pub(crate) struct VirtualMemory {
    range: AddressRange,
    mapped: bool,
}

impl VirtualMemory {
    /// Takes `len` bytes, a multiple of the granularity, readable and writable by their device alone.
    pub(crate) fn map(context: Arc<Context>, len: u64) -> Result<Self> {
        // In this order, so that a failure at any step gives back what the ones before it took.
        let pages = Pages::create(Arc::clone(&context), len)?;
        let range = AddressRange::reserve(context, len)?;
        let mut memory = Self {
            range,
            mapped: false,
        };
        memory.map_pages(&pages)?;
        memory.set_access(CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE)?;
        // The mapping keeps the pages: without the handle nothing else can map or export them.
        pages.release()?;
        Ok(memory)
    }

    fn map_pages(&mut self, pages: &Pages) -> Result<()> {
        let context = Arc::clone(&self.range.context);
        let entered = context.enter()?;
        let len = size::to_usize("a mapping", self.range.len)?;
        // SAFETY: the range is reserved by `range` and unmapped; `pages` has its length.
        let result =
            unsafe { (entered.table().cuMemMap)(self.range.start, len, 0, pages.handle, 0) };
        entered.check(Function::cuMemMap, result, "mapping device memory")?;
        self.mapped = true;
        Ok(())
    }

    /// Sets what the device may do with the range (`cuMemSetAccess`).
    pub(crate) fn set_access(&self, flags: CUmemAccess_flags) -> Result<()> {
        let context = &self.range.context;
        let access = CUmemAccessDesc {
            location: location(context.device()),
            flags,
        };
        let entered = context.enter()?;
        let len = size::to_usize("an access change", self.range.len)?;
        // SAFETY: the range is mapped by this value; the driver reads one descriptor.
        let result = unsafe {
            (entered.table().cuMemSetAccess)(self.range.start, len, &raw const access, 1)
        };
        entered.check(Function::cuMemSetAccess, result, "setting access rights")
    }

    /// What the device may do with the range, as the driver has it (`cuMemGetAccess`).
    pub(crate) fn access(&self) -> Result<u64> {
        self.access_in(&self.range.context.enter()?)
    }

    /// The same, where the context is entered already.
    pub(crate) fn access_in(&self, entered: &Entered<'_>) -> Result<u64> {
        access_at(&self.range.context, entered, self.range.start)
    }

    pub(crate) const fn address(&self) -> CUdeviceptr {
        self.range.start
    }

    /// Unmaps the pages, which frees them, and gives the addresses back.
    pub(crate) fn release(&mut self) -> Result<()> {
        if !self.mapped {
            return Ok(());
        }
        // cuMemUnmap doesn't report earlier failures, so a refusal means that it did nothing; and
        // the range is ours, so that trying once more can't unmap somebody else's memory.
        self.unmap().or_else(|_| self.unmap())?;
        self.mapped = false;
        Ok(())
    }

    /// Forgets the mapping, which went with its context. Its addresses are given to nobody.
    pub(crate) fn abandon(&mut self) {
        self.mapped = false;
        self.range.keep();
    }

    fn unmap(&self) -> Result<()> {
        let entered = self.range.context.enter_even_if_lost()?;
        let len = size::to_usize("an unmapping", self.range.len)?;
        // SAFETY: this value mapped exactly this range; whoever drops it has waited for the device.
        let result = unsafe { (entered.table().cuMemUnmap)(self.range.start, len) };
        entered.check(Function::cuMemUnmap, result, "unmapping device memory")
    }
}

impl Drop for VirtualMemory {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            self.range
                .context
                .release_failed("mapped device memory", &error);
            // Pages are still mapped there: the addresses must not be given to anyone else.
            self.range.keep();
        }
    }
}

/// Physical pages (`cuMemCreate`), until they are mapped.
struct Pages {
    context: Arc<Context>,
    handle: CUmemGenericAllocationHandle,
    held: bool,
}

impl Pages {
    fn create(context: Arc<Context>, len: u64) -> Result<Self> {
        let properties = properties(context.device());
        let mut handle = 0;
        let entered = context.enter()?;
        let len = size::to_usize("an allocation", len)?;
        // SAFETY: the driver reads one CUmemAllocationProp and writes one handle.
        let result = unsafe {
            (entered.table().cuMemCreate)(&raw mut handle, len, &raw const properties, 0)
        };
        entered.check(Function::cuMemCreate, result, "allocating device memory")?;
        drop(entered);
        Ok(Self {
            context,
            handle,
            held: true,
        })
    }

    /// Gives the handle back; mapped pages live on.
    fn release(mut self) -> Result<()> {
        self.give_back()
    }

    fn give_back(&mut self) -> Result<()> {
        if !self.held {
            return Ok(());
        }
        let entered = self.context.enter_even_if_lost()?;
        // SAFETY: this value holds the handle, and lets go of it below once this succeeds.
        let result = unsafe { (entered.table().cuMemRelease)(self.handle) };
        entered.check(Function::cuMemRelease, result, "releasing a memory handle")?;
        self.held = false;
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // cuMemRelease doesn't report earlier failures, so a refusal means that it did nothing.
        if let Err(error) = self.give_back().or_else(|_| self.give_back()) {
            self.context
                .release_failed("a device memory handle", &error);
        }
    }
}

/// A range of device addresses (`cuMemAddressReserve`).
struct AddressRange {
    context: Arc<Context>,
    start: CUdeviceptr,
    len: u64,
    kept: bool,
}

impl AddressRange {
    fn reserve(context: Arc<Context>, len: u64) -> Result<Self> {
        let mut start = 0;
        let entered = context.enter()?;
        let length = size::to_usize("an address reservation", len)?;
        // SAFETY: the driver writes one address; alignment, wish and flags are the defaults.
        let result =
            unsafe { (entered.table().cuMemAddressReserve)(&raw mut start, length, 0, 0, 0) };
        entered.check(
            Function::cuMemAddressReserve,
            result,
            "reserving device addresses",
        )?;
        drop(entered);
        Ok(Self {
            context,
            start,
            len,
            kept: false,
        })
    }

    /// Leaves the range reserved for good.
    const fn keep(&mut self) {
        self.kept = true;
    }

    fn free(&self) -> Result<()> {
        let entered = self.context.enter_even_if_lost()?;
        let len = size::to_usize("an address release", self.len)?;
        // SAFETY: this value reserved exactly this range, and nothing is mapped in it any more.
        let result = unsafe { (entered.table().cuMemAddressFree)(self.start, len) };
        entered.check(
            Function::cuMemAddressFree,
            result,
            "releasing device addresses",
        )
    }
}

impl Drop for AddressRange {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // As for unmapping: a refusal means that the range is still reserved, and ours.
        if let Err(error) = self.free().or_else(|_| self.free()) {
            self.context
                .release_failed("a range of device addresses", &error);
        }
    }
}
