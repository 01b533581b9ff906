//! The token a worker is given, and the key it derives to seal with.

use std::fmt;

use vram_secret::{Protection, SecretBytes};
use zeroize::ZeroizeOnDrop;

use crate::{DeviceId, Error, Result, SealKeyId, WorkerId, hkdf::hkdf_sha256};

/// The salt of every derivation: it separates this product's keys from all others made of the
/// same token.
const DERIVATION_SALT: &[u8] = b"vram-residency/hkdf/v1";

/// What the derived key is for: separates seal keys from keys for other uses.
const SEAL_KEY_LABEL: &[u8] = b"vram-residency/seal-key/v1";

/// How many bytes a token or a key has at least, and a derived key exactly.
const MIN_LEN: usize = 32;

/// A secret that a worker is given, from which it derives its keys. Held in [`SecretBytes`], wiped on drop.
///
/// It takes 32 bytes at least, from a generator of randomness: a password has far less secrecy
/// than its length says, and this derivation does not slow down guessing.
///
/// It can't be printed, cloned or serialized:
///
/// ```compile_fail
/// # let token = vram_seal::Token::new(&[7; 32]).unwrap();
/// println!("{token}");
/// ```
pub struct Token(SecretBytes);

/// Its one secret is in [`SecretBytes`].
impl ZeroizeOnDrop for Token {}

impl Token {
    /// The least length, in bytes.
    pub const MIN_LEN: usize = MIN_LEN;

    /// A token of a copy of these bytes; the caller wipes the original.
    ///
    /// # Errors
    /// [`Error::TokenTooShort`] under 32 bytes, [`Error::Secret`] over 1 MiB or if the system gives no page for it.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        Self::require_long(bytes.len())?;
        Ok(Self(SecretBytes::copy_of(bytes)?))
    }

    /// A token of these bytes, which stay where they are.
    ///
    /// # Errors
    /// [`Error::TokenTooShort`] under 32 bytes.
    pub fn from_secret(bytes: SecretBytes) -> Result<Self> {
        Self::require_long(bytes.len())?;
        Ok(Self(bytes))
    }

    const fn require_long(found: usize) -> Result<()> {
        if found < MIN_LEN {
            return Err(Error::TokenTooShort {
                found,
                minimum: MIN_LEN,
            });
        }
        Ok(())
    }

    /// What protects it in memory.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.0.protection()
    }
}

/// Says that there is a token, nothing about it.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(secret)")
    }
}

/// The key that seals are made and checked with. Held in [`SecretBytes`], wiped on drop.
///
/// The bytes live in one place, on a page of their own. Each use makes `ring`'s own key of
/// them on the stack: that holds two SHA-256 states from which tags can be computed, though not
/// the key itself, and `ring` offers no way to wipe it. It lasts until later calls overwrite that
/// part of the stack. Whoever can read this process's memory can read the key while it lives.
///
/// It can't be printed, cloned or serialized:
///
/// ```compile_fail
/// # let key = vram_seal::SealKey::from_bytes(&[7; 32]).unwrap();
/// let copy = key.clone();
/// ```
pub struct SealKey {
    bytes: SecretBytes,
    id: SealKeyId,
}

/// Its one secret is in [`SecretBytes`].
impl ZeroizeOnDrop for SealKey {}

impl SealKey {
    /// The least length, in bytes.
    pub const MIN_LEN: usize = MIN_LEN;

    /// The key of one worker for one device, derived from its token with HKDF-SHA256 (RFC 5869).
    ///
    /// Another worker, another device, or the same device simulated: another key. What goes in is
    /// laid down in `docs/spec/seal-format.md`.
    ///
    /// # Errors
    /// [`Error::Secret`] if the system gives no page for it, or in a process forked from the token's.
    pub fn derive(token: &Token, worker: &WorkerId, device: &DeviceId) -> Result<Self> {
        let mut bytes = SecretBytes::zeroed(MIN_LEN)?;
        hkdf_sha256(
            DERIVATION_SALT,
            token.0.expose()?,
            &seal_key_info(worker, device),
            bytes.expose_mut()?,
        )?;
        Self::from_secret(bytes)
    }

    /// A key of a copy of these bytes; the caller wipes the original.
    ///
    /// HMAC pads a key of up to 64 bytes with zeros, so a key and the same key with a zero byte
    /// more are one key, and replaces a longer one by its SHA-256.
    ///
    /// # Errors
    /// [`Error::KeyTooShort`] under 32 bytes, [`Error::Secret`] over 1 MiB or if the system gives no page for it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::require_long(bytes.len())?;
        Self::from_secret(SecretBytes::copy_of(bytes)?)
    }

    /// A key of these bytes, which stay where they are.
    ///
    /// # Errors
    /// [`Error::KeyTooShort`] under 32 bytes, [`Error::Secret`] in a process forked from theirs.
    pub fn from_secret(bytes: SecretBytes) -> Result<Self> {
        Self::require_long(bytes.len())?;
        let id = SealKeyId::of_key(bytes.expose()?);
        Ok(Self { bytes, id })
    }

    const fn require_long(found: usize) -> Result<()> {
        if found < MIN_LEN {
            return Err(Error::KeyTooShort {
                found,
                minimum: MIN_LEN,
            });
        }
        Ok(())
    }

    /// What protects it in memory.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.bytes.protection()
    }

    /// The key's name, which every record holds that it seals.
    #[must_use]
    pub const fn id(&self) -> SealKeyId {
        self.id
    }

    /// The key's bytes, for HMAC alone.
    pub(crate) fn expose_to_hmac(&self) -> Result<&[u8]> {
        Ok(self.bytes.expose()?)
    }
}

/// Says that there is a key, nothing about it.
impl fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealKey(secret)")
    }
}

/// What HKDF's `info` is for a seal key: the label, the worker's length and name, the device.
///
/// Injective: the label has one length, the name's length precedes it, the rest has one length.
pub(crate) fn seal_key_info(worker: &WorkerId, device: &DeviceId) -> Vec<u8> {
    let worker = worker.as_str().as_bytes();
    // A worker's name has at most 256 bytes.
    let worker_len = u16::try_from(worker.len()).unwrap_or(u16::MAX);
    [
        SEAL_KEY_LABEL,
        &worker_len.to_le_bytes(),
        worker,
        &device.uuid,
        &[u8::from(device.simulated)],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: [u8; 32] = *b"a token of thirty-two bytes, yes";

    fn worker(name: &str) -> WorkerId {
        name.parse().unwrap()
    }

    fn device(last: u8, simulated: bool) -> DeviceId {
        let mut uuid = [7; 16];
        uuid[15] = last;
        DeviceId { uuid, simulated }
    }

    fn derived(token: &[u8], worker_name: &str, device: DeviceId) -> Vec<u8> {
        let token = Token::new(token).unwrap();
        SealKey::derive(&token, &worker(worker_name), &device)
            .unwrap()
            .expose_to_hmac()
            .unwrap()
            .to_vec()
    }

    fn assert_wiped_on_drop<T: ZeroizeOnDrop>() {}

    /// Covers: CI-005.
    #[test]
    fn test_derive_seal_key_valid_inputs() {
        let key = derived(&TOKEN, "worker-0", device(0, false));
        assert_eq!(key.len(), 32);
        assert_eq!(
            key,
            derived(&TOKEN, "worker-0", device(0, false)),
            "it is deterministic"
        );

        // It is HKDF-SHA256, which the RFC 5869 vectors go through, of what the page says.
        let info = [
            &b"vram-residency/seal-key/v1\x08\x00worker-0"[..],
            &device(0, false).uuid,
            &[0],
        ]
        .concat();
        let mut expected = [0; 32];
        hkdf_sha256(b"vram-residency/hkdf/v1", &TOKEN, &info, &mut expected).unwrap();
        assert_eq!(key, expected);
        assert_ne!(key, TOKEN);
    }

    /// Covers: CI-001.
    #[test]
    fn each_token_worker_and_device_has_its_own_key() {
        let keys = [
            derived(&TOKEN, "worker-0", device(0, false)),
            derived(&TOKEN.map(|byte| byte ^ 1), "worker-0", device(0, false)),
            derived(&[&TOKEN[..], &[0]].concat(), "worker-0", device(0, false)),
            derived(&TOKEN, "worker-1", device(0, false)),
            derived(&TOKEN, "worker-0", device(1, false)),
            derived(&TOKEN, "worker-0", device(0, true)),
        ];
        for (at, key) in keys.iter().enumerate() {
            for other in &keys[at + 1..] {
                // A key longer than HMAC's block would be replaced by a hash; these are 32 bytes.
                assert_ne!(key, other);
            }
        }
    }

    #[test]
    fn what_is_derived_from_is_told_apart_by_length() {
        // The names' ends and the devices' beginnings can't be shifted into each other.
        let names = ["a", "aa", "aaa"];
        let infos = names.map(|name| {
            seal_key_info(
                &worker(name),
                &DeviceId {
                    uuid: [b'a'; 16],
                    simulated: false,
                },
            )
        });
        for (at, info) in infos.iter().enumerate() {
            assert_eq!(info.len(), 26 + 2 + names[at].len() + 17);
            assert_eq!(
                usize::from(u16::from_le_bytes([info[26], info[27]])),
                names[at].len()
            );
        }
        let longest = seal_key_info(&worker(&"w".repeat(256)), &device(0, true));
        assert_eq!(longest[26..28], [0, 1]);
    }

    /// Covers: CI-005.
    #[test]
    fn empty_and_short_tokens_are_refused() {
        for len in [0, 1, 16, 31] {
            let error = Token::new(&vec![7; len]).unwrap_err();
            assert!(
                matches!(error, Error::TokenTooShort { found, minimum: 32 } if found == len),
                "{error}"
            );
        }
        for len in [32, 33, 4096] {
            assert!(Token::new(&vec![7; len]).is_ok());
        }
    }

    /// Covers: CI-001.
    #[test]
    fn short_keys_are_refused() {
        for len in [0, 31] {
            let error = SealKey::from_bytes(&vec![7; len]).unwrap_err();
            assert!(
                matches!(error, Error::KeyTooShort { found, minimum: 32 } if found == len),
                "{error}"
            );
        }
        for len in [32, 64, 65] {
            assert_eq!(SealKey::from_bytes(&vec![7; len]).unwrap().bytes.len(), len);
        }
    }

    /// Covers: CI-006.
    #[test]
    fn secrets_do_not_print() {
        let token = Token::new(&TOKEN).unwrap();
        let key = SealKey::from_bytes(&TOKEN).unwrap();
        assert_eq!(
            format!("{token:?} {token:#?}"),
            "Token(secret) Token(secret)"
        );
        assert_eq!(
            format!("{key:?} {key:#?}"),
            "SealKey(secret) SealKey(secret)"
        );
    }

    #[test]
    fn refusals_do_not_print_secrets() {
        let short = b"hunter2";
        let errors = [
            Token::new(short).unwrap_err(),
            SealKey::from_bytes(short).unwrap_err(),
        ];
        for error in errors {
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("hunter2") && !shown.contains("104"),
                "{shown}"
            );
            assert!(!shown.contains(&hex::encode(short)), "{shown}");
        }
    }

    /// Covers: CI-006.
    #[test]
    fn secrets_are_wiped_on_drop() {
        assert_wiped_on_drop::<Token>();
        assert_wiped_on_drop::<SealKey>();
    }

    #[test]
    fn bytes_that_are_secret_already_are_taken_as_they_are_and_not_too_short() {
        let secret = |len| SecretBytes::copy_of(&TOKEN[..len]).unwrap();

        let key = SealKey::from_secret(secret(32)).unwrap();
        let token = Token::from_secret(secret(32)).unwrap();

        assert_eq!(key.id(), SealKey::from_bytes(&TOKEN).unwrap().id());
        let derive = |token| SealKey::derive(token, &worker("worker-0"), &device(0, false));
        let same = Token::new(&TOKEN).unwrap();
        assert_eq!(derive(&token).unwrap().id(), derive(&same).unwrap().id());
        assert!(SealKey::from_secret(secret(31)).is_err());
        assert!(Token::from_secret(secret(31)).is_err());
    }

    #[test]
    fn secrets_tell_what_protects_them() {
        let protection = SecretBytes::copy_of(&TOKEN).unwrap().protection();
        assert!(protection.kept_from_dumps, "the system has such pages");

        assert_eq!(Token::new(&TOKEN).unwrap().protection(), protection);
        assert_eq!(
            SealKey::from_bytes(&TOKEN).unwrap().protection(),
            protection
        );
    }
}
