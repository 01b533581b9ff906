//! Shards that are a set: all of them, in order, and the ones that were meant.

use vram_seal::SetRoot;

use crate::Result;
use crate::event::{Event, Operation};
use crate::manager::Manager;
use crate::shard::SealedShard;
use crate::verifying::SetVerification;

/// The root of the set that these shards are, in order: of a folder that
/// [`Manager::seal_folder`] sealed, for one.
///
/// # Errors
///
/// [`Error::Seal`](crate::Error::Seal), with a [`SetRefusal`](vram_seal::SetRefusal) that names the shard, unless
/// they are a whole set.
pub fn set_root<'shard>(shards: impl IntoIterator<Item = &'shard SealedShard>) -> Result<SetRoot> {
    let records = shards
        .into_iter()
        .map(|shard| &shard.sealed_record().record);
    Ok(SetRoot::of_records(records)?)
}

impl Manager {
    /// Verifies the shards of a set, as [`verify_all`](Self::verify_all) does, and that they are the whole set
    /// of this root, in order: none missing, none twice, none of another set.
    ///
    /// That they are the set is checked first, by what was sealed of each; nothing is measured where it
    /// doesn't hold. It is no sign that a shard has changed, and doesn't stop the manager.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`](crate::Error::Stopped); [`Error::Seal`](crate::Error::Seal), with a
    /// [`SetRefusal`](vram_seal::SetRefusal) that names the shard where the root can tell. Failures of single
    /// shards are in the outcomes.
    pub fn verify_set<'shard>(
        &self,
        shards: impl IntoIterator<Item = &'shard SealedShard>,
        root: &SetRoot,
    ) -> Result<SetVerification<'shard>> {
        self.require_running()?;
        let shards: Vec<_> = shards.into_iter().collect();
        let records = shards.iter().map(|shard| &shard.sealed_record().record);
        root.verify(records).inspect_err(|refusal| {
            let reason = refusal.to_string();
            if let Some(shard) = shards.first().map(|shard| shard.id()) {
                self.tell_anyway(&Event::Refused {
                    operation: Operation::Verify,
                    shard,
                    reason,
                });
            }
        })?;
        // Whether the records are what was signed, this finds out.
        self.verify_all(shards)
    }
}
