//! The device that shards are sealed on, and the way to its memory that nobody is told of.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Context as _;
use serde::Serialize;
use vram_alloc::{DeviceProperties, Platform};
use vram_policy::Policy;
use vram_residency::{Manager, SealRequest, SealedShard};
use vram_seal::SealKey;
use vram_sim::{DeviceModel, Machine};

use super::flip::Flip;

/// Memory of a simulated device: what the largest shard needs, with what it takes to measure it.
const SIMULATED: u64 = 64 << 20;

/// Which driver the campaign runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// The simulated driver, with kernels built for the CPU.
    Simulated,
    /// The machine's first GPU.
    Gpu,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simulated => "simulated",
            Self::Gpu => "gpu",
        })
    }
}

/// A device.
#[derive(Debug)]
pub(super) struct Subject {
    platform: Platform,
    /// Where the device is simulated.
    machine: Option<Machine>,
}

impl Subject {
    pub(super) fn open(driver: Driver) -> anyhow::Result<Self> {
        match driver {
            Driver::Simulated => {
                let device = DeviceModel::small(SIMULATED);
                let machine = Machine::builder().device(device).threads(1).build();
                let machine = machine.context("the simulated machine did not start")?;
                let platform = Platform::with_driver(machine.driver())?;
                Ok(Self {
                    platform,
                    machine: Some(machine),
                })
            }
            Driver::Gpu => Ok(Self {
                platform: Platform::load().context("there is no GPU to run on")?,
                machine: None,
            }),
        }
    }

    pub(super) fn device(&self) -> anyhow::Result<DeviceProperties> {
        Ok(self.platform.open(0)?.properties().clone())
    }

    /// A manager for one shard: the first flip that it finds is its last verification.
    pub(super) fn manager(&self, without_mmu_freezing: bool) -> anyhow::Result<Manager> {
        let key =
            SealKey::from_bytes(b"a key that seals scratch data, for faults to be put into it")?;
        // What the machine is like is not what the campaign is about.
        let builder = Manager::builder().key(key).policy(Policy::development());
        let builder = match &self.machine {
            Some(_) => builder.allow_simulated().staging(2, 1 << 20),
            None => builder,
        };
        let builder = if without_mmu_freezing {
            builder.without_mmu_freezing()
        } else {
            builder
        };
        Ok(builder.build(&self.platform)?)
    }

    /// Seals a shard, and finds out where to damage it.
    pub(super) fn seal(
        &self,
        manager: &Manager,
        request: SealRequest<'_>,
    ) -> anyhow::Result<Sealed> {
        let before = self.allocations()?;
        let shard = manager.seal(request)?;
        let mut new = self.allocations()?.into_iter();
        let allocation = new.find(|id| !before.contains(id));
        Ok(Sealed { shard, allocation })
    }

    /// Flips bits in the memory of the device. The manager isn't told.
    pub(super) fn flip(
        &self,
        manager: &Manager,
        sealed: &mut Sealed,
        flip: &Flip,
    ) -> anyhow::Result<()> {
        for bit in flip.bits() {
            match &self.machine {
                Some(machine) => {
                    let allocation = sealed.allocation;
                    let allocation = allocation.context("the shard's memory was not found")?;
                    machine.flip_bit(allocation, bit.offset, bit.bit)?;
                }
                None => manager.damage(&mut sealed.shard, bit.offset, bit.bit)?,
            }
        }
        Ok(())
    }

    /// The allocations of a simulated device; none of a GPU.
    fn allocations(&self) -> anyhow::Result<BTreeSet<u64>> {
        let Some(machine) = &self.machine else {
            return Ok(BTreeSet::new());
        };
        let views = machine.allocations(0)?.into_iter();
        let of_device = views.filter(|view| !view.kind.is_host());
        Ok(of_device.map(|view| view.id).collect())
    }
}

/// A shard that bits can be flipped of.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) shard: SealedShard,
    /// The simulated memory that it lies in.
    allocation: Option<u64>,
}
