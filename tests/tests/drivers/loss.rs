//! A kernel of somebody else's writes into a sealed shard: where the device refuses, the device is lost,
//! and the manager says so and stops; where it can't, verifying tells.

use std::sync::Arc;

use vram_alloc::{Device, Mechanism, Platform};
use vram_raw::Raw;
use vram_residency::{Error, Manager, SealRequest, SealedShard};
use vram_seal::Freezing;
use vram_sys::CUresult;

use crate::child::in_a_process_of_its_own;
use crate::content::noise;
use crate::sealing::manager_on;
use crate::subject::driver;

/// Bytes in each shard: a block of hashes and more.
const LEN: usize = 600_000;

/// A manager with two shards, and the driver itself.
struct Scene {
    raw: Raw,
    device: Device,
    manager: Manager,
    attacked: SealedShard,
    other: SealedShard,
}

impl Scene {
    fn new(mechanism: Mechanism) -> Self {
        let driver = driver();
        let platform = Platform::with_driver(Arc::clone(&driver)).unwrap();
        let device = platform.open(0).unwrap();
        let manager = manager_on(&device, mechanism);
        let attacked = seal(&manager, "attacked", 1).unwrap();
        let other = seal(&manager, "other", 2).unwrap();
        Self {
            raw: Raw::new(driver),
            device,
            manager,
            attacked,
            other,
        }
    }

    /// Lets a kernel write over the first bytes of a shard that was verified just before: the digest of
    /// what lies there.
    fn attack(&self) -> CUresult {
        let permit = self.manager.verify(&self.attacked).unwrap().permit;
        let address = permit.device_address().unwrap().as_raw();
        assert_eq!(
            self.raw.write_digest(address, address, 4096),
            CUresult::CUDA_SUCCESS
        );
        self.raw.wait()
    }
}

fn seal(manager: &Manager, id: &str, seed: u64) -> Result<SealedShard, Error> {
    let bytes = noise(seed, LEN);
    manager.seal(SealRequest::bytes(id.parse().unwrap(), &bytes))
}

/// Attacks a shard that the device's MMU protects. `next` is what the manager is asked first.
fn lose_the_device(next: impl FnOnce(&Scene) -> Error) {
    let scene = Scene::new(Mechanism::Auto);
    if scene.attacked.freezing() != Freezing::Mmu {
        println!("skipped: the device has no virtual memory management, and nothing is promised");
        return;
    }
    let Scene {
        manager,
        attacked,
        other,
        ..
    } = &scene;
    let permit = manager.verify(other).unwrap().permit;
    assert_eq!(scene.attack(), CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);

    let error = next(&scene);

    let lost = vram_alloc::Error::DeviceLost {
        function: vram_sys::Function::cuInit,
        name: String::new(),
    };
    let Error::Memory(memory) = &error else {
        panic!("{error}")
    };
    assert_eq!(
        std::mem::discriminant(memory),
        std::mem::discriminant(&lost)
    );
    assert!(error.is_fatal() && !error.is_retriable(), "{error}");
    assert!(
        !error.is_integrity_failure(),
        "nothing was measured: {error}"
    );
    assert!(scene.device.is_lost());
    let reason = manager.stop_reason().unwrap().to_owned();
    assert!(reason.contains("the device is lost"), "{reason}");

    // From here on everything is refused for that reason, the driver is asked nothing more.
    let refusals = [
        manager.verify(attacked).map(drop),
        manager.verify(other).map(drop),
        manager.verify_all([attacked, other]).map(drop),
        seal(manager, "later", 3).map(drop),
        permit.device_address().map(drop),
        permit.range(0..1).map(drop),
    ];
    for refused in refusals {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::Stopped { .. }), "{refused}");
        assert!(refused.to_string().contains(&reason), "{refused}");
    }
    assert!(manager.capacity().unwrap_err().is_fatal());
    assert!(manager.inspect(other).unwrap_err().is_fatal());
    assert_eq!(manager.stop_reason(), Some(reason.as_str()));
    drop(permit);
    // Wiping and releasing can't succeed any more, and must come to an end all the same.
    drop(scene);
}

/// Covers: EX-1.2.
#[test]
fn verifying_a_shard_that_a_kernel_wrote_to_finds_the_device_lost() {
    let name = "loss::verifying_a_shard_that_a_kernel_wrote_to_finds_the_device_lost";
    in_a_process_of_its_own(name, || {
        lose_the_device(|scene| scene.manager.verify(&scene.attacked).unwrap_err());
    });
}

#[test]
fn verifying_another_shard_after_that_finds_the_device_lost() {
    let name = "loss::verifying_another_shard_after_that_finds_the_device_lost";
    in_a_process_of_its_own(name, || {
        lose_the_device(|scene| scene.manager.verify(&scene.other).unwrap_err());
    });
}

#[test]
fn sealing_after_that_finds_the_device_lost() {
    let name = "loss::sealing_after_that_finds_the_device_lost";
    in_a_process_of_its_own(name, || {
        lose_the_device(|scene| seal(&scene.manager, "next", 4).unwrap_err());
    });
}

/// Covers: FZ-2.
#[test]
fn memory_that_freezes_in_software_is_written_and_verifying_tells() {
    let name = "loss::memory_that_freezes_in_software_is_written_and_verifying_tells";
    in_a_process_of_its_own(name, || {
        let scene = Scene::new(Mechanism::Plain);
        let Scene {
            manager,
            attacked,
            other,
            ..
        } = &scene;
        assert_eq!(attacked.freezing(), Freezing::Software);
        let shown = serde_json::to_value(attacked).unwrap();
        assert_eq!(shown["freezing"], "software", "{shown}");

        assert_eq!(scene.attack(), CUresult::CUDA_SUCCESS);

        let error = manager.verify(attacked).unwrap_err();
        let Error::Tampered { shard, difference } = &error else {
            panic!("{error}")
        };
        assert_eq!(shard, attacked.id());
        assert_eq!(difference.blocks, [0]);
        assert!(error.is_fatal() && error.is_integrity_failure(), "{error}");
        assert!(!scene.device.is_lost());
        assert!(manager.stop_reason().is_some());
        // The other shard is as it was; only nobody may use it any more.
        assert!(manager.inspect(other).is_ok());
        let refused = manager.verify(other).unwrap_err();
        assert!(matches!(refused, Error::Stopped { .. }), "{refused}");
    });
}
