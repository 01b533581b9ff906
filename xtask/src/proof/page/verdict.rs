//! What all of it comes to, in words.

use super::flags::counted_rows;
use super::parts::counted;
use super::words::Said;
use crate::proof::figures::count;
use crate::proof::model::{
    Bundle, CampaignOutcome, Outcome, StageOutcome, Status, StatusCounts, Verdict,
};

/// The verdict of the model; where something on the page is red and the model says otherwise, that it failed:
/// what a reader sees below is never worse than what stands above it.
pub(super) fn verdict(bundle: &Bundle) -> Verdict {
    if is_red(bundle) {
        Verdict::Failed
    } else {
        bundle.conclusion.verdict
    }
}

fn is_red(bundle: &Bundle) -> bool {
    let rows = counted_rows(bundle);
    // Where only some packages were tested, the rows of others are open and not missing.
    let missing = rows.not_run > 0 || rows.not_covered > 0;
    let mut tests = bundle.tests.iter().map(|test| test.outcome);
    let features = bundle.features.iter();
    let mut scenarios = features.flat_map(|feature| &feature.scenarios);
    let mut stages = bundle.run.stages.iter().map(|stage| stage.outcome);
    let mut campaigns = bundle.campaigns.iter().map(|campaign| campaign.outcome);
    !bundle.conclusion.failures.is_empty()
        || rows.failed > 0
        || (missing && bundle.run.packages.is_empty())
        || tests.any(|outcome| outcome == Outcome::Failed)
        || scenarios.any(|scenario| scenario.status == Status::Failed)
        || stages.any(|outcome| outcome == StageOutcome::Failed)
        || campaigns.any(|outcome| outcome == CampaignOutcome::Failed)
}

pub(super) fn word(bundle: &Bundle) -> &'static str {
    match verdict(bundle) {
        Verdict::Passed => "Passed",
        Verdict::PassedWithReservations => "Passed with reservations",
        Verdict::Failed => "Failed",
    }
}

pub(super) fn sign(bundle: &Bundle) -> Said {
    let (word, symbol, class) = match verdict(bundle) {
        Verdict::Passed => ("Passed", "✓", "passed"),
        Verdict::PassedWithReservations => ("Passed with reservations", "!", "caution"),
        Verdict::Failed => ("Failed", "✗", "failed"),
    };
    Said {
        word,
        symbol,
        class,
    }
}

/// The heading after its first word.
pub(super) fn sentence(bundle: &Bundle) -> String {
    let rows = &bundle.conclusion.requirements;
    match verdict(bundle) {
        Verdict::Passed => format!("no test failed, and {}", covered(rows)),
        Verdict::PassedWithReservations => {
            let missing = missing(rows);
            if missing.is_empty() {
                format!("no test failed, and {}", covered(rows))
            } else {
                let all = counted(rows.total, "requirement", "requirements");
                format!("no test failed, but of {all} {missing}")
            }
        }
        Verdict::Failed => {
            let found = failed(bundle);
            if found.is_empty() {
                "something is missing or does not add up".to_owned()
            } else {
                joined(&found)
            }
        }
    }
}

fn covered(counts: &StatusCounts) -> String {
    match counts.total {
        0 => "there are no requirements".to_owned(),
        1 => "the one requirement is covered".to_owned(),
        total => format!("all {} requirements are covered", count(total)),
    }
}

/// `3 of 3,004 test results`, `1 of 55 requirements`; those of which some failed.
fn failed(bundle: &Bundle) -> Vec<String> {
    let conclusion = &bundle.conclusion;
    let counts = [
        (&conclusion.requirements, "requirements"),
        (&conclusion.vulnerabilities, "vulnerabilities"),
        (&conclusion.scenarios, "scenarios"),
    ];
    let counts = counts.map(|(counts, what)| (counts.failed, counts.total, what));
    let tests = (
        conclusion.tests.failed,
        conclusion.tests.total,
        "test results",
    );
    std::iter::once(tests)
        .chain(counts)
        .filter(|(failed, ..)| *failed > 0)
        .map(|(failed, total, what)| format!("{} of {} {what}", count(failed), count(total)))
        .collect()
}

/// `2 are simulated only and 1 is skipped`; empty where all passed.
fn missing(counts: &StatusCounts) -> String {
    let kinds = [
        (counts.simulated_only, "simulated only"),
        (counts.skipped, "skipped"),
        (counts.not_run, "not run"),
        (counts.not_covered, "not covered"),
    ];
    let found: Vec<_> = kinds
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| {
            let verb = if number == 1 { "is" } else { "are" };
            format!("{} {verb} {what}", count(number))
        })
        .collect();
    joined(&found)
}

/// `a, b and c`
fn joined(parts: &[String]) -> String {
    match parts.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
