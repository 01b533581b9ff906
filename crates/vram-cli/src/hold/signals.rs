//! The signals that ask for the end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whether a signal came, and whoever waits for that.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        *self.lock() = true;
        self.ringing.notify_all();
    }

    fn wait(&self, bound: Duration) -> bool {
        let waited = self
            .ringing
            .wait_timeout_while(self.lock(), bound, |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

pub(super) use imp::Signals;

#[cfg(unix)]
mod imp {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::thread::JoinHandle;
    use std::time::Duration;

    use anyhow::Context as _;
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag;
    use signal_hook::iterator::{Handle, Signals as Stream};

    use super::Bell;

    /// Listens for SIGTERM and SIGINT. The first asks for an end in order; another one ends the process at once.
    #[derive(Debug)]
    pub(in crate::hold) struct Signals {
        bell: Arc<Bell>,
        stream: Handle,
        thread: Option<JoinHandle<()>>,
    }

    impl Signals {
        pub(in crate::hold) fn listen() -> anyhow::Result<Self> {
            let came = Arc::new(AtomicBool::new(false));
            for signal in [SIGTERM, SIGINT] {
                // In this order: the first sets what lets the second through.
                flag::register_conditional_default(signal, Arc::clone(&came))
                    .and_then(|_| flag::register(signal, Arc::clone(&came)))
                    .context("signals can't be listened for")?;
            }
            let mut stream =
                Stream::new([SIGTERM, SIGINT]).context("signals can't be listened for")?;
            let (bell, handle) = (Arc::new(Bell::default()), stream.handle());
            let rope = Arc::clone(&bell);
            let listen = move || {
                if stream.forever().next().is_some() {
                    rope.ring();
                }
            };
            let thread = std::thread::Builder::new().name("signals".to_owned());
            let thread = thread
                .spawn(listen)
                .context("signals can't be listened for")?;
            Ok(Self {
                bell,
                stream: handle,
                thread: Some(thread),
            })
        }

        /// Waits for one, at most so long; true if one came, now or before.
        pub(in crate::hold) fn wait(&self, bound: Duration) -> bool {
            self.bell.wait(bound)
        }

        /// Whether one came.
        pub(in crate::hold) fn came(&self) -> bool {
            *self.bell.lock()
        }
    }

    impl Drop for Signals {
        fn drop(&mut self) {
            self.stream.close();
            if let Some(thread) = self.thread.take()
                && thread.join().is_err()
            {
                tracing::error!("the thread that listens for signals panicked");
            }
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::time::Duration;

    use super::Bell;

    /// There is none of this here.
    #[derive(Debug)]
    pub(in crate::hold) struct Signals {
        bell: Bell,
    }

    impl Signals {
        pub(in crate::hold) fn listen() -> anyhow::Result<Self> {
            anyhow::bail!("--hold needs SIGTERM and SIGINT, which this system doesn't have")
        }

        pub(in crate::hold) fn wait(&self, bound: Duration) -> bool {
            self.bell.wait(bound)
        }

        pub(in crate::hold) fn came(&self) -> bool {
            *self.bell.lock()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn whoever_waits_is_woken_and_whoever_comes_later_need_not_wait() {
        let bell = Arc::new(Bell::default());
        let rope = Arc::clone(&bell);
        assert!(!bell.wait(Duration::ZERO));

        let ringer = std::thread::spawn(move || rope.ring());

        assert!(bell.wait(Duration::MAX));
        ringer.join().unwrap();
        assert!(bell.wait(Duration::MAX));
    }
}
