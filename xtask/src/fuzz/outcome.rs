//! What came of running one target.

use std::path::PathBuf;

use serde::Serialize;

/// How much of a log is shown where a target failed.
const SHOWN_LINES: usize = 40;

#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) target: String,
    /// Whether the program ended well.
    succeeded: bool,
    /// How many inputs were tried; none if the program didn't get that far.
    executions: Option<u64>,
    /// How many places in the code were reached.
    coverage: Option<u64>,
    peak_mib: Option<u64>,
    #[serde(skip)]
    last_lines: String,
    #[serde(skip)]
    log: PathBuf,
}

impl Outcome {
    /// By how the program ended and what libFuzzer said.
    pub(super) fn new(target: &str, succeeded: bool, said: &str, log: PathBuf) -> Self {
        let stat = |name: &str| {
            let line = said
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        let lines: Vec<_> = said.lines().collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        Self {
            target: target.to_owned(),
            succeeded,
            executions: stat("stat::number_of_executed_units:"),
            coverage: said.lines().rev().find_map(coverage),
            peak_mib: stat("stat::peak_rss_mb:"),
            last_lines: lines.get(from..).unwrap_or_default().join("\n"),
            log,
        }
    }

    /// It ended well, and did something.
    pub(super) fn is_good(&self) -> bool {
        self.succeeded && self.executions.is_some_and(|executions| executions > 0)
    }

    pub(super) fn line(&self) -> String {
        let number =
            |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
        format!(
            "{:<14} {:<6} {:>10} inputs, {:>6} places reached, {:>5} MiB at most",
            self.target,
            if self.is_good() { "clean" } else { "FAILED" },
            number(self.executions),
            number(self.coverage),
            number(self.peak_mib),
        )
    }

    pub(super) fn explain(&self) -> String {
        format!(
            "{} failed. The end of {}:\n{}",
            self.target,
            self.log.display(),
            self.last_lines
        )
    }
}

/// The coverage of a line such as `#5 NEW cov: 812 ft: 1033 corp: 3/22b`.
fn coverage(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(" cov: ")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "INFO: seed corpus\n#2\tINITED cov: 812 ft: 1033 corp: 2/22b\n\
        #9\tDONE   cov: 840 ft: 1100 corp: 3/30b\nstat::number_of_executed_units: 9\n\
        stat::peak_rss_mb:              57\n";

    fn outcome(succeeded: bool, said: &str) -> Outcome {
        Outcome::new("gguf", succeeded, said, "gguf.log".into())
    }

    #[test]
    fn what_libfuzzer_says_is_read() {
        let outcome = outcome(true, SAID);

        assert!(outcome.is_good());
        let line = outcome.line();
        for part in ["gguf", "clean", " 9 inputs", " 840 places", " 57 MiB"] {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn a_crash_fails_with_the_end_of_the_log() {
        let outcome = outcome(false, &format!("{SAID}==1==ERROR: deadly signal"));

        assert!(!outcome.is_good());
        assert!(outcome.line().contains("FAILED"));
        assert!(outcome.explain().contains("deadly signal"));
        assert!(outcome.explain().contains("gguf.log"));
    }

    #[test]
    fn a_program_that_tried_nothing_fails() {
        assert!(!outcome(true, "").is_good());
        assert!(!outcome(true, "stat::number_of_executed_units: 0").is_good());
    }
}
