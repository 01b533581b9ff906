//! The policy from the outside: what each check answers, that each refuses alone, that a worse
//! fact never improves a verdict, and how a report looks as JSON.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod breaking;
mod checks;
mod golden;
mod guide;
mod monotonic;
mod residency;
mod subjects;
mod unknown;
