//! The public half: what signatures are checked with.

use std::fmt;

use pkcs8::{
    Document,
    der::{Decode, Encode, asn1::BitStringRef, pem::LineEnding},
    spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef},
};
use ring::signature::UnparsedPublicKey;

use super::{KeyId, KeyRefusal, SignatureAlgorithm, pem};
use crate::{Error, Result};

/// How long an Ed25519 public key is, in bytes.
const ED25519_LEN: usize = 32;

/// How long an uncompressed point of P-256 is, in bytes, and what it starts with.
const P256_LEN: usize = 65;
const UNCOMPRESSED: u8 = 4;

/// A public key that signatures are checked with.
///
/// Whoever gives one says by it whom they trust: a key that came with the signature proves nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    algorithm: SignatureAlgorithm,
    /// The key as `ring` takes it: 32 bytes, or the uncompressed point.
    public: Vec<u8>,
    /// Its one encoding as a `SubjectPublicKeyInfo`.
    spki: Vec<u8>,
}

impl VerifyingKey {
    /// Reads a `SubjectPublicKeyInfo` in PEM: a file that starts with `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    /// [`Error::VerifyingKey`] for another label or algorithm, or a malformed key.
    pub fn from_spki_pem(text: &str) -> Result<Self> {
        let document = pem::read_public(text).map_err(Error::VerifyingKey)?;
        Self::from_spki_der(document.as_bytes())
    }

    /// Reads a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// [`Error::VerifyingKey`] for another algorithm, or a malformed key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        Self::read(der).map_err(Error::VerifyingKey)
    }

    fn read(der: &[u8]) -> Result<Self, KeyRefusal> {
        pem::limit_len(der.len())?;
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|reason| refusal(&reason))?;
        let algorithm = SignatureAlgorithm::of_identifier(&info.algorithm)?;
        let public = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| public_key_refusal(algorithm, info.subject_public_key.raw_bytes()))?;
        Self::of_public(algorithm, public)
    }

    /// The key of these bytes, as `ring` gives and takes them.
    pub(super) fn of_public(
        algorithm: SignatureAlgorithm,
        public: &[u8],
    ) -> Result<Self, KeyRefusal> {
        let good = match algorithm {
            SignatureAlgorithm::Ed25519 => public.len() == ED25519_LEN,
            SignatureAlgorithm::EcdsaP256Sha256 => {
                public.len() == P256_LEN && public.first() == Some(&UNCOMPRESSED)
            }
        };
        if !good {
            return Err(public_key_refusal(algorithm, public));
        }
        let spki = algorithm
            .with_identifier(|identifier| {
                SubjectPublicKeyInfo {
                    algorithm: identifier,
                    subject_public_key: BitStringRef::from_bytes(public)?,
                }
                .to_der()
            })
            .map_err(|reason| refusal(&reason))?;
        Ok(Self {
            algorithm,
            public: public.to_vec(),
            spki,
        })
    }

    /// The algorithm of its signatures.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The key's name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::of_spki_der(&self.spki)
    }

    /// The key as a `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn as_spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The key as a `SubjectPublicKeyInfo` in PEM, as `openssl` reads it.
    ///
    /// # Errors
    /// None is expected: what this type holds can be written.
    pub fn to_spki_pem(&self) -> Result<String> {
        Document::try_from(self.spki.as_slice())
            .and_then(|document| document.to_pem(pem::PUBLIC, LineEnding::LF))
            .map_err(|reason| Error::VerifyingKey(refusal(&reason)))
    }

    /// Checks a signature over `message`.
    ///
    /// # Errors
    /// [`Error::SignatureMismatch`] unless this key's secret half signed exactly this message. That message, signature
    /// or key is malformed is no different.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        UnparsedPublicKey::new(self.algorithm.verification(), &self.public)
            .verify(message, signature)
            .map_err(|_| Error::SignatureMismatch { key: self.id() })
    }
}

/// The algorithm and the key's name.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyingKey({} {})", self.algorithm, self.id())
    }
}

fn refusal(reason: &pkcs8::der::Error) -> KeyRefusal {
    KeyRefusal::Der {
        expected: "a SubjectPublicKeyInfo",
        reason: reason.to_string(),
    }
}

fn public_key_refusal(algorithm: SignatureAlgorithm, public: &[u8]) -> KeyRefusal {
    KeyRefusal::PublicKey {
        algorithm,
        found: public.len(),
        expected: match algorithm {
            SignatureAlgorithm::Ed25519 => "32 bytes",
            SignatureAlgorithm::EcdsaP256Sha256 => "the 65 bytes of an uncompressed point",
        },
    }
}
