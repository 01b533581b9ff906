use std::ptr;

use vram_sim::DeviceModel;
use vram_sys::{
    CUmemAccess_flags, CUmemAccessDesc, CUmemAllocationGranularity_flags,
    CUmemAllocationHandleType, CUmemAllocationProp, CUmemAllocationType, CUmemLocation,
    CUmemLocationType, CUresult,
};

use crate::rig::*;

fn granularity(rig: &Rig, prop: &CUmemAllocationProp, option: u32) -> Answer<usize> {
    let mut bytes = 0;
    let option = CUmemAllocationGranularity_flags(option);
    cuda!(rig, cuMemGetAllocationGranularity(&mut bytes, prop, option)).map(|()| bytes)
}

#[test]
fn the_granularity_is_two_mebibytes() {
    let rig = Rig::new();
    assert_eq!(granularity(&rig, &properties(0), 0), Ok(PAGE));
    assert_eq!(granularity(&rig, &properties(0), 1), Ok(PAGE));
    assert_eq!(granularity(&rig, &properties(0), 2), Err(INVALID_VALUE));
}

#[test]
fn the_whole_sequence_works_and_leaves_nothing() {
    let rig = Rig::new();
    let mapping = rig.mapping(2 * PAGE);
    let data: Vec<u8> = (0..2 * PAGE).map(|at| (at % 251) as u8).collect();
    rig.upload(mapping.address, &data, ptr::null_mut()).unwrap();
    assert!(
        rig.download(mapping.address, data.len(), ptr::null_mut())
            .unwrap()
            == data
    );
    assert_eq!(rig.info(), Ok((60 * MIB, 64 * MIB)));

    rig.unmapping(mapping);
    assert_eq!(rig.info(), Ok((64 * MIB, 64 * MIB)));
    cuda!(rig, cuDevicePrimaryCtxRelease_v2(0)).unwrap();
    assert!(rig.machine.live().is_empty(), "{:?}", rig.machine.live());
    assert!(rig.machine.bugs().is_empty());
}

#[test]
fn allocations_are_whole_pages_of_pinned_device_memory() {
    let rig = Rig::new();
    for bytes in [0, 1, PAGE - 1, PAGE + 1, MIB, usize::MAX] {
        assert_eq!(rig.create(bytes), Err(INVALID_VALUE), "{bytes}");
    }
    let changed = |change: fn(&mut CUmemAllocationProp)| {
        let mut prop = properties(0);
        change(&mut prop);
        rig.create_with(PAGE, &prop)
    };
    let managed = |prop: &mut CUmemAllocationProp| {
        prop.type_ = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_MANAGED;
    };
    assert_eq!(changed(managed), Err(INVALID_VALUE));
    assert_eq!(
        changed(|prop| prop.type_ = CUmemAllocationType(0)),
        Err(INVALID_VALUE)
    );
    let nowhere = |prop: &mut CUmemAllocationProp| prop.location.type_ = CUmemLocationType(0);
    assert_eq!(changed(nowhere), Err(INVALID_VALUE));
    let host = |prop: &mut CUmemAllocationProp| {
        prop.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_HOST;
    };
    assert_eq!(changed(host), Err(NOT_SUPPORTED));
    let absent = |prop: &mut CUmemAllocationProp| prop.location.id = 1;
    assert_eq!(changed(absent), Err(CUresult::CUDA_ERROR_INVALID_DEVICE));
    let fabric = |prop: &mut CUmemAllocationProp| {
        prop.requestedHandleTypes = CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_FABRIC;
    };
    assert_eq!(changed(fabric), Err(NOT_SUPPORTED));
    let mut handle = 0;
    assert_eq!(
        cuda!(rig, cuMemCreate(&mut handle, PAGE, &properties(0), 1)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuMemCreate(&mut handle, PAGE, ptr::null(), 0)),
        Err(INVALID_VALUE)
    );
    assert_eq!(rig.machine.live().physical_allocations, 0);
}

#[test]
fn more_than_the_device_has_is_out_of_memory_and_what_fits_still_fits() {
    let rig = Rig::new();
    assert_eq!(rig.create(66 * MIB), Err(OUT_OF_MEMORY));
    let all = rig.create(64 * MIB).unwrap();
    assert_eq!(rig.create(PAGE), Err(OUT_OF_MEMORY));
    rig.release(all).unwrap();
    rig.create(64 * MIB).unwrap();
}

#[test]
fn a_device_without_virtual_memory_management_says_so() {
    let rig = Rig::of(DeviceModel::without_vmm());
    assert_eq!(rig.create(PAGE), Err(NOT_SUPPORTED));
    assert_eq!(rig.reserve(PAGE), Err(NOT_SUPPORTED));
    assert_eq!(granularity(&rig, &properties(0), 0), Err(NOT_SUPPORTED));
    rig.alloc(PAGE).unwrap();
}

#[test]
fn reservations_are_aligned_and_far_enough_apart_to_fault_between() {
    let rig = Rig::new();
    let first = rig.reserve(PAGE).unwrap();
    let second = rig.reserve(4096).unwrap();
    assert!(second.abs_diff(first) >= 2 * PAGE as u64);
    let mut aligned = 0;
    cuda!(rig, cuMemAddressReserve(&mut aligned, PAGE, 64 * MIB, 0, 0)).unwrap();
    assert_eq!(aligned % (64 * MIB as u64), 0);
    assert_eq!(rig.machine.live().reservations, 3);
}

#[test]
fn reservations_refuse_what_the_documents_refuse() {
    let rig = Rig::new();
    assert_eq!(rig.reserve(0), Err(INVALID_VALUE));
    assert_eq!(rig.reserve(4095), Err(INVALID_VALUE));
    assert_eq!(rig.reserve(1 << 60), Err(OUT_OF_MEMORY));
    let mut address = 0;
    let reserve = |address: &mut u64, align, hint, flags| {
        cuda!(rig, cuMemAddressReserve(address, PAGE, align, hint, flags))
    };
    assert_eq!(reserve(&mut address, 3 * PAGE, 0, 0), Err(INVALID_VALUE));
    assert_eq!(reserve(&mut address, 0, 17, 0), Err(INVALID_VALUE));
    assert_eq!(reserve(&mut address, 0, 0, 1), Err(INVALID_VALUE));
    reserve(&mut address, 0, 1 << 30, 0).unwrap();
}

#[test]
fn a_reservation_is_freed_whole_and_empty() {
    let rig = Rig::new();
    let address = rig.reserve(2 * PAGE).unwrap();
    let handle = rig.create(PAGE).unwrap();
    rig.map(address, PAGE, handle).unwrap();
    assert_eq!(rig.unreserve(address, 2 * PAGE), Err(INVALID_VALUE));
    rig.unmap(address, PAGE).unwrap();
    assert_eq!(rig.unreserve(address, PAGE), Err(INVALID_VALUE));
    assert_eq!(
        rig.unreserve(address + PAGE as u64, PAGE),
        Err(INVALID_VALUE)
    );
    rig.unreserve(address, 2 * PAGE).unwrap();
    assert_eq!(rig.unreserve(address, 2 * PAGE), Err(INVALID_VALUE));
}

#[test]
fn mappings_fit_their_reservation_their_allocation_and_the_granularity() {
    let rig = Rig::new();
    let page = PAGE as u64;
    let address = rig.reserve(3 * PAGE).unwrap();
    let handle = rig.create(2 * PAGE).unwrap();

    assert_eq!(
        rig.map(address, 3 * PAGE, handle),
        Err(INVALID_VALUE),
        "more than allocated"
    );
    assert_eq!(
        rig.map(address + 2 * page, 2 * PAGE, handle),
        Err(INVALID_VALUE),
        "past the end"
    );
    assert_eq!(
        rig.map(address + 4096, PAGE, handle),
        Err(INVALID_VALUE),
        "unaligned"
    );
    assert_eq!(
        rig.map(address, 4096, handle),
        Err(INVALID_VALUE),
        "part of a page"
    );
    assert_eq!(rig.map(address, 0, handle), Err(INVALID_VALUE), "nothing");
    assert_eq!(
        rig.map(address, PAGE, handle ^ 1),
        Err(INVALID_VALUE),
        "another handle"
    );
    assert_eq!(
        rig.map(page, PAGE, handle),
        Err(INVALID_VALUE),
        "not reserved"
    );
    let offset = cuda!(rig, cuMemMap(address, PAGE, PAGE, handle, 0));
    assert_eq!(offset, Err(INVALID_VALUE), "an offset");
    let flags = cuda!(rig, cuMemMap(address, PAGE, 0, handle, 1));
    assert_eq!(flags, Err(INVALID_VALUE), "flags");
    assert_eq!(rig.machine.live().mappings, 0);

    rig.map(address + page, 2 * PAGE, handle).unwrap();
    assert_eq!(
        rig.map(address, 2 * PAGE, handle),
        Err(INVALID_VALUE),
        "overlapping"
    );
    rig.map(address, PAGE, handle).unwrap();
    assert_eq!(rig.machine.live().mappings, 2);
}

#[test]
fn two_mappings_of_one_allocation_show_the_same_bytes() {
    let rig = Rig::new();
    let mapping = rig.mapping(PAGE);
    let alias = rig.reserve(PAGE).unwrap();
    rig.map(alias, PAGE, mapping.handle).unwrap();
    rig.protect(alias, PAGE, READ).unwrap();
    rig.upload(mapping.address + 5, b"once", ptr::null_mut())
        .unwrap();
    assert_eq!(
        rig.download(alias + 5, 4, ptr::null_mut()).unwrap(),
        b"once"
    );
}

#[test]
fn pages_live_until_handle_and_mappings_are_gone() {
    let rig = Rig::new();
    let mapping = rig.mapping(PAGE);
    rig.release(mapping.handle).unwrap();
    assert_eq!(rig.release(mapping.handle), Err(INVALID_VALUE));
    assert_eq!(rig.info(), Ok((62 * MIB, 64 * MIB)));
    rig.fill(mapping.address, 1, PAGE, ptr::null_mut()).unwrap();
    rig.sync_context().unwrap();
    rig.unmap(mapping.address, PAGE).unwrap();
    assert_eq!(rig.info(), Ok((64 * MIB, 64 * MIB)));
}

#[test]
fn mappings_are_unmapped_whole() {
    let rig = Rig::new();
    let mapping = rig.mapping(2 * PAGE);
    assert_eq!(rig.unmap(mapping.address, PAGE), Err(INVALID_VALUE));
    assert_eq!(
        rig.unmap(mapping.address + PAGE as u64, PAGE),
        Err(INVALID_VALUE)
    );
    rig.unmap(mapping.address, 2 * PAGE).unwrap();
    assert_eq!(rig.unmap(mapping.address, 2 * PAGE), Err(INVALID_VALUE));
}

#[test]
fn a_new_mapping_is_inaccessible() {
    let rig = Rig::new();
    let address = rig.reserve(PAGE).unwrap();
    rig.map(address, PAGE, rig.create(PAGE).unwrap()).unwrap();
    assert_eq!(rig.access(address), Ok(0));
    assert_eq!(
        rig.download(address, 1, ptr::null_mut()),
        Err(ILLEGAL_ADDRESS)
    );
}

#[test]
fn access_is_set_on_whole_mappings_of_virtual_memory() {
    let rig = Rig::new();
    let address = rig.reserve(4 * PAGE).unwrap();
    let (one, two) = (rig.create(PAGE).unwrap(), rig.create(2 * PAGE).unwrap());
    rig.map(address, PAGE, one).unwrap();
    let second = address + PAGE as u64;
    rig.map(second, 2 * PAGE, two).unwrap();

    assert_eq!(
        rig.protect(address, 2 * PAGE, READ),
        Err(INVALID_VALUE),
        "half of the second"
    );
    assert_eq!(
        rig.protect(address, 4 * PAGE, READ),
        Err(INVALID_VALUE),
        "partly unmapped"
    );
    assert_eq!(
        rig.protect(second + 4096, 4096, READ),
        Err(INVALID_VALUE),
        "inside"
    );
    assert_eq!(rig.protect(address, 0, READ), Err(INVALID_VALUE), "nothing");
    assert_eq!(
        rig.protect(address, PAGE, CUmemAccess_flags(2)),
        Err(INVALID_VALUE),
        "odd flags"
    );
    assert_eq!(rig.access(second), Ok(0));

    rig.protect(address, 3 * PAGE, READ).unwrap();
    assert_eq!(
        (rig.access(address), rig.access(second + 4096)),
        (Ok(1), Ok(1))
    );
    rig.protect(second, 2 * PAGE, READ_WRITE).unwrap();
    assert_eq!((rig.access(address), rig.access(second)), (Ok(1), Ok(3)));
    rig.protect(second, 2 * PAGE, NONE).unwrap();
    assert_eq!(rig.access(second), Ok(0));

    let plain = rig.alloc(PAGE).unwrap();
    assert_eq!(rig.protect(plain, PAGE, READ), Err(INVALID_VALUE));
    assert_eq!(rig.access(plain), Err(INVALID_VALUE));
}

#[test]
fn access_descriptions_must_be_there_and_name_a_device() {
    let rig = Rig::new();
    let mapping = rig.mapping(PAGE);
    let set = |descriptions: *const CUmemAccessDesc, count| {
        cuda!(
            rig,
            cuMemSetAccess(mapping.address, PAGE, descriptions, count)
        )
    };
    let description = |type_: CUmemLocationType, id| CUmemAccessDesc {
        location: CUmemLocation { type_, id },
        flags: READ,
    };
    let device = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
    assert_eq!(set(ptr::null(), 1), Err(INVALID_VALUE));
    assert_eq!(set(&description(device, 0), 0), Err(INVALID_VALUE));
    assert_eq!(
        set(&description(device, 3), 1),
        Err(CUresult::CUDA_ERROR_INVALID_DEVICE)
    );
    let host = CUmemLocationType::CU_MEM_LOCATION_TYPE_HOST;
    assert_eq!(set(&description(host, 0), 1), Err(NOT_SUPPORTED));
    assert_eq!(
        set(&description(CUmemLocationType(0), 0), 1),
        Err(INVALID_VALUE)
    );
    assert_eq!(rig.access(mapping.address), Ok(3));
}

#[test]
fn one_devices_memory_is_not_anothers() {
    let rig = Rig::pair();
    let mapping = rig.mapping_on(1, PAGE);
    assert_eq!(
        rig.protect_for(0, mapping.address, PAGE, READ),
        Err(NOT_SUPPORTED)
    );
    let mut flags = 99;
    cuda!(
        rig,
        cuMemGetAccess(&mut flags, &location(1), mapping.address)
    )
    .unwrap();
    assert_eq!(flags, 3);
    assert_eq!(rig.access(mapping.address), Ok(0));
    // The first device's context is current.
    assert_eq!(
        rig.fill(mapping.address, 1, 1, ptr::null_mut()),
        Err(INVALID_VALUE)
    );
    assert_eq!(rig.info(), Ok((64 * MIB, 64 * MIB)));
    let context = rig.retain(1).unwrap();
    rig.push(context).unwrap();
    assert_eq!(rig.info(), Ok((62 * MIB, 64 * MIB)));
    rig.fill(mapping.address, 1, 1, ptr::null_mut()).unwrap();
    rig.sync_context().unwrap();
}

#[test]
fn fragmented_memory_still_serves_large_allocations() {
    let rig = Rig::new();
    let pages: Vec<u64> = (0..32).map(|_| rig.create(PAGE).unwrap()).collect();
    for handle in pages.iter().step_by(2) {
        rig.release(*handle).unwrap();
    }
    let mapping = rig.mapping(16 * PAGE);
    let data: Vec<u8> = (0..16 * PAGE).map(|at| (at / 4096 % 249) as u8).collect();
    rig.upload(mapping.address, &data, ptr::null_mut()).unwrap();
    assert!(
        rig.download(mapping.address, data.len(), ptr::null_mut())
            .unwrap()
            == data
    );
    assert_eq!(rig.info(), Ok((0, 64 * MIB)));
}
