//! A fire drill: one bit of sealed data is flipped where it lies, and must be found.

use crate::manager::Manager;
use crate::shard::SealedShard;
use crate::{Error, Result};

impl Manager {
    /// Flips one bit of a sealed shard in device memory, as a fault or an attack would.
    ///
    /// The shard is damaged for good: this is for drills on data made for them. Only with the
    /// feature `drill`.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`] for another manager's shard; [`Error::Memory`] for an offset past its end.
    pub fn damage(&self, shard: &mut SealedShard, offset: u64, bit: u8) -> Result<()> {
        let id = shard.id().clone();
        tracing::warn!(shard = %id, offset, bit, "flipping a bit of a sealed shard, on purpose");
        let region = shard.region_mut().ok_or(Error::Foreign { shard: id })?;
        Ok(region.flip_bit(offset, bit)?)
    }
}
