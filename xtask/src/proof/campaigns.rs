//! Work beyond the tests: planted breaks, mutation testing, the fault campaign, fuzzing and timing.

mod facts;

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{CAMPAIGNS, Files, GPU_FAULTS, GPU_RESULTS};
use super::model::{Campaign, CampaignOutcome};
use crate::campaign::{FAULTS, Head, KINDS, Kind};

/// What pages show of a commit.
const SHORT_COMMIT: usize = 12;

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
    pub(super) fn not_done(kind: &Kind, why: &str) -> Self {
        Self::without_report(kind, CampaignOutcome::NotDone, why)
    }

    pub(super) fn failed(kind: &Kind, why: &str) -> Self {
        Self::without_report(kind, CampaignOutcome::Failed, why)
    }

    fn without_report(kind: &Kind, outcome: CampaignOutcome, why: &str) -> Self {
        Self {
            id: kind.id.to_owned(),
            title: kind.title.to_owned(),
            outcome,
            why: Some(why.to_owned()),
            file: None,
        }
    }

    /// Takes a report into the bundle.
    pub(super) fn of_report(
        kind: &Kind,
        report: &Value,
        files: &mut Files,
    ) -> anyhow::Result<Self> {
        let name = format!("{}.json", kind.id);
        files.insert_json(&name, report)?;
        let failed = has_failed(report);
        Ok(Self {
            id: kind.id.to_owned(),
            title: kind.title.to_owned(),
            outcome: if failed {
                CampaignOutcome::Failed
            } else {
                CampaignOutcome::Passed
            },
            why: failed.then(|| "its report says that it failed".to_owned()),
            file: Some(name),
        })
    }

    /// The same, failed for this reason where it had passed.
    pub(super) fn or_failed(self, why: &str) -> Self {
        if self.outcome != CampaignOutcome::Passed {
            return self;
        }
        Self {
            outcome: CampaignOutcome::Failed,
            why: Some(why.to_owned()),
            ..self
        }
    }
}

/// A report that was made before, and what it is of.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) kind: &'static Kind,
    pub(super) report: Value,
}

/// Reads reports that were made before. They have to be of this commit, unless any may be.
pub(super) fn given(
    paths: &[impl AsRef<Path>],
    commit: &str,
    allow_other_commit: bool,
) -> anyhow::Result<Vec<Given>> {
    let mut given = Vec::<Given>::new();
    for path in paths {
        let shown = path.as_ref().display();
        let text = std::fs::read(path).with_context(|| shown.to_string())?;
        let report: Value =
            serde_json::from_slice(&text).with_context(|| format!("{shown} is no report"))?;
        let schema = report.get("schema").and_then(Value::as_str);
        let Some(kind) = KINDS.into_iter().find(|kind| Some(kind.schema) == schema) else {
            let tasks: Vec<_> = KINDS.iter().map(|kind| kind.task).collect();
            bail!("{shown} is no report of {}", tasks.join(", "));
        };
        ensure!(
            given.iter().all(|known| known.kind != kind),
            "{shown} is a second report of `{}`",
            kind.task
        );
        if let Some(of) = of_another(&report, commit)
            && !allow_other_commit
        {
            bail!(
                "{shown} is {of}, and {commit} is tested: run `{}` there, or let every page say so with \
                 --allow-other-commit",
                kind.task
            );
        }
        given.push(Given { kind, report });
    }
    Ok(given)
}

/// Takes the report of the faults in a GPU's memory out of the folder of a run there, where it has one.
pub(super) fn merge_gpu_faults(
    folder: &Path,
    commit: &str,
    allow_other_commit: bool,
    files: &mut Files,
) -> anyhow::Result<()> {
    let path = folder.join("faults.json");
    if !path.is_file() {
        return Ok(());
    }
    for Given { report, .. } in given(&[&path], commit, allow_other_commit)? {
        ensure!(
            is_of_gpu_faults(&report),
            "{} is no report of faults in a GPU's memory",
            path.display()
        );
        files.insert_json(GPU_FAULTS, &report)?;
    }
    Ok(())
}

/// Whether a report is of faults, and of those that a GPU was asked to find.
fn is_of_gpu_faults(report: &Value) -> bool {
    let text = |field| report.get(field).and_then(Value::as_str);
    text("schema") == Some(FAULTS.schema)
        && text("driver") == Some("gpu")
        && report.get("simulated") == Some(&Value::Bool(false))
}

/// What a report is of, where that is not this commit with nothing changed.
fn of_another(report: &Value, commit: &str) -> Option<String> {
    let head: Option<Head> = serde_json::from_value(report.clone()).ok();
    match head.and_then(|head| head.commit) {
        None => Some("of a commit that it doesn't name".to_owned()),
        Some(of) if of.id != commit => {
            let short: String = of.id.chars().take(SHORT_COMMIT).collect();
            let changed = if of.dirty { ", with changes" } else { "" };
            Some(format!("of another commit, {short}{changed}"))
        }
        Some(of) if of.dirty => Some("of this commit with changes".to_owned()),
        Some(_) => None,
    }
}

/// Whether a report says so itself, by its field `passed`. One that says nothing has not passed.
fn has_failed(report: &Value) -> bool {
    report.get("passed").and_then(Value::as_bool) != Some(true)
}

/// What is not as a run leaves it: each kind once, and what passed with its own report.
pub(super) fn problems(files: &Files) -> Vec<String> {
    let attempts: Vec<Attempt> = match files.document(CAMPAIGNS) {
        Ok(attempts) => attempts.unwrap_or_default(),
        Err(error) => return vec![format!("{error:#}")],
    };
    let mut problems = Vec::new();
    let found: Vec<&str> = attempts.iter().map(|attempt| attempt.id.as_str()).collect();
    let expected = KINDS.map(|kind| kind.id);
    if found != expected {
        problems.push(format!(
            "{CAMPAIGNS}: it is about {}, and not about {}",
            found.join(", "),
            expected.join(", ")
        ));
    }
    for attempt in &attempts {
        let Some(kind) = KINDS.into_iter().find(|kind| kind.id == attempt.id) else {
            continue;
        };
        let id = &attempt.id;
        if attempt.title != kind.title {
            problems.push(format!("{CAMPAIGNS}: {id} has another title"));
        }
        let Some(file) = &attempt.file else {
            if attempt.outcome == CampaignOutcome::Passed {
                problems.push(format!("{CAMPAIGNS}: {id} passed without a report"));
            }
            continue;
        };
        if attempt.outcome == CampaignOutcome::NotDone {
            problems.push(format!("{CAMPAIGNS}: {id} was not done, and has a report"));
        }
        let report: Option<Value> = files.document(file).unwrap_or_default();
        let schema = report.as_ref().and_then(|report| report.get("schema"));
        if *file != format!("{id}.json") || schema.and_then(Value::as_str) != Some(kind.schema) {
            problems.push(format!("{CAMPAIGNS}: {file} is no report of {id}"));
        }
    }
    if let Some(report) = files.document::<Value>(GPU_FAULTS).transpose() {
        if !report.is_ok_and(|report| is_of_gpu_faults(&report)) {
            problems.push(format!(
                "{GPU_FAULTS}: it is no report of faults in a GPU's memory"
            ));
        }
        if files.get(GPU_RESULTS).is_none() {
            problems.push(format!("{GPU_FAULTS}: there is no run on a GPU"));
        }
    }
    problems
}

/// The campaigns of a bundle with what their reports say, and of which commit they are.
pub(super) fn read(files: &Files, commit: &str) -> anyhow::Result<Vec<Campaign>> {
    let attempts: Vec<Attempt> = files.document(CAMPAIGNS)?.unwrap_or_default();
    let mut campaigns = Vec::new();
    for attempt in attempts {
        let kind = KINDS.into_iter().find(|kind| kind.id == attempt.id);
        campaigns.push(campaign(attempt, kind, files, commit)?);
        if kind == Some(&FAULTS) && files.get(GPU_FAULTS).is_some() {
            let on_gpu = Attempt {
                id: "gpu-faults".to_owned(),
                title: "Fault campaign on the GPU".to_owned(),
                outcome: CampaignOutcome::Passed,
                why: None,
                file: Some(GPU_FAULTS.to_owned()),
            };
            campaigns.push(campaign(on_gpu, kind, files, commit)?);
        }
    }
    Ok(campaigns)
}

/// What an attempt came to, by its report.
fn campaign(
    attempt: Attempt,
    kind: Option<&Kind>,
    files: &Files,
    commit: &str,
) -> anyhow::Result<Campaign> {
    let mut shown = Vec::new();
    let mut outcome = attempt.outcome;
    let mut why = attempt.why;
    if let Some(name) = &attempt.file {
        let report: Value = files.required(name)?;
        shown = kind.map_or_else(Vec::new, |kind| facts::of(kind, &report));
        // Whatever else is said of it: a report that doesn't say that it passed has failed.
        if outcome != CampaignOutcome::Failed && has_failed(&report) {
            outcome = CampaignOutcome::Failed;
            why = Some(format!("{name} does not say that it passed"));
        }
        let head: Option<Head> = serde_json::from_value(report.clone()).ok();
        let mut said: Vec<String> = why.into_iter().collect();
        said.extend(head.map(|head| head.reservations).unwrap_or_default());
        said.extend(of_another(&report, commit).map(|of| format!("its report is {of}")));
        why = (!said.is_empty()).then(|| said.join("; "));
    }
    Ok(Campaign {
        id: attempt.id,
        title: attempt.title,
        outcome,
        why,
        file: attempt.file,
        facts: shown,
    })
}

#[cfg(test)]
mod tests;
