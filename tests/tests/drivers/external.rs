//! Memory that somebody else allocated: what is adopted and measured, and what is refused by which name.

use vram_alloc::{Error, Foreign, Mechanism};
use vram_raw::Raw;

use crate::content::noise;
use crate::sealing::manager_on;
use crate::subject::{MIB, PAGE, Subject, platforms_alone};

const LEN: u64 = 4 * MIB;

/// Each subject with the driver itself.
fn with_raw(test: impl Fn(&Subject, &Raw)) {
    for subject in platforms_alone().iter() {
        let raw = Raw::new(subject.driver.clone());
        test(subject, &raw);
        raw.leave();
    }
}

/// Why memory isn't adopted, shown in full.
fn refusal(subject: &Subject, what: &str, address: u64, len: u64) -> Foreign {
    // SAFETY: what is refused is not used, and a test that is wrong fails at once.
    let error = unsafe { subject.device.adopt(address, len) }.expect_err(what);
    println!("{what}: {error}");
    match error {
        Error::ForeignMemory { why } => why,
        other => panic!("{what}: {other}"),
    }
}

/// Covers: OU-1, VP-002, VP-003.
#[test]
fn every_kind_of_memory_that_is_not_the_devices_own_is_refused_by_its_name() {
    with_raw(|subject, raw| {
        let size = usize::try_from(LEN).unwrap();
        let managed = raw.take_managed(size);
        let (host, mapped) = raw.take_mapped_host(size);
        let mut own = vec![0_u8; size];
        let registered = raw.register(&mut own);
        let whole = raw.take(size);
        let freed = raw.take(size);
        raw.free(freed);

        assert_eq!(refusal(subject, "managed", managed, LEN), Foreign::Managed);
        assert_eq!(
            refusal(subject, "mapped host", mapped, LEN),
            Foreign::MappedHost
        );
        assert_eq!(
            refusal(subject, "registered host", registered, LEN),
            Foreign::MappedHost
        );
        assert_eq!(refusal(subject, "freed", freed, LEN), Foreign::Unknown);
        let partial = refusal(subject, "its second half", whole + LEN / 2, LEN / 2);
        assert!(matches!(partial, Foreign::Partial { .. }), "{partial:?}");
        let partial = refusal(subject, "its first half", whole, LEN / 2);
        assert!(matches!(partial, Foreign::Partial { .. }), "{partial:?}");
        let longer = refusal(subject, "more than there is", whole, LEN + PAGE);
        assert_eq!(longer, Foreign::Short);

        raw.free(whole);
        raw.unregister(&mut own);
        raw.free_host(host);
        raw.free(managed);
    });
}

#[test]
fn memory_from_outside_is_measured_and_sealed_as_a_copy() {
    with_raw(|subject, raw| {
        // Memory of cuMemAlloc can be exported: the manager is one that was told to live with that.
        let manager = manager_on(&subject.device, Mechanism::Plain);
        let bytes = noise(11, usize::try_from(LEN).unwrap());
        let address = raw.take(bytes.len());
        raw.copy(address, &bytes);
        raw.wait();
        // SAFETY: the memory is freed after the region is dropped, and nobody writes it.
        let region = unsafe { subject.device.adopt(address, LEN) }.unwrap();

        let measured = manager.measure_external(&region).unwrap();
        let shard = manager
            .seal_external("copy".parse().unwrap(), &region, measured.verity)
            .unwrap();
        drop(region);
        raw.free(address);

        println!(
            "{} {} {}",
            measured.size, measured.verity, measured.residency
        );
        assert_eq!(measured.simulated, subject.platform.is_simulated());
        assert_eq!(shard.verity_digest(), measured.verity);
        assert!(manager.verify(&shard).is_ok());
    });
}

/// Covers: OU-1.
#[test]
fn memory_that_its_owner_freed_is_noticed() {
    with_raw(|subject, raw| {
        let size = usize::try_from(LEN).unwrap();
        let address = raw.take(size);
        // SAFETY: it is freed on purpose, and asked about but not read afterwards.
        let region = unsafe { subject.device.adopt(address, LEN) }.unwrap();
        region.recheck().unwrap();

        raw.free(address);

        let error = region.recheck().unwrap_err();
        println!("{error}");
        assert!(
            matches!(
                error,
                Error::ForeignMemory {
                    why: Foreign::Unknown
                }
            ),
            "{error}"
        );
    });
}
