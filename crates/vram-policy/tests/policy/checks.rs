//! Each check: what passes, what fails, what leaves it unknown, and that it refuses alone.

use vram_policy::{CheckId, DeviceFacts, MemoryKind, Policy, RegionFacts, Report, Status, Verdict};

use crate::subjects::{discrete_gpu, plain_region};

fn device(change: impl FnOnce(&mut DeviceFacts)) -> DeviceFacts {
    let mut facts = discrete_gpu();
    change(&mut facts);
    facts
}

fn region(change: impl FnOnce(&mut RegionFacts)) -> RegionFacts {
    let mut facts = plain_region();
    change(&mut facts);
    facts
}

/// Asserts that exactly one check has this status, that all others pass, and that it blocks.
fn assert_alone(report: &Report, id: CheckId, status: Status, verdict: Verdict) {
    for finding in report.findings() {
        let wanted = if finding.id == id {
            status
        } else {
            Status::Pass
        };
        assert_eq!(finding.status, wanted, "{finding}");
    }
    assert_eq!(report.verdict(), verdict);
    let refusal = report.enforce().unwrap_err();
    let named: Vec<CheckId> = refusal
        .findings()
        .iter()
        .map(|finding| finding.id)
        .collect();
    assert_eq!(named, [id]);
    assert!(refusal.names(id));
}

#[test]
fn a_discrete_gpu_is_accepted_although_it_could_do_managed_and_mapped_memory() {
    let accepted = Policy::strict().admit_device(&discrete_gpu()).unwrap();

    assert_eq!(accepted.report().verdict(), Verdict::Accepted);
}

#[test]
fn what_a_device_could_do_is_judged_by_no_check() {
    let wanted = Policy::strict().assess_device(&discrete_gpu());
    for capability in [None, Some(false), Some(true)] {
        let facts = device(|facts| {
            facts.managed_memory = capability;
            facts.can_map_host_memory = capability;
        });

        assert_eq!(Policy::strict().assess_device(&facts), wanted);
    }
}

#[test]
fn plain_device_memory_is_accepted() {
    let accepted = Policy::strict().admit_region(&plain_region()).unwrap();

    assert_eq!(accepted.report().verdict(), Verdict::Accepted);
}

#[test]
fn each_broken_device_fact_alone_is_enough_to_refuse() {
    let broken = [
        device(|facts| facts.integrated = Some(true)),
        device(|facts| facts.pageable_memory_access = Some(true)),
        device(|facts| facts.pageable_memory_access_uses_host_page_tables = Some(true)),
    ];
    for facts in broken {
        let report = Policy::strict().assess_device(&facts);

        assert_alone(
            &report,
            CheckId::DeviceOwnMemory,
            Status::Fail,
            Verdict::Refused,
        );
    }
}

#[test]
fn each_missing_device_fact_alone_is_enough_to_refuse() {
    let silent = [
        device(|facts| facts.integrated = None),
        device(|facts| facts.pageable_memory_access = None),
        device(|facts| facts.pageable_memory_access_uses_host_page_tables = None),
    ];
    for facts in silent {
        let report = Policy::strict().assess_device(&facts);

        assert_alone(
            &report,
            CheckId::DeviceOwnMemory,
            Status::Unknown,
            Verdict::Undecided,
        );
    }
}

#[test]
fn each_broken_region_fact_alone_is_enough_to_refuse() {
    use CheckId::{RegionDeviceMemory, RegionNoHostAlias, RegionNotManaged};
    let size = plain_region().expected_size;
    let broken = [
        (
            RegionDeviceMemory,
            region(|facts| facts.memory = Some(MemoryKind::Host)),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.memory = Some(MemoryKind::Array)),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.memory = Some(MemoryKind::Unified)),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.memory = Some(MemoryKind::Other(2))),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.device_ordinal = Some(0)),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.device_ordinal = Some(-1)),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.starts_at_region = Some(false)),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.reported_size = Some(size.wrapping_sub(1))),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.reported_size = Some(size.wrapping_add(1))),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.reported_size = Some(0)),
        ),
        (RegionNotManaged, region(|facts| facts.managed = Some(true))),
        (
            RegionNoHostAlias,
            region(|facts| facts.host_alias = Some(true)),
        ),
    ];
    for (id, facts) in broken {
        let report = Policy::strict().assess_region(&facts);

        assert_alone(&report, id, Status::Fail, Verdict::Refused);
    }
}

#[test]
fn each_missing_region_fact_alone_is_enough_to_refuse() {
    use CheckId::{RegionDeviceMemory, RegionNoHostAlias, RegionNotManaged};
    let silent = [
        (RegionDeviceMemory, region(|facts| facts.memory = None)),
        (
            RegionDeviceMemory,
            region(|facts| facts.device_ordinal = None),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.starts_at_region = None),
        ),
        (
            RegionDeviceMemory,
            region(|facts| facts.reported_size = None),
        ),
        (RegionNotManaged, region(|facts| facts.managed = None)),
        (RegionNoHostAlias, region(|facts| facts.host_alias = None)),
    ];
    for (id, facts) in silent {
        let report = Policy::strict().assess_region(&facts);

        assert_alone(&report, id, Status::Unknown, Verdict::Undecided);
    }
}

#[test]
fn nothing_known_is_nothing_accepted() {
    let device = Policy::strict()
        .admit_device(&DeviceFacts::default())
        .unwrap_err();
    let region = Policy::strict()
        .admit_region(&RegionFacts::unobserved(0, 1))
        .unwrap_err();

    assert_eq!(device.findings().len(), 1);
    assert_eq!(region.findings().len(), 3);
    let all = device.findings().iter().chain(region.findings());
    assert!(
        all.into_iter()
            .all(|finding| finding.status == Status::Unknown)
    );
}

#[test]
fn a_refusal_names_check_observation_expectation_and_remedy() {
    let facts = region(|facts| {
        facts.managed = Some(true);
        facts.reported_size = None;
    });

    let refusal = Policy::strict().admit_region(&facts).unwrap_err();

    let text = refusal.to_string();
    for part in [
        "region.device-memory unknown: observed MEMORY_TYPE device, DEVICE_ORDINAL 1",
        "RANGE_SIZE unknown; expected",
        "RANGE_SIZE 4194304",
        "region.not-managed fail: observed IS_MANAGED 1; expected IS_MANAGED 0",
        "Allocate weights as plain device memory.",
    ] {
        assert!(text.contains(part), "{part:?} is missing from {text:?}");
    }
    assert!(!text.contains("region.no-host-alias"), "{text:?}");
    assert!(refusal.is_fatal());
    assert!(!refusal.is_retriable());
}

#[test]
fn reports_add_up_and_the_worse_one_decides() {
    let device = Policy::strict().assess_device(&discrete_gpu());
    let managed = Policy::strict().assess_region(&region(|facts| facts.managed = Some(true)));

    let together = device.clone().and(managed);

    assert_eq!(together.findings().len(), 4);
    assert_eq!(together.verdict(), Verdict::Refused);
    assert!(together.finding(CheckId::DeviceOwnMemory).is_some());
    assert!(device.finding(CheckId::RegionNotManaged).is_none());
}
