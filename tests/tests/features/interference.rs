//! A driver whose answers can be changed: every call goes to the driver behind it, and some of what comes back is not
//! what that one said.
//!
//! What another kind of memory looks like is not made up: the driver is asked about real memory of that kind.

use std::ffi::{c_uint, c_ulonglong, c_void};
use std::fmt;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vram_raw::{HostMemory, Raw};
use vram_sys::{
    CUdeviceptr, CUmemAllocationProp, CUmemGenericAllocationHandle, CUpointer_attribute, CUresult,
    Driver, Table,
};

/// The functions of a table know nothing of whose they are: there is one of it at a time.
static STATE: Mutex<Option<State>> = Mutex::new(None);

struct State {
    /// The driver behind.
    table: Table,
    refuses_next_allocation: bool,
    refused: u64,
    told: Option<Told>,
}

/// What is told of an address, instead of the truth.
#[derive(Clone, Copy)]
struct Told {
    about: CUdeviceptr,
    /// Whose attributes are told.
    instead: CUdeviceptr,
    /// Whether the device is said to be the next one.
    next_device: bool,
}

/// Kinds of memory that a region must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherMemory {
    Managed,
    MappedHost,
    OtherDevice,
}

enum Held {
    Managed(u64),
    Host(HostMemory),
}

/// The driver that stands between, and what it holds.
pub(crate) struct Interference {
    behind: Arc<Driver>,
    between: Arc<Driver>,
    held: Vec<Held>,
}

impl Interference {
    pub(crate) fn begin(behind: &Arc<Driver>) -> Self {
        let table = Table {
            cuMemCreate: create,
            cuPointerGetAttribute: attribute,
            cuPointerGetAttributes: attributes,
            ..*behind.table()
        };
        *state() = Some(State {
            table: *behind.table(),
            refuses_next_allocation: false,
            refused: 0,
            told: None,
        });
        // SAFETY: each function does what the driver behind does, which lives as long; of three, answers are changed,
        // and what they write is written in place of what that one wrote.
        let between = unsafe { Driver::simulated(table, Box::new(Arc::clone(behind))) };
        Self {
            behind: Arc::clone(behind),
            between: Arc::new(between),
            held: Vec::new(),
        }
    }

    pub(crate) fn driver(&self) -> Arc<Driver> {
        Arc::clone(&self.between)
    }

    /// Lets the next allocation of pages fail for want of memory.
    pub(crate) fn refuse_next_allocation(&self) {
        changed(|state| state.refuses_next_allocation = true);
    }

    /// How many allocations were refused.
    pub(crate) fn refused(&self) -> u64 {
        let mut refused = 0;
        changed(|state| refused = state.refused);
        refused
    }

    /// Lets the driver say of a region what it says of other memory, of the same size.
    pub(crate) fn disguise(&mut self, address: u64, len: u64, memory: OtherMemory) {
        let raw = Raw::new(Arc::clone(&self.behind));
        let len = usize::try_from(len).unwrap();
        let instead = match memory {
            OtherMemory::Managed => {
                let taken = raw.take_managed(len);
                self.held.push(Held::Managed(taken));
                taken
            }
            OtherMemory::MappedHost => {
                let (memory, taken) = raw.take_mapped_host(len);
                self.held.push(Held::Host(memory));
                taken
            }
            OtherMemory::OtherDevice => address,
        };
        raw.leave();
        let told = Told {
            about: address,
            instead,
            next_device: memory == OtherMemory::OtherDevice,
        };
        changed(|state| state.told = Some(told));
    }
}

impl Drop for Interference {
    fn drop(&mut self) {
        *state() = None;
        if self.held.is_empty() {
            return;
        }
        let raw = Raw::new(Arc::clone(&self.behind));
        for held in self.held.drain(..) {
            match held {
                Held::Managed(address) => raw.free(address),
                Held::Host(memory) => raw.free_host(memory),
            }
        }
        raw.leave();
    }
}

impl fmt::Debug for Interference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interference").finish_non_exhaustive()
    }
}

fn state() -> MutexGuard<'static, Option<State>> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn changed(change: impl FnOnce(&mut State)) {
    change(state().as_mut().expect("a scenario interferes"));
}

/// What to call, and what is told of this address.
fn answering(address: CUdeviceptr) -> Option<(Table, Option<Told>)> {
    let state = state();
    let state = state.as_ref()?;
    let told = state.told.filter(|told| told.about == address);
    Some((state.table, told))
}

unsafe extern "C" fn create(
    handle: *mut CUmemGenericAllocationHandle,
    size: usize,
    properties: *const CUmemAllocationProp,
    flags: c_ulonglong,
) -> CUresult {
    let function = {
        let mut state = state();
        let Some(state) = state.as_mut() else {
            return CUresult::CUDA_ERROR_DEINITIALIZED;
        };
        if state.refuses_next_allocation {
            state.refuses_next_allocation = false;
            state.refused += 1;
            return CUresult::CUDA_ERROR_OUT_OF_MEMORY;
        }
        state.table.cuMemCreate
    };
    // SAFETY: the caller keeps the documented contract of cuMemCreate, which this is.
    unsafe { function(handle, size, properties, flags) }
}

unsafe extern "C" fn attribute(
    data: *mut c_void,
    attribute: CUpointer_attribute,
    address: CUdeviceptr,
) -> CUresult {
    let Some((table, told)) = answering(address) else {
        return CUresult::CUDA_ERROR_DEINITIALIZED;
    };
    let asked = told.map_or(address, |told| told.instead);
    // SAFETY: the caller keeps the documented contract of cuPointerGetAttribute, which this is; another address is as
    // good as any.
    let result = unsafe { (table.cuPointerGetAttribute)(data, attribute, asked) };
    if let Some(told) = told.filter(|_| result == CUresult::CUDA_SUCCESS) {
        // SAFETY: the driver has just written this attribute there.
        unsafe { disguise(data, attribute, told) };
    }
    result
}

unsafe extern "C" fn attributes(
    count: c_uint,
    asked_for: *mut CUpointer_attribute,
    data: *mut *mut c_void,
    address: CUdeviceptr,
) -> CUresult {
    let Some((table, told)) = answering(address) else {
        return CUresult::CUDA_ERROR_DEINITIALIZED;
    };
    let asked = told.map_or(address, |told| told.instead);
    // SAFETY: as above, for cuPointerGetAttributes.
    let result = unsafe { (table.cuPointerGetAttributes)(count, asked_for, data, asked) };
    let Some(told) = told.filter(|_| result == CUresult::CUDA_SUCCESS) else {
        return result;
    };
    // SAFETY: by the documented contract there are so many attributes, which the driver has read.
    let attributes = unsafe { slice::from_raw_parts(asked_for, count as usize) };
    // SAFETY: and so many places, which the driver has written to.
    let places = unsafe { slice::from_raw_parts(data, count as usize) };
    for (attribute, place) in attributes.iter().zip(places) {
        // SAFETY: the driver has just written this attribute there.
        unsafe { disguise(*place, *attribute, told) };
    }
    result
}

/// Makes other memory's attribute that of a region at the address that is asked about, or of the next device.
///
/// # Safety
///
/// `place` holds a value of the attribute's documented type.
unsafe fn disguise(place: *mut c_void, attribute: CUpointer_attribute, told: Told) {
    match attribute {
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR => {
            let start = place.cast::<u64>();
            // SAFETY: a device address is 8 bytes, and the function's contract says that one is there.
            let found = unsafe { start.read_unaligned() };
            if found == told.instead {
                // SAFETY: as above.
                unsafe { start.write_unaligned(told.about) };
            }
        }
        CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL if told.next_device => {
            let ordinal = place.cast::<i32>();
            // SAFETY: an ordinal is an int, and the function's contract says that one is there.
            let found = unsafe { ordinal.read_unaligned() };
            // SAFETY: as above.
            unsafe { ordinal.write_unaligned(found + 1) };
        }
        _ => {}
    }
}
