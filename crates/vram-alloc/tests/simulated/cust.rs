//! Memory lent to `cust` and borrowed from it. What these tests call of cust calls no driver, so they run
//! over the simulated one.

use std::mem::ManuallyDrop;

use cust::memory::{DeviceBuffer, DevicePointer, DeviceSlice};
use vram_alloc::{Error, FrozenRegion, HashStart, Kernels, Stream};
use vram_raw::Raw;
use vram_sys::{CUmemorytype, CUpointer_attribute, CUresult, Function};

use crate::rig::{MIB, PAGE, Rig, noise, two_devices};

fn frozen(rig: &Rig, len: u64) -> FrozenRegion {
    rig.allocator.allocate(len).unwrap().freeze().unwrap()
}

#[test]
fn a_view_has_the_address_and_the_number_of_elements_of_its_range() {
    let rig = Rig::new();
    let region = frozen(&rig, 4096);
    let start = region.expose_address(0, 4096).unwrap().as_raw();

    let whole = region.expose_cust_slice::<f32>(0..4096).unwrap();
    let part = region.expose_cust_slice::<[u16; 4]>(8..24).unwrap();
    let none = region.expose_cust_slice::<u64>(4096..4096).unwrap();

    assert_eq!(whole.as_device_ptr().as_raw(), start);
    assert_eq!(whole.len(), 1024);
    assert_eq!(part.as_device_ptr().as_raw(), start + 8);
    assert_eq!((part.len(), none.len()), (2, 0));
    let shown = format!("{whole:?}");
    assert_eq!(shown, "CustSlice { len: 1024, .. }");
    assert!(!shown.contains(&start.to_string()), "{shown}");
    assert!(!shown.contains(&format!("{start:x}")), "{shown}");
}

#[test]
fn a_view_is_made_up_of_whole_aligned_elements_within_the_region() {
    let rig = Rig::new();
    let region = frozen(&rig, 4096);
    let view = |range| region.expose_cust_slice::<f32>(range).map(drop);

    let backwards = std::ops::Range { start: 8, end: 4 };
    for range in [0..4100, 4096..4100, backwards, u64::MAX - 3..u64::MAX] {
        let error = view(range.clone()).unwrap_err();
        assert!(
            matches!(error, Error::OutOfBounds { .. }),
            "{range:?}: {error}"
        );
    }
    for (range, expected) in [(1..5, 1), (2..4090, 2), (4091..4095, 3)] {
        let error = view(range).unwrap_err();
        let Error::Misaligned { excess, align, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((excess, align), (expected, 4));
    }
    for len in [1, 3, 4095] {
        let error = view(0..len).unwrap_err();
        let Error::PartialElement {
            len: told, element, ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((told, element), (len, 4));
    }
    // Nothing is a whole number of nothings.
    assert!(region.expose_cust_slice::<()>(0..4).is_err());
}

#[test]
fn an_address_becomes_a_pointer_where_it_is_aligned() {
    let rig = Rig::new();
    let region = frozen(&rig, 64);
    let address = |offset| region.expose_address(offset, 1).unwrap();

    let pointer = address(8).to_cust_pointer::<u64>().unwrap();
    let error = address(12).to_cust_pointer::<u64>().unwrap_err();

    assert_eq!(pointer.as_raw(), address(8).as_raw());
    assert!(
        matches!(error, Error::Misaligned { excess: 4, .. }),
        "{error}"
    );
}

/// What cust would hold: device memory that this crate didn't allocate.
fn slice(address: u64, len: usize) -> DeviceSlice<u8> {
    // SAFETY: the tests look at no byte through it: its address and its length are what is used.
    unsafe { DeviceSlice::from_raw_parts(DevicePointer::from_raw(address), len) }
}

fn refusal(rig: &Rig, slice: &DeviceSlice<u8>) -> Error {
    // SAFETY: what is refused is not used.
    unsafe { rig.device.adopt_cust_slice(slice) }.unwrap_err()
}

#[test]
fn an_adopted_buffer_is_measured_where_it_lies() {
    let rig = Rig::new();
    let mut digests = rig.allocator.allocate(96).unwrap();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take_all();
    let bytes = noise(7, 3 * 4096);
    let copied = raw.copy(address + 100, &bytes);
    assert_eq!(raw.outcome(copied), CUresult::CUDA_SUCCESS);
    // Never dropped: cust would call the driver of this machine.
    // SAFETY: the memory is held until the test frees it, and any byte is a u8.
    let buffer = unsafe {
        DeviceBuffer::from_raw_parts(DevicePointer::<u8>::from_raw(address + 100), bytes.len())
    };
    let buffer = ManuallyDrop::new(buffer);

    let adopted = rig.device.adopt_cust_buffer(&buffer).unwrap();
    let shown = format!("{adopted:?}");
    assert!(shown.starts_with("AdoptedBuffer { len: "), "{shown}");
    assert_eq!(adopted.len(), bytes.len() as u64);
    assert!(adopted.device().is_same(&rig.device));
    let span = adopted.span(0, adopted.len()).unwrap();
    let stream = Stream::new(&rig.device).unwrap();
    let kernels = Kernels::load(&rig.device).unwrap();
    let mut into = digests.span_mut(0, 96).unwrap();
    let hashed = kernels.hash_blocks(&stream, span, 0, HashStart::default(), &mut into);

    assert_eq!(hashed.unwrap(), 3);
    // Dropping it waits for the work that reads the buffer.
    drop(adopted);
    assert_eq!(rig.machine.live().queued_work, 0);
    let mut measured = [0; 96];
    digests.read_back(0, &mut measured).unwrap();
    for (block, digest) in bytes.chunks(4096).zip(measured.chunks(32)) {
        let expected = ring::digest::digest(&ring::digest::SHA256, block);
        assert_eq!(digest, expected.as_ref());
    }
    raw.free(address);
}

#[test]
fn adopting_waits_for_what_is_still_on_its_way() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take_all();
    assert_eq!(raw.fill(address, 4096), CUresult::CUDA_SUCCESS);
    assert_eq!(rig.machine.live().queued_work, 1);

    let memory = slice(address, 4096);
    // SAFETY: the memory is freed last.
    let adopted = unsafe { rig.device.adopt_cust_slice(&memory) }.unwrap();

    assert_eq!(rig.machine.live().queued_work, 0);
    drop(adopted);
    raw.free(address);
}

#[test]
fn ranges_outside_an_adopted_buffer_are_refused() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take_all();
    let memory = slice(address, 100);
    // SAFETY: the memory is freed last.
    let adopted = unsafe { rig.device.adopt_cust_slice(&memory) }.unwrap();

    assert!(adopted.span(100, 0).is_ok());
    for (offset, len) in [(0, 101), (100, 1), (u64::MAX, 1), (1, u64::MAX)] {
        let error = adopted.span(offset, len).unwrap_err();
        assert!(
            matches!(error, Error::OutOfBounds { size: 100, .. }),
            "{error}"
        );
    }
    drop(adopted);
    raw.free(address);
}

#[test]
fn memory_of_somebody_else_is_not_adopted() {
    let machine = two_devices();
    let rig = Rig::on(machine, vram_alloc::AllocatorConfig::default());
    let other = Raw::on(rig.machine.driver(), 1);
    let others = other.take_all();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take_all();
    let size = usize::try_from(64 * MIB).unwrap();
    let host = [0_u8; 64];

    let cases = [
        (slice(others, 64), "another device's"),
        (slice(address, size + 1), "ends before"),
        (slice(address + PAGE, size), "ends before"),
        (slice(host.as_ptr().addr() as u64, 64), "doesn't know"),
        (slice(0x1000, 64), "doesn't know"),
    ];
    for (slice, why) in cases {
        let error = refusal(&rig, &slice).to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(matches!(refusal(&rig, &slice(address, 0)), Error::ZeroSize));
    raw.free(address);
    drop(raw);
    other.free(others);
}

#[test]
fn what_the_driver_says_of_memory_decides() {
    let require_refusal = |why: &str, change: &dyn Fn(&Rig)| {
        let rig = Rig::new();
        let raw = Raw::new(rig.machine.driver());
        let address = raw.take_all();
        change(&rig);
        let error = refusal(&rig, &slice(address, 64)).to_string();
        assert!(error.contains(why), "{error}");
        raw.free(address);
    };
    require_refusal("not device memory", &|rig| {
        let kind = CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
        let host = u64::from(CUmemorytype::CU_MEMORYTYPE_HOST.0);
        rig.machine.set_pointer_attribute(0, kind, host).unwrap();
    });
    require_refusal("another context's", &|rig| {
        let context = CUpointer_attribute::CU_POINTER_ATTRIBUTE_CONTEXT;
        rig.machine
            .set_pointer_attribute(0, context, 0x1234)
            .unwrap();
    });
    require_refusal("doesn't say whose", &|rig| {
        // The fifth question is whose it is.
        let refused = CUresult::CUDA_ERROR_INVALID_VALUE;
        rig.machine
            .fail_nth(Function::cuPointerGetAttribute, 5, refused);
    });
}

#[test]
fn a_device_lost_while_adopting_is_told_as_lost() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take_all();
    rig.machine.lose_context(0).unwrap();

    let error = refusal(&rig, &slice(address, 64));

    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
}
