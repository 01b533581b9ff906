//! What NVIDIA's tools found: compute-sanitizer and the profiler.

use super::markdown::Page;
use super::number::number;
use crate::gpu::results::Results;
use crate::gpu::sanitizer::Sanitizer;

/// The profiler's counters that the page explains, in its order.
const COUNTERS: &[(&str, &str)] = &[
    ("gpu__time_duration.sum", "duration of the launch"),
    (
        "sm__inst_executed_pipe_alu.avg.pct_of_peak_sustained_active",
        "integer and logic pipe (ALU) busy",
    ),
    (
        "sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_active",
        "multiply-add pipes (FMA) busy",
    ),
    (
        "sm__inst_executed_pipe_fmaheavy.avg.pct_of_peak_sustained_active",
        "of these, the one for integers (FMA heavy) busy",
    ),
    (
        "sm__inst_executed_pipe_lsu.avg.pct_of_peak_sustained_active",
        "load and store pipe busy",
    ),
    (
        "smsp__issue_active.avg.pct_of_peak_sustained_active",
        "cycles in which a scheduler issued an instruction",
    ),
    (
        "sm__inst_executed.avg.per_cycle_active",
        "instructions per cycle and multiprocessor",
    ),
    (
        "sm__warps_active.avg.pct_of_peak_sustained_active",
        "occupancy achieved",
    ),
    ("dram__bytes_read.sum", "read from device memory"),
    ("dram__bytes_write.sum", "written to device memory"),
    (
        "dram__throughput.avg.pct_of_peak_sustained_elapsed",
        "device memory busy",
    ),
    ("launch__registers_per_thread", "registers per thread"),
    ("launch__block_size", "threads per block"),
    ("launch__grid_size", "blocks"),
];

pub(super) fn sanitizers(page: &mut Page, sanitizers: &[Sanitizer]) {
    page.title(2, "compute-sanitizer over the kernel tests");
    if sanitizers.is_empty() {
        page.paragraph("It was not run.");
        return;
    }
    page.table(&[
        "tool",
        "result",
        "errors",
        "of these, refused driver calls",
        "warnings",
        "tests passed",
        "tests failed",
    ]);
    for found in sanitizers {
        let result = match (found.is_clean(), found.status) {
            (true, _) => "clean".to_owned(),
            (false, None) => "**cut short**".to_owned(),
            (false, Some(124 | 137)) => "**timed out**".to_owned(),
            (false, Some(status)) => format!("**exit status {status}**"),
        };
        page.row(&[
            found.tool.clone(),
            result,
            found
                .errors
                .map_or_else(|| "no summary".to_owned(), |errors| errors.to_string()),
            found.refused_calls.to_string(),
            found.warnings.to_string(),
            found.tests_passed.to_string(),
            found.tests_failed.to_string(),
        ]);
    }
}

pub(super) fn profile(page: &mut Page, results: &Results) {
    page.title(2, "The measuring kernel under the profiler");
    let Some(profile) = &results.profile else {
        page.paragraph("It was not profiled.");
        return;
    };
    page.paragraph(&format!(
        "`{}`, the longest of {} launches.",
        profile.kernel, profile.launches
    ));
    page.table(&["", "value", "counter"]);
    for (name, meaning) in COUNTERS {
        if let Some(counter) = profile.counters.get(*name) {
            page.row(&[
                (*meaning).to_owned(),
                format!("{} {}", number(counter.value), counter.unit),
                format!("`{name}`"),
            ]);
        }
    }
}
