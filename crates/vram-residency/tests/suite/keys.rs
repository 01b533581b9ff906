//! Replacing the key that shards are sealed with.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use vram_alloc::Device;
use vram_residency::{Error, Manager, ManagerBuilder, SealRequest, Secret};
use vram_seal::{ExpectedFrom, SealKey, SealedRecord, Token, VerityDigest};

use crate::support::*;

const NOW: u64 = 10_000;

fn key(byte: u8) -> SealKey {
    SealKey::from_bytes(&[byte; 32]).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(seconds(second)).unwrap()
}

/// A builder with key 1 and a clock that stands.
fn builder_at(clock: &Arc<StoppedClock>) -> ManagerBuilder {
    builder().key(key(1)).clock(clock.clone())
}

fn made(builder: ManagerBuilder) -> Manager {
    builder.build(&platform(&machine())).unwrap()
}

/// A manager with key 1.
fn keeping(clock: &Arc<StoppedClock>) -> Manager {
    made(builder_at(clock))
}

fn is_expired(error: &Error) -> bool {
    matches!(error, Error::KeyExpired { key: found, .. } if *found == key(1).id())
}

/// Covers: XK-2.
#[test]
fn what_was_sealed_before_a_rotation_verifies_until_the_stated_time_and_then_no_more() {
    let clock = StoppedClock::at(NOW);
    let manager = keeping(&clock);
    let before = seal(&manager, "before", &weights(5000));
    assert_eq!(
        (before.key_id(), manager.key_id()),
        (key(1).id(), key(1).id())
    );

    let now = manager.rotate(key(2).into(), seconds(100)).unwrap();
    let after = seal(&manager, "after", &weights(6000));

    assert_eq!((now, after.key_id()), (key(2).id(), key(2).id()));
    assert_eq!(manager.previous_keys(), [(key(1).id(), seconds(NOW + 100))]);
    clock.pass(100);
    assert!(manager.verify(&before).is_ok());
    assert!(manager.verify_all([&before, &after]).unwrap().passed());
    clock.pass(1);
    let error = manager.verify(&before).unwrap_err();
    assert!(is_expired(&error), "{error:?}");
    assert!(!error.is_fatal() && !error.is_integrity_failure() && !error.is_retriable());
    assert!(
        error.to_string().contains("1970-01-01T02:48:20Z"),
        "{error}"
    );
    // It is no alarm: what the present key sealed goes on, and the shard can be sealed again.
    assert_eq!(manager.stop_reason(), None);
    assert!(manager.verify(&after).is_ok());
    drop(before);
    let again = seal(&manager, "before", &weights(5000));
    assert!(manager.verify(&again).is_ok());
}

/// Covers: XK-2.
#[test]
fn a_key_whose_time_is_over_is_wiped_at_the_next_look() {
    let clock = StoppedClock::at(NOW);
    let manager = keeping(&clock);
    let shard = seal(&manager, "shard", &weights(5000));
    manager.rotate(key(2).into(), seconds(100)).unwrap();

    clock.pass(101);
    manager.recheck().unwrap();

    assert_eq!(manager.previous_keys(), []);
    assert!(is_expired(&manager.verify(&shard).unwrap_err()));
}

/// Covers: XK-2.
#[test]
fn a_rotation_with_no_time_ends_the_key_at_once() {
    let clock = StoppedClock::at(NOW);
    let manager = keeping(&clock);
    let shard = seal(&manager, "shard", &weights(5000));

    manager.rotate(key(2).into(), Duration::ZERO).unwrap();

    assert!(is_expired(&manager.verify(&shard).unwrap_err()));
    assert_eq!(manager.previous_keys(), []);
}

#[test]
fn a_key_is_not_taken_twice_and_a_rotation_that_is_refused_changes_nothing() {
    let clock = StoppedClock::at(NOW);
    let recorder = Recorder::new();
    let manager = made(builder_at(&clock).observer(recorder.clone()));
    manager.rotate(key(2).into(), seconds(100)).unwrap();

    for repeated in [1, 2] {
        let error = manager
            .rotate(key(repeated).into(), seconds(100))
            .unwrap_err();
        assert!(
            matches!(error, Error::Seal(vram_seal::Error::KeyRepeated { .. })),
            "{error:?}"
        );
    }

    assert_eq!(manager.key_id(), key(2).id());
    assert_eq!(recorder.count("key_rotated"), 1);
    let told = &recorder.told("key_rotated")[0];
    assert_eq!(told["key_id"], key(2).id().to_string());
    assert_eq!(told["previous_key_id"], key(1).id().to_string());
    assert_eq!(
        told["previous_until_unix_nanos"],
        (NOW + 100) * 1_000_000_000
    );
}

#[test]
fn a_token_is_rotated_for_its_worker_and_this_device() {
    let worker = || "worker-0".parse().unwrap();
    let token = |byte| Token::new(&[byte; 32]).unwrap();
    let manager = made(builder().token(token(1), worker()));
    let derived = |byte| {
        SealKey::derive(&token(byte), &worker(), &manager.device_id())
            .unwrap()
            .id()
    };
    assert_eq!(manager.key_id(), derived(1));

    manager
        .rotate(Secret::token(token(2), worker()), seconds(100))
        .unwrap();

    assert_eq!(manager.key_id(), derived(2));
}

#[test]
fn a_stopped_manager_takes_no_other_key() {
    let manager = keeping(&StoppedClock::at(NOW));
    manager.stop("a test");
    let error = manager.rotate(key(2).into(), seconds(100)).unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }));
    assert_eq!(manager.key_id(), key(1).id());
}

#[test]
fn the_key_of_an_earlier_manager_is_accepted_until_its_time() {
    let device = platform(&machine()).open(0).unwrap();
    let clock = StoppedClock::at(NOW);
    let theirs = builder_at(&clock).build_on(&device).unwrap();
    let shard = seal(&theirs, "shard", &weights(5000));
    let ours = || builder().key(key(2)).clock(clock.clone());
    let knowing = ours()
        .previous_key(key(1), at(NOW + 100))
        .build_on(&device)
        .unwrap();
    let unknowing = ours().build_on(&device).unwrap();

    assert!(knowing.verify(&shard).is_ok());
    let error = unknowing.verify(&shard).unwrap_err();
    assert!(
        matches!(error, Error::KeyUnknown { key: found, .. } if found == key(1).id()),
        "{error:?}"
    );
    assert!(!error.is_fatal() && unknowing.stop_reason().is_none());

    clock.pass(101);
    assert!(is_expired(&knowing.verify(&shard).unwrap_err()));
}

#[test]
fn a_previous_key_is_refused_when_it_is_the_present_one_or_its_time_is_over() {
    let clock = StoppedClock::at(NOW);
    let refused = |builder: ManagerBuilder| match builder.build(&platform(&machine())) {
        Err(Error::Seal(error)) => error,
        other => panic!("{other:?}"),
    };
    let same = refused(builder_at(&clock).previous_key(key(1), at(NOW + 1)));
    assert!(matches!(same, vram_seal::Error::KeyRepeated { .. }));
    let late = refused(builder_at(&clock).previous_key(key(2), at(NOW - 1)));
    assert!(matches!(late, vram_seal::Error::KeyExpired { .. }));
    let before_1970 = SystemTime::UNIX_EPOCH.checked_sub(seconds(1)).unwrap();
    let never = refused(builder_at(&clock).previous_key(key(2), before_1970));
    assert!(matches!(never, vram_seal::Error::KeyExpired { .. }));
}

/// Covers: VU-2.
#[test]
fn a_changed_record_is_an_alarm_also_where_its_key_is_gone() {
    let clock = StoppedClock::at(NOW);
    let rotated = || {
        let manager = keeping(&clock);
        let shard = seal(&manager, "shard", &weights(5000));
        let other = seal(&manager, "other", &weights(5000));
        manager.rotate(key(2).into(), Duration::ZERO).unwrap();
        (manager, shard, other)
    };
    let presented = |change: fn(&mut SealedRecord, SealedRecord)| {
        let (manager, shard, other) = rotated();
        let mut presented = shard.sealed_record().clone();
        change(&mut presented, other.sealed_record().clone());
        let error = manager.verify_record(&shard, &presented).unwrap_err();
        assert!(manager.stop_reason().is_some(), "{error:?}");
        error
    };

    let size = presented(|record, _| record.record.size += 1);
    assert!(matches!(size, Error::WrongRecord { .. }), "{size:?}");
    let other = presented(|record, other| *record = other);
    assert!(matches!(other, Error::WrongRecord { .. }), "{other:?}");
    let tag = presented(|record, other| record.tag = other.tag);
    assert!(matches!(tag, Error::SealBroken { .. }), "{tag:?}");
    let named = presented(|record, _| record.record.key_id = key(9).id());
    assert!(matches!(named, Error::SealBroken { .. }), "{named:?}");
    let present = presented(|record, _| record.record.key_id = key(2).id());
    assert!(matches!(present, Error::SealBroken { .. }), "{present:?}");
}

#[test]
fn sealing_and_verifying_go_on_while_keys_are_replaced() {
    let clock = StoppedClock::at(NOW);
    let manager = keeping(&clock);
    let bytes = weights(5000);
    std::thread::scope(|scope| {
        let sealing = |name: &'static str| {
            let (manager, bytes) = (&manager, &bytes);
            move || {
                for round in 0..8 {
                    let shard = seal(manager, &format!("{name}-{round}"), bytes);
                    assert!(manager.verify(&shard).is_ok());
                }
            }
        };
        scope.spawn(sealing("a"));
        scope.spawn(sealing("b"));
        for byte in 2..10 {
            manager.rotate(key(byte).into(), seconds(100)).unwrap();
        }
    });
    assert_eq!(
        (manager.key_id(), manager.previous_keys().len()),
        (key(9).id(), 8)
    );
}

/// Covers: PR-3.
#[test]
fn a_record_says_where_its_expected_digest_came_from() {
    let manager = keeping(&StoppedClock::at(NOW));
    let bytes = weights(5000);
    let sealed = |request: SealRequest<'_>| manager.seal(request).unwrap().expected_from();
    let request = |name: &str| SealRequest::bytes(id(name), &bytes);

    assert_eq!(sealed(request("none")), ExpectedFrom::None);
    let expecting = request("caller").expect_verity(VerityDigest::of(&bytes));
    assert_eq!(sealed(expecting), ExpectedFrom::Caller);
}

#[test]
fn a_key_whose_time_is_over_is_wiped_at_a_verification_with_the_present_one() {
    let clock = StoppedClock::at(NOW);
    let recorder = Recorder::new();
    let manager = made(builder_at(&clock).observer(recorder.clone()));
    manager.rotate(key(2).into(), seconds(100)).unwrap();
    let shard = seal(&manager, "shard", &weights(5000));

    clock.pass(100);
    assert!(manager.verify(&shard).is_ok());
    assert_eq!(manager.previous_keys(), [(key(1).id(), seconds(NOW + 100))]);
    assert_eq!(recorder.count("key_retired"), 0);
    clock.pass(1);
    assert!(manager.verify(&shard).is_ok());

    assert_eq!(manager.previous_keys(), []);
    assert!(manager.verify(&shard).is_ok());
    let told = recorder.told("key_retired");
    assert_eq!(told.len(), 1, "it is told once");
    assert_eq!(told[0]["key_id"], key(1).id().to_string());
    assert_eq!(told[0]["until_unix_nanos"], (NOW + 100) * 1_000_000_000);
}

#[test]
fn a_rotation_wipes_the_keys_whose_time_is_over_and_says_so_even_if_it_is_refused() {
    let clock = StoppedClock::at(NOW);
    let recorder = Recorder::new();
    let manager = made(builder_at(&clock).observer(recorder.clone()));
    manager.rotate(key(2).into(), seconds(100)).unwrap();
    clock.pass(101);

    manager.rotate(key(2).into(), seconds(100)).unwrap_err();

    assert_eq!(recorder.told("key_retired").len(), 1);
    let refused = recorder.told("key_rotation_refused");
    assert_eq!(refused.len(), 1);
    let reason = refused[0]["reason"].as_str().unwrap();
    assert!(reason.contains(&key(2).id().to_string()), "{reason}");
    assert_eq!(recorder.count("key_rotated"), 1);
}

#[test]
fn a_manager_tells_which_keys_it_starts_with() {
    let clock = StoppedClock::at(NOW);
    let recorder = Recorder::new();
    let builder = builder_at(&clock).previous_key(key(7), at(NOW + 100));
    let _manager = made(builder.observer(recorder.clone()));

    let told = &recorder.told("manager_ready")[0];

    assert_eq!(told["key_id"], key(1).id().to_string());
    let previous = serde_json::json!([{
        "key_id": key(7).id().to_string(),
        "until_unix_nanos": (NOW + 100) * 1_000_000_000,
    }]);
    assert_eq!(told["previous_keys"], previous);
}

/// Managers of one worker on one device: the earlier one keeps a token of which the later ones are told.
struct Successors {
    device: Device,
    clock: Arc<StoppedClock>,
}

impl Successors {
    fn new() -> Self {
        let device = platform(&machine()).open(0).unwrap();
        let clock = StoppedClock::at(NOW);
        Self { device, clock }
    }

    fn token() -> Token {
        Token::new(&[5; 32]).unwrap()
    }

    fn earlier(&self) -> Manager {
        let earlier = builder().token(Self::token(), "worker-0".parse().unwrap());
        let earlier = earlier.clock(self.clock.clone());
        earlier.build_on(&self.device).unwrap()
    }

    fn later(&self) -> Manager {
        let worker = "worker-0".parse().unwrap();
        let later = builder_at(&self.clock).previous_token(Self::token(), worker, at(NOW + 100));
        later.build_on(&self.device).unwrap()
    }
}

#[test]
fn the_token_of_an_earlier_manager_is_accepted_for_its_worker() {
    let managers = Successors::new();
    let theirs = managers.earlier();
    let shard = seal(&theirs, "shard", &weights(5000));

    let ours = managers.later();

    assert_eq!(
        ours.previous_keys(),
        [(theirs.key_id(), seconds(NOW + 100))]
    );
    assert!(ours.verify(&shard).is_ok());
}

/// Covers: CI-007.
#[test]
fn a_permit_ends_with_the_manager_that_gave_it_whoever_sealed() {
    let managers = Successors::new();
    let theirs = managers.earlier();
    let shard = seal(&theirs, "shard", &weights(5000));
    let stopping = managers.later();
    let one = stopping.verify(&shard).unwrap().permit;
    let all = stopping.verify_all([&shard]).unwrap();
    let all = all.into_permits().unwrap();
    let running = managers.later();
    let other = running.verify(&shard).unwrap().permit;

    stopping.stop("the test says so");

    for permit in all.iter().chain([&one]) {
        let refused = permit.device_address().unwrap_err();
        assert!(matches!(refused, Error::Stopped { .. }), "{refused}");
    }
    assert!(other.device_address().is_ok());
    theirs.stop("the test says so");
    assert!(matches!(other.device_address(), Err(Error::Stopped { .. })));
}

#[test]
fn a_manager_says_what_protects_its_key() {
    let manager = keeping(&StoppedClock::at(NOW));

    assert_eq!(manager.key_protection(), key(1).protection());
}
