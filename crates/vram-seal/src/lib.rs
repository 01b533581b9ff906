//! Digests, the fs-verity tree, keys, the seal record and signed evidence: the pure cryptography of vram-residency.
//!
//! This crate says what bytes were sealed, and checks that they still are. It knows nothing of GPUs:
//! it takes bytes from a slice or a [`Read`](std::io::Read), or group hashes that a device measured,
//! and gives back digests, records, tags and signed statements. It does no other input or output, and has no `unsafe`.
//!
//! # Seal and verify
//!
//! ```
//! use vram_seal::{
//!     DeviceId, ExpectedFrom, Freezing, HashPlan, Salt, SealKey, SealRecord, SealedRecord, Token, hash_bytes,
//! };
//!
//! # let random = [7; 32];
//! // A worker's key, of the secret it was given.
//! let device = DeviceId { uuid: [0xab; 16], simulated: true };
//! let key = SealKey::derive(&Token::new(&random)?, &"worker-0".parse()?, &device)?;
//!
//! // Hash the weights once, for both digests.
//! let mut weights = vec![1; 1 << 20];
//! let digests = hash_bytes(&weights, HashPlan::BOTH, &Salt::none());
//! let verity = digests.verity.expect("it was planned");
//!
//! let sealed = SealedRecord::seal(&key, SealRecord {
//!     shard_id: "llama-8b:0".parse()?,
//!     size: digests.size,
//!     content: digests.content,
//!     verity: verity.digest(),
//!     device,
//!     sealed_at_unix_nanos: 1_767_225_600_000_000_000,
//!     freezing: Freezing::Mmu,
//!     position: None,
//!     model: Some("models/llama-8b.safetensors".parse()?),
//!     nonce: [9; 16],
//!     key_id: key.id(),
//!     expected_from: ExpectedFrom::None,
//! })?;
//!
//! // Later: the record is what was sealed, and the bytes are what the record says.
//! let seal = sealed.verify(&key)?;
//! let measure = |weights: &[u8]| {
//!     hash_bytes(weights, HashPlan::VERITY, &Salt::none()).verity.expect("it was planned")
//! };
//! assert_eq!(measure(&weights).digest(), seal.record().verity);
//!
//! // One bit flips: it is found.
//! weights[123_456] ^= 1;
//! assert_ne!(measure(&weights).digest(), seal.record().verity);
//! # Ok::<(), vram_seal::Error>(())
//! ```
//!
//! [`verity::Locator`] then says in which 4096-byte block.
//!
//! # Where things are
//!
//! | to | use |
//! | --- | --- |
//! | hash a shard, both digests in one pass over all cores | [`hash_bytes`], [`hash_reader`], [`ShardHasher`] |
//! | name a digest | [`Digest`] as `sha256sum` prints it, [`VerityDigest`] as `fsverity digest` does |
//! | finish what a device measured, find what changed | [`verity`] |
//! | make a measurement answer a challenge | [`Salt`] |
//! | name things | [`ShardId`], [`WorkerId`], [`DeviceId`], [`ModelRef`] |
//! | hold secrets | [`Token`], [`SealKey`], in pages of their own ([`SecretBytes`]) |
//! | replace a key, and still check what the ones before sealed | [`SealKeys`] |
//! | sign for those who share no secret, and check it | [`SigningKey`], [`VerifyingKey`], [`dsse`], [`statement`] |
//! | prove residency to others, and check such a proof | [`evidence`] |
//! | name a set of shards by one digest, and check that it is whole | [`ShardSet`], [`SetRoot`] |
//! | say what was sealed, sign and verify it | [`SealRecord`], [`SealedRecord`], [`sign`], [`verify`](fn@verify) |
//!
//! The record's encoding, the key derivation and the tag are laid down byte by byte, with vectors, in
//! `docs/spec/seal-format.md`; the root of a set in `docs/spec/set-root.md`; evidence in `docs/spec/evidence.md`.
//!
//! # What is followed
//!
//! SHA-256 is FIPS 180-4, HMAC RFC 2104 (vectors: RFC 4231), HKDF RFC 5869, the tree
//! `Documentation/filesystems/fsverity.rst` of the Linux kernel. Ed25519 is RFC 8032, ECDSA
//! FIPS 186-5, DSSE and in-toto Statement are both version 1. `ring` computes them. The one
//! thing it does not offer, the state of SHA-256 after a salt, comes from `sha2`; the salt is public.
//!
//! # Known ways to fail, and what answers them
//!
//! | weakness | answer |
//! | --- | --- |
//! | a forged seal | the tag is an HMAC over every field; [`VerifiedSeal`] is made by [`verify`](fn@verify) alone, so code that asks for it can't forget the check |
//! | two records with one encoding | every field carries its number and length, in one order; the reader takes nothing that the writer would not have written |
//! | a tag cut short, extended, or never computed | [`SealTag`] holds exactly 32 bytes, not all zero |
//! | timing of comparisons | digests and tags compare in constant time; `cargo xtask timing` measures it |
//! | a key that is used for ever | records name their key; [`SealKeys`] accepts those before until a stated time, and a clock set back brings none of them back |
//! | a forked child that seals with the zeros that the kernel left of the key | it is told that the secret is gone |
//! | one key for everything | HKDF separates keys by use, worker and device, and simulated from real |
//! | keys in logs | secret types print a fixed word, are neither cloned nor serialized; no error holds secret bytes |
//! | the right tag told to whoever sent a wrong one | what was computed for comparing is a type of its own, which can't leave the crate |
//! | traversal, NUL, control characters in names | types that can't hold them, however they arrive: parsed, decoded or deserialized |
//! | a measurement made before it was asked for | a challenger's salt in front of every block |
//! | two challenges with one answer | [`evidence::Challenge`] has one length, since fs-verity pads salts with zeros |
//! | a payload used before its signature was checked | [`dsse::VerifiedPayload`], which only verification makes, is the one way to it; a statement is read from nothing else |
//! | one signed payload taken for another kind | type and predicate type are signed, and asked for by name |
//! | two readers, two readings | a name twice in one JSON object is refused; evidence has one form, compared byte for byte |
//! | a forgotten check of evidence | [`evidence::Expectations`] expects the most; what is relaxed is named, and [`evidence::VerifiedEvidence`] says what was not compared |
//! | a shard of a set left out, repeated, swapped or replaced | [`SetRoot`] is over index, total, size and digest of every one, and [`ShardSet`] names which it is |
//! | exhaustion by hostile input | sizes, counts and depth are limited before anything is built of them |
//!
//! # What stays in memory
//!
//! [`Token`], [`SealKey`] and [`SigningKey`] lie on pages of their own that are locked where that is permitted and left
//! out of core dumps and forked children ([`SecretBytes`]). They, computed tags and the buffers that gather model bytes are wiped when
//! dropped. What `ring` makes of a key while it is used can't be wiped from outside: hash states,
//! or a signing key's numbers, remain on the stack until later calls overwrite them ([`SealKey`] and [`SigningKey`] say
//! more). A process that is
//! killed, or compiled to abort on panic, wipes nothing.
#![forbid(unsafe_code)]

mod device_id;
mod digest;
pub mod dsse;
mod error;
pub mod evidence;
mod expected_from;
mod hasher;
mod hkdf;
mod hmac;
mod identifier;
pub mod json;
mod key;
mod model_ref;
pub mod record;
mod salt;
mod seal_key_id;
mod seal_keys;
mod set;
mod signing;
#[cfg(test)]
mod spec_vectors;
mod spread;
pub mod statement;
mod tag;
pub mod verity;
mod wiped_buffer;

pub use self::{
    device_id::DeviceId,
    digest::{BlockHash, Digest, SetRoot, VerityDigest},
    error::{Error, Result},
    expected_from::ExpectedFrom,
    hasher::{HashPlan, ShardDigests, ShardHasher, hash_bytes, hash_reader},
    identifier::{ShardId, WorkerId},
    json::JsonRefusal,
    key::{SealKey, Token},
    model_ref::ModelRef,
    record::{Freezing, SealRecord, SetPosition},
    salt::{InitialState, Salt},
    seal_key_id::SealKeyId,
    seal_keys::SealKeys,
    set::{SetMember, SetRefusal, ShardSet},
    signing::{KeyId, KeyRefusal, SignatureAlgorithm, SigningKey, VerifyingKey},
    statement::{DigestSet, Predicate, Statement, StatementRefusal, Subject},
    tag::{SealTag, SealedRecord, VerifiedSeal, sign, verify},
    verity::VerityMeasurement,
};
pub use vram_secret::{Error as SecretError, Protection, SecretBytes};
