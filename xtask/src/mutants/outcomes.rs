//! What cargo-mutants says of the mutants that it tried.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

/// Whether a mutant was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Noticed {
    /// Every test passed over it.
    Missed,
    /// The compiler refuses it.
    Unviable,
    /// The tests didn't come to an end, which a person would notice.
    TimedOut,
    /// A test failed.
    Caught,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The names in the output of `cargo mutants --list --json`.
pub(super) fn listed(json: &str) -> anyhow::Result<Vec<String>> {
    let mutants: Vec<Named> =
        serde_json::from_str(json).context("cargo mutants listed no mutants")?;
    Ok(mutants.into_iter().map(|mutant| mutant.name).collect())
}

/// The file `outcomes.json`, as far as it is read here.
#[derive(Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: String,
}

#[derive(Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Named),
}

/// What became of each mutant, by its name.
#[derive(Debug, Default)]
pub(super) struct Tried(BTreeMap<String, Noticed>);

impl Tried {
    /// Takes in one run's `outcomes.json`. A mutant that two runs tried is as noticed as the better of them found it.
    pub(super) fn add(&mut self, json: &str) -> anyhow::Result<()> {
        let found: Outcomes = serde_json::from_str(json)?;
        for Outcome { scenario, summary } in found.outcomes {
            let Scenario::Mutant(Named { name }) = scenario else {
                continue;
            };
            let noticed = match summary.as_str() {
                "CaughtMutant" => Noticed::Caught,
                "Timeout" => Noticed::TimedOut,
                "Unviable" => Noticed::Unviable,
                "MissedMutant" => Noticed::Missed,
                // It was not tried to the end.
                _ => continue,
            };
            let known = self.0.entry(name).or_insert(noticed);
            *known = noticed.max(*known);
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<Noticed> {
        self.0.get(name).copied()
    }

    /// The names of those that were noticed so.
    pub(super) fn names(&self, noticed: Noticed) -> Vec<&str> {
        let names = self.0.iter().filter(|(_, found)| **found == noticed);
        names.map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(mutants: &[(&str, &str)]) -> String {
        let one = |(name, summary): &(&str, &str)| serde_json::json!({"scenario": {"Mutant": {"name": name, "package": "p"}}, "summary": summary});
        let mut all = vec![serde_json::json!({"scenario": "Baseline", "summary": "Success"})];
        all.extend(mutants.iter().map(one));
        serde_json::json!({"outcomes": all, "total_mutants": 9}).to_string()
    }

    #[test]
    fn a_mutant_that_a_later_run_caught_is_no_longer_missed() {
        let mut tried = Tried::default();

        tried
            .add(&outcomes(&[("a", "MissedMutant"), ("b", "MissedMutant")]))
            .unwrap();
        assert_eq!(tried.names(Noticed::Missed), ["a", "b"]);
        tried
            .add(&outcomes(&[("a", "CaughtMutant"), ("c", "Unviable")]))
            .unwrap();
        tried
            .add(&outcomes(&[("a", "MissedMutant"), ("d", "Timeout")]))
            .unwrap();

        assert_eq!(tried.names(Noticed::Missed), ["b"]);
        assert_eq!(tried.get("a"), Some(Noticed::Caught));
        assert_eq!(tried.get("c"), Some(Noticed::Unviable));
        assert_eq!(tried.get("d"), Some(Noticed::TimedOut));
        assert_eq!(tried.get("e"), None);
    }

    #[test]
    fn a_mutant_that_was_not_tried_to_the_end_was_not_tried() {
        let mut tried = Tried::default();

        tried.add(&outcomes(&[("a", "Failure")])).unwrap();

        assert_eq!(tried.get("a"), None);
    }

    #[test]
    fn all_mutants_are_listed_by_name() {
        let json = r#"[{"name": "x: replace f with ()", "package": "p", "genre": "FnValue"}]"#;

        assert_eq!(listed(json).unwrap(), ["x: replace f with ()"]);
        assert!(listed("{}").is_err());
    }
}
