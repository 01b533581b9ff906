//! Where there are no pages to be had: the heap, wiped, with no other protection.

use zeroize::Zeroizing;

use crate::{Protection, Result};

/// Room for a secret.
pub(crate) struct Place(Zeroizing<Box<[u8]>>);

impl Place {
    /// So many zeros.
    pub(crate) fn new(len: usize) -> Result<Self> {
        Ok(Self(Zeroizing::new(vec![0; len].into_boxed_slice())))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    pub(crate) fn last_byte(&self) -> u8 {
        self.0.last().copied().unwrap_or_default()
    }

    pub(crate) const fn protection(&self) -> Protection {
        Protection {
            locked: false,
            kept_from_dumps: false,
            kept_from_forks: false,
        }
    }
}
