//! What streams do: copies, fills and launches, held to what memory allows.

use std::ptr;

use vram_sys::CUresult;

use crate::answer::Answer;
use crate::handle::Handle;
use crate::launch::Launch;
use crate::region::Protection;
use crate::state::State;

/// A piece of work in a stream.
#[derive(Debug)]
pub(crate) enum Work {
    /// Host bytes to device addresses.
    Upload { to: u64, from: Source, len: u64 },
    /// Device bytes to host addresses.
    Download {
        to: u64,
        from: u64,
        len: u64,
        host: HostMemory,
    },
    /// Device bytes to device addresses.
    Copy { to: u64, from: u64, len: u64 },
    /// One byte, again and again.
    Fill { to: u64, value: u8, len: u64 },
    /// A kernel.
    Launch(Launch),
    /// A mark that the stream passes.
    Record { event: Handle },
    /// Waiting until another stream has come so far.
    Wait { stream: Handle, sequence: u64 },
}

/// Where an upload's bytes come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Page-locked memory, read when the copy runs.
    Pinned(u64),
    /// Pageable memory, which the driver stages before the call returns.
    Staged(Vec<u8>),
}

/// What host memory an asynchronous copy was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostMemory {
    /// Known to the driver: the copy really is asynchronous.
    Pinned,
    /// Any other memory of the process.
    Pageable,
}

impl State {
    /// What kind of host memory a range is. Device memory is none.
    pub(crate) fn host_memory(&self, start: u64, len: u64) -> Answer<HostMemory> {
        let end = start.checked_add(len);
        if start == 0 || end.is_none() {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let covering = self.space.cover(start, len);
        if covering.is_some_and(|all| all.iter().all(|region| region.kind.is_host_accessible())) {
            return Ok(HostMemory::Pinned);
        }
        if self.space.overlaps(start, len) {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        Ok(HostMemory::Pageable)
    }

    /// The strictest protection of a range, all of which is memory that work of the device can
    /// reach: its own, or page-locked host memory. Anything else is `CUDA_ERROR_INVALID_VALUE`.
    pub(crate) fn reach(&self, index: usize, start: u64, len: u64) -> Answer<Protection> {
        let covering = self
            .space
            .cover(start, len)
            .ok_or(CUresult::CUDA_ERROR_INVALID_VALUE)?;
        if covering
            .iter()
            .any(|region| !region.is_reachable_from(index))
        {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let strictest = covering.iter().map(|region| region.protection).min();
        Ok(strictest.unwrap_or(Protection::ReadWrite))
    }

    /// An error if a copy or a fill would write where the program took the right to write away: what
    /// the driver looks at when it is called.
    pub(crate) fn writable(&self, index: usize, start: u64, len: u64) -> Answer {
        match self.reach(index, start, len)? {
            Protection::Read => Err(CUresult::CUDA_ERROR_INVALID_VALUE),
            Protection::None | Protection::ReadWrite => Ok(()),
        }
    }

    /// An error unless the range may be used so now: what the chip's memory management decides.
    pub(crate) fn permit(&self, index: usize, start: u64, len: u64, need: Protection) -> Answer {
        match self.reach(index, start, len) {
            Ok(protection) if protection >= need => Ok(()),
            _ => Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
        }
    }

    /// An error unless the range is still host memory that the driver knows.
    fn permit_host(&self, start: u64, len: u64) -> Answer {
        match self.host_memory(start, len) {
            Ok(HostMemory::Pinned) => Ok(()),
            _ => Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
        }
    }

    /// A copy of bytes that the device may read.
    pub(crate) fn read_bytes(&self, index: usize, start: u64, len: u64) -> Answer<Vec<u8>> {
        self.permit(index, start, len, Protection::Read)?;
        let (from, count) = place(start, len)?;
        let mut bytes = vec![0; count];
        // SAFETY: the range is readable device memory, as was just checked under the lock.
        unsafe { ptr::copy_nonoverlapping(from.cast_const(), bytes.as_mut_ptr(), count) };
        Ok(bytes)
    }

    /// Does a piece of work of the device. An error loses the context.
    pub(crate) fn execute(&self, index: usize, work: Work) -> Answer {
        match work {
            Work::Upload { to, from, len } => {
                self.permit(index, to, len, Protection::ReadWrite)?;
                let from = match &from {
                    Source::Pinned(from) => {
                        self.permit_host(*from, len)?;
                        *from
                    }
                    Source::Staged(bytes) => bytes.as_ptr().expose_provenance() as u64,
                };
                // SAFETY: the target is writable device memory and the source is live page-locked
                // memory, as was just checked under the lock, or our own bytes.
                unsafe { move_bytes(to, from, len) }
            }
            Work::Download {
                to,
                from,
                len,
                host,
            } => {
                self.permit(index, from, len, Protection::Read)?;
                if host == HostMemory::Pinned {
                    self.permit_host(to, len)?;
                }
                // SAFETY: the source is readable device memory. The target is live page-locked
                // memory, as was just checked, or memory that the caller of the driver lets it write
                // until the call returns, which it does after this.
                unsafe { move_bytes(to, from, len) }
            }
            Work::Copy { to, from, len } => {
                self.permit(index, from, len, Protection::Read)?;
                self.permit(index, to, len, Protection::ReadWrite)?;
                // SAFETY: both ranges are device memory with the protection that this needs.
                unsafe { move_bytes(to, from, len) }
            }
            Work::Fill { to, value, len } => {
                self.permit(index, to, len, Protection::ReadWrite)?;
                // SAFETY: the range is writable device memory.
                unsafe { fill_bytes(to, value, len) }
            }
            Work::Launch(launch) => self.run_launch(index, &launch),
            // Handled where streams are run.
            Work::Record { .. } | Work::Wait { .. } => Ok(()),
        }
    }
}

/// An address and a length as this process has them.
fn place(start: u64, len: u64) -> Answer<(*mut u8, usize)> {
    let invalid = |_| CUresult::CUDA_ERROR_INVALID_VALUE;
    let address = usize::try_from(start).map_err(invalid)?;
    Ok((
        ptr::with_exposed_provenance_mut(address),
        usize::try_from(len).map_err(invalid)?,
    ))
}

/// Copies bytes; the ranges may overlap.
///
/// # Safety
///
/// `len` bytes may be read at `from` and written at `to`, and nothing else writes either meanwhile:
/// under CUDA too that is the program's duty.
unsafe fn move_bytes(to: u64, from: u64, len: u64) -> Answer {
    let (to, count) = place(to, len)?;
    let (from, _) = place(from, len)?;
    // SAFETY: the caller vouches for both ranges.
    unsafe { ptr::copy(from.cast_const(), to, count) };
    Ok(())
}

/// Fills a range with one byte.
///
/// # Safety
///
/// `len` bytes may be written at `to`, and nothing else uses them meanwhile.
unsafe fn fill_bytes(to: u64, value: u8, len: u64) -> Answer {
    let (to, count) = place(to, len)?;
    // SAFETY: the caller vouches for the range.
    unsafe { ptr::write_bytes(to, value, count) };
    Ok(())
}
