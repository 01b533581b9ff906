use std::ptr;

use vram_sys::Function;

use crate::rig::*;

/// A path with several calls.
fn path(rig: &Rig) -> Answer {
    let handle = rig.create(PAGE)?;
    let address = rig.reserve(PAGE)?;
    rig.map(address, PAGE, handle)?;
    rig.protect(address, PAGE, READ_WRITE)?;
    rig.fill(address, 0, PAGE, ptr::null_mut())?;
    rig.sync_context()?;
    rig.unmap(address, PAGE)?;
    rig.unreserve(address, PAGE)?;
    rig.release(handle)
}

#[test]
fn a_failed_call_has_no_effect() {
    let rig = Rig::new();
    rig.machine
        .fail_nth(Function::cuMemCreate, 1, OUT_OF_MEMORY);
    assert_eq!(rig.create(PAGE), Err(OUT_OF_MEMORY));
    assert_eq!(rig.info(), Ok((64 * MIB, 64 * MIB)));
    assert_eq!(rig.machine.live().physical_allocations, 0);
    rig.create(PAGE).unwrap();
}

#[test]
fn always_means_until_cleared() {
    let rig = Rig::new();
    rig.machine
        .fail_always(Function::cuMemAlloc_v2, NOT_SUPPORTED);
    assert_eq!(rig.alloc(1), Err(NOT_SUPPORTED));
    assert_eq!(rig.alloc(1), Err(NOT_SUPPORTED));
    rig.machine.clear_faults();
    rig.alloc(1).unwrap();
    rig.machine.fail_every_call(NOT_READY);
    assert_eq!(rig.alloc(1), Err(NOT_READY));
    assert_eq!(rig.info(), Err(NOT_READY));
}

#[test]
fn a_record_tells_where_a_sweep_must_strike() {
    let rig = Rig::new();
    rig.machine.record();
    path(&rig).unwrap();
    let calls = rig.machine.stop_recording();
    let functions: Vec<Function> = calls.iter().map(|call| call.function).collect();
    assert_eq!(
        functions,
        [
            Function::cuMemCreate,
            Function::cuMemAddressReserve,
            Function::cuMemMap,
            Function::cuMemSetAccess,
            Function::cuMemsetD8Async,
            Function::cuCtxSynchronize,
            Function::cuMemUnmap,
            Function::cuMemAddressFree,
            Function::cuMemRelease,
        ]
    );
    for call in calls {
        rig.machine.fail_nth(call.function, call.ordinal, NOT_READY);
        assert_eq!(path(&rig), Err(NOT_READY), "{}", call.function);
        assert_eq!(rig.machine.pending_faults(), 0);
    }
}

#[test]
fn a_sweep_over_every_call_comes_to_its_end() {
    let mut struck = 0;
    for nth in 1.. {
        let rig = Rig::new();
        rig.machine.fail_call(nth, NOT_READY);
        let outcome = path(&rig);
        if rig.machine.pending_faults() > 0 {
            outcome.unwrap();
            break;
        }
        assert_eq!(outcome, Err(NOT_READY));
        struck = nth;
    }
    assert_eq!(struck, 9);
}

#[test]
fn calls_are_counted_even_when_they_fail() {
    let rig = Rig::new();
    let before = rig.machine.calls(Function::cuMemAlloc_v2);
    rig.machine
        .fail_nth(Function::cuMemAlloc_v2, 1, OUT_OF_MEMORY);
    rig.alloc(1).unwrap_err();
    rig.alloc(1).unwrap();
    assert_eq!(rig.machine.calls(Function::cuMemAlloc_v2), before + 2);
    assert!(
        rig.machine.call_log().is_empty(),
        "nothing is recorded unless asked"
    );
}
