//! What keeps a verdict from being one about everything, in a few words each.

use super::parts::{counted, short};
use crate::proof::model::{
    Bundle, CampaignOutcome, Coverage, Driver, Outcome, Status, StatusCounts,
};

pub(super) struct Flag {
    pub(super) symbol: &'static str,
    /// A class of the style.
    pub(super) class: &'static str,
    pub(super) text: String,
}

/// Read from the data itself, so that nothing stands under a verdict that the head of the page keeps quiet about.
pub(super) fn flags(bundle: &Bundle) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut flag = |raised: bool, class, symbol, text: String| {
        if raised {
            flags.push(Flag {
                symbol,
                class,
                text,
            });
        }
    };
    let run = &bundle.run;
    flag(
        run.dirty,
        "caution",
        "!",
        "source with changes beside the commit".to_owned(),
    );
    flag(
        !run.packages.is_empty(),
        "caution",
        "!",
        format!("confined to {}", run.packages.join(", ")),
    );
    if let Some(gpu_run) = &bundle.gpu_run {
        let text = format!(
            "results on the GPU are of commit {}",
            short(&gpu_run.commit)
        );
        flag(gpu_run.other_commit, "caution", "!", text);
        let text = "source on the GPU with changes beside the commit".to_owned();
        flag(gpu_run.dirty, "caution", "!", text);
    }
    let on_gpu = bundle
        .tests
        .iter()
        .any(|test| test.driver == Driver::Gpu && test.outcome != Outcome::Skipped);
    let text = "simulated driver only: nothing here ran on a GPU".to_owned();
    flag(!on_gpu, "simulated", "◐", text);
    let rows = counted_rows(bundle);
    let shown = |count| counted(count, "row", "rows");
    let text = format!("{} simulated only", shown(rows.simulated_only));
    flag(rows.simulated_only > 0, "simulated", "◐", text);
    let text = format!("{} skipped", shown(rows.skipped));
    flag(rows.skipped > 0, "caution", "–", text);
    let text = format!("{} not run", shown(rows.not_run));
    flag(rows.not_run > 0, "caution", "○", text);
    let text = format!("{} not covered", shown(rows.not_covered));
    flag(rows.not_covered > 0, "failed", "!", text);
    let skipped = count(&bundle.tests, |test| test.outcome == Outcome::Skipped);
    let text = format!(
        "{} skipped",
        counted(skipped, "test result", "test results")
    );
    flag(skipped > 0, "caution", "–", text);
    let not_measured = matches!(bundle.coverage, Coverage::NotMeasured(_));
    let text = "code coverage not measured".to_owned();
    flag(not_measured, "caution", "○", text);
    for campaign in &bundle.campaigns {
        let not_done = campaign.outcome == CampaignOutcome::NotDone;
        flag(
            not_done,
            "caution",
            "○",
            format!("{}: not done", campaign.title),
        );
    }
    flags
}

/// Of every requirement and vulnerability on the page.
pub(super) fn counted_rows(bundle: &Bundle) -> StatusCounts {
    let sections = bundle.specifications.iter().flat_map(|page| &page.sections);
    let rows = sections.flat_map(|section| &section.rows);
    let mut counts = StatusCounts::default();
    for row in rows.chain(&bundle.vulnerabilities) {
        let counted = match row.status {
            Status::Passed => &mut counts.passed,
            Status::Failed => &mut counts.failed,
            Status::Skipped => &mut counts.skipped,
            Status::SimulatedOnly => &mut counts.simulated_only,
            Status::NotRun => &mut counts.not_run,
            Status::NotCovered => &mut counts.not_covered,
        };
        *counted = counted.saturating_add(1);
        counts.total = counts.total.saturating_add(1);
    }
    counts
}

fn count<T>(list: &[T], wanted: impl Fn(&T) -> bool) -> u64 {
    let found = list.iter().filter(|each| wanted(each)).count();
    u64::try_from(found).unwrap_or(u64::MAX)
}
