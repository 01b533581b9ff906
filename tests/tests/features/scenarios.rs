//! The feature files, and a test for each scenario in them.

use std::sync::{Mutex, PoisonError};

use cucumber::gherkin::{Feature, GherkinEnv};
use libtest_mimic::{Completion, Failed, Trial};

use crate::world::World;
use crate::{child, runner, skipping};

macro_rules! features {
    ($($stem:literal,)*) => {
        /// Each file by its name, and what is in it.
        const FEATURES: &[(&str, &str)] = &[
            $(($stem, include_str!(concat!("../../features/", $stem, ".feature"))),)*
        ];
    };
}

features! {
    "error_recovery",
    "multi_shard",
    "seal_model",
    "seal_verification_extended",
    "security",
    "verify_seal",
    "vram_policy",
}

/// The tag of a scenario that ends the context that its process has.
const ALONE: &str = "alone";

/// They share a GPU, the log and the driver that stands before it: one at a time.
static TURN: Mutex<()> = Mutex::new(());

/// A test for each scenario, named for its file and itself. With `told`, a test that passes prints its steps.
pub(crate) fn trials(told: bool) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (stem, text) in FEATURES {
        let feature = Feature::parse(text, GherkinEnv::default())
            .unwrap_or_else(|error| panic!("{stem}.feature: {error}"));
        for scenario in &feature.scenarios {
            let name = format!("{stem}::{}", scenario.name);
            let alone = scenario.tags.iter().any(|tag| tag == ALONE);
            let (feature, scenario) = (feature.clone(), scenario.name.clone());
            let test = name.clone();
            let run = move || {
                let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
                if alone && !child::is_one() {
                    return child::run(&test, told);
                }
                in_this_process(feature, scenario, told)
            };
            trials.push(Trial::ignorable_test(name, run));
        }
    }
    trials
}

fn in_this_process(feature: Feature, scenario: String, told: bool) -> Result<Completion, Failed> {
    skipping::begin();
    let ran = runner::run::<World>(feature, scenario);
    if let Some(reason) = skipping::reason() {
        println!("SKIPPED: {reason}");
        return Ok(Completion::ignored_with(reason));
    }
    ran.outcome
        .map_err(|why| format!("{why}\n{}", ran.transcript))?;
    if told {
        println!("{}", ran.transcript);
    }
    Ok(Completion::Completed)
}
