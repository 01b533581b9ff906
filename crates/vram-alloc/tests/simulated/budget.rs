//! The books under any sequence of operations on several threads, against a model.

use std::collections::HashSet;
use std::sync::{Barrier, Mutex};
use std::thread;

use proptest::prelude::*;
use vram_alloc::{Error, FrozenRegion, OpenRegion};
use vram_sys::{CUresult, Function};

use crate::rig::{MIB, PAGE, Rig};

const THREADS: usize = 4;
const BUDGET: u64 = 40 * MIB;

/// What a thread does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Allocate(u64),
    Scratch(u64),
    /// Freezes the oldest of its open regions.
    Freeze,
    /// Drops one of what it holds.
    Free(usize),
    /// Lets a call of a function fail once, on whichever thread it strikes.
    Fail(Function),
}

fn step() -> impl Strategy<Value = Step> {
    let function = prop::sample::select(vec![
        Function::cuMemCreate,
        Function::cuMemAddressReserve,
        Function::cuMemMap,
        Function::cuMemSetAccess,
        Function::cuMemRelease,
        Function::cuMemUnmap,
        Function::cuMemAddressFree,
        Function::cuMemsetD8Async,
        Function::cuMemGetAccess,
        Function::cuCtxSynchronize,
    ]);
    prop_oneof![
        4 => (1..14 * MIB).prop_map(Step::Allocate),
        1 => (1..4 * MIB).prop_map(Step::Scratch),
        2 => Just(Step::Freeze),
        4 => any::<usize>().prop_map(Step::Free),
        2 => function.prop_map(Step::Fail),
    ]
}

/// Faults that a second one of the same kind could turn into a leak strike once in a case: the
/// library tries once more, and what it then can't release has tests of its own.
#[derive(Default)]
struct Faults {
    struck: Mutex<HashSet<&'static str>>,
}

impl Faults {
    fn inject(&self, rig: &Rig, function: Function) {
        let kind = match function {
            Function::cuMemsetD8Async | Function::cuMemSetAccess | Function::cuCtxSynchronize => {
                "wiping"
            }
            Function::cuMemUnmap => "unmapping",
            Function::cuMemRelease => "releasing",
            Function::cuMemAddressFree => "returning addresses",
            _ => "",
        };
        if kind.is_empty() || self.struck.lock().unwrap().insert(kind) {
            let code = CUresult::CUDA_ERROR_INVALID_VALUE;
            rig.machine.fail_nth(function, 1, code);
        }
    }
}

/// What a thread holds, by the model.
#[derive(Default)]
struct Holding {
    open: Vec<OpenRegion>,
    frozen: Vec<FrozenRegion>,
    scratch: Vec<OpenRegion>,
}

impl Holding {
    fn shards(&self) -> u64 {
        let open = self.open.iter().map(OpenRegion::mapped).sum::<u64>();
        open + self.frozen.iter().map(FrozenRegion::mapped).sum::<u64>()
    }

    fn scratch(&self) -> u64 {
        self.scratch.iter().map(OpenRegion::mapped).sum()
    }

    fn take(&mut self, rig: &Rig, faults: &Faults, step: Step) {
        match step {
            Step::Allocate(size) => match rig.allocator.allocate(size) {
                Ok(region) => {
                    assert_eq!(region.mapped(), size.next_multiple_of(PAGE));
                    self.open.push(region);
                }
                Err(error) => assert_expected(&error, size.next_multiple_of(PAGE)),
            },
            Step::Scratch(size) => match rig.allocator.allocate_scratch(size) {
                Ok(region) => self.scratch.push(region),
                Err(error) => assert_expected(&error, size.next_multiple_of(PAGE)),
            },
            Step::Freeze if self.open.is_empty() => {}
            Step::Freeze => match self.open.remove(0).freeze() {
                Ok(frozen) => self.frozen.push(frozen),
                Err(error) => assert!(matches!(error, Error::Driver { .. }), "{error}"),
            },
            Step::Free(choice) => {
                let count = self.open.len() + self.frozen.len() + self.scratch.len();
                let Some(mut index) = choice.checked_rem(count) else {
                    return;
                };
                if index < self.open.len() {
                    drop(self.open.swap_remove(index));
                    return;
                }
                index -= self.open.len();
                if index < self.frozen.len() {
                    drop(self.frozen.swap_remove(index));
                    return;
                }
                index -= self.frozen.len();
                drop(self.scratch.swap_remove(index));
            }
            Step::Fail(function) => faults.inject(rig, function),
        }
    }
}

fn assert_expected(error: &Error, mapped: u64) {
    match error {
        Error::OutOfMemory {
            needed, available, ..
        } => {
            assert_eq!(needed.0, mapped);
            assert!(available.0 < mapped && available.0 <= BUDGET, "{error}");
        }
        Error::Driver { .. } => {}
        other => panic!("{other}"),
    }
}

/// What is true of every snapshot, whatever the other threads do meanwhile.
fn assert_consistent(rig: &Rig, other_use: u64) {
    let capacity = rig.allocator.capacity().unwrap();
    let sum = capacity.used.0 + capacity.available.0 + capacity.unavailable.0;
    assert_eq!(sum, capacity.total.0, "{capacity:?}");
    assert_eq!(capacity.unreleased.0, 0);
    let held = capacity.used.0 + capacity.scratch.0;
    assert!(held <= BUDGET, "over budget: {capacity:?}");
    let left = (BUDGET - held).min(capacity.total.0 - other_use - held);
    assert_eq!(capacity.available.0, left, "{capacity:?}");
    // What nothing but shards changes is constant.
    let room = BUDGET.min(capacity.total.0 - other_use) - capacity.scratch.0;
    assert_eq!(capacity.used.0 + capacity.available.0, room);
    assert_eq!(capacity.allocations - capacity.frees, capacity.regions);
}

proptest! {
    /// Covers: RP-002.
    #[test]
    fn the_books_agree_with_the_model_and_the_driver(
        programs in prop::collection::vec(prop::collection::vec(step(), 0..24), THREADS),
        other_use in prop_oneof![Just(0), 0..24 * MIB],
    ) {
        let rig = Rig::with_budget(BUDGET);
        // Whole pages, so that what is available is what is left of them.
        let other_use = other_use / PAGE * PAGE;
        rig.machine.set_other_use(0, other_use).unwrap();
        let barrier = Barrier::new(THREADS);
        let faults = Faults::default();

        let holdings: Vec<Holding> = thread::scope(|scope| {
            let (rig, barrier, faults) = (&rig, &barrier, &faults);
            let run = |program: Vec<Step>| move || {
                let mut holding = Holding::default();
                barrier.wait();
                for step in program {
                    holding.take(rig, faults, step);
                    assert_consistent(rig, other_use);
                }
                holding
            };
            let threads: Vec<_> = programs
                .into_iter()
                .map(|program| scope.spawn(run(program)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        rig.machine.clear_faults();

        let capacity = rig.allocator.capacity().unwrap();
        let shards: u64 = holdings.iter().map(Holding::shards).sum();
        let scratch: u64 = holdings.iter().map(Holding::scratch).sum();
        prop_assert_eq!(capacity.used.0, shards);
        prop_assert_eq!(capacity.scratch.0, scratch);
        prop_assert_eq!(rig.machine.bytes_in_use(0).unwrap(), shards + scratch);

        drop(holdings);
        let capacity = rig.allocator.capacity().unwrap();
        prop_assert_eq!((capacity.used.0, capacity.scratch.0, capacity.regions), (0, 0, 0));
        prop_assert_eq!(rig.machine.bytes_in_use(0).unwrap(), 0);
        prop_assert_eq!(rig.device.release_failures(), 0);
        assert_consistent(&rig, other_use);
    }
}
