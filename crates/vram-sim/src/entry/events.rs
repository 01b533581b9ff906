//! Events.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::c_uint;

use vram_sys::{CUevent, CUevent_flags, CUresult, CUstream};

use super::{Out, initialised};
use crate::answer::Answer;
use crate::handle::Handle;
use crate::machine::Computer;

/// `CU_EVENT_BLOCKING_SYNC` and `CU_EVENT_DISABLE_TIMING`.
const FLAGS: c_uint = 3;

pub(crate) unsafe fn cuEventCreate(
    computer: &Computer,
    event: *mut CUevent,
    flags: c_uint,
) -> Answer {
    let mut state = initialised(computer)?;
    state.current()?;
    // SAFETY: a handle may be written there, by the function's contract.
    let event = unsafe { Out::new(event) }?;
    if flags & !FLAGS != 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    let timed = flags & CUevent_flags::CU_EVENT_DISABLE_TIMING.0 == 0;
    event.set(state.create_event(timed)?.to_pointer());
    Ok(())
}

pub(crate) unsafe fn cuEventDestroy_v2(computer: &Computer, event: CUevent) -> Answer {
    initialised(computer)?.destroy_event(Handle::of_pointer(event))
}

pub(crate) unsafe fn cuEventRecord(
    computer: &Computer,
    event: CUevent,
    stream: CUstream,
) -> Answer {
    let mut state = initialised(computer)?;
    state.record_event(Handle::of_pointer(event), Handle::of_pointer(stream))
}

pub(crate) unsafe fn cuEventQuery(computer: &Computer, event: CUevent) -> Answer {
    initialised(computer)?.query_event(Handle::of_pointer(event))
}

pub(crate) unsafe fn cuEventSynchronize(computer: &Computer, event: CUevent) -> Answer {
    let mut state = initialised(computer)?;
    state.current()?;
    state.synchronize_event(Handle::of_pointer(event))
}

pub(crate) unsafe fn cuEventElapsedTime(
    computer: &Computer,
    milliseconds: *mut f32,
    start: CUevent,
    end: CUevent,
) -> Answer {
    let state = initialised(computer)?;
    state.current()?;
    // SAFETY: a float may be written there, by the function's contract.
    let milliseconds = unsafe { Out::new(milliseconds) }?;
    milliseconds.set(state.elapsed(Handle::of_pointer(start), Handle::of_pointer(end))?);
    Ok(())
}
