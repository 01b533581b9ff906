//! The capacity snapshot, the log, and everything that was emitted.

use cucumber::then;
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};

use crate::search::{bytes_in, number_in};
use crate::world::{TOKEN, WORKER, World};
use crate::{content, log};

#[then("the device memory in use is what the shards take")]
fn used_is_sum(world: &mut World) {
    let capacity = world.capacity();
    let taken = world.shards.values().map(|sealed| sealed.shard.mapped().0);
    assert_eq!(capacity.used.0, taken.sum::<u64>());
    let sum = capacity.used.0 + capacity.available.0 + capacity.unavailable.0;
    assert_eq!(sum, capacity.total.0);
    world.used_at_most = world.used_at_most.max(capacity.used.0);
}

#[then("no device memory is in use")]
fn nothing_used(world: &mut World) {
    let before = world.before.unwrap();
    let capacity = world.capacity();
    assert_eq!((capacity.used.0, capacity.unreleased.0), (0, 0));
    assert_eq!(capacity.allocations, before.allocations);
    assert!(world.worker().shard_ids().is_empty());
}

#[then("nothing is available any more")]
fn nothing_available(world: &mut World) {
    assert_eq!(world.capacity().available.0, 0);
}

#[then("the capacity is what it was before")]
fn capacity_as_before(world: &mut World) {
    let before = world.before.unwrap();
    let after = world.capacity();
    assert_eq!(after.used, before.used);
    assert_eq!(after.available, before.available);
    assert_eq!(after.regions, before.regions);
    assert_eq!(after.unreleased.0, 0);
}

#[then(expr = "the worker has the shards {string}")]
fn has_shards(world: &mut World, ids: String) {
    let tracked = world.worker().shard_ids();
    let tracked: Vec<_> = tracked.iter().map(|id| id.as_str()).collect();
    assert_eq!(tracked, ids.split(", ").collect::<Vec<_>>());
}

#[then(expr = "the log tells that verifying {string} failed in block {int}")]
fn log_tells(_: &mut World, id: String, block: u64) {
    let log = log::so_far();
    let told = log
        .lines()
        .find(|line| line.contains("verification failed"));
    let told = told.unwrap_or_else(|| panic!("{log}"));
    assert!(told.contains("ERROR"), "{told}");
    assert!(told.contains(&format!("shard={id}")), "{told}");
    assert!(told.contains(&format!("block {block} (bytes")), "{told}");
}

#[then("the log goes down to the level of traces")]
fn log_is_whole(world: &mut World) {
    assert!(tracing::enabled!(target: "vram_residency", tracing::Level::TRACE));
    world.history();
    let log = log::so_far();
    for told in ["DEBUG", "allocated", "sealed", "verified", "manager ended"] {
        assert!(log.contains(told), "no {told}: {log}");
    }
}

#[then("the name of the key is found in what was emitted")]
fn key_name_found(world: &mut World) {
    let name = world.key_id.clone().expect("a worker was made");
    let emitted = world.emitted();
    let name = hex::decode(name).unwrap();
    assert!(
        !bytes_in(&emitted, &name).is_empty(),
        "the search finds nothing"
    );
}

#[then("neither the token nor the key made of it is found in what was emitted, in any notation")]
fn no_key_material(world: &mut World) {
    let key = derived_key(world);
    let emitted = world.emitted();
    assert_eq!(bytes_in(&emitted, &TOKEN), [""; 0], "the token is shown");
    assert_eq!(bytes_in(&emitted, &key), [""; 0], "the key is shown");
}

/// The key, made as `docs/spec/seal-format.md` lays it down, by nothing of the crates that are tested.
fn derived_key(world: &World) -> [u8; 32] {
    struct Bytes32;
    impl KeyType for Bytes32 {
        fn len(&self) -> usize {
            32
        }
    }
    let device = world.device.expect("a worker was made");
    let info = [
        b"vram-residency/seal-key/v1".as_slice(),
        &u16::try_from(WORKER.len()).unwrap().to_le_bytes(),
        WORKER.as_bytes(),
        &device.uuid,
        &[u8::from(device.simulated)],
    ]
    .concat();
    let mut key = [0; 32];
    Salt::new(HKDF_SHA256, b"vram-residency/hkdf/v1")
        .extract(&TOKEN)
        .expand(&[&info], Bytes32)
        .and_then(|made| made.fill(&mut key))
        .unwrap();
    // Its name is made of it, and shows that this is the key that the worker signs with.
    let signed = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let name = ring::hmac::sign(&signed, b"vram-residency/key-id/v1");
    let name = hex::encode(&name.as_ref()[..8]);
    assert_eq!(world.key_id.as_deref(), Some(name.as_str()));
    key
}

#[then(expr = "the verity digest of {string} is found in what was emitted")]
fn digest_found(world: &mut World, id: String) {
    let bytes = World::weights(&id, 600_001);
    let verity = crate::verity::digest(&bytes);
    let emitted = world.emitted();
    assert!(!bytes_in(&emitted, &verity).is_empty());
    let size = number_in(&emitted, 600_001);
    assert!(size.contains(&"decimal".to_owned()), "{size:?}");
    assert_ne!(content::sha256(&bytes), verity);
}

#[then(expr = "the device address of {string} is not found in what was emitted, in any notation")]
fn no_address(world: &mut World, id: String) {
    let address = world.noted[&id].address.expect("a permit was given");
    let emitted = world.emitted();
    assert!(address >= 1 << 20, "too small a number to search for");
    assert_eq!(number_in(&emitted, address), [""; 0], "an address is shown");
    assert_eq!(
        number_in(&emitted, address + 4096),
        [""; 0],
        "an address is shown"
    );
}
