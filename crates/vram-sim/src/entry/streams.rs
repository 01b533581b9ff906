//! Streams.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::{c_int, c_uint};

use vram_sys::{CUevent, CUresult, CUstream, CUstream_flags};

use super::{Out, initialised};
use crate::answer::Answer;
use crate::handle::Handle;
use crate::machine::Computer;

pub(crate) unsafe fn cuStreamCreate(
    computer: &Computer,
    stream: *mut CUstream,
    flags: c_uint,
) -> Answer {
    let mut state = initialised(computer)?;
    state.current()?;
    // SAFETY: a handle may be written there, by the function's contract.
    let stream = unsafe { Out::new(stream) }?;
    let blocking = match CUstream_flags(flags) {
        CUstream_flags::CU_STREAM_DEFAULT => true,
        CUstream_flags::CU_STREAM_NON_BLOCKING => false,
        _ => return Err(CUresult::CUDA_ERROR_INVALID_VALUE),
    };
    stream.set(state.create_stream(blocking)?.to_pointer());
    Ok(())
}

/// Priorities only say what runs first where there is a choice: here everything runs in the order in
/// which it was queued. As on the driver, one outside the device's range counts as the nearest.
pub(crate) unsafe fn cuStreamCreateWithPriority(
    computer: &Computer,
    stream: *mut CUstream,
    flags: c_uint,
    _priority: c_int,
) -> Answer {
    // SAFETY: the same contract.
    unsafe { cuStreamCreate(computer, stream, flags) }
}

pub(crate) unsafe fn cuStreamDestroy_v2(computer: &Computer, stream: CUstream) -> Answer {
    initialised(computer)?.destroy_stream(Handle::of_pointer(stream))
}

pub(crate) unsafe fn cuStreamSynchronize(computer: &Computer, stream: CUstream) -> Answer {
    let mut state = initialised(computer)?;
    let stream = state.stream_of(Handle::of_pointer(stream))?;
    state.synchronize_stream(stream)
}

pub(crate) unsafe fn cuStreamWaitEvent(
    computer: &Computer,
    stream: CUstream,
    event: CUevent,
    flags: c_uint,
) -> Answer {
    let mut state = initialised(computer)?;
    if flags != 0 {
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    state.wait_event(Handle::of_pointer(stream), Handle::of_pointer(event))
}
