//! What a task that runs other tools says of its run: to people, and with `--json` to programs.

use std::time::Instant;

use serde::Serialize;

use crate::process;

/// One run: what was run with what, how it went, and what was left out.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// The tool that did the work.
    tool: &'static str,
    /// Its version, as it prints it.
    version: String,
    /// Parts that were run.
    ran: usize,
    passed: usize,
    failed: usize,
    parts: Vec<Part>,
    left_out: Vec<LeftOut>,
    seconds: f64,
    #[serde(skip)]
    started: Instant,
}

/// One thing that was run.
#[derive(Debug, Serialize)]
struct Part {
    what: String,
    passed: bool,
    /// What it said of itself, or why it failed.
    says: String,
}

/// What is not run, and why.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
}

impl Summary {
    pub(crate) fn new(tool: &'static str, version: String, left_out: &[LeftOut]) -> Self {
        Self {
            tool,
            version,
            ran: 0,
            passed: 0,
            failed: 0,
            parts: Vec::new(),
            left_out: left_out.to_vec(),
            seconds: 0.0,
            started: Instant::now(),
        }
    }

    /// Keeps and tells how one part went.
    pub(crate) fn add(&mut self, what: &str, outcome: Result<String, String>) {
        let passed = outcome.is_ok();
        let says = outcome.unwrap_or_else(|why| why);
        let word = if passed { "passed" } else { "FAILED" };
        process::report(&format!("{what}: {word}, {says}"));
        self.ran = self.ran.saturating_add(1);
        let count = if passed {
            &mut self.passed
        } else {
            &mut self.failed
        };
        *count = count.saturating_add(1);
        self.parts.push(Part {
            what: what.to_owned(),
            passed,
            says,
        });
    }

    /// Tells how the run went as a whole.
    ///
    /// # Errors
    ///
    /// A part failed, or none was run: that shows nothing.
    pub(crate) fn finish(mut self, json: bool) -> anyhow::Result<()> {
        self.seconds = self.started.elapsed().as_secs_f64();
        for LeftOut { what, why } in &self.left_out {
            process::report(&format!("left out: {what}: {why}"));
        }
        process::report(&format!(
            "{} ({}): {} of {} passed in {:.1} s",
            self.tool, self.version, self.passed, self.ran, self.seconds
        ));
        if json {
            print(&serde_json::to_string_pretty(&self)?);
        }
        anyhow::ensure!(self.ran > 0, "nothing was run");
        anyhow::ensure!(
            self.failed == 0,
            "{} of {} failed: see above",
            self.failed,
            self.ran
        );
        Ok(())
    }
}

#[expect(clippy::print_stdout, reason = "what --json is for")]
fn print(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let left_out = [LeftOut {
            what: "assembly",
            why: "it is not Rust",
        }];
        Summary::new("a tool", "1.0".to_owned(), &left_out)
    }

    #[test]
    fn one_failure_fails_the_run_and_is_counted() {
        let mut summary = summary();
        summary.add("this", Ok("3 tests".to_owned()));
        summary.add("that", Err("it broke".to_owned()));

        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(
            (&json["ran"], &json["passed"], &json["failed"]),
            (&2.into(), &1.into(), &1.into())
        );
        assert_eq!(json["left_out"][0]["why"], "it is not Rust");
        assert_eq!(json["parts"][1]["says"], "it broke");
        assert!(summary.finish(false).is_err());
    }

    #[test]
    fn a_run_of_nothing_is_no_success() {
        assert!(summary().finish(false).is_err());
    }

    #[test]
    fn a_run_that_passed_is_one() {
        let mut summary = summary();
        summary.add("this", Ok("3 tests".to_owned()));
        summary.finish(false).unwrap();
    }
}
