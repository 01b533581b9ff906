//! What holds across the crates: digests beside independent tools and published vectors, a real model
//! from file to permit, memory, accounting, and what the manifests and sources promise.
//!
//! Some of it needs what not every machine has. What is missing is said on standard error, and is a
//! failure where the environment asks for that ([`outside`]).
#![forbid(unsafe_code)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests compute on known values, and a panic is how they fail"
)]

mod accounting;
mod cavp;
mod comparisons;
mod device_hasher;
mod digests;
mod faults;
mod flips;
mod manifests;
mod memory;
mod model;
mod noise;
mod outside;
mod persistence;
mod rig;
