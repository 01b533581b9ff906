//! The scenarios of the feature files, with what they came to.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use gherkin::GherkinEnv;

use super::files::{FEATURES, Files};
use super::model::{Feature, Scenario};
use super::rows::{self, Results};

/// The program that runs the scenarios.
const PROGRAM: &str = "vram-tests::features";

/// The features of a bundle, by the names of their files.
pub(super) fn read(files: &Files, results: &Results<'_>) -> anyhow::Result<Vec<Feature>> {
    let features = parsed(files)?;
    let features = features.iter();
    Ok(features
        .map(|(name, feature)| of_file(name, feature, results))
        .collect())
}

/// The ids of the tests that are scenarios. What else their program runs is about the program itself.
pub(super) fn scenario_ids(files: &Files) -> anyhow::Result<BTreeSet<String>> {
    let features = parsed(files)?;
    let ids = features.iter().flat_map(|(name, feature)| {
        let of_rules = feature.rules.iter().flat_map(|rule| &rule.scenarios);
        let scenarios = feature.scenarios.iter().chain(of_rules);
        scenarios.map(|scenario| id(stem(name), scenario))
    });
    Ok(ids.collect())
}

fn id(stem: &str, scenario: &gherkin::Scenario) -> String {
    format!("{PROGRAM} {stem}::{}", scenario.name)
}

fn stem(file: &str) -> &str {
    file.strip_suffix(".feature").unwrap_or(file)
}

/// The feature files of a bundle, each with its name.
fn parsed(files: &Files) -> anyhow::Result<Vec<(&str, gherkin::Feature)>> {
    let mut features = Vec::new();
    for (path, _) in files.iter() {
        let Some(name) = path.strip_prefix(FEATURES) else {
            continue;
        };
        let text = files.text(path)?.unwrap_or_default();
        let feature = gherkin::Feature::parse(text, GherkinEnv::default())
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("{path} is no feature file"))?;
        features.push((name, feature));
    }
    Ok(features)
}

fn of_file(file: &str, feature: &gherkin::Feature, results: &Results<'_>) -> Feature {
    let stem = stem(file);
    let mut scenarios = Vec::new();
    for scenario in &feature.scenarios {
        scenarios.push(judge(stem, scenario, &[&feature.tags], results));
    }
    for rule in &feature.rules {
        for scenario in &rule.scenarios {
            scenarios.push(judge(stem, scenario, &[&feature.tags, &rule.tags], results));
        }
    }
    Feature {
        file: file.to_owned(),
        title: feature.name.clone(),
        counts: rows::count(scenarios.iter().map(|scenario| scenario.status)),
        scenarios,
    }
}

fn judge(
    stem: &str,
    scenario: &gherkin::Scenario,
    above: &[&Vec<String>],
    results: &Results<'_>,
) -> Scenario {
    let test = results.of(&id(stem, scenario));
    let (status, notes) = rows::judge(false, std::slice::from_ref(&test));
    let tags = above
        .iter()
        .flat_map(|tags| tags.iter())
        .chain(&scenario.tags);
    // A row's id is two letters, a hyphen and a number; other tags are for choosing scenarios.
    let mut claims: Vec<String> = tags.filter(|tag| tag.contains('-')).cloned().collect();
    claims.sort();
    claims.dedup();
    Scenario {
        title: scenario.name.clone(),
        status,
        notes,
        claims,
        test,
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Driver, Kind, Outcome, Status, TestRecord};
    use super::*;

    #[test]
    fn a_scenario_has_the_result_of_its_test() {
        let mut files = Files::default();
        files.insert(
            "features/seal_model.feature",
            "@FN-2.1\nFeature: Sealing\n\n  @EX-1.1 @slow\n  Scenario: a model that fits\n    Given x\n\n  Scenario: another\n    Given x\n",
        );
        files.insert("other/ignored.feature", "no feature at all");
        let id = "vram-tests::features seal_model::a model that fits";
        let records = [TestRecord {
            id: id.to_owned(),
            binary: PROGRAM.to_owned(),
            name: "seal_model::a model that fits".to_owned(),
            kind: Kind::Feature,
            driver: Driver::Simulated,
            machine: "here".to_owned(),
            outcome: Outcome::Passed,
            reason: None,
            seconds: None,
            output_sha256: None,
        }];

        let features = read(&files, &Results::new(&records)).unwrap();

        assert_eq!(features.len(), 1);
        assert_eq!(
            (features[0].counts.total, features[0].counts.passed),
            (2, 1)
        );
        assert_eq!(features[0].scenarios[0].claims, ["EX-1.1", "FN-2.1"]);
        assert_eq!(features[0].scenarios[1].status, Status::NotRun);
    }
}
