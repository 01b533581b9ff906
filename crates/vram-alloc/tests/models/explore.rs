//! Running a model under many schedules.

use shuttle::scheduler::PctScheduler;
use shuttle::{Config, Runner};

/// What a schedule may preempt, at the most, to strike: most races need one or two.
const DEPTH: usize = 3;
/// The same schedules in every run, until `SHUTTLE_RANDOM_SEED` asks for others.
const SEED: u64 = 6;
/// Shuttle's own is too small for a driver and a manager.
const STACK: usize = 1 << 20;

/// Runs a model under so many schedules, or as many as `VRAM_MODEL_SCHEDULES` says, chosen as PCT does (Burckhardt
/// et al., ASPLOS 2010): random priorities with a few changes of them.
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    explore_up_to(usize::MAX, model);
}

/// The same, for a model that leaves something behind each time.
pub(crate) fn explore_up_to(most: usize, model: impl Fn() + Send + Sync + 'static) {
    let asked = std::env::var("VRAM_MODEL_SCHEDULES").ok();
    let schedules = asked.map_or(200, |asked| asked.parse().unwrap()).min(most);
    let mut config = Config::new();
    config.stack_size = STACK;
    // What it warns of: weaker orderings are modelled as the strongest.
    config.silence_warnings = true;
    let scheduler = PctScheduler::new_from_seed(SEED, DEPTH, schedules);
    let ran = Runner::new(scheduler, config).run(model);
    assert_eq!(ran, schedules);
    println!("{ran} schedules");
}
