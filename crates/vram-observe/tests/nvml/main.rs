//! The management library through `nvml-wrapper`, over a stand-in for it that is written in C and compiled
//! here. What it says was observed on no card.
#![cfg(test)]
#![cfg(target_os = "linux")]

mod answers;
mod attestation;
mod failures;
mod stand_in;
