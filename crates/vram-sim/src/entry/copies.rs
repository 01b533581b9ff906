//! Copies and fills, all of them queued.
//!
//! The driver looks at where they write before it queues anything, and refuses read-only memory: seen
//! on an H100 under driver 580. Only what changes between the call and its turn in the stream is left
//! to the device's memory management, as is all that a kernel does.

#![expect(non_snake_case, reason = "the names are the driver's")]

use core::ffi::{c_uchar, c_void};
use std::slice;

use vram_sys::{CUdeviceptr, CUstream};

use super::{bytes, initialised};
use crate::answer::Answer;
use crate::handle::Handle;
use crate::machine::Computer;
use crate::work::{HostMemory, Source, Work};

/// Pageable bytes are read before this returns, page-locked ones when the copy runs.
pub(crate) unsafe fn cuMemcpyHtoDAsync_v2(
    computer: &Computer,
    to: CUdeviceptr,
    from: *const c_void,
    count: usize,
    stream: CUstream,
) -> Answer {
    let mut state = initialised(computer)?;
    let stream = state.stream_of(Handle::of_pointer(stream))?;
    if count == 0 {
        return Ok(());
    }
    let len = bytes(count);
    let start = from.expose_provenance() as u64;
    state.writable(state.current()?, to, len)?;
    let source = match state.host_memory(start, len)? {
        HostMemory::Pinned => Source::Pinned(start),
        HostMemory::Pageable => {
            // SAFETY: the caller has so many bytes there, which aren't changed during the call.
            Source::Staged(unsafe { slice::from_raw_parts(from.cast::<u8>(), count) }.to_vec())
        }
    };
    state
        .enqueue(
            stream,
            Work::Upload {
                to,
                from: source,
                len,
            },
        )
        .map(|_| ())
}

/// A copy to pageable memory is done when this returns, one to page-locked memory when it runs.
pub(crate) unsafe fn cuMemcpyDtoHAsync_v2(
    computer: &Computer,
    to: *mut c_void,
    from: CUdeviceptr,
    count: usize,
    stream: CUstream,
) -> Answer {
    let mut state = initialised(computer)?;
    let stream = state.stream_of(Handle::of_pointer(stream))?;
    if count == 0 {
        return Ok(());
    }
    let len = bytes(count);
    let start = to.expose_provenance() as u64;
    state.reach(state.current()?, from, len)?;
    let host = state.host_memory(start, len)?;
    state.enqueue(
        stream,
        Work::Download {
            to: start,
            from,
            len,
            host,
        },
    )?;
    match host {
        HostMemory::Pinned => Ok(()),
        HostMemory::Pageable => state.synchronize_stream(stream),
    }
}

pub(crate) unsafe fn cuMemcpyDtoDAsync_v2(
    computer: &Computer,
    to: CUdeviceptr,
    from: CUdeviceptr,
    count: usize,
    stream: CUstream,
) -> Answer {
    let mut state = initialised(computer)?;
    let stream = state.stream_of(Handle::of_pointer(stream))?;
    if count == 0 {
        return Ok(());
    }
    let (index, len) = (state.current()?, bytes(count));
    state.reach(index, from, len)?;
    state.writable(index, to, len)?;
    state
        .enqueue(stream, Work::Copy { to, from, len })
        .map(|_| ())
}

pub(crate) unsafe fn cuMemsetD8Async(
    computer: &Computer,
    to: CUdeviceptr,
    value: c_uchar,
    count: usize,
    stream: CUstream,
) -> Answer {
    let mut state = initialised(computer)?;
    let stream = state.stream_of(Handle::of_pointer(stream))?;
    if count == 0 {
        return Ok(());
    }
    let len = bytes(count);
    state.writable(state.current()?, to, len)?;
    state
        .enqueue(stream, Work::Fill { to, value, len })
        .map(|_| ())
}
