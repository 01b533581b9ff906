//! Audit trails as their users have them: kept in memory and in files, tampered with, killed.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step must fail the test"
)]

mod files;
mod killed;
mod memory;
mod overload;
mod tampering;
