//! Frozen regions, and what becomes of who writes them: that one in a process of its own, for a kernel
//! that tries ends the context for good.
//!
//! What refuses which write was seen on an H100 under driver 580: copies and fills the driver refuses at
//! the call, and the context stays usable; a kernel's write only the device's MMU sees.

use std::sync::Arc;

use vram_alloc::{Allocator, AllocatorConfig, Error, Freezing, MemoryKind, Platform};
use vram_raw::Raw;
use vram_sys::CUresult;

use crate::child::in_a_process_of_its_own;
use crate::content::noise;
use crate::subject::{driver, platforms};

/// Covers: FZ-1.
#[test]
fn the_driver_confirms_that_frozen_memory_is_read_only() {
    for subject in platforms().iter() {
        let open = subject.allocator().allocate(4096).unwrap();
        assert_eq!(open.observe().unwrap().access, Some(3));

        let frozen = open.freeze().unwrap();

        let (freezing, access) = if subject.maps_pages() {
            (Freezing::Mmu, Some(1))
        } else {
            (Freezing::Software, Some(3))
        };
        assert_eq!(frozen.freezing(), freezing);
        assert_eq!(frozen.observe().unwrap().access, access);
    }
}

/// Covers: VP-001.
#[test]
fn a_region_is_seen_as_device_memory_and_nothing_else() {
    for subject in platforms().iter() {
        let frozen = subject
            .allocator()
            .allocate(5000)
            .unwrap()
            .freeze()
            .unwrap();

        let observed = frozen.observe().unwrap();

        assert_eq!(observed.memory_type, Some(MemoryKind::Device));
        assert_eq!(observed.device_ordinal, Some(0));
        assert_eq!(observed.managed, Some(false));
        assert_eq!(observed.host_pointer, Some(false));
        assert_eq!(observed.starts_at_region, Some(true));
        assert!(observed.range_size.unwrap() >= 5000);
        if subject.maps_pages() {
            assert_eq!(observed.range_size, Some(frozen.mapped()));
            assert_eq!(observed.legacy_ipc, Some(false));
            assert_eq!(observed.export_handle_types, Some(0));
        }
    }
}

/// Covers: TS-1.2.
#[test]
fn frozen_memory_reads_as_it_was_written() {
    for subject in platforms().iter() {
        let bytes = noise(12, 50_000);
        let mut region = subject.allocator().allocate(50_000).unwrap();
        region.write(0, &bytes).unwrap();

        let frozen = region.freeze().unwrap();

        let mut read = vec![0; 50_000];
        frozen.read_back(0, &mut read).unwrap();
        assert!(read == bytes);
    }
}

#[test]
fn a_wiped_region_can_be_filled_and_frozen_again() {
    for subject in platforms().iter() {
        let mut region = subject.allocator().allocate(4096).unwrap();
        for byte in 1..4 {
            region.write(0, &[byte; 4096]).unwrap();
            let frozen = region.freeze().unwrap();
            let mut read = [0; 4096];
            frozen.read_back(0, &mut read).unwrap();
            assert_eq!(read, [byte; 4096]);
            region = frozen.wipe().unwrap();
        }
    }
}

/// Covers: FZ-1.
#[test]
fn a_copy_into_frozen_memory_is_refused_at_the_call() {
    let name = "freezing::a_copy_into_frozen_memory_is_refused_at_the_call";
    in_a_process_of_its_own(name, || {
        attack(REFUSED, |raw, to, _| raw.copy(to, &[0; 64]));
    });
}

#[test]
fn a_large_copy_into_frozen_memory_is_refused_at_the_call() {
    let name = "freezing::a_large_copy_into_frozen_memory_is_refused_at_the_call";
    in_a_process_of_its_own(name, || {
        attack(REFUSED, |raw, to, _| raw.copy(to, &[0; LEN]));
    });
}

#[test]
fn a_copy_from_pinned_memory_into_frozen_memory_is_refused_at_the_call() {
    let name = "freezing::a_copy_from_pinned_memory_into_frozen_memory_is_refused_at_the_call";
    in_a_process_of_its_own(name, || {
        attack(REFUSED, |raw, to, _| raw.copy_pinned(to, LEN));
    });
}

/// Covers: FZ-1.
#[test]
fn a_copy_within_the_device_into_frozen_memory_is_refused_at_the_call() {
    let name = "freezing::a_copy_within_the_device_into_frozen_memory_is_refused_at_the_call";
    in_a_process_of_its_own(name, || {
        attack(REFUSED, |raw, to, from| raw.copy_within(to, from, 4096));
    });
}

/// Covers: FZ-1.
#[test]
fn a_fill_of_frozen_memory_is_refused_at_the_call() {
    let name = "freezing::a_fill_of_frozen_memory_is_refused_at_the_call";
    in_a_process_of_its_own(name, || attack(REFUSED, |raw, to, _| raw.fill(to, 4096)));
}

/// Covers: FZ-1.
#[test]
fn a_kernel_that_writes_frozen_memory_loses_the_context() {
    let name = "freezing::a_kernel_that_writes_frozen_memory_loses_the_context";
    in_a_process_of_its_own(name, || {
        attack((TAKEN, LOST), |raw, to, from| {
            raw.write_digest(to, from, 4096)
        });
    });
}

/// Bytes in the region that is attacked.
const LEN: usize = 1 << 20;

const TAKEN: CUresult = CUresult::CUDA_SUCCESS;
const LOST: CUresult = CUresult::CUDA_ERROR_ILLEGAL_ADDRESS;
/// What the call answers, and the wait for the device after it.
const REFUSED: (CUresult, CUresult) = (CUresult::CUDA_ERROR_INVALID_VALUE, TAKEN);

/// Freezes a region and writes to it with the driver itself, which must answer as expected.
fn attack(expected: (CUresult, CUresult), write: impl FnOnce(&Raw, u64, u64) -> CUresult) {
    let driver = driver();
    let platform = Platform::with_driver(Arc::clone(&driver)).unwrap();
    let device = platform.open(0).unwrap();
    let allocator = Allocator::new(&device, AllocatorConfig::default()).unwrap();
    let bytes = noise(1, LEN);
    let mut region = allocator.allocate(LEN as u64).unwrap();
    region.write(0, &bytes).unwrap();
    let frozen = region.freeze().unwrap();
    if frozen.freezing() != Freezing::Mmu {
        println!("skipped: the device has no virtual memory management, and nothing is promised");
        return;
    }
    let mut source = allocator.allocate(4096).unwrap();
    source.write(0, &[1; 4096]).unwrap();
    let source = source.freeze().unwrap();
    let to = frozen.expose_address(0, frozen.len()).unwrap().as_raw();
    let from = source.expose_address(0, 4096).unwrap().as_raw();

    let raw = Raw::new(driver);
    let called = write(&raw, to, from);
    let waited = raw.wait();

    assert_eq!((called, waited), expected);
    if waited == LOST {
        // Every later call says so, and nothing hangs or panics.
        let error = frozen.read_back(0, &mut [0]).unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        assert!(error.is_fatal() && !error.is_retriable());
        assert!(device.is_lost());
        let later = allocator.allocate(1).unwrap_err();
        assert_eq!(later.to_string(), error.to_string());
    } else {
        // Nothing happened, and everything goes on.
        let mut read = vec![0; LEN];
        frozen.read_back(0, &mut read).unwrap();
        assert!(read == bytes, "the bytes changed");
        assert!(!device.is_lost());
        allocator.allocate(1).unwrap();
    }
    drop((frozen, source, allocator));
}
