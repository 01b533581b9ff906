//! Damage on purpose, to show that it is found.

use crate::region::FrozenRegion;
use crate::size;
use crate::{Error, Result};

impl FrozenRegion {
    /// Flips one bit of the frozen region where it lies, as a memory fault would: it is thawed for
    /// one byte's write and frozen again.
    ///
    /// Only with the feature `drill`, which no production build has a use for.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for an offset past the end; [`Error::BadSetting`] for a bit over 7;
    /// [`Error::Driver`], [`Error::DeviceLost`], [`Error::NotFrozen`].
    pub fn flip_bit(&mut self, offset: u64, bit: u8) -> Result<()> {
        let mask = 1_u8.checked_shl(u32::from(bit)).filter(|mask| *mask != 0);
        let mask = mask.ok_or(Error::BadSetting {
            setting: "the bit to flip",
            value: u64::from(bit),
            expected: "0 to 7",
        })?;
        size::check_range("a bit flip", offset, 1, self.len())?;
        let mut byte = [0];
        self.read_back(offset, &mut byte)?;
        self.region.thaw()?;
        let written = self.region.write(offset, &byte.map(|byte| byte ^ mask));
        self.region.freeze()?;
        written
    }
}
