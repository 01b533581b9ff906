//! For any facts: a worse fact never improves the outcome.
//!
//! What "worse" means is said fact by fact, as a ladder: its first rung is as good as the fact can be, and
//! each further rung is no better than the one before. Where a fact is merely noted, not knowing it is the
//! last rung; everywhere else, seeing it wrong is.

use proptest::prelude::*;
use vram_policy::{
    Access, CheckId, ComputeMode, ConfidentialCompute, DriverModel, Enforcement, MemoryKind,
    OperatingSystem, Policy, ProcessKind, Profile, Report, RowRemapping, Virtualization,
};

use crate::subjects::{Machine, process, set};

type Rung = fn(&mut Machine);

/// A ladder of values for one fact, from the best to the worst.
macro_rules! ladder {
    ($machine:ident => $fact:expr; $($value:expr),+ $(,)?) => {
        vec![$((|$machine: &mut Machine| $fact = $value) as Rung),+]
    };
}

/// A variable of the environment: not set, or set so that it counts.
fn variable(set: Rung) -> Vec<Rung> {
    vec![|_| {}, set]
}

fn rows(pending: bool, failed: bool) -> Option<RowRemapping> {
    Some(RowRemapping {
        after_corrected: 0,
        after_uncorrected: 0,
        pending,
        failed,
    })
}

fn confidential(
    enabled: bool,
    developer_tools: bool,
    ready: Option<bool>,
) -> Option<ConfidentialCompute> {
    Some(ConfidentialCompute {
        enabled,
        developer_tools,
        ready,
    })
}

fn ladders() -> Vec<Vec<Rung>> {
    vec![
        ladder!(m => m.device.integrated; Some(false), None, Some(true)),
        ladder!(m => m.device.pageable_memory_access; Some(false), None, Some(true)),
        ladder!(m => m.device.pageable_memory_access_uses_host_page_tables; Some(false), None, Some(true)),
        ladder!(m => m.device.direct_managed_access_from_host; Some(false), None, Some(true)),
        ladder!(m => m.device.concurrent_managed_access; Some(false), None, Some(true)),
        ladder!(m => m.device.management.link.chip_to_chip; Some(false), None, Some(true)),
        ladder!(m => m.device.compute_capability;
            Some((10, 0)), Some((7, 5)), None, Some((7, 4)), Some((6, 9)), Some((0, 0))),
        ladder!(m => m.device.cuda_driver_version;
            Some(13_000), Some(12_000), None, Some(11_990), Some(0)),
        ladder!(m => m.device.virtual_memory_management; Some(true), None, Some(false)),
        ladder!(m => m.device.ecc_enabled; Some(true), None, Some(false)),
        ladder!(m => m.device.peers; Some(vec![]), Some(vec![1]), Some(vec![1, 2]), None),
        ladder!(m => m.device.management.unavailable; None, Some("not found".to_owned())),
        ladder!(m => m.device.management.driver_version; Some("580".to_owned()), None),
        ladder!(m => m.device.management.ecc.current; Some(true), None, Some(false)),
        ladder!(m => m.device.management.ecc.pending; Some(true), None, Some(false)),
        ladder!(m => m.device.management.ecc.corrected; Some(0), None, Some(1), Some(u64::MAX)),
        ladder!(m => m.device.management.ecc.uncorrected; Some(0), None, Some(1), Some(u64::MAX)),
        ladder!(m => m.device.management.ecc.uncorrected_lifetime; Some(0), None, Some(1)),
        ladder!(m => m.device.management.row_remapping;
            rows(false, false), None, rows(true, false), rows(true, true)),
        ladder!(m => m.device.management.pages_pending_retirement; Some(false), None, Some(true)),
        ladder!(m => m.device.management.mig_slice; Some(false), Some(true), None),
        ladder!(m => m.device.management.mig_mode; Some(false), None, Some(true)),
        ladder!(m => m.device.management.virtualization;
            Some(Virtualization::None), Some(Virtualization::Passthrough), None,
            Some(Virtualization::VgpuHost), Some(Virtualization::VgpuGuest),
            Some(Virtualization::Other(7))),
        // A system that claims to be confidential and isn't is worse than one that claims nothing.
        ladder!(m => m.device.management.confidential_compute;
            confidential(true, false, Some(true)), confidential(false, false, None), None,
            confidential(true, false, None), confidential(true, false, Some(false)),
            confidential(true, true, Some(false))),
        ladder!(m => m.device.management.persistence_mode; Some(true), None, Some(false)),
        ladder!(m => m.device.management.compute_mode;
            Some(ComputeMode::ExclusiveProcess), Some(ComputeMode::Default),
            Some(ComputeMode::Prohibited), None),
        ladder!(m => m.device.management.processes;
            Some(vec![]),
            Some(vec![process(1, ProcessKind::Compute, true)]),
            Some(vec![process(7, ProcessKind::Compute, false)]),
            None,
            Some(vec![process(7, ProcessKind::Mps, false)])),
        ladder!(m => m.host.dxg_device; Some(false), None, Some(true)),
        ladder!(m => m.host.kernel_release;
            Some("6.8.0".to_owned()), None, Some("5.15.0-microsoft-standard-WSL2".to_owned())),
        ladder!(m => m.host.mps_daemon; Some(false), None, Some(true)),
        ladder!(m => m.host.heterogeneous_memory_management; Some(false), Some(true), None),
        ladder!(m => m.host.core_limit; Some(1), Some(0), None, Some(2), Some(u64::MAX)),
        ladder!(m => m.host.core_pattern;
            Some(String::new()), Some("core".to_owned()), Some("|/usr/bin/x".to_owned()),
            Some("@/run/x".to_owned())),
        ladder!(m => m.host.dumpable; Some(false), None, Some(true)),
        ladder!(m => m.host.ptrace_scope; Some(3), Some(1), None, Some(0)),
        ladder!(m => m.host.traced; Some(false), None, Some(true)),
        variable(|m| set(&mut m.host, "CUDA_ENABLE_COREDUMP_ON_EXCEPTION", "1")),
        variable(|m| set(&mut m.host, "CUDA_INJECTION64_PATH", "/x.so")),
        variable(|m| set(&mut m.host, "CUDA_MANAGED_FORCE_DEVICE_ALLOC", "1")),
        variable(|m| set(&mut m.host, "CUDA_MPS_PIPE_DIRECTORY", "/tmp")),
        variable(|m| set(&mut m.host, "CUDA_VISIBLE_DEVICES", "1")),
        variable(|m| set(&mut m.host, "GGML_CUDA_ENABLE_UNIFIED_MEMORY", "")),
        variable(|m| set(&mut m.host, "LD_LIBRARY_PATH", "/opt")),
        variable(|m| set(&mut m.host, "LD_PRELOAD", "/x.so")),
        variable(|m| {
            set(
                &mut m.host,
                "PYTORCH_CUDA_ALLOC_CONF",
                "backend:cudaMallocAsync",
            );
        }),
        ladder!(m => m.region.memory; Some(MemoryKind::Device), None, Some(MemoryKind::Host)),
        ladder!(m => m.region.device_ordinal; Some(1), None, Some(0)),
        ladder!(m => m.region.starts_at_region; Some(true), None, Some(false)),
        ladder!(m => m.region.reported_size; Some(4 << 20), None, Some(8 << 20)),
        ladder!(m => m.region.managed; Some(false), None, Some(true)),
        ladder!(m => m.region.host_alias; Some(false), None, Some(true)),
        ladder!(m => m.region.legacy_ipc; Some(false), None, Some(true)),
        ladder!(m => m.region.export_handle_types; Some(0), None, Some(1)),
        ladder!(m => m.region.access; Some(Access::Read), None, Some(Access::ReadWrite)),
    ]
}

/// How far down each ladder two machines stand: the first nowhere further than the second. Most stay at
/// the top, so that single facts decide.
fn positions() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    let position = |ladder: Vec<Rung>| {
        let len = ladder.len();
        prop_oneof![6 => Just((0, 0)), 1 => (0..len, 0..len)]
    };
    let all: Vec<_> = ladders().into_iter().map(position).collect();
    all.prop_map(|pairs| pairs.into_iter().map(|(a, b)| (a.min(b), a.max(b))).unzip())
}

fn machine(positions: &[usize]) -> Machine {
    let mut machine = Machine::perfect();
    for (ladder, position) in ladders().iter().zip(positions) {
        let rung = ladder.get(*position).unwrap();
        rung(&mut machine);
    }
    machine
}

fn profile() -> impl Strategy<Value = Profile> {
    prop::sample::select(Profile::ALL)
}

/// A policy of any profile with anything raised and lowered.
fn policies() -> impl Strategy<Value = Policy> {
    let change = (
        prop::sample::select(CheckId::ALL),
        prop::sample::select(Enforcement::ALL),
    );
    (profile(), prop::collection::vec(change, 0..20)).prop_map(|(profile, changes)| {
        changes
            .into_iter()
            .fold(Policy::new(profile), |policy, (id, enforcement)| {
                policy.with(id, enforcement)
            })
    })
}

fn assert_no_better(worse: &Report, better: &Report) {
    assert!(
        worse.verdict() >= better.verdict(),
        "{:#?}\n{:#?}",
        worse.findings(),
        better.findings()
    );
    assert!(worse.enforce().is_err() || better.enforce().is_ok());
}

proptest! {
    // The facts are many, and a case is quick.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(1024),
        ..ProptestConfig::default()
    })]

    /// Covers: PO-2.
    #[test]
    fn a_worse_machine_is_never_judged_better((better, worse) in positions(), profile in profile()) {
        let policy = Policy::new(profile);

        let [better, worse] = [better, worse].map(|at| machine(&at).judged_by(&policy));

        assert_no_better(&worse, &better);
    }

    /// Covers: PO-2.
    #[test]
    fn a_fact_that_is_not_as_good_as_it_can_be_never_helps_whatever_is_configured(
        (base, down) in positions(),
        policy in policies(),
    ) {
        // Facts that are bad already stay as they are: which of two bad values is worse depends on how
        // failing and not knowing count, and that is what is configured.
        let worse: Vec<usize> = base
            .iter()
            .zip(&down)
            .map(|(base, down)| if *base == 0 { *down } else { *base })
            .collect();

        let [better, worse] = [base, worse].map(|at| machine(&at).judged_by(&policy));

        assert_no_better(&worse, &better);
    }

    /// Covers: PO-2.
    #[test]
    fn a_stricter_profile_never_accepts_more((positions, _) in positions()) {
        let machine = machine(&positions);
        let [strict, standard, development] = [Policy::strict(), Policy::standard(), Policy::development()]
            .map(|policy| machine.judged_by(&policy));

        prop_assert!(strict.verdict() >= standard.verdict());
        prop_assert!(standard.verdict() >= development.verdict());
    }

    #[test]
    fn a_region_is_accepted_by_any_profile_exactly_when_every_fact_is_as_wanted(
        (positions, _) in positions(),
        profile in profile(),
    ) {
        let region = machine(&positions).region;
        let wanted = region == Machine::perfect().region;

        prop_assert_eq!(Policy::new(profile).admit_region(&region).is_ok(), wanted);
    }
}

#[test]
fn on_windows_a_worse_driver_model_is_never_judged_better() {
    let models = [
        Some(DriverModel::Tcc),
        None,
        Some(DriverModel::Other(9)),
        Some(DriverModel::Mcdm),
        Some(DriverModel::Wddm),
    ];
    let attributes = [Some(true), None, Some(false)];
    let judged = |model: usize, attribute: usize| {
        let mut machine = Machine::perfect();
        machine.device.system = Some(OperatingSystem::Windows);
        machine.device.management.driver_model = models[model];
        machine.device.tcc_driver = attributes[attribute];
        Policy::strict().assess_device(&machine.device)
    };
    for model in 0..models.len() {
        for attribute in 0..attributes.len() {
            let better = judged(model, attribute);
            for worse_model in model..models.len() {
                for worse_attribute in attribute..attributes.len() {
                    assert_no_better(&judged(worse_model, worse_attribute), &better);
                }
            }
        }
    }
    assert!(judged(0, 0).enforce().is_ok());
    assert!(judged(1, 0).enforce().is_ok());
    assert!(judged(1, 1).enforce().is_err());
}
