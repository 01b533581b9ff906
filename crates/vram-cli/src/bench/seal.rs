//! What sealing takes, from files in the page cache.

use std::path::Path;

use vram_residency::{HostHashing, Manager, ModelFolder, SealRequest, SealedShard};
use vram_seal::VerityDigest;

use super::ceilings::timed;
use super::measured::{Measured, rate};
use super::rig::Rig;
use super::scale::{FILES, GIB, MIB, sized};

/// Several files of a folder at once, both digests on the host.
pub(super) fn set(rig: &Rig<'_>) -> anyhow::Result<Measured> {
    let set = rig.set()?;
    rig.doing("seal-both-16");
    let folder = ModelFolder::open(set.folder())?;
    let manager = &rig.opened.manager;
    let total = rig.scale.each.saturating_mul(FILES);
    let samples = (0..rig.scale.repetitions.min(3)).map(|_| {
        let (shards, time) = timed(|| Ok(manager.seal_folder(&folder, None)?))?;
        drop(shards);
        Ok(rate(total, time))
    });
    let samples = samples.collect::<anyhow::Result<_>>()?;
    let each = sized(rig.scale.each);
    let note =
        format!("{FILES} files of {each} each; each byte is hashed twice, so half is the most");
    Ok(Measured::new(samples, note)?.at_full_size(rig.scale.each >= 256 * MIB))
}

/// What the host hashes while a file is sealed.
#[derive(Clone, Copy, Debug)]
pub(super) enum HostWork {
    /// The verity digest.
    Verity,
    /// Nothing: the verity digest is known.
    Nothing(VerityDigest),
}

/// One file, the host hashing no more than it is told.
pub(super) fn file(rig: &Rig<'_>, path: &Path, work: HostWork) -> anyhow::Result<Measured> {
    let manager = &rig.opened.manager;
    let samples = (0..rig.scale.repetitions.min(3)).map(|_| {
        let request = request(path, "file", work)?;
        let (shard, time) = timed(|| Ok(manager.seal(request)?))?;
        drop(shard);
        Ok(rate(rig.scale.big, time))
    });
    let samples = samples.collect::<anyhow::Result<_>>()?;
    let note = format!("one file of {}", sized(rig.scale.big));
    let measured = Measured::new(samples, note)?;
    Ok(measured.at_full_size(rig.scale.big >= GIB))
}

/// Seals a file with as little work for the host as it can do with.
pub(super) fn with_least_work(
    manager: &Manager,
    path: &Path,
    id: &str,
    known: Option<VerityDigest>,
) -> anyhow::Result<SealedShard> {
    let work = known.map_or(HostWork::Verity, HostWork::Nothing);
    Ok(manager.seal(request(path, id, work)?)?)
}

fn request(path: &Path, id: &str, work: HostWork) -> anyhow::Result<SealRequest<'static>> {
    let request = SealRequest::file(id.parse()?, path);
    Ok(match work {
        HostWork::Verity => request.hashing(HostHashing::Verity),
        HostWork::Nothing(digest) => request.expect_verity(digest).hashing(HostHashing::Trusted),
    })
}
