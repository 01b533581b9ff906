//! Work beyond the tests: mutation testing, fuzzing, timing and the fault campaign.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{CAMPAIGNS, Files};
use super::model::{Campaign, CampaignOutcome, Fact};

/// The most facts that are shown of one report; all of them are in its file.
const SHOWN: usize = 60;
const TEXT: usize = 200;

/// What came of starting a campaign: a record of `campaigns.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) outcome: CampaignOutcome,
    pub(super) why: Option<String>,
    /// Its report, a file of the bundle.
    pub(super) file: Option<String>,
}

impl Attempt {
    pub(super) fn not_done(id: &str, title: &str, why: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: title.to_owned(),
            outcome: CampaignOutcome::NotDone,
            why: Some(why.to_owned()),
            file: None,
        }
    }

    /// A report that was made before, by the task that makes it.
    pub(super) fn of_report(
        id: &str,
        title: &str,
        path: &Path,
        files: &mut Files,
    ) -> anyhow::Result<Self> {
        let shown = path.display().to_string();
        let text = std::fs::read(path).with_context(|| shown.clone())?;
        let report: Value =
            serde_json::from_slice(&text).with_context(|| format!("{shown} is no report"))?;
        let name = format!("{id}.json");
        files.insert_json(&name, &report)?;
        let failed = has_failed(&report);
        Ok(Self {
            id: id.to_owned(),
            title: title.to_owned(),
            outcome: if failed {
                CampaignOutcome::Failed
            } else {
                CampaignOutcome::Passed
            },
            why: failed.then(|| "its report says that it failed".to_owned()),
            file: Some(name),
        })
    }
}

/// Whether a report says so itself, by a field `passed` or a verdict. One that says neither has not passed.
fn has_failed(report: &Value) -> bool {
    let passed = report.get("passed").and_then(Value::as_bool);
    let verdict = report.get("verdict").and_then(Value::as_str);
    match (passed, verdict) {
        (Some(passed), _) => !passed,
        (None, Some(verdict)) => verdict != "passed",
        (None, None) => true,
    }
}

/// The campaigns of a bundle with what their reports say.
pub(super) fn read(files: &Files) -> anyhow::Result<Vec<Campaign>> {
    let attempts: Vec<Attempt> = files.document(CAMPAIGNS)?.unwrap_or_default();
    attempts
        .into_iter()
        .map(|attempt| campaign(attempt, files))
        .collect()
}

fn campaign(attempt: Attempt, files: &Files) -> anyhow::Result<Campaign> {
    let mut facts = Vec::new();
    let mut outcome = attempt.outcome;
    let mut why = attempt.why;
    if let Some(name) = &attempt.file {
        let report: Value = files.required(name)?;
        gather("", &report, &mut facts);
        if outcome == CampaignOutcome::Passed && has_failed(&report) {
            outcome = CampaignOutcome::Failed;
            why = Some(format!("{name} does not say that it passed"));
        }
    }
    facts.truncate(SHOWN);
    Ok(Campaign {
        id: attempt.id,
        title: attempt.title,
        outcome,
        why,
        file: attempt.file,
        facts,
    })
}

/// The report's own words and numbers: those of objects within it by their path, of lists only how many there are.
fn gather(path: &str, value: &Value, facts: &mut Vec<Fact>) {
    let fact = |value: String| Fact {
        name: path.to_owned(),
        value: value.chars().take(TEXT).collect(),
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                gather(&path, value, facts);
            }
        }
        Value::Array(values) => facts.push(fact(format!("{} entries", values.len()))),
        Value::String(text) => facts.push(fact(text.clone())),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => facts.push(fact(value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(report: &Value) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        std::fs::write(&path, report.to_string()).unwrap();
        (folder, path)
    }

    fn read_one(report: &Value) -> Campaign {
        let (_folder, path) = written(report);
        let mut files = Files::default();
        let attempt = Attempt::of_report("faults", "Fault campaign", &path, &mut files).unwrap();
        files.insert_json(CAMPAIGNS, &[attempt]).unwrap();
        read(&files).unwrap().remove(0)
    }

    #[test]
    fn a_report_passes_only_where_it_says_so() {
        let outcome = |report| read_one(&report).outcome;

        assert_eq!(
            outcome(serde_json::json!({"passed": true})),
            CampaignOutcome::Passed
        );
        assert_eq!(
            outcome(serde_json::json!({"passed": false})),
            CampaignOutcome::Failed
        );
        assert_eq!(
            outcome(serde_json::json!({"verdict": "passed"})),
            CampaignOutcome::Passed
        );
        assert_eq!(
            outcome(serde_json::json!({"verdict": "missed"})),
            CampaignOutcome::Failed
        );
        assert_eq!(
            outcome(serde_json::json!({"flips": 3})),
            CampaignOutcome::Failed
        );
    }

    #[test]
    fn the_facts_are_the_reports_own() {
        let campaign = read_one(
            &serde_json::json!({"passed": true, "simulated": {"flips": 1_000_000, "missed": []}}),
        );

        let facts: Vec<_> = campaign
            .facts
            .iter()
            .map(|fact| (fact.name.as_str(), fact.value.as_str()))
            .collect();
        assert_eq!(
            facts,
            [
                ("passed", "true"),
                ("simulated.flips", "1000000"),
                ("simulated.missed", "0 entries")
            ]
        );
    }

    #[test]
    fn a_report_changed_afterwards_is_judged_again() {
        let (_folder, path) = written(&serde_json::json!({"passed": true}));
        let mut files = Files::default();
        let attempt = Attempt::of_report("faults", "Fault campaign", &path, &mut files).unwrap();
        files.insert_json(CAMPAIGNS, &[attempt]).unwrap();
        files
            .insert_json("faults.json", &serde_json::json!({"passed": false}))
            .unwrap();

        assert_eq!(read(&files).unwrap()[0].outcome, CampaignOutcome::Failed);
    }
}
