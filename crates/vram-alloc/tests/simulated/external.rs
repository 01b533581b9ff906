//! Memory that somebody else allocated: what is adopted, and what is refused by which name.

use vram_alloc::{
    Error, ExternalRegion, Foreign, HashStart, Kernels, MappedBuffer, MemoryKind, Probes, ReadSum,
    Readable, Stream,
};
use vram_raw::Raw;
use vram_sys::{CUmemorytype, CUpointer_attribute, CUresult, Function};

use crate::rig::{BOTH, MIB, PAGE, Rig, noise, two_devices};

fn adopt(rig: &Rig, address: u64, len: u64) -> Result<ExternalRegion, Error> {
    // SAFETY: the tests free what they adopt after dropping it, and use nothing of what is refused.
    unsafe { rig.device.adopt(address, len) }
}

fn refusal(rig: &Rig, address: u64, len: u64) -> Foreign {
    let error = adopt(rig, address, len).unwrap_err();
    let Error::ForeignMemory { why } = error else {
        panic!("{error}")
    };
    let text = Error::ForeignMemory { why }.to_string();
    assert!(!text.contains(&address.to_string()), "{text}");
    assert!(!text.contains(&format!("{address:x}")), "{text}");
    why
}

#[test]
fn a_whole_allocation_is_adopted_and_measured_where_it_lies() {
    let rig = Rig::new();
    let mut digests = rig.allocator.allocate(96).unwrap();
    let raw = Raw::new(rig.machine.driver());
    let bytes = noise(7, 3 * 4096);
    let address = raw.take(bytes.len());
    let copied = raw.copy(address, &bytes);
    assert_eq!(raw.outcome(copied), CUresult::CUDA_SUCCESS);

    let adopted = adopt(&rig, address, bytes.len() as u64).unwrap();
    assert_eq!(adopted.len(), bytes.len() as u64);
    assert!(adopted.device().is_same(&rig.device));
    adopted.recheck().unwrap();
    let stream = Stream::new(&rig.device).unwrap();
    let kernels = Kernels::load(&rig.device).unwrap();
    let span = adopted.span(0, adopted.len()).unwrap();
    let mut into = digests.span_mut(0, 96).unwrap();
    let hashed = kernels.hash_blocks(&stream, span, 0, HashStart::default(), &mut into);

    assert_eq!(hashed.unwrap(), 3);
    // Dropping it waits for the work that reads the memory.
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
fn adopted_memory_is_its_owners_still() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let bytes = noise(8, 4096);
    let address = raw.take(4096);
    let copied = raw.copy(address, &bytes);
    assert_eq!(raw.outcome(copied), CUresult::CUDA_SUCCESS);
    let held = rig.allocator.capacity().unwrap();

    drop(adopt(&rig, address, 4096).unwrap());

    let id = rig.only_allocation();
    assert_eq!(rig.machine.peek(id, 0, 4096).unwrap(), bytes);
    assert_eq!(rig.allocator.capacity().unwrap(), held);
    raw.free(address);
}

#[test]
fn memory_of_this_crate_can_be_adopted_too() {
    for mechanism in BOTH {
        let rig = Rig::with_mechanism(mechanism);
        let frozen = rig.secret_region(5000).freeze().unwrap();
        let address = frozen.expose_address(0, 5000).unwrap().as_raw();

        let adopted = adopt(&rig, address, 5000).unwrap();

        let (seen, own) = (adopted.observe().unwrap(), frozen.observe().unwrap());
        assert_eq!(seen, own, "{mechanism:?}");
        assert_eq!(seen.memory_type, Some(MemoryKind::Device));
    }
}

/// Covers: OU-1.
#[test]
fn every_kind_of_memory_that_is_not_the_devices_is_refused_by_its_name() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let len = 4 * MIB;
    let size = usize::try_from(len).unwrap();
    let managed = raw.take_managed(size);
    let (host, mapped) = raw.take_mapped_host(size);
    let mut own = vec![0_u8; size];
    let registered = raw.register(&mut own);
    let freed = raw.take(size);
    raw.free(freed);

    assert_eq!(refusal(&rig, managed, len), Foreign::Managed);
    assert_eq!(refusal(&rig, mapped, len), Foreign::MappedHost);
    assert_eq!(refusal(&rig, registered, len), Foreign::MappedHost);
    assert_eq!(refusal(&rig, freed, len), Foreign::Unknown);
    let pageable = [0_u8; 64];
    let address = pageable.as_ptr().addr() as u64;
    assert_eq!(refusal(&rig, address, 64), Foreign::Unknown);
    assert_eq!(refusal(&rig, 0, 64), Foreign::Unknown);
    assert_eq!(refusal(&rig, u64::MAX, 64), Foreign::TooLong);

    raw.free_host(host);
    raw.unregister(&mut own);
    raw.free(managed);
}

#[test]
fn refusals_name_what_was_found() {
    for (why, named) in [
        (Foreign::Managed, "managed"),
        (Foreign::MappedHost, "host memory, mapped or registered"),
        (Foreign::WrongDevice, "another device"),
        (Foreign::Unknown, "freed"),
        (
            Foreign::Partial {
                before: 1,
                len: 2,
                allocation: 3,
            },
            "a part of an allocation",
        ),
    ] {
        let text = Error::ForeignMemory { why }.to_string();
        assert!(text.contains(named), "{text}");
    }
}

/// Covers: OU-1.
#[test]
fn a_part_of_an_allocation_is_refused() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take(usize::try_from(3 * PAGE).unwrap());

    let part = |before, len| {
        (
            refusal(&rig, address + before, len),
            Foreign::Partial {
                before,
                len,
                allocation: 3 * PAGE,
            },
        )
    };
    for (found, expected) in [
        part(0, PAGE),
        part(PAGE, 2 * PAGE),
        part(0, 2 * PAGE),
        part(16, 64),
    ] {
        assert_eq!(found, expected);
    }
    assert_eq!(refusal(&rig, address, 3 * PAGE + 1), Foreign::Short);
    assert_eq!(refusal(&rig, address + PAGE, 3 * PAGE), Foreign::Short);
    // Rounded up to whole pages, it is all of it.
    assert!(adopt(&rig, address, 2 * PAGE + 1).is_ok());
    assert!(matches!(adopt(&rig, address, 0), Err(Error::ZeroSize)));
    raw.free(address);
}

/// Covers: OU-1.
#[test]
fn memory_of_another_device_is_refused() {
    let rig = Rig::on(two_devices(), vram_alloc::AllocatorConfig::default());
    let other = Raw::on(rig.machine.driver(), 1);
    let address = other.take(4096);

    assert_eq!(refusal(&rig, address, 4096), Foreign::WrongDevice);
    other.free(address);
}

#[test]
fn what_the_driver_says_and_does_not_say_decides() {
    let refused = |change: &dyn Fn(&Rig)| {
        let rig = Rig::new();
        let raw = Raw::new(rig.machine.driver());
        let address = raw.take(4096);
        change(&rig);
        let why = refusal(&rig, address, 4096);
        raw.free(address);
        why
    };
    let says = |attribute, value| {
        refused(&move |rig: &Rig| {
            rig.machine
                .set_pointer_attribute(0, attribute, value)
                .unwrap();
        })
    };
    let kind = CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
    assert_eq!(
        says(kind, u64::from(CUmemorytype::CU_MEMORYTYPE_HOST.0)),
        Foreign::MappedHost
    );
    assert_eq!(
        says(kind, u64::from(CUmemorytype::CU_MEMORYTYPE_ARRAY.0)),
        Foreign::NotLinear
    );
    assert_eq!(
        says(kind, u64::from(CUmemorytype::CU_MEMORYTYPE_UNIFIED.0)),
        Foreign::NotLinear
    );
    let attribute = CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED;
    assert_eq!(says(attribute, 1), Foreign::Managed);
    let attribute = CUpointer_attribute::CU_POINTER_ATTRIBUTE_HOST_POINTER;
    assert_eq!(says(attribute, 0x1000), Foreign::HostAlias);
    let attribute = CUpointer_attribute::CU_POINTER_ATTRIBUTE_CONTEXT;
    assert_eq!(says(attribute, 0x1234), Foreign::OtherContext);

    // Each of the questions left without an answer: kind, managed, (host: that is an answer), device,
    // whose, start, size.
    for (nth, silent) in [
        (1, "doesn't know"),
        (2, "managed"),
        (4, "another device's"),
        (5, "whose"),
        (6, "allocation"),
        (7, "allocation"),
    ] {
        let why = refused(&|rig: &Rig| {
            let code = CUresult::CUDA_ERROR_INVALID_VALUE;
            rig.machine
                .fail_nth(Function::cuPointerGetAttribute, nth, code);
        });
        assert!(why.to_string().contains(silent), "{nth}: {why}");
    }
    let why = refused(&|rig: &Rig| {
        let code = CUresult::CUDA_ERROR_NOT_SUPPORTED;
        rig.machine
            .fail_nth(Function::cuPointerGetAttribute, 3, code);
    });
    assert_eq!(
        why,
        Foreign::Undisclosed {
            what: "whether the host can reach it"
        }
    );
}

#[test]
fn memory_that_was_freed_and_allocated_anew_is_not_what_was_adopted() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take(4096);
    let adopted = adopt(&rig, address, 4096).unwrap();
    adopted.recheck().unwrap();

    raw.free(address);
    let gone = adopted.recheck().unwrap_err();
    let again = raw.take(4096);
    assert_eq!(
        again, address,
        "the simulated driver gives the same addresses again"
    );
    let other = adopted.recheck().unwrap_err();

    assert!(
        matches!(
            gone,
            Error::ForeignMemory {
                why: Foreign::Unknown
            }
        ),
        "{gone}"
    );
    assert!(
        matches!(
            other,
            Error::ForeignMemory {
                why: Foreign::Replaced
            }
        ),
        "{other}"
    );
    drop(adopted);
    raw.free(again);
}

#[test]
fn a_device_that_is_lost_meanwhile_is_told_as_lost() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take(4096);
    let adopted = adopt(&rig, address, 4096).unwrap();
    rig.machine.lose_context(0).unwrap();

    assert!(matches!(adopted.recheck(), Err(Error::DeviceLost { .. })));
    assert!(matches!(
        adopt(&rig, address, 4096),
        Err(Error::DeviceLost { .. })
    ));
}

#[test]
fn ranges_outside_are_refused() {
    let rig = Rig::new();
    let raw = Raw::new(rig.machine.driver());
    let address = raw.take(100);
    let adopted = adopt(&rig, address, 100).unwrap();
    let mapped = MappedBuffer::new(&rig.device, 100).unwrap();

    for memory in [&adopted as &dyn Readable, &mapped] {
        assert_eq!(memory.len(), 100);
        assert!(memory.span(100, 0).is_ok());
        for (offset, len) in [(0, 101), (100, 1), (u64::MAX, 1), (1, u64::MAX)] {
            let error = memory.span(offset, len).unwrap_err();
            assert!(
                matches!(error, Error::OutOfBounds { size: 100, .. }),
                "{error}"
            );
        }
    }
    drop((adopted, mapped));
    raw.free(address);
}

#[test]
fn the_device_reads_mapped_host_memory_like_its_own_and_it_is_wiped() {
    let rig = Rig::new();
    let probes = Probes::load(&rig.device).unwrap();
    let stream = Stream::new(&rig.device).unwrap();
    let bytes = noise(9, 10_000);
    let mut mapped = MappedBuffer::new(&rig.device, 10_000).unwrap();
    mapped.bytes_mut().unwrap().copy_from_slice(&bytes);
    let mut sums = rig.allocator.allocate_scratch(160).unwrap();

    let span = mapped.span(0, 10_000).unwrap();
    let mut room = sums.span_mut(0, 160).unwrap();
    probes.read(&stream, span, &mut room).unwrap();
    drop(mapped);

    assert_eq!(rig.machine.live().queued_work, 0);
    assert_eq!(rig.machine.live().host_allocations, 0);
    let mut written = [0; 160];
    sums.read_back(0, &mut written).unwrap();
    assert_eq!(ReadSum::of_sums(&written), ReadSum::of_data(&bytes));
    assert_eq!(
        rig.machine.physical_pages_containing(&bytes[..64]).unwrap(),
        0
    );
    assert!(matches!(
        MappedBuffer::new(&rig.device, 0),
        Err(Error::ZeroSize)
    ));
}

#[test]
fn a_mapped_buffer_that_can_not_be_mapped_leaves_nothing() {
    let rig = Rig::new();
    let function = Function::cuMemHostGetDevicePointer_v2;
    rig.machine
        .fail_nth(function, 1, CUresult::CUDA_ERROR_INVALID_VALUE);

    let error = MappedBuffer::new(&rig.device, 4096).unwrap_err();

    assert!(matches!(error, Error::Driver { .. }), "{error}");
    assert_eq!(rig.machine.live().host_allocations, 0);
}

#[test]
fn copies_on_the_device_are_checked_and_exact() {
    let rig = Rig::new();
    let stream = Stream::new(&rig.device).unwrap();
    let bytes = noise(10, 5000);
    let mut from = rig.allocator.allocate(5000).unwrap();
    from.write(0, &bytes).unwrap();
    let mut to = rig.allocator.allocate(5000).unwrap();

    let mut room = to.span_mut(0, 5000).unwrap();
    room.copy_from(&stream, from.span(0, 5000).unwrap())
        .unwrap();
    stream.synchronize().unwrap();
    let mut small = to.span_mut(0, 100).unwrap();
    let error = small
        .copy_from(&stream, from.span(0, 101).unwrap())
        .unwrap_err();

    assert!(matches!(error, Error::OutOfBounds { .. }), "{error}");
    let mut copied = vec![0; 5000];
    to.read_back(0, &mut copied).unwrap();
    assert_eq!(copied, bytes);
}
