//! For any facts: a worse fact never improves the outcome, and what is unknown never passes.

use proptest::prelude::*;
use vram_policy::{DeviceFacts, MemoryKind, Policy, RegionFacts, Report, Status};

fn observation() -> impl Strategy<Value = Option<bool>> {
    proptest::option::of(any::<bool>())
}

fn memory() -> impl Strategy<Value = Option<MemoryKind>> {
    proptest::option::of((0..6_u32).prop_map(MemoryKind::from_driver))
}

prop_compose! {
    fn devices()(
        integrated in observation(),
        pageable_memory_access in observation(),
        pageable_memory_access_uses_host_page_tables in observation(),
        managed_memory in observation(),
        can_map_host_memory in observation(),
    ) -> DeviceFacts {
        DeviceFacts {
            integrated,
            pageable_memory_access,
            pageable_memory_access_uses_host_page_tables,
            managed_memory,
            can_map_host_memory,
            ..DeviceFacts::default()
        }
    }
}

prop_compose! {
    fn regions()(
        memory in memory(),
        device_ordinal in proptest::option::of(0..2_i32),
        expected_device_ordinal in 0..2_i32,
        starts_at_region in observation(),
        reported_size in proptest::option::of(0..3_u64),
        expected_size in 1..3_u64,
        managed in observation(),
        host_alias in observation(),
    ) -> RegionFacts {
        RegionFacts {
            memory,
            device_ordinal,
            expected_device_ordinal,
            starts_at_region,
            reported_size,
            expected_size,
            managed,
            host_alias,
            ..RegionFacts::unobserved(0, 1)
        }
    }
}

/// How good a fact is: 0 as wanted, 1 not known, 2 seen to be wrong.
fn rank<T: PartialEq>(value: &Option<T>, wanted: &T) -> u8 {
    match value {
        Some(seen) if seen == wanted => 0,
        None => 1,
        Some(_) => 2,
    }
}

fn device_ranks(facts: &DeviceFacts) -> Vec<u8> {
    vec![
        rank(&facts.integrated, &false),
        rank(&facts.pageable_memory_access, &false),
        rank(&facts.pageable_memory_access_uses_host_page_tables, &false),
    ]
}

fn region_ranks(facts: &RegionFacts) -> Vec<u8> {
    vec![
        rank(&facts.memory, &MemoryKind::Device),
        rank(&facts.device_ordinal, &facts.expected_device_ordinal),
        rank(&facts.starts_at_region, &true),
        rank(&facts.reported_size, &facts.expected_size),
        rank(&facts.managed, &false),
        rank(&facts.host_alias, &false),
    ]
}

/// Whether no fact of `b` is better than the same fact of `a`.
fn nowhere_better(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b)
}

/// The facts of both with, for each fact, the worse of the two.
fn worst_device(a: &DeviceFacts, b: &DeviceFacts) -> DeviceFacts {
    let worse = |a: Option<bool>, b: Option<bool>| {
        if rank(&a, &false) >= rank(&b, &false) {
            a
        } else {
            b
        }
    };
    DeviceFacts {
        integrated: worse(a.integrated, b.integrated),
        pageable_memory_access: worse(a.pageable_memory_access, b.pageable_memory_access),
        pageable_memory_access_uses_host_page_tables: worse(
            a.pageable_memory_access_uses_host_page_tables,
            b.pageable_memory_access_uses_host_page_tables,
        ),
        ..a.clone()
    }
}

/// `a` with each fact replaced that `mask` selects, by one that is unknown or wrong.
fn worsened(a: &RegionFacts, mask: u8, wrong: bool) -> RegionFacts {
    let hit = |bit: u8| mask >> bit & 1 == 1;
    let mut facts = a.clone();
    if hit(0) && rank(&a.memory, &MemoryKind::Device) < 2 {
        facts.memory = wrong.then_some(MemoryKind::Host);
    }
    if hit(1) && rank(&a.device_ordinal, &a.expected_device_ordinal) < 2 {
        facts.device_ordinal = wrong.then_some(-1);
    }
    if hit(2) && rank(&a.starts_at_region, &true) < 2 {
        facts.starts_at_region = wrong.then_some(false);
    }
    if hit(3) && rank(&a.reported_size, &a.expected_size) < 2 {
        facts.reported_size = wrong.then_some(0);
    }
    if hit(4) && rank(&a.managed, &false) < 2 {
        facts.managed = wrong.then_some(true);
    }
    if hit(5) && rank(&a.host_alias, &false) < 2 {
        facts.host_alias = wrong.then_some(true);
    }
    facts
}

fn assert_no_better(worse: &Report, better: &Report) {
    assert!(worse.verdict() >= better.verdict(), "{worse:?}\n{better:?}");
    if worse.verdict().accepts() {
        assert!(better.enforce().is_ok());
    }
}

proptest! {
    #[test]
    fn a_worse_device_is_never_judged_better(a in devices(), b in devices()) {
        let worse = worst_device(&a, &b);
        prop_assert!(nowhere_better(&device_ranks(&a), &device_ranks(&worse)));

        let policy = Policy::strict();
        assert_no_better(&policy.assess_device(&worse), &policy.assess_device(&a));
    }

    #[test]
    fn a_worse_region_is_never_judged_better(
        a in regions(),
        mask in any::<u8>(),
        wrong in any::<bool>(),
    ) {
        let worse = worsened(&a, mask, wrong);
        prop_assert!(nowhere_better(&region_ranks(&a), &region_ranks(&worse)));

        let policy = Policy::strict();
        assert_no_better(&policy.assess_region(&worse), &policy.assess_region(&a));
    }

    #[test]
    fn a_region_is_accepted_exactly_when_every_fact_is_as_wanted(facts in regions()) {
        let wanted = region_ranks(&facts).iter().all(|rank| *rank == 0);

        prop_assert_eq!(Policy::strict().admit_region(&facts).is_ok(), wanted);
    }

    #[test]
    fn a_device_is_accepted_exactly_when_every_judged_fact_is_as_wanted(facts in devices()) {
        let wanted = device_ranks(&facts).iter().all(|rank| *rank == 0);

        prop_assert_eq!(Policy::strict().admit_device(&facts).is_ok(), wanted);
    }

    #[test]
    fn what_is_unknown_never_passes(facts in regions()) {
        let report = Policy::strict().assess_region(&facts);
        for finding in report.findings() {
            if finding.observed.contains("unknown") {
                prop_assert_ne!(finding.status, Status::Pass);
            }
        }
    }
}
