//! The audit trail: what is in it, when, and what happens where it can't be kept.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vram_audit::{
    Ending, Options, Overload, Record, Records, Source, Store, Trail, Verifier, files_of,
};
use vram_residency::{
    EVENT_SCHEMA, Error, Event, Manager, Observer, ObserverError, SealRequest, TrailObserver,
};
use vram_seal::evidence::Challenge;
use vram_seal::{Digest, SealKey, SigningKey};

use crate::support::*;

/// The Ed25519 key of a fixed seed, in PKCS #8 as RFC 8410 lays it down.
pub(crate) fn key() -> SigningKey {
    const PREFIX: [u8; 16] = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    SigningKey::from_pkcs8_der(&[&PREFIX[..], &[7; 32]].concat()).unwrap()
}

fn trail_at(path: &Path) -> Arc<TrailObserver> {
    let options = Options::new("suite").unwrap();
    Arc::new(TrailObserver::new(
        Trail::open(path, key(), options).unwrap(),
    ))
}

/// The records of a trail that is intact.
pub(crate) fn records(path: &Path) -> (Vec<Record>, Ending) {
    let files = files_of(path).unwrap();
    let verdict = Verifier::new([key().verifying_key().clone()])
        .verify_files(&files)
        .unwrap();
    assert!(verdict.is_intact(), "{verdict:?}");
    let records = Records::new(files.into_iter().map(Source::file));
    let records = records.map(Result::unwrap).collect();
    (records, verdict.summary().ending)
}

fn names(records: &[Record]) -> Vec<&str> {
    let told = records.iter().map(Record::name);
    let told =
        told.filter(|name| !["genesis", "opened", "checkpoint", "policy_warning"].contains(name));
    told.collect()
}

/// Covers: RP-005.
#[test]
fn a_life_is_recorded_from_start_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = trail_at(&path);
    let machine = machine();
    let manager = builder().observer(audit.clone()).build(&platform(&machine));
    let manager = manager.unwrap();
    let bytes = weights(100_000);

    let shard = seal(&manager, "one", &bytes);
    manager.verify(&shard).map(drop).unwrap();
    manager.recheck().unwrap();
    manager
        .seal(SealRequest::bytes(id("two"), b""))
        .unwrap_err();
    machine
        .flip_bit(allocation_of(&machine, &bytes), 5, 5)
        .unwrap();
    manager.verify(&shard).map(drop).unwrap_err();
    drop(shard);
    drop(manager);
    audit.close().unwrap();

    let (records, ending) = records(&path);
    assert_eq!(ending, Ending::Closed);
    assert_eq!(
        names(&records),
        [
            "manager_started",
            "manager_ready",
            "allocated",
            "sealed",
            "verified",
            "rechecked",
            "refused",
            "verification_failed",
            "manager_stopped",
            "freed",
            "manager_ended",
        ]
    );
    let sealed = records.iter().find(|record| record.name() == "sealed");
    let sealed = sealed.unwrap();
    assert_eq!(sealed.shard(), Some("one"));
    assert_eq!(sealed.event["record"]["size"], 100_000);
    assert!(sealed.event["duration_ns"].is_u64());
    let event = |record: &&Record| record.kind == vram_audit::Kind::Event;
    for record in records.iter().filter(event) {
        assert_eq!(record.event["schema"], EVENT_SCHEMA, "{record:?}");
        let is_critical = [
            "manager_started",
            "manager_ready",
            "sealed",
            "verification_failed",
            "manager_stopped",
            "manager_ended",
        ]
        .contains(&record.name());
        assert_eq!(record.critical, is_critical, "{record:?}");
    }
}

#[test]
fn a_refused_device_is_recorded_with_what_the_policy_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = trail_at(&path);

    let built = builder()
        .policy(vram_policy::Policy::strict())
        .observer(audit.clone())
        .build(&platform(&machine()));

    assert!(matches!(built, Err(Error::Policy(_))), "{built:?}");
    audit.close().unwrap();
    let (records, _) = records(&path);
    assert_eq!(
        names(&records),
        ["manager_started", "policy_violation", "manager_refused"]
    );
}

#[test]
fn a_new_key_and_evidence_are_on_record_before_they_are_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = trail_at(&path);
    let machine = machine();
    let manager = builder().observer(audit.clone()).build(&platform(&machine));
    let manager = manager.unwrap();
    let shard = seal(&manager, "one", &weights(5000));
    let before = manager.key_id().to_string();

    let secret = SealKey::from_bytes(&[9; 32]).unwrap();
    let now = manager
        .rotate(secret.into(), Duration::from_secs(60))
        .unwrap();
    let challenge = Challenge::from_bytes(&[3; 32]).unwrap();
    let attestation = manager.attest([&shard], challenge, &key()).unwrap();

    // Nothing was closed: they are on disk because they are critical.
    let (records, ending) = records(&path);
    assert_eq!(ending, Ending::Open);
    let told = |name: &str| {
        let mut found = records.iter().filter(|record| record.name() == name);
        found.next().unwrap().event.clone()
    };
    let rotated = told("key_rotated");
    assert_eq!(rotated["key_id"], now.to_string());
    assert_eq!(rotated["previous_key_id"], before);
    let made = told("evidence_made");
    assert_eq!(made["shards"], 1);
    assert_eq!(made["challenge"], challenge.to_string());
    assert_eq!(made["key_id"], key().verifying_key().id().to_string());
    let statement = attestation.statement().to_json().unwrap();
    assert_eq!(made["statement"], Digest::of(&statement).to_string());
}

/// Covers: AU-4.
#[test]
fn evidence_that_is_not_recorded_is_not_given_out() {
    let (_machine, manager, _) = failing_at("evidence_made");
    let shard = seal(&manager, "one", &weights(5000));
    let challenge = Challenge::from_bytes(&[3; 32]).unwrap();

    let refused = manager.attest([&shard], challenge, &key());

    let error = refused.map(drop).unwrap_err();
    assert!(matches!(error, Error::Unrecorded { .. }), "{error:?}");
    assert!(manager.stop_reason().is_some());
}

/// Covers: VU-1.
#[test]
fn no_device_address_is_in_a_trail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = trail_at(&path);
    let machine = machine();
    let manager = builder().observer(audit.clone()).build(&platform(&machine));
    let manager = manager.unwrap();
    let bytes = weights(100_000);
    let shard = seal(&manager, "one", &bytes);
    let permit = manager.verify(&shard).unwrap().permit;
    let address = permit.device_address().unwrap().as_raw();
    machine
        .flip_bit(allocation_of(&machine, &bytes), 5, 5)
        .unwrap();
    manager.verify(&shard).map(drop).unwrap_err();
    drop(shard);
    drop(manager);
    audit.close().unwrap();

    let text = std::fs::read_to_string(&path).unwrap();

    for form in [format!("{address:x}"), address.to_string()] {
        assert!(!text.contains(&form));
    }
    assert!(!text.contains(str::from_utf8(&KEY).unwrap()));
}

#[test]
fn a_trail_that_is_closed_before_its_manager_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let audit = trail_at(&folder.path().join("audit.jsonl"));
    let machine = machine();
    let manager = builder().observer(audit.clone()).build(&platform(&machine));
    let manager = manager.unwrap();
    let shard = seal(&manager, "one", &weights(5000));

    audit.close().unwrap();

    let error = manager.verify(&shard).map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unrecorded {
                event: "verified",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(manager.stop_reason().is_some());
    assert!(audit.health().is_err());
    assert!(audit.close().is_err());
}

/// A store that fails once it is told to.
#[derive(Debug)]
struct Failing(Arc<AtomicBool>);

impl Store for Failing {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        if self.0.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn next_file(&mut self, _: u32) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that takes nothing while somebody else holds it.
struct Held(Arc<Mutex<()>>);

impl Store for Held {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        drop(self.0.lock().unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn next_file(&mut self, _: u32) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn routine_events_that_a_slow_disk_can_not_take_are_counted() {
    let disk = Arc::new(Mutex::new(()));
    let options = Options::new("suite").unwrap();
    let options = options
        .queue(1, 1 << 20)
        .patience(Duration::ZERO)
        .overload(Overload::DropRoutine);
    let trail = Trail::begin_in(Held(Arc::clone(&disk)), key(), options).unwrap();
    let audit = TrailObserver::new(trail);
    assert_eq!(audit.dropped(), Some(0));
    let shown = format!("{audit:?}");
    assert!(shown.contains(&format!("id: {:?}", audit.id())), "{shown}");
    assert!(shown.starts_with("TrailObserver {"), "{shown}");

    let held = disk.lock().unwrap();
    for _ in 0..4 {
        audit.on_event(&Event::Rechecked { warnings: 0 }).unwrap();
    }
    // The first one fills the queue until the disk has it.
    assert_eq!(audit.dropped(), Some(3));
    drop(held);

    audit.close().unwrap();
    assert_eq!(audit.dropped(), None);
}

#[test]
fn a_full_disk_refuses_the_seal_and_stops_the_manager() {
    let full = Arc::new(AtomicBool::new(false));
    let store = Failing(Arc::clone(&full));
    let trail = Trail::begin_in(store, key(), Options::new("suite").unwrap()).unwrap();
    let audit = Arc::new(TrailObserver::new(trail));
    let machine = machine();
    let manager = builder().observer(audit.clone()).build(&platform(&machine));
    let manager = manager.unwrap();
    full.store(true, Ordering::SeqCst);

    let refused = manager.seal(SealRequest::bytes(id("one"), &weights(5000)));

    let error = refused.unwrap_err();
    assert!(matches!(error, Error::Unrecorded { .. }), "{error:?}");
    assert!(error.is_fatal() && !error.is_retriable());
    assert_eq!(manager.capacity().unwrap().used.0, 0);
    let after = manager.seal(SealRequest::bytes(id("two"), &weights(5000)));
    assert!(matches!(after, Err(Error::Stopped { .. })));
}

/// Fails at every event of one name, and keeps the names of all.
#[derive(Debug)]
struct FailingAt {
    name: &'static str,
    heard: Mutex<Vec<&'static str>>,
}

impl FailingAt {
    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            heard: Mutex::default(),
        })
    }
}

impl Observer for FailingAt {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        self.heard.lock().unwrap().push(event.name());
        if event.name() == self.name {
            return Err("the ink is out".into());
        }
        Ok(())
    }
}

fn failing_at(name: &'static str) -> (vram_sim::Machine, Manager, Arc<FailingAt>) {
    let machine = machine();
    let observer = FailingAt::new(name);
    let manager = builder().observer(observer.clone());
    let manager = manager.build(&platform(&machine)).unwrap();
    (machine, manager, observer)
}

/// Covers: AU-4.
#[test]
fn a_shard_whose_seal_or_memory_is_not_recorded_is_not_given_out() {
    for name in ["allocated", "sealed"] {
        let (_machine, manager, observer) = failing_at(name);

        let refused = manager.seal(SealRequest::bytes(id("one"), &weights(5000)));

        let error = refused.unwrap_err();
        assert!(
            matches!(&error, Error::Unrecorded { event, .. } if *event == name),
            "{error:?}"
        );
        assert!(error.to_string().contains("the ink is out"), "{error}");
        assert_eq!(manager.capacity().unwrap().used.0, 0, "{name}");
        assert!(manager.shard_ids().is_empty());
        assert!(manager.stop_reason().unwrap().contains(name));
        let heard = observer.heard.lock().unwrap().clone();
        let stopped = heard.iter().filter(|name| **name == "manager_stopped");
        assert_eq!(stopped.count(), 1, "{heard:?}");
    }
}

/// Covers: AU-4.
#[test]
fn a_verification_that_is_not_recorded_permits_nothing() {
    let (_machine, manager, _) = failing_at("verified");
    let shard = seal(&manager, "one", &weights(5000));

    let together = manager.verify_all([&shard]).unwrap();

    assert!(!together.passed());
    assert!(matches!(
        together.into_permits(),
        Err(Error::Unrecorded {
            event: "verified",
            ..
        })
    ));
    let alone = manager.verify(&shard).map(drop);
    assert!(matches!(alone, Err(Error::Stopped { .. })), "{alone:?}");
}

#[test]
fn a_recheck_that_is_not_recorded_stops_the_manager() {
    let (_machine, manager, _) = failing_at("rechecked");

    let error = manager.recheck().unwrap_err();

    assert!(matches!(error, Error::Unrecorded { .. }), "{error:?}");
    assert!(manager.stop_reason().is_some());
}

#[test]
fn freed_memory_that_is_not_recorded_stops_the_manager() {
    let (_machine, manager, _) = failing_at("freed");

    drop(seal(&manager, "one", &weights(5000)));

    assert!(manager.stop_reason().unwrap().contains("freed"));
    assert_eq!(manager.capacity().unwrap().used.0, 0);
}

#[test]
fn a_failure_that_is_not_recorded_is_told_as_what_it_is() {
    let (machine, manager, observer) = failing_at("verification_failed");
    let bytes = weights(5000);
    let shard = seal(&manager, "one", &bytes);
    machine
        .flip_bit(allocation_of(&machine, &bytes), 5, 5)
        .unwrap();

    let error = manager.verify(&shard).map(drop).unwrap_err();

    assert!(matches!(error, Error::Tampered { .. }), "{error:?}");
    let reason = manager.stop_reason().unwrap();
    assert!(!reason.contains("the ink is out"), "{reason}");
    assert!(observer.heard.lock().unwrap().contains(&"manager_stopped"));
}

#[test]
fn no_manager_is_made_that_is_not_recorded() {
    let observer = FailingAt::new("manager_started");

    let built = builder()
        .observer(observer.clone())
        .build(&platform(&machine()));

    assert!(matches!(built, Err(Error::Unrecorded { .. })), "{built:?}");
    let heard: BTreeSet<_> = observer.heard.lock().unwrap().iter().copied().collect();
    assert_eq!(
        heard,
        BTreeSet::from(["manager_refused", "manager_started"])
    );
}

/// Asks its manager, within an event, whether it has stopped.
#[derive(Debug, Default)]
struct Asking {
    manager: Mutex<Option<Manager>>,
    had_stopped: AtomicBool,
}

impl Observer for Asking {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        if let (Event::VerificationFailed { .. }, Some(manager)) =
            (event, &*self.manager.lock().unwrap())
        {
            let stopped = manager.stop_reason().is_some();
            self.had_stopped.store(stopped, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[test]
fn nothing_is_permitted_while_a_failure_is_being_written_down() {
    let machine = machine();
    let asking = Arc::new(Asking::default());
    let manager = builder()
        .observer(asking.clone())
        .build(&platform(&machine));
    let manager = manager.unwrap();
    let bytes = weights(5000);
    let shard = seal(&manager, "one", &bytes);
    machine
        .flip_bit(allocation_of(&machine, &bytes), 5, 5)
        .unwrap();
    *asking.manager.lock().unwrap() = Some(manager.clone());

    manager.verify(&shard).map(drop).unwrap_err();

    assert!(asking.had_stopped.load(Ordering::SeqCst));
    asking.manager.lock().unwrap().take();
}

#[test]
fn seals_in_the_background_are_routine_and_on_record_once_the_trail_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let options = Options::new("suite").unwrap();
    let trail = Trail::open(&path, key(), options).unwrap();
    let audit = Arc::new(TrailObserver::new(trail).seals_in_background());
    let manager = builder()
        .observer(audit.clone())
        .build(&platform(&machine()));
    let manager = manager.unwrap();

    drop(seal(&manager, "one", &weights(5000)));
    drop(manager);
    audit.close().unwrap();

    let (records, _) = records(&path);
    let sealed = records.iter().find(|record| record.name() == "sealed");
    assert!(!sealed.unwrap().critical);
}
