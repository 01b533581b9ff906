//! What threads share, and what a model of their interleavings puts in its place.
//!
//! With `--cfg shuttle` every operation below is a point at which the model may let another thread run
//! (`cargo xtask models`): the code that is modelled is the code that ships.

#[cfg(not(shuttle))]
use std::io;
#[cfg(not(shuttle))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, RwLock};
#[cfg(not(shuttle))]
pub(crate) use std::thread::scope;
#[cfg(not(shuttle))]
use std::thread::{Scope, ScopedJoinHandle};

#[cfg(shuttle)]
pub(crate) use self::modelled::{OnceLock, spawn_scoped};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, RwLock};
#[cfg(shuttle)]
pub(crate) use shuttle::thread::scope;

/// Starts a thread under a name that the system shows.
///
/// # Errors
/// The system gives no thread.
#[cfg(not(shuttle))]
pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn_scoped(scope, work)
}

#[cfg(shuttle)]
mod modelled {
    use std::io;

    use shuttle::sync::atomic::{AtomicUsize, Ordering};
    use shuttle::thread::{Scope, ScopedJoinHandle};

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

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.turns.fetch_add(1, Ordering::SeqCst);
            self.cell.set(value)
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

    pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
        scope: &'scope Scope<'scope, '_>,
        _name: &'static str,
        work: impl FnOnce() -> T + Send + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        Ok(scope.spawn(work))
    }
}
