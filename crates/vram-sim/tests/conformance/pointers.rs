use std::ffi::c_void;
use std::ptr;

use vram_sys::{CUmemAllocationHandleType, CUpointer_attribute as A};

use crate::rig::*;

#[test]
fn virtual_memory_looks_as_it_does_on_the_chip() {
    let rig = Rig::new();
    let at = rig.mapping(PAGE).address + 100;

    assert_eq!(
        rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at),
        Ok(2)
    );
    assert_eq!(
        rig.attribute::<u8>(A::CU_POINTER_ATTRIBUTE_IS_MANAGED, at),
        Ok(0)
    );
    let host = rig.attribute::<u64>(A::CU_POINTER_ATTRIBUTE_HOST_POINTER, at);
    assert_eq!(host, Err(INVALID_VALUE));
    let ipc = A::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE;
    assert_eq!(rig.attribute::<u8>(ipc, at), Ok(0));
    let types = A::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES;
    assert_eq!(rig.attribute::<u32>(types, at), Ok(0));
    assert_eq!(
        rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS, at),
        Ok(3)
    );
    assert_eq!(
        rig.attribute::<i32>(A::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at),
        Ok(0)
    );
    assert_eq!(
        rig.attribute::<u64>(A::CU_POINTER_ATTRIBUTE_DEVICE_POINTER, at),
        Ok(at)
    );
    assert_eq!(
        rig.attribute::<u8>(A::CU_POINTER_ATTRIBUTE_MAPPED, at),
        Ok(1)
    );
    assert_eq!(
        rig.attribute::<u64>(A::CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, at),
        Ok(0)
    );
    assert_eq!(
        rig.attribute::<u64>(A::CU_POINTER_ATTRIBUTE_CONTEXT, at),
        Ok(0)
    );
}

#[test]
fn access_flags_follow_the_protection() {
    let rig = Rig::new();
    let mapping = rig.mapping(PAGE);
    rig.protect(mapping.address, PAGE, READ).unwrap();
    let flags = A::CU_POINTER_ATTRIBUTE_ACCESS_FLAGS;
    assert_eq!(rig.attribute::<u32>(flags, mapping.address), Ok(1));
}

#[test]
fn ranges_are_the_reservations_and_mappings_are_the_mappings() {
    let rig = Rig::new();
    let start = rig.reserve(4 * PAGE).unwrap();
    let second = start + PAGE as u64;
    rig.map(second, 2 * PAGE, rig.create(2 * PAGE).unwrap())
        .unwrap();
    let at = second + 4096;
    assert_eq!(
        rig.attribute::<u64>(A::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, at),
        Ok(start)
    );
    assert_eq!(
        rig.attribute(A::CU_POINTER_ATTRIBUTE_RANGE_SIZE, at),
        Ok(4 * PAGE)
    );
    assert_eq!(
        rig.attribute(A::CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR, at),
        Ok(second)
    );
    assert_eq!(
        rig.attribute(A::CU_POINTER_ATTRIBUTE_MAPPING_SIZE, at),
        Ok(2 * PAGE)
    );
}

#[test]
fn of_reserved_addresses_without_memory_little_is_known() {
    let rig = Rig::new();
    let start = rig.reserve(PAGE).unwrap();
    assert_eq!(
        rig.attribute::<u8>(A::CU_POINTER_ATTRIBUTE_MAPPED, start),
        Ok(0)
    );
    assert_eq!(
        rig.attribute(A::CU_POINTER_ATTRIBUTE_RANGE_SIZE, start),
        Ok(PAGE)
    );
    let kind = rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, start);
    assert_eq!(kind, Err(INVALID_VALUE));
}

#[test]
fn plain_memory_can_be_shared_the_old_way_and_has_a_context() {
    let rig = Rig::new();
    let address = rig.alloc(100).unwrap();
    let ipc = A::CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE;
    assert_eq!(rig.attribute::<u8>(ipc, address), Ok(1));
    assert_eq!(
        rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address),
        Ok(2)
    );
    let context = rig.attribute::<usize>(A::CU_POINTER_ATTRIBUTE_CONTEXT, address);
    assert_eq!(context, Ok(rig.context.addr()));
    assert_eq!(
        rig.attribute(A::CU_POINTER_ATTRIBUTE_RANGE_SIZE, address + 99),
        Ok(100_usize)
    );
    let behind = rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address + 100);
    assert_eq!(behind, Err(INVALID_VALUE));
}

#[test]
fn host_memory_is_host_memory_and_has_a_host_pointer() {
    let rig = Rig::new();
    let mut own = vec![0_u8; 64];
    let own: *mut c_void = own.as_mut_ptr().cast();
    cuda!(rig, cuMemHostRegister_v2(own, 64, 2)).unwrap();
    for pointer in [rig.pinned_with(64, 2).unwrap().host(), own] {
        let at = pointer.addr() as u64;
        assert_eq!(
            rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at),
            Ok(1)
        );
        assert_eq!(
            rig.attribute::<u64>(A::CU_POINTER_ATTRIBUTE_HOST_POINTER, at),
            Ok(at)
        );
        assert_eq!(
            rig.attribute::<u8>(A::CU_POINTER_ATTRIBUTE_IS_MANAGED, at),
            Ok(0)
        );
    }
}

#[test]
fn managed_memory_says_so() {
    let rig = Rig::new();
    let at = rig.managed(64).unwrap();
    assert_eq!(
        rig.attribute::<u8>(A::CU_POINTER_ATTRIBUTE_IS_MANAGED, at),
        Ok(1)
    );
    assert_eq!(
        rig.attribute::<u64>(A::CU_POINTER_ATTRIBUTE_HOST_POINTER, at),
        Ok(at)
    );
    assert_eq!(
        rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at),
        Ok(2)
    );
}

#[test]
fn exportable_and_rdma_capable_memory_say_so() {
    let rig = Rig::new();
    let mut prop = properties(0);
    prop.requestedHandleTypes = CUmemAllocationHandleType::CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    prop.allocFlags.gpuDirectRDMACapable = 1;
    let at = rig.reserve(PAGE).unwrap();
    rig.map(at, PAGE, rig.create_with(PAGE, &prop).unwrap())
        .unwrap();
    let types = A::CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES;
    assert_eq!(rig.attribute::<u32>(types, at), Ok(1));
    let rdma = A::CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE;
    assert_eq!(rig.attribute::<u8>(rdma, at), Ok(1));
    let sealed = rig.mapping(PAGE).address;
    assert_eq!(rig.attribute::<u8>(rdma, sealed), Ok(0));
}

#[test]
fn unknown_and_freed_addresses_and_attributes_are_refused() {
    let rig = Rig::new();
    let kind = A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
    let freed = rig.alloc(64).unwrap();
    rig.free(freed).unwrap();
    let own = 5_u64;
    for address in [0, 1, freed, ptr::from_ref(&own).addr() as u64, u64::MAX] {
        assert_eq!(
            rig.attribute::<u32>(kind, address),
            Err(INVALID_VALUE),
            "{address:#x}"
        );
    }
    let live = rig.alloc(64).unwrap();
    for number in [0, 22, 1000] {
        assert_eq!(
            rig.attribute::<u64>(A(number), live),
            Err(INVALID_VALUE),
            "{number}"
        );
    }
    assert_eq!(
        cuda!(rig, cuPointerGetAttribute(ptr::null_mut(), kind, live)),
        Err(INVALID_VALUE)
    );
}

#[test]
fn the_device_pointer_needs_a_context() {
    let rig = Rig::new();
    let at = rig.mapping(PAGE).address;
    rig.pop().unwrap();
    let pointer = A::CU_POINTER_ATTRIBUTE_DEVICE_POINTER;
    assert_eq!(rig.attribute::<u64>(pointer, at), Err(INVALID_CONTEXT));
    assert_eq!(
        rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at),
        Ok(2)
    );
}

#[test]
fn buffer_ids_are_never_used_again() {
    let rig = Rig::new();
    let id = A::CU_POINTER_ATTRIBUTE_BUFFER_ID;
    let first = rig.alloc(64).unwrap();
    let before = rig.attribute::<u64>(id, first).unwrap();
    rig.free(first).unwrap();
    let second = rig.alloc(64).unwrap();
    assert_eq!(second, first, "the address is used again at once");
    assert_ne!(rig.attribute::<u64>(id, second).unwrap(), before);
}

#[test]
fn any_attribute_can_be_made_to_lie_about_a_device() {
    let rig = Rig::pair();
    let (at, other) = (rig.mapping(PAGE).address, rig.mapping_on(1, PAGE).address);
    for (attribute, value) in [
        (A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, 1),
        (A::CU_POINTER_ATTRIBUTE_HOST_POINTER, 0xABC),
        (A::CU_POINTER_ATTRIBUTE_IS_MANAGED, 1),
        (A::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, u64::MAX),
    ] {
        rig.machine
            .set_pointer_attribute(0, attribute, value)
            .unwrap();
    }
    assert_eq!(
        rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at),
        Ok(1)
    );
    assert_eq!(
        rig.attribute::<u64>(A::CU_POINTER_ATTRIBUTE_HOST_POINTER, at),
        Ok(0xABC)
    );
    assert_eq!(
        rig.attribute::<u8>(A::CU_POINTER_ATTRIBUTE_IS_MANAGED, at),
        Ok(1)
    );
    assert_eq!(
        rig.attribute::<i32>(A::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at),
        Ok(-1)
    );
    assert_eq!(
        rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, other),
        Ok(2)
    );
    rig.machine.clear_attributes(0).unwrap();
    assert_eq!(
        rig.attribute::<u32>(A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at),
        Ok(2)
    );
}

#[test]
fn a_value_is_written_in_its_own_width() {
    let rig = Rig::new();
    let at = rig.mapping(PAGE).address;
    let mut bytes = [0xFF_u8; 8];
    let to = bytes.as_mut_ptr().cast();
    let managed = A::CU_POINTER_ATTRIBUTE_IS_MANAGED;
    cuda!(rig, cuPointerGetAttribute(to, managed, at)).unwrap();
    assert_eq!(bytes, [0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
    let to = bytes.as_mut_ptr().cast();
    let kind = A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
    cuda!(rig, cuPointerGetAttribute(to, kind, at)).unwrap();
    assert_eq!(bytes, [2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
}

#[test]
fn many_attributes_are_answered_at_once_as_one_by_one() {
    let rig = Rig::new();
    let at = rig.mapping(PAGE).address;
    let mut attributes = [
        A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
        A::CU_POINTER_ATTRIBUTE_RANGE_SIZE,
        A::CU_POINTER_ATTRIBUTE_IS_MANAGED,
        A::CU_POINTER_ATTRIBUTE_HOST_POINTER,
    ];
    let mut values = [u64::MAX; 4];
    let mut ask = |address| {
        let mut places = values.each_mut().map(|value| ptr::from_mut(value).cast());
        let (asked, places) = (attributes.as_mut_ptr(), places.as_mut_ptr());
        cuda!(rig, cuPointerGetAttributes(4, asked, places, address)).map(|()| values)
    };
    let [kind, size, managed, host] = ask(at).unwrap();
    // Narrow values leave the other bytes as they are.
    assert_eq!((kind & 0xffff_ffff, size), (2, PAGE as u64));
    assert_eq!((managed, host), (u64::MAX << 8, 0));

    let unknown = ask(1).unwrap();
    assert_eq!(
        (unknown[0] & 0xffff_ffff, unknown[1], unknown[3]),
        (0, 0, 0)
    );
}

#[test]
fn no_place_for_one_of_many_attributes_is_refused() {
    let rig = Rig::new();
    let at = rig.mapping(PAGE).address;
    let mut attribute = A::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
    let mut place = ptr::null_mut();
    let refused = Err(vram_sys::CUresult::CUDA_ERROR_INVALID_VALUE);
    assert_eq!(
        cuda!(
            rig,
            cuPointerGetAttributes(1, &raw mut attribute, &raw mut place, at)
        ),
        refused
    );
    assert_eq!(
        cuda!(
            rig,
            cuPointerGetAttributes(1, ptr::null_mut(), &raw mut place, at)
        ),
        refused
    );
}
