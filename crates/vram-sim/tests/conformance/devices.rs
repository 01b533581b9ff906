use std::ffi::{CStr, c_char};
use std::ptr;

use vram_sim::{DeviceModel, Machine};
use vram_sys::{CUdevice_attribute, CUresult, CUuuid};

use crate::rig::*;

const NOT_INITIALIZED: CUresult = CUresult::CUDA_ERROR_NOT_INITIALIZED;
const INVALID_DEVICE: CUresult = CUresult::CUDA_ERROR_INVALID_DEVICE;

fn attribute(rig: &Rig, device: i32, attribute: CUdevice_attribute) -> Answer<i32> {
    let mut value = -1;
    cuda!(rig, cuDeviceGetAttribute(&mut value, attribute, device)).map(|()| value)
}

fn uuid(rig: &Rig, device: i32) -> [u8; 16] {
    let mut uuid = CUuuid::default();
    cuda!(rig, cuDeviceGetUuid_v2(&mut uuid, device)).unwrap();
    uuid.bytes.map(|byte| byte.to_ne_bytes()[0])
}

fn text(call: impl FnOnce(*mut c_char, i32) -> Answer) -> Answer<String> {
    let mut buffer = [c_char::from_ne_bytes([0x7F]); 64];
    call(buffer.as_mut_ptr(), 64)?;
    // SAFETY: the driver ends its texts with a NUL, inside the buffer.
    let text = unsafe { CStr::from_ptr(buffer.as_ptr()) };
    Ok(text.to_str().unwrap().to_owned())
}

#[test]
fn before_cu_init_every_function_that_needs_it_says_so() {
    let rig = Rig::idle(
        Machine::builder()
            .device(DeviceModel::small(2 << 20))
            .build()
            .unwrap(),
    );
    let mut count = 0;

    assert_eq!(
        cuda!(rig, cuDeviceGetCount(&mut count)),
        Err(NOT_INITIALIZED)
    );
    assert_eq!(rig.retain(0), Err(NOT_INITIALIZED));
    assert_eq!(rig.create(PAGE), Err(NOT_INITIALIZED));
    assert_eq!(rig.reserve(PAGE), Err(NOT_INITIALIZED));
    assert_eq!(rig.alloc(PAGE), Err(NOT_INITIALIZED));
    assert_eq!(rig.sync_context(), Err(NOT_INITIALIZED));
    assert_eq!(rig.query(ptr::null_mut()), Err(NOT_INITIALIZED));

    cuda!(rig, cuInit(0)).unwrap();
    cuda!(rig, cuDeviceGetCount(&mut count)).unwrap();
    assert_eq!(count, 1);
}

#[test]
fn cu_init_takes_no_flags_and_needs_a_device() {
    let rig = Rig::idle(
        Machine::builder()
            .device(DeviceModel::small(2 << 20))
            .build()
            .unwrap(),
    );
    assert_eq!(cuda!(rig, cuInit(1)), Err(INVALID_VALUE));

    let empty = Rig::idle(Machine::builder().build().unwrap());
    assert_eq!(cuda!(empty, cuInit(0)), Err(CUresult::CUDA_ERROR_NO_DEVICE));
}

#[test]
fn the_version_is_the_builders_and_needs_no_cu_init() {
    let machine = Machine::builder().driver_version(12_020).build().unwrap();
    let rig = Rig::idle(machine);
    let mut version = 0;
    cuda!(rig, cuDriverGetVersion(&mut version)).unwrap();
    assert_eq!(version, 12_020);
    assert_eq!(
        cuda!(rig, cuDriverGetVersion(ptr::null_mut())),
        Err(INVALID_VALUE)
    );
}

#[test]
fn functions_newer_than_the_driver_are_missing() {
    let of = |version| {
        Machine::builder()
            .driver_version(version)
            .build()
            .unwrap()
            .driver()
    };
    assert!(of(12_030).table().cuFuncLoad.is_none());
    assert!(of(12_040).table().cuFuncLoad.is_some());
}

#[test]
fn codes_have_names_and_texts() {
    let rig = Rig::idle(Machine::builder().build().unwrap());
    let mut name = ptr::null();
    cuda!(rig, cuGetErrorName(ILLEGAL_ADDRESS, &mut name)).unwrap();
    // SAFETY: a name is static and ends with a NUL.
    let name = unsafe { CStr::from_ptr(name) };
    assert_eq!(name, c"CUDA_ERROR_ILLEGAL_ADDRESS");

    let mut text = ptr::null();
    cuda!(rig, cuGetErrorString(CUresult::CUDA_SUCCESS, &mut text)).unwrap();
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) };
    assert_eq!(text, c"no error");
}

#[test]
fn a_number_that_is_no_code_has_a_null_name() {
    let rig = Rig::idle(Machine::builder().build().unwrap());
    let mut name = c"left".as_ptr();
    let answer = cuda!(rig, cuGetErrorName(CUresult(12_345), &mut name));
    assert_eq!(answer, Err(INVALID_VALUE));
    assert!(name.is_null());
    let mut text = c"left".as_ptr();
    assert_eq!(
        cuda!(rig, cuGetErrorString(CUresult(12_345), &mut text)),
        Err(INVALID_VALUE)
    );
    assert!(text.is_null());
    assert_eq!(
        cuda!(rig, cuGetErrorName(INVALID_VALUE, ptr::null_mut())),
        Err(INVALID_VALUE)
    );
}

#[test]
fn devices_are_counted_from_zero() {
    let rig = Rig::pair();
    let mut device = -1;
    cuda!(rig, cuDeviceGet(&mut device, 1)).unwrap();
    assert_eq!(device, 1);
    for ordinal in [-1, 2, i32::MAX, i32::MIN] {
        assert_eq!(
            cuda!(rig, cuDeviceGet(&mut device, ordinal)),
            Err(INVALID_DEVICE)
        );
        assert_eq!(rig.retain(ordinal), Err(INVALID_DEVICE));
        let warp = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_WARP_SIZE;
        assert_eq!(attribute(&rig, ordinal, warp), Err(INVALID_DEVICE));
    }
}

#[test]
fn a_name_is_shortened_to_the_buffer() {
    let rig = Rig::of(DeviceModel::h100());
    let name = text(|to, len| cuda!(rig, cuDeviceGetName(to, len, 0)));
    assert_eq!(name.unwrap(), "Simulated H100");
    let short = text(|to, _| cuda!(rig, cuDeviceGetName(to, 5, 0)));
    assert_eq!(short.unwrap(), "Simu");
    for len in [0, -1] {
        let none = text(|to, _| cuda!(rig, cuDeviceGetName(to, len, 0)));
        assert_eq!(none, Err(INVALID_VALUE));
    }
    assert_eq!(
        cuda!(rig, cuDeviceGetName(ptr::null_mut(), 5, 0)),
        Err(INVALID_VALUE)
    );
}

#[test]
fn a_bus_id_needs_thirteen_bytes() {
    let rig = Rig::pair();
    let id = |device, room| text(|to, _| cuda!(rig, cuDeviceGetPCIBusId(to, room, device)));
    assert_eq!(id(0, 13).unwrap(), "0000:01:00.0");
    assert_eq!(id(1, 64).unwrap(), "0000:02:00.0");
    assert_eq!(id(0, 12), Err(INVALID_VALUE));
}

#[test]
fn peer_access_is_between_two_devices_that_both_have_it() {
    let peer = DeviceModel {
        peer_access: true,
        ..DeviceModel::small(2 << 20)
    };
    let machine = Machine::builder()
        .device(peer.clone())
        .device(peer)
        .device(DeviceModel::small(2 << 20));
    let rig = Rig::on(machine.build().unwrap());
    let can = |device, peer| {
        let mut can = -1;
        cuda!(rig, cuDeviceCanAccessPeer(&mut can, device, peer)).map(|()| can)
    };

    assert_eq!(can(0, 1), Ok(1));
    assert_eq!(can(1, 0), Ok(1));
    assert_eq!(can(0, 0), Ok(0), "not with itself");
    assert_eq!(can(0, 2), Ok(0));
    assert_eq!(can(0, 3), Err(INVALID_DEVICE));
    assert_eq!(
        cuda!(rig, cuDeviceCanAccessPeer(ptr::null_mut(), 0, 1)),
        Err(INVALID_VALUE)
    );
}

#[test]
fn uuids_are_distinct_or_as_given() {
    let given = DeviceModel {
        uuid: Some([7; 16]),
        ..DeviceModel::small(2 << 20)
    };
    let model = DeviceModel::small(2 << 20);
    let machine = Machine::builder()
        .device(model.clone())
        .device(model)
        .device(given);
    let rig = Rig::on(machine.build().unwrap());

    assert_ne!(uuid(&rig, 0), uuid(&rig, 1));
    assert_eq!(uuid(&rig, 2), [7; 16]);
}

#[test]
fn total_memory_is_the_models() {
    let rig = Rig::of(DeviceModel::h100());
    let mut total = 0;
    cuda!(rig, cuDeviceTotalMem_v2(&mut total, 0)).unwrap();
    assert_eq!(total, 80 << 30);
    assert_eq!(rig.info(), Ok((80 << 30, 80 << 30)));
}

#[test]
fn attributes_are_the_models_and_zero_otherwise() {
    let rig = Rig::of(DeviceModel::h100());
    let of = |number| attribute(&rig, 0, number);
    assert_eq!(
        of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        Ok(132)
    );
    assert_eq!(
        of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
        Ok(9)
    );
    assert_eq!(
        of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        Ok(0)
    );
    assert_eq!(
        of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED),
        Ok(0)
    );
    assert_eq!(
        of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY),
        Ok(1)
    );
    assert_eq!(of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_PITCH), Ok(0));
    assert_eq!(of(CUdevice_attribute(0)), Err(INVALID_VALUE));
    assert_eq!(
        of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX),
        Err(INVALID_VALUE)
    );
}

#[test]
fn models_differ_in_what_policy_looks_at() {
    let integrated = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED;
    let pageable = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS;
    let vmm = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED;
    for (model, expected) in [
        (DeviceModel::h100(), [0, 0, 1]),
        (DeviceModel::integrated(), [1, 0, 1]),
        (DeviceModel::coherent(), [0, 1, 1]),
        (DeviceModel::without_vmm(), [0, 0, 0]),
    ] {
        let rig = Rig::of(model);
        let found = [integrated, pageable, vmm].map(|one| attribute(&rig, 0, one).unwrap());
        assert_eq!(found, expected);
    }
}

#[test]
fn attributes_can_be_changed_and_changed_back() {
    let rig = Rig::pair();
    let ecc = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED;
    rig.machine.set_device_attribute(1, ecc, 5).unwrap();
    assert_eq!(attribute(&rig, 0, ecc), Ok(1));
    assert_eq!(attribute(&rig, 1, ecc), Ok(5));
    rig.machine.clear_attributes(1).unwrap();
    assert_eq!(attribute(&rig, 1, ecc), Ok(1));
    rig.machine.set_device_attribute(2, ecc, 5).unwrap_err();
}

#[test]
fn null_places_for_results_are_refused() {
    let rig = Rig::new();
    let warp = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_WARP_SIZE;
    assert_eq!(
        cuda!(rig, cuDeviceGetCount(ptr::null_mut())),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuDeviceGet(ptr::null_mut(), 0)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuDeviceGetUuid_v2(ptr::null_mut(), 0)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuDeviceTotalMem_v2(ptr::null_mut(), 0)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuDeviceGetAttribute(ptr::null_mut(), warp, 0)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuDevicePrimaryCtxRetain(ptr::null_mut(), 0)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuMemAlloc_v2(ptr::null_mut(), PAGE)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuStreamCreate(ptr::null_mut(), 0)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuEventCreate(ptr::null_mut(), 0)),
        Err(INVALID_VALUE)
    );
    assert_eq!(
        cuda!(rig, cuMemHostAlloc(ptr::null_mut(), PAGE, 0)),
        Err(INVALID_VALUE)
    );
    let mut free = 0;
    assert_eq!(
        cuda!(rig, cuMemGetInfo_v2(&mut free, ptr::null_mut())),
        Err(INVALID_VALUE)
    );
    let live = rig.machine.live();
    assert_eq!(
        (
            live.contexts,
            live.streams,
            live.events,
            live.plain_allocations
        ),
        (1, 0, 0, 0)
    );
}

#[test]
fn a_machine_with_odd_memory_is_refused() {
    for bytes in [0, 1, (2 << 20) - 1, (2 << 20) + 4096] {
        let refused = Machine::builder()
            .device(DeviceModel::small(bytes))
            .build()
            .unwrap_err();
        assert!(
            refused.to_string().contains(&bytes.to_string()),
            "{refused}"
        );
        assert!(!refused.is_retriable());
    }
}
