//! Where memory lies, by how fast the device reads it: the device's own proven, the host's contradicted, through the
//! same function.
//!
//! On a GPU the verdicts are what is tested. A simulated device's rates are the processor's, so there the verdict is
//! tested for being marked as simulated. The link is asked of the management library (NVML); where it isn't
//! there, nothing can be proven, and a GPU's test says so and fails.

use std::sync::Arc;

use vram_alloc::{Allocator, AllocatorConfig, MappedBuffer, Readable};
use vram_observe::{Card, ThisMachine, Witness};
use vram_policy::DeviceFacts;
use vram_policy::residency::{
    NEEDED_CACHES, RateSource, ResidencyReason, ResidencyStatus, ResidencyVerdict,
};
use vram_residency::{ResidencyProver, SealRequest, device_facts};
use vram_sim::{DeviceModel, Machine};
use vram_sys::CUdevice_attribute;

use crate::content::noise;
use crate::sealing::manager;
use crate::subject::{MIB, Subject, platforms, platforms_alone};

/// Memory to measure: several windows of a GPU, and of a simulated device what its memory has room for.
fn bytes(subject: &Subject) -> u64 {
    let cache = subject
        .device
        .properties()
        .l2_cache
        .map_or(0, |bytes| bytes.0);
    if subject.platform.is_simulated() {
        16 * MIB
    } else {
        (NEEDED_CACHES * cache * 3).max(256 * MIB)
    }
}

/// What is known of the device and its link.
fn facts(subject: &Subject) -> DeviceFacts {
    let properties = subject.device.properties();
    let witness: Arc<dyn Witness> = Arc::new(ThisMachine::new());
    let management = witness.management(&Card {
        uuid: properties.uuid,
        pci_bus_id: properties.pci_bus_id.as_deref(),
    });
    device_facts(properties, management)
}

/// What a person reads when the test fails.
fn show(what: &str, verdict: &ResidencyVerdict) {
    println!("{what}: {verdict}\n{verdict:?}");
}

/// Requires a verdict of a GPU, and of a simulated device that it says what it is.
fn require(subject: &Subject, what: &str, verdict: &ResidencyVerdict, expected: ResidencyStatus) {
    show(what, verdict);
    assert_eq!(verdict.simulated, subject.platform.is_simulated());
    if subject.platform.is_simulated() {
        assert!(!verdict.is_proven(), "{verdict}");
        assert!(verdict.to_string().starts_with("simulated: "), "{verdict}");
    } else {
        assert_eq!(verdict.status, expected, "{what}: {verdict} {verdict:?}");
        assert_eq!(verdict.is_proven(), expected == ResidencyStatus::Proven);
    }
}

/// Covers: RE-1.
#[test]
fn the_devices_own_memory_is_proven_and_the_hosts_contradicted() {
    for subject in platforms_alone().iter() {
        let (allocator, facts, len) = (subject.allocator(), facts(subject), bytes(subject));
        let mut prover = ResidencyProver::new(&allocator).unwrap();
        let mut open = allocator.allocate(len).unwrap();
        open.write(0, &noise(3, 1 << 20)).unwrap();

        let own = prover.prove(&open, &facts).unwrap();
        require(subject, "open device memory", &own, ResidencyStatus::Proven);
        let frozen = open.freeze().unwrap();
        let own = prover.prove(&frozen, &facts).unwrap();
        require(
            subject,
            "frozen device memory",
            &own,
            ResidencyStatus::Proven,
        );
        drop(frozen);

        let elsewhere = MappedBuffer::new(&subject.device, len).unwrap();
        let hosts = prover.prove(&elsewhere, &facts).unwrap();
        require(
            subject,
            "mapped host memory",
            &hosts,
            ResidencyStatus::Contradicted,
        );
        assert_eq!((own.bytes, hosts.bytes), (len, len));
        assert_eq!((own.windows, own.passes), (hosts.windows, hosts.passes));
    }
}

/// Covers: VP-005.
#[test]
fn a_sealed_shard_is_proven_and_its_verification_says_so_too() {
    for subject in platforms_alone().iter() {
        let manager = manager(subject);
        let len = bytes(subject);
        let content = noise(4, usize::try_from(len).unwrap());
        let request = SealRequest::bytes("weights".parse().unwrap(), &content);
        let shard = manager.seal(request).unwrap();

        let proof = manager.residency_proof(&shard).unwrap();
        let verified = manager.verify(&shard).unwrap().report.residency;

        require(subject, "a sealed shard", &proof, ResidencyStatus::Proven);
        assert_eq!(proof.source, RateSource::Read);
        require(
            subject,
            "its verification",
            &verified,
            ResidencyStatus::Proven,
        );
        assert_eq!(verified.source, RateSource::Verification);
        assert!(manager.stop_reason().is_none());
    }
}

/// Covers: RE-2.
#[test]
fn a_small_region_tells_nothing() {
    for subject in platforms().iter() {
        let allocator = subject.allocator();
        let mut prover = ResidencyProver::new(&allocator).unwrap();
        let region = allocator.allocate(MIB).unwrap();

        let verdict = prover.prove(&region, &facts(subject)).unwrap();

        show("1 MiB", &verdict);
        assert_eq!(verdict.status, ResidencyStatus::Unproven, "{verdict}");
        assert_eq!(verdict.reason, ResidencyReason::TooSmall, "{verdict}");
    }
}

/// Covers: RE-2.
#[test]
fn without_a_known_link_nothing_is_proven() {
    for subject in platforms_alone().iter() {
        let allocator = subject.allocator();
        let mut prover = ResidencyProver::new(&allocator).unwrap();
        let region = allocator.allocate(bytes(subject)).unwrap();
        let unknown = device_facts(subject.device.properties(), Default::default());

        let verdict = prover.prove(&region, &unknown).unwrap();

        show("no link", &verdict);
        assert_eq!(verdict.status, ResidencyStatus::Unproven, "{verdict}");
    }
}

/// With a cache small enough for windows of its memory, a simulated device goes through everything that a GPU does.
///
/// Covers: SI-1.
#[test]
fn a_simulated_device_is_judged_and_never_proven() {
    let model = DeviceModel::small(64 * MIB).with_attribute(
        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE,
        64 << 10,
    );
    let machine = Machine::builder().device(model).build().unwrap();
    let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
    let device = platform.open(0).unwrap();
    let allocator = Allocator::new(&device, AllocatorConfig::default()).unwrap();
    let mut prover = ResidencyProver::new(&allocator).unwrap();
    let mut facts = device_facts(device.properties(), Default::default());
    facts.management.link.generation = Some(1);
    facts.management.link.width = Some(1);
    facts.management.link.chip_to_chip = Some(false);
    let own = allocator.allocate(4 * MIB).unwrap();
    let hosts = MappedBuffer::new(&device, 4 * MIB).unwrap();

    for memory in [&own as &dyn Readable, &hosts] {
        let verdict = prover.prove(memory, &facts).unwrap();
        show("simulated", &verdict);
        assert!(verdict.simulated && !verdict.is_proven());
        assert!(verdict.margin_permille.is_some(), "{verdict}");
        assert!(verdict.windows > 1 && verdict.control_rate.is_some());
    }
}
