//! A verification that failed stops everything that begins after it, and the permits that there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vram_residency::{Error, Progress, SealRequest, Stage};

use crate::explore::explore;
use crate::rig::{Rig, id, weights};

const GOOD: &str = "good";
const BAD: &str = "bad";

/// Whether the verification of the bad shard has returned.
type Failed = Arc<AtomicBool>;

/// A manager with a good shard, and a thread that verifies a bad one.
fn with_a_failure(then: impl FnOnce(&Arc<Rig>, &Failed)) {
    let rig = Rig::new();
    let bad = rig.seal(BAD);
    rig.tamper(BAD);
    let failed = Failed::default();
    let fails = {
        let failed = Arc::clone(&failed);
        rig.on_a_thread(move |rig| {
            let found = rig.manager.verify(&bad).map(drop);
            assert!(matches!(found, Err(Error::Tampered { .. })), "{found:?}");
            failed.store(true, Ordering::SeqCst);
            assert!(matches!(
                rig.manager.verify(&bad),
                Err(Error::Stopped { .. })
            ));
        })
    };
    then(&rig, &failed);
    fails.join().unwrap();
    assert_eq!(rig.heard.stops.load(Ordering::SeqCst), 1);
}

#[test]
fn no_permit_is_issued_after_a_failed_verification() {
    explore(|| {
        with_a_failure(|rig, failed| {
            let good = rig.seal_unless_stopped(GOOD);
            let Some(good) = good else { return };
            let failed = Arc::clone(failed);
            let uses = rig.on_a_thread(move |rig| {
                for _ in 0..2 {
                    let failed_before = failed.load(Ordering::SeqCst);
                    let verified = match rig.manager.verify(&good) {
                        Ok(verified) => verified,
                        Err(Error::Stopped { .. }) => continue,
                        Err(error) => panic!("{error}"),
                    };
                    assert!(!failed_before, "a permit after a failed verification");
                    let late = rig.heard.late.load(Ordering::SeqCst);
                    assert!(!late, "a permit for what was judged after the stop");
                    let failed_before = failed.load(Ordering::SeqCst);
                    let address = verified.permit.device_address();
                    assert!(!failed_before || address.is_err(), "a permit that lives on");
                }
            });
            uses.join().unwrap();
        });
    });
}

#[test]
fn no_permits_are_issued_for_a_set_after_a_failed_verification() {
    explore(|| {
        with_a_failure(|rig, _| {
            let Some(good) = rig.seal_unless_stopped(GOOD) else {
                return;
            };
            let Ok(set) = rig.manager.verify_all([&good]) else {
                return;
            };
            assert!(set.passed());
            let stopped = rig.manager.stop_reason().is_some();
            let permits = set.into_permits();
            assert!(!stopped || permits.is_err(), "permits after the stop");
        });
    });
}

/// Sees whether the manager has stopped by the time that the bytes are measured.
struct Onlooker<'a> {
    rig: &'a Rig,
    stopped: AtomicBool,
}

impl Progress for Onlooker<'_> {
    fn advanced(&self, stage: Stage, _: u64, _: u64) {
        if stage == Stage::Measure && self.rig.manager.stop_reason().is_some() {
            self.stopped.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn nothing_is_sealed_after_a_failed_verification() {
    explore(|| {
        with_a_failure(|rig, failed| {
            let failed_before = failed.load(Ordering::SeqCst);
            let bytes = weights(GOOD);
            let onlooker = Onlooker {
                rig,
                stopped: AtomicBool::new(false),
            };
            let request = SealRequest::bytes(id(GOOD), &bytes).progress(&onlooker);
            match rig.manager.seal(request) {
                Ok(shard) => {
                    assert!(!failed_before, "a seal after a failed verification");
                    let stopped = onlooker.stopped.load(Ordering::SeqCst);
                    assert!(!stopped, "a record was signed after the stop");
                    drop(shard);
                }
                Err(Error::Stopped { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(!rig.manager.shard_ids().contains(&id(GOOD)));
        });
    });
}

#[test]
fn two_failures_at_once_stop_once() {
    explore(|| {
        let rig = Rig::new();
        let bad = rig.seal(BAD);
        rig.tamper(BAD);
        let fails = rig.on_a_thread(move |rig| rig.manager.verify(&bad).map(drop));
        rig.manager.stop("by hand");
        let found = fails.join().unwrap();
        assert!(
            matches!(found, Err(Error::Tampered { .. } | Error::Stopped { .. })),
            "{found:?}"
        );
        assert_eq!(rig.heard.stops.load(Ordering::SeqCst), 1);
    });
}
