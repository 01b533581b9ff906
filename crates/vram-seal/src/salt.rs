//! fs-verity's salt, and the SHA-256 state it leaves behind.

use std::{fmt, str::FromStr};

use sha2::block_api::compress256;

use crate::{Error, Result, digest::write_hex};

/// SHA-256's initial hash value (FIPS 180-4, 5.3.3).
const SHA256_INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// How many bytes SHA-256 compresses at once, which is what a salt is padded to.
pub(crate) const COMPRESSION_LEN: usize = 64;

/// A salt of 0 to 32 bytes, hashed in front of every block of the tree.
///
/// It is public. With a challenger's fresh random salt, a measurement can't have been made before
/// the challenge. Without one (0 bytes) the tree is the one that most tools compute.
/// The length counts: a salt of zeros is not the same as none.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Salt {
    /// The salt, then zeros. 32 bytes, as in the descriptor.
    padded: [u8; Self::MAX_LEN],
    len: u8,
}

impl Salt {
    /// The greatest length of a salt, in bytes: what fs-verity's descriptor has room for.
    pub const MAX_LEN: usize = 32;

    /// A salt of these bytes; of no bytes, no salt.
    ///
    /// # Errors
    /// [`Error::SaltTooLong`] over 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let too_long = || Error::SaltTooLong { found: bytes.len(), limit: Self::MAX_LEN };
        let mut padded = [0; Self::MAX_LEN];
        padded.get_mut(..bytes.len()).ok_or_else(too_long)?.copy_from_slice(bytes);
        let len = u8::try_from(bytes.len()).map_err(|_| too_long())?;
        Ok(Self { padded, len })
    }

    /// No salt.
    #[must_use]
    pub const fn none() -> Self {
        Self { padded: [0; Self::MAX_LEN], len: 0 }
    }

    /// The salt's bytes, without padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.padded.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether there is no salt.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.len == 0
    }

    /// Where SHA-256 stands after the padded salt: what a kernel starts each block from.
    #[must_use]
    pub fn initial_state(&self) -> InitialState {
        let mut words = SHA256_INITIAL;
        let Some(block) = self.prefix() else {
            return InitialState { words, prefix_len: 0 };
        };
        compress256(&mut words, &[block]);
        InitialState { words, prefix_len: 64 }
    }

    /// What is hashed in front of every block: the salt padded to one compression block.
    pub(crate) fn prefix(&self) -> Option<[u8; COMPRESSION_LEN]> {
        if self.is_none() {
            return None;
        }
        let mut block = [0; COMPRESSION_LEN];
        for (to, from) in block.iter_mut().zip(self.padded) {
            *to = from;
        }
        Some(block)
    }

    /// The salt zero-padded to 32 bytes, and its length: the descriptor's two fields.
    pub(crate) const fn descriptor_fields(&self) -> (&[u8; Self::MAX_LEN], u8) {
        (&self.padded, self.len)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Salt(")?;
        write_hex(self.as_bytes(), formatter)?;
        formatter.write_str(")")
    }
}

/// From hexadecimal, as `fsverity digest --salt` takes it.
impl FromStr for Salt {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(&hex::decode(text).map_err(|reason| Error::SaltText { reason })?)
    }
}

/// A SHA-256 state from which every block of the tree is hashed (FIPS 180-4, 6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialState {
    /// The eight working words, H0 first.
    pub words: [u32; 8],
    /// How many bytes went into them: 0 without salt, 64 with one. They count in the length that
    /// SHA-256 pads with.
    pub prefix_len: u64,
}
