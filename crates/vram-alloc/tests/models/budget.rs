//! Never over the budget, nothing lost of it, and books that add up at every moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shuttle::thread;
use vram_alloc::{Allocator, AllocatorConfig, Capacity, Error, Mechanism, Platform};
use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUresult, Function};

use crate::explore::{explore, explore_up_to};

const PAGE: u64 = Machine::GRANULARITY;

/// A simulated machine, an allocator with a budget of so many pages, and what the model knows to be held.
struct Rig {
    machine: Machine,
    allocator: Allocator,
    budget: u64,
    held: AtomicU64,
}

impl Rig {
    fn new(pages: u64, mechanism: Mechanism) -> Arc<Self> {
        let machine = Machine::builder()
            .device(DeviceModel::small(16 * PAGE))
            .threads(1)
            .build()
            .unwrap();
        let device = Platform::with_driver(machine.driver())
            .unwrap()
            .open(0)
            .unwrap();
        let budget = pages * PAGE;
        let config = AllocatorConfig::default()
            .with_budget(budget)
            .with_mechanism(mechanism);
        let allocator = Allocator::new(&device, config).unwrap();
        let held = AtomicU64::new(0);
        Arc::new(Self {
            machine,
            allocator,
            budget,
            held,
        })
    }

    /// Takes so many pages and gives them back; says whether there was room.
    fn take_and_give_back(&self, pages: u64, scratch: bool) -> bool {
        let size = pages * PAGE;
        let taken = if scratch {
            self.allocator.allocate_scratch(size)
        } else {
            self.allocator.allocate(size)
        };
        let region = match taken {
            Ok(region) => region,
            Err(Error::OutOfMemory { .. }) => return false,
            Err(error) => panic!("{error}"),
        };
        let held = self.held.fetch_add(size, Ordering::SeqCst) + size;
        assert!(held <= self.budget, "over budget: {held} bytes are held");
        self.look();
        self.held.fetch_sub(size, Ordering::SeqCst);
        drop(region);
        true
    }

    /// Whatever the others do, the figures are those of one moment.
    fn look(&self) -> Capacity {
        let capacity = self.allocator.capacity().unwrap();
        let parts = [capacity.used, capacity.available, capacity.unavailable];
        let sum: u64 = parts.iter().map(|part| part.0).sum();
        assert_eq!(sum, capacity.total.0, "{capacity:?}");
        let taken = capacity.used.0 + capacity.scratch.0 + capacity.unreleased.0;
        assert!(taken + capacity.available.0 <= self.budget, "{capacity:?}");
        // All that is neither taken nor lost is there for the next: the device has more than the budget.
        assert_eq!(taken + capacity.available.0, self.budget, "{capacity:?}");
        capacity
    }

    /// Nobody holds anything any more, and it is all there again.
    fn require_as_new(&self, allocations: u64) {
        let capacity = self.look();
        assert_eq!(capacity.available.0, self.budget, "capacity is lost");
        assert_eq!((capacity.used.0, capacity.scratch.0), (0, 0));
        assert_eq!((capacity.regions, capacity.unreleased.0), (0, 0));
        assert_eq!(
            (capacity.allocations, capacity.frees),
            (allocations, allocations)
        );
        assert_eq!(self.machine.bytes_in_use(0).unwrap(), 0);
    }
}

fn join<T>(threads: impl IntoIterator<Item = thread::JoinHandle<T>>) -> Vec<T> {
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

fn contend(mechanism: Mechanism) {
    let rig = Rig::new(3, mechanism);
    let contender = |scratch| {
        let rig = Arc::clone(&rig);
        thread::spawn(move || rig.take_and_give_back(2, scratch))
    };
    let onlooker = {
        let rig = Arc::clone(&rig);
        thread::spawn(move || rig.look())
    };
    let won = join([contender(false), contender(true), contender(false)]);
    join([onlooker]);

    let won = won.into_iter().filter(|won| *won).count();
    assert!(won > 0, "there was room for one at every moment");
    rig.require_as_new(won.try_into().unwrap());
}

#[test]
fn contenders_for_the_last_pages_never_get_more_than_the_budget() {
    explore(|| contend(Mechanism::Auto));
}

#[test]
fn contenders_for_plain_memory_never_get_more_than_the_budget() {
    explore(|| contend(Mechanism::Plain));
}

#[test]
fn nobody_is_refused_what_there_is_room_for() {
    explore(|| {
        let rig = Rig::new(5, Mechanism::Auto);
        let worker = |pages, scratch| {
            let rig = Arc::clone(&rig);
            thread::spawn(move || {
                rig.take_and_give_back(pages, scratch) && rig.take_and_give_back(pages, scratch)
            })
        };
        let served = join([worker(2, false), worker(1, true), worker(2, false)]);
        assert_eq!(served, [true; 3]);
        rig.require_as_new(6);
    });
}

#[test]
fn asking_whether_there_is_room_takes_none() {
    explore(|| {
        let rig = Rig::new(2, Mechanism::Auto);
        let asker = {
            let rig = Arc::clone(&rig);
            thread::spawn(move || {
                let one = rig.allocator.check(PAGE).is_ok();
                let both = rig.allocator.check_all([PAGE, PAGE]).is_ok();
                assert!(one, "half of the budget is nobody's at any moment");
                both
            })
        };
        assert!(rig.take_and_give_back(1, false));
        join([asker]);
        rig.require_as_new(1);
    });
}

#[test]
fn what_the_driver_keeps_stays_out_of_reach_and_is_counted_once() {
    // What is kept is kept for good, its machine too, and there can be 64 at a time.
    explore_up_to(24, || {
        let rig = Rig::new(3, Mechanism::Auto);
        // The library tries twice.
        let code = CUresult::CUDA_ERROR_INVALID_VALUE;
        for nth in [1, 2] {
            rig.machine.fail_nth(Function::cuMemUnmap, nth, code);
        }
        let worker = || {
            let rig = Arc::clone(&rig);
            thread::spawn(move || {
                assert!(rig.take_and_give_back(1, false));
            })
        };
        join([worker(), worker()]);

        let capacity = rig.look();
        assert_eq!((capacity.used.0, capacity.regions), (0, 0));
        assert!(rig.machine.bytes_in_use(0).unwrap() <= capacity.unreleased.0);
        assert_eq!(capacity.frees + capacity.unreleased.0 / PAGE, 2);
    });
}
