//! What changes while a manager lives is seen when it looks again, by hand or by itself.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use vram_observe::ManagementFunction;
use vram_observe::{Card, Witness};
use vram_policy::{CheckId, HostFacts, ManagementFacts, Policy};
use vram_residency::{Error, Manager, ManagerBuilder};
use vram_sim::{Machine, ManagedCardModel, ManagementFault, SimulatedWitness};
use vram_sys::{CUdevice_attribute, CUresult, Function};

use crate::support::*;
use crate::witness::{card, process, sound};

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// As often as can be.
const ALWAYS: Duration = Duration::from_nanos(1);

fn watched(
    machine: &Machine,
    witness: &Arc<SimulatedWitness>,
    recorder: &Arc<Recorder>,
) -> Manager {
    let builder = watched_by(witness.clone()).observer(recorder.clone());
    builder.build(&platform(machine)).unwrap()
}

fn watched_by(witness: Arc<dyn Witness>) -> ManagerBuilder {
    builder().policy(Policy::strict()).witness(witness)
}

type Change = fn(&SimulatedWitness);

fn card_has(witness: &SimulatedWitness, happened: impl FnOnce(&mut ManagedCardModel)) {
    witness.library().change(0, happened).unwrap();
}

/// Each of these alone ends the trust in a device or a machine that was sound, by this check at least.
const BAD_NEWS: &[(CheckId, &str, Change)] = &[
    (
        CheckId::DeviceEccErrors,
        "an error that ECC could not correct",
        |witness| {
            card_has(witness, |card| {
                card.ecc_errors.as_mut().unwrap().uncorrected = 1;
            });
        },
    ),
    (
        CheckId::DeviceRowRemapping,
        "a row that waits for its repair",
        |witness| {
            card_has(witness, |card| {
                card.remapped_rows.as_mut().unwrap().pending = true;
            });
        },
    ),
    (
        CheckId::DeviceRowRemapping,
        "a row that can't be repaired",
        |witness| {
            card_has(witness, |card| {
                card.remapped_rows.as_mut().unwrap().failed = true;
            });
        },
    ),
    (
        CheckId::DevicePageRetirement,
        "a page that waits for its retirement",
        |witness| {
            card_has(witness, |card| card.pages_pending_retirement = Some(true));
        },
    ),
    (
        CheckId::DeviceManagementLibrary,
        "a card that fell off the bus",
        |witness| {
            card_has(witness, |card| card.lost = true);
        },
    ),
    (
        CheckId::DeviceEccErrors,
        "errors that nobody may count any more",
        |witness| {
            let errors = ManagementFunction::nvmlDeviceGetTotalEccErrors;
            let library = witness.library();
            library.fail_always(errors, ManagementFault::NoPermission);
        },
    ),
    (CheckId::HostTraced, "a debugger", |witness| {
        witness.change_host(|host| host.traced = Some(true));
    }),
    (CheckId::HostCoreDumps, "core dumps", |witness| {
        witness.change_host(|host| host.core_limit = Some(u64::MAX));
    }),
    (
        CheckId::HostDumpable,
        "a process that can be dumped",
        |witness| {
            witness.change_host(|host| host.dumpable = Some(true));
        },
    ),
    (
        CheckId::HostTraced,
        "a system that says nothing any more",
        |witness| {
            witness.change_host(|host| *host = HostFacts::default());
        },
    ),
];

#[test]
fn bad_news_stops_the_manager() {
    for (check, news, change) in BAD_NEWS {
        let (machine, recorder) = (card(), Recorder::new());
        let witness = Arc::new(sound());
        let manager = watched(&machine, &witness, &recorder);
        let shard = seal(&manager, "one", &weights(5000));
        let verified = manager.verify(&shard).unwrap();
        assert!(manager.recheck().unwrap().verdict().accepts(), "{news}");
        assert!(verified.permit.device_address().is_ok());

        change(&witness);
        let error = manager.recheck().unwrap_err();

        let Error::Policy(refusal) = &error else {
            panic!("{news}: {error}")
        };
        assert!(refusal.names(*check), "{news}: {refusal}");
        assert_eq!(recorder.count("policy_violation"), 1, "{news}");
        assert_eq!(manager.stop_reason(), Some(&*error.to_string()), "{news}");
        assert!(
            matches!(verified.permit.device_address(), Err(Error::Stopped { .. })),
            "{news}: what was permitted before is permitted no more"
        );
        assert!(matches!(manager.verify(&shard), Err(Error::Stopped { .. })));
    }
}

#[test]
fn good_news_does_not_start_a_stopped_manager() {
    let (machine, recorder) = (card(), Recorder::new());
    let witness = Arc::new(sound());
    let manager = watched(&machine, &witness, &recorder);
    witness.change_host(|host| host.traced = Some(true));
    assert!(manager.recheck().is_err());

    witness.change_host(|host| host.traced = Some(false));

    assert!(manager.recheck().is_ok(), "it can still be looked at");
    assert!(manager.stop_reason().is_some());
}

#[test]
fn a_warning_is_told_when_it_is_new_and_when_it_has_changed() {
    let (machine, recorder) = (card(), Recorder::new());
    let witness = Arc::new(sound());
    let manager = watched(&machine, &witness, &recorder);
    let told = || {
        manager.recheck().unwrap();
        let told = recorder.told("policy_warning");
        let of_errors = |event: &&serde_json::Value| event.to_string().contains("corrected");
        told.iter().filter(of_errors).count()
    };
    let corrected = |errors| {
        card_has(&witness, |card| {
            card.ecc_errors.as_mut().unwrap().corrected = errors;
        });
    };
    let before = told();

    corrected(3);
    assert_eq!(told(), before + 1, "new");
    assert_eq!(told(), before + 1, "the same");
    corrected(4);
    assert_eq!(told(), before + 2, "changed");
    corrected(0);
    assert_eq!(told(), before + 2, "gone");
    corrected(4);
    assert_eq!(told(), before + 3, "new again");
    assert_eq!(manager.stop_reason(), None);
}

#[test]
fn a_process_that_comes_to_the_card_is_told() {
    let (machine, recorder) = (card(), Recorder::new());
    let witness = Arc::new(sound());
    let manager = watched(&machine, &witness, &recorder);
    recorder.forget();

    card_has(&witness, |card| {
        card.processes = Some(vec![process(4711, Some("stranger"), Some(1 << 30))]);
    });
    manager.recheck().unwrap();

    let told = recorder.told("policy_warning");
    assert_eq!(told.len(), 1, "{}", recorder.json());
    assert_eq!(told[0]["findings"][0]["id"], "device.other-processes");
    let observed = told[0]["findings"][0]["observed"].as_str().unwrap();
    assert!(observed.contains("4711"), "{observed}");
    assert_eq!(manager.stop_reason(), None);
}

#[test]
fn what_the_driver_says_of_the_device_is_asked_again() {
    let (machine, recorder) = (card(), Recorder::new());
    let manager = watched(&machine, &Arc::new(sound()), &recorder);
    let integrated = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED;
    machine.set_device_attribute(0, integrated, 1).unwrap();

    let error = manager.recheck().unwrap_err();

    let Error::Policy(refusal) = &error else {
        panic!("{error}")
    };
    assert!(refusal.names(CheckId::DeviceOwnMemory));
}

#[test]
fn a_driver_that_answers_no_more_is_an_unknown_and_refused_under_every_profile() {
    for policy in [Policy::strict(), Policy::development()] {
        let (machine, recorder) = (card(), Recorder::new());
        let builder = builder().policy(policy).witness(Arc::new(sound()));
        let manager = builder
            .observer(recorder.clone())
            .build(&platform(&machine))
            .unwrap();
        let refused = CUresult::CUDA_ERROR_NOT_SUPPORTED;
        machine.fail_nth(Function::cuMemGetInfo_v2, 1, refused);

        let error = manager.recheck().unwrap_err();

        let Error::Policy(refusal) = &error else {
            panic!("{error}")
        };
        assert!(refusal.names(CheckId::DeviceOwnMemory), "{refusal}");
        assert_eq!(recorder.count("policy_violation"), 1);
        assert!(manager.stop_reason().is_some());
    }
}

#[test]
fn a_lost_device_stops_the_manager_when_it_looks_again() {
    let (machine, recorder) = (card(), Recorder::new());
    let manager = watched(&machine, &Arc::new(sound()), &recorder);
    machine.lose_context(0).unwrap();

    let error = manager.recheck().unwrap_err();

    assert!(
        matches!(error, Error::Memory(_)) && error.is_fatal(),
        "{error}"
    );
    assert!(manager.stop_reason().is_some());
}

/// Lets a test follow the thread that asks: each look is told, and so is the thread's end.
#[derive(Debug)]
struct Followed {
    told: SimulatedWitness,
    looks: Mutex<Sender<()>>,
    ends: Mutex<Sender<()>>,
    /// Panics at each look but the first, which is construction's.
    panics: bool,
}

struct End(Sender<()>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

thread_local! {
    static END: RefCell<Option<End>> = const { RefCell::new(None) };
}

impl Followed {
    fn new(panics: bool) -> (Arc<Self>, Receiver<()>, Receiver<()>) {
        let (looks, looked) = channel();
        let (ends, ended) = channel();
        let followed = Self {
            told: sound(),
            looks: Mutex::new(looks),
            ends: Mutex::new(ends),
            panics,
        };
        (Arc::new(followed), looked, ended)
    }
}

impl Witness for Followed {
    fn host(&self) -> HostFacts {
        let again = self.told.looks_at_host() > 0;
        let facts = self.told.host();
        if again {
            let end = || End(self.ends.lock().unwrap().clone());
            END.with_borrow_mut(|place| drop(place.get_or_insert_with(end).0.clone()));
            self.looks.lock().unwrap().send(()).ok();
            assert!(!self.panics, "the witness has a bad day");
        }
        facts
    }

    fn management(&self, card: &Card<'_>) -> ManagementFacts {
        self.told.management(card)
    }
}

#[test]
fn a_manager_looks_again_by_itself_and_its_thread_ends_with_it() {
    let machine = card();
    let (witness, looked, ended) = Followed::new(false);
    let builder = watched_by(witness.clone()).recheck_every(ALWAYS);
    let manager = builder.build(&platform(&machine)).unwrap();
    for _ in 0..3 {
        looked.recv().unwrap();
    }
    let clone = manager.clone();
    drop(manager);
    looked.try_iter().for_each(drop);
    looked.recv().unwrap();

    drop(clone);

    ended.recv().unwrap();
}

#[test]
fn a_manager_that_looks_again_seldom_is_dropped_at_once() {
    let machine = card();
    let (witness, looked, _) = Followed::new(false);
    let builder = watched_by(witness.clone()).recheck_every(NEVER);
    let manager = builder.build(&platform(&machine)).unwrap();

    drop(manager);

    assert!(looked.try_recv().is_err(), "nobody has looked");
    assert!(machine.live().is_empty(), "{:?}", machine.live());
    assert_eq!(Arc::strong_count(&witness), 1, "nobody keeps the witness");
}

#[test]
fn bad_news_that_comes_by_itself_stops_the_manager_and_ends_its_thread() {
    let (machine, recorder) = (card(), Recorder::new());
    let (witness, looked, ended) = Followed::new(false);
    let builder = watched_by(witness.clone()).recheck_every(ALWAYS);
    let manager = builder
        .observer(recorder.clone())
        .build(&platform(&machine))
        .unwrap();
    let shard = seal(&manager, "one", &weights(5000));
    looked.recv().unwrap();

    witness.told.change_host(|host| host.traced = Some(true));

    ended.recv().unwrap();
    assert!(matches!(manager.verify(&shard), Err(Error::Stopped { .. })));
    assert_eq!(recorder.count("policy_violation"), 1);
}

#[test]
fn a_witness_that_panics_stops_the_manager() {
    let machine = card();
    let (witness, looked, ended) = Followed::new(true);
    let builder = watched_by(witness.clone()).recheck_every(ALWAYS);
    let manager = builder.build(&platform(&machine)).unwrap();

    looked.recv().unwrap();

    ended.recv().unwrap();
    let reason = manager.stop_reason().unwrap();
    assert!(reason.contains("panicked"), "{reason}");
}

#[test]
fn an_interval_of_no_time_is_refused() {
    let machine = card();

    let built = builder()
        .recheck_every(Duration::ZERO)
        .build(&platform(&machine));

    let Err(error) = built else { panic!() };
    let text = error.to_string();
    assert!(text.contains("the interval of re-checks"), "{text}");
    assert!(!error.is_fatal());
}
