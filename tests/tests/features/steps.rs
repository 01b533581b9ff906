//! What the steps of the scenarios mean.

mod auditing;
mod observing;
mod policy;
mod refusing;
mod sealing;
mod tampering;
mod verifying;
mod working;
