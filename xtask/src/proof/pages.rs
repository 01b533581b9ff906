//! The pages that are made of what a bundle says: the same data always gives the same bytes.

use super::files::{PAGE, SPEC_COVERAGE, TEST_REPORT};
use super::markdown::{spec_coverage, test_report};
use super::model::Bundle;
use super::page;

/// Each page under its name.
pub(super) fn write(bundle: &Bundle) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        (SPEC_COVERAGE, spec_coverage::write(bundle)),
        (TEST_REPORT, test_report::write(bundle)),
        (PAGE, page::render(bundle)?),
    ])
}
