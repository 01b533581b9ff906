//! The crate from outside: standard vectors, the independent tools, and properties over random input.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests compute on known values and fail by panicking"
)]

mod cavp;
mod envelopes;
mod evidence;
mod evidence_bytes;
mod evidence_sample;
mod fsverity;
mod interoperability;
mod naive;
mod records;
mod rings;
mod sets;
mod signatures;
mod texts;
mod tree;
