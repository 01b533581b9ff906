//! The key that checkpoints are signed with, and the one that they are checked with.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::chain::hexadecimal;
use crate::{Error, Result, TrailId};

/// Separates these signatures from all others that the key may have made.
const DOMAIN: &[u8] = b"vram-audit/checkpoint/v1\0";

/// The private Ed25519 key (RFC 8032) that signs a trail's checkpoints.
///
/// It is not the key that seals are made with: that one is symmetric, so whoever checks with it can
/// also forge. A trail is checked by people who must not be able to write it.
///
/// `ring` keeps the key's scalar inside its own type and offers no way to wipe it.
///
/// It can't be printed, cloned or serialized:
///
/// ```compile_fail
/// # let key = vram_audit::SigningKey::generate().unwrap();
/// let copy = key.clone();
/// ```
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key of a 32-byte seed, the private key of RFC 8032; the caller wipes the seed.
    ///
    /// # Errors
    /// None is expected: every seed is one.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|_rejected| Error::Key {
                what: "seed of a signing key",
                expected: "32 bytes",
            })
    }

    /// The key in a PKCS #8 document in DER, as `openssl genpkey -algorithm ed25519 -outform DER` writes it.
    ///
    /// # Errors
    /// [`Error::Key`] for anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map(Self)
            .map_err(|_rejected| Error::Key {
                what: "signing key",
                expected: "an Ed25519 key as PKCS #8 in DER",
            })
    }

    /// A new key that lives in this process alone: for tests, and for trails whose public key is
    /// published before they are read.
    ///
    /// # Errors
    /// [`Error::Randomness`] if the system has none.
    pub fn generate() -> Result<Self> {
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_unspecified| Error::Randomness {
                what: "a signing key",
            })?;
        Self::from_seed(&seed)
    }

    /// What the trail is checked with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(bytes)
    }

    pub(crate) fn sign(&self, trail: TrailId, signed: &[u8]) -> String {
        hex::encode(self.0.sign(&message(trail, signed)))
    }
}

/// Says that there is a key, nothing about it but its public half.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey(secret of {})", self.public())
    }
}

/// The public Ed25519 key that a trail's checkpoints are checked with; 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

hexadecimal!(PublicKey, 32, "public key");

impl PublicKey {
    /// The key in these bytes, as RFC 8032 encodes it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn holds(&self, trail: TrailId, signed: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(&message(trail, signed), signature)
            .is_ok()
    }
}

fn message(trail: TrailId, signed: &[u8]) -> Vec<u8> {
    [DOMAIN, trail.as_bytes(), signed].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_rfc_8032_has_the_public_key_of_rfc_8032() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let seed: [u8; 32] = hex::decode(seed).unwrap().try_into().unwrap();
        let public = SigningKey::from_seed(&seed).unwrap().public().to_string();
        assert_eq!(
            public,
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }

    #[test]
    fn a_signature_holds_for_its_trail_and_bytes_only() {
        let key = SigningKey::generate().unwrap();
        let (trail, other) = (TrailId::random().unwrap(), TrailId::random().unwrap());
        let signature = hex::decode(key.sign(trail, b"line")).unwrap();
        assert!(key.public().holds(trail, b"line", &signature));
        assert!(!key.public().holds(other, b"line", &signature));
        assert!(!key.public().holds(trail, b"Line", &signature));
        let stranger = SigningKey::generate().unwrap().public();
        assert!(!stranger.holds(trail, b"line", &signature));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        assert!(!format!("{key:?}").contains("0707"));
    }

    #[test]
    fn upper_case_and_short_keys_are_refused() {
        let text = SigningKey::from_seed(&[7; 32])
            .unwrap()
            .public()
            .to_string();
        assert!(text.parse::<PublicKey>().is_ok());
        text.to_uppercase().parse::<PublicKey>().unwrap_err();
        text[2..].parse::<PublicKey>().unwrap_err();
    }
}
