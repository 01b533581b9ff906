//! What threads share, and what a model of their interleavings puts in its place.
//!
//! With `--cfg shuttle` every operation below is a point at which the model may let another thread run
//! (`cargo xtask models`): the code that is modelled is the code that ships.

#[cfg(not(shuttle))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};

#[cfg(shuttle)]
pub(crate) use self::modelled::OnceLock;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

#[cfg(shuttle)]
mod modelled {
    use shuttle::sync::atomic::{AtomicUsize, Ordering};

    /// The standard one, before each of whose operations another thread may run. Shuttle has none.
    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        cell: std::sync::OnceLock<T>,
        turns: AtomicUsize,
    }

    impl<T> OnceLock<T> {
        pub(crate) const fn new() -> Self {
            Self {
                cell: std::sync::OnceLock::new(),
                turns: AtomicUsize::new(0),
            }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            self.turns.load(Ordering::SeqCst);
            self.cell.get()
        }

        pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
            self.turns.fetch_add(1, Ordering::SeqCst);
            self.cell.get_or_init(make)
        }
    }

    impl<T> Default for OnceLock<T> {
        fn default() -> Self {
            Self::new()
        }
    }
}
