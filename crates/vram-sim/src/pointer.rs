//! What the driver says of an address.

use vram_sys::{CUmemorytype, CUpointer_attribute, CUresult};

use crate::answer::Answer;
use crate::region::{AllocationKind, Region};
use crate::state::State;

/// An attribute's value, in the type that the driver writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// `bool`, one byte.
    Flag(bool),
    /// `int` or `unsigned int`.
    Number(u32),
    /// A pointer, a size or an identifier.
    Wide(u64),
}

impl Value {
    /// A number in the type of an attribute.
    pub(crate) fn of(attribute: CUpointer_attribute, number: u64) -> Self {
        match attribute {
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPED
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE => {
                Self::Flag(number != 0)
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_CONTEXT
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_POINTER
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_BUFFER_ID
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPING_SIZE
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID => Self::Wide(number),
            // Memory type, device ordinal (an int: negative values keep their bits), access flags
            // and handle types (64 bits in some headers' text, 32 in what the driver writes).
            _ => Self::Number(u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX)),
        }
    }
}

impl State {
    /// `cuPointerGetAttribute`.
    pub(crate) fn pointer_attribute(
        &self,
        attribute: CUpointer_attribute,
        address: u64,
    ) -> Answer<Value> {
        let Some(region) = self.space.region(address) else {
            return self.unmapped_attribute(attribute, address);
        };
        let device = self.device(region.device)?;
        device.working()?;
        let number = match device.pointer_attributes.get(&attribute) {
            Some(&number) => number,
            None => self.attribute_of(attribute, region, address)?,
        };
        Ok(Value::of(attribute, number))
    }

    /// Of reserved addresses without anything behind them the driver knows only that.
    fn unmapped_attribute(&self, attribute: CUpointer_attribute, address: u64) -> Answer<Value> {
        let reservation = self
            .space
            .reservation(address)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let number = match attribute {
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPED => 0,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR => reservation.start,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE => reservation.size,
            _ => return Err(CUresult::CUDA_ERROR_INVALID_VALUE),
        };
        Ok(Value::of(attribute, number))
    }

    fn attribute_of(
        &self,
        attribute: CUpointer_attribute,
        region: &Region,
        address: u64,
    ) -> Answer<u64> {
        let refused = Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        let allocation = self.allocations.get(&region.allocation);
        let (range_start, range_size) = self
            .space
            .reservation(address)
            .map_or((region.start, region.size), |reserved| {
                (reserved.start, reserved.size)
            });
        Ok(match attribute {
            // Virtual memory belongs to no context: the driver answers with a null one.
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_CONTEXT => {
                region.context.map_or(0, |context| context.to_number())
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE => {
                let host = region.kind.is_host();
                u64::from(if host {
                    CUmemorytype::CU_MEMORYTYPE_HOST.0
                } else {
                    CUmemorytype::CU_MEMORYTYPE_DEVICE.0
                })
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_POINTER => {
                self.current()?;
                address
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER => {
                if !region.kind.is_host_accessible() {
                    return refused;
                }
                address
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_BUFFER_ID
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID => region.allocation,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED => {
                u64::from(region.kind == AllocationKind::Managed)
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL => region.device as u64,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE => {
                u64::from(region.kind == AllocationKind::Plain)
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR => range_start,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE => range_size,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPED => 1,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES => {
                u64::from(allocation.map_or(0, |allocation| allocation.handle_types))
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE => u64::from(
                region.kind == AllocationKind::Plain
                    || allocation.is_some_and(|allocation| allocation.rdma_capable),
            ),
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS => {
                u64::from(region.protection.flags().0)
            }
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPING_SIZE => region.size,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR => region.start,
            // No memory here comes from a pool, and none is set to synchronise.
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_SYNC_MEMOPS
            | CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE => 0,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_P2P_TOKENS => {
                return Err(CUresult::CUDA_ERROR_NOT_SUPPORTED);
            }
            _ => return refused,
        })
    }
}
