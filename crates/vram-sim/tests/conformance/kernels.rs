use std::ffi::{CStr, c_void};
use std::ptr;

use ring::digest::{SHA256, digest};
use vram_kernels::{Kernel, Message, Prefix, Sha256BlocksArgs, Sha256MessagesArgs, grid_for};
use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUfunction, CUfunction_attribute, CUjit_option, CUresult};

use crate::rig::*;

const BLOCKS: &CStr = c"vram_sha256_blocks";
const MESSAGES: &CStr = c"vram_sha256_messages";
const INVALID_PTX: CUresult = CUresult::CUDA_ERROR_INVALID_PTX;

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

/// What the leaf kernel must write for data.
fn leaves(data: &[u8]) -> Vec<u8> {
    let padded = |block: &[u8]| {
        let mut block = block.to_vec();
        block.resize(4096, 0);
        digest(&SHA256, &block).as_ref().to_vec()
    };
    data.chunks(4096).flat_map(padded).collect()
}

fn attribute(rig: &Rig, function: CUfunction, attribute: u32) -> Answer<i32> {
    let mut value = -1;
    let attribute = CUfunction_attribute(attribute);
    cuda!(rig, cuFuncGetAttribute(&mut value, attribute, function)).map(|()| value)
}

/// Covers: TS-1.5.
#[test]
fn leaf_digests_of_frozen_memory_are_rings() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), BLOCKS).unwrap();
    let stream = rig.stream();
    for len in [1, 4095, 4096, 4097, 65_536, 1_000_003, 3 * PAGE - 1] {
        let data = pattern(len);
        let mapping = rig.mapping(3 * PAGE);
        let digests = rig.alloc(len.div_ceil(4096) * 32).unwrap();
        rig.upload(mapping.address, &data, stream).unwrap();
        rig.sync(stream).unwrap();
        rig.protect(mapping.address, mapping.size, READ).unwrap();
        let arguments = Sha256BlocksArgs::new(mapping.address, len as u64, digests);
        let grid = grid_for(arguments.block_count).unwrap();
        rig.launch(function, grid, 128, stream, &arguments).unwrap();
        let found = rig
            .download(digests, len.div_ceil(4096) * 32, stream)
            .unwrap();
        assert!(found == leaves(&data), "{len} bytes");
        rig.free(digests).unwrap();
        rig.unmapping(mapping);
    }
}

#[test]
fn message_digests_are_rings() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), MESSAGES).unwrap();
    let data = pattern(10_000);
    let lengths = [0_usize, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 4096];
    let messages: Vec<Message> = lengths
        .iter()
        .enumerate()
        .map(|(at, &length)| Message {
            offset: at as u64 * 7,
            length: length as u64,
        })
        .collect();
    let table: Vec<u8> = messages
        .iter()
        .flat_map(|message| message.to_bytes())
        .collect();
    let [data_at, table_at, digests_at] = [0; 3].map(|_: u8| rig.alloc(PAGE).unwrap());
    rig.upload(data_at, &data, ptr::null_mut()).unwrap();
    rig.upload(table_at, &table, ptr::null_mut()).unwrap();
    let count = messages.len() as u64;
    let arguments =
        Sha256MessagesArgs::new(data_at, data.len() as u64, table_at, count, digests_at);
    rig.launch(function, 1, 128, ptr::null_mut(), &arguments)
        .unwrap();

    let found = rig
        .download(digests_at, messages.len() * 32, ptr::null_mut())
        .unwrap();
    for (at, &length) in lengths.iter().enumerate() {
        let expected = digest(&SHA256, &data[at * 7..at * 7 + length]);
        assert_eq!(
            &found[at * 32..(at + 1) * 32],
            expected.as_ref(),
            "{length} bytes"
        );
    }
}

#[test]
fn a_window_is_hashed_alone_and_from_its_state() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), BLOCKS).unwrap();
    let data = pattern(16 * 4096);
    let (from, to) = (rig.alloc(PAGE).unwrap(), rig.alloc(PAGE).unwrap());
    rig.upload(from, &data, ptr::null_mut()).unwrap();
    let plain = Sha256BlocksArgs::new(from, data.len() as u64, to).with_window(5, 2);
    let salted = plain.with_initial_state([1, 2, 3, 4, 5, 6, 7, 8], Prefix::SaltBlock);
    rig.launch(function, 1, 128, ptr::null_mut(), &plain)
        .unwrap();
    let unsalted = rig.download(to, 96, ptr::null_mut()).unwrap();
    assert_eq!(unsalted[..64], leaves(&data[5 * 4096..7 * 4096]));
    assert_eq!(unsalted[64..], [0; 32], "only the window was written");
    rig.launch(function, 1, 128, ptr::null_mut(), &salted)
        .unwrap();
    assert_ne!(
        rig.download(to, 64, ptr::null_mut()).unwrap(),
        unsalted[..64]
    );
}

#[test]
fn every_thread_count_gives_the_same_digests() {
    let data = pattern(PAGE);
    for threads in [1, 2, 7] {
        let machine = Machine::builder()
            .device(DeviceModel::small(64 << 20))
            .threads(threads);
        let rig = Rig::on(machine.build().unwrap());
        let function = rig.function(rig.module(), BLOCKS).unwrap();
        let (from, to) = (rig.alloc(PAGE).unwrap(), rig.alloc(PAGE).unwrap());
        rig.upload(from, &data, ptr::null_mut()).unwrap();
        let arguments = Sha256BlocksArgs::new(from, PAGE as u64, to);
        rig.launch(function, 512, 1, ptr::null_mut(), &arguments)
            .unwrap();
        let found = rig.download(to, PAGE / 4096 * 32, ptr::null_mut()).unwrap();
        assert!(found == leaves(&data), "{threads} threads");
    }
}

#[test]
fn arguments_are_taken_when_the_launch_is_queued() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), BLOCKS).unwrap();
    let (from, to) = (rig.alloc(PAGE).unwrap(), rig.alloc(PAGE).unwrap());
    let data = pattern(4096);
    rig.upload(from, &data, ptr::null_mut()).unwrap();
    let mut arguments = Box::new(Sha256BlocksArgs::new(from, 4096, to));
    rig.launch(function, 1, 128, ptr::null_mut(), arguments.as_ref())
        .unwrap();
    *arguments = Sha256BlocksArgs::new(1, 2, 3);
    assert_eq!(
        rig.download(to, 32, ptr::null_mut()).unwrap(),
        leaves(&data)
    );
    assert_eq!(arguments.data, 1);
}

#[test]
fn only_ptx_with_a_known_kernel_is_loaded() {
    let rig = Rig::new();
    for image in [
        c"",
        c"not PTX",
        c".version 7.0 .target sm_75 .entry other()",
    ] {
        assert_eq!(rig.load(image), Err(INVALID_PTX));
    }
    let small = c".version 7.0 .target sm_75 .entry vram_sha256_blocks()";
    let module = rig.load(small).unwrap();
    rig.function(module, BLOCKS).unwrap();
    let absent = Err(CUresult::CUDA_ERROR_NOT_FOUND);
    assert_eq!(rig.function(module, MESSAGES), absent);
    let later = c".version 8.6 .target sm_100 .entry vram_sha256_blocks()";
    assert_eq!(rig.load(later), Err(CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU));
    assert_eq!(rig.machine.live().modules, 1);
}

#[test]
fn loading_refuses_null_and_takes_options() {
    let rig = Rig::new();
    let image = vram_kernels::PTX.as_ptr().cast::<c_void>();
    let mut module = ptr::null_mut();
    let mut options = [CUjit_option::CU_JIT_OPTIMIZATION_LEVEL];
    let mut values = [ptr::without_provenance_mut::<c_void>(4)];
    let load = |module, image, count, options, values| {
        cuda!(
            rig,
            cuModuleLoadDataEx(module, image, count, options, values)
        )
    };
    let (none, no_values) = (ptr::null_mut(), ptr::null_mut());
    assert_eq!(
        load(ptr::null_mut(), image, 0, none, no_values),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        load(&mut module, ptr::null(), 0, none, no_values),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        load(&mut module, image, 1, none, no_values),
        Err(INVALID_VALUE)
    );
    load(
        &mut module,
        image,
        1,
        options.as_mut_ptr(),
        values.as_mut_ptr(),
    )
    .unwrap();
}

#[test]
fn functions_are_found_by_name_and_die_with_their_module() {
    let rig = Rig::new();
    let module = rig.module();
    let function = rig.function(module, BLOCKS).unwrap();
    assert_eq!(rig.function(module, BLOCKS), Ok(function));
    assert_eq!(
        rig.function(module, c"absent"),
        Err(CUresult::CUDA_ERROR_NOT_FOUND)
    );
    assert_eq!(
        rig.function(rig.stream().cast(), BLOCKS),
        Err(INVALID_HANDLE)
    );
    let mut to = ptr::null_mut();
    let nameless = cuda!(rig, cuModuleGetFunction(&mut to, module, ptr::null()));
    assert_eq!(nameless, Err(INVALID_VALUE));

    cuda!(rig, cuModuleUnload(module)).unwrap();
    assert_eq!(rig.function(module, BLOCKS), Err(INVALID_HANDLE));
    assert_eq!(cuda!(rig, cuModuleUnload(module)), Err(INVALID_HANDLE));
    assert_eq!(attribute(&rig, function, 0), Err(INVALID_HANDLE));
    let arguments = Sha256BlocksArgs::new(0, 0, 0);
    assert_eq!(
        rig.launch(function, 1, 1, ptr::null_mut(), &arguments),
        Err(INVALID_HANDLE)
    );
}

#[test]
fn unloading_a_module_waits_for_its_launches() {
    let rig = Rig::new();
    let module = rig.module();
    let function = rig.function(module, BLOCKS).unwrap();
    let memory = rig.alloc(PAGE).unwrap();
    let arguments = Sha256BlocksArgs::new(memory, 4096, memory + 8192);
    rig.launch(function, 1, 128, rig.stream(), &arguments)
        .unwrap();
    assert_eq!(rig.machine.live().queued_work, 1);
    cuda!(rig, cuModuleUnload(module)).unwrap();
    assert_eq!(rig.machine.live().queued_work, 0);
}

#[test]
fn function_attributes_are_those_of_the_compiled_kernels() {
    let rig = Rig::of(DeviceModel::h100());
    let function = rig.function(rig.module(), BLOCKS).unwrap();
    assert_eq!(attribute(&rig, function, 0), Ok(128));
    assert_eq!(attribute(&rig, function, 3), Ok(0), "no local memory");
    assert_eq!(attribute(&rig, function, 5), Ok(70));
    assert_eq!(attribute(&rig, function, 6), Ok(90));
    assert_eq!(attribute(&rig, function, 16), Err(INVALID_VALUE));
}

#[test]
fn loading_a_function_early_needs_a_function() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), BLOCKS).unwrap();
    let load = rig.driver.table().cuFuncLoad.unwrap();
    // SAFETY: the function takes a handle and no pointer.
    assert_eq!(unsafe { load(function) }, CUresult::CUDA_SUCCESS);
    // SAFETY: as above.
    assert_eq!(unsafe { load(ptr::null_mut()) }, INVALID_HANDLE);
}

#[test]
fn launches_outside_the_limits_are_refused() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), BLOCKS).unwrap();
    let arguments = Sha256BlocksArgs::new(0, 0, 0);
    let stream = rig.stream();
    let go = |grid: [u32; 3], block: [u32; 3], shared| {
        let mut parameters = [ptr::from_ref(&arguments).cast_mut().cast::<c_void>()];
        let parameters = parameters.as_mut_ptr();
        let ([gx, gy, gz], [bx, by, bz]) = (grid, block);
        let extra = ptr::null_mut();
        cuda!(
            rig,
            cuLaunchKernel(
                function, gx, gy, gz, bx, by, bz, shared, stream, parameters, extra
            )
        )
    };
    for (grid, block, shared) in [
        ([0, 1, 1], [1, 1, 1], 0),
        ([1, 0, 1], [1, 1, 1], 0),
        ([1, 1, 0], [1, 1, 1], 0),
        ([1, 1, 1], [0, 1, 1], 0),
        ([1, 1, 1], [1, 0, 1], 0),
        ([1, 1, 1], [1, 1, 0], 0),
        ([1, 1, 1], [129, 1, 1], 0),
        ([1, 1, 1], [64, 3, 1], 0),
        ([1, 1, 1], [1, 1, 65], 0),
        ([1 << 31, 1, 1], [1, 1, 1], 0),
        ([1, 65_536, 1], [1, 1, 1], 0),
        ([1, 1, 1], [1, 1, 1], 49_153),
    ] {
        assert_eq!(
            go(grid, block, shared),
            Err(INVALID_VALUE),
            "{grid:?} {block:?} {shared}"
        );
    }
    go([1, 2, 3], [32, 2, 2], 49_152).unwrap();
    rig.sync(stream).unwrap();
}

#[test]
fn launches_need_parameters_in_the_usual_form() {
    let rig = Rig::new();
    let function = rig.function(rig.module(), BLOCKS).unwrap();
    let go = |parameters, extra| {
        let stream = ptr::null_mut();
        cuda!(
            rig,
            cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, parameters, extra)
        )
    };
    let arguments = Sha256BlocksArgs::new(0, 0, 0);
    let mut given = [ptr::from_ref(&arguments).cast_mut().cast::<c_void>()];
    let mut null = [ptr::null_mut::<c_void>()];
    assert_eq!(go(ptr::null_mut(), ptr::null_mut()), Err(INVALID_VALUE));
    assert_eq!(go(null.as_mut_ptr(), ptr::null_mut()), Err(INVALID_VALUE));
    assert_eq!(
        go(given.as_mut_ptr(), null.as_mut_ptr()),
        Err(NOT_SUPPORTED)
    );
    go(given.as_mut_ptr(), ptr::null_mut()).unwrap();
}

#[test]
fn modules_and_functions_are_of_one_context() {
    let rig = Rig::pair();
    let module = rig.module();
    let function = rig.function(module, BLOCKS).unwrap();
    rig.push(rig.retain(1).unwrap()).unwrap();
    let arguments = Sha256BlocksArgs::new(0, 0, 0);
    let refused = rig.launch(function, 1, 1, ptr::null_mut(), &arguments);
    assert_eq!(refused, Err(INVALID_HANDLE));
    assert_eq!(rig.function(module, BLOCKS), Err(INVALID_HANDLE));
    assert_eq!(cuda!(rig, cuModuleUnload(module)), Err(INVALID_HANDLE));
}

/// Covers: TS-1.5.
#[test]
fn every_kernel_has_a_name_here() {
    let rig = Rig::new();
    for kernel in Kernel::ALL {
        let module = rig.load(kernel.ptx()).unwrap();
        rig.function(module, kernel.name()).unwrap();
    }
}
