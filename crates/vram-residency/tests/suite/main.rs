//! The facade on simulated machines: sealing, verifying, what is told and what is never shown.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests compute on known values, and a panic is how they fail"
)]

mod age;
mod attestation;
mod audit;
mod clock;
mod crew;
#[cfg(feature = "cust")]
mod cust;
#[cfg(feature = "drill")]
mod drill;
mod enforcement;
#[cfg(unix)]
mod expectations;
mod external;
mod failures;
mod files;
mod folders;
mod hashing;
#[cfg(unix)]
mod keys;
mod killed;
mod lifecycle;
mod metrics;
mod policy;
mod recheck;
mod residency;
mod room;
mod sealing;
mod secrecy;
mod sets;
mod support;
mod verifying;
mod witness;
