//! Scenarios that find out that the device can't do what they are about: shown as skipped, and never as passed.

use std::sync::{Mutex, PoisonError};

static REASON: Mutex<Option<String>> = Mutex::new(None);

/// Before a scenario.
pub(crate) fn begin() {
    *REASON.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Why the scenario was skipped, if it was.
pub(crate) fn reason() -> Option<String> {
    REASON
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Ends the scenario, which is then skipped for this reason.
pub(crate) fn skip(reason: &str) -> ! {
    *REASON.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    panic!("skipped: {reason}")
}
