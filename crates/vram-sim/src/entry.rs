//! The driver's functions, by topic. Each takes what NVIDIA documents for the function of its name,
//! reads the caller's pointers, asks the machine's state, and writes the answer back.
//!
//! All of them are `unsafe` for one reason: the pointers are the caller's. A null pointer where a
//! value is wanted is `CUDA_ERROR_INVALID_VALUE`; any other must be what the function's documentation
//! says.

mod contexts;
mod copies;
mod devices;
mod driver;
mod events;
mod host_memory;
mod memory;
mod modules;
mod streams;
mod virtual_memory;

use std::sync::MutexGuard;

use vram_sys::CUresult;

pub(crate) use self::contexts::*;
pub(crate) use self::copies::*;
pub(crate) use self::devices::*;
pub(crate) use self::driver::*;
pub(crate) use self::events::*;
pub(crate) use self::host_memory::*;
pub(crate) use self::memory::*;
pub(crate) use self::modules::*;
pub(crate) use self::streams::*;
pub(crate) use self::virtual_memory::*;
use crate::answer::Answer;
use crate::machine::Computer;
use crate::state::State;

/// The machine's state, if the driver has been initialised.
fn initialised(computer: &Computer) -> Answer<MutexGuard<'_, State>> {
    let state = computer.state();
    if state.initialised {
        Ok(state)
    } else {
        Err(CUresult::CUDA_ERROR_NOT_INITIALIZED)
    }
}

/// A caller's place for a result, which isn't null.
struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Safety
    ///
    /// `place` is null, or a `T` may be written to it until the driver function returns.
    unsafe fn new(place: *mut T) -> Answer<Self> {
        if place.is_null() {
            Err(CUresult::CUDA_ERROR_INVALID_VALUE)
        } else {
            Ok(Self(place))
        }
    }

    fn set(self, value: T) {
        // SAFETY: whoever made this vouched for the place, and it isn't null. The driver's documents
        // promise callers no more than a type's usual alignment, so none is relied on.
        unsafe { self.0.write_unaligned(value) };
    }
}

/// A caller's value, if the pointer isn't null.
///
/// # Safety
///
/// `place` is null or points to a `T`.
unsafe fn read<T: Copy>(place: *const T) -> Answer<T> {
    if place.is_null() {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: it points to a `T`, as the caller vouches.
    Ok(unsafe { place.read_unaligned() })
}

/// A size as the machine counts.
const fn bytes(size: usize) -> u64 {
    size as u64
}

/// A number of the machine as the driver's `size_t`.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
