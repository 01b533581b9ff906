use std::ffi::CStr;
use std::ptr;

use vram_kernels::{
    Message, Row, Sha256BlocksArgs, Sha256FewBlocksArgs, Sha256MessagesArgs, VerityDigestsArgs,
};
use vram_sys::{CUdevice_attribute, CUpointer_attribute, CUresult};

use crate::rig::*;

/// A frozen mapping with known bytes.
fn frozen(rig: &Rig) -> Mapping {
    let mapping = rig.mapping(PAGE);
    rig.fill(mapping.address, 0x11, PAGE, ptr::null_mut())
        .unwrap();
    rig.sync_context().unwrap();
    rig.protect(mapping.address, PAGE, READ).unwrap();
    mapping
}

fn first_byte(rig: &Rig) -> u8 {
    let id = rig.machine.allocations(0).unwrap()[0].id;
    rig.machine.peek(id, 0, 1).unwrap()[0]
}

#[test]
fn reading_frozen_memory_is_fine() {
    let rig = Rig::new();
    let mapping = frozen(&rig);
    assert_eq!(
        rig.download(mapping.address, 4, ptr::null_mut()).unwrap(),
        [0x11; 4]
    );
    let to = rig.alloc(64).unwrap();
    rig.copy(to, mapping.address, 64, ptr::null_mut()).unwrap();
    rig.sync_context().unwrap();
}

#[test]
fn copies_and_fills_into_frozen_memory_are_refused_at_the_call() {
    let writes: [fn(&Rig, u64) -> Answer; 5] = [
        |rig, to| rig.fill(to, 0xFF, 1, ptr::null_mut()),
        |rig, to| rig.upload(to, &[0xFF], ptr::null_mut()),
        |rig, to| rig.upload_pinned(to, rig.pinned(64), 1, ptr::null_mut()),
        |rig, to| rig.copy(to, rig.alloc(64).unwrap(), 1, ptr::null_mut()),
        |rig, to| rig.fill(to, 0xFF, PAGE, rig.stream()),
    ];
    for write in writes {
        for rig in [Rig::new(), Rig::eager()] {
            let mapping = frozen(&rig);
            assert_eq!(write(&rig, mapping.address), Err(INVALID_VALUE));
            assert_eq!(rig.machine.live().queued_work, 0);
            rig.sync_context().unwrap();
            rig.info().unwrap();
            assert_eq!(first_byte(&rig), 0x11);
        }
    }
}

#[test]
fn a_copy_that_ends_in_frozen_memory_is_refused_as_a_whole() {
    let rig = Rig::new();
    let start = rig.reserve(2 * PAGE).unwrap();
    let half = start + PAGE as u64;
    rig.map(start, PAGE, rig.create(PAGE).unwrap()).unwrap();
    rig.map(half, PAGE, rig.create(PAGE).unwrap()).unwrap();
    rig.protect(start, PAGE, READ_WRITE).unwrap();
    rig.protect(half, PAGE, READ).unwrap();
    rig.fill(half - 1, 0x22, 1, ptr::null_mut()).unwrap();

    let across = rig.fill(half - 1, 0xFF, 2, ptr::null_mut());
    assert_eq!(across, Err(INVALID_VALUE));
    let before = rig.download(half - 1, 1, ptr::null_mut()).unwrap();
    assert_eq!(before, [0x22]);
}

#[test]
fn a_kernel_that_writes_frozen_memory_is_stopped_by_page_protection() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), c"vram_sha256_blocks").unwrap();
    let data = rig.alloc(4096).unwrap();
    let mapping = frozen(&rig);
    let arguments = Sha256BlocksArgs::new(data, 4096, mapping.address);
    rig.launch(function, 1, 128, ptr::null_mut(), &arguments)
        .unwrap();
    assert_eq!(rig.sync_context(), Err(ILLEGAL_ADDRESS));
    let view = rig.machine.allocations(0).unwrap()[1];
    assert_eq!(rig.machine.peek(view.id, 0, 64).unwrap(), [0x11; 64]);
}

#[test]
fn a_fault_in_one_block_of_many_is_a_fault_of_the_launch() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), c"vram_sha256_blocks").unwrap();
    // The digests of 131,072 threads: the second half's place is frozen.
    let data = rig.mapping(PAGE);
    let start = rig.reserve(4 * PAGE).unwrap();
    rig.map(start, 2 * PAGE, rig.create(2 * PAGE).unwrap())
        .unwrap();
    let half = start + 2 * PAGE as u64;
    rig.map(half, 2 * PAGE, rig.create(2 * PAGE).unwrap())
        .unwrap();
    rig.protect(start, 2 * PAGE, READ_WRITE).unwrap();
    rig.protect(half, 2 * PAGE, READ).unwrap();
    let threads = 4 * PAGE as u64 / 32;
    let first = PAGE as u64 / 4096;
    let arguments =
        Sha256BlocksArgs::new(data.address, PAGE as u64, start).with_window(first, threads);
    rig.launch(
        function,
        threads as u32 / 128,
        128,
        ptr::null_mut(),
        &arguments,
    )
    .unwrap();
    assert_eq!(rig.sync_context(), Err(ILLEGAL_ADDRESS));
}

/// Arguments for a kernel, from (memory that is fine, memory that isn't).
type Arguments = fn(u64, u64) -> Sha256BlocksArgs;

#[test]
fn a_kernel_outside_its_devices_memory_is_an_illegal_address() {
    let cases: [(&str, Arguments); 3] = [
        ("reads it", |fine, bad| {
            Sha256BlocksArgs::new(bad, 4096, fine)
        }),
        ("writes it", |fine, bad| {
            Sha256BlocksArgs::new(fine, 4096, bad)
        }),
        ("reads past the end", |fine, _| {
            Sha256BlocksArgs::new(fine, 4 << 20, fine + 4096)
        }),
    ];
    for (name, arguments) in cases {
        let rig = Rig::pair();
        let function = rig.function(rig.module(), c"vram_sha256_blocks").unwrap();
        let fine = rig.alloc(PAGE).unwrap();
        let other = rig.mapping_on(1, PAGE).address;
        rig.launch(function, 8, 128, ptr::null_mut(), &arguments(fine, other))
            .unwrap();
        assert_eq!(rig.sync_context(), Err(ILLEGAL_ADDRESS), "{name}");
    }
}

#[test]
fn a_row_that_names_no_memory_of_the_device_is_an_illegal_address() {
    let own = [7_u8; 32];
    let own = own.as_ptr().addr() as u64;
    let hashing: fn(u64, u64) -> Sha256BlocksArgs =
        |rows, to| Sha256BlocksArgs::of_rows(rows, 1, 0, to);
    for few in [false, true] {
        let rig = Rig::new();
        let (table, to) = (rig.alloc(64).unwrap(), rig.alloc(64).unwrap());
        let row = Row {
            address: own,
            length: 32,
        };
        rig.upload(table, &row.to_bytes(), ptr::null_mut()).unwrap();
        let module = rig.module();
        let launched = if few {
            let function = rig.function(module, c"vram_sha256_few_blocks").unwrap();
            let arguments = Sha256FewBlocksArgs(hashing(table, to));
            rig.launch(function, 1, 128, ptr::null_mut(), &arguments)
        } else {
            let function = rig.function(module, c"vram_sha256_blocks").unwrap();
            rig.launch(function, 1, 128, ptr::null_mut(), &hashing(table, to))
        };
        launched.unwrap();
        assert_eq!(rig.sync_context(), Err(ILLEGAL_ADDRESS), "few: {few}");
    }
    // A root need only be 32 bytes of the device's, whatever the size of what it is the root of.
    for (inside, outcome) in [(true, Ok(())), (false, Err(ILLEGAL_ADDRESS))] {
        let rig = Rig::new();
        let (table, root, to) = (
            rig.alloc(64).unwrap(),
            rig.alloc(64).unwrap(),
            rig.alloc(64).unwrap(),
        );
        let row = Row {
            address: if inside { root } else { own },
            length: u64::MAX,
        };
        rig.upload(table, &row.to_bytes(), ptr::null_mut()).unwrap();
        let function = rig.function(rig.module(), c"vram_verity_digests").unwrap();
        let arguments = VerityDigestsArgs::new(table, 1, to);
        rig.launch(function, 1, 128, ptr::null_mut(), &arguments)
            .unwrap();
        assert_eq!(rig.sync_context(), outcome, "inside: {inside}");
    }
}

#[test]
fn a_kernel_given_the_programs_own_memory_does_not_touch_it() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), c"vram_sha256_messages").unwrap();
    let table = [Message {
        offset: 0,
        length: 1,
    }];
    let mut digests = [0x77_u8; 32];
    let arguments = Sha256MessagesArgs::new(
        rig.alloc(64).unwrap(),
        64,
        table.as_ptr().addr() as u64,
        1,
        digests.as_mut_ptr().addr() as u64,
    );
    rig.launch(function, 1, 1, ptr::null_mut(), &arguments)
        .unwrap();
    assert_eq!(rig.sync_context(), Err(ILLEGAL_ADDRESS));
    assert_eq!(digests, [0x77; 32]);
}

#[test]
fn a_lost_context_answers_the_same_error_to_everything() {
    let rig = Rig::new();
    let (stream, event, module) = (rig.stream(), rig.event(), rig.module());
    let (memory, pinned) = (rig.alloc(PAGE).unwrap(), rig.pinned(64));
    let mapping = rig.mapping(PAGE);
    let spare = (rig.create(PAGE).unwrap(), rig.reserve(PAGE).unwrap());
    rig.fill(memory, 1, 1, stream).unwrap();
    rig.record(event, stream).unwrap();
    rig.machine.lose_context(0).unwrap();

    let lost = ILLEGAL_ADDRESS;
    assert_eq!(rig.info(), Err(lost));
    assert_eq!(rig.alloc(1), Err(lost));
    assert_eq!(rig.managed(1), Err(lost));
    assert_eq!(rig.free(memory), Err(lost));
    assert_eq!(rig.pinned_with(1, 0).unwrap_err(), lost);
    assert_eq!(cuda!(rig, cuMemFreeHost(pinned.host())), Err(lost));
    assert_eq!(rig.create(PAGE), Err(lost));
    assert_eq!(rig.release(spare.0), Err(lost));
    assert_eq!(rig.map(spare.1, PAGE, spare.0), Err(lost));
    assert_eq!(rig.unmap(mapping.address, PAGE), Err(lost));
    assert_eq!(rig.protect(mapping.address, PAGE, READ), Err(lost));
    assert_eq!(rig.access(mapping.address), Err(lost));
    assert_eq!(rig.fill(memory, 1, 1, stream), Err(lost));
    assert_eq!(rig.upload(memory, &[1], stream), Err(lost));
    assert_eq!(rig.download(memory, 1, stream), Err(lost));
    assert_eq!(rig.copy(memory, memory, 1, stream), Err(lost));
    assert_eq!(rig.stream_with(0), Err(lost));
    assert_eq!(rig.sync(stream), Err(lost));
    assert_eq!(cuda!(rig, cuStreamDestroy_v2(stream)), Err(lost));
    assert_eq!(rig.event_with(0), Err(lost));
    assert_eq!(rig.record(event, stream), Err(lost));
    assert_eq!(rig.wait(stream, event), Err(lost));
    assert_eq!(rig.query(event), Err(lost));
    assert_eq!(cuda!(rig, cuEventSynchronize(event)), Err(lost));
    assert_eq!(cuda!(rig, cuEventDestroy_v2(event)), Err(lost));
    assert_eq!(rig.load(vram_kernels::PTX), Err(lost));
    assert_eq!(rig.function(module, c"vram_sha256_blocks"), Err(lost));
    assert_eq!(cuda!(rig, cuModuleUnload(module)), Err(lost));
    assert_eq!(rig.retain(0), Err(lost));
    let kind = CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
    assert_eq!(rig.attribute::<u32>(kind, memory), Err(lost));
    assert_eq!(
        rig.machine.live().queued_work,
        0,
        "what was queued is dropped"
    );
}

#[test]
fn what_is_known_of_a_lost_device_can_still_be_asked() {
    let rig = Rig::new();
    rig.machine.lose_context(0).unwrap();
    let mut value = 0;
    let warp = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_WARP_SIZE;
    cuda!(rig, cuDeviceGetAttribute(&mut value, warp, 0)).unwrap();
    cuda!(rig, cuDeviceGetCount(&mut value)).unwrap();
    cuda!(rig, cuInit(0)).unwrap();
    let mut name = ptr::null();
    cuda!(rig, cuGetErrorName(ILLEGAL_ADDRESS, &mut name)).unwrap();
    // SAFETY: a name is static and ends with a NUL.
    assert!(!unsafe { CStr::from_ptr(name) }.is_empty());
    assert_eq!(rig.pop(), Ok(rig.context));
}

#[test]
fn releasing_a_lost_context_does_not_bring_it_back() {
    let rig = Rig::new();
    rig.stream();
    rig.machine
        .lose_context_with(0, CUresult::CUDA_ERROR_ECC_UNCORRECTABLE)
        .unwrap();
    rig.machine.lose_context(0).unwrap();
    cuda!(rig, cuDevicePrimaryCtxRelease_v2(0)).unwrap();
    assert_eq!(rig.retain(0), Err(CUresult::CUDA_ERROR_ECC_UNCORRECTABLE));
    assert!(
        rig.machine.live().is_empty(),
        "nobody could have released the stream"
    );
}

#[test]
fn one_lost_device_leaves_the_others_working() {
    let rig = Rig::pair();
    rig.machine.lose_context(0).unwrap();
    assert_eq!(rig.info(), Err(ILLEGAL_ADDRESS));
    let second = rig.retain(1).unwrap();
    rig.push(second).unwrap();
    let address = rig.alloc(PAGE).unwrap();
    rig.fill(address, 1, PAGE, ptr::null_mut()).unwrap();
    rig.sync_context().unwrap();
    rig.unmapping(rig.mapping_on(1, PAGE));
}

#[test]
fn a_vanished_device_answers_nothing() {
    let rig = Rig::pair();
    rig.machine.vanish(0).unwrap();
    let unknown = CUresult::CUDA_ERROR_UNKNOWN;
    let mut value = 0;
    let warp = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_WARP_SIZE;
    assert_eq!(
        cuda!(rig, cuDeviceGetAttribute(&mut value, warp, 0)),
        Err(unknown)
    );
    assert_eq!(cuda!(rig, cuDevicePrimaryCtxRelease_v2(0)), Err(unknown));
    assert_eq!(rig.info(), Err(unknown));
    assert_eq!(rig.retain(0), Err(unknown));
    assert_eq!(rig.create(PAGE), Err(unknown));
    cuda!(rig, cuDeviceGetCount(&mut value)).unwrap();
    assert_eq!(value, 2);
    rig.retain(1).unwrap();
    rig.machine.vanish(2).unwrap_err();
    rig.machine.lose_context(2).unwrap_err();
}

#[test]
fn freezing_before_an_upload_was_waited_for_is_found_out() {
    let rig = Rig::new();
    let mapping = rig.mapping(PAGE);
    rig.upload(mapping.address, b"late", rig.stream()).unwrap();
    rig.protect(mapping.address, PAGE, READ).unwrap();
    assert_eq!(rig.sync_context(), Err(ILLEGAL_ADDRESS));
}

#[test]
fn unmapping_under_queued_work_is_found_out() {
    let rig = Rig::new();
    let mapping = rig.mapping(PAGE);
    rig.fill(mapping.address, 1, PAGE, rig.stream()).unwrap();
    rig.unmapping(mapping);
    assert_eq!(rig.sync_context(), Err(ILLEGAL_ADDRESS));
}

#[test]
fn an_eager_device_tells_of_an_illegal_address_at_the_next_call() {
    let rig = Rig::eager();
    let function = rig.function(rig.module(), c"vram_sha256_blocks").unwrap();
    let data = rig.alloc(4096).unwrap();
    let arguments = Sha256BlocksArgs::new(data, 4096, frozen(&rig).address);
    let launch = || rig.launch(function, 1, 128, ptr::null_mut(), &arguments);
    assert_eq!(launch(), Ok(()));
    assert_eq!(launch(), Err(ILLEGAL_ADDRESS));
}
