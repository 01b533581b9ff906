//! Runs one scenario through `cucumber`, and says whether all its steps passed.

use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use cucumber::codegen::WorldInventory;
use cucumber::feature::Ext as _;
use cucumber::gherkin::Feature;
use cucumber::writer::{self, Coloring, Ext as _, Stats as _, Verbosity};
use cucumber::{Cucumber, Parser, World, cli, parser, step};
use futures::executor::block_on;
use futures::stream::{self, Iter};

/// How a scenario went.
pub(crate) struct Ran {
    /// Its steps, and what became of each.
    pub(crate) transcript: String,
    /// Why it failed, if it did.
    pub(crate) outcome: Result<(), String>,
}

/// Runs the scenario of this name, and none other: of an outline, with every row of its examples.
pub(crate) fn run<W: World + Debug + WorldInventory>(feature: Feature, scenario: String) -> Ran {
    run_with(W::collection(), feature, scenario)
}

/// As [`run`], with these steps.
pub(crate) fn run_with<W: World + Debug>(
    steps: step::Collection<W>,
    feature: Feature,
    scenario: String,
) -> Ran {
    let transcript = Transcript::default();
    let refused = |why: String| Ran {
        transcript: String::new(),
        outcome: Err(why),
    };
    let feature = match feature.expand_examples() {
        Ok(feature) => feature,
        Err(error) => return refused(format!("the examples can't be filled in: {error}")),
    };
    let expected = steps_of(&feature, &scenario);
    if expected == 0 {
        return refused(format!("there is no scenario {scenario:?} with any step"));
    }

    let basic = writer::Basic::raw(transcript.clone(), Coloring::Never, Verbosity::Default);
    let runner = cucumber::runner::Basic::default()
        .max_concurrent_scenarios(1)
        .steps(steps);
    let cucumber = Cucumber::<W, _, _, _, _>::custom(
        Parsed(feature),
        runner,
        basic.normalized::<W>().summarized(),
    );
    let running = cucumber
        .fail_on_skipped()
        .with_default_cli()
        .filter_run((), move |_, _, found| found.name == scenario);
    let summary = block_on(running);

    let passed = summary.passed_steps();
    let failed = summary.execution_has_failed();
    let outcome = if failed || passed != expected {
        Err(format!("{passed} of {expected} steps passed"))
    } else {
        Ok(())
    };
    Ran {
        transcript: transcript.text(),
        outcome,
    }
}

/// How many steps there are to run, those of the background counted for every run.
fn steps_of(feature: &Feature, scenario: &str) -> usize {
    let background = feature.background.as_ref().map_or(0, |all| all.steps.len());
    let named = feature.scenarios.iter().filter(|all| all.name == scenario);
    let own = named.map(|found| found.steps.len());
    own.filter(|own| *own > 0).map(|own| own + background).sum()
}

/// A feature that was read already.
struct Parsed(Feature);

impl Parser<()> for Parsed {
    type Cli = cli::Empty;
    type Output = Iter<std::array::IntoIter<parser::Result<Feature>, 1>>;

    fn parse(self, (): (), _: cli::Empty) -> Self::Output {
        stream::iter([Ok(self.0)])
    }
}

/// What `cucumber` writes.
#[derive(Clone, Default)]
struct Transcript(Arc<Mutex<Vec<u8>>>);

impl Transcript {
    fn text(&self) -> String {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&written).into_owned()
    }
}

impl Write for Transcript {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
