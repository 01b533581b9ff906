//! What the test programs came to.

use super::markdown::{Page, link_text};
use crate::gpu::suite::{Counts, Outcome, Suite};

pub(super) fn results(page: &mut Page, suites: &[Suite]) {
    page.title(2, "Tests");
    if suites.is_empty() {
        page.paragraph("No tests were run.");
    }
    for suite in suites {
        page.title(3, &suite.title);
        page.paragraph(&summary(suite));
        if !suite.tests.is_empty() {
            page.table(&["module", "passed", "failed", "left out"]);
            for (module, counts) in suite.modules() {
                page.row(&[
                    module.to_owned(),
                    counts.passed.to_string(),
                    counts.failed.to_string(),
                    counts.left_out.to_string(),
                ]);
            }
        }
        let mut listed = false;
        for test in &suite.tests {
            let ended = match test.outcome {
                Outcome::Passed => continue,
                Outcome::Failed => "**failed**",
                Outcome::Ignored => "ignored",
                Outcome::Skipped => "skipped",
            };
            if !std::mem::replace(&mut listed, true) {
                page.line("");
            }
            let why = test.why.as_deref().unwrap_or_default();
            page.line(&format!("- `{}`: {ended} {}", test.name, link_text(why)));
        }
    }
}

/// What a test program came to, in a line.
pub(super) fn summary(suite: &Suite) -> String {
    let Counts {
        passed,
        failed,
        left_out,
    } = suite.counts();
    let mut said = if suite.announced == 0 && suite.tests.is_empty() {
        // An example is no test binary: what counts is how it ended.
        "one program".to_owned()
    } else {
        format!("{passed} passed, {failed} failed, {left_out} left out")
    };
    let unfinished = suite.unfinished();
    if unfinished > 0 {
        said += &format!(", **{unfinished} not finished**");
    }
    match (suite.status, suite.seconds) {
        (Some(0), Some(seconds)) => said += &format!("; {seconds} s."),
        (Some(status), Some(seconds)) => {
            said += &format!("; **exit status {status}** after {seconds} s.");
        }
        _ => said += "; **cut short**.",
    }
    said
}
