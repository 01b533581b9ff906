//! An audit trail that shows whether it was tampered with.
//!
//! Events become JSON lines, each linked to the one before it by SHA-256, with checkpoints signed with
//! Ed25519 or ECDSA P-256. Whoever has the public key can check the file offline. The format is laid down in
//! `docs/spec/audit-trail.md`.
//!
//! ```
//! use serde_json::json;
//! use vram_audit::{Ending, Options, SigningKey, Trail, Urgency, Verifier};
//! use vram_seal::SignatureAlgorithm;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let path = dir.path().join("audit.jsonl");
//! let key = SigningKey::generate(SignatureAlgorithm::Ed25519)?;
//! let trail = Trail::open(&path, key, Options::new("worker-0")?)?;
//! let key = trail.public_key().clone();
//!
//! trail.append(Urgency::Routine, &json!({"event": "sealed", "shard": "llama:0"}))?;
//! // On disk and signed when this returns:
//! trail.append(Urgency::Critical, &json!({"event": "verification_failed", "shard": "llama:0"}))?;
//! trail.close()?;
//!
//! let verdict = Verifier::new([key.clone()]).verify_files(&[&path])?;
//! assert!(verdict.is_intact());
//! assert_eq!(verdict.summary().ending, Ending::Closed);
//!
//! // Someone hides the failure:
//! let edited = std::fs::read_to_string(&path)?.replace("verification_failed", "verification_passed");
//! std::fs::write(&path, edited)?;
//! assert!(!Verifier::new([key]).verify_files(&[&path])?.is_intact());
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! | what happens | what follows |
//! | --- | --- |
//! | the process is killed, at any moment | every complete record verifies; every critical event that was acknowledged is there; a torn last line is told apart from tampering, and cut off when the trail is opened again, which the chain says |
//! | the power is lost | as if the process were killed, where the disk keeps what was synced; zeros that the file system left at the end are told apart from tampering, and cut off, as a torn line is |
//! | a record is edited, removed, moved, repeated, inserted | verification names the first one, if a checkpoint or a later record follows |
//! | the chain is made anew after an edit | the next checkpoint's signature does not hold |
//! | the end is cut off | found if the cut is within a line that can't be torn, before a later file, or before a [`Head`] that was kept elsewhere; otherwise the verdict says that the trail was not closed |
//! | the disk is slow | routine events wait within [`Options::patience`], then [`Overload`] decides; critical ones wait within [`Options::critical_patience`] |
//! | a write fails | the trail has failed: every later event is refused, with the reason |
//! | a second writer | is refused: the trail is locked |
//!
//! What it can't do: keep someone who has the signing key, or who controls the process, from writing
//! what isn't so; nor show that the whole file was replaced by an older copy of itself, unless a
//! [`Head`] was kept elsewhere.
#![forbid(unsafe_code)]

mod chain;
mod clock;
mod diagnose;
mod error;
#[cfg(unix)]
mod file;
mod filter;
mod lines;
mod options;
mod queue;
mod record;
mod records;
mod scribe;
mod signature;
mod store;
mod trail;
mod verdict;
mod verify;

pub use chain::{Head, RecordHash, TrailId};
pub use clock::{Clock, SystemClock};
pub use error::{Error, Result};
#[cfg(unix)]
pub use file::files_of;
pub use filter::Filter;
pub use lines::Source;
pub use options::{Options, Overload};
pub use record::{Kind, MAX_DEPTH, MAX_EVENT_BYTES, MAX_LINE_BYTES, Reason, Record, VERSION};
pub use records::Records;
pub use store::Store;
pub use trail::{Appended, Trail, Urgency};
pub use verdict::{Ending, Fault, Summary, Verdict, Why};
pub use verify::Verifier;
pub use vram_seal::{KeyId, SigningKey, VerifyingKey};
