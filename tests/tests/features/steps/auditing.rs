//! What the audit trail tells: read back from its file, and verified, once the worker has ended.

use cucumber::then;
use vram_audit::Record;

use crate::audit::{History, text};
use crate::world::World;

const OF_MEMORY: [&str; 2] = ["allocated", "sealed"];

#[then(expr = "the audit trail tells that {string} was sealed, with that device, size and digests")]
fn sealed(world: &mut World, id: String) {
    let handle = world.noted[&id].json.clone();
    let (_, told) = world.history().the("sealed", Some(&id));
    for member in ["shard_id", "device", "size", "content", "verity"] {
        assert!(!handle[member].is_null(), "{member}: {handle}");
        assert_eq!(told.event["record"][member], handle[member], "{member}");
    }
}

#[then("the audit trail tells of nothing that was allocated or sealed")]
fn nothing_sealed(world: &mut World) {
    world.history().require_none(&OF_MEMORY);
}

#[then(
    expr = "the audit trail tells that {string} was refused, and of nothing that was allocated or sealed"
)]
fn refused(world: &mut World, id: String) {
    let why = world.refusal().to_string();
    let history = world.history();
    let (_, told) = history.the("refused", Some(&id));
    assert_eq!(text(told, "reason"), why);
    history.require_none(&OF_MEMORY);
}

#[then(expr = "the audit trail tells that {string} was refused, and of nothing that was verified")]
fn refused_unverified(world: &mut World, id: String) {
    let why = world.refusal().to_string();
    let history = world.history();
    let (_, told) = history.the("refused", Some(&id));
    assert_eq!(text(told, "reason"), why);
    assert_eq!(text(told, "operation"), "verify");
    history.require_none(&["verified"]);
}

#[then(expr = "the audit trail tells that {string} was refused, and then that {string} was sealed")]
fn refused_then_sealed(world: &mut World, refused: String, sealed: String) {
    let history = world.history();
    let (refused, _) = history.the("refused", Some(&refused));
    let (sealed, _) = history.the("sealed", Some(&sealed));
    assert!(refused < sealed);
}

#[then(expr = "the audit trail tells that {string} was verified, after it was sealed")]
fn verified_after_sealed(world: &mut World, id: String) {
    let history = world.history();
    let (sealed, _) = history.the("sealed", Some(&id));
    let (verified, told) = history.the("verified", Some(&id));
    assert!(sealed < verified);
    assert_eq!(told.event["bytes"], 600_001);
    history.require_none(&["verification_failed", "refused"]);
}

#[then(expr = "the audit trail tells that verifying {string} failed, as something critical")]
fn failed(world: &mut World, id: String) {
    let why = world.refusal().to_string();
    let told = failure(world.history(), &id).1;
    assert_eq!(text(told, "reason"), why);
}

#[then(
    expr = "the audit trail tells that verifying {string} failed in block {int}, as something critical"
)]
fn failed_in_block(world: &mut World, id: String, block: u64) {
    let told = failure(world.history(), &id).1;
    let reason = text(told, "reason");
    assert!(
        reason.contains(&format!("block {block} (bytes")),
        "{reason}"
    );
}

/// The one failure to verify a shard, which was never found intact.
fn failure<'h>(history: &'h History, id: &str) -> (usize, &'h Record) {
    let (place, told) = history.the("verification_failed", Some(id));
    assert!(told.critical, "{told:?}");
    assert!(history.places("verified", Some(id)).is_empty());
    (place, told)
}

#[then(expr = "the audit trail tells that the worker stopped, after verifying {string} failed")]
fn stopped_after_failure(world: &mut World, id: String) {
    let history = world.history();
    let (failed, _) = failure(history, &id);
    let (stopped, told) = history.the("manager_stopped", None);
    assert!(failed < stopped && told.critical);
    let later = history.places("sealed", None);
    assert!(later.iter().all(|place| *place < failed));
}

#[then(
    expr = "the audit trail tells {int} verification(s) of {string}, {int} of {string} and {int} of {string}"
)]
fn verifications(
    world: &mut World,
    one: usize,
    of_one: String,
    two: usize,
    of_two: String,
    three: usize,
    of_three: String,
) {
    let history = world.history();
    for (count, id) in [(one, of_one), (two, of_two), (three, of_three)] {
        assert_eq!(history.places("verified", Some(&id)).len(), count, "{id}");
    }
}

#[then(
    "what the audit trail tells of memory taken adds up to what was in use, and all of it was given back"
)]
fn memory_adds_up(world: &mut World) {
    let used = world.used_at_most;
    let shards = world.shards.len();
    let history = world.history();
    assert!(used > 0);
    assert_eq!(history.places("allocated", None).len(), shards);
    assert_eq!(history.sum("allocated", "bytes"), used);
    assert_eq!(history.sum("freed", "bytes"), used);
    history.require_none(&["release_failed"]);
}

#[then(
    expr = "the audit trail tells of a policy violation of {string} by {string}, and then that the worker stopped"
)]
fn policy_violation(world: &mut World, id: String, check: String) {
    let history = world.history();
    let (violated, told) = history.the("policy_violation", Some(&id));
    assert!(told.critical);
    let checks = told.event["checks"].as_array().unwrap();
    assert!(checks.iter().any(|found| *found == check), "{told:?}");
    let (stopped, _) = history.the("manager_stopped", None);
    assert!(violated < stopped);
}

#[then("the audit trail tells of no policy violation")]
fn no_violation(world: &mut World) {
    world.history().require_none(&["policy_violation"]);
}
