//! Handles: numbers that name a driver object.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of a context, stream, event, module, function or physical allocation.
///
/// Handles are unique in the process, never reused and far apart: one that was released, belongs
/// to another machine or names another kind of object is in no table that it is looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Handle(u64);

/// An odd number near 2^64 / φ: multiplying by it permutes the 64-bit numbers.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Handle {
    /// A handle that never was.
    pub(crate) fn fresh() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(SCATTER))
    }

    /// The handle in the form of one of the driver's opaque pointers. It points nowhere.
    pub(crate) fn to_pointer<T>(self) -> *mut T {
        ptr::without_provenance_mut(usize::try_from(self.0).unwrap_or_default())
    }

    /// What a caller passed as an opaque pointer.
    pub(crate) fn of_pointer<T>(pointer: *mut T) -> Self {
        Self(pointer.addr() as u64)
    }

    pub(crate) const fn to_number(self) -> u64 {
        self.0
    }

    pub(crate) const fn of_number(number: u64) -> Self {
        Self(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn handles_are_never_null_never_equal_and_never_neighbours() {
        let handles: Vec<u64> = (0..1000).map(|_| Handle::fresh().to_number()).collect();

        assert_eq!(handles.iter().collect::<HashSet<_>>().len(), handles.len());
        assert!(!handles.contains(&0));
        for pair in handles.windows(2) {
            assert!(pair[0].abs_diff(pair[1]) > 1 << 32, "{pair:x?}");
        }
    }

    #[test]
    fn a_handle_survives_being_a_pointer() {
        let handle = Handle::fresh();
        assert_eq!(Handle::of_pointer(handle.to_pointer::<u8>()), handle);
    }
}
