//! Each check: what passes, what fails, what leaves it unknown, and that it refuses alone.

use vram_policy::{
    Access, CheckId, DeviceFacts, Enforcement, MemoryKind, OperatingSystem, Policy, RegionFacts,
    Report, Status, Verdict,
};

use crate::subjects::{Machine, closed_host, discrete_gpu, not_clear, plain_region, set};

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

/// Asserts that exactly one check has this status, that all others are clear, and that it blocks.
fn assert_alone(report: &Report, id: CheckId, status: Status, verdict: Verdict) {
    assert_eq!(not_clear(report), [(id, status)]);
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

/// Covers: VP-002.
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

/// Covers: VP-001.
#[test]
fn each_broken_region_fact_alone_is_enough_to_refuse() {
    use CheckId::{
        RegionDeviceMemory, RegionNoHostAlias, RegionNotExportable, RegionNotManaged,
        RegionReadOnly,
    };
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
        (
            RegionNotExportable,
            region(|facts| facts.legacy_ipc = Some(true)),
        ),
        (
            RegionNotExportable,
            region(|facts| facts.export_handle_types = Some(8)),
        ),
        (
            RegionReadOnly,
            region(|facts| facts.access = Some(Access::ReadWrite)),
        ),
    ];
    for (id, facts) in broken {
        for policy in [Policy::strict(), Policy::standard(), Policy::development()] {
            let report = policy.assess_region(&facts);

            assert_alone(&report, id, Status::Fail, Verdict::Refused);
        }
    }
}

/// Covers: PO-1.
#[test]
fn each_missing_region_fact_alone_is_enough_to_refuse() {
    use CheckId::{
        RegionDeviceMemory, RegionNoHostAlias, RegionNotExportable, RegionNotManaged,
        RegionReadOnly,
    };
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
        (RegionNotExportable, region(|facts| facts.legacy_ipc = None)),
        (
            RegionNotExportable,
            region(|facts| facts.export_handle_types = None),
        ),
        (RegionReadOnly, region(|facts| facts.access = None)),
    ];
    for (id, facts) in silent {
        for policy in [Policy::strict(), Policy::standard(), Policy::development()] {
            let report = policy.assess_region(&facts);

            assert_alone(&report, id, Status::Unknown, Verdict::Undecided);
        }
    }
}

/// Covers: RP-004.
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

    let both = device.findings().len() + 5;
    assert_eq!(together.findings().len(), both);
    assert_eq!(together.profile(), Some(vram_policy::Profile::Strict));
    assert_eq!(together.verdict(), Verdict::Refused);
    assert!(together.finding(CheckId::DeviceOwnMemory).is_some());
    assert!(device.finding(CheckId::RegionNotManaged).is_none());
}

#[test]
fn reports_of_two_profiles_are_of_none_when_put_together() {
    let device = Policy::strict().assess_device(&discrete_gpu());
    let region = Policy::standard().assess_region(&plain_region());

    assert_eq!(device.and(region).profile(), None);
}

#[test]
fn a_region_that_was_not_frozen_by_the_memory_management_unit_may_be_writable() {
    for access in [None, Some(Access::Read), Some(Access::ReadWrite)] {
        let facts = region(|facts| {
            facts.expected_frozen = false;
            facts.access = access;
        });

        let report = Policy::strict().assess_region(&facts);

        let finding = report.finding(CheckId::RegionReadOnly).unwrap();
        assert_eq!(finding.status, Status::NotApplicable);
        assert_eq!(report.verdict(), Verdict::Accepted);
    }
}

#[test]
fn what_is_tolerated_is_a_warning_and_what_is_noted_changes_nothing() {
    let facts = device(|facts| facts.management.persistence_mode = Some(false));
    let id = CheckId::DevicePersistence;

    let warned = Policy::strict().assess_device(&facts);
    let noted = Policy::strict()
        .with(id, Enforcement::Note)
        .assess_device(&facts);
    let refused = Policy::strict()
        .with(id, Enforcement::Refuse)
        .assess_device(&facts);

    assert_eq!(not_clear(&warned), [(id, Status::Warn)]);
    assert_eq!(warned.verdict(), Verdict::AcceptedWithWarnings);
    assert_eq!(not_clear(&noted), [(id, Status::Warn)]);
    assert_eq!(noted.verdict(), Verdict::Accepted);
    assert_eq!(not_clear(&refused), [(id, Status::Fail)]);
    assert_eq!(refused.verdict(), Verdict::Refused);
}

#[test]
fn what_could_not_be_observed_is_tolerated_where_a_profile_says_so_and_stays_unknown() {
    let facts = device(|facts| {
        facts.management.row_remapping = None;
        facts.management.pages_pending_retirement = None;
    });

    let strict = Policy::strict().assess_device(&facts);
    let standard = Policy::standard().assess_device(&facts);

    assert_eq!(strict.verdict(), Verdict::Undecided);
    assert_eq!(standard.verdict(), Verdict::AcceptedWithWarnings);
    assert_eq!(not_clear(&strict), not_clear(&standard));
}

#[test]
fn the_last_word_on_a_check_counts_and_findings_say_what_the_profile_says() {
    let id = CheckId::DevicePersistence;
    let policy = Policy::standard()
        .with(id, Enforcement::Refuse)
        .with(id, Enforcement::Note)
        .with(CheckId::DeviceMps, Enforcement::Warn);
    let report = policy.assess_device(&discrete_gpu());

    let lowered = report.finding(id).unwrap();
    let unchanged = report.finding(CheckId::DeviceMps).unwrap();

    assert_eq!(policy.enforcement(id), Enforcement::Note);
    assert_eq!(lowered.enforcement, Enforcement::Note);
    assert_eq!(lowered.raised_or_lowered_from, Some(Enforcement::Warn));
    assert!(lowered.to_string().ends_with("(lowered from warn to note)"));
    assert_eq!(unchanged.raised_or_lowered_from, None);
}

#[test]
fn a_card_that_repairs_its_memory_one_way_is_not_asked_for_the_other() {
    let rows = device(|facts| facts.management.pages_pending_retirement = None);
    let pages = device(|facts| facts.management.row_remapping = None);
    let status = |facts: &DeviceFacts, id| {
        let report = Policy::strict().assess_device(facts);
        report.finding(id).unwrap().status
    };

    assert_eq!(
        status(&rows, CheckId::DevicePageRetirement),
        Status::NotApplicable
    );
    assert_eq!(
        status(&pages, CheckId::DeviceRowRemapping),
        Status::NotApplicable
    );
}

#[test]
fn what_only_linux_has_is_not_missed_on_windows() {
    let mut windows = closed_host();
    windows.system = Some(OperatingSystem::Windows);
    windows.dxg_device = None;
    windows.kernel_release = None;
    windows.core_limit = None;
    windows.core_pattern = None;
    windows.dumpable = None;
    windows.ptrace_scope = None;
    windows.traced = None;
    windows.heterogeneous_memory_management = None;

    let report = Policy::strict().assess_host(&windows);

    assert_eq!(not_clear(&report), []);
    windows.traced = Some(true);
    assert!(Policy::strict().admit_host(&windows).is_err());
}

#[test]
fn core_dumps_are_closed_by_the_rules_of_the_kernel() {
    // Limit, pattern, dumpable: whether no dump is made.
    let cases = [
        (0, "core", true, true),
        (1, "core", true, true),
        (2, "core", false, false),
        (u64::MAX, "core", true, false),
        // The limit of 0 is not for programs; that of 1 is.
        (0, "|/usr/share/apport/apport %p", true, false),
        (1, "|/usr/share/apport/apport %p", true, true),
        (0, "|/usr/share/apport/apport %p", false, true),
        (1, "@/run/coredump.socket", true, false),
        (1, "@/run/coredump.socket", false, true),
        (0, "", true, true),
    ];
    for (limit, pattern, dumpable, closed) in cases {
        let mut host = closed_host();
        host.core_limit = Some(limit);
        host.core_pattern = Some(pattern.to_owned());
        host.dumpable = Some(dumpable);

        let report = Policy::strict().assess_host(&host);

        let status = report.finding(CheckId::HostCoreDumps).unwrap().status;
        assert_eq!(
            status == Status::Pass,
            closed,
            "{limit} {pattern} {dumpable}"
        );
    }
}

#[test]
fn variables_that_change_nothing_are_not_held_against_the_environment() {
    let harmless = [
        ("CUDA_MANAGED_FORCE_DEVICE_ALLOC", "0"),
        ("TF_FORCE_UNIFIED_MEMORY", "false"),
        ("CUDA_ENABLE_COREDUMP_ON_EXCEPTION", "0"),
        ("CUDA_ENABLE_CPU_COREDUMP_ON_EXCEPTION", "0"),
        (
            "PYTORCH_CUDA_ALLOC_CONF",
            "max_split_size_mb:64,backend:native",
        ),
        ("PYTORCH_ALLOC_CONF", "expandable_segments:False"),
        ("XLA_PYTHON_CLIENT_ALLOCATOR", "default"),
        ("LD_PRELOAD", ""),
        // It says where a core dump would go, and makes none.
        ("CUDA_COREDUMP_FILE", "/tmp/dump"),
    ];
    for (name, value) in harmless {
        let mut host = closed_host();
        set(&mut host, name, value);

        assert_eq!(
            not_clear(&Policy::strict().assess_host(&host)),
            [],
            "{name}"
        );
    }
}

#[test]
fn what_others_wrote_can_not_break_a_report_into_lines() {
    let mut machine = Machine::perfect();
    set(&mut machine.host, "LD_PRELOAD", "/x.so\n\u{1b}[32mpass");
    machine.host.kernel_release = Some("microsoft\nhost.wsl pass".to_owned());
    machine.host.core_pattern = Some("|x\r".to_owned());
    machine.device.management.unavailable = Some("no\nlibrary".to_owned());
    let mut other = crate::subjects::process(7, vram_policy::ProcessKind::Mps, false);
    other.name = Some("x\n".to_owned());
    machine.device.management.processes = Some(vec![other]);

    let report = machine.judged_by(&Policy::strict());

    for finding in report.findings() {
        assert!(
            !finding.to_string().contains(char::is_control),
            "{finding:?}"
        );
    }
}
