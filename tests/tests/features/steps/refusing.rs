//! Refusals: why, what they say, and what becomes of the worker.

use cucumber::then;
use vram_residency::{Error, SealRequest};

use crate::world::World;

#[then("the id is refused, and the refusal says what an id may be")]
fn id_refused(world: &mut World) {
    let refusal = world.refusal();
    let Error::Seal(of_id) = refusal else {
        panic!("{refusal}")
    };
    let said = of_id.to_string();
    assert!(said.contains("the shard id"), "{said}");
    assert!(said.contains("a-z A-Z 0-9 - _ . :"), "{said}");
    assert!(!said.contains('\0'), "{said:?}");
}

#[then("it is refused for want of device memory, with what it needs and what is available")]
fn no_room(world: &mut World) {
    let before = world.before.expect("the capacity was looked at");
    let refusal = world.refusal();
    let Error::NoRoom(room) = refusal else {
        panic!("{refusal}")
    };
    assert_eq!(room.available, before.available);
    assert!(room.needed > before.available, "{refusal}");
    assert!(refusal.is_retriable() && !refusal.is_fatal());
    let said = refusal.to_string();
    assert!(said.contains(&format!("{} needed", room.needed)), "{said}");
    assert!(
        said.contains(&format!("{} available", before.available)),
        "{said}"
    );
}

#[then("not a byte of the model was read")]
fn nothing_read(world: &mut World) {
    assert_eq!(world.read, 0);
}

#[then("a model of 1 byte is refused for want of device memory")]
fn one_byte_refused(world: &mut World) {
    let worker = world.worker();
    let refused = worker.seal(SealRequest::bytes("one".parse().unwrap(), &[1]));
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::NoRoom(_)), "{error}");
}

#[then("it is refused because there is nothing to seal")]
fn empty(world: &mut World) {
    let refusal = world.refusal();
    assert!(matches!(refusal, Error::Empty { .. }), "{refusal}");
    assert!(refusal.to_string().contains("nothing to seal"), "{refusal}");
}

#[then("the record is refused as changed, which is critical")]
fn record_refused(world: &mut World) {
    let refusal = world.refusal();
    assert!(matches!(refusal, Error::SealBroken { .. }), "{refusal}");
    assert!(refusal.is_integrity_failure() && refusal.is_fatal());
    assert!(world.report.is_none(), "nothing was permitted");
}

#[then(expr = "it is refused because its seal is {int} minutes old, and {int} are allowed")]
fn too_old(world: &mut World, old: u64, allowed: u64) {
    let refusal = world.refusal();
    let Error::Expired { age, limit, .. } = refusal else {
        panic!("{refusal}")
    };
    assert_eq!((age.as_secs(), limit.as_secs()), (old * 60, allowed * 60));
    assert!(!refusal.is_integrity_failure(), "{refusal}");
}

#[then("it is refused because the worker doesn't hold the key that it was sealed with")]
fn key_unknown(world: &mut World) {
    let theirs = world.other_worker.as_ref().unwrap().key_id();
    let refusal = world.refusal();
    assert!(
        matches!(refusal, Error::KeyUnknown { key, .. } if *key == theirs),
        "{refusal}"
    );
}

#[then(
    expr = "the driver was asked for memory, and it is refused as something that can be tried again"
)]
fn driver_refused(world: &mut World) {
    let refusal = world.refusal();
    assert!(refusal.is_retriable() && !refusal.is_fatal(), "{refusal}");
    let interference = world.scene().interference.as_ref().unwrap();
    assert_eq!(interference.refused(), 1);
}

#[then(expr = "it is refused by the check {string}")]
fn refused_by(world: &mut World, check: String) {
    let refusal = world.refusal();
    let Error::Policy(policy) = refusal else {
        panic!("{refusal}")
    };
    let mut checks = policy.findings().iter().map(|found| found.id.as_str());
    assert!(checks.any(|found| found == check), "{refusal}");
    assert!(refusal.is_fatal() && refusal.is_policy_refusal());
}

#[then("the worker has stopped")]
fn has_stopped(world: &mut World) {
    let worker = world.worker();
    let reason = worker.stop_reason().expect("it has stopped");
    let why = world.refusal().to_string();
    assert_eq!(reason, why, "it stopped for this reason");
}

#[then("the worker has not stopped")]
fn has_not_stopped(world: &mut World) {
    assert_eq!(world.worker().stop_reason(), None);
}

#[then(expr = "the worker permits neither {string} nor {string}, alone or together")]
fn permits_nothing(world: &mut World, one: String, other: String) {
    let worker = world.worker();
    let shards = [world.shard(&one), world.shard(&other)];
    for shard in shards {
        let refused = worker.verify(shard).map(drop).unwrap_err();
        assert!(matches!(refused, Error::Stopped { .. }), "{refused}");
    }
    let refused = worker.verify_all(shards).map(drop).unwrap_err();
    assert!(matches!(refused, Error::Stopped { .. }), "{refused}");
}

#[then("it seals nothing more")]
fn seals_nothing(world: &mut World) {
    let worker = world.worker();
    let refused = worker.seal(SealRequest::bytes("more".parse().unwrap(), &[1]));
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
}
