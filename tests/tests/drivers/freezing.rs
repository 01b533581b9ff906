//! Frozen regions, and what becomes of who writes them: that one in a process of its own, for it ends
//! the context for good.

use std::process::Command;
use std::sync::Arc;
use std::{env, ptr};

use vram_alloc::{Allocator, AllocatorConfig, Error, Freezing, MemoryKind, Platform};
use vram_kernels::{KernelArgs, PTX, Sha256BlocksArgs, THREADS_PER_BLOCK};
use vram_sys::{CUresult, Driver};

use crate::content::noise;
use crate::subject::{driver, platforms};

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

#[test]
fn a_copy_into_frozen_memory_is_refused() {
    let name = "freezing::a_copy_into_frozen_memory_is_refused";
    in_a_process_of_its_own(name, |raw, to, _| raw.copy(to, &[0; 64]));
}

#[test]
fn a_large_copy_into_frozen_memory_is_refused() {
    let name = "freezing::a_large_copy_into_frozen_memory_is_refused";
    in_a_process_of_its_own(name, |raw, to, _| raw.copy(to, &[0; LEN]));
}

#[test]
fn a_copy_from_pinned_memory_into_frozen_memory_is_refused() {
    let name = "freezing::a_copy_from_pinned_memory_into_frozen_memory_is_refused";
    in_a_process_of_its_own(name, |raw, to, _| raw.copy_pinned(to, LEN));
}

#[test]
fn a_copy_within_the_device_into_frozen_memory_is_refused() {
    let name = "freezing::a_copy_within_the_device_into_frozen_memory_is_refused";
    in_a_process_of_its_own(name, Raw::copy_within);
}

#[test]
fn a_fill_of_frozen_memory_is_refused() {
    let name = "freezing::a_fill_of_frozen_memory_is_refused";
    in_a_process_of_its_own(name, |raw, to, _| raw.fill(to));
}

#[test]
fn a_kernel_that_writes_frozen_memory_loses_the_context() {
    let name = "freezing::a_kernel_that_writes_frozen_memory_loses_the_context";
    in_a_process_of_its_own(name, |raw, to, from| {
        let outcome = raw.launch(to, from);
        // No call can be refused for what a kernel does: only the MMU sees it.
        assert_eq!(outcome, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
        outcome
    });
}

/// Bytes in the region that is attacked.
const LEN: usize = 1 << 20;

const CHILD: &str = "VRAM_TEST_CHILD";
const DONE: &str = "the write was refused, and everything else went on";

/// Runs this test again in another process, and there the attack.
fn in_a_process_of_its_own(test: &str, write: impl FnOnce(&Raw, u64, u64) -> CUresult) {
    if env::var_os(CHILD).is_some() {
        attack(write);
        println!("{DONE}");
        return;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.args([test, "--exact", "--nocapture"]).env(CHILD, "1");
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}{errors}", output.status);
    assert!(said.contains(DONE), "{said}{errors}");
}

/// Freezes a region and writes to it with the driver itself.
fn attack(write: impl FnOnce(&Raw, u64, u64) -> CUresult) {
    let driver = driver();
    let platform = Platform::with_driver(Arc::clone(&driver)).unwrap();
    let device = platform.open(0).unwrap();
    let allocator = Allocator::new(&device, AllocatorConfig::default()).unwrap();
    let bytes = noise(1, LEN);
    let mut region = allocator.allocate(LEN as u64).unwrap();
    region.write(0, &bytes).unwrap();
    let frozen = region.freeze().unwrap();
    if frozen.freezing() != Freezing::Mmu {
        // The device has no virtual memory management: nothing is promised.
        return;
    }
    let mut source = allocator.allocate(4096).unwrap();
    source.write(0, &[1; 4096]).unwrap();
    let source = source.freeze().unwrap();
    let to = frozen.expose_address(0, frozen.len()).unwrap().as_raw();
    let from = source.expose_address(0, 4096).unwrap().as_raw();

    let raw = Raw::new(driver);
    match write(&raw, to, from) {
        // The driver looked at the range and refused the call.
        CUresult::CUDA_ERROR_INVALID_VALUE => {
            println!("refused by the driver");
            let mut read = vec![0; LEN];
            frozen.read_back(0, &mut read).unwrap();
            assert!(read == bytes, "the bytes changed");
            assert!(!device.is_lost());
            allocator.allocate(1).unwrap();
        }
        // The device's MMU did. Every later call says so, and nothing hangs or panics.
        CUresult::CUDA_ERROR_ILLEGAL_ADDRESS => {
            println!("refused by the device");
            let error = frozen.read_back(0, &mut [0]).unwrap_err();
            assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
            assert!(error.is_fatal() && !error.is_retriable());
            assert!(device.is_lost());
            let later = allocator.allocate(1).unwrap_err();
            assert_eq!(later.to_string(), error.to_string());
        }
        other => panic!("frozen memory was written: {other:?}"),
    }
    drop((frozen, source, allocator));
}

/// The driver itself, with the device's context current to this thread.
struct Raw {
    driver: Arc<Driver>,
}

macro_rules! call {
    ($raw:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        let function = $raw.driver.table().$function;
        // SAFETY: every pointer is to a living value of the documented type; addresses are memory
        // of the device, and what it refuses is what the tests are about.
        unsafe { function($($argument),*) }
    }};
}

impl Raw {
    fn new(driver: Arc<Driver>) -> Self {
        let raw = Self { driver };
        let mut context = ptr::null_mut();
        let retained = call!(raw, cuDevicePrimaryCtxRetain(&raw mut context, 0));
        assert_eq!(retained, CUresult::CUDA_SUCCESS);
        let pushed = call!(raw, cuCtxPushCurrent_v2(context));
        assert_eq!(pushed, CUresult::CUDA_SUCCESS);
        raw
    }

    /// What the device made of work that was queued, if the queue took it.
    fn outcome(&self, queued: CUresult) -> CUresult {
        if queued == CUresult::CUDA_SUCCESS {
            call!(self, cuCtxSynchronize())
        } else {
            queued
        }
    }

    fn copy(&self, to: u64, bytes: &[u8]) -> CUresult {
        let from = bytes.as_ptr().cast();
        self.outcome(call!(
            self,
            cuMemcpyHtoDAsync_v2(to, from, bytes.len(), ptr::null_mut())
        ))
    }

    /// Copies from page-locked memory, as staging does.
    fn copy_pinned(&self, to: u64, len: usize) -> CUresult {
        let mut from = ptr::null_mut();
        let taken = call!(self, cuMemHostAlloc(&raw mut from, len, 0));
        assert_eq!(taken, CUresult::CUDA_SUCCESS);
        self.outcome(call!(
            self,
            cuMemcpyHtoDAsync_v2(to, from, len, ptr::null_mut())
        ))
    }

    fn copy_within(&self, to: u64, from: u64) -> CUresult {
        self.outcome(call!(
            self,
            cuMemcpyDtoDAsync_v2(to, from, 4096, ptr::null_mut())
        ))
    }

    fn fill(&self, to: u64) -> CUresult {
        self.outcome(call!(self, cuMemsetD8Async(to, 0, 4096, ptr::null_mut())))
    }

    /// Lets a kernel write a digest.
    fn launch(&self, to: u64, from: u64) -> CUresult {
        let (mut module, mut function) = (ptr::null_mut(), ptr::null_mut());
        let loaded = call!(
            self,
            cuModuleLoadDataEx(
                &raw mut module,
                PTX.as_ptr().cast(),
                0,
                ptr::null_mut(),
                ptr::null_mut()
            )
        );
        assert_eq!(loaded, CUresult::CUDA_SUCCESS);
        let name = Sha256BlocksArgs::KERNEL.name().as_ptr();
        let found = call!(self, cuModuleGetFunction(&raw mut function, module, name));
        assert_eq!(found, CUresult::CUDA_SUCCESS);
        let mut args = Sha256BlocksArgs::new(from, 4096, to);
        let mut parameters = [(&raw mut args).cast()];
        self.outcome(call!(
            self,
            cuLaunchKernel(
                function,
                1,
                1,
                1,
                THREADS_PER_BLOCK,
                1,
                1,
                0,
                ptr::null_mut(),
                parameters.as_mut_ptr(),
                ptr::null_mut()
            )
        ))
    }
}
