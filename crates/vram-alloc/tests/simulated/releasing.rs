//! Dropping never panics, whatever the driver does; what it refuses is counted.
//!
//! Memory that a driver doesn't take back keeps its simulated computer for the rest of the process, of
//! which there is room for 64: these tests have several things of a kind fail on one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vram_alloc::{
    Allocator, AllocatorConfig, Device, Event, FrozenRegion, Kernels, Mechanism, OpenRegion,
    Platform, Sent, StagingBuffer, StagingRing, Stream,
};
use vram_sim::Machine;
use vram_sys::{CUresult, Function};

use crate::rig::{BOTH, MIB, SECRET, machine, secret, staged_leftovers};

/// One of everything, with work queued and secrets in it.
#[expect(dead_code, reason = "held to be dropped")]
struct Everything {
    sent: Sent,
    unsent: StagingBuffer,
    ring: StagingRing,
    kernels: Kernels,
    open: OpenRegion,
    scratch: OpenRegion,
    frozen: FrozenRegion,
    stream: Stream,
    event: Event,
    allocator: Allocator,
}

fn everything(machine: &Machine, mechanism: Mechanism) -> (Device, Everything) {
    let device = Platform::with_driver(machine.driver())
        .unwrap()
        .open(0)
        .unwrap();
    let config = AllocatorConfig::default().with_mechanism(mechanism);
    let allocator = Allocator::new(&device, config).unwrap();
    let mut frozen = allocator.allocate(5000).unwrap();
    frozen.write(0, &secret(5000)).unwrap();
    let mut open = allocator.allocate(5000).unwrap();
    let mut ring = StagingRing::new(&device, 3, 4096).unwrap();
    let mut unsent = ring.acquire().unwrap();
    unsent.bytes_mut().copy_from_slice(&secret(4096));
    let mut buffer = ring.acquire().unwrap();
    buffer.bytes_mut().copy_from_slice(&secret(4096));
    let sent = ring.send(buffer, 4096, &mut open, 0).unwrap();
    let stream = Stream::new(&device).unwrap();
    let event = Event::new(&device).unwrap();
    stream.record(&event).unwrap();
    let frozen = frozen.freeze().unwrap();
    let mut buffer = ring.acquire().unwrap();
    buffer.bytes_mut().copy_from_slice(&secret(4096));
    let again = ring.send(buffer, 4096, &mut open, 100).unwrap();
    ring.give_back(again);
    let everything = Everything {
        sent,
        unsent,
        ring,
        kernels: Kernels::load(&device).unwrap(),
        open,
        scratch: allocator.allocate_scratch(1).unwrap(),
        frozen,
        stream,
        event,
        allocator,
    };
    (device, everything)
}

/// Covers: FN-3.2.
#[test]
fn everything_is_released_in_any_order() {
    for mechanism in BOTH {
        let machine = machine(16 * MIB);
        let (device, everything) = everything(&machine, mechanism);

        // The handles that keep everything alive go first.
        drop(device);
        drop(everything);

        assert!(machine.live().is_empty(), "{:?}", machine.live());
        assert_eq!(machine.physical_pages_containing(SECRET).unwrap(), 0);
        assert_eq!(machine.bytes_in_use(0).unwrap(), 0);
    }
}

/// The functions that a drop calls.
const RELEASING: [Function; 13] = [
    Function::cuCtxPushCurrent_v2,
    Function::cuCtxPopCurrent_v2,
    Function::cuCtxSynchronize,
    Function::cuStreamSynchronize,
    Function::cuEventSynchronize,
    Function::cuMemSetAccess,
    Function::cuMemsetD8Async,
    Function::cuMemFreeHost,
    Function::cuStreamDestroy_v2,
    Function::cuEventDestroy_v2,
    Function::cuModuleUnload,
    Function::cuMemUnmap,
    Function::cuMemFree_v2,
];

/// Covers: MS-005.
#[test]
fn dropping_with_any_one_function_failing_always_does_not_panic() {
    for mechanism in BOTH {
        for function in RELEASING {
            // What plain memory doesn't use, and a frozen region alone: the other kind's.
            let unused = match mechanism {
                Mechanism::Plain => [Function::cuMemUnmap, Function::cuMemSetAccess],
                _ => [Function::cuMemFree_v2, Function::cuMemFree_v2],
            };
            if unused.contains(&function) {
                continue;
            }
            let machine = machine(16 * MIB);
            let (device, everything) = everything(&machine, mechanism);
            machine.fail_always(function, CUresult::CUDA_ERROR_INVALID_VALUE);

            drop(everything);

            let waits = [Function::cuEventSynchronize];
            let counted = device.release_failures() > 0;
            assert_eq!(counted, !waits.contains(&function), "{function}");
            assert_eq!(staged_leftovers(&machine), 0, "{function}");
            drop(device);
            assert_eq!(machine.bugs(), Vec::<String>::new());
        }
    }
}

#[test]
fn what_the_driver_refuses_to_release_is_counted_one_by_one() {
    for (function, refused) in [
        (Function::cuMemFreeHost, 3),
        (Function::cuEventDestroy_v2, 4),
        (Function::cuStreamDestroy_v2, 2),
        (Function::cuModuleUnload, 1),
        (Function::cuMemAddressFree, 3),
    ] {
        let machine = machine(16 * MIB);
        let (device, everything) = everything(&machine, Mechanism::Auto);
        machine.fail_always(function, CUresult::CUDA_ERROR_INVALID_VALUE);

        drop(everything);

        assert_eq!(device.release_failures(), refused, "{function}");
        assert!(!device.is_lost());
        assert_eq!(machine.physical_pages_containing(SECRET).unwrap(), 0);
    }
}

/// Covers: MS-005.
#[test]
fn dropping_with_every_function_failing_does_not_panic() {
    for mechanism in BOTH {
        for code in [
            CUresult::CUDA_ERROR_INVALID_VALUE,
            CUresult::CUDA_ERROR_DEINITIALIZED,
        ] {
            let machine = machine(16 * MIB);
            let (device, everything) = everything(&machine, mechanism);
            machine.fail_every_call(code);

            drop(everything);

            // Three regions, three buffers and their marks, a mark, two streams, the kernels.
            assert_eq!(device.release_failures(), 13);
            assert_eq!(staged_leftovers(&machine), 0);
            drop(device);
        }
    }
}

/// Covers: MS-005.
#[test]
fn dropping_with_a_lost_context_does_not_panic() {
    for mechanism in BOTH {
        let machine = machine(16 * MIB);
        let (device, everything) = everything(&machine, mechanism);
        machine.lose_context(0).unwrap();

        drop(everything);

        assert!(device.is_lost());
        assert_eq!(device.release_failures(), 13);
        assert_eq!(staged_leftovers(&machine), 0);
    }
}

#[test]
fn dropping_on_a_device_that_vanished_does_not_panic() {
    let machine = machine(16 * MIB);
    let (device, everything) = everything(&machine, Mechanism::Auto);
    machine.vanish(0).unwrap();

    drop(everything);

    assert!(device.is_lost());
    assert_eq!(staged_leftovers(&machine), 0);
}

/// Covers: EX-2.4.
#[test]
fn a_panic_in_the_caller_releases_everything() {
    for mechanism in BOTH {
        let machine = machine(16 * MIB);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = everything(&machine, mechanism);
            panic!("the caller's own");
        }));

        let message = panicked.unwrap_err();
        assert_eq!(message.downcast_ref::<&str>(), Some(&"the caller's own"));
        assert!(machine.live().is_empty(), "{:?}", machine.live());
        assert_eq!(machine.physical_pages_containing(SECRET).unwrap(), 0);
    }
}

/// Covers: MS-005.
#[test]
fn a_panic_while_everything_fails_stays_the_callers_own() {
    for mechanism in BOTH {
        let machine = machine(16 * MIB);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = everything(&machine, mechanism);
            machine.fail_every_call(CUresult::CUDA_ERROR_INVALID_VALUE);
            panic!("the caller's own");
        }));

        // A second panic while unwinding would have ended the process.
        let message = panicked.unwrap_err();
        assert_eq!(message.downcast_ref::<&str>(), Some(&"the caller's own"));
    }
}
