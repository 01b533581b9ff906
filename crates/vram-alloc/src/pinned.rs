//! Page-locked host memory: what the device copies to and from without the driver's help.

use core::ffi::c_void;
use core::fmt;
use core::ptr::NonNull;
use std::sync::Arc;

use vram_sys::Function;

use crate::context::Context;
use crate::{Error, Result};

/// Page-locked memory (`cuMemHostAlloc`), zeroed. Dropping it overwrites it with zeros and gives it
/// back; whoever drops it has waited for the copies that use it.
pub(crate) struct PinnedMemory {
    context: Arc<Context>,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the value owns its memory alone; nothing about it belongs to a thread.
unsafe impl Send for PinnedMemory {}
// SAFETY: shared memory is only read.
unsafe impl Sync for PinnedMemory {}

impl PinnedMemory {
    pub(crate) fn new(context: Arc<Context>, len: usize) -> Result<Self> {
        let mut raw: *mut c_void = core::ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: the driver writes one pointer. No flags: not mapped into the device's addresses.
        let result = unsafe { (entered.table().cuMemHostAlloc)(&raw mut raw, len, 0) };
        entered.check(Function::cuMemHostAlloc, result, "pinning host memory")?;
        drop(entered);
        let start = NonNull::new(raw.cast::<u8>()).ok_or_else(|| Error::Driver {
            function: Function::cuMemHostAlloc,
            name: "a null pointer".to_owned(),
            code: 0,
            doing: "pinning host memory",
        })?;
        // SAFETY: the driver gave `len` writable bytes there. Zeroing also initialises them, which
        // every slice made of them relies on.
        unsafe { start.as_ptr().write_bytes(0, len) };
        Ok(Self {
            context,
            start,
            len,
        })
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The bytes. No copy into them is under way: what starts one sees to that.
    pub(crate) const fn bytes(&self) -> &[u8] {
        // SAFETY: `len` initialised bytes that this value owns, shared for reading only.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// The bytes. No copy into or out of them is under way: what starts one sees to that.
    pub(crate) const fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `len` initialised bytes that this value owns and that `&mut self` borrows alone.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Where the memory starts, for a copy.
    pub(crate) const fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Overwrites the first `len` bytes with zeros.
    ///
    /// The stores can't be optimised away: the memory is the driver's, and its address goes back
    /// to the driver, which may read it for all the compiler knows.
    pub(crate) fn wipe(&mut self, len: usize) {
        let len = len.min(self.len);
        self.bytes_mut().get_mut(..len).unwrap_or_default().fill(0);
        core::hint::black_box(self.start);
    }
}

impl Drop for PinnedMemory {
    fn drop(&mut self) {
        self.wipe(self.len);
        let released = self.context.enter_even_if_lost().and_then(|entered| {
            // SAFETY: this value owns the memory and drops it once; the copies that use it have been
            // waited for, and the driver waits too.
            let result = unsafe { (entered.table().cuMemFreeHost)(self.start.as_ptr().cast()) };
            entered.check(Function::cuMemFreeHost, result, "unpinning host memory")
        });
        if let Err(error) = released {
            self.context.release_failed("pinned host memory", &error);
        }
    }
}

impl fmt::Debug for PinnedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedMemory")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
