//! Allocations: bytes of a memory that the program holds, and taking and freeing them.

use vram_sys::{CUdevice_attribute, CUresult};

use crate::address_space::GRANULARITY;
use crate::answer::Answer;
use crate::handle::Handle;
use crate::physical::Block;
use crate::region::{AllocationKind, Protection, Region};
use crate::state::State;

/// Bytes that the program holds.
#[derive(Debug)]
pub(crate) struct Allocation {
    /// The device that they lie on; for host memory, of the context they were made in.
    pub(crate) device: usize,
    pub(crate) kind: AllocationKind,
    /// Bytes asked for.
    pub(crate) size: u64,
    /// The pages; none for registered memory, which is the program's own.
    pub(crate) block: Option<Block>,
    /// The handle of `cuMemCreate`, until it is released.
    pub(crate) handle: Option<Handle>,
    /// How often it is mapped now.
    pub(crate) mappings: usize,
    /// `requestedHandleTypes` of `cuMemCreate`.
    pub(crate) handle_types: u32,
    /// Whether `cuMemCreate` was asked for memory that other devices on the bus can read.
    pub(crate) rdma_capable: bool,
}

impl State {
    /// Takes pages of a device, if what other processes leave suffices.
    pub(crate) fn take_device_memory(&mut self, index: usize, size: u64) -> Answer<Block> {
        let device = self.device_mut(index)?;
        let pages = size
            .checked_next_multiple_of(GRANULARITY)
            .ok_or(CUresult::CUDA_ERROR_OUT_OF_MEMORY)?;
        if pages > device.available() {
            return Err(CUresult::CUDA_ERROR_OUT_OF_MEMORY);
        }
        device
            .memory
            .allocate(size)
            .ok_or(CUresult::CUDA_ERROR_OUT_OF_MEMORY)
    }

    /// Gives an allocation's pages back, uncleared.
    pub(crate) fn release_allocation(&mut self, id: u64) {
        let Some(allocation) = self.allocations.remove(&id) else {
            return;
        };
        let Some(block) = &allocation.block else {
            return;
        };
        if allocation.kind.is_host() {
            self.host.release(block);
        } else if let Ok(device) = self.device_mut(allocation.device) {
            device.memory.release(block);
        }
    }

    /// `cuMemAlloc`, `cuMemAllocManaged` and `cuMemHostAlloc`: pages and addresses in one step.
    /// Device memory is taken in pages of 2 MiB, however small the allocation.
    pub(crate) fn allocate(
        &mut self,
        index: usize,
        size: u64,
        kind: AllocationKind,
        device_mapped: bool,
    ) -> Answer<u64> {
        if size == 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let block = if kind.is_host() {
            self.host
                .allocate(size)
                .ok_or(CUresult::CUDA_ERROR_OUT_OF_MEMORY)?
        } else {
            self.take_device_memory(index, size)?
        };
        let start = match self.place(index, &block, kind) {
            Ok(start) => start,
            Err(code) => {
                if kind.is_host() {
                    self.host.release(&block);
                } else {
                    self.device_mut(index)?.memory.release(&block);
                }
                return Err(code);
            }
        };
        let id = self.next_id();
        self.space.insert(Region {
            start,
            size,
            kind,
            device: index,
            context: self.device(index)?.context.handle(),
            protection: Protection::ReadWrite,
            device_mapped,
            allocation: id,
        });
        let allocation = Allocation {
            device: index,
            kind,
            size,
            block: Some(block),
            handle: None,
            mappings: 1,
            handle_types: 0,
            rdma_capable: false,
        };
        self.allocations.insert(id, allocation);
        Ok(start)
    }

    fn place(&mut self, index: usize, block: &Block, kind: AllocationKind) -> Answer<u64> {
        let start = self.space.reserve(block.size(), GRANULARITY)?;
        let memory = if kind.is_host() {
            &self.host
        } else {
            &self.device(index)?.memory
        };
        let mapped = self.space.map(
            start,
            memory.file(),
            block,
            block.size(),
            Protection::ReadWrite,
        );
        if let Err(code) = mapped {
            self.space.unmap(start, block.size())?;
            self.space.unreserve(start, block.size());
            return Err(code);
        }
        Ok(start)
    }

    /// `cuMemFree` and `cuMemFreeHost`: what [`allocate`](Self::allocate) made at this address,
    /// if it is of a kind that `is_freed_so` accepts.
    pub(crate) fn free(
        &mut self,
        start: u64,
        is_freed_so: impl FnOnce(AllocationKind) -> bool,
    ) -> Answer {
        let region = self
            .space
            .region_at(start)
            .filter(|region| is_freed_so(region.kind))
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let id = region.allocation;
        let span = self
            .allocations
            .get(&id)
            .and_then(|allocation| allocation.block.as_ref())
            .map(Block::size)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        self.space.unmap(start, span)?;
        self.space.remove(start);
        self.space.unreserve(start, span);
        self.release_allocation(id);
        Ok(())
    }

    /// What the last release of a context frees.
    pub(crate) fn free_memory_of_context(&mut self, index: usize) {
        let of_context: Vec<(u64, AllocationKind)> = self
            .space
            .regions()
            .filter(|region| region.device == index && region.context.is_some())
            .map(|region| (region.start, region.kind))
            .collect();
        for (start, kind) in of_context {
            let freed = if kind == AllocationKind::RegisteredHost {
                self.unregister(start)
            } else {
                self.free(start, |_| true)
            };
            if let Err(code) = freed {
                tracing::error!(
                    code = code.0,
                    "a released context's memory could not be freed"
                );
            }
        }
    }

    /// `cuMemHostRegister`.
    pub(crate) fn register(&mut self, index: usize, start: u64, size: u64, mapped: bool) -> Answer {
        let supported = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED;
        if !self.device(index)?.has(supported) {
            return Err(CUresult::CUDA_ERROR_NOT_SUPPORTED);
        }
        let end = start
            .checked_add(size)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        if start == 0 || end == start {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        if self.space.is_occupied(start, size) {
            return Err(CUresult::CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
        }
        if self.space.overlaps(start, size) {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let id = self.next_id();
        let kind = AllocationKind::RegisteredHost;
        self.space.insert(Region {
            start,
            size,
            kind,
            device: index,
            context: self.device(index)?.context.handle(),
            protection: Protection::ReadWrite,
            device_mapped: mapped,
            allocation: id,
        });
        let allocation = Allocation {
            device: index,
            kind,
            size,
            block: None,
            handle: None,
            mappings: 1,
            handle_types: 0,
            rdma_capable: false,
        };
        self.allocations.insert(id, allocation);
        Ok(())
    }

    /// `cuMemHostUnregister`.
    pub(crate) fn unregister(&mut self, start: u64) -> Answer {
        let id = self
            .space
            .region_at(start)
            .filter(|region| region.kind == AllocationKind::RegisteredHost)
            .map(|region| region.allocation)
            .ok_or(CUresult::CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED)?;
        self.space.remove(start);
        self.release_allocation(id);
        Ok(())
    }
}
