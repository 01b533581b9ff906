//! The bytes, and what is done for them.

use std::fmt;
use std::io::{ErrorKind, Read};

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::place::Place;
use crate::{Error, Result};

/// What stands behind the bytes while they are there: after a fork that wiped them it is zero.
const PRESENT: u8 = 0xa5;

/// What protects some secret bytes, beside being wiped when they are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Protection {
    /// The page is locked into memory: it is never written to swap. A hibernating machine writes it nonetheless.
    pub locked: bool,
    /// The page is left out of core dumps.
    pub kept_from_dumps: bool,
    /// A forked child doesn't get them.
    pub kept_from_forks: bool,
}

/// Secret bytes, on pages of their own where the system has such, wiped when dropped.
///
/// They can't be printed, cloned, serialized or compared:
///
/// ```compile_fail
/// # let secret = vram_secret::SecretBytes::copy_of(&[7; 32]).unwrap();
/// println!("{secret}");
/// ```
///
/// ```compile_fail
/// # let secret = vram_secret::SecretBytes::copy_of(&[7; 32]).unwrap();
/// let copy = secret.clone();
/// ```
pub struct SecretBytes {
    /// The bytes, room that is not used, and [`PRESENT`].
    place: Place,
    len: usize,
}

/// [`Drop`] wipes all of it.
impl ZeroizeOnDrop for SecretBytes {}

impl SecretBytes {
    /// The greatest length, in bytes: 1 MiB. A secret is short; what is longer was not meant.
    pub const MAX_LEN: usize = 1 << 20;

    /// So many zeros, to be written over through [`expose_mut`](Self::expose_mut).
    ///
    /// # Errors
    /// [`Error::Length`] for none or more than [`MAX_LEN`](Self::MAX_LEN), [`Error::NoMemory`] if the system gives none.
    pub fn zeroed(len: usize) -> Result<Self> {
        if !(1..=Self::MAX_LEN).contains(&len) {
            return Err(Error::Length {
                found: len,
                limit: Self::MAX_LEN,
            });
        }
        let mut place = Place::new(len.saturating_add(1))?;
        if let Some(last) = place.bytes_mut().last_mut() {
            *last = PRESENT;
        }
        Ok(Self { place, len })
    }

    /// A copy of these bytes; the caller wipes the original.
    ///
    /// # Errors
    /// As [`zeroed`](Self::zeroed).
    pub fn copy_of(bytes: &[u8]) -> Result<Self> {
        let mut secret = Self::zeroed(bytes.len())?;
        for (to, from) in secret.expose_mut()?.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(secret)
    }

    /// All that a reader gives, read straight to where it stays.
    ///
    /// `limit` is less than [`MAX_LEN`](Self::MAX_LEN).
    ///
    /// # Errors
    /// [`Error::TooLong`] if that is more than `limit` bytes, [`Error::Read`] if the reader fails, [`Error::Length`] if
    /// it gives nothing or the limit is none, [`Error::NoMemory`].
    pub fn read_from(reader: &mut dyn Read, limit: usize) -> Result<Self> {
        // One byte more than may come shows that more came.
        let mut secret = Self::zeroed(limit.saturating_add(1))?;
        let mut len = 0_usize;
        let room = secret.expose_mut()?;
        while let Some(rest) = room.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match reader.read(rest) {
                Ok(0) => break,
                Ok(read) => len = len.saturating_add(read),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Read { source }),
            }
        }
        if len > limit {
            return Err(Error::TooLong { limit });
        }
        if len == 0 {
            return Err(Error::Length {
                found: 0,
                limit: limit.min(Self::MAX_LEN),
            });
        }
        secret.truncate(len);
        Ok(secret)
    }

    /// The bytes. Whoever takes them must not copy them to where they stay.
    ///
    /// # Errors
    /// [`Error::Forked`] in a process that was forked from the one that has them.
    pub fn expose(&self) -> Result<&[u8]> {
        if self.place.last_byte() != PRESENT {
            return Err(Error::Forked);
        }
        Ok(self.place.bytes().get(..self.len).unwrap_or_default())
    }

    /// The bytes, to be written.
    ///
    /// # Errors
    /// As [`expose`](Self::expose).
    pub fn expose_mut(&mut self) -> Result<&mut [u8]> {
        if self.place.last_byte() != PRESENT {
            return Err(Error::Forked);
        }
        Ok(self
            .place
            .bytes_mut()
            .get_mut(..self.len)
            .unwrap_or_default())
    }

    /// The bytes that these hexadecimal digits are, of either case, two a byte, with nothing between or around them.
    ///
    /// How long it takes says nothing about the digits, only about how many there are.
    ///
    /// # Errors
    /// [`Error::NotHexadecimal`] for anything else; [`Error::NoMemory`], [`Error::Forked`].
    pub fn decode_hexadecimal(&self) -> Result<Self> {
        let digits = self.expose()?;
        let mut decoded = Self::zeroed(digits.len().div_ceil(2).max(1))?;
        // The position of the first character that is no digit, found without leaving the loop.
        let mut first_bad = digits.len();
        if digits.is_empty() || !digits.len().is_multiple_of(2) {
            first_bad = digits.len().saturating_sub(1);
        }
        let room = decoded.expose_mut()?;
        for (at, (byte, pair)) in room.iter_mut().zip(digits.chunks(2)).enumerate() {
            let mut whole = 0;
            for (half, digit) in pair.iter().enumerate() {
                let (value, is_digit) = value_of(*digit);
                whole = whole << 4 | value;
                if !is_digit {
                    first_bad = first_bad.min(at.saturating_mul(2).saturating_add(half));
                }
            }
            *byte = whole;
        }
        if first_bad < digits.len() || digits.is_empty() {
            return Err(Error::NotHexadecimal {
                position: first_bad,
            });
        }
        Ok(decoded)
    }

    /// Wipes all but the first bytes and forgets them. Does nothing if there are no more than that.
    pub fn truncate(&mut self, len: usize) {
        let rest = self.place.bytes_mut().get_mut(len..self.len);
        if let Some(rest) = rest {
            rest.zeroize();
            self.len = len;
        }
    }

    /// How many bytes they are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether they are none: after [`truncate`](Self::truncate) to nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether their page is locked into memory.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.place.protection().locked
    }

    /// What protects them.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.place.protection()
    }
}

/// Says that there is a secret, nothing about it.
impl fmt::Debug for SecretBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretBytes(secret)")
    }
}

/// The value of a hexadecimal digit, and whether it is one; with no table, and no branch on what it is.
fn value_of(digit: u8) -> (u8, bool) {
    let decimal = digit.wrapping_sub(b'0');
    let letter = (digit | 0x20).wrapping_sub(b'a');
    let (is_decimal, is_letter) = (u8::from(decimal < 10), u8::from(letter < 6));
    let value =
        decimal & is_decimal.wrapping_neg() | letter.wrapping_add(10) & is_letter.wrapping_neg();
    (value & 0xf, is_decimal | is_letter == 1)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor};

    use super::*;

    #[test]
    fn bytes_are_held_as_they_were_given() {
        for len in [1, 32, 4095, 4096, 4097, 70_000] {
            let bytes: Vec<u8> = (0..len).map(|at: usize| at.to_le_bytes()[0] | 1).collect();
            let secret = SecretBytes::copy_of(&bytes).unwrap();
            assert_eq!((secret.expose().unwrap(), secret.len()), (&bytes[..], len));
        }
    }

    #[test]
    fn none_and_too_many_are_refused() {
        for len in [0, SecretBytes::MAX_LEN + 1, usize::MAX] {
            let error = SecretBytes::zeroed(len).unwrap_err();
            assert!(matches!(error, Error::Length { found, .. } if found == len));
        }
        assert!(SecretBytes::zeroed(SecretBytes::MAX_LEN).is_ok());
    }

    /// Covers: XK-3.
    #[test]
    fn what_is_cut_off_is_wiped() {
        let mut secret = SecretBytes::copy_of(b"secret\n").unwrap();
        secret.truncate(9);
        assert_eq!(secret.expose().unwrap(), b"secret\n");
        secret.truncate(6);
        assert_eq!(secret.expose().unwrap(), b"secret");
        assert_eq!(secret.place.bytes()[6], 0);
        secret.truncate(0);
        assert!(secret.is_empty() && secret.expose().unwrap().is_empty());
    }

    #[test]
    fn a_reader_is_read_to_its_end_and_no_further_than_the_limit() {
        // One byte at a time, with interruptions.
        struct Slow(Cursor<Vec<u8>>, bool);
        impl Read for Slow {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(ErrorKind::Interrupted.into());
                }
                let one = into.len().min(1);
                self.0.read(&mut into[..one])
            }
        }
        let read =
            |bytes: &[u8]| SecretBytes::read_from(&mut Slow(Cursor::new(bytes.to_vec()), false), 5);

        assert_eq!(read(b"12345").unwrap().expose().unwrap(), b"12345");
        assert_eq!(read(b"1").unwrap().expose().unwrap(), b"1");
        assert!(matches!(read(b"123456"), Err(Error::TooLong { limit: 5 })));
        assert!(matches!(read(b""), Err(Error::Length { found: 0, .. })));
    }

    #[test]
    fn a_reader_that_fails_gives_no_secret() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(ErrorKind::TimedOut.into())
            }
        }
        let error = SecretBytes::read_from(&mut Fails, 5).unwrap_err();
        assert!(matches!(error, Error::Read { .. }) && error.is_retriable());
    }

    #[test]
    fn hexadecimal_is_decoded_and_nothing_else_is() {
        let decoded = |text: &str| {
            SecretBytes::copy_of(text.as_bytes())
                .unwrap()
                .decode_hexadecimal()
        };
        for byte in 0..=u8::MAX {
            for text in [format!("{byte:02x}"), format!("{byte:02X}")] {
                assert_eq!(decoded(&text).unwrap().expose().unwrap(), [byte]);
            }
            let (_, is_digit) = value_of(byte);
            assert_eq!(is_digit, byte.is_ascii_hexdigit(), "{byte}");
        }
        assert_eq!(
            decoded("00ffA5").unwrap().expose().unwrap(),
            [0, 0xff, 0xa5]
        );
        for (bad, at) in [
            ("0", 0),
            ("000", 2),
            ("0g", 1),
            ("00 0", 2),
            ("0x00", 1),
            ("00\n", 2),
            ("0é", 1),
        ] {
            let refused = decoded(bad);
            assert!(
                matches!(refused, Err(Error::NotHexadecimal { position }) if position == at),
                "{bad:?}"
            );
        }
    }

    /// Covers: CI-006.
    #[test]
    fn a_secret_does_not_print() {
        let secret = SecretBytes::copy_of(b"hunter2").unwrap();
        assert_eq!(
            format!("{secret:?} {secret:#?}"),
            "SecretBytes(secret) SecretBytes(secret)"
        );
    }

    #[test]
    fn a_page_that_was_wiped_gives_out_nothing() {
        let mut secret = SecretBytes::copy_of(b"hunter2").unwrap();
        secret.place.bytes_mut().fill(0);
        assert!(matches!(secret.expose(), Err(Error::Forked)));
        assert!(matches!(secret.expose_mut(), Err(Error::Forked)));
    }
}
