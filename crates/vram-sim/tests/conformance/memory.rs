use std::ffi::c_void;
use std::ptr;

use vram_sim::{AllocationKind, DeviceModel, Machine};
use vram_sys::{CUdevice_attribute, CUresult};

use crate::rig::*;

const ALREADY_REGISTERED: CUresult = CUresult::CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
const NOT_REGISTERED: CUresult = CUresult::CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;

fn register(rig: &Rig, pointer: *mut c_void, len: usize, flags: u32) -> Answer {
    cuda!(rig, cuMemHostRegister_v2(pointer, len, flags))
}

fn unregister(rig: &Rig, pointer: *mut c_void) -> Answer {
    cuda!(rig, cuMemHostUnregister(pointer))
}

fn device_pointer(rig: &Rig, pointer: *mut c_void) -> Answer<u64> {
    let mut address = 0;
    cuda!(rig, cuMemHostGetDevicePointer_v2(&mut address, pointer, 0)).map(|()| address)
}

#[test]
fn memory_is_taken_and_given_back_in_whole_pages() {
    let rig = Rig::new();
    let address = rig.alloc(1).unwrap();
    assert_eq!(rig.info(), Ok((62 * MIB, 64 * MIB)));
    assert_eq!(address % PAGE as u64, 0);
    rig.free(address).unwrap();
    assert_eq!(rig.info(), Ok((64 * MIB, 64 * MIB)));
}

#[test]
fn nothing_and_too_much_are_refused() {
    let rig = Rig::new();
    assert_eq!(rig.alloc(0), Err(INVALID_VALUE));
    assert_eq!(rig.alloc(64 * MIB + 1), Err(OUT_OF_MEMORY));
    assert_eq!(rig.alloc(usize::MAX), Err(OUT_OF_MEMORY));
    assert_eq!(rig.info(), Ok((64 * MIB, 64 * MIB)));
    let whole = rig.alloc(64 * MIB).unwrap();
    assert_eq!(rig.alloc(1), Err(OUT_OF_MEMORY));
    rig.free(whole).unwrap();
    rig.alloc(64 * MIB).unwrap();
}

#[test]
fn only_an_allocations_own_address_frees_it_and_once() {
    let rig = Rig::new();
    let address = rig.alloc(PAGE).unwrap();
    assert_eq!(rig.free(address + 1), Err(INVALID_VALUE));
    assert_eq!(rig.free(0x1000), Err(INVALID_VALUE));
    rig.free(address).unwrap();
    assert_eq!(rig.free(address), Err(INVALID_VALUE));
    assert_eq!(rig.free(0), Ok(()));
    let mapping = rig.mapping(PAGE);
    assert_eq!(rig.free(mapping.address), Err(INVALID_VALUE));
}

#[test]
fn what_others_use_is_not_available() {
    let rig = Rig::new();
    rig.machine.set_other_use(0, 60 << 20).unwrap();
    assert_eq!(rig.info(), Ok((4 * MIB, 64 * MIB)));
    assert_eq!(rig.create(6 * MIB), Err(OUT_OF_MEMORY));
    assert_eq!(rig.alloc(6 * MIB), Err(OUT_OF_MEMORY));
    let held = rig.create(4 * MIB).unwrap();
    assert_eq!(rig.info(), Ok((0, 64 * MIB)));
    rig.machine.set_other_use(0, u64::MAX).unwrap();
    assert_eq!(rig.info(), Ok((0, 64 * MIB)));
    rig.release(held).unwrap();
    rig.machine.set_other_use(0, 0).unwrap();
    assert_eq!(rig.info(), Ok((64 * MIB, 64 * MIB)));
}

#[test]
fn released_memory_keeps_its_bytes_for_the_next_owner() {
    let rig = Rig::new();
    let first = rig.mapping(PAGE);
    rig.upload(first.address, b"a secret nobody wiped", ptr::null_mut())
        .unwrap();
    rig.sync_context().unwrap();
    rig.unmapping(first);

    assert_eq!(
        rig.machine
            .physical_pages_containing(b"a secret nobody wiped")
            .unwrap(),
        1
    );
    let second = rig.alloc(PAGE).unwrap();
    let found = rig.download(second, 21, ptr::null_mut()).unwrap();
    assert_eq!(found, b"a secret nobody wiped");
}

#[test]
fn page_locked_memory_is_the_hosts_and_keeps_its_bytes_too() {
    let rig = Rig::new();
    let buffer = rig.pinned(5000);
    buffer.write(b"weights in a staging buffer");
    assert_eq!(rig.info(), Ok((64 * MIB, 64 * MIB)));
    assert_eq!(rig.machine.live().host_allocations, 1);
    cuda!(rig, cuMemFreeHost(buffer.host())).unwrap();
    assert_eq!(
        rig.machine
            .physical_pages_containing(b"weights in a staging")
            .unwrap(),
        1
    );
    assert_eq!(cuda!(rig, cuMemFreeHost(buffer.host())), Err(INVALID_VALUE));
    assert_eq!(rig.machine.live().host_allocations, 0);
}

#[test]
fn page_locked_memory_has_an_end() {
    let machine = Machine::builder()
        .device(DeviceModel::small(2 << 20))
        .pinnable_memory(8192);
    let rig = Rig::on(machine.build().unwrap());
    assert_eq!(rig.pinned_with(8193, 0).unwrap_err(), OUT_OF_MEMORY);
    let one = rig.pinned(4097);
    assert_eq!(rig.pinned_with(1, 0).unwrap_err(), OUT_OF_MEMORY);
    cuda!(rig, cuMemFreeHost(one.host())).unwrap();
    rig.pinned(8192);
}

#[test]
fn page_locking_refuses_nothing_and_unknown_flags() {
    let rig = Rig::new();
    assert_eq!(rig.pinned_with(0, 0).unwrap_err(), INVALID_VALUE);
    assert_eq!(rig.pinned_with(64, 8).unwrap_err(), INVALID_VALUE);
    rig.pinned_with(64, 7).unwrap();
}

#[test]
fn only_memory_mapped_for_devices_has_a_device_pointer() {
    let rig = Rig::new();
    let plain = rig.pinned(64);
    let mapped = rig.pinned_with(64, 2).unwrap();
    let address = mapped.pointer.addr() as u64;
    assert_eq!(device_pointer(&rig, plain.host()), Err(INVALID_VALUE));
    assert_eq!(device_pointer(&rig, mapped.host()), Ok(address));
    let mut to = 0;
    let flags = cuda!(rig, cuMemHostGetDevicePointer_v2(&mut to, mapped.host(), 1));
    assert_eq!(flags, Err(INVALID_VALUE));
    let can_map = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY;
    rig.machine.set_device_attribute(0, can_map, 0).unwrap();
    assert_eq!(device_pointer(&rig, mapped.host()), Err(INVALID_VALUE));
}

#[test]
fn registering_locks_the_programs_own_memory_once() {
    let rig = Rig::new();
    let mut memory = vec![0_u8; 8192];
    let pointer: *mut c_void = memory.as_mut_ptr().cast();
    register(&rig, pointer, 8192, 2).unwrap();
    assert_eq!(device_pointer(&rig, pointer), Ok(pointer.addr() as u64));
    assert_eq!(register(&rig, pointer, 8192, 0), Err(ALREADY_REGISTERED));
    // SAFETY: the offset lies in the buffer.
    let inside = unsafe { pointer.byte_add(4096) };
    assert_eq!(register(&rig, inside, 100, 0), Err(ALREADY_REGISTERED));
    assert_eq!(unregister(&rig, inside), Err(NOT_REGISTERED));
    assert_eq!(cuda!(rig, cuMemFreeHost(pointer)), Err(INVALID_VALUE));
    unregister(&rig, pointer).unwrap();
    assert_eq!(unregister(&rig, pointer), Err(NOT_REGISTERED));
    assert_eq!(rig.machine.live().host_allocations, 0);
}

#[test]
fn registering_refuses_nonsense_and_what_the_device_cannot() {
    let rig = Rig::new();
    let mut memory = [0_u8; 64];
    let pointer: *mut c_void = memory.as_mut_ptr().cast();
    assert_eq!(register(&rig, ptr::null_mut(), 64, 0), Err(INVALID_VALUE));
    assert_eq!(register(&rig, pointer, 0, 0), Err(INVALID_VALUE));
    assert_eq!(register(&rig, pointer, usize::MAX, 0), Err(INVALID_VALUE));
    assert_eq!(register(&rig, pointer, 64, 16), Err(INVALID_VALUE));
    assert_eq!(register(&rig, pointer, 64, 8), Err(NOT_SUPPORTED));
    let device = ptr::without_provenance_mut(usize::try_from(rig.reserve(PAGE).unwrap()).unwrap());
    assert_eq!(register(&rig, device, 64, 0), Err(INVALID_VALUE));
    let supported = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED;
    rig.machine.set_device_attribute(0, supported, 0).unwrap();
    assert_eq!(register(&rig, pointer, 64, 0), Err(NOT_SUPPORTED));
}

#[test]
fn managed_memory_is_usable_from_both_sides() {
    let rig = Rig::new();
    let address = rig.managed(4096).unwrap();
    rig.fill(address, 0x5A, 4096, ptr::null_mut()).unwrap();
    rig.sync_context().unwrap();
    let pointer: *const u8 = ptr::with_exposed_provenance(usize::try_from(address).unwrap());
    // SAFETY: managed memory may be read by the host, and the device is idle.
    assert_eq!(unsafe { pointer.read() }, 0x5A);
    assert_eq!(
        rig.machine.allocations(0).unwrap()[0].kind,
        AllocationKind::Managed
    );
    rig.free(address).unwrap();
    assert!(rig.machine.allocations(0).unwrap().is_empty());
}

#[test]
fn managed_memory_needs_a_device_that_has_it_and_a_known_flag() {
    let rig = Rig::new();
    let mut address = 0;
    for flags in [0, 3, 4] {
        let refused = cuda!(rig, cuMemAllocManaged(&mut address, 64, flags));
        assert_eq!(refused, Err(INVALID_VALUE), "{flags}");
    }
    let managed = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY;
    rig.machine.set_device_attribute(0, managed, 0).unwrap();
    assert_eq!(rig.managed(64), Err(NOT_SUPPORTED));
}

#[test]
fn freeing_waits_for_the_work_of_the_device() {
    let rig = Rig::new();
    let (kept, freed) = (rig.alloc(PAGE).unwrap(), rig.alloc(PAGE).unwrap());
    rig.fill(kept, 7, PAGE, rig.stream()).unwrap();
    rig.fill(freed, 7, PAGE, rig.stream()).unwrap();
    let buffer = rig.pinned(64);
    assert_eq!(rig.machine.live().queued_work, 2);
    rig.free(freed).unwrap();
    assert_eq!(rig.machine.live().queued_work, 0);

    rig.download_pinned(buffer, kept, 64, rig.stream()).unwrap();
    cuda!(rig, cuMemFreeHost(buffer.host())).unwrap();
    assert_eq!(rig.machine.live().queued_work, 0);
    let filled = 2 * PAGE / 4096 + 1;
    assert_eq!(
        rig.machine.physical_pages_containing(&[7; 64]).unwrap(),
        filled
    );
}
