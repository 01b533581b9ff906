//! Virtual memory management: pages, addresses, and who may do what through them.

use vram_sys::{
    CUdevice_attribute, CUmemAccess_flags, CUmemAccessDesc, CUmemAllocationHandleType,
    CUmemAllocationProp, CUmemAllocationType, CUmemLocation, CUmemLocationType, CUresult,
};

use crate::address_space::GRANULARITY;
use crate::allocation::Allocation;
use crate::answer::Answer;
use crate::handle::Handle;
use crate::region::{AllocationKind, Protection, Region};
use crate::state::State;

const HOST_PAGE: u64 = 4096;

impl Protection {
    /// The driver's flags for it.
    pub(crate) const fn flags(self) -> CUmemAccess_flags {
        match self {
            Self::None => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE,
            Self::Read => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ,
            Self::ReadWrite => CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
        }
    }

    const fn of_flags(flags: CUmemAccess_flags) -> Answer<Self> {
        match flags {
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_NONE => Ok(Self::None),
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READ => Ok(Self::Read),
            CUmemAccess_flags::CU_MEM_ACCESS_FLAGS_PROT_READWRITE => Ok(Self::ReadWrite),
            _ => Err(CUresult::CUDA_ERROR_INVALID_VALUE),
        }
    }
}

/// An error unless a number is a positive multiple of the granularity.
fn whole_pages(bytes: u64) -> Answer {
    if bytes > 0 && bytes.is_multiple_of(GRANULARITY) {
        Ok(())
    } else {
        Err(CUresult::CUDA_ERROR_INVALID_VALUE)
    }
}

impl State {
    /// The device that an allocation is asked for on: pinned memory of a device, nothing else.
    pub(crate) fn location_of(&self, prop: &CUmemAllocationProp) -> Answer<usize> {
        if prop.type_ != CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let index = self.device_of(&prop.location)?;
        let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED;
        if !self.device(index)?.has(attribute) {
            return Err(CUresult::CUDA_ERROR_NOT_SUPPORTED);
        }
        Ok(index)
    }

    /// The working device that a location names.
    fn device_of(&self, location: &CUmemLocation) -> Answer<usize> {
        match location.type_ {
            CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE => {
                let index = self.device_index(location.id)?;
                self.device(index)?.working()?;
                Ok(index)
            }
            CUmemLocationType::CU_MEM_LOCATION_TYPE_HOST
            | CUmemLocationType::CU_MEM_LOCATION_TYPE_HOST_NUMA => {
                Err(CUresult::CUDA_ERROR_NOT_SUPPORTED)
            }
            _ => Err(CUresult::CUDA_ERROR_INVALID_VALUE),
        }
    }

    /// An error if the device that the address belongs to is lost.
    fn working_at(&self, address: u64) -> Answer {
        let region = self.space.region(address);
        region.map_or(Ok(()), |region| self.device(region.device)?.working())
    }

    /// `cuMemCreate`.
    pub(crate) fn create(&mut self, size: u64, prop: &CUmemAllocationProp) -> Answer<Handle> {
        let index = self.location_of(prop)?;
        whole_pages(size)?;
        let exportable = CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
        match prop.requestedHandleTypes {
            CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_NONE => {}
            types if types == exportable => {}
            _ => return Err(CUresult::CUDA_ERROR_NOT_SUPPORTED),
        }
        let block = self.take_device_memory(index, size)?;
        let handle = Handle::fresh();
        let id = self.next_id();
        let allocation = Allocation {
            device: index,
            kind: AllocationKind::Virtual,
            size,
            block: Some(block),
            handle: Some(handle),
            mappings: 0,
            handle_types: prop.requestedHandleTypes.0,
            rdma_capable: prop.allocFlags.gpuDirectRDMACapable != 0,
        };
        self.allocations.insert(id, allocation);
        Ok(handle)
    }

    fn allocation_of(&self, handle: Handle) -> Answer<u64> {
        self.allocations
            .iter()
            .find(|(_, allocation)| allocation.handle == Some(handle))
            .map(|(&id, _)| id)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)
    }

    /// `cuMemRelease`: the pages go back once nothing maps them either.
    pub(crate) fn release(&mut self, handle: Handle) -> Answer {
        let id = self.allocation_of(handle)?;
        let index = self
            .allocations
            .get(&id)
            .map(|allocation| allocation.device);
        self.device(index.ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?)?
            .working()?;
        if let Some(allocation) = self.allocations.get_mut(&id) {
            allocation.handle = None;
        }
        self.release_if_unused(id);
        Ok(())
    }

    fn release_if_unused(&mut self, id: u64) {
        let unused = self
            .allocations
            .get(&id)
            .is_some_and(|allocation| allocation.handle.is_none() && allocation.mappings == 0);
        if unused {
            self.release_allocation(id);
        }
    }

    /// `cuMemAddressReserve`. The hint is not taken.
    pub(crate) fn reserve(&mut self, size: u64, alignment: u64) -> Answer<u64> {
        let aligned = alignment == 0 || alignment.is_power_of_two();
        if size == 0 || !size.is_multiple_of(HOST_PAGE) || !aligned {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let start = self.space.reserve(size, alignment)?;
        self.space.add_reservation(start, size);
        Ok(start)
    }

    /// `cuMemAddressFree`: the very range that was reserved, with nothing mapped in it.
    pub(crate) fn unreserve(&mut self, start: u64, size: u64) -> Answer {
        let reserved = self
            .space
            .reservation(start)
            .is_some_and(|found| found.start == start && found.size == size);
        if !reserved || self.space.is_occupied(start, size) {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        self.space.remove_reservation(start);
        self.space.unreserve(start, size);
        Ok(())
    }

    /// `cuMemMap`: into reserved addresses that hold nothing yet, from the allocation's start.
    pub(crate) fn map(&mut self, start: u64, size: u64, offset: u64, handle: Handle) -> Answer {
        let id = self.allocation_of(handle)?;
        let allocation = self
            .allocations
            .get(&id)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let device = self.device(allocation.device)?;
        device.working()?;
        whole_pages(start)?;
        whole_pages(size)?;
        let end = start
            .checked_add(size)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let reserved = self
            .space
            .reservation(start)
            .is_some_and(|found| end <= found.start.saturating_add(found.size));
        if offset != 0 || size > allocation.size || !reserved || self.space.is_occupied(start, size)
        {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let block = allocation
            .block
            .as_ref()
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        self.space
            .map(start, device.memory.file(), block, size, Protection::None)?;
        let region = Region {
            start,
            size,
            kind: AllocationKind::Virtual,
            device: allocation.device,
            context: None,
            protection: Protection::None,
            device_mapped: true,
            allocation: id,
        };
        self.space.insert(region);
        if let Some(allocation) = self.allocations.get_mut(&id) {
            allocation.mappings = allocation.mappings.saturating_add(1);
        }
        Ok(())
    }

    /// The one mapping that has exactly this range.
    fn mapping(&self, start: u64, size: u64) -> Answer<&Region> {
        self.space
            .region_at(start)
            .filter(|region| region.size == size && region.kind == AllocationKind::Virtual)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)
    }

    /// `cuMemUnmap`: a whole mapping.
    ///
    /// Queued work is not waited for: nothing that NVIDIA documents promises that. Work that still
    /// wants the range then fails, as an access to unmapped memory does.
    pub(crate) fn unmap(&mut self, start: u64, size: u64) -> Answer {
        let id = self.mapping(start, size)?.allocation;
        self.working_at(start)?;
        self.space.unmap(start, size)?;
        self.space.remove(start);
        if let Some(allocation) = self.allocations.get_mut(&id) {
            allocation.mappings = allocation.mappings.saturating_sub(1);
        }
        self.release_if_unused(id);
        Ok(())
    }

    /// `cuMemSetAccess`: of whole mappings, for the device whose memory it is. There is no peer
    /// access between simulated devices. As with [`unmap`](Self::unmap), queued work isn't waited
    /// for.
    pub(crate) fn set_access(
        &mut self,
        start: u64,
        size: u64,
        descriptions: &[CUmemAccessDesc],
    ) -> Answer {
        let end = start
            .checked_add(size)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        if size == 0 || descriptions.is_empty() {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        self.working_at(start)?;
        let covering = self
            .space
            .cover(start, size)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let whole = covering.first().is_some_and(|region| region.start == start)
            && covering.last().is_some_and(|region| region.end() == end)
            && covering
                .iter()
                .all(|region| region.kind == AllocationKind::Virtual);
        if !whole {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let ranges: Vec<(u64, u64, usize)> = covering
            .iter()
            .map(|region| (region.start, region.size, region.device))
            .collect();
        let mut asked = Vec::new();
        for description in descriptions {
            let index = self.device_of(&description.location)?;
            if ranges.iter().any(|&(.., device)| device != index) {
                return Err(CUresult::CUDA_ERROR_NOT_SUPPORTED);
            }
            asked.push(Protection::of_flags(description.flags)?);
        }
        for protection in asked {
            for &(start, size, _) in &ranges {
                self.space.protect(start, size, protection)?;
                if let Some(region) = self.space.region_at_mut(start) {
                    region.protection = protection;
                }
            }
        }
        Ok(())
    }

    /// `cuMemGetAccess`.
    pub(crate) fn access(
        &self,
        address: u64,
        location: &CUmemLocation,
    ) -> Answer<CUmemAccess_flags> {
        let index = self.device_of(location)?;
        let region = self
            .space
            .region(address)
            .filter(|region| region.kind == AllocationKind::Virtual)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        if region.device == index {
            Ok(region.protection.flags())
        } else {
            Ok(Protection::None.flags())
        }
    }
}
