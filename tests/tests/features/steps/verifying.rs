//! Verifying: what is asked for, and what is found.

use cucumber::{then, when};
use vram_residency::Error;
use vram_seal::SealedRecord;

use crate::world::World;

#[when(expr = "the worker verifies {string}")]
fn verifies(world: &mut World, id: String) {
    if let Some(theirs) = world.theirs.take() {
        let outcome = world.worker().verify(&theirs).map(drop);
        world.note(outcome);
        world.theirs = Some(theirs);
        return;
    }
    world.verify(&id, None);
}

#[when(expr = "the worker verifies {string} against that record")]
fn verifies_against_record(world: &mut World, id: String) {
    let record = world.record.take().expect("there is a record");
    let record: SealedRecord = serde_json::from_str(&record).unwrap();
    assert_ne!(&record, world.shard(&id).sealed_record(), "it was changed");
    world.verify(&id, Some(&record));
}

#[then(expr = "{string} verifies")]
fn does_verify(world: &mut World, id: String) {
    world.verify(&id, None);
    assert!(matches!(world.outcome, Some(Ok(()))), "{world:?}");
    let report = world.report.as_ref().unwrap();
    assert_eq!(report.shard.as_str(), id);
    assert_eq!(report.verity, world.shard(&id).verity_digest());
}

#[then(expr = "the report has the size and the verity digest that {string} was sealed with")]
fn report_is_of(world: &mut World, id: String) {
    let report = world.report.as_ref().expect("the verification passed");
    let sealed = &world.noted[&id].json;
    assert_eq!(report.shard.as_str(), id);
    assert_eq!(sealed["size"], report.size.0);
    assert_eq!(sealed["verity"], report.verity.to_string());
    assert_eq!(sealed["simulated"], report.simulated);
}

#[then("the permit gives the device address out")]
fn permit_gives_address(world: &mut World) {
    let address = world.noted[&world.newest].address;
    assert_ne!(address.expect("a permit was given"), 0);
}

#[when("the worker verifies all its shards together")]
fn verifies_together(world: &mut World) {
    let worker = world.worker();
    let shards = std::mem::take(&mut world.shards);
    let verification = worker
        .verify_all(shards.values().map(|sealed| &sealed.shard))
        .unwrap();
    world.found = verification
        .outcomes()
        .iter()
        .map(|(shard, outcome)| {
            let found = outcome.as_ref().map(|report| report.verity);
            let found = found.map_err(ToString::to_string);
            (shard.id().to_string(), found)
        })
        .collect();
    let permits = verification.into_permits().map(drop);
    world.shards = shards;
    world.note(permits);
}

#[then(expr = "{string} is found changed, and {string} are found as they were sealed")]
fn found_each(world: &mut World, changed: String, intact: String) {
    assert_eq!(world.found.len(), world.shards.len());
    let reason = world.found[&changed].as_ref().unwrap_err();
    assert!(reason.contains("changed in device memory"), "{reason}");
    for id in intact.split(", ") {
        let verity = world.shard(id).verity_digest();
        assert_eq!(world.found[id], Ok(verity), "{id}");
    }
}

#[then("there is no permit for the model")]
fn no_permits(world: &mut World) {
    let refusal = world.refusal();
    assert!(matches!(refusal, Error::Tampered { .. }), "{refusal}");
}

#[then(expr = "{string} is found changed in block {int} alone")]
fn found_changed(world: &mut World, id: String, block: u64) {
    let Error::Tampered { shard, difference } = world.refusal() else {
        panic!("{world:?}")
    };
    assert_eq!(shard.as_str(), id);
    assert_eq!(difference.blocks, [block]);
    assert_eq!(difference.changed_groups, 1);
    let (start, end) = (block * 4096, (block + 1) * 4096);
    let said = world.refusal().to_string();
    let place = format!("block {block} (bytes {start}..{end})");
    assert!(said.contains(&place), "{said}");
}

#[then(expr = "{string} is still found to be as it was sealed")]
fn inspected(world: &mut World, id: String) {
    let worker = world.worker();
    let report = worker.inspect(world.shard(&id)).unwrap();
    assert_eq!(report.verity, world.shard(&id).verity_digest());
}

#[then(expr = "the other worker still verifies {string}")]
fn other_verifies(world: &mut World, id: String) {
    let other = world.other_worker.as_ref().unwrap();
    let theirs = world.theirs.as_ref().unwrap();
    assert_eq!(other.verify(theirs).unwrap().report.shard.as_str(), id);
}

#[then(expr = "verifying {string} finds the device lost")]
fn finds_device_lost(world: &mut World, id: String) {
    world.verify(&id, None);
    let refusal = world.refusal();
    assert!(
        matches!(refusal, Error::Memory(vram_alloc::Error::DeviceLost { .. })),
        "{refusal}"
    );
    assert!(refusal.is_fatal() && !refusal.is_retriable(), "{refusal}");
    assert!(world.scene().device.is_lost());
}
