//! The signals that ask for the end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

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

/// For how long after the first signal others change nothing: `timeout`, an init that signals a whole group, and a
/// terminal's Ctrl-C all send one that arrives more than once.
#[cfg(unix)]
pub(super) const DEAF: Duration = Duration::from_secs(5);

/// What a signal leads to.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Response {
    /// An end in order.
    End,
    /// Nothing more: that end is under way.
    Nothing,
    /// The end at once.
    EndAtOnce,
}

/// What each signal leads to, after those before it.
#[cfg(unix)]
#[derive(Debug, Default)]
struct Heard {
    first: Option<Instant>,
}

#[cfg(unix)]
impl Heard {
    fn another(&mut self, at: Instant) -> Response {
        let Some(first) = self.first else {
            self.first = Some(at);
            return Response::End;
        };
        if at.saturating_duration_since(first) < DEAF {
            Response::Nothing
        } else {
            Response::EndAtOnce
        }
    }
}

#[cfg(unix)]
mod imp {
    use std::sync::Arc;
    use std::thread::JoinHandle;
    use std::time::{Duration, Instant};

    use anyhow::Context as _;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::{Handle, Signals as Stream};
    use signal_hook::low_level::emulate_default_handler;

    use super::{Bell, Heard, Response};

    /// Listens for SIGTERM, SIGINT and SIGHUP. The first asks for an end in order; those within [`DEAF`](super::DEAF)
    /// of it change nothing; one after that ends the process at once.
    #[derive(Debug)]
    pub(in crate::hold) struct Signals {
        bell: Arc<Bell>,
        stream: Handle,
        thread: Option<JoinHandle<()>>,
    }

    impl Signals {
        pub(in crate::hold) fn listen() -> anyhow::Result<Self> {
            let refused = "signals can't be listened for";
            // Whoever started it under nohup wants it to outlive the terminal.
            let hangup = (!hangup_is_ignored()).then_some(SIGHUP);
            let mut stream =
                Stream::new([SIGTERM, SIGINT].into_iter().chain(hangup)).context(refused)?;
            let (bell, handle) = (Arc::new(Bell::default()), stream.handle());
            let rope = Arc::clone(&bell);
            let listen = move || {
                let mut heard = Heard::default();
                for signal in stream.forever() {
                    match heard.another(Instant::now()) {
                        Response::End => rope.ring(),
                        Response::Nothing => {}
                        Response::EndAtOnce => {
                            if let Err(error) = emulate_default_handler(signal) {
                                tracing::error!(%error, "a signal could not end the process");
                            }
                        }
                    }
                }
            };
            let thread = std::thread::Builder::new().name("signals".to_owned());
            let thread = thread.spawn(listen).context(refused)?;
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

    /// Whether SIGHUP is ignored, as far as the system says: the mask in `/proc/self/status`, whose lowest bit is
    /// signal 1 (`proc_pid_status(5)`).
    fn hangup_is_ignored() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        super::ignores_hangup(&status)
    }
}

/// Whether the process of this `/proc/PID/status` ignores SIGHUP.
#[cfg(unix)]
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
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

    #[cfg(unix)]
    #[test]
    fn signals_right_after_the_first_change_nothing_and_a_late_one_ends_at_once() {
        let mut heard = Heard::default();
        let first = Instant::now();
        let just_before = DEAF - Duration::from_nanos(1);

        let responses = [Duration::ZERO, Duration::ZERO, just_before, DEAF]
            .map(|after| heard.another(first + after));

        let (end, nothing) = (Response::End, Response::Nothing);
        assert_eq!(responses, [end, nothing, nothing, Response::EndAtOnce]);
    }

    #[cfg(unix)]
    #[test]
    fn a_hangup_that_nohup_had_ignored_stays_ignored() {
        assert!(ignores_hangup(
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"
        ));
        assert!(!ignores_hangup(
            "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"
        ));
        assert!(!ignores_hangup(""));
    }
}
