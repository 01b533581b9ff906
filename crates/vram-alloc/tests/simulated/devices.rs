//! Finding and opening devices.

use vram_alloc::{Allocator, AllocatorConfig, Bytes, Error, Mechanism, Platform};
use vram_raw::Raw;
use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUdevice_attribute, CUresult, Function};

use crate::rig::{MIB, Rig, machine, two_devices};

/// Covers: FN-4.4, IV-002.
#[test]
fn test_valid_device_in_range() {
    let machine = two_devices();
    let platform = Platform::with_driver(machine.driver()).unwrap();

    for index in 0..2 {
        let device = platform.open(index).unwrap();
        assert_eq!(device.properties().index, index);
    }
    for index in [2, 3, usize::MAX] {
        let error = platform.open(index).unwrap_err();
        let Error::NoSuchDevice {
            index: refused,
            available,
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!(*refused, index);
        assert_eq!(available, &["Simulated GPU", "Simulated GPU"]);
        assert!(
            error
                .to_string()
                .contains("0 (Simulated GPU), 1 (Simulated GPU)")
        );
    }
    assert!(machine.live().is_empty(), "{:?}", machine.live());
}

#[test]
fn a_machine_without_devices_says_so() {
    let machine = Machine::builder().build().unwrap();

    let error = Platform::with_driver(machine.driver()).unwrap_err();

    assert!(
        error.to_string().contains("CUDA_ERROR_NO_DEVICE"),
        "{error}"
    );
}

#[test]
fn an_open_device_is_described_anew_when_asked_again() {
    let machine = machine(16 * MIB);
    let platform = Platform::with_driver(machine.driver()).unwrap();
    let device = platform.open(0).unwrap();
    assert_eq!(&device.observe().unwrap(), device.properties());

    let ecc = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED;
    let was = device.properties().ecc_enabled.unwrap();
    machine
        .set_device_attribute(0, ecc, i32::from(!was))
        .unwrap();

    assert_eq!(device.observe().unwrap().ecc_enabled, Some(!was));
    assert_eq!(
        device.properties().ecc_enabled,
        Some(was),
        "as it was opened"
    );
}

#[test]
fn a_device_whose_context_is_lost_is_not_described() {
    let machine = machine(16 * MIB);
    let platform = Platform::with_driver(machine.driver()).unwrap();
    let device = platform.open(0).unwrap();
    machine.lose_context(0).unwrap();

    let error = device.observe().unwrap_err();

    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    assert!(device.is_lost());
}

#[test]
fn a_device_is_described_as_the_driver_describes_it() {
    let integrated = DeviceModel::integrated();
    let builder = Machine::builder()
        .device(DeviceModel::h100())
        .device(integrated);
    let machine = builder.build().unwrap();
    let platform = Platform::with_driver(machine.driver()).unwrap();
    assert!(platform.is_simulated());

    let devices = platform.devices().unwrap();

    let [h100, orin] = &devices[..] else {
        panic!("{devices:?}");
    };
    assert_eq!(h100.name, "Simulated H100");
    assert_eq!(h100.total_memory.0, 80 << 30);
    assert_eq!(h100.compute_capability, (9, 0));
    assert_eq!(h100.multiprocessors, 132);
    assert_eq!(h100.driver_version, 13_000);
    assert_eq!(h100.integrated, Some(false));
    assert_eq!(h100.managed_memory, Some(true));
    assert_eq!(h100.can_map_host_memory, Some(true));
    assert_eq!(h100.pageable_memory_access, Some(false));
    assert_eq!(h100.virtual_memory_management, Some(true));
    assert_eq!(h100.ecc_enabled, Some(true));
    assert_eq!(h100.concurrent_managed_access, Some(true));
    assert_eq!(h100.direct_managed_access_from_host, Some(false));
    assert_eq!(h100.tcc_driver, Some(false));
    assert_eq!(h100.l2_cache, Some(Bytes(50 << 20)));
    assert_eq!(h100.memory_bus_width, Some(5120));
    assert_eq!(h100.peers, Some(vec![]));
    assert!(h100.simulated);
    assert_eq!(&h100.uuid, b"vram-simulated-0");
    assert_eq!(
        h100.uuid_string(),
        "GPU-7672616d-2d73-696d-756c-617465642d30"
    );
    assert!(h100.pci_bus_id.is_some());
    assert_eq!((orin.index, orin.integrated), (1, Some(true)));
    assert_ne!(orin.uuid, h100.uuid);
}

#[test]
fn an_attribute_without_an_answer_is_none_and_not_a_guess() {
    let machine = machine(64 * MIB);
    let platform = Platform::with_driver(machine.driver()).unwrap();
    machine.fail_always(
        Function::cuDeviceGetPCIBusId,
        CUresult::CUDA_ERROR_INVALID_VALUE,
    );
    // The three that every device must answer come first.
    for nth in 4..40 {
        let code = CUresult::CUDA_ERROR_INVALID_VALUE;
        machine.fail_nth(Function::cuDeviceGetAttribute, nth, code);
    }

    let devices = platform.devices().unwrap();

    let device = &devices[0];
    assert_eq!(device.pci_bus_id, None);
    let flags = [
        device.integrated,
        device.pageable_memory_access,
        device.uses_host_page_tables,
        device.managed_memory,
        device.can_map_host_memory,
        device.virtual_memory_management,
        device.ecc_enabled,
        device.concurrent_managed_access,
        device.direct_managed_access_from_host,
        device.tcc_driver,
    ];
    assert_eq!(flags, [None; 10]);
    assert_eq!(device.l2_cache, None);
    assert_eq!(device.memory_bus_width, None);
}

#[test]
fn a_size_of_zero_is_no_answer() {
    let machine = machine(64 * MIB);
    let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
    machine.set_device_attribute(0, attribute, 0).unwrap();
    let platform = Platform::with_driver(machine.driver()).unwrap();

    assert_eq!(platform.devices().unwrap()[0].l2_cache, None);
}

/// Two devices that can map each other's memory, and one that can't.
fn peers() -> Machine {
    let peer = DeviceModel {
        peer_access: true,
        ..DeviceModel::small(64 * MIB)
    };
    Machine::builder()
        .device(peer.clone())
        .device(DeviceModel::small(64 * MIB))
        .device(peer)
        .build()
        .unwrap()
}

#[test]
fn the_peers_of_a_device_are_those_that_could_map_its_memory() {
    let platform = Platform::with_driver(peers().driver()).unwrap();

    let devices = platform.devices().unwrap();

    let peers: Vec<_> = devices.iter().map(|device| device.peers.clone()).collect();
    assert_eq!(peers, [Some(vec![2]), Some(vec![]), Some(vec![0])]);
}

#[test]
fn peers_are_unknown_where_one_answer_is_missing() {
    let machine = peers();
    let platform = Platform::with_driver(machine.driver()).unwrap();
    // The second question about the first device.
    let code = CUresult::CUDA_ERROR_INVALID_VALUE;
    machine.fail_nth(Function::cuDeviceCanAccessPeer, 2, code);

    let devices = platform.devices().unwrap();

    assert_eq!(devices[0].peers, None);
    assert_eq!(devices[2].peers, Some(vec![0]));
}

#[test]
fn another_device_that_is_not_found_leaves_this_one_described() {
    let machine = peers();
    let platform = Platform::with_driver(machine.driver()).unwrap();
    // Finding the device itself comes first.
    let code = CUresult::CUDA_ERROR_INVALID_DEVICE;
    machine.fail_nth(Function::cuDeviceGet, 2, code);

    let devices = platform.devices().unwrap();

    assert_eq!(devices[0].peers, None);
    assert_eq!(devices[1].peers, Some(vec![]));
}

/// Covers: IV-002.
#[test]
fn a_device_that_vanishes_is_a_typed_error() {
    let rig = Rig::new();
    rig.machine.vanish(0).unwrap();

    let opening = rig.platform.open(0).unwrap_err();
    let asking = rig.device.memory().unwrap_err();

    for error in [opening, asking] {
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        assert!(error.is_fatal() && !error.is_retriable());
    }
    assert!(rig.device.is_lost());
}

#[test]
fn opening_a_device_twice_gives_two_handles_of_one_device() {
    let rig = Rig::new();
    let again = rig.platform.open(0).unwrap();

    assert!(rig.device.is_same(&rig.device.clone()));
    assert!(!rig.device.is_same(&again));
    assert_eq!(rig.machine.live().contexts, 2);
    drop(again);
    assert_eq!(rig.machine.live().contexts, 1);
}

#[test]
fn joining_opens_the_device_of_the_context_that_is_current() {
    let machine = two_devices();
    let platform = Platform::with_driver(machine.driver()).unwrap();
    let callers = Raw::on(machine.driver(), 1);

    let device = platform.join_current_context().unwrap();

    assert_eq!(device.properties().index, 1);
    assert!(callers.is_alone_on_the_stack());
    assert_eq!(machine.live().contexts, 2, "retained by both");
    // In the same context: neither has to copy for the other.
    let allocator = Allocator::new(&device, AllocatorConfig::default()).unwrap();
    let region = allocator.allocate(4096).unwrap();
    let frozen = region.freeze().unwrap();
    let address = frozen.expose_address(0, 4096).unwrap().as_raw();
    let output = callers.take_all();
    let launched = callers.write_digest(output, address, 4096);
    assert_eq!(callers.outcome(launched), CUresult::CUDA_SUCCESS);
    callers.free(output);
}

#[test]
fn a_joined_context_lives_until_both_sides_have_let_go() {
    let machine = machine(64 * MIB);
    let platform = Platform::with_driver(machine.driver()).unwrap();
    let callers = Raw::new(machine.driver());
    let device = platform.join_current_context().unwrap();

    drop(callers);
    device.memory().unwrap();
    let callers = Raw::new(machine.driver());
    drop(device);
    callers.free(callers.take_all());
    drop(callers);

    assert!(machine.live().is_empty(), "{:?}", machine.live());
}

#[test]
fn without_a_context_there_is_nothing_to_join() {
    let machine = machine(64 * MIB);
    let platform = Platform::with_driver(machine.driver()).unwrap();

    let none = platform.join_current_context().unwrap_err();
    let callers = Raw::new(machine.driver());
    let destroyed = CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED;
    machine.fail_nth(Function::cuCtxGetDevice, 1, destroyed);
    let gone = platform.join_current_context().unwrap_err();

    assert!(matches!(none, Error::NoCurrentContext), "{none}");
    assert!(matches!(gone, Error::NoCurrentContext), "{gone}");
    assert!(callers.is_alone_on_the_stack());
    assert_eq!(machine.live().contexts, 1);
}

#[test]
fn a_join_that_the_driver_refuses_leaves_nothing_retained() {
    for function in [
        Function::cuCtxGetCurrent,
        Function::cuCtxGetDevice,
        Function::cuDeviceGetCount,
        Function::cuDeviceGet,
        Function::cuDeviceGetName,
        Function::cuDevicePrimaryCtxRetain,
        Function::cuStreamCreate,
    ] {
        let machine = machine(64 * MIB);
        let platform = Platform::with_driver(machine.driver()).unwrap();
        let callers = Raw::new(machine.driver());
        machine.fail_always(function, CUresult::CUDA_ERROR_INVALID_VALUE);

        let error = platform.join_current_context().unwrap_err();

        let Error::Driver { function: told, .. } = error else {
            panic!("{function}: {error}")
        };
        assert_eq!(told, function);
        assert_eq!(machine.live().contexts, 1);
        assert!(callers.is_alone_on_the_stack());
    }
}

#[test]
fn a_context_that_its_owner_may_destroy_is_not_joined() {
    let machine = two_devices();
    let platform = Platform::with_driver(machine.driver()).unwrap();
    machine.create_context(1).unwrap();

    let error = platform.join_current_context().unwrap_err();

    let Error::NotPrimary { device } = &error else {
        panic!("{error}")
    };
    assert_eq!(device, "Simulated GPU");
    assert_eq!(machine.live().contexts, 0, "nothing stays retained");
}

#[test]
fn the_callers_thread_is_left_as_it_was_found() {
    let rig = Rig::on(two_devices(), AllocatorConfig::default());
    let callers = Raw::on(rig.machine.driver(), 1);
    assert!(callers.is_alone_on_the_stack());

    let mut region = rig.allocator.allocate(64).unwrap();
    region.write(0, &[1; 64]).unwrap();
    region.observe().unwrap();
    let refused = CUresult::CUDA_ERROR_INVALID_VALUE;
    rig.machine
        .fail_nth(Function::cuMemcpyHtoDAsync_v2, 1, refused);
    assert!(region.write(0, &[1; 64]).is_err());
    drop(region.freeze().unwrap());
    rig.device.synchronize().unwrap();

    assert!(callers.is_alone_on_the_stack());
}

#[test]
fn a_driver_that_does_not_start_is_an_error() {
    let machine = machine(64 * MIB);
    let code = CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH;
    machine.fail_nth(Function::cuInit, 1, code);

    let error = Platform::with_driver(machine.driver()).unwrap_err();

    let text = error.to_string();
    assert!(text.contains("cuInit"), "{text}");
    assert!(text.contains("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), "{text}");
    assert!(matches!(
        error,
        Error::Driver {
            function: Function::cuInit,
            ..
        }
    ));
}

#[test]
fn a_device_without_virtual_memory_management_is_used_all_the_same() {
    let builder = Machine::builder().device(DeviceModel::without_vmm());
    let rig = Rig::on(builder.build().unwrap(), AllocatorConfig::default());
    assert_eq!(
        rig.device.properties().virtual_memory_management,
        Some(false)
    );

    let region = rig.allocator.allocate(1).unwrap();

    assert_eq!(region.mapped(), 2 * MIB);
    assert_eq!(rig.machine.live().plain_allocations, 1);
    assert_eq!(rig.machine.calls(Function::cuMemCreate), 0);
}

#[test]
fn a_device_that_says_nothing_of_virtual_memory_gets_plain_allocations() {
    let machine = machine(64 * MIB);
    let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED;
    machine.set_device_attribute(0, attribute, 0).unwrap();
    let rig = Rig::on(
        machine,
        AllocatorConfig::default().with_mechanism(Mechanism::Auto),
    );

    let _region = rig.allocator.allocate(1).unwrap();

    assert_eq!(rig.machine.live().plain_allocations, 1);
}

#[test]
fn a_budget_under_the_granularity_is_refused() {
    let rig = Rig::new();
    for budget in [0, 1, 2 * MIB - 1] {
        let config = AllocatorConfig::default().with_budget(budget);
        let error = Allocator::new(&rig.device, config).unwrap_err();
        let Error::BadSetting { setting, value, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((setting, value), ("the budget", budget));
    }
    assert!(Allocator::new(&rig.device, AllocatorConfig::default().with_budget(2 * MIB)).is_ok());
}
