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
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt {
    /// The salt, then zeros. 32 bytes, as in the descriptor.
    padded: [u8; Self::MAX_LEN],
    len: u8,
}

/// No salt.
impl Default for Salt {
    fn default() -> Self {
        Self::none()
    }
}

impl Salt {
    /// The greatest length of a salt, in bytes: what fs-verity's descriptor has room for.
    pub const MAX_LEN: usize = 32;

    /// A salt of these bytes; of no bytes, no salt.
    ///
    /// # Errors
    /// [`Error::SaltTooLong`] over 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let too_long = || Error::SaltTooLong {
            found: bytes.len(),
            limit: Self::MAX_LEN,
        };
        let mut padded = [0; Self::MAX_LEN];
        padded
            .get_mut(..bytes.len())
            .ok_or_else(too_long)?
            .copy_from_slice(bytes);
        let len = u8::try_from(bytes.len()).map_err(|_| too_long())?;
        Ok(Self { padded, len })
    }

    /// A salt of the greatest length.
    pub(crate) const fn full(bytes: [u8; Self::MAX_LEN]) -> Self {
        Self {
            padded: bytes,
            len: 32,
        }
    }

    /// No salt.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            padded: [0; Self::MAX_LEN],
            len: 0,
        }
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
            return InitialState {
                words,
                prefix_len: 0,
            };
        };
        compress256(&mut words, &[block]);
        InitialState {
            words,
            prefix_len: 64,
        }
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

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    /// SHA-256 by hand from an initial state, over a message of whole blocks.
    fn continue_from(state: InitialState, message: &[u8]) -> [u8; 32] {
        let bits = (state.prefix_len + message.len() as u64) * 8;
        let mut padded = message.to_vec();
        padded.push(0x80);
        padded.resize(padded.len().next_multiple_of(64) - 8, 0);
        padded.extend_from_slice(&bits.to_be_bytes());
        let mut words = state.words;
        for block in padded.chunks_exact(64) {
            compress256(&mut words, &[block.try_into().unwrap()]);
        }
        words.map(u32::to_be_bytes).concat().try_into().unwrap()
    }

    #[test]
    fn without_salt_a_block_starts_as_sha256_does() {
        let state = Salt::none().initial_state();
        assert_eq!(
            state,
            InitialState {
                words: SHA256_INITIAL,
                prefix_len: 0
            }
        );
        assert_eq!(continue_from(state, &[7; 4096]), sha256(&[7; 4096]));
    }

    #[test]
    fn with_a_salt_a_block_starts_behind_it() {
        for salt in [&[0][..], b"challenge", &[0xff; 32]] {
            let mut message = salt.to_vec();
            message.resize(64, 0);
            message.extend_from_slice(&[7; 4096]);
            let state = Salt::new(salt).unwrap().initial_state();
            assert_eq!(state.prefix_len, 64);
            assert_eq!(continue_from(state, &[7; 4096]), sha256(&message));
        }
    }

    #[test]
    fn a_salt_has_at_most_32_bytes() {
        assert!(Salt::new(&[1; 32]).is_ok());
        let error = Salt::new(&[1; 33]).unwrap_err();
        assert!(
            matches!(
                error,
                Error::SaltTooLong {
                    found: 33,
                    limit: 32
                }
            ),
            "{error}"
        );
        assert!(Salt::new(&[1; 300]).is_err());
    }

    #[test]
    fn no_bytes_are_no_salt_and_zeros_are_one() {
        assert_eq!(Salt::new(&[]).unwrap(), Salt::none());
        assert_eq!(Salt::default(), Salt::none());
        let zeros = Salt::new(&[0; 3]).unwrap();
        assert!(!zeros.is_none());
        assert_ne!(zeros, Salt::none());
        assert_ne!(zeros, Salt::new(&[0; 4]).unwrap());
        assert_eq!(zeros.as_bytes(), [0; 3]);
    }

    #[test]
    fn a_salt_reads_from_hexadecimal() {
        assert_eq!(
            "00FFa1".parse::<Salt>().unwrap(),
            Salt::new(&[0, 0xff, 0xa1]).unwrap()
        );
        assert_eq!("".parse::<Salt>().unwrap(), Salt::none());
        assert!(matches!("abc".parse::<Salt>(), Err(Error::SaltText { .. })));
        assert!(matches!("zz".parse::<Salt>(), Err(Error::SaltText { .. })));
        assert!(matches!(
            "00".repeat(33).parse::<Salt>(),
            Err(Error::SaltTooLong { .. })
        ));
        assert_eq!(format!("{:?}", Salt::new(&[0xa1]).unwrap()), "Salt(a1)");
    }
}
