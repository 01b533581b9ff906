//! What the suites in `tests/` have in common with programs: the campaign of [`faults`].
#![forbid(unsafe_code)]

pub mod faults;
