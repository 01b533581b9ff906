use std::ptr;
use std::thread;

use vram_sys::{CUcontext, CUresult};

use crate::rig::*;

const IS_DESTROYED: CUresult = CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED;

fn release(rig: &Rig, device: i32) -> Answer {
    cuda!(rig, cuDevicePrimaryCtxRelease_v2(device))
}

#[test]
fn retaining_again_gives_the_same_context_and_counts() {
    let rig = Rig::new();
    assert_eq!(rig.retain(0), Ok(rig.context));
    assert_eq!(rig.machine.live().contexts, 2);

    release(&rig, 0).unwrap();
    rig.info().unwrap();
    release(&rig, 0).unwrap();
    assert_eq!(rig.info(), Err(IS_DESTROYED));
    assert_eq!(release(&rig, 0), Err(INVALID_CONTEXT));
    assert!(rig.machine.live().is_empty());
}

#[test]
fn a_context_retained_after_the_last_release_is_another() {
    let rig = Rig::new();
    release(&rig, 0).unwrap();
    let second = rig.retain(0).unwrap();
    assert_ne!(second, rig.context);
    assert_eq!(rig.push(rig.context), Err(INVALID_CONTEXT));
    assert_eq!(rig.alloc(PAGE), Err(IS_DESTROYED));
    rig.push(second).unwrap();
    rig.alloc(PAGE).unwrap();
}

#[test]
fn contexts_stack_per_thread() {
    let rig = Rig::pair();
    let second = rig.retain(1).unwrap();
    rig.push(second).unwrap();
    rig.push(rig.context).unwrap();

    assert_eq!(rig.pop(), Ok(rig.context));
    assert_eq!(rig.pop(), Ok(second));
    assert_eq!(rig.pop(), Ok(rig.context));
    assert_eq!(rig.pop(), Err(INVALID_CONTEXT));
    assert_eq!(rig.info(), Err(INVALID_CONTEXT));
}

fn current(rig: &Rig) -> Answer<CUcontext> {
    let mut context = ptr::without_provenance_mut(1);
    cuda!(rig, cuCtxGetCurrent(&mut context)).map(|()| context)
}

fn device(rig: &Rig) -> Answer<i32> {
    let mut device = -1;
    cuda!(rig, cuCtxGetDevice(&mut device)).map(|()| device)
}

#[test]
fn the_current_context_and_its_device_are_told_apart_from_none() {
    let rig = Rig::pair();
    let second = rig.retain(1).unwrap();
    assert_eq!((current(&rig), device(&rig)), (Ok(rig.context), Ok(0)));
    rig.push(second).unwrap();
    assert_eq!((current(&rig), device(&rig)), (Ok(second), Ok(1)));
    rig.pop().unwrap();
    rig.pop().unwrap();
    assert_eq!(current(&rig), Ok(ptr::null_mut()));
    assert_eq!(device(&rig), Err(INVALID_CONTEXT));
}

#[test]
fn a_destroyed_context_stays_current_and_has_no_device() {
    let rig = Rig::new();
    release(&rig, 0).unwrap();
    assert_eq!(current(&rig), Ok(rig.context));
    assert_eq!(device(&rig), Err(IS_DESTROYED));
}

#[test]
fn a_context_that_another_library_made_is_not_the_primary_one() {
    let rig = Rig::pair();
    rig.machine.create_context(1).unwrap();
    let made = current(&rig).unwrap();
    assert_eq!(device(&rig), Ok(1));
    assert_ne!(rig.retain(1), Ok(made));
    assert_eq!(rig.pop(), Ok(made));
    rig.machine.create_context(2).unwrap_err();
}

#[test]
fn popping_needs_no_place_for_the_context() {
    let rig = Rig::new();
    cuda!(rig, cuCtxPopCurrent_v2(ptr::null_mut())).unwrap();
    assert_eq!(rig.info(), Err(INVALID_CONTEXT));
}

#[test]
fn another_thread_has_no_current_context() {
    let rig = Rig::new();
    let driver = &rig.driver;
    thread::scope(|scope| {
        let other = scope.spawn(move || {
            let mut address = 0;
            // SAFETY: an address may be written to the place.
            unsafe { (driver.table().cuMemAlloc_v2)(&mut address, PAGE) }
        });
        assert_eq!(other.join().unwrap(), INVALID_CONTEXT);
    });
    rig.alloc(PAGE).unwrap();
}

#[test]
fn what_needs_a_context_refuses_without_one() {
    let rig = Rig::new();
    let (stream, event, pinned) = (rig.stream(), rig.event(), rig.pinned(64));
    let module = rig.module();
    let memory = rig.alloc(PAGE).unwrap();
    rig.pop().unwrap();

    assert_eq!(rig.info(), Err(INVALID_CONTEXT));
    assert_eq!(rig.alloc(PAGE), Err(INVALID_CONTEXT));
    assert_eq!(rig.managed(PAGE), Err(INVALID_CONTEXT));
    assert_eq!(rig.free(memory), Err(INVALID_CONTEXT));
    assert_eq!(rig.pinned_with(64, 0).unwrap_err(), INVALID_CONTEXT);
    assert_eq!(
        cuda!(rig, cuMemFreeHost(pinned.host())),
        Err(INVALID_CONTEXT)
    );
    assert_eq!(rig.stream_with(0), Err(INVALID_CONTEXT));
    assert_eq!(rig.event_with(0), Err(INVALID_CONTEXT));
    assert_eq!(rig.sync(stream), Err(INVALID_CONTEXT));
    assert_eq!(rig.sync_context(), Err(INVALID_CONTEXT));
    assert_eq!(rig.record(event, stream), Err(INVALID_CONTEXT));
    assert_eq!(rig.wait(stream, event), Err(INVALID_CONTEXT));
    assert_eq!(rig.fill(memory, 0, 1, stream), Err(INVALID_CONTEXT));
    assert_eq!(rig.upload(memory, b"x", stream), Err(INVALID_CONTEXT));
    assert_eq!(rig.download(memory, 1, stream), Err(INVALID_CONTEXT));
    assert_eq!(rig.copy(memory, memory, 1, stream), Err(INVALID_CONTEXT));
    assert_eq!(rig.load(vram_kernels::PTX), Err(INVALID_CONTEXT));
    assert_eq!(
        rig.function(module, c"vram_sha256_blocks"),
        Err(INVALID_CONTEXT)
    );
    assert_eq!(cuda!(rig, cuStreamDestroy_v2(stream)), Err(INVALID_CONTEXT));
    assert_eq!(cuda!(rig, cuEventDestroy_v2(event)), Err(INVALID_CONTEXT));
    assert_eq!(cuda!(rig, cuModuleUnload(module)), Err(INVALID_CONTEXT));
}

#[test]
fn virtual_memory_needs_no_context() {
    let rig = Rig::new();
    rig.pop().unwrap();
    let mapping = rig.mapping(PAGE);
    assert_eq!(rig.access(mapping.address), Ok(3));
    rig.unmapping(mapping);
}

#[test]
fn the_last_release_frees_what_was_left_and_tells() {
    let rig = Rig::new();
    rig.alloc(PAGE).unwrap();
    rig.pinned(64);
    rig.stream();
    rig.event();
    rig.module();
    let mapping = rig.mapping(PAGE);
    release(&rig, 0).unwrap();

    let live = rig.machine.live();
    assert_eq!(live.left_behind, 5);
    assert_eq!((live.plain_allocations, live.host_allocations), (0, 0));
    assert_eq!((live.streams, live.events, live.modules), (0, 0, 0));
    assert_eq!(live.mappings, 1, "virtual memory belongs to no context");
    assert!(!live.is_empty());
    assert_eq!(rig.machine.bytes_in_use(0).unwrap(), mapping.size as u64);
}

#[test]
fn a_null_or_invented_context_is_refused() {
    let rig = Rig::new();
    assert_eq!(rig.push(ptr::null_mut()), Err(INVALID_CONTEXT));
    assert_eq!(
        rig.push(ptr::without_provenance_mut(0x1000)),
        Err(INVALID_CONTEXT)
    );
}
