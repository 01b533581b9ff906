//! `test_report.md`: what was run, on what, and every result.

use std::collections::BTreeMap;

use super::super::figures::{count, seconds};
use super::super::model::{
    Benchmark, Bundle, Campaign, CampaignOutcome, Outcome, Stage, StageOutcome, TestCounts,
    TestRecord,
};
use super::{cell, code, head};
use crate::gpu::page::number;

pub(in crate::proof) fn write(bundle: &Bundle) -> String {
    let mut text = head(bundle, "Test report");
    text += &environment(bundle);
    text += &stages("Stages", &bundle.run.stages);
    if let Some(run) = &bundle.gpu_run {
        text += &stages(
            &format!("Stages on the {}", cell(&run.gpu.name)),
            &run.stages,
        );
    }
    text += &counts(bundle);
    for (title, outcome) in [("Failed", Outcome::Failed), ("Skipped", Outcome::Skipped)] {
        text += &listed(
            title,
            bundle.tests.iter().filter(|test| test.outcome == outcome),
        );
    }
    text += &campaigns(&bundle.campaigns);
    for benchmark in &bundle.benchmarks {
        text += &figures(benchmark);
    }
    text + &every_result(&bundle.tests)
}

fn environment(bundle: &Bundle) -> String {
    let environment = &bundle.environment;
    let mut rows: Vec<(&str, String)> = vec![
        ("compiler", environment.rustc.clone()),
        ("cargo", environment.cargo.clone()),
        ("architecture", environment.architecture.clone()),
    ];
    let mut say = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    say("system", environment.system.clone());
    say("kernel", environment.kernel.clone());
    say("processor", environment.cpu.clone());
    say("cores", environment.cores.map(count));
    say(
        "memory",
        environment
            .memory
            .map(|bytes| format!("{} bytes", count(bytes))),
    );
    let gpu = environment.gpu.as_ref();
    say(
        "GPU",
        Some(gpu.map_or_else(
            || "none".to_owned(),
            |gpu| format!("{}, driver {}", gpu.name, gpu.driver),
        )),
    );
    for (tool, version) in &environment.tools {
        rows.push((tool, version.clone()));
    }
    if let Some(run) = &bundle.gpu_run {
        let dirty = if run.dirty { ", with changes" } else { "" };
        rows.push((
            "merged run on",
            format!("{}, driver {}, {}", run.gpu.name, run.gpu.driver, run.date),
        ));
        rows.push(("its commit", format!("{}{dirty}", run.commit)));
    }
    let signer = &bundle.run.signer;
    let given = if signer.given {
        "given to the run"
    } else {
        "made for the run"
    };
    rows.push(("signed by", signer.key_id.clone()));
    rows.push((
        "the key was",
        format!("{given}: the maker's own word, which nothing here can show"),
    ));
    let lines = rows
        .iter()
        .map(|(name, value)| format!("| {} | {} |\n", cell(name), cell(value)));
    format!(
        "## Where it ran\n\n| | |\n| --- | --- |\n{}\n",
        lines.collect::<String>()
    )
}

fn stages(title: &str, stages: &[Stage]) -> String {
    let lines = stages.iter().map(|stage| {
        let outcome = match stage.outcome {
            StageOutcome::Passed => "passed",
            StageOutcome::Failed => "FAILED",
            StageOutcome::Skipped => "skipped",
        };
        let why = stage.why.as_deref().unwrap_or_default();
        format!(
            "| {} | {outcome} | {} | {} |\n",
            cell(&stage.name),
            seconds(stage.seconds),
            cell(why)
        )
    });
    format!(
        "## {title}\n\n| Stage | Outcome | Time | Why |\n| --- | --- | ---: | --- |\n{}\n",
        lines.collect::<String>()
    )
}

/// How many results there are of each kind on each driver.
fn counts(bundle: &Bundle) -> String {
    let mut counts: BTreeMap<_, TestCounts> = BTreeMap::new();
    for test in &bundle.tests {
        let of_kind = counts.entry((test.kind, test.driver)).or_default();
        let counter = match test.outcome {
            Outcome::Passed => &mut of_kind.passed,
            Outcome::Failed => &mut of_kind.failed,
            Outcome::Skipped => &mut of_kind.skipped,
        };
        *counter = counter.saturating_add(1);
        of_kind.total = of_kind.total.saturating_add(1);
    }
    let line = |kind: &str, driver: &str, counts: &TestCounts| {
        let number = |part: u64| {
            if part == 0 {
                "–".to_owned()
            } else {
                count(part)
            }
        };
        format!(
            "| {kind} | {driver} | {} | {} | {} | {} |\n",
            count(counts.total),
            number(counts.passed),
            number(counts.failed),
            number(counts.skipped)
        )
    };
    let mut text = "## Results\n\n| Kind | Driver | results | passed | failed | skipped |\n| --- | --- | ---: | ---: | ---: | ---: |\n".to_owned();
    for ((kind, driver), counts) in &counts {
        text += &line(kind.shown(), driver.shown(), counts);
    }
    text + &line("**all**", "", &bundle.conclusion.tests) + "\n"
}

/// Tests with the reason of each.
fn listed<'t>(title: &str, tests: impl Iterator<Item = &'t TestRecord>) -> String {
    let lines: String = tests
        .map(|test| {
            let reason = test.reason.as_deref().unwrap_or("it doesn't say why");
            format!(
                "| {} | {} | {} |\n",
                code(&test.id),
                test.driver.shown(),
                cell(&beginning(reason))
            )
        })
        .collect();
    if lines.is_empty() {
        return format!("## {title}\n\nNone.\n\n");
    }
    format!("## {title}\n\n| Test | Driver | Why |\n| --- | --- | --- |\n{lines}\n")
}

/// The first line of a reason; of a panic, that is where it was, and the next line says why.
fn beginning(reason: &str) -> String {
    let mut lines = reason.lines();
    let first = lines.next().unwrap_or_default();
    match lines.next() {
        Some(next) if first.ends_with(':') => format!("{first} {next}"),
        _ => first.to_owned(),
    }
}

fn campaigns(campaigns: &[Campaign]) -> String {
    let mut text = "## Beyond the tests\n\n".to_owned();
    for campaign in campaigns {
        let outcome = match campaign.outcome {
            CampaignOutcome::Passed => "passed",
            CampaignOutcome::Failed => "FAILED",
            CampaignOutcome::NotDone => "not done",
        };
        let why = campaign.why.as_ref().map(|why| format!(": {}", cell(why)));
        text += &format!(
            "### {}\n\n**{outcome}**{}\n\n",
            cell(&campaign.title),
            why.unwrap_or_default()
        );
        if let Some(file) = &campaign.file {
            let facts = campaign
                .facts
                .iter()
                .map(|fact| format!("| {} | {} |\n", cell(&fact.name), cell(&fact.value)));
            text += &format!(
                "From {}:\n\n| | |\n| --- | --- |\n{}\n",
                code(file),
                facts.collect::<String>()
            );
        }
    }
    text
}

fn figures(benchmark: &Benchmark) -> String {
    let mut text = format!(
        "## Benchmark: {}\n\nFrom {}.\n\n",
        cell(&benchmark.machine),
        code(&benchmark.file)
    );
    text +=
        "| Figure | measured | ceiling | target | verdict |\n| --- | ---: | ---: | ---: | --- |\n";
    for figure in &benchmark.bench.figures {
        let ceiling = benchmark.bench.ceiling(figure.ceiling.as_deref());
        text += &format!(
            "| {} | {} {} | {} | {} | {} |\n",
            cell(&figure.title),
            number(figure.value),
            cell(&figure.unit),
            ceiling.map_or_else(
                || "–".to_owned(),
                |ceiling| format!("{} {}", number(ceiling.value), cell(&ceiling.unit))
            ),
            figure.target.map_or_else(
                || "–".to_owned(),
                |target| format!("{} {}", number(target.must), cell(&figure.unit))
            ),
            figure.judged().shown()
        );
    }
    for skipped in &benchmark.bench.skipped {
        text += &format!(
            "| {} | – | – | – | skipped: {} |\n",
            cell(&skipped.id),
            cell(&skipped.why)
        );
    }
    text += "\nA ceiling is what the machine itself was measured to do, in the same run.";
    if let Some(why) = benchmark.bench.above_ceilings() {
        text += " ";
        text += why;
    }
    text + "\n\n"
}

fn every_result(tests: &[TestRecord]) -> String {
    let lines = tests.iter().map(|test| {
        format!(
            "| {} | {} | {} | {} | {} |\n",
            code(&test.id),
            test.kind.shown(),
            test.driver.shown(),
            test.outcome.shown(),
            test.seconds.map_or_else(|| "–".to_owned(), seconds)
        )
    });
    format!(
        "## Every result\n\n| Test | Kind | Driver | Outcome | Time |\n| --- | --- | --- | --- | ---: |\n{}",
        lines.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn every_result_is_listed_and_what_failed_says_why() {
        let page = write(&fixture::bundle());

        assert!(
            page.contains("| `vram-tests::drivers freezing::d` | integration | GPU | passed | – |"),
            "{page}"
        );
        assert!(page.contains("| `vram-policy rows::tests::b` | host | thread panicked: \\<left\\> & \"right\" differ |"), "{page}");
        assert!(
            page.contains(
                "| `vram-observe::suite nvml::c` | host | SKIPPED: there is no C compiler |"
            ),
            "{page}"
        );
        assert!(page.contains("| **all** |  | 8 | 6 | 1 | 1 |"), "{page}");
    }

    #[test]
    fn where_it_ran_and_who_signed_is_said() {
        let page = write(&fixture::bundle());

        assert!(page.contains("| GPU | none |"), "{page}");
        assert!(
            page.contains("| the key was | made for the run: the maker's own word"),
            "{page}"
        );
        assert!(
            page.contains("| merged run on | NVIDIA H100 80GB HBM3, driver 580.159.04"),
            "{page}"
        );
    }

    #[test]
    fn a_reason_that_begins_with_a_place_goes_on_with_what_happened_there() {
        let panic = "panicked at src/tag.rs:7:5:\nno seal\nstack backtrace:";

        assert_eq!(beginning(panic), "panicked at src/tag.rs:7:5: no seal");
        assert_eq!(beginning("no seal\nstack backtrace:"), "no seal");
        assert_eq!(beginning("it said:"), "it said:");
    }

    #[test]
    fn a_campaign_that_was_not_done_says_so() {
        let page = write(&fixture::bundle());

        assert!(page.contains("**not done**: only with --full"), "{page}");
        assert!(page.contains("| flips | 1000000 |"), "{page}");
    }
}
