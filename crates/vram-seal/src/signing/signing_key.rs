//! The secret half: what signatures are made with.

use std::fmt;

use pkcs8::{LineEnding, PrivateKeyInfoRef, SecretDocument, der::Decode};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use vram_secret::SecretBytes;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{KeyRefusal, SignatureAlgorithm, VerifyingKey, pem};
use crate::{Error, Result};

/// PKCS#8 of an Ed25519 key before its 32 secret bytes (RFC 8410, section 7, version 1).
///
/// Version 1 is what `openssl` reads and writes; version 2, which holds the public key too, it refuses.
const ED25519_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// How many secret bytes an Ed25519 key has.
const ED25519_SEED_LEN: usize = 32;

/// A key that signs. Wiped on drop.
///
/// The bytes live in one place, as PKCS#8, on a page of their own ([`SecretBytes`]). Each use makes `ring`'s own key of them on the
/// stack, and generating a P-256 key leaves a copy there: `ring` offers no way to wipe either, and they last until
/// later calls overwrite that part of the stack. Whoever can read this process's memory can read the key while it
/// lives.
///
/// It can't be printed, cloned or serialized:
///
/// ```compile_fail
/// # use vram_seal::{SignatureAlgorithm, SigningKey};
/// # let key = SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap();
/// println!("{key}");
/// ```
///
/// ```compile_fail
/// # use vram_seal::{SignatureAlgorithm, SigningKey};
/// # let key = SigningKey::generate(SignatureAlgorithm::Ed25519).unwrap();
/// let copy = key.clone();
/// ```
pub struct SigningKey {
    pkcs8: SecretBytes,
    public: VerifyingKey,
}

/// Its one secret is in [`SecretBytes`].
impl ZeroizeOnDrop for SigningKey {}

/// `ring`'s key, made for one use.
enum Pair {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
}

impl SigningKey {
    /// A new key, of the system's randomness.
    ///
    /// # Errors
    /// [`Error::SigningKey`] when the system gives no randomness.
    pub fn generate(algorithm: SignatureAlgorithm) -> Result<Self> {
        let random = SystemRandom::new();
        let pkcs8 = match algorithm {
            SignatureAlgorithm::Ed25519 => {
                let mut seed = Zeroizing::new([0; ED25519_SEED_LEN]);
                random
                    .fill(seed.as_mut_slice())
                    .map_err(|_| Error::SigningKey(KeyRefusal::Randomness))?;
                ed25519_pkcs8(&seed)?
            }
            SignatureAlgorithm::EcdsaP256Sha256 => {
                let document =
                    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
                        .map_err(|_| Error::SigningKey(KeyRefusal::Randomness))?;
                SecretBytes::copy_of(document.as_ref())?
            }
        };
        Self::of_pkcs8(algorithm, pkcs8)
    }

    /// Reads PKCS#8 in PEM: a file that starts with `-----BEGIN PRIVATE KEY-----`. The caller wipes the text.
    ///
    /// # Errors
    /// [`Error::SigningKey`] for another label (a key under a password, for one), another algorithm, or a malformed
    /// key.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self> {
        let document = pem::read_private(text).map_err(Error::SigningKey)?;
        Self::from_pkcs8_der(document.as_bytes())
    }

    /// Reads PKCS#8 in DER. The caller wipes it.
    ///
    /// # Errors
    /// [`Error::SigningKey`] for another algorithm, or a malformed key: for P-256 the public key has to be in it, as
    /// the usual tools write it.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self> {
        pem::limit_len(der.len()).map_err(Error::SigningKey)?;
        let info = PrivateKeyInfoRef::from_der(der)
            .map_err(|reason| Error::SigningKey(refusal(&reason)))?;
        let algorithm =
            SignatureAlgorithm::of_identifier(&info.algorithm).map_err(Error::SigningKey)?;
        Self::of_pkcs8(algorithm, SecretBytes::copy_of(der)?)
    }

    fn of_pkcs8(algorithm: SignatureAlgorithm, pkcs8: SecretBytes) -> Result<Self> {
        let public = match pair(algorithm, pkcs8.expose()?).map_err(Error::SigningKey)? {
            Pair::Ed25519(pair) => VerifyingKey::of_public(algorithm, pair.public_key().as_ref()),
            Pair::EcdsaP256(pair) => VerifyingKey::of_public(algorithm, pair.public_key().as_ref()),
        }
        .map_err(Error::SigningKey)?;
        Ok(Self { pkcs8, public })
    }

    /// The public half.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// The secret as PKCS#8 in PEM, to be stored where only its owner reads it. The text is wiped on drop.
    ///
    /// # Errors
    /// None is expected: what this type holds can be written.
    pub fn expose_pkcs8_pem(&self) -> Result<Zeroizing<String>> {
        SecretDocument::try_from(self.pkcs8.expose()?)
            .and_then(|document| document.to_pem("PRIVATE KEY", LineEnding::LF))
            .map_err(|reason| Error::SigningKey(refusal(&reason)))
    }

    /// Signs `message`.
    ///
    /// # Errors
    /// [`Error::SigningKey`] when the system gives no randomness, which ECDSA needs.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signed =
            match pair(self.public.algorithm(), self.pkcs8.expose()?).map_err(Error::SigningKey)? {
                Pair::Ed25519(pair) => Ok(pair.sign(message)),
                Pair::EcdsaP256(pair) => pair.sign(&SystemRandom::new(), message),
            };
        signed
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| Error::SigningKey(KeyRefusal::Signing))
    }
}

/// Says whose half it is, nothing of the secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "SigningKey(secret, {} {})",
            self.public.algorithm(),
            self.public.id()
        )
    }
}

/// The one way the secret leaves the type: as `ring`'s key, for one use.
fn pair(algorithm: SignatureAlgorithm, pkcs8: &[u8]) -> Result<Pair, KeyRefusal> {
    let refused = |reason: ring::error::KeyRejected| KeyRefusal::PrivateKey {
        reason: reason.to_string(),
    };
    match algorithm {
        // "Unchecked" where the public key is not in it, as in what `openssl` writes: it is then computed.
        SignatureAlgorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8)
            .map(Pair::Ed25519)
            .map_err(refused),
        SignatureAlgorithm::EcdsaP256Sha256 => {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &SystemRandom::new())
                .map(Pair::EcdsaP256)
                .map_err(refused)
        }
    }
}

fn ed25519_pkcs8(seed: &[u8; ED25519_SEED_LEN]) -> Result<SecretBytes> {
    let mut pkcs8 = SecretBytes::zeroed(ED25519_PREFIX.len().saturating_add(seed.len()))?;
    let bytes = pkcs8.expose_mut()?;
    for (to, from) in bytes.iter_mut().zip(ED25519_PREFIX.iter().chain(seed)) {
        *to = *from;
    }
    Ok(pkcs8)
}

fn refusal(reason: &pkcs8::der::Error) -> KeyRefusal {
    KeyRefusal::Der {
        expected: "PKCS#8",
        reason: reason.to_string(),
    }
}
