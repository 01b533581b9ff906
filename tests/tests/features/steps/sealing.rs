//! Sealing: what is asked for, and what the handle says.

use std::io::Read;

use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use vram_residency::{Error, SealRequest, SealedShard};

use crate::world::World;
use crate::{content, verity};

/// Stands for a NUL, which a feature file can't hold.
const SHOWN_NUL: &str = "␀";

#[when(expr = "the worker seals a model of {int} bytes as {string}")]
fn seals(world: &mut World, len: usize, id: String) {
    let bytes = World::weights(&id, len);
    let sealed = request(world, &id, &bytes);
    if let Some(shard) = world.note(sealed) {
        world.keep(shard, bytes);
    }
}

#[given(expr = "the worker has sealed a model of {int} bytes as {string}")]
fn has_sealed(world: &mut World, len: usize, id: String) {
    seals(world, len, id);
    assert!(matches!(world.outcome, Some(Ok(()))), "{world:?}");
}

fn request(world: &mut World, id: &str, bytes: &[u8]) -> Result<SealedShard, Error> {
    let worker = world.worker();
    world.before = Some(world.capacity());
    let id = id.replace(SHOWN_NUL, "\0").parse()?;
    let request = SealRequest::bytes(id, bytes);
    world.show(&request);
    worker.seal(request)
}

#[when("the worker seals these models one after another")]
#[given("the worker has sealed these models")]
fn seals_each(world: &mut World, step: &Step) {
    for (id, len) in table(step) {
        has_sealed(world, len, id);
    }
}

/// Ids and sizes, as a table of a step has them.
pub(crate) fn table(step: &Step) -> Vec<(String, usize)> {
    let table = step.table.as_ref().expect("the step has a table");
    assert_eq!(table.rows[0], ["id", "bytes"]);
    let rows = table.rows[1..].iter();
    rows.map(|row| (row[0].clone(), row[1].parse().unwrap()))
        .collect()
}

/// A model of zeros, which counts what is read of it.
struct Counted {
    read: u64,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        into.fill(0);
        self.read += into.len() as u64;
        Ok(into.len())
    }
}

#[when(expr = "the worker seals a model of one byte more than what is available as {string}")]
fn seals_too_much(world: &mut World, id: String) {
    let worker = world.worker();
    let capacity = world.capacity();
    let mut model = Counted { read: 0 };
    let len = capacity.available.0 + 1;
    let request = SealRequest::reader(id.parse().unwrap(), &mut model, len);
    let outcome = worker.seal(request);
    world.before = Some(capacity);
    world.note(outcome);
    world.read = model.read;
}

#[when(expr = "the worker seals a model of as many bytes as are available as {string}")]
fn seals_all(world: &mut World, id: String) {
    let available = world.capacity().available.0;
    has_sealed(world, usize::try_from(available).unwrap(), id);
}

#[then(expr = "{string} reports its id, the worker's device and {int} bytes")]
fn reports(world: &mut World, id: String, len: u64) {
    // What the driver says of the device, asked for once more.
    let uuid = world.scene().platform.devices().unwrap()[0].uuid;
    let shard = world.shard(&id);
    assert_eq!(shard.id().as_str(), id);
    assert_eq!(shard.device().uuid, uuid);
    assert_eq!(shard.size().0, len);
}

#[then("its content digest is what SHA-256 gives for the model's bytes")]
fn content_digest(world: &mut World) {
    let sealed = &world.shards[&world.newest];
    let content = sealed.shard.content_digest().expect("the host hashed it");
    assert_eq!(*content.as_bytes(), content::sha256(&sealed.bytes));
}

#[then("its verity digest is what fs-verity gives for the model's bytes")]
fn verity_digest(world: &mut World) {
    let sealed = &world.shards[&world.newest];
    let expected = hex::encode(verity::digest(&sealed.bytes));
    assert_eq!(sealed.shard.verity_digest().to_string(), expected);
}

#[when(expr = "the worker drops {string}")]
fn drops(world: &mut World, id: String) {
    let sealed = world.shards.remove(&id);
    drop(sealed.expect("it is sealed"));
}

#[then(expr = "{string} reports that it was sealed {int} minutes ago")]
fn sealed_ago(world: &mut World, id: String, minutes: u64) {
    use vram_residency::Clock as _;

    let clock = world.settings.clock.as_ref().unwrap();
    let ago = clock.now().unwrap() - world.shard(&id).sealed_at();
    assert_eq!(ago.as_secs(), minutes * 60);
}

#[then("these sizes are reported by the handle, by its JSON and by a verification")]
fn sizes(world: &mut World, step: &Step) {
    for (id, len) in table(step) {
        let len = len as u64;
        let shard = world.shard(&id);
        assert_eq!(shard.size().0, len, "{id}");
        assert!(shard.mapped().0 >= len, "{id}");
        assert_eq!(world.noted[&id].json["size"], len, "{id}");
        world.verify(&id, None);
        assert_eq!(world.report.as_ref().unwrap().size.0, len, "{id}");
    }
}
