//! Workers: what they are given, what other workers there are, and the time.

use std::time::Duration;

use cucumber::{given, when};
use vram_residency::SealRequest;

use crate::world::{MovedClock, World};

const MINUTE: u64 = 60;

#[given(expr = "a worker that may use {int} MiB of device memory")]
fn a_worker(world: &mut World, mib: u64) {
    world.settings.budget = mib << 20;
}

#[given(expr = "it accepts seals for {int} minutes, by a clock that stands until it is moved")]
fn accepts_seals_for(world: &mut World, minutes: u64) {
    world.settings.max_age = Some(Duration::from_secs(minutes * MINUTE));
    world.settings.clock = Some(MovedClock::standing());
}

#[given("a driver whose answers can be changed")]
fn a_driver_that_is_interfered_with(world: &mut World) {
    world.settings.interfering = true;
}

#[when(expr = "{int} minutes pass")]
fn minutes_pass(world: &mut World, minutes: u64) {
    let clock = world
        .settings
        .clock
        .as_ref()
        .expect("the clock can be moved");
    clock.pass(Duration::from_secs(minutes * MINUTE));
}

#[given("another worker on the same device, with a key of its own")]
fn another_worker(world: &mut World) {
    world.begin_other_worker();
}

#[given(expr = "the other worker has sealed a model of {int} bytes as {string}")]
fn the_other_worker_has_sealed(world: &mut World, len: usize, id: String) {
    let bytes = World::weights(&id, len);
    let request = SealRequest::bytes(id.parse().unwrap(), &bytes);
    let other = world.other_worker.as_ref().unwrap();
    world.theirs = Some(other.seal(request).unwrap());
}

#[when("the worker ends")]
fn the_worker_ends(world: &mut World) {
    world.history();
}
