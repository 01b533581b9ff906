//! Asymmetric signatures: what others check without sharing a secret.
//!
//! Ed25519 (RFC 8032) and ECDSA with P-256 and SHA-256 (FIPS 186-5), both computed by `ring`. Keys are read and
//! written as the usual tools do it: PKCS#8 (RFC 5958) and `SubjectPublicKeyInfo` (RFC 5280), in DER or as PEM
//! (RFC 7468).

mod algorithm;
mod key_id;
mod pem;
mod refusal;
mod signing_key;
mod verifying_key;

pub use self::{
    algorithm::SignatureAlgorithm, key_id::KeyId, refusal::KeyRefusal, signing_key::SigningKey,
    verifying_key::VerifyingKey,
};
