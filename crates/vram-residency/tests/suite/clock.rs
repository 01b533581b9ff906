//! What the clock may do while a manager lives, and what a record from elsewhere in time is worth.

use std::sync::Arc;
use std::time::Duration;

use vram_alloc::Device;
use vram_residency::{DEFAULT_CLOCK_SKEW, Error, Manager, SealRequest};
use vram_sim::Machine;

use crate::support::*;

fn keeping(device: &Device, clock: &Arc<StoppedClock>, skew: u64) -> Manager {
    let builder = builder()
        .clock(clock.clone())
        .clock_skew(Duration::from_secs(skew));
    builder.build_on(device).unwrap()
}

fn device(machine: &Machine) -> Device {
    platform(machine).open(0).unwrap()
}

/// Covers: FR-1.
#[test]
fn a_seal_dated_ahead_of_the_clock_is_refused_beyond_the_skew_and_stops_the_manager() {
    let device = device(&machine());
    let theirs = keeping(&device, &StoppedClock::at(10_008), 0);
    let shard = seal(&theirs, "one", &weights(5000));
    let [seven, eight] = [7, 8].map(|skew| keeping(&device, &StoppedClock::at(10_000), skew));

    assert!(eight.verify(&shard).is_ok(), "8 s ahead, 8 s tolerated");
    let error = seven.verify(&shard).unwrap_err();

    assert!(matches!(error, Error::FromTheFuture { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("8.000 s ahead of the clock, over the tolerated skew of 7.000 s"),
        "{error}"
    );
    assert!(error.is_fatal() && error.is_integrity_failure());
    assert!(seven.stop_reason().is_some());
}

#[test]
fn a_seal_from_the_future_is_refused_also_where_any_age_is_accepted() {
    let device = device(&machine());
    let clock = StoppedClock::at(10_000);
    let manager = builder().clock(clock).build_on(&device).unwrap();
    let ahead = 10_000 + DEFAULT_CLOCK_SKEW.as_secs();
    let sealed = |name, at| {
        let theirs = keeping(&device, &StoppedClock::at(at), 0);
        seal(&theirs, name, &weights(5000))
    };
    let (at, over) = (sealed("a", ahead), sealed("b", ahead + 1));

    assert!(manager.verify(&at).is_ok());
    let error = manager.verify(&over).unwrap_err();

    assert!(matches!(error, Error::FromTheFuture { .. }), "{error:?}");
}

/// Covers: FR-1.
#[test]
fn while_the_clock_is_set_back_nothing_is_sealed_or_verified() {
    let clock = StoppedClock::at(10_000);
    let manager = keeping(&device(&machine()), &clock, 5);
    let shard = seal(&manager, "one", &weights(5000));

    clock.set(9_995);
    assert!(manager.verify(&shard).is_ok(), "as tolerated");
    clock.set(9_994);

    let error = manager.verify(&shard).unwrap_err();
    assert!(
        matches!(error, Error::ClockSetBack { behind, tolerated }
            if (behind.as_secs(), tolerated.as_secs()) == (6, 5)),
        "{error:?}"
    );
    let together = manager.verify_all([&shard]).unwrap();
    assert!(!together.passed());
    let mut unreadable = Unreadable;
    let request = SealRequest::reader(id("two"), &mut unreadable, 5000);
    let error = manager.seal(request).unwrap_err();
    assert!(matches!(error, Error::ClockSetBack { .. }), "{error:?}");

    // No byte is suspected: with the clock put right, it goes on.
    assert!(manager.stop_reason().is_none());
    clock.set(10_000);
    assert!(manager.verify(&shard).is_ok());
}

/// Setting the clock back can't make an old seal young: not even while nobody asks for the time.
///
/// Covers: FR-1.
#[test]
fn a_clock_set_back_while_nobody_looked_does_not_hide_a_seals_age() {
    let machine = machine();
    let clock = StoppedClock::at(10_000);
    let builder = builder()
        .clock(clock.clone())
        .max_age(Duration::from_secs(3600));
    let manager = builder.build(&platform(&machine)).unwrap();
    let shard = seal(&manager, "one", &weights(5000));

    clock.pass(7200);
    clock.set(10_100);

    let error = manager.verify(&shard).unwrap_err();
    assert!(matches!(error, Error::ClockSetBack { .. }), "{error:?}");
    clock.set(10_000 + 7200 - 3);
    let error = manager.verify(&shard).unwrap_err();
    assert!(
        matches!(error, Error::Expired { age, .. } if age.as_secs() == 7200),
        "the age is told by what has passed: {error:?}"
    );
}

/// The same bytes, id, time and key: the nonce alone tells the two seals apart.
#[test]
fn the_record_of_an_earlier_seal_does_not_stand_in_for_a_new_one_of_the_same_bytes() {
    let clock = StoppedClock::at(10_000);
    let manager = keeping(&device(&machine()), &clock, 5);
    let bytes = weights(5000);
    let earlier = seal(&manager, "one", &bytes).sealed_record().clone();
    let shard = seal(&manager, "one", &bytes);
    let mut alike = earlier.record.clone();
    alike.nonce = shard.sealed_record().record.nonce;
    assert_eq!(alike, shard.sealed_record().record);

    let error = manager.verify_record(&shard, &earlier).unwrap_err();

    assert!(matches!(error, Error::WrongRecord { .. }), "{error:?}");
    assert!(manager.stop_reason().is_some());
}
