//! Seal model weights into GPU memory, freeze them there, and prove that they are still there and
//! still the right bytes.
//!
//! A [`Manager`] has one device and one key. It seals shards from files, readers or memory, and
//! verifies them where they lie: the device measures its own memory with the kernels of
//! `vram-kernels`, and no weight goes back to the host. What it measures is Linux fs-verity's
//! digest, so `fsverity digest` prints the same for the file.
//!
//! ```
//! use vram_alloc::Platform;
//! use vram_residency::{Manager, SealRequest};
//! use vram_seal::Token;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // On a machine with a GPU: Platform::load()?, and no allow_simulated.
//! let machine = vram_sim::Machine::builder().device(vram_sim::DeviceModel::h100()).build()?;
//! let platform = Platform::with_driver(machine.driver())?;
//! let manager = Manager::builder()
//!     .token(Token::new(&[7; 32])?, "worker-0".parse()?)
//!     .allow_simulated()
//!     .build(&platform)?;
//!
//! let weights = vec![42; 1 << 20];
//! let shard = manager.seal(SealRequest::bytes("layers-0".parse()?, &weights))?;
//! println!("{} {}", shard.verity_digest(), shard.id());
//!
//! let verified = manager.verify(&shard)?;
//! let address = verified.permit.device_address()?; // for a kernel launch
//! # let _ = address;
//! drop(shard); // wiped and given back
//! # Ok(())
//! # }
//! ```
//!
//! # What is proven, and when
//!
//! 1. Sealing hashes the bytes on the host while they are copied, freezes the region, and has the
//!    device measure it: both must agree, so the whole upload is checked end to end. Where the digest
//!    is known beforehand, the host needs to hash nothing ([`HostHashing::Trusted`]): the device's
//!    measurement must be the digest that was given.
//! 2. The record of that is signed with HMAC-SHA256 under a key of this worker and this device.
//! 3. [`Manager::verify`] checks the tag, asks the driver what the region is at this moment, has the
//!    device measure it again, and compares in constant time.
//! 4. Only that makes an [`ExecutionPermit`], and only a permit gives the device address out. A
//!    failure stops the manager: it permits nothing more, for any shard.
//!
//! # How fresh a seal is
//!
//! Every seal has a nonce of its own, so the record of one is never that of another of the same bytes. A
//! record that is dated ahead of the clock is refused, and with [`ManagerBuilder::max_age`] one that is too
//! old. The time comes from a [`Clock`]; one that is set back while the manager lives is found out by a
//! monotonic one, and refused. [`ManagerBuilder::clock_skew`] says what is tolerated.
//!
//! # The policy
//!
//! What a GPU could do proves nothing; what is judged is what was observed. When a manager is made, a
//! [`Policy`](vram_policy::Policy) judges the device and the machine around it, this process included; what
//! the CUDA driver doesn't say comes from a [`Witness`](vram_observe::Witness). A region is judged before
//! anything is uploaded into it, once it is frozen, and at every verification, by what the driver says of it
//! at that moment. What can change while a manager lives is looked at again by [`Manager::recheck`], which
//! [`recheck_every`](ManagerBuilder::recheck_every) repeats.
//!
//! What the policy refuses is told as [`Event::PolicyViolation`] and stops the manager, or keeps it from
//! being made; what it warns of is told as [`Event::PolicyWarning`], when it is new and when it has changed.
//! What can't be observed is unknown, and never passes. The default is what an auditor asks for,
//! [`Policy::strict`](vram_policy::Policy::strict):
//!
//! ```
//! use std::time::Duration;
//! use vram_policy::{CheckId, Enforcement, Policy};
//! use vram_residency::ManagerBuilder;
//!
//! let builder = ManagerBuilder::new()
//!     .policy(Policy::strict().with(CheckId::DeviceEccMode, Enforcement::Warn))
//!     .recheck_every(Duration::from_secs(60));
//! ```
//!
//! # Evidence for others
//!
//! A permit convinces only this process. [`Manager::attest`] answers a challenge: it verifies the shards now, has the
//! device measure them with the challenge as the tree's salt, and signs what was seen, for somebody who has no GPU and
//! shares no secret ([`vram_seal::evidence`]).
//!
//! # What it does not do
//!
//! It can't defend against a hostile kernel driver, against code within this process that remaps
//! the memory behind its back between verifications, or against whoever holds the key.
//!
//! # Kernels launched with `cust`
//!
//! With the feature `cust`, a permit gives out the shard, or a tensor of it, as a slice of the crate
//! `cust`. The example `cust_kernel` seals weights, verifies them, and launches a kernel over them.
//!
//! # Events
//!
//! An [`Observer`] hears of everything that happens to a manager and its shards; [`TracingObserver`] is
//! always there and writes to the log, and [`TrailObserver`] keeps an audit trail,
//! [`MetricsObserver`] counts. An observer that must keep
//! every event and can't stops the manager. No event, error or log line holds a device address, a key or a
//! weight.
#![forbid(unsafe_code)]

mod attestation;
mod audit;
mod builder;
mod chunks;
mod clock;
#[cfg(feature = "drill")]
mod drill;
mod enforcement;
mod error;
mod event;
mod expectation;
mod external;
mod facts;
mod folder;
mod hashing;
mod judging;
mod keys;
mod manager;
mod measurer;
pub mod metrics;
pub mod model;
mod permit;
mod pieces;
mod progress;
mod recheck;
mod request;
mod residency;
mod residency_proof;
mod room;
mod sealing;
mod set;
mod shard;
mod source;
mod staging;
mod sync;
mod together;
mod upload;
mod verification;
mod verifying;

pub use attestation::Attestation;
pub use audit::{EVENT_SCHEMA, TrailObserver};
pub use builder::{DEFAULT_MAX_SHARD_SIZE, ManagerBuilder};
pub use clock::{Clock, DEFAULT_CLOCK_SKEW, SystemClock};
pub use error::{Error, Result};
pub use event::{Event, Observer, ObserverError, Operation, PreviousKey, TracingObserver};
pub use expectation::{Expectation, ExpectedDigest};
pub use external::ExternalMeasurement;
pub use facts::device_facts;
pub use folder::{FolderDifference, ModelFile, ModelFolder, SignedFolder, shard_id};
pub use hashing::HostHashing;
pub use keys::{Secret, SecretForm, SecretRefusal, SecretSource};
pub use manager::Manager;
pub use metrics::MetricsObserver;
pub use permit::{ExecutionPermit, TensorView};
pub use progress::{Progress, Stage};
pub use request::SealRequest;
pub use residency_proof::ResidencyProver;
pub use room::NoRoom;
pub use set::set_root;
pub use shard::{ModelShardHandle, SealSteps, SealedShard};
pub use staging::StagingUse;
pub use verification::{Difference, VerificationReport};
pub use verifying::{SetVerification, Verified};
