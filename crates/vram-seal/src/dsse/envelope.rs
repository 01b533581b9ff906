//! The envelope: signing, reading, verifying.

use std::{fmt, num::NonZeroUsize};

use serde::{Deserialize, Serialize};

use super::{Base64Bytes, EnvelopeRefusal, VerifiedPayload};
use crate::{
    Error, Result, SigningKey, VerifyingKey,
    json::{self, Limits},
};

/// The pre-authentication encoding: what is signed. No two pairs of type and payload share one.
///
/// ```
/// # use vram_seal::dsse::pae;
/// assert_eq!(
///     pae("http://example.com/HelloWorld", b"hello world"),
///     b"DSSEv1 29 http://example.com/HelloWorld 11 hello world",
/// );
/// ```
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    [
        b"DSSEv1 ",
        payload_type.len().to_string().as_bytes(),
        b" ",
        payload_type.as_bytes(),
        b" ",
        payload.len().to_string().as_bytes(),
        b" ",
        payload,
    ]
    .concat()
}

/// A payload, its type, and signatures over both.
///
/// The payload of an envelope that was read is reached by [`verify`](Self::verify) alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload: Base64Bytes,
    payload_type: String,
    signatures: Vec<Signature>,
}

/// A signature as it travels. The key id is a hint that nobody believes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keyid: String,
    sig: Base64Bytes,
}

impl Envelope {
    /// The greatest length of an envelope's JSON, in bytes.
    pub const MAX_LEN: usize = 16 << 20;
    /// The greatest length of a payload, in bytes.
    pub const MAX_PAYLOAD_LEN: usize = 8 << 20;
    /// The greatest length of a payload's type, in bytes.
    pub const MAX_TYPE_LEN: usize = 256;
    /// The greatest number of signatures.
    pub const MAX_SIGNATURES: usize = 16;
    /// The greatest length of a signature, in bytes.
    pub const MAX_SIGNATURE_LEN: usize = 64 << 10;
    /// The greatest length of a key id, in bytes.
    pub const MAX_KEY_ID_LEN: usize = 1024;
    /// How deep the JSON's objects and arrays may lie in each other.
    pub const MAX_DEPTH: u32 = 8;
    /// How many values the JSON may hold, members that DSSE does not name included.
    pub const MAX_VALUES: u32 = 1024;

    /// Signs a payload.
    ///
    /// # Errors
    /// [`Error::Envelope`] when payload or type is longer than what is read, and what [`SigningKey::sign`] says.
    pub fn sign(key: &SigningKey, payload_type: &str, payload: Vec<u8>) -> Result<Self> {
        let mut envelope = Self {
            payload: Base64Bytes(payload),
            payload_type: payload_type.to_owned(),
            signatures: Vec::new(),
        };
        envelope.add_signature(key)?;
        Ok(envelope)
    }

    /// Signs the same payload with one key more.
    ///
    /// # Errors
    /// [`Error::Envelope`] when there would be more signatures than are read, and what [`SigningKey::sign`] says.
    pub fn add_signature(&mut self, key: &SigningKey) -> Result<()> {
        let sig = Base64Bytes(key.sign(&self.pae())?);
        let keyid = key.verifying_key().id().to_string();
        self.signatures.push(Signature { keyid, sig });
        self.check().inspect_err(|_| {
            self.signatures.pop();
        })?;
        Ok(())
    }

    /// Reads a JSON envelope. It says nothing about who signed it; [`verify`](Self::verify) does.
    ///
    /// # Errors
    /// [`Error::Envelope`] when it is none, or longer, deeper or fuller than the limits.
    pub fn from_json(document: &[u8]) -> Result<Self> {
        let limits = Limits {
            bytes: Self::MAX_LEN,
            depth: Self::MAX_DEPTH,
            values: Self::MAX_VALUES,
        };
        let envelope: Self =
            json::read(document, limits).map_err(|refusal| Error::Envelope(refusal.into()))?;
        envelope.check()?;
        Ok(envelope)
    }

    /// The envelope as JSON, in the one form that this crate writes: `payload`, `payloadType`, `signatures` with
    /// `keyid` and `sig`, without white space, in the standard base64 alphabet.
    ///
    /// # Errors
    /// None is expected: what this type holds can be written.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|error| Error::Envelope(EnvelopeRefusal::Json(error.into())))
    }

    /// Whether `document` is byte for byte what [`to_json`](Self::to_json) writes of this envelope.
    #[must_use]
    pub fn is_as_written(&self, document: &[u8]) -> bool {
        self.to_json().is_ok_and(|written| written == document)
    }

    /// The key ids of the signatures, in order; empty where there is none. Nothing authenticates them: they may help to
    /// find a key, not to trust one.
    pub fn claimed_key_ids(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| &*signature.keyid)
    }

    /// The payload, if `key` signed it as being of this type. Key ids are not looked at.
    ///
    /// # Errors
    /// [`Error::Envelope`] when no signature is by this key, or it signed the payload as another type.
    pub fn verify(&self, key: &VerifyingKey, payload_type: &str) -> Result<VerifiedPayload<'_>> {
        self.verify_threshold(std::slice::from_ref(key), NonZeroUsize::MIN, payload_type)
    }

    /// The payload, if at least `threshold` of these keys signed it as being of this type.
    ///
    /// # Errors
    /// [`Error::Envelope`] when fewer did, or they signed the payload as another type.
    pub fn verify_threshold(
        &self,
        keys: &[VerifyingKey],
        threshold: NonZeroUsize,
        payload_type: &str,
    ) -> Result<VerifiedPayload<'_>> {
        let message = self.pae();
        let mut signers = Vec::new();
        let mut known = vec![false; self.signatures.len()];
        for key in keys {
            let id = key.id();
            for (signature, known) in self.signatures.iter().zip(&mut known) {
                if key.verify(&message, &signature.sig.0).is_ok() {
                    *known = true;
                    if !signers.contains(&id) {
                        signers.push(id);
                    }
                }
            }
        }
        if signers.len() < threshold.get() {
            return Err(Error::Envelope(EnvelopeRefusal::Signatures {
                found: signers.len(),
                needed: threshold.get(),
                signatures: self.signatures.len(),
            }));
        }
        if self.payload_type != payload_type {
            return Err(Error::Envelope(EnvelopeRefusal::PayloadType {
                found: self.payload_type.clone(),
                expected: payload_type.to_owned(),
            }));
        }
        Ok(VerifiedPayload {
            payload: &self.payload.0,
            payload_type: &self.payload_type,
            signers,
            ignored: known.iter().filter(|known| !**known).count(),
        })
    }

    fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload.0)
    }

    fn check(&self) -> Result<()> {
        let limit = |what, found, unit, limit| {
            if found <= limit {
                return Ok(());
            }
            Err(Error::Envelope(EnvelopeRefusal::TooMuch {
                what,
                found,
                unit,
                limit,
            }))
        };
        limit(
            "payload",
            self.payload.0.len(),
            "bytes",
            Self::MAX_PAYLOAD_LEN,
        )?;
        limit("type", self.payload_type.len(), "bytes", Self::MAX_TYPE_LEN)?;
        limit(
            "list of signatures",
            self.signatures.len(),
            "entries",
            Self::MAX_SIGNATURES,
        )?;
        for signature in &self.signatures {
            limit(
                "signature",
                signature.sig.0.len(),
                "bytes",
                Self::MAX_SIGNATURE_LEN,
            )?;
            limit(
                "key id",
                signature.keyid.len(),
                "bytes",
                Self::MAX_KEY_ID_LEN,
            )?;
        }
        Ok(())
    }
}

/// The type and lengths; nothing of the payload, which may not have been verified.
impl fmt::Debug for Envelope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Envelope")
            .field("payload_type", &self.payload_type)
            .field("payload_bytes", &self.payload.0.len())
            .field("signatures", &self.signatures.len())
            .finish()
    }
}
