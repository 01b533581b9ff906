use std::ptr;
use std::thread;

use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUresult, Origin};

use crate::rig::*;

/// Covers: TS-1.5.
#[test]
fn a_simulated_driver_says_that_it_is_one() {
    let machine = Machine::builder().build().unwrap();
    assert_eq!(machine.driver().origin(), Origin::Simulated);
}

#[test]
fn machines_in_parallel_do_not_see_each_other() {
    thread::scope(|scope| {
        for value in 0..8_u8 {
            scope.spawn(move || {
                for round in 0..20 {
                    let rig = Rig::of(DeviceModel::small(8 << 20));
                    let address = rig.alloc(PAGE).unwrap();
                    let stream = rig.stream();
                    rig.fill(address, value, 4096, stream).unwrap();
                    let found = rig.download(address, 4096, stream).unwrap();
                    assert!(found.iter().all(|&byte| byte == value), "round {round}");
                    assert_eq!(rig.info(), Ok((6 * MIB, 8 * MIB)));
                    rig.free(address).unwrap();
                    assert!(rig.machine.bugs().is_empty());
                }
            });
        }
    });
}

#[test]
fn one_machine_serves_many_threads() {
    let rig = Rig::new();
    let shared = &rig;
    thread::scope(|scope| {
        for value in 0..8_u8 {
            let context = shared.context.expose_provenance();
            let machine = shared.machine.clone();
            scope.spawn(move || {
                let rig = Rig::idle(machine);
                rig.push(ptr::with_exposed_provenance_mut(context)).unwrap();
                for _ in 0..50 {
                    let mapping = rig.mapping(PAGE);
                    let stream = rig.stream();
                    rig.fill(mapping.address, value, 100, stream).unwrap();
                    assert_eq!(
                        rig.download(mapping.address, 100, stream).unwrap(),
                        [value; 100]
                    );
                    rig.unmapping(mapping);
                    cuda!(rig, cuStreamDestroy_v2(stream)).unwrap();
                }
                rig.pop().unwrap();
            });
        }
    });
    cuda!(rig, cuDevicePrimaryCtxRelease_v2(0)).unwrap();
    assert!(rig.machine.live().is_empty(), "{:?}", rig.machine.live());
}

#[test]
fn more_machines_than_slots_can_live_after_one_another() {
    for _ in 0..200 {
        let rig = Rig::of(DeviceModel::small(2 << 20));
        rig.alloc(1).unwrap();
    }
}

#[test]
fn a_driver_keeps_its_machine() {
    let driver = Machine::builder()
        .device(DeviceModel::small(2 << 20))
        .build()
        .unwrap()
        .driver();
    // SAFETY: cuInit takes no pointer.
    let started = unsafe { (driver.table().cuInit)(0) };
    assert_eq!(started, CUresult::CUDA_SUCCESS);
}

#[test]
fn two_devices_have_their_own_memory() {
    let rig = Rig::pair();
    let first = rig.alloc(PAGE).unwrap();
    rig.push(rig.retain(1).unwrap()).unwrap();
    let second = rig.alloc(2 * PAGE).unwrap();
    assert_eq!(rig.info(), Ok((60 * MIB, 64 * MIB)));
    assert_eq!(rig.fill(first, 1, 1, ptr::null_mut()), Err(INVALID_VALUE));
    rig.fill(second, 1, 1, ptr::null_mut()).unwrap();
    rig.pop().unwrap();
    assert_eq!(rig.info(), Ok((62 * MIB, 64 * MIB)));
}

#[test]
fn a_large_device_costs_only_what_is_written() {
    let rig = Rig::of(DeviceModel::h100());
    let mapping = rig.mapping(64 << 30);
    let end = mapping.address + (64 << 30) - 5;
    rig.upload(end, b"at 64", ptr::null_mut()).unwrap();
    assert_eq!(rig.download(end, 5, ptr::null_mut()).unwrap(), b"at 64");
    assert_eq!(rig.machine.physical_pages_containing(b"at 64").unwrap(), 1);
}
