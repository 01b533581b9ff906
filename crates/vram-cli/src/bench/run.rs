//! One run: what is measured, in which order, and what becomes of failures.

use std::collections::BTreeSet;

use vram_residency::{Error, SealedShard};
use vram_seal::VerityDigest;

use super::Options;
use super::catalogue::{Id, Kind};
use super::ceilings::{self, Way};
use super::child;
use super::host;
use super::measured::Measured;
use super::peers;
use super::report::Results;
use super::residency;
use super::rig::Rig;
use super::seal;
use super::verify;

/// Measures everything that the options ask for. Beside the results: whether nothing failed.
///
/// What fails is listed with why, and the rest is measured all the same; but not after bytes turned
/// out to be wrong, or the device is lost.
pub(super) fn all(rig: Rig<'_>, options: &Options) -> anyhow::Result<(Results, bool)> {
    let mut run = Run {
        rig,
        options,
        wanted: wanted(&options.only),
        results: Results::default(),
        sound: true,
    };
    run.ceilings()?;
    run.small_shards()?;
    run.residency()?;
    let verity = run.large_shards()?;
    run.sealing(verity)?;
    run.peers()?;
    run.processes()?;
    Ok((run.results, run.sound))
}

/// What is asked for, and what it is held against; everything if nothing is named.
fn wanted(only: &[Id]) -> BTreeSet<Id> {
    if only.is_empty() {
        return Id::ALL.into_iter().collect();
    }
    let mut wanted: BTreeSet<Id> = only.iter().copied().collect();
    for id in only {
        if let Kind::Peer { compared_with } = id.kind() {
            wanted.insert(compared_with);
        }
    }
    let ceilings: Vec<_> = wanted.iter().filter_map(|id| id.ceiling()).collect();
    wanted.extend(ceilings);
    wanted
}

struct Run<'a> {
    rig: Rig<'a>,
    options: &'a Options,
    wanted: BTreeSet<Id>,
    results: Results,
    sound: bool,
}

impl Run<'_> {
    fn wants(&self, id: Id) -> bool {
        self.wanted.contains(&id)
    }

    /// Measures one thing, if it is wanted.
    fn measure(
        &mut self,
        id: Id,
        measure: impl FnOnce(&mut Self) -> anyhow::Result<Measured>,
    ) -> anyhow::Result<()> {
        if !self.wants(id) {
            return Ok(());
        }
        self.rig.doing(id.name());
        let measured = measure(self);
        self.take(id, measured)
    }

    fn take(&mut self, id: Id, measured: anyhow::Result<Measured>) -> anyhow::Result<()> {
        match measured {
            Ok(measured) => self.results.add(id, measured),
            Err(error) => self.failed(&[id], error)?,
        }
        Ok(())
    }

    /// Notes a failure, or ends the run with it.
    fn failed(&mut self, ids: &[Id], error: anyhow::Error) -> anyhow::Result<()> {
        if ends_the_run(&error) || self.rig.opened.device.is_lost() {
            return Err(error);
        }
        self.sound = false;
        for id in ids {
            self.results.skip(*id, format!("it failed: {error:#}"));
        }
        Ok(())
    }

    fn ceilings(&mut self) -> anyhow::Result<()> {
        self.measure(Id::Sha256Registers, |run| {
            ceilings::sha256_registers(&run.rig)
        })?;
        self.measure(Id::DeviceRead, |run| ceilings::device_read(&run.rig))?;
        self.measure(Id::HostToDevice, |run| ceilings::link(&run.rig, Way::Up))?;
        self.measure(Id::DeviceToHost, |run| ceilings::link(&run.rig, Way::Down))?;
        self.measure(Id::HostSha256One, |run| ceilings::host_sha256(&run.rig, 1))?;
        self.measure(Id::HostSha256All, |run| {
            ceilings::host_sha256(&run.rig, host::cores())
        })
    }

    fn small_shards(&mut self) -> anyhow::Result<()> {
        self.measure(Id::Verify1m, |run| verify::small(&run.rig))?;
        self.measure(Id::Verify64m, |run| verify::medium(&run.rig))?;
        self.measure(Id::VerifyAll, |run| verify::many(&run.rig))
    }

    fn residency(&mut self) -> anyhow::Result<()> {
        self.measure(Id::RegionChecks, |run| residency::region_checks(&run.rig))?;
        self.measure(Id::ResidencyDevice, |run| residency::device(&run.rig))?;
        self.measure(Id::ResidencyHost, |run| residency::host(&run.rig))
    }

    /// What needs the large file sealed. Its digest, once it is known.
    fn large_shards(&mut self) -> anyhow::Result<Option<VerityDigest>> {
        let ids = [
            Id::VerifyLarge,
            Id::Scratch,
            Id::VerifyCard,
            Id::SealTrusted1,
            Id::SealMemory,
        ];
        let ids: Vec<Id> = ids.into_iter().filter(|id| self.wants(*id)).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let mut shards = match self.seal_large(0, None) {
            Ok(shard) => vec![shard],
            Err(error) => {
                self.failed(&ids, error)?;
                self.wanted.retain(|id| !ids.contains(id));
                return Ok(None);
            }
        };
        let verity = shards.first().map(SealedShard::verity_digest);
        if let Some(shard) = shards.first() {
            self.measure(Id::VerifyLarge, |run| verify::large(&run.rig, shard))?;
            self.measure(Id::Scratch, |run| verify::scratch(&run.rig, shard))?;
        }
        self.measure(Id::VerifyCard, |run| {
            for copy in 1..run.rig.scale.card_shards {
                let shard = run.seal_large(copy, verity)?;
                shards.push(shard);
            }
            verify::card(&run.rig, &shards)
        })?;
        Ok(verity)
    }

    fn seal_large(
        &mut self,
        copy: u64,
        verity: Option<VerityDigest>,
    ) -> anyhow::Result<SealedShard> {
        let path = self.rig.big_file()?.path().to_owned();
        self.rig.display.doing("a large file", "seal");
        let id = format!("large-{copy}");
        seal::with_least_work(&self.rig.opened.manager, &path, &id, verity)
    }

    fn sealing(&mut self, verity: Option<VerityDigest>) -> anyhow::Result<()> {
        self.seal_one(Id::SealVerity1, Some(seal::HostWork::Verity))?;
        self.seal_one(Id::SealTrusted1, verity.map(seal::HostWork::Nothing))?;
        if self.wants(Id::SealMemory) {
            let measured = child::memory(&mut self.rig, &self.options.device, verity);
            self.take_or_skip(Id::SealMemory, measured)?;
        }
        self.rig.drop_big_file();
        self.measure(Id::SealBoth16, |run| seal::set(&run.rig))
    }

    fn seal_one(&mut self, id: Id, work: Option<seal::HostWork>) -> anyhow::Result<()> {
        let Some(work) = work.filter(|_| self.wants(id)) else {
            return Ok(());
        };
        let measured = self.rig.big_file().map(|file| file.path().to_owned());
        self.rig.doing(id.name());
        let measured = measured.and_then(|path| seal::file(&self.rig, &path, work));
        self.take_or_skip(id, measured.map(Ok))
    }

    fn take_or_skip(
        &mut self,
        id: Id,
        measured: anyhow::Result<Result<Measured, String>>,
    ) -> anyhow::Result<()> {
        match measured {
            Ok(Err(why)) => {
                self.results.skip(id, why);
                Ok(())
            }
            Ok(Ok(measured)) => self.take(id, Ok(measured)),
            Err(error) => self.take(id, Err(error)),
        }
    }

    fn peers(&mut self) -> anyhow::Result<()> {
        self.measure(Id::EngineRust, |run| peers::engine(&run.rig))?;
        self.measure(Id::CpuBest, |run| peers::cpu_best(&run.rig))?;
        if self.wants(Id::EnginePython) {
            self.rig.doing(Id::EnginePython.name());
            let python = self.options.peer_python.as_ref();
            let measured = peers::python::engine(&self.rig, python);
            self.take_or_skip(Id::EnginePython, measured)?;
        }
        Ok(())
    }

    fn processes(&mut self) -> anyhow::Result<()> {
        let ids = [Id::FirstUse, Id::WarmStart];
        let ids: Vec<Id> = ids.into_iter().filter(|id| self.wants(*id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.rig.doing(Id::FirstUse.name());
        match child::starts(&self.rig, &self.options.device) {
            Ok([first, warm]) => {
                for (id, measured) in [(Id::FirstUse, first), (Id::WarmStart, warm)] {
                    if self.wants(id) {
                        self.results.add(id, measured);
                    }
                }
                Ok(())
            }
            Err(error) => self.failed(&ids, error),
        }
    }
}

/// Whether going on would make figures of what can't be believed.
fn ends_the_run(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let ours = cause.downcast_ref::<Error>();
        let memory = cause.downcast_ref::<vram_alloc::Error>();
        ours.is_some_and(|error| error.is_integrity_failure() || error.is_fatal())
            || memory.is_some_and(vram_alloc::Error::is_fatal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_named_is_everything() {
        assert_eq!(wanted(&[]).len(), Id::ALL.len());
    }

    #[test]
    fn what_is_named_brings_what_it_is_held_against() {
        assert_eq!(
            Vec::from_iter(wanted(&[Id::Verify1m, Id::Scratch])),
            [Id::Verify1m, Id::Scratch]
        );
        assert_eq!(
            Vec::from_iter(wanted(&[Id::Verify64m])),
            [Id::Sha256Registers, Id::Verify64m]
        );
        assert_eq!(
            Vec::from_iter(wanted(&[Id::CpuBest])),
            [Id::Sha256Registers, Id::VerifyLarge, Id::CpuBest]
        );
    }

    #[test]
    fn wrong_bytes_end_the_run_and_a_lack_of_memory_does_not() {
        let lost = vram_alloc::Error::SelfTest { vector: "a block" };
        let room = vram_alloc::Error::ZeroSize;

        assert!(ends_the_run(&anyhow::Error::new(lost).context("measuring")));
        assert!(!ends_the_run(&anyhow::Error::new(room)));
        assert!(!ends_the_run(&anyhow::anyhow!("no python")));
    }
}
