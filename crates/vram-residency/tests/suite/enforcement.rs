//! The device and the machine are judged when a manager is made: what refuses, what is told, what is
//! shown to have been lowered.

use std::sync::Arc;

use vram_observe::Witness;
use vram_policy::{Enforcement, Policy, Profile, Refusal, Status, Verdict};
use vram_residency::{Error, Manager};
use vram_sys::{CUresult, Function};

use crate::support::*;
use crate::witness::{blind, card, failing, sound};

fn under(
    policy: Policy,
    witness: impl Witness + 'static,
    recorder: &Arc<Recorder>,
) -> Result<Manager, Error> {
    builder()
        .policy(policy)
        .witness(Arc::new(witness))
        .observer(recorder.clone())
        .build(&platform(&card()))
}

fn refusal(built: Result<Manager, Error>) -> Refusal {
    match built {
        Err(Error::Policy(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sound_machine_is_accepted_under_every_profile() {
    for profile in Profile::ALL {
        let recorder = Recorder::new();
        let manager = under(Policy::new(*profile), sound(), &recorder).unwrap();

        assert_eq!(manager.policy().profile(), *profile);
        assert!(manager.device_report().verdict().accepts());
        assert_eq!(manager.host_report().verdict(), Verdict::Accepted);
        assert_eq!(recorder.count("policy_violation"), 0);
    }
}

#[test]
fn a_simulation_that_was_allowed_is_judged_as_on_a_developers_machine() {
    let machine = machine();

    let manager = builder().build(&platform(&machine)).unwrap();

    assert_eq!(manager.policy(), &Policy::development());
}

#[test]
fn a_policy_that_is_given_counts_for_a_simulation_too() {
    let recorder = Recorder::new();

    let refusal = refusal(under(Policy::strict(), failing(), &recorder));

    assert!(!refusal.findings().is_empty());
}

#[test]
fn a_failing_card_is_refused_as_the_profile_says() {
    for (policy, refused) in [
        (Policy::strict(), true),
        (Policy::standard(), true),
        (Policy::development(), false),
    ] {
        let recorder = Recorder::new();
        let built = under(policy, failing(), &recorder);

        if refused {
            let refusal = refusal(built);
            let told = recorder.told("policy_violation");
            assert_eq!(recorder.names(), ["policy_violation"]);
            assert_eq!(told[0]["checks"][0], refusal.findings()[0].id.as_str());
        } else {
            let manager = built.unwrap();
            let verdict = manager.device_report().verdict();
            assert_eq!(verdict, Verdict::AcceptedWithWarnings);
            let told = recorder.told("policy_warning");
            assert_eq!(told.len(), 1, "{}", recorder.json());
            assert_eq!(told[0]["findings"][0]["status"], "warn");
        }
    }
}

#[test]
fn a_traced_process_is_refused_whatever_its_device() {
    let recorder = Recorder::new();
    let traced = sound();
    traced.change_host(|host| host.traced = Some(true));

    let refusal = refusal(under(Policy::strict(), traced, &recorder));

    assert!(refusal.findings()[0].id.as_str().starts_with("host."));
}

#[test]
fn one_refusal_says_all_that_stands_in_the_way() {
    let recorder = Recorder::new();
    let both = failing();
    both.change_host(|host| host.traced = Some(true));

    let refusal = refusal(under(Policy::strict(), both, &recorder));

    let kinds = |kind: &str| {
        let mut ids = refusal.findings().iter().map(|finding| finding.id.as_str());
        ids.any(|id| id.starts_with(kind))
    };
    assert!(kinds("device.") && kinds("host."), "{refusal}");
    assert_eq!(recorder.count("policy_violation"), 1);
}

#[test]
fn what_nobody_can_say_is_refused_under_strict_and_warned_of_under_standard() {
    let recorder = Recorder::new();

    let refusal = refusal(under(Policy::strict(), blind(), &recorder));
    let manager = under(Policy::standard(), blind(), &recorder).unwrap();

    let unknown = |finding: &vram_policy::Finding| finding.status == Status::Unknown;
    assert!(refusal.findings().iter().all(unknown), "{refusal}");
    assert!(manager.device_report().findings().iter().any(unknown));
    assert_eq!(recorder.count("policy_warning"), 1);
}

/// Covers: PO-3.
#[test]
fn a_check_that_was_lowered_no_longer_refuses_and_the_report_shows_it() {
    let recorder = Recorder::new();
    let refusal = refusal(under(Policy::strict(), failing(), &recorder));
    let ids = refusal.findings().iter().map(|finding| finding.id);
    let lowered = ids.fold(Policy::strict(), |policy, id| {
        policy.with(id, Enforcement::Warn)
    });

    let manager = under(lowered, failing(), &recorder).unwrap();

    for refused in refusal.findings() {
        let finding = manager.device_report().finding(refused.id).unwrap();
        assert_eq!(finding.enforcement, Enforcement::Warn);
        assert_eq!(finding.raised_or_lowered_from, Some(Enforcement::Refuse));
    }
    let told = recorder.told("policy_warning");
    assert_eq!(told[0]["findings"][0]["raised_or_lowered_from"], "refuse");
}

#[test]
fn a_refused_construction_leaves_nothing_on_the_device() {
    let machine = card();
    let builder = builder()
        .policy(Policy::strict())
        .witness(Arc::new(failing()));
    machine.record();

    let error = builder.build(&platform(&machine)).unwrap_err();

    assert!(matches!(error, Error::Policy(_)), "{error}");
    assert!(error.is_policy_refusal() && error.is_fatal() && !error.is_retriable());
    let calls = machine.stop_recording();
    let loads = |call: &vram_sim::Call| {
        [Function::cuMemCreate, Function::cuModuleLoadDataEx].contains(&call.function)
    };
    assert!(!calls.iter().any(loads), "nothing is allocated or loaded");
    assert!(machine.live().is_empty(), "{:?}", machine.live());
}

#[test]
fn a_device_that_the_driver_no_longer_describes_is_refused_under_every_profile() {
    for profile in Profile::ALL {
        let machine = card();
        let device = platform(&machine).open(0).unwrap();
        let refused = CUresult::CUDA_ERROR_NOT_SUPPORTED;
        machine.fail_always(Function::cuDeviceGetAttribute, refused);
        let builder = builder()
            .policy(Policy::new(*profile))
            .witness(Arc::new(sound()));

        let refusal = refusal(builder.build_on(&device));

        assert!(refusal.names(vram_policy::CheckId::DeviceOwnMemory));
    }
}
