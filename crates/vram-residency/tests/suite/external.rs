//! Memory that somebody else allocated: judged, measured where it lies, and sealed as a copy.

use vram_alloc::{Device, ExternalRegion, Foreign};
use vram_policy::{CheckId, Enforcement, Policy};
use vram_residency::{Error, HostHashing, Manager};
use vram_seal::Freezing;
use vram_sim::Machine;
use vram_sys::CUpointer_attribute;

use crate::support::*;

struct Scene {
    machine: Machine,
    device: Device,
    manager: Manager,
    outsider: Outsider,
}

impl Scene {
    fn new() -> Self {
        Self::under(Policy::development())
    }

    fn under(policy: Policy) -> Self {
        let machine = machine();
        let device = platform(&machine).open(0).unwrap();
        let manager = builder().policy(policy).build_on(&device).unwrap();
        let outsider = Outsider::new(&machine);
        Self {
            machine,
            device,
            manager,
            outsider,
        }
    }

    fn adopt(&self, address: u64, bytes: &[u8]) -> ExternalRegion {
        let len = bytes.len() as u64;
        // SAFETY: the tests free what they adopt after dropping it, or to see that it is noticed.
        unsafe { self.device.adopt(address, len) }.unwrap()
    }
}

/// As lenient as a region's checks allow, for memory that can be exported.
fn exportable() -> Policy {
    Policy::development().with(CheckId::RegionNotExportable, Enforcement::Warn)
}

#[test]
fn memory_from_outside_measures_as_the_same_bytes_do_inside() {
    let scene = Scene::under(exportable());
    for len in [1, 4096, 600_001] {
        let bytes = weights(len);
        let inside = seal(&scene.manager, "inside", &bytes);
        let address = scene.outsider.allocate(&bytes);
        let region = scene.adopt(address, &bytes);

        let measured = scene.manager.measure_external(&region).unwrap();

        assert_eq!(measured.verity, inside.verity_digest(), "{len}");
        assert_eq!(measured.size.0, len as u64);
        assert!(measured.simulated && measured.residency.simulated);
        let json = serde_json::to_string(&measured).unwrap();
        assert!(!json.contains(&address.to_string()), "{json}");
        drop(region);
        scene.outsider.free(address);
    }
}

#[test]
fn a_sealed_copy_is_the_managers_own() {
    let scene = Scene::under(exportable());
    let bytes = weights(600_001);
    let address = scene.outsider.allocate(&bytes);
    let region = scene.adopt(address, &bytes);
    let digest = scene.manager.measure_external(&region).unwrap().verity;

    let shard = scene
        .manager
        .seal_external(id("copy"), &region, digest)
        .unwrap();
    drop(region);
    scene.outsider.free(address);

    assert_eq!(shard.verity_digest(), digest);
    assert_eq!(
        (shard.freezing(), shard.hashing()),
        (Freezing::Mmu, HostHashing::Trusted)
    );
    assert_eq!(shard.content_digest(), None);
    let verified = scene.manager.verify(&shard).unwrap();
    let sealed = verified.permit.device_address().unwrap().as_raw();
    assert_ne!(sealed, address);
    // What changes in it is located, as in any shard.
    let allocation = allocation_of(&scene.machine, &bytes);
    scene.machine.flip_bit(allocation, 300_000, 1).unwrap();
    let error = scene.manager.verify(&shard).unwrap_err();
    assert!(error.to_string().contains("block 73"), "{error}");
}

/// Covers: OU-1.
#[test]
fn memory_that_is_not_what_was_trusted_is_not_sealed() {
    let scene = Scene::under(exportable());
    let bytes = weights(50_000);
    let address = scene.outsider.allocate(&bytes);
    let region = scene.adopt(address, &bytes);
    let digest = scene.manager.measure_external(&region).unwrap().verity;
    // Its owner writes it.
    scene.outsider.write(address, &[0xff; 100]);
    let before = scene.manager.capacity().unwrap();

    let error = scene.manager.seal_external(id("copy"), &region, digest);

    assert!(
        matches!(error, Err(Error::NotAsTrusted { .. })),
        "{error:?}"
    );
    let after = scene.manager.capacity().unwrap();
    assert_eq!((after.used, after.scratch), (before.used, before.scratch));
    assert!(scene.manager.shard_ids().is_empty());
    assert!(scene.manager.stop_reason().is_none());
    drop(region);
    scene.outsider.free(address);
}

/// Covers: OU-1.
#[test]
fn the_policy_judges_memory_from_outside_as_it_judges_shards() {
    // Memory of cuMemAlloc can be exported, which no profile takes by default.
    let scene = Scene::new();
    let bytes = weights(50_000);
    let address = scene.outsider.allocate(&bytes);
    let region = scene.adopt(address, &bytes);
    let refused = scene.manager.measure_external(&region).unwrap_err();
    assert!(refused.is_policy_refusal(), "{refused}");
    assert!(
        refused.to_string().contains("region.not-exportable"),
        "{refused}"
    );

    // It isn't the manager's memory: it goes on.
    assert!(scene.manager.stop_reason().is_none());
    let own = seal(&scene.manager, "own", &bytes);
    let digest = own.verity_digest();
    let sealed = scene.manager.seal_external(id("copy"), &region, digest);
    assert!(matches!(sealed, Err(Error::Policy(_))), "{sealed:?}");
    assert!(scene.manager.stop_reason().is_none());
    drop(region);
    scene.outsider.free(address);
}

#[test]
fn what_the_driver_says_at_that_moment_counts() {
    let scene = Scene::under(exportable());
    let bytes = weights(50_000);
    let address = scene.outsider.allocate(&bytes);
    let region = scene.adopt(address, &bytes);
    assert!(scene.manager.measure_external(&region).is_ok());

    let managed = CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED;
    scene.machine.set_pointer_attribute(0, managed, 1).unwrap();
    let error = scene.manager.measure_external(&region).unwrap_err();
    scene.machine.clear_attributes(0).unwrap();
    let why = |error: &Error| match error {
        Error::Memory(vram_alloc::Error::ForeignMemory { why }) => *why,
        other => panic!("{other}"),
    };
    assert_eq!(why(&error), Foreign::Managed);

    scene.outsider.free(address);
    let error = scene.manager.measure_external(&region).unwrap_err();
    assert_eq!(why(&error), Foreign::Unknown);
    assert!(scene.manager.stop_reason().is_none());
}

#[test]
fn memory_adopted_through_another_device_is_refused() {
    let scene = Scene::under(exportable());
    let bytes = weights(50_000);
    let address = scene.outsider.allocate(&bytes);
    let other = platform(&scene.machine).open(0).unwrap();
    // SAFETY: it is freed last.
    let region = unsafe { other.adopt(address, 50_000) }.unwrap();

    let error = scene.manager.measure_external(&region).unwrap_err();

    assert!(
        matches!(error, Error::Memory(vram_alloc::Error::WrongDevice { .. })),
        "{error}"
    );
    drop(region);
    scene.outsider.free(address);
}

/// Covers: CI-007.
#[test]
fn a_manager_that_stops_meanwhile_seals_nothing_from_outside() {
    let machine = machine();
    let device = platform(&machine).open(0).unwrap();
    let stopper = StopsAt::event("allocated");
    let manager = builder().policy(exportable()).observer(stopper.clone());
    let manager = manager.build_on(&device).unwrap();
    let outsider = Outsider::new(&machine);
    let bytes = weights(50_000);
    let address = outsider.allocate(&bytes);
    // SAFETY: it is freed after the region is dropped.
    let region = unsafe { device.adopt(address, bytes.len() as u64) }.unwrap();
    let digest = manager.measure_external(&region).unwrap().verity;
    stopper.stops(&manager);

    let sealed = manager.seal_external(id("copy"), &region, digest);

    assert!(matches!(sealed, Err(Error::Stopped { .. })), "{sealed:?}");
    assert_eq!(manager.stop_reason(), Some("meanwhile"));
    assert_eq!(manager.capacity().unwrap().used.0, 0);
    drop(region);
    outsider.free(address);
}

#[test]
fn a_stopped_manager_measures_and_seals_nothing_from_outside() {
    let scene = Scene::under(exportable());
    let bytes = weights(50_000);
    let address = scene.outsider.allocate(&bytes);
    let region = scene.adopt(address, &bytes);
    let digest = scene.manager.measure_external(&region).unwrap().verity;
    scene.manager.stop("the test says so");

    let measured = scene.manager.measure_external(&region);
    let sealed = scene.manager.seal_external(id("copy"), &region, digest);

    assert!(matches!(measured, Err(Error::Stopped { .. })));
    assert!(matches!(sealed, Err(Error::Stopped { .. })));
    drop(region);
    scene.outsider.free(address);
}
