//! The driver fails, once at each call and for good: typed errors, nothing left, nobody hangs.

use vram_residency::{Error, Manager, SealRequest, SealedShard};
use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUresult, Function};

use crate::support::*;

/// A whole life on a machine: make a manager, seal, verify, drop. Returns what failed.
fn life(machine: &Machine, plain: bool, bytes: &[u8]) -> Result<(), Error> {
    let platform = vram_alloc::Platform::with_driver(machine.driver())?;
    let builder = if plain {
        builder().without_mmu_freezing()
    } else {
        builder()
    };
    let manager = builder.build(&platform)?;
    let before = manager.capacity()?;
    let sealed = manager.seal(SealRequest::bytes(id("one"), bytes));
    if let Err(error) = &sealed
        && !error.is_fatal()
    {
        // Nothing of it is held, and the next one is sealed.
        let after = manager.capacity()?;
        assert_eq!(after.used, before.used, "after {error}");
        let retried = manager.seal(SealRequest::bytes(id("two"), bytes))?;
        drop(manager.verify(&retried)?);
    }
    let shard = sealed?;
    drop(manager.verify(&shard)?);
    drop(shard);
    assert_eq!(manager.capacity()?.used.0, 0);
    Ok(())
}

/// Bytes within the weights that are searched for afterwards.
const PIECE: [u8; 64] = *b"weights worth millions, which nobody may find in released memory";

/// What may stay alive when the driver refuses to let go of it: the very thing that the failed call
/// was to release.
fn may_stay(function: Function) -> bool {
    matches!(
        function,
        Function::cuStreamDestroy_v2
            | Function::cuEventDestroy_v2
            | Function::cuModuleUnload
            | Function::cuMemFreeHost
            | Function::cuDevicePrimaryCtxRelease_v2
            | Function::cuCtxPushCurrent_v2
            | Function::cuCtxPopCurrent_v2
    )
}

fn sweep(plain: bool, code: CUresult, check: impl Fn(&Machine, Function, Result<(), Error>)) {
    let mut bytes = weights(530_000);
    bytes[4096..4160].copy_from_slice(&PIECE);
    let machine = || {
        let model = DeviceModel::small(22 << 20);
        Machine::builder().device(model).build().unwrap()
    };
    let rehearsal = machine();
    rehearsal.record();
    life(&rehearsal, plain, &bytes).unwrap();
    let calls = rehearsal.stop_recording();
    assert!(calls.len() > 100, "{} calls", calls.len());
    for (nth, call) in (1..).zip(&calls) {
        let machine = machine();
        machine.fail_call(nth, code);
        let outcome = life(&machine, plain, &bytes);
        check(&machine, call.function, outcome);
        assert!(machine.bugs().is_empty(), "{:?}", machine.bugs());
    }
}

/// Covers: MS-004.
#[test]
fn every_call_fails_once_and_nothing_is_left() {
    for plain in [false, true] {
        sweep(
            plain,
            CUresult::CUDA_ERROR_INVALID_VALUE,
            |machine, function, outcome| {
                if let Err(error) = &outcome {
                    let text = error.to_string();
                    assert!(!text.is_empty(), "{function}");
                }
                let live = machine.live();
                assert_eq!(live.physical_allocations, 0, "{function}: {live:?}");
                assert_eq!(live.mappings, 0, "{function}: {live:?}");
                assert_eq!(live.plain_allocations, 0, "{function}: {live:?}");
                if !may_stay(function) {
                    assert!(live.is_empty(), "{function}: {live:?}");
                }
            },
        );
    }
}

#[test]
fn every_call_finds_the_context_lost_and_nobody_hangs() {
    sweep(
        false,
        CUresult::CUDA_ERROR_ECC_UNCORRECTABLE,
        |_, function, outcome| {
            if let Err(error) = outcome {
                assert!(error.is_fatal(), "{function}: {error:?}");
            }
        },
    );
}

/// Covers: FN-3.4.
#[test]
fn running_out_of_memory_is_retriable_and_the_next_seal_succeeds() {
    for (plain, function) in [
        (false, Function::cuMemCreate),
        (true, Function::cuMemAlloc_v2),
    ] {
        let machine = machine();
        let builder = if plain {
            builder().without_mmu_freezing()
        } else {
            builder()
        };
        let manager = builder.build(&platform(&machine)).unwrap();
        let before = manager.capacity().unwrap();
        machine.fail_nth(function, 1, CUresult::CUDA_ERROR_OUT_OF_MEMORY);

        let error = manager
            .seal(SealRequest::bytes(id("one"), &weights(5000)))
            .unwrap_err();

        assert!(matches!(error, Error::NoRoom(_)), "{error:?}");
        assert!(error.is_retriable() && !error.is_fatal());
        assert_eq!(manager.capacity().unwrap().available, before.available);
        let shard = seal(&manager, "one", &weights(5000));
        assert!(manager.verify(&shard).is_ok());
    }
}

#[test]
fn a_kernel_that_does_nothing_is_not_answered_for_by_the_last_measurement() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(600_000);
    let shard = seal(&manager, "one", &bytes);
    assert!(manager.verify(&shard).is_ok());
    machine
        .flip_bit(allocation_of(&machine, &bytes), 0, 0)
        .unwrap();
    // Launches succeed without effect: the hashes of the measurement before still lie in scratch.
    machine.fail_always(Function::cuLaunchKernel, CUresult::CUDA_SUCCESS);

    assert!(matches!(
        manager.verify(&shard),
        Err(Error::Tampered { .. })
    ));
}

#[test]
fn nor_are_kernels_that_do_nothing_for_several_shards_together() {
    let machine = machine();
    let manager = manager(&machine);
    let data: Vec<_> = (1..4).map(|n| weights(n * 600_000)).collect();
    let shards: Vec<_> = (0..3)
        .map(|n| seal(&manager, &format!("shard-{n}"), &data[n]))
        .collect();
    assert!(manager.verify_all(&shards).unwrap().passed());
    machine.fail_always(Function::cuLaunchKernel, CUresult::CUDA_SUCCESS);

    let verification = manager.verify_all(&shards).unwrap();

    for (_, outcome) in verification.outcomes() {
        assert!(matches!(outcome, Err(Error::Tampered { .. })));
    }
}

/// Shards of these sizes that were sealed and verified together.
fn verified(sizes: &[usize]) -> (Machine, Manager, Vec<SealedShard>) {
    let machine = machine();
    let manager = manager(&machine);
    let shard = |(n, size): (usize, &usize)| seal(&manager, &format!("shard-{n}"), &weights(*size));
    let shards: Vec<_> = sizes.iter().enumerate().map(shard).collect();
    assert!(manager.verify_all(&shards).unwrap().passed());
    (machine, manager, shards)
}

/// Has one launch after the other do nothing, where the same data was measured just before: what that left in
/// scratch would be right.
fn skip_each_launch(sizes: &[usize], levels: usize) {
    let (machine, manager, shards) = verified(sizes);
    machine.record();
    assert!(manager.verify_all(&shards).unwrap().passed());
    let launch = Function::cuLaunchKernel;
    let calls = machine.stop_recording();
    let launches = calls.iter().filter(|call| call.function == launch).count();
    assert_eq!(launches, levels);

    for nth in 1..=launches {
        let (machine, manager, shards) = verified(sizes);
        machine.fail_nth(launch, nth.try_into().unwrap(), CUresult::CUDA_SUCCESS);

        let verification = manager.verify_all(&shards).unwrap();

        for (_, outcome) in verification.outcomes() {
            assert!(
                matches!(outcome, Err(Error::Tampered { .. })),
                "{nth}: {outcome:?}"
            );
        }
    }
}

/// Covers: FN-2.2.
#[test]
fn no_launch_over_one_shard_can_do_nothing_unnoticed() {
    skip_each_launch(&[600_000], 1);
    skip_each_launch(&[20 << 19], 2);
}

#[test]
fn no_launch_over_several_shards_can_do_nothing_unnoticed() {
    skip_each_launch(&[600_000, 1_200_000], 4);
}

/// Has one copy to the host after the other bring nothing, after the data changed: what the copies brought before that
/// would be right.
#[test]
fn no_copy_of_hashes_can_bring_nothing_unnoticed() {
    let copy = Function::cuMemcpyDtoHAsync_v2;
    for sizes in [&[600_000][..], &[20 << 19], &[600_000, 1_200_000]] {
        let changed = || {
            let (machine, manager, shards) = verified(sizes);
            let allocation = allocation_of(&machine, &weights(sizes[0]));
            machine.flip_bit(allocation, 70_000, 1).unwrap();
            (machine, manager, shards)
        };
        let (machine, manager, shards) = changed();
        machine.record();
        assert!(!manager.verify_all(&shards).unwrap().passed());
        let calls = machine.stop_recording();
        let copies = calls.iter().filter(|call| call.function == copy).count();
        assert!(copies >= sizes.len(), "{copies}");

        for nth in 1..=copies {
            let (machine, manager, shards) = changed();
            machine.fail_nth(copy, nth.try_into().unwrap(), CUresult::CUDA_SUCCESS);

            let verification = manager.verify_all(&shards).unwrap();

            let (_, outcome) = &verification.outcomes()[0];
            assert!(
                matches!(outcome, Err(Error::Tampered { .. })),
                "{nth} of {copies}, {sizes:?}: {outcome:?}"
            );
        }
    }
}

#[test]
fn a_device_that_computes_wrongly_is_refused_at_the_start() {
    let machine = machine();
    machine.fail_always(Function::cuLaunchKernel, CUresult::CUDA_SUCCESS);

    let error = builder().build(&platform(&machine)).unwrap_err();

    assert!(
        matches!(error, Error::Memory(vram_alloc::Error::SelfTest { .. })),
        "{error:?}"
    );
    assert!(error.is_fatal());
    assert!(machine.live().is_empty(), "{:?}", machine.live());
}

/// Covers: IV-002.
#[test]
fn a_device_that_vanishes_is_a_typed_error() {
    let machine = Machine::builder()
        .device(DeviceModel::small(DEVICE))
        .device(DeviceModel::small(DEVICE))
        .build()
        .unwrap();
    let platform = platform(&machine);
    let of = |device| builder().device(device).build(&platform).unwrap();
    let (first, second): (Manager, Manager) = (of(0), of(1));
    let lost = seal(&first, "one", &weights(5000));
    let kept = seal(&second, "one", &weights(5000));
    machine.vanish(0).unwrap();

    let error = first.verify(&lost).unwrap_err();
    assert!(error.is_fatal(), "{error:?}");
    assert!(
        matches!(error, Error::Memory(vram_alloc::Error::DeviceLost { .. })),
        "{error:?}"
    );
    assert!(second.verify(&kept).is_ok(), "the other device goes on");
    drop(lost);
}

/// Covers: MS-005.
#[test]
fn dropping_with_every_call_failing_never_panics() {
    for code in [
        CUresult::CUDA_ERROR_INVALID_VALUE,
        CUresult::CUDA_ERROR_LAUNCH_FAILED,
    ] {
        let machine = machine();
        let manager = manager(&machine);
        let shard = seal(&manager, "one", &weights(5000));
        machine.fail_every_call(code);

        drop(shard);
        drop(manager);
    }
}

#[test]
fn a_measurement_that_fails_leaves_nothing_under_way() {
    let machine = machine();
    let manager = manager(&machine);
    let bytes = weights(100_000);
    let shard = seal(&manager, "one", &bytes);
    let copy = Function::cuMemcpyDtoHAsync_v2;
    let before = machine.calls(copy);
    manager.verify(&shard).map(drop).unwrap();
    let copies = machine.calls(copy) - before;
    assert!(copies > 0);

    for nth in 1..=copies {
        machine.fail_nth(copy, nth, CUresult::CUDA_ERROR_INVALID_VALUE);
        let error = manager.verify(&shard).map(drop).unwrap_err();
        machine.clear_faults();

        assert!(!error.is_fatal(), "{error}");
        assert_eq!(machine.live().queued_work, 0, "copy {nth}: {error}");
        manager.verify(&shard).map(drop).unwrap();
    }
}
