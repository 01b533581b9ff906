//! The scenarios of `tests/features`: each is a test, and its tags are its claims.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use gherkin::{Feature, GherkinEnv};

use super::claims;
use super::source::{Claimed, Kind, Test};

/// The test target that runs them.
const BINARY: &str = "vram-tests::features";

/// Every scenario of a workspace. There may be none.
pub(super) fn read(root: &Path) -> anyhow::Result<Claimed> {
    let mut claimed = Claimed::default();
    for file in files(&root.join("tests/features"))? {
        let feature = Feature::parse_path(&file, GherkinEnv::default())
            .map_err(|error| anyhow!("{}: {error}", file.display()))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        claimed.extend(of_feature(&feature, &stem));
    }
    Ok(claimed)
}

/// The feature files of a folder, by name.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("could not look through {}", folder.display()))?;
    let paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    let mut files: Vec<_> = paths
        .into_iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "feature")
        })
        .collect();
    files.sort();
    Ok(files)
}

fn of_feature(feature: &Feature, stem: &str) -> Claimed {
    let mut claimed = Claimed::default();
    let inherited = &feature.tags;
    for scenario in &feature.scenarios {
        claimed.extend(of_scenario(
            stem,
            &scenario.name,
            &[inherited, &scenario.tags],
        ));
    }
    for rule in &feature.rules {
        for scenario in &rule.scenarios {
            let tags = [inherited, &rule.tags, &scenario.tags];
            claimed.extend(of_scenario(stem, &scenario.name, &tags));
        }
    }
    claimed
}

/// A scenario inherits its feature's and its rule's tags. A tag without a hyphen is no claim.
fn of_scenario(stem: &str, name: &str, tags: &[&Vec<String>]) -> Claimed {
    let id = format!("{BINARY} {stem}::{name}");
    let tags = tags.iter().flat_map(|tags| tags.iter());
    let (mut rows, others): (Vec<String>, Vec<String>) =
        tags.cloned().partition(|tag| claims::is_row_id(tag));
    rows.sort();
    rows.dedup();
    let misspelt = others.into_iter().filter(|tag| tag.contains('-'));
    let problems =
        misspelt.map(|tag| format!("{id}: the tag @{tag} is not built as a row's id is"));
    Claimed {
        problems: problems.collect(),
        tests: vec![Test {
            id,
            kind: Kind::Scenario,
            ignored: false,
            claims: rows,
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_claims_by_its_tags_and_those_above_it() {
        let text = "@FN-2.1\nFeature: Sealing\n\n  @EX-1.1 @slow @FN-2.1\n  Scenario: A model is sealed\n    Given x\n\n  @FN2-1\n  Scenario: Another\n    Given x\n";
        let feature = Feature::parse(text, GherkinEnv::default()).unwrap();

        let claimed = of_feature(&feature, "sealing");

        let ids: Vec<_> = claimed.tests.iter().map(|test| test.id.as_str()).collect();
        let expected = [
            "vram-tests::features sealing::A model is sealed",
            "vram-tests::features sealing::Another",
        ];
        assert_eq!(ids, expected);
        assert_eq!(claimed.tests[0].claims, ["EX-1.1", "FN-2.1"]);
        assert_eq!(claimed.problems.len(), 1, "{:?}", claimed.problems);
        assert!(
            claimed.problems[0].contains("@FN2-1"),
            "{:?}",
            claimed.problems
        );
    }

    #[test]
    fn without_feature_files_there_are_no_scenarios() {
        let folder = tempfile::tempdir().unwrap();

        assert!(read(folder.path()).unwrap().tests.is_empty());
    }
}
