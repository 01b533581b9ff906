//! How old a seal may be: judged by the clock that the manager was given.

use std::time::Duration;

use vram_residency::Error;

use crate::support::*;

#[test]
fn of_shards_verified_together_the_one_that_is_too_old_is_refused() {
    let machine = machine();
    let clock = StoppedClock::at(10_000);
    let manager = builder()
        .clock(clock.clone())
        .max_age(Duration::from_secs(100))
        .build(&platform(&machine))
        .unwrap();
    let old = seal(&manager, "old", &weights(5000));
    clock.set(10_050);
    let young = seal(&manager, "young", &weights(6000));
    clock.set(10_101);

    let verification = manager.verify_all([&old, &young]).unwrap();

    let found: Vec<_> = verification.outcomes().iter().collect();
    assert!(
        matches!(found[0].1, Err(Error::Expired { .. })),
        "{found:?}"
    );
    assert!(found[1].1.is_ok(), "{found:?}");
    assert!(manager.stop_reason().is_none(), "old is not broken");
}

/// Covers: FR-1.
#[test]
fn age_is_judged_by_the_clock() {
    let machine = machine();
    let clock = StoppedClock::at(10_000);
    let manager = builder()
        .clock(clock.clone())
        .max_age(Duration::from_secs(100))
        .build(&platform(&machine))
        .unwrap();
    let shard = seal(&manager, "one", &weights(5000));

    clock.set(10_100);
    assert!(manager.verify(&shard).is_ok(), "at the limit");
    clock.set(10_101);
    let error = manager.verify(&shard).unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("101.000 s old, over the maximum of 100.000 s"),
        "{error}"
    );
    assert!(manager.stop_reason().is_none(), "old is not broken");
}
