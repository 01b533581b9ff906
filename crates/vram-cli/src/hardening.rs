//! Closing this process, before there is anything in it to take.

use crate::output;
use crate::shown::shown;

/// Sets the core limit to 0 and makes the process undumpable: what it stages is in no core file, and no
/// process of the same user can attach. Where that fails it is said, and the policy's checks see it.
pub(crate) fn begin() {
    let hardening = vram_observe::harden();
    let steps = [
        ("core limit", hardening.core_limit.err()),
        ("dumping and tracing", hardening.dumpable.err()),
    ];
    for (what, error) in steps {
        if let Some(error) = error {
            let error = shown(&error.to_string());
            output::note(&format!(
                "this process could not be closed: {what}: {error}"
            ));
        }
    }
}
