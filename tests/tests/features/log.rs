//! Everything that is logged, down to the level of traces.

use std::io::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Starts a log for a scenario, of all threads.
pub(crate) fn begin() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Kept)
            .finish();
        tracing::subscriber::set_global_default(subscriber)
            .expect("nothing else in this program keeps a log");
    });
    LOG.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The log so far.
pub(crate) fn so_far() -> String {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log).into_owned()
}

struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
