//! Looking again and again: the thread that re-checks a manager's device and the machine around it.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::manager::{Inner, Manager};
use crate::{Error, Result};

/// The thread's name, as the system shows it.
const NAME: &str = "vram-recheck";

/// A thread that re-checks a manager until that is dropped or has stopped.
///
/// It holds no manager while it waits. Dropped with the manager, it wakes the thread and waits for its
/// end.
#[derive(Debug)]
pub(crate) struct Rechecks {
    /// Never sent to: that it is gone is the message.
    manager_lives: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Rechecks {
    /// Starts the thread.
    pub(crate) fn start(manager: &Manager, every: Duration) -> Result<Self> {
        let (manager_lives, until_dropped) = mpsc::channel();
        let inner = Arc::downgrade(&manager.inner);
        let run = move || recheck(&inner, &until_dropped, every);
        let thread = thread::Builder::new().name(NAME.to_owned());
        let thread = thread.spawn(run).map_err(|source| Error::System {
            what: "thread to re-check the policy",
            source: source.into(),
        })?;
        Ok(Self {
            manager_lives: Some(manager_lives),
            thread: Some(thread),
        })
    }
}

impl Drop for Rechecks {
    fn drop(&mut self) {
        drop(self.manager_lives.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        // The manager's last holder can be the thread itself, in the middle of a re-check.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that re-checks the policy panicked");
        }
    }
}

fn recheck(manager: &Weak<Inner>, until_dropped: &Receiver<()>, every: Duration) {
    let mut alarm = Alarm {
        manager,
        armed: true,
    };
    while until_dropped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let Some(inner) = manager.upgrade() else {
            break;
        };
        let manager = Manager { inner };
        if manager.stop_reason().is_some() {
            break;
        }
        if let Err(error) = manager.recheck() {
            tracing::error!(%error, "the re-check failed");
        }
    }
    alarm.armed = false;
}

/// Stops the manager if its re-checks end by a panic: nobody would look any more.
struct Alarm<'a> {
    manager: &'a Weak<Inner>,
    armed: bool,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if self.armed
            && let Some(inner) = self.manager.upgrade()
        {
            Manager { inner }.stop("the thread that re-checks the policy panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A thread that ends some time after it hears that the manager is gone, and then says that it did.
    fn slow(ended: &Arc<AtomicBool>) -> Rechecks {
        let (manager_lives, until_dropped) = mpsc::channel::<()>();
        let ended = Arc::clone(ended);
        Rechecks {
            manager_lives: Some(manager_lives),
            thread: Some(thread::spawn(move || {
                until_dropped.recv().unwrap_err();
                thread::sleep(Duration::from_millis(50));
                ended.store(true, Ordering::SeqCst);
            })),
        }
    }

    #[test]
    fn who_drops_it_waits_for_the_threads_end() {
        let ended = Arc::new(AtomicBool::new(false));
        let rechecks = slow(&ended);

        drop(rechecks);

        assert!(ended.load(Ordering::SeqCst));
    }

    #[test]
    fn a_thread_that_drops_it_does_not_wait_for_itself() {
        let (give, take) = mpsc::channel::<Rechecks>();
        let (manager_lives, until_dropped) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            drop(take.recv().unwrap());
            tell.send(until_dropped.recv()).unwrap();
        });
        let rechecks = Rechecks {
            manager_lives: Some(manager_lives),
            thread: Some(thread),
        };

        give.send(rechecks).unwrap();

        assert!(told.recv().unwrap().is_err());
    }
}
