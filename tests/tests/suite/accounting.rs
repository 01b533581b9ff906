//! Capacity adds up at every moment, whatever several threads do.

use proptest::prelude::*;
use vram_residency::{Error, SealRequest, SealedShard};

use crate::noise::weights;
use crate::rig::{MIB, builder, id, machine, platform};

#[derive(Clone, Debug)]
enum Step {
    Seal { size: usize },
    Verify { which: usize },
    Drop { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_usize..5_000_000).prop_map(|size| Step::Seal { size }),
        1 => (0_usize..8).prop_map(|which| Step::Verify { which }),
        2 => (0_usize..8).prop_map(|which| Step::Drop { which }),
    ]
}

/// The one thing that may be refused here, and it must be true.
fn require_out_of_memory(error: &Error) {
    let Error::NoRoom(room) = error else {
        panic!("{error:?}")
    };
    assert!(room.needed > room.available, "{error}");
    assert!(error.is_retriable() && !error.is_fatal(), "{error}");
}

proptest! {
    /// Covers: FN-3.3.
    #[test]
    fn used_and_available_add_up_under_any_interleaving(
        plans in prop::collection::vec(prop::collection::vec(step(), 1..12), 3),
    ) {
        let machine = machine(32 * MIB);
        let builder = builder().staging(2, 1 << 18).budget(24 * MIB);
        let manager = builder.build(&platform(&machine)).unwrap();
        let whole = manager.capacity().unwrap().available.0;
        let adds_up = || {
            let now = manager.capacity().unwrap();
            assert_eq!(now.used.0 + now.available.0, whole);
            assert_eq!(now.used.0 + now.available.0 + now.unavailable.0, now.total.0);
            assert_eq!(now.unreleased.0, 0);
            assert_eq!(now.allocations - now.frees, now.regions);
            now
        };

        let kept: Vec<Vec<SealedShard>> = std::thread::scope(|scope| {
            let run = |(thread, plan): (usize, &Vec<Step>)| {
                let (manager, plan, adds_up) = (manager.clone(), plan.clone(), &adds_up);
                scope.spawn(move || {
                    let mut shards: Vec<SealedShard> = Vec::new();
                    for (number, step) in plan.into_iter().enumerate() {
                        match step {
                            Step::Seal { size } => {
                                let name = format!("{thread}-{number}");
                                let bytes = weights(3, size);
                                match manager.seal(SealRequest::bytes(id(&name), &bytes)) {
                                    Ok(shard) => shards.push(shard),
                                    Err(error) => require_out_of_memory(&error),
                                }
                            }
                            Step::Verify { which } => {
                                if let Some(shard) = shards.get(which) {
                                    drop(manager.verify(shard).unwrap());
                                }
                            }
                            Step::Drop { which } => {
                                if which < shards.len() {
                                    drop(shards.remove(which));
                                }
                            }
                        }
                        // The other threads' shards come on top of this one's.
                        let own: u64 = shards.iter().map(|shard| shard.mapped().0).sum();
                        assert!(own <= adds_up().used.0);
                    }
                    shards
                })
            };
            let threads: Vec<_> = plans.iter().enumerate().map(run).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });

        let held: u64 = kept.iter().flatten().map(|shard| shard.mapped().0).sum();
        let mut ids: Vec<_> = kept.iter().flatten().map(|shard| shard.id().clone()).collect();
        ids.sort();
        prop_assert_eq!(manager.shard_ids(), ids);
        let full = adds_up();
        prop_assert_eq!(full.used.0, held);
        prop_assert_eq!(machine.bytes_in_use(0).unwrap(), held + full.scratch.0);
        drop(kept);
        prop_assert_eq!(adds_up().available.0, whole);
        prop_assert_eq!(manager.shard_ids(), []);
        drop(manager);
        prop_assert!(machine.live().is_empty(), "{:?}", machine.live());
    }
}
