//! What somebody does behind the worker's back: to records, to device memory, through the driver.

use std::sync::Arc;

use cucumber::{given, then, when};
use serde_json::{Value, json};
use vram_raw::Raw;
use vram_seal::{Freezing, SealKey, SealedRecord, sign};
use vram_sys::CUresult;

use crate::interference::OtherMemory;
use crate::skipping::skip;
use crate::world::World;

#[when(expr = "bit {int} of byte {int} of {string} changes in device memory")]
fn bit_changes(world: &mut World, bit: u8, byte: u64, id: String) {
    let worker = world.worker();
    let shard = &mut world.shards.get_mut(&id).unwrap().shard;
    worker.damage(shard, byte, bit).unwrap();
}

/// A shard's record with its tag, as whoever keeps it elsewhere has it.
fn record_of(world: &World, id: &str) -> Value {
    serde_json::to_value(world.shard(id).sealed_record()).unwrap()
}

#[when(expr = "somebody changes one digit of the verity digest in the record of {string}")]
fn changes_digest(world: &mut World, id: String) {
    let mut record = record_of(world, &id);
    let verity = record["record"]["verity"].as_str().unwrap();
    let last = if verity.ends_with('0') { "1" } else { "0" };
    record["record"]["verity"] = json!([&verity[..63], last].concat());
    world.record = Some(record.to_string());
}

#[when(expr = "somebody replaces the tag in the record of {string} by the tag of {string}")]
fn replaces_tag(world: &mut World, id: String, other: String) {
    let mut record = record_of(world, &id);
    record["tag"] = record_of(world, &other)["tag"].clone();
    world.record = Some(record.to_string());
}

#[when(expr = "somebody without the worker's key signs the record of {string} for another size")]
fn forges_tag(world: &mut World, id: String) {
    let mut record = world.shard(&id).sealed_record().record.clone();
    record.size += 1;
    // It still names the worker's key.
    let key = SealKey::from_bytes(&[5; 32]).unwrap();
    let tag = sign(&key, &record).unwrap();
    let forged = SealedRecord { record, tag };
    world.record = Some(serde_json::to_string(&forged).unwrap());
}

#[when(expr = "somebody takes the tag out of the record of {string}")]
fn takes_tag_out(world: &mut World, id: String) {
    let mut record = record_of(world, &id);
    record.as_object_mut().unwrap().remove("tag").unwrap();
    world.record = Some(record.to_string());
}

#[when(expr = "somebody puts zeros in the place of the tag in the record of {string}")]
fn puts_zeros(world: &mut World, id: String) {
    let mut record = record_of(world, &id);
    record["tag"] = json!("0".repeat(64));
    world.record = Some(record.to_string());
}

#[then(expr = "the record can't be read, for it has no tag")]
fn has_no_tag(world: &mut World) {
    let why = unreadable(world);
    assert!(why.contains("missing field `tag`"), "{why}");
}

#[then(expr = "the record can't be read, for it was never sealed")]
fn was_never_sealed(world: &mut World) {
    let why = unreadable(world);
    assert!(why.contains("the record was never sealed"), "{why}");
}

fn unreadable(world: &mut World) -> String {
    let record = world.record.take().unwrap();
    let read = serde_json::from_str::<SealedRecord>(&record);
    read.unwrap_err().to_string()
}

#[given(expr = "the device's memory management unit freezes {string}")]
fn is_frozen(world: &mut World, id: String) {
    if world.shard(&id).freezing() != Freezing::Mmu {
        skip("the device has no virtual memory management, and nothing is promised");
    }
}

#[when(expr = "other code in the process copies bytes over {string}")]
fn copies_over(world: &mut World, id: String) {
    let (raw, address) = attack(world, &id);
    let called = raw.copy(address, &[0; 64]);
    world.driver_said = Some((called, raw.wait()));
    raw.leave();
}

#[then("the driver refuses the copy")]
fn copy_refused(world: &mut World) {
    // At the call: nothing was queued, and the context goes on.
    let refused = (CUresult::CUDA_ERROR_INVALID_VALUE, CUresult::CUDA_SUCCESS);
    assert_eq!(world.driver_said.take(), Some(refused));
}

#[when(expr = "a kernel of other code in the process writes over {string}")]
fn kernel_writes(world: &mut World, id: String) {
    let (raw, address) = attack(world, &id);
    let called = raw.write_digest(address, address, 4096);
    world.driver_said = Some((called, raw.wait()));
    // The context is lost, and can't be left in order.
}

#[then("the device refuses the write")]
fn write_refused(world: &mut World) {
    let refused = (CUresult::CUDA_SUCCESS, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    assert_eq!(world.driver_said.take(), Some(refused));
}

/// The driver itself, and where the shard lies, as a permit told.
fn attack(world: &mut World, id: &str) -> (Raw, u64) {
    world.verify(id, None);
    let address = world.noted[id].address.expect("a permit was given");
    (Raw::new(Arc::clone(&world.scene().driver)), address)
}

#[when("the driver refuses the next allocation for want of memory")]
fn allocation_fails(world: &mut World) {
    let interference = world.scene().interference.as_ref().unwrap();
    interference.refuse_next_allocation();
}

#[when(regex = r#"^the driver says of "([^"]+)" what it says of (.+)$"#)]
fn driver_says(world: &mut World, id: String, memory: String) {
    let memory = match memory.as_str() {
        "managed memory" => OtherMemory::Managed,
        "host memory mapped for the device" => OtherMemory::MappedHost,
        "memory of another device" => OtherMemory::OtherDevice,
        other => panic!("no such memory: {other}"),
    };
    world.verify(&id, None);
    let address = world.noted[&id].address.expect("a permit was given");
    let len = world.shard(&id).mapped().0;
    let interference = world.scene().interference.as_mut().unwrap();
    interference.disguise(address, len, memory);
}
