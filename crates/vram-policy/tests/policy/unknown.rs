//! What is not known: never passed, and by the strict profile never accepted without a word.

use proptest::prelude::*;
use serde_json::Value;
use vram_policy::{
    CheckId, DeviceFacts, Enforcement, HostFacts, Policy, RegionFacts, Status, Verdict,
};

use crate::subjects::{Machine, plain_region};

/// Facts that no check asks for: they are shown, or matter to something else than a verdict here.
const NOT_ASKED_FOR: &[&str] = &[
    "/device/name",
    "/device/uuid",
    "/device/managed_memory",
    "/device/can_map_host_memory",
    // Told where the host reaches the device's memory, which is refused by itself.
    "/device/concurrent_managed_access",
    // Said of cards that have such a thing; the driver's attributes and the slice itself decide.
    "/device/management/link/chip_to_chip",
    "/device/management/mig_mode",
    // What the residency proof compares with.
    "/device/management/link/generation",
    "/device/management/link/width",
    // Windows alone has it.
    "/device/tcc_driver",
];

/// Facts of which two say the same of different cards: one of them is enough.
const ONE_OF_TWO: &[&str] = &[
    "/device/management/row_remapping",
    "/device/management/pages_pending_retirement",
    // Without it, Windows may be what the host is; the other facts of the host still say what they say.
    "/host/system",
];

/// The paths of all facts that can be unknown.
fn observations() -> Vec<String> {
    fn walk(path: &str, value: &Value, all: &mut Vec<String>) {
        all.push(path.to_owned());
        if let Value::Object(fields) = value {
            for (name, value) in fields {
                walk(&format!("{path}/{name}"), value, all);
            }
        }
    }
    let perfect = serde_json::to_value(Machine::perfect()).unwrap();
    let mut all = Vec::new();
    walk("", &perfect, &mut all);
    all.retain(|path| perfect.pointer(path) != Some(&Value::Null) && without(&[path]).is_some());
    all
}

/// A perfect machine of which these facts are not known; nothing where one of them can't be unknown.
fn without(paths: &[&str]) -> Option<Machine> {
    let mut value = serde_json::to_value(Machine::perfect()).unwrap();
    for path in paths {
        if let Some(fact) = value.pointer_mut(path) {
            *fact = Value::Null;
        }
    }
    serde_json::from_value(value).ok()
}

#[test]
fn every_fact_but_the_listed_ones_is_asked_for_and_missed() {
    let observations = observations();
    assert!(observations.len() > 40, "{observations:?}");
    for path in &observations {
        let report = without(&[path]).unwrap().judged_by(&Policy::strict());

        let shrugged_at = NOT_ASKED_FOR.contains(&&**path) || ONE_OF_TWO.contains(&&**path);
        let accepted = report.verdict() == Verdict::Accepted;
        assert_eq!(accepted, shrugged_at, "{path}");
    }
}

#[test]
fn neither_word_on_bad_memory_is_no_word_at_all() {
    let machine = without(&[ONE_OF_TWO[0], ONE_OF_TWO[1]]).unwrap();

    let report = machine.judged_by(&Policy::strict());

    for id in [CheckId::DeviceRowRemapping, CheckId::DevicePageRetirement] {
        assert_eq!(report.finding(id).unwrap().status, Status::Unknown, "{id}");
    }
    assert_eq!(report.verdict(), Verdict::Undecided);
}

/// Covers: PO-1.
#[test]
fn of_nothing_known_nothing_passes() {
    let nothing = Machine {
        device: DeviceFacts::default(),
        host: HostFacts::default(),
        region: RegionFacts {
            expected_frozen: true,
            ..RegionFacts::unobserved(0, 1)
        },
    };
    for policy in [Policy::strict(), Policy::standard(), Policy::development()] {
        let report = nothing.judged_by(&policy);

        for finding in report.findings() {
            assert_eq!(finding.status, Status::Unknown, "{finding}");
        }
        assert!(policy.admit_device(&nothing.device).is_err());
        assert!(policy.admit_region(&nothing.region).is_err());
    }
    assert!(Policy::strict().admit_host(&nothing.host).is_err());
    let standard = Policy::standard().assess_host(&nothing.host);
    assert_eq!(standard.verdict(), Verdict::AcceptedWithWarnings);
}

#[test]
fn in_the_strict_profile_what_is_unknown_is_at_least_a_warning() {
    for id in CheckId::ALL {
        let policy = Policy::strict();
        assert!(
            policy.enforcement_when_unknown(*id) >= Enforcement::Warn,
            "{id}"
        );
    }
}

proptest! {
    /// Covers: PO-1.
    #[test]
    fn what_is_unknown_never_passes(picked in prop::collection::vec(any::<bool>(), 128)) {
        let observations = observations();
        let unknown: Vec<&str> = observations
            .iter()
            .zip(picked)
            .filter(|(path, picked)| *picked && path.matches('/').count() > 1)
            .map(|(path, _)| &**path)
            .collect();
        let Some(machine) = without(&unknown) else {
            return Ok(());
        };
        for policy in [Policy::strict(), Policy::standard(), Policy::development()] {
            let report = machine.judged_by(&policy);
            for finding in report.findings() {
                if finding.observed.contains("unknown") {
                    prop_assert!(!finding.is_clear(), "{}", finding);
                }
            }
        }
        let strict = machine.judged_by(&Policy::strict());
        if strict.findings().iter().any(|finding| finding.status == Status::Unknown) {
            prop_assert_ne!(strict.verdict(), Verdict::Accepted);
        }
    }
}

#[test]
fn a_report_on_a_region_has_as_many_findings_whatever_is_known() {
    let mut unknown = plain_region();
    unknown.memory = None;
    unknown.managed = None;
    unknown.access = None;

    for facts in [plain_region(), unknown] {
        for policy in [Policy::strict(), Policy::development()] {
            let findings = policy.assess_region(&facts).findings().len();
            assert_eq!(findings, Policy::REGION_FINDINGS);
        }
    }
}
