//! What the driver says of a region at this moment: observations, for a policy to judge.

use core::ffi::c_void;

use serde::Serialize;
use vram_sys::{CUdeviceptr, CUmemorytype, CUpointer_attribute, CUresult, Function};

use crate::Result;
use crate::context::{Context, Entered};
use crate::memory::{Memory, virtual_memory};

/// A region as the driver sees it (`cuPointerGetAttribute`, `cuMemGetAccess`).
///
/// `None` where the driver gave no answer. Ranges are told relative to the region: no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegionObservation {
    /// Whose memory it is.
    pub memory_type: Option<MemoryKind>,
    /// The device that it is on, in the driver's order.
    pub device_ordinal: Option<i32>,
    /// Whether it is managed memory, which moves.
    pub managed: Option<bool>,
    /// Whether the host can reach the same memory.
    pub host_pointer: Option<bool>,
    /// Whether the allocation that holds the region starts where the region does.
    pub starts_at_region: Option<bool>,
    /// Bytes in the allocation that holds the region.
    pub range_size: Option<u64>,
    /// Whether a legacy IPC handle can share it.
    pub legacy_ipc: Option<bool>,
    /// Handle types that can export it, a `CUmemAllocationHandleType` mask; 0 is none.
    pub export_handle_types: Option<u64>,
    /// What the device may do with it: 1 read, 3 read and write.
    pub access: Option<u64>,
}

/// Whose memory an address is (`CUmemorytype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MemoryKind {
    /// The host's.
    Host,
    /// A device's.
    Device,
    /// An array's.
    Array,
    /// Either's: unified.
    Unified,
}

/// What is asked about a region, all at once where the driver answers that.
const ASKED: [CUpointer_attribute; 8] = [
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
    CUpointer_attribute::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
];

/// Asks the driver about a region. A single answer that is refused becomes `None`; only a lost
/// device is an error.
///
/// One call asks for everything (`cuPointerGetAttributes`): of an address that it doesn't know the driver
/// then says that it is of no kind of memory and in no range. Where that call is refused, each attribute
/// is asked for on its own.
pub(crate) fn observe(context: &Context, memory: &Memory) -> Result<RegionObservation> {
    observe_at(context, memory.address(), |entered| match memory {
        Memory::Virtual(memory) => memory.access_in(entered).ok(),
        Memory::Plain(memory) => access_flags(entered, memory.address()),
    })
}

/// The same of memory that somebody else allocated, in whichever way.
pub(crate) fn observe_foreign(
    context: &Context,
    address: CUdeviceptr,
) -> Result<RegionObservation> {
    observe_at(context, address, |entered| {
        let mapped = virtual_memory::access_at(context, entered, address);
        mapped.ok().or_else(|| access_flags(entered, address))
    })
}

fn access_flags(entered: &Entered<'_>, address: CUdeviceptr) -> Option<u64> {
    let attribute = CUpointer_attribute::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS;
    number::<u32>(entered, attribute, address).map(u64::from)
}

fn observe_at(
    context: &Context,
    address: CUdeviceptr,
    access: impl FnOnce(&Entered<'_>) -> Option<u64>,
) -> Result<RegionObservation> {
    let entered = context.enter()?;
    let [kind, device, managed, host, start, size, ipc, handles] =
        all(&entered, address).unwrap_or_else(|| one_by_one(&entered, address));
    let access = access(&entered);
    let observed = RegionObservation {
        memory_type: kind.map(narrow).and_then(memory_kind),
        device_ordinal: device.map(|device| narrow(device).cast_signed()),
        managed: managed.map(|managed| narrow(managed) != 0),
        host_pointer: host.map(|host| host != 0),
        starts_at_region: start.map(|start| start == address),
        range_size: size,
        legacy_ipc: ipc.map(|ipc| narrow(ipc) != 0),
        export_handle_types: handles,
        access,
    };
    drop(entered);
    if context.is_lost() {
        // A refused answer was the device going away, not the driver having none.
        context.enter().map(drop)?;
    }
    Ok(observed)
}

/// The answers to all of [`ASKED`], each in the first bytes of a zeroed word of its own.
fn all(entered: &Entered<'_>, address: CUdeviceptr) -> Option<[Option<u64>; 8]> {
    let mut attributes = ASKED;
    let mut values = [0_u64; 8];
    let mut places = values
        .each_mut()
        .map(|value| (&raw mut *value).cast::<c_void>());
    let count = u32::try_from(attributes.len()).unwrap_or(0);
    // SAFETY: both lists have `count` entries. The driver writes each attribute's type, at most 8 bytes,
    // and each place has them.
    let result = unsafe {
        (entered.table().cuPointerGetAttributes)(
            count,
            attributes.as_mut_ptr(),
            places.as_mut_ptr(),
            address,
        )
    };
    if result != CUresult::CUDA_SUCCESS {
        note_failure(entered, Function::cuPointerGetAttributes, result);
        return None;
    }
    Some(values.map(Some))
}

/// The same, asked for one by one.
fn one_by_one(entered: &Entered<'_>, address: CUdeviceptr) -> [Option<u64>; 8] {
    ASKED.map(|attribute| {
        if attribute == CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER {
            host_pointer(entered, address).map(u64::from)
        } else {
            number(entered, attribute, address)
        }
    })
}

/// The first half of a word as it lies in memory: a value of 4 bytes or fewer.
const fn narrow(word: u64) -> u32 {
    let [a, b, c, d, ..] = word.to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

/// An allocation's identity, never reused in a process (`CU_POINTER_ATTRIBUTE_BUFFER_ID`).
pub(crate) fn buffer_id(entered: &Entered<'_>, address: CUdeviceptr) -> Option<u64> {
    number(
        entered,
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_BUFFER_ID,
        address,
    )
}

const fn memory_kind(value: u32) -> Option<MemoryKind> {
    match CUmemorytype(value) {
        CUmemorytype::CU_MEMORYTYPE_HOST => Some(MemoryKind::Host),
        CUmemorytype::CU_MEMORYTYPE_DEVICE => Some(MemoryKind::Device),
        CUmemorytype::CU_MEMORYTYPE_ARRAY => Some(MemoryKind::Array),
        CUmemorytype::CU_MEMORYTYPE_UNIFIED => Some(MemoryKind::Unified),
        _ => None,
    }
}

/// Whether the driver has a host pointer for an address: for memory without one it answers
/// `CUDA_ERROR_INVALID_VALUE`, which is the answer hoped for.
pub(crate) fn host_pointer(entered: &Entered<'_>, address: CUdeviceptr) -> Option<bool> {
    let mut pointer: *mut c_void = core::ptr::null_mut();
    // SAFETY: for this attribute the driver writes one pointer.
    let result = unsafe {
        (entered.table().cuPointerGetAttribute)(
            (&raw mut pointer).cast(),
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER,
            address,
        )
    };
    match result {
        CUresult::CUDA_SUCCESS => Some(!pointer.is_null()),
        CUresult::CUDA_ERROR_INVALID_VALUE => Some(false),
        other => {
            note_failure(entered, Function::cuPointerGetAttribute, other);
            None
        }
    }
}

/// Numbers that an attribute's answer is written to.
pub(crate) trait Answer: Copy + Default {}
impl Answer for u32 {}
impl Answer for i32 {}
impl Answer for u64 {}

/// The attribute's value, where the driver has one. `T` is as wide as the attribute's type in the
/// documentation of `cuPointerGetAttribute`; every answer has room for 8 bytes all the same.
pub(crate) fn number<T: Answer>(
    entered: &Entered<'_>,
    attribute: CUpointer_attribute,
    address: CUdeviceptr,
) -> Option<T> {
    let mut value = [T::default(); 2];
    // SAFETY: the driver writes the attribute's type, at most 8 bytes, and `value` has them.
    let result = unsafe {
        (entered.table().cuPointerGetAttribute)(value.as_mut_ptr().cast(), attribute, address)
    };
    if result != CUresult::CUDA_SUCCESS {
        note_failure(entered, Function::cuPointerGetAttribute, result);
        return None;
    }
    value.first().copied()
}

/// Lets the context see the failure: if it means that the device is lost, that is remembered.
fn note_failure(entered: &Entered<'_>, function: Function, result: CUresult) {
    if let Err(error) = entered.check(function, result, "observing a region") {
        tracing::debug!(%error, "the driver gave no answer");
    }
}
