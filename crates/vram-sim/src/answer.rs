//! What a driver function answers.

use vram_sys::CUresult;

/// Success, or the code that the driver gives for what went wrong.
pub(crate) type Answer<T = ()> = Result<T, CUresult>;
