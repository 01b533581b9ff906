//! A manager's life beside a model of it: whatever is asked in whatever order, a permit is given only for a
//! shard that is as it was sealed, and never again after something was found.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vram_residency::{Error, Manager, SealRequest, SealedShard};
use vram_sim::Machine;

use crate::support::*;

/// What is asked of the manager, or done behind its back.
#[derive(Clone, Debug)]
enum Step {
    Seal {
        name: usize,
        size: usize,
    },
    Verify {
        which: usize,
    },
    VerifyAll,
    Inspect {
        which: usize,
    },
    Flip {
        which: usize,
        byte: prop::sample::Index,
        bit: u8,
    },
    Release {
        which: usize,
    },
    Stop,
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn step() -> impl Strategy<Value = Step> {
    let which = 0..NAMES.len();
    prop_oneof![
        6 => (which.clone(), 1..20_000_usize).prop_map(|(name, size)| Step::Seal { name, size }),
        4 => which.clone().prop_map(|which| Step::Verify { which }),
        2 => Just(Step::VerifyAll),
        2 => which.clone().prop_map(|which| Step::Inspect { which }),
        2 => (which.clone(), any::<prop::sample::Index>(), 0..8_u8)
            .prop_map(|(which, byte, bit)| Step::Flip { which, byte, bit }),
        2 => which.prop_map(|which| Step::Release { which }),
        1 => Just(Step::Stop),
    ]
}

/// A shard, and what was done to it.
struct Held {
    shard: SealedShard,
    allocation: u64,
    size: usize,
    /// Bits that are flipped at this moment: a second flip takes the first one back.
    flipped: Vec<(u64, u8)>,
}

impl Held {
    fn blocks(&self) -> Vec<u64> {
        let mut blocks: Vec<_> = self.flipped.iter().map(|(byte, _)| byte / 4096).collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks
    }

    fn flip(&mut self, machine: &Machine, byte: u64, bit: u8) {
        machine.flip_bit(self.allocation, byte, bit).unwrap();
        match self.flipped.iter().position(|flip| *flip == (byte, bit)) {
            Some(again) => drop(self.flipped.remove(again)),
            None => self.flipped.push((byte, bit)),
        }
    }

    /// Whether this is what is to be said of it.
    fn require<T>(&self, outcome: Result<T, Error>) -> Result<(), TestCaseError> {
        match outcome {
            Ok(_) => prop_assert!(self.flipped.is_empty(), "damage was not found"),
            Err(Error::Tampered { difference, .. }) => {
                prop_assert!(
                    !self.flipped.is_empty(),
                    "damage was found where there is none"
                );
                prop_assert_eq!(difference.blocks, self.blocks());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    }
}

/// What ought to be so.
struct Model {
    stopped: bool,
    held: BTreeMap<usize, Held>,
}

impl Model {
    fn is_damaged(&self, which: usize) -> bool {
        self.held
            .get(&which)
            .is_some_and(|held| !held.flipped.is_empty())
    }

    fn take(
        &mut self,
        machine: &Machine,
        manager: &Manager,
        step: Step,
    ) -> Result<(), TestCaseError> {
        match step {
            Step::Seal { name, size } => self.seal(machine, manager, name, size)?,
            Step::Verify { which } => {
                let Some(held) = self.held.get(&which) else {
                    return Ok(());
                };
                let outcome = manager.verify(&held.shard).map(drop);
                if self.stopped {
                    require_stopped(outcome)?;
                } else {
                    held.require(outcome)?;
                    self.stopped = self.is_damaged(which);
                }
            }
            Step::VerifyAll => {
                let shards = self.held.values().map(|held| &held.shard);
                let found = manager.verify_all(shards);
                if self.stopped {
                    return require_stopped(found.map(drop));
                }
                let found = found.unwrap();
                let damaged = self.held.keys().any(|which| self.is_damaged(*which));
                prop_assert_eq!(found.passed(), !damaged);
                prop_assert_eq!(found.into_permits().is_ok(), !damaged);
                self.stopped = damaged;
            }
            Step::Inspect { which } => {
                let Some(held) = self.held.get(&which) else {
                    return Ok(());
                };
                held.require(manager.inspect(&held.shard))?;
                self.stopped |= self.is_damaged(which);
            }
            Step::Flip { which, byte, bit } => {
                if let Some(held) = self.held.get_mut(&which) {
                    let byte = u64::try_from(byte.index(held.size)).unwrap();
                    held.flip(machine, byte, bit);
                }
            }
            Step::Release { which } => {
                if let Some(held) = self.held.remove(&which) {
                    drop(held.shard.release());
                }
            }
            Step::Stop => {
                manager.stop("asked to");
                self.stopped = true;
            }
        }
        Ok(())
    }

    fn seal(
        &mut self,
        machine: &Machine,
        manager: &Manager,
        name: usize,
        size: usize,
    ) -> Result<(), TestCaseError> {
        let before = allocations(machine);
        let bytes = weights(size);
        let sealed = manager.seal(SealRequest::bytes(id(NAMES[name]), &bytes));
        match sealed {
            Err(error) if self.stopped => return require_stopped(Err::<(), _>(error)),
            Err(Error::Duplicate { .. }) => prop_assert!(self.held.contains_key(&name)),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
            Ok(shard) => {
                prop_assert!(!self.stopped, "a stopped manager sealed");
                prop_assert!(!self.held.contains_key(&name), "two shards of one id");
                let new = allocations(machine)
                    .into_iter()
                    .find(|id| !before.contains(id));
                let held = Held {
                    shard,
                    allocation: new.unwrap(),
                    size,
                    flipped: Vec::new(),
                };
                self.held.insert(name, held);
            }
        }
        Ok(())
    }
}

fn allocations(machine: &Machine) -> Vec<u64> {
    let views = machine.allocations(0).unwrap().into_iter();
    let of_device = views.filter(|view| !view.kind.is_host());
    of_device.map(|view| view.id).collect()
}

fn require_stopped<T>(outcome: Result<T, Error>) -> Result<(), TestCaseError> {
    match outcome {
        Err(Error::Stopped { .. }) => Ok(()),
        Err(other) => Err(TestCaseError::fail(other.to_string())),
        Ok(_) => Err(TestCaseError::fail("a stopped manager went on")),
    }
}

proptest! {
    #[test]
    fn a_permit_is_given_only_for_what_is_as_it_was_sealed_and_never_after_a_stop(
        steps in prop::collection::vec(step(), 1..24),
    ) {
        let machine = machine();
        let manager = manager(&machine);
        let scratch = manager.capacity().unwrap().used.0;
        let mut model = Model { stopped: false, held: BTreeMap::new() };
        let mut reason = None;
        for step in steps {
            model.take(&machine, &manager, step)?;

            prop_assert_eq!(manager.stop_reason().is_some(), model.stopped);
            // The first reason counts.
            let now = manager.stop_reason().map(str::to_owned);
            prop_assert!(reason.is_none() || reason == now);
            reason = now;
            let names: Vec<_> = model.held.keys().map(|name| id(NAMES[*name])).collect();
            prop_assert_eq!(manager.shard_ids(), names);
            let mapped: u64 = model.held.values().map(|held| held.shard.mapped().0).sum();
            prop_assert_eq!(manager.capacity().unwrap().used.0.checked_sub(scratch), Some(mapped));
        }
        drop(model);
        prop_assert_eq!(manager.capacity().unwrap().used.0, scratch);
        prop_assert!(manager.shard_ids().is_empty());
        drop(manager);
        prop_assert!(machine.live().is_empty(), "{:?}", machine.live());
    }
}
