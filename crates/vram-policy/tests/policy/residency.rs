//! Verdicts on residency: what each needs, and that worse evidence never gives a better one.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]

use proptest::prelude::*;
use vram_policy::residency::{
    LinkEvidence, LinkKind, NEEDED_CACHES, NEEDED_MARGIN, Rate, RateSource, ResidencyEvidence,
    ResidencyReason as Why, ResidencyStatus as Status, Streamed,
};
use vram_policy::{DeviceFacts, LinkFacts, ManagementFacts};

const GIGA: u64 = 1_000_000_000;
const MIB: u64 = 1 << 20;
const CACHE: u64 = 50 * MIB;

/// One window of so many bytes, at so many GB/s, five times.
fn window(bytes: u64, gigabytes: u64) -> Option<Streamed> {
    let nanos = bytes / gigabytes;
    Streamed::new(bytes, [(bytes, [nanos; 5].as_slice())])
}

fn link() -> LinkEvidence {
    LinkEvidence {
        generation: Some(5),
        width: Some(16),
        chip_to_chip: Some(false),
        integrated: Some(false),
        host_page_tables: Some(false),
        measured_copy: Some(Rate::per_second(54_600_000_000)),
    }
}

/// An H100 that reads its own memory.
fn own_memory() -> ResidencyEvidence {
    ResidencyEvidence {
        simulated: false,
        source: RateSource::Read,
        region: window(512 * MIB, 3000),
        control: window(512 * MIB, 3000),
        cache_bytes: Some(CACHE),
        link: link(),
    }
}

/// The same, reading host memory.
fn host_memory() -> ResidencyEvidence {
    ResidencyEvidence {
        region: window(512 * MIB, 51),
        ..own_memory()
    }
}

fn judged(evidence: &ResidencyEvidence) -> (Status, Why) {
    let verdict = evidence.judge();
    (verdict.status, verdict.reason)
}

/// Covers: RE-1.
#[test]
fn memory_of_the_device_is_proven_with_its_numbers() {
    let verdict = own_memory().judge();

    assert_eq!(verdict.status, Status::Proven, "{verdict}");
    assert!(verdict.is_proven());
    assert_eq!(verdict.link, Some(LinkKind::PciExpress));
    // 512 MiB less 50 of cache, at 3000 GB/s over 63.0.
    assert_eq!(verdict.margin_permille, Some(42_958), "{verdict}");
    assert_eq!(verdict.behind_link_permille, Some(23));
    let text = verdict.to_string();
    for part in [
        "proven",
        "2707.0 GB/s",
        "63.0 GB/s",
        "margin 42.9",
        "needed 4",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

/// Covers: RE-1.
#[test]
fn memory_of_the_host_is_contradicted() {
    let verdict = host_memory().judge();

    assert_eq!(verdict.status, Status::Contradicted, "{verdict}");
    assert_eq!(verdict.reason, Why::SlowAsLink);
    assert!(!verdict.is_proven());
}

/// Covers: SI-1.
#[test]
fn a_simulated_device_proves_nothing_and_says_so() {
    let evidence = ResidencyEvidence {
        simulated: true,
        ..own_memory()
    };

    let verdict = evidence.judge();

    assert!(!verdict.is_proven());
    assert!(verdict.to_string().starts_with("simulated: "), "{verdict}");
    assert_eq!(serde_json::to_value(verdict).unwrap()["simulated"], true);
}

/// Covers: RE-2.
#[test]
fn a_region_that_the_cache_could_answer_for_is_too_small() {
    let least = NEEDED_CACHES * CACHE;
    let of = |bytes| ResidencyEvidence {
        region: window(bytes, 3000),
        ..own_memory()
    };

    assert_eq!(judged(&of(least)), (Status::Proven, Why::FasterThanLink));
    let small = of(least - 1).judge();
    assert_eq!(
        (small.status, small.reason),
        (Status::Unproven, Why::TooSmall)
    );
    assert!(small.to_string().contains(&least.to_string()), "{small}");
}

#[test]
fn a_part_of_a_large_region_does_not_hide_behind_the_rest() {
    let fast = [512 * MIB / 3000; 5];
    let slow = [512 * MIB / 51; 5];
    let windows = [
        (512 * MIB, fast.as_slice()),
        (512 * MIB, &slow),
        (512 * MIB, &fast),
    ];
    let region = Streamed::new(3 * 512 * MIB, windows);

    let evidence = ResidencyEvidence {
        region,
        ..own_memory()
    };

    assert_eq!(judged(&evidence), (Status::Contradicted, Why::SlowAsLink));
}

#[test]
fn one_pass_that_was_held_up_or_seen_wrong_changes_nothing() {
    let usual = 512 * MIB / 3000;
    for odd in [1, usual * 1000] {
        let region = Streamed::new(512 * MIB, [(512 * MIB, [usual, odd, usual].as_slice())]);
        let evidence = ResidencyEvidence {
            region,
            ..own_memory()
        };
        assert_eq!(evidence.judge().status, Status::Proven);
    }
    let usual = 512 * MIB / 51;
    let region = Streamed::new(512 * MIB, [(512 * MIB, [usual, 1, usual].as_slice())]);
    let evidence = ResidencyEvidence {
        region,
        ..own_memory()
    };
    assert_eq!(evidence.judge().status, Status::Contradicted);
}

#[test]
fn a_device_that_is_slow_itself_contradicts_nothing() {
    let throttled = ResidencyEvidence {
        control: window(512 * MIB, 60),
        ..host_memory()
    };
    let alone = ResidencyEvidence {
        control: None,
        ..host_memory()
    };
    let cached = ResidencyEvidence {
        control: window(NEEDED_CACHES * CACHE - 1, 3000),
        ..host_memory()
    };

    assert_eq!(judged(&throttled), (Status::Unproven, Why::DeviceSlow));
    assert_eq!(judged(&alone), (Status::Unproven, Why::NoControl));
    assert_eq!(judged(&cached), (Status::Unproven, Why::NoControl));
}

#[test]
fn one_pass_contradicts_nothing_and_may_prove() {
    let once = |gigabytes: u64| ResidencyEvidence {
        region: Streamed::once(GIGA, GIGA / gigabytes),
        source: RateSource::Verification,
        ..own_memory()
    };

    assert_eq!(judged(&once(51)), (Status::Unproven, Why::TooFewPasses));
    assert_eq!(judged(&once(900)), (Status::Proven, Why::FasterThanLink));
    assert!(once(900).judge().to_string().contains("verified at"));
    let too_few = once(51).judge().to_string();
    assert!(too_few.ends_with("; 1 of 3 passes"), "{too_few}");
}

/// Covers: RE-2.
#[test]
fn between_link_and_threshold_nothing_is_known() {
    let evidence = ResidencyEvidence {
        region: window(512 * MIB, 200),
        ..own_memory()
    };

    assert_eq!(judged(&evidence), (Status::Unproven, Why::BelowThreshold));
}

/// Covers: RE-2.
#[test]
fn what_is_just_as_fast_as_the_link_may_lie_behind_it() {
    let slow = host_memory();
    let rate = ResidencyEvidence {
        region: window(512 * MIB, 80),
        ..slow
    };
    let copy = rate.judge().rate.unwrap();
    let with_copy = |copy| ResidencyEvidence {
        link: LinkEvidence {
            measured_copy: Some(copy),
            ..link()
        },
        ..rate
    };
    let less = Rate::per_second(copy.bytes_per_second() - 1);

    assert_eq!(
        judged(&with_copy(copy)),
        (Status::Contradicted, Why::SlowAsLink)
    );
    assert_eq!(
        judged(&with_copy(less)),
        (Status::Unproven, Why::BelowThreshold)
    );
}

#[test]
fn of_windows_as_slow_as_each_other_the_one_that_the_cache_helps_most_counts() {
    let (large, small) = ((512 * MIB, [512; 3]), (256 * MIB, [256; 3]));
    for windows in [[large, small], [small, large]] {
        let windows = windows
            .iter()
            .map(|(bytes, nanos)| (*bytes, nanos.as_slice()));
        let streamed = Streamed::new(768 * MIB, windows).unwrap();
        assert_eq!(streamed.window_bytes(), 256 * MIB);
    }
}

#[test]
fn each_verdict_says_in_words_why() {
    let mut told = std::collections::BTreeSet::new();
    for evidence in [
        own_memory(),
        host_memory(),
        ResidencyEvidence {
            region: window(512 * MIB, 200),
            ..own_memory()
        },
        ResidencyEvidence {
            control: None,
            ..host_memory()
        },
        ResidencyEvidence {
            region: None,
            ..own_memory()
        },
    ] {
        let verdict = evidence.judge();
        let why = verdict.reason.explained();
        assert!(why.split(' ').count() > 3, "{why}");
        assert!(verdict.to_string().contains(why), "{verdict}");
        assert!(told.insert(why), "{why}: said of two reasons");
    }
}

#[test]
fn a_link_that_may_be_chip_to_chip_is_too_fast_to_tell() {
    let linked = LinkEvidence {
        chip_to_chip: Some(true),
        ..link()
    };
    let coherent = LinkEvidence {
        host_page_tables: Some(true),
        ..link()
    };
    for link in [linked, coherent] {
        let evidence = ResidencyEvidence {
            link,
            ..own_memory()
        };
        assert_eq!(judged(&evidence), (Status::Unproven, Why::BelowThreshold));
        // Unless the numbers pass even that link's.
        let evidence = ResidencyEvidence {
            region: window(512 * MIB, 8000),
            ..evidence
        };
        let verdict = evidence.judge();
        assert_eq!(verdict.status, Status::Proven, "{verdict}");
        assert_eq!(verdict.link, Some(LinkKind::ChipToChip));
    }
}

#[test]
fn what_is_not_known_is_not_proven() {
    let with = |link| ResidencyEvidence {
        link,
        ..own_memory()
    };
    let cases = [
        (
            ResidencyEvidence {
                region: None,
                ..own_memory()
            },
            Why::NotTimed,
        ),
        (
            ResidencyEvidence {
                cache_bytes: None,
                ..own_memory()
            },
            Why::CacheUnknown,
        ),
        (
            ResidencyEvidence {
                cache_bytes: Some(0),
                ..own_memory()
            },
            Why::CacheUnknown,
        ),
        (
            ResidencyEvidence {
                cache_bytes: Some(u64::MAX),
                ..own_memory()
            },
            Why::CacheUnknown,
        ),
        (
            with(LinkEvidence {
                generation: None,
                ..link()
            }),
            Why::LinkUnknown,
        ),
        (
            with(LinkEvidence {
                width: Some(0),
                ..link()
            }),
            Why::LinkUnknown,
        ),
        (
            with(LinkEvidence {
                measured_copy: None,
                ..link()
            }),
            Why::LinkNotMeasured,
        ),
        (
            with(LinkEvidence {
                integrated: None,
                ..link()
            }),
            Why::OwnMemoryUnknown,
        ),
        (
            with(LinkEvidence {
                integrated: Some(true),
                ..link()
            }),
            Why::NoOwnMemory,
        ),
        (with(LinkEvidence::default()), Why::OwnMemoryUnknown),
    ];
    for (evidence, why) in cases {
        assert_eq!(judged(&evidence), (Status::Unproven, why), "{evidence:?}");
    }
}

#[test]
fn what_can_not_be_counted_is_not_proven() {
    let copy = LinkEvidence {
        measured_copy: Some(Rate::per_second(u64::MAX)),
        ..link()
    };
    let endless = ResidencyEvidence {
        link: copy,
        ..own_memory()
    };
    assert_eq!(judged(&endless), (Status::Unproven, Why::OutOfRange));

    let region = Streamed::once(u64::MAX, 1);
    let instant = ResidencyEvidence {
        region,
        ..own_memory()
    };
    assert_eq!(judged(&instant), (Status::Unproven, Why::OutOfRange));
}

#[test]
fn the_link_is_taken_from_the_facts() {
    let facts = DeviceFacts {
        integrated: Some(false),
        pageable_memory_access_uses_host_page_tables: Some(false),
        management: ManagementFacts {
            link: LinkFacts {
                generation: Some(5),
                width: Some(16),
                chip_to_chip: Some(false),
            },
            ..ManagementFacts::default()
        },
        ..DeviceFacts::default()
    };

    assert_eq!(LinkEvidence::new(&facts, link().measured_copy), link());
    let unknown = LinkEvidence::new(&DeviceFacts::default(), None);
    assert_eq!(unknown, LinkEvidence::default());
}

#[test]
fn verdicts_survive_json() {
    for evidence in [own_memory(), host_memory()] {
        let verdict = evidence.judge();
        let json = serde_json::to_string(&verdict).unwrap();
        assert_eq!(
            serde_json::from_str::<vram_policy::residency::ResidencyVerdict>(&json).unwrap(),
            verdict
        );
        let json = serde_json::to_string(&evidence).unwrap();
        assert_eq!(
            serde_json::from_str::<ResidencyEvidence>(&json).unwrap(),
            evidence
        );
    }
}

prop_compose! {
    fn some_link()(
        generation in proptest::option::of(0..9_u32),
        width in proptest::option::of(0..34_u32),
        chip_to_chip in proptest::option::of(any::<bool>()),
        integrated in prop_oneof![8 => Just(Some(false)), 1 => Just(None), 1 => Just(Some(true))],
        host_page_tables in prop_oneof![4 => Just(Some(false)), 1 => proptest::option::of(any::<bool>())],
        copy in proptest::option::of(1..2000 * GIGA),
    ) -> LinkEvidence {
        LinkEvidence {
            generation, width, chip_to_chip, integrated, host_page_tables,
            measured_copy: copy.map(Rate::per_second),
        }
    }
}

fn times() -> impl Strategy<Value = Vec<u64>> {
    // From a hundred times as fast as any memory to slower than any link.
    prop::collection::vec(
        prop_oneof![1_000..100_000_u64, 100_000..10_000_000_u64, 0..3_u64],
        1..6,
    )
}

prop_compose! {
    fn some_evidence()(
        simulated in any::<bool>(),
        window in MIB..1024 * MIB,
        nanos in times(),
        control in proptest::option::of((MIB..1024 * MIB, times())),
        cache in proptest::option::of(prop_oneof![0..MIB, 0..100 * MIB]),
        link in some_link(),
    ) -> (ResidencyEvidence, u64, Vec<u64>) {
        let evidence = ResidencyEvidence {
            simulated,
            source: RateSource::Read,
            region: Streamed::new(window, [(window, nanos.as_slice())]),
            control: control.and_then(|(bytes, nanos)| Streamed::new(bytes, [(bytes, nanos.as_slice())])),
            cache_bytes: cache,
            link,
        };
        (evidence, window, nanos)
    }
}

proptest! {
    // The facts are many, and a case is quick.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(2000),
        ..ProptestConfig::default()
    })]

    /// Covers: RE-1.
    #[test]
    fn a_slower_region_never_gets_a_better_verdict(
        (evidence, window, nanos) in some_evidence(),
        more in prop::collection::vec(0..20_000_000_u64, 6),
    ) {
        prop_assume!(evidence.region.is_some());
        let slower: Vec<u64> = nanos.iter().zip(more).map(|(nanos, more)| nanos + more).collect();
        let region = Streamed::new(window, [(window, slower.as_slice())]);

        let worse = ResidencyEvidence { region, ..evidence };

        prop_assert!(worse.judge().status <= evidence.judge().status);
    }

    #[test]
    fn another_slower_window_never_gives_a_better_verdict(
        (evidence, window, nanos) in some_evidence(),
        more in 1..1000_u64,
    ) {
        prop_assume!(evidence.region.is_some());
        let slower: Vec<u64> = nanos.iter().map(|nanos| nanos * more).collect();
        let region = Streamed::new(2 * window, [(window, nanos.as_slice()), (window, slower.as_slice())]);

        let worse = ResidencyEvidence { region, ..evidence };

        prop_assert!(worse.judge().status <= evidence.judge().status);
    }

    #[test]
    fn a_faster_link_never_gives_a_better_verdict(
        (mut evidence, ..) in some_evidence(),
        generation in 1..8_u32,
        width in 1..33_u32,
        generations in 0..3_u32,
        lanes in 0..17_u32,
        copy in 0..500 * GIGA,
        chip_to_chip in any::<bool>(),
        host_page_tables in any::<bool>(),
    ) {
        // Of links that are known: an unknown one is neither faster nor slower.
        evidence.link.generation = Some(generation);
        evidence.link.width = Some(width);
        let link = evidence.link;
        let faster = LinkEvidence {
            generation: link.generation.map(|generation| (generation + generations).min(7)),
            width: link.width.map(|width| (width + lanes).min(32)),
            chip_to_chip: if chip_to_chip { Some(true) } else { link.chip_to_chip },
            host_page_tables: if host_page_tables { Some(true) } else { link.host_page_tables },
            measured_copy: link.measured_copy.map(|rate| Rate::per_second(rate.bytes_per_second() + copy)),
            ..link
        };
        let worse = ResidencyEvidence { link: faster, ..evidence };

        prop_assert!(worse.judge().status <= evidence.judge().status);
    }

    /// Covers: VP-005.
    #[test]
    fn what_is_proven_is_faster_than_the_link_by_the_margin((evidence, ..) in some_evidence()) {
        let verdict = evidence.judge();
        if verdict.status == Status::Proven {
            let rate = verdict.rate.unwrap().bytes_per_second();
            let nominal = evidence.link.nominal().unwrap_or(Rate::per_second(900 * GIGA));
            let most = nominal.max(evidence.link.measured_copy.unwrap());
            prop_assert!(rate >= NEEDED_MARGIN * most.bytes_per_second());
            prop_assert!(verdict.behind_link_permille.unwrap() <= 1000 / NEEDED_MARGIN);
        }
        prop_assert_eq!(verdict.is_proven(), verdict.status == Status::Proven && !evidence.simulated);
    }

    /// Covers: RE-2.
    #[test]
    fn forgetting_a_fact_never_proves((evidence, ..) in some_evidence(), forgotten in 0..7_u8) {
        let mut less = evidence;
        match forgotten {
            0 => less.region = None,
            1 => less.cache_bytes = None,
            2 => less.link.generation = None,
            3 => less.link.width = None,
            4 => less.link.integrated = None,
            5 => less.link.measured_copy = None,
            _ => less.link.host_page_tables = None,
        }
        if less.judge().status == Status::Proven {
            prop_assert_eq!(evidence.judge().status, Status::Proven);
        }
    }
}
