//! What must turn a scenario red, turned red.

use cucumber::World as _;
use cucumber::gherkin::{Feature, GherkinEnv};
use libtest_mimic::{Failed, Trial};
use regex::Regex;

use crate::runner::{Ran, run, run_with};

/// A world of one step that passes and one that doesn't.
#[derive(Debug, Default, cucumber::World)]
pub(crate) struct Two;

#[cucumber::given("a step that passes")]
fn passes(_: &mut Two) {}

#[cucumber::given("a step that panics")]
fn panics(_: &mut Two) {
    panic!("as it should")
}

/// Tests of the runner itself.
pub(crate) fn trials() -> Vec<Trial> {
    let of =
        |name: &str, test: fn() -> Result<(), Failed>| Trial::test(format!("runner::{name}"), test);
    vec![
        of("a_scenario_whose_steps_pass_passes", || {
            outcome("Given a step that passes", "one")
                .map_err(|why| Failed::from(format!("it failed: {why}")))
        }),
        of("a_step_that_panics_fails_its_scenario", || {
            require_red(outcome("Given a step that panics", "one"))
        }),
        of("a_step_that_nobody_defined_fails_its_scenario", || {
            require_red(outcome(
                "Given a step that passes\nThen nobody knows this",
                "one",
            ))
        }),
        of("a_scenario_without_steps_fails", || {
            require_red(outcome("", "one"))
        }),
        of("a_scenario_that_is_not_there_fails", || {
            require_red(outcome("Given a step that passes", "another"))
        }),
        of("a_step_with_two_meanings_fails_its_scenario", || {
            let twice = Regex::new("^a step that pass.*$").expect("a plain expression");
            let steps = Two::collection().given(None, twice, |_, _| Box::pin(async {}));
            let feature = feature("Given a step that passes");
            require_red(run_with(steps, feature, "one".to_owned()).outcome)
        }),
    ]
}

fn feature(steps: &str) -> Feature {
    let text = format!("Feature: f\n\nScenario: one\n{steps}\n");
    Feature::parse(text, GherkinEnv::default()).expect("the feature is one")
}

fn outcome(steps: &str, scenario: &str) -> Result<(), String> {
    let Ran { outcome, .. } = run::<Two>(feature(steps), scenario.to_owned());
    outcome
}

fn require_red(outcome: Result<(), String>) -> Result<(), Failed> {
    match outcome {
        Err(_) => Ok(()),
        Ok(()) => Err("it passed".into()),
    }
}
