//! What compute-sanitizer found, read off its summary lines.

use serde::{Deserialize, Serialize};

use super::sections::Section;
use super::suite::Suite;

/// One tool's run over the kernel tests.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sanitizer {
    pub(crate) tool: String,
    /// The exit status; `None` if the run was cut short.
    pub(crate) status: Option<i32>,
    pub(crate) seconds: Option<u64>,
    /// What the tool's summary says, over all processes; `None` if it printed none.
    pub(crate) errors: Option<u64>,
    pub(crate) warnings: u64,
    /// Driver calls that were refused: the tool counts them among its errors, whether expected or not.
    pub(crate) refused_calls: u64,
    pub(crate) tests_passed: u64,
    pub(crate) tests_failed: u64,
}

impl Sanitizer {
    /// Reads a section of `sanitizer.txt`.
    pub(crate) fn parse(section: &Section<'_>) -> Self {
        let counts = Suite::parse(section).counts();
        let mut sanitizer = Self {
            tool: section.title.trim_start_matches("sanitizer ").to_owned(),
            status: section.end.map(|(status, _)| status),
            seconds: section.end.map(|(_, seconds)| seconds),
            errors: None,
            warnings: 0,
            refused_calls: 0,
            tests_passed: counts.passed,
            tests_failed: counts.failed,
        };
        for line in &section.lines {
            let Some(said) = line.trim_start().strip_prefix("=========") else {
                continue;
            };
            let said = said.trim();
            if said.starts_with("Program hit ") {
                sanitizer.refused_calls = sanitizer.refused_calls.saturating_add(1);
            }
            if let Some((errors, warnings)) = summary(said) {
                let sum = sanitizer.errors.unwrap_or(0).saturating_add(errors);
                sanitizer.errors = Some(sum);
                sanitizer.warnings = sanitizer.warnings.saturating_add(warnings);
            }
        }
        sanitizer
    }

    /// Whether the tool ran to its end over tests that passed, and found nothing.
    pub(crate) fn is_clean(&self) -> bool {
        let found_nothing = self.errors == Some(0) && self.warnings == 0;
        let had_something = self.tests_passed > 0 && self.tests_failed == 0;
        self.status == Some(0) && found_nothing && had_something
    }
}

/// Errors and warnings of `ERROR SUMMARY: 2 errors`, or of
/// `RACECHECK SUMMARY: 3 hazards displayed (1 error, 2 warnings)`.
fn summary(said: &str) -> Option<(u64, u64)> {
    if let Some(counted) = said.strip_prefix("ERROR SUMMARY:") {
        return Some((first_number(counted)?, 0));
    }
    let (_, counted) = said.strip_prefix("RACECHECK SUMMARY:")?.split_once('(')?;
    let (errors, warnings) = counted.split_once(',')?;
    Some((first_number(errors)?, first_number(warnings)?))
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::sections::sections;

    fn parse(said: &str, end: &str) -> Sanitizer {
        let text = format!("##### sanitizer memcheck\n{said}\n{end}\n");
        Sanitizer::parse(&sections(&text)[0])
    }

    const ENDED: &str = "##### exit status 0 after 9 s";

    #[test]
    fn a_summary_without_errors_is_clean() {
        let said = "========= COMPUTE-SANITIZER\nrunning 1 test\ntest kernels::a ... ok\n\
            ========= ERROR SUMMARY: 0 errors";

        let found = parse(said, ENDED);

        assert_eq!(found.tool, "memcheck");
        assert_eq!(found.errors, Some(0));
        assert_eq!((found.tests_passed, found.tests_failed), (1, 0));
        assert!(found.is_clean());
    }

    #[test]
    fn errors_are_counted_and_refused_calls_apart() {
        let said = "========= Program hit CUDA_ERROR_INVALID_VALUE (error 1)\n\
            ========= Invalid __global__ read of size 4 bytes\n========= ERROR SUMMARY: 2 errors";

        let found = parse(said, "##### exit status 1 after 9 s");

        assert_eq!((found.errors, found.refused_calls), (Some(2), 1));
        assert!(!found.is_clean());
    }

    #[test]
    fn hazards_are_errors_and_warnings() {
        let said =
            "test a ... ok\n========= RACECHECK SUMMARY: 3 hazards displayed (1 error, 2 warnings)";

        let found = parse(said, ENDED);

        assert_eq!((found.errors, found.warnings), (Some(1), 2));
        assert!(!found.is_clean());
    }

    #[test]
    fn a_run_without_a_summary_is_not_clean() {
        let passed = "test kernels::a ... ok\n========= ERROR SUMMARY: 0 errors";

        assert!(parse(passed, ENDED).is_clean());
        assert!(!parse(passed, "").is_clean(), "cut short");
        assert!(!parse("test kernels::a ... ok", ENDED).is_clean());
    }

    #[test]
    fn a_run_without_tests_is_not_clean() {
        let said = "running 0 tests\n========= ERROR SUMMARY: 0 errors";

        assert!(!parse(said, ENDED).is_clean());
    }

    #[test]
    fn processes_add_up() {
        let said = "========= ERROR SUMMARY: 1 error\n========= ERROR SUMMARY: 2 errors";

        assert_eq!(parse(said, ENDED).errors, Some(3));
    }
}
