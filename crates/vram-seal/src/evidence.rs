//! Evidence of residency: which bytes lie frozen on which device, measured for whoever asked.
//!
//! A challenger sends a [`Challenge`]. The device measures every shard with it as the fs-verity salt, and what was seen
//! goes into an [`EvidenceStatement`], signed into a DSSE envelope. [`verify_evidence`] checks such an envelope against
//! what is expected of it, and names everything that is not so. The format is laid down in `docs/spec/evidence.md`.
//!
//! ```
//! use std::time::SystemTime;
//! use vram_seal::{
//!     Digest, ExpectedFrom, Freezing, HashPlan, SignatureAlgorithm, SigningKey, Subject, VerityDigest, hash_bytes,
//!     evidence::*,
//! };
//!
//! // The verifier asks.
//! let challenge = Challenge::generate()?;
//!
//! // The machine with the GPU measures, and signs what it saw.
//! let weights = vec![7; 1 << 20];
//! let digest = |salt| hash_bytes(&weights, HashPlan::VERITY, &salt).verity.unwrap().digest();
//! let measured = MeasuredShard {
//!     name: "llama-8b:0".parse()?,
//!     size_bytes: 1 << 20,
//!     freezing: Freezing::Mmu,
//!     challenged_verity: digest(challenge.salt()),
//!     duration_microseconds: 5,
//!     bytes_per_second: 209_715_200_000,
//!     residency: Residency { verdict: ResidencyVerdict::Unproven, reason: "simulated".into() },
//!     expected_from: ExpectedFrom::None,
//! };
//! let subject = Subject::shard(&measured.name, None, VerityDigest::of(&weights));
//! let now = SystemTime::now();
//! let evidence = Evidence {
//!     challenge,
//!     measured_at: Timestamp::try_from(now)?,
//!     duration_microseconds: 5,
//!     device: MeasuredDevice {
//!         name: "NVIDIA H100 80GB HBM3".into(),
//!         uuid: [0xab; 16],
//!         driver: "580.159.03".into(),
//!         simulated: true,
//!     },
//!     shards: vec![measured],
//! #   policy: PolicyFindings::new(Profile::Strict, vec![EvidenceFinding {
//! #       id: "region.device-memory".into(), shard: Some("llama-8b:0".parse()?), status: FindingStatus::Pass,
//! #       severity: FindingSeverity::Critical, enforcement: FindingEnforcement::Refuse,
//! #       raised_or_lowered_from: None, observed: "a".into(), expected: "a".into(),
//! #   }]),
//! #   /*
//!     policy: PolicyFindings::new(Profile::Strict, findings),
//! #   */
//!     library: Library { name: "vram-residency".into(), version: "0.1.0".into() },
//! #   kernel: Kernel { ptx_sha256: Digest::of(b"") },
//! #   /*
//!     kernel: Kernel { ptx_sha256 },
//! #   */
//!     confidential_compute: Some(ConfidentialCompute::None { reason: "the GPU reports none".into() }),
//! };
//! let key = SigningKey::generate(SignatureAlgorithm::Ed25519)?;
//! let envelope = EvidenceStatement::evidence(vec![subject], evidence)?.sign(&key)?.to_json()?;
//!
//! // The verifier recomputes the answer from the model file, and checks the rest.
//! let mut expected = Expectations::new(now, Some(challenge));
//! expected.accept_simulated = true; // for this example alone, as what follows from it
//! expected.accept_unproven_residency = true;
//! expected.shards = Some([("llama-8b:0".parse()?, ExpectedShard::of_bytes(&weights, Some(&challenge)))].into());
//! let verified = verify_evidence(&envelope, key.verifying_key(), &expected)?;
//! assert!(verified.answer_was_recomputed());
//!
//! expected.challenge = Some(Challenge::generate()?);
//! let refused = verify_evidence(&envelope, key.verifying_key(), &expected).unwrap_err();
//! assert!(refused.to_string().contains("challenge"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod challenge;
mod consistency;
mod expectations;
mod failure;
mod policy;
mod predicate;
mod timestamp;
mod verification;

pub use self::{
    challenge::Challenge,
    consistency::{MAX_FINDINGS, fitting_text},
    expectations::{EnvelopeForm, Expectations, ExpectedShard},
    failure::{EvidenceFailure, FailureKind, RefusedEvidence},
    policy::{
        EvidenceFinding, FindingEnforcement, FindingSeverity, FindingStatus, PolicyFindings,
        PolicyVerdict, Profile,
    },
    predicate::{
        Base64, ConfidentialCompute, Evidence, EvidenceStatement, Kernel, Library, MeasuredDevice,
        MeasuredShard, PREDICATE_TYPE, Residency, ResidencyVerdict,
    },
    timestamp::Timestamp,
    verification::{VerifiedEvidence, verify_evidence},
};
