//! The key of whoever signed.

use std::fmt;

use pkcs8::{
    Document, LineEnding, ObjectIdentifier,
    der::{Decode as _, Encode as _},
    spki::SubjectPublicKeyInfoRef,
};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm,
};
use vram_seal::Digest;

use crate::shown::shown;
use crate::{Error, Result};

/// `id-ecPublicKey` of RFC 5480.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1` of RFC 5480.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `secp384r1` of RFC 5480.
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// `secp521r1` of RFC 5480.
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

const LABEL: &str = "PUBLIC KEY";

/// The curves that signatures are verified on, each with its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Curve {
    /// P-256, with SHA-256.
    P256,
    /// P-384, with SHA-384.
    P384,
}

impl Curve {
    /// Its name in FIPS 186-5: `P-256` or `P-384`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
        }
    }

    /// The length of an uncompressed point, in bytes.
    const fn point_len(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::P384 => 97,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::P384 => &ECDSA_P384_SHA384_ASN1,
        }
    }
}

/// An ECDSA public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    curve: Curve,
    /// The uncompressed point.
    point: Vec<u8>,
    /// The whole `SubjectPublicKeyInfo`.
    der: Vec<u8>,
}

impl PublicKey {
    /// The greatest length of a key that is read, PEM or DER, in bytes.
    pub const MAX_LEN: usize = 16 << 10;

    /// Reads a `SubjectPublicKeyInfo` in PEM: a file that starts with `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    /// [`Error::PublicKey`] for other PEM, or a key that is not on one of the [curves](Curve).
    pub fn from_pem(text: &str) -> Result<Self> {
        limit(text.len())?;
        let (label, document) =
            Document::from_pem(text).map_err(|why| refused(format!("it is not PEM: {why}")))?;
        if label != LABEL {
            return Err(refused(format!(
                "its PEM label is {:?}, a public key's is {LABEL:?}",
                shown(label)
            )));
        }
        Self::from_spki_der(document.as_bytes())
    }

    /// Reads a `SubjectPublicKeyInfo` (RFC 5280) in DER.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        limit(der.len())?;
        let info = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|why| refused(format!("it is not a SubjectPublicKeyInfo in DER: {why}")))?;
        if info.algorithm.oid != EC_PUBLIC_KEY {
            return Err(refused(format!(
                "its algorithm is {}; models are signed with ECDSA keys on P-256 or P-384",
                info.algorithm.oid
            )));
        }
        let curve = info
            .algorithm
            .parameters
            .and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
        let curve = match curve {
            Some(P256) => Curve::P256,
            Some(P384) => Curve::P384,
            Some(P521) => {
                return Err(refused(
                    "it is on P-521, which is not verified here; use P-256 or P-384".to_owned(),
                ));
            }
            Some(other) => {
                return Err(refused(format!(
                    "it is on curve {other}; use P-256 or P-384"
                )));
            }
            None => return Err(refused("its curve is not named".to_owned())),
        };
        let point = info.subject_public_key.as_bytes().unwrap_or_default();
        if point.len() != curve.point_len() || point.first() != Some(&4) {
            return Err(refused(format!(
                "its point is not the uncompressed one of {} bytes that {} has; convert it with `openssl ec -pubin \
                 -conv_form uncompressed`",
                curve.point_len(),
                curve.name()
            )));
        }
        let canonical = info
            .to_der()
            .map_err(|why| refused(format!("it can't be written again: {why}")))?;
        if canonical != der {
            return Err(refused("it is not in DER's one form".to_owned()));
        }
        Ok(Self {
            curve,
            point: point.to_vec(),
            der: canonical,
        })
    }

    /// The curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// SHA-256 of the key as PEM, in lower-case hexadecimal: what bundles name a key by.
    ///
    /// # Errors
    /// None is expected: what this type holds can be written.
    pub fn hint(&self) -> Result<String> {
        let pem = Document::try_from(self.der.as_slice())
            .and_then(|document| document.to_pem(LABEL, LineEnding::LF))
            .map_err(|why| refused(format!("it can't be written again: {why}")))?;
        Ok(Digest::of(pem.as_bytes()).to_string())
    }

    /// SHA-256 of the key's `SubjectPublicKeyInfo` in DER: `openssl pkey -pubin -outform DER | sha256sum`.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// Whether `signature`, in ASN.1 DER, is this key's over `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        UnparsedPublicKey::new(self.curve.verification(), &self.point)
            .verify(message, signature)
            .map_err(|_| Error::Signature)
    }
}

/// The curve and the fingerprint.
impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "PublicKey({} {})",
            self.curve.name(),
            self.fingerprint()
        )
    }
}

fn limit(found: usize) -> Result<()> {
    if found <= PublicKey::MAX_LEN {
        return Ok(());
    }
    Err(Error::TooMuch {
        what: "a public key",
        found,
        unit: "bytes",
        limit: PublicKey::MAX_LEN,
    })
}

const fn refused(why: String) -> Error {
    Error::PublicKey { why }
}
