//! `spec_coverage.md`: what is promised, beside the tests that show it.

use super::super::figures::{count, percent};
use super::super::model::{
    Bundle, Coverage, Feature, LineCoverage, Outcome, Row, RowTest, Specification, Status, Verdict,
};
use super::super::rows;
use super::{cell, code, counts_head, counts_row, head};

pub(in crate::proof) fn write(bundle: &Bundle) -> String {
    let mut text = head(bundle, "Specification coverage");
    text += &summary(bundle);
    for specification in &bundle.specifications {
        text += &specification_part(specification);
    }
    text += &vulnerabilities(bundle);
    text += &scenarios(&bundle.features);
    text += &coverage(&bundle.coverage);
    text += &conclusion(bundle);
    text
}

fn summary(bundle: &Bundle) -> String {
    let mut text = "## Summary\n\n".to_owned();
    text += &counts_head("Specification", "requirements");
    for specification in &bundle.specifications {
        text += &counts_row(&cell(&specification.doc), &specification.counts);
    }
    let conclusion = &bundle.conclusion;
    text += &counts_row("**all requirements**", &conclusion.requirements);
    text += &counts_row("vulnerabilities", &conclusion.vulnerabilities);
    text += &counts_row("scenarios", &conclusion.scenarios);
    text + "\nA row passed when its tests ran, none of them failed, and one at least, the row's own among them, was not \
            skipped. A row about the device is \
            *simulated only* until one of its tests passed on a GPU. Percentages are rounded down.\n\n"
}

fn specification_part(specification: &Specification) -> String {
    let mut text = format!("## {}\n\n", cell(&specification.doc));
    for section in &specification.sections {
        text += &format!("### {}\n\n", cell(&section.title));
        text += "| ID | Requirement | Status | Tests |\n| --- | --- | --- | --- |\n";
        for row in &section.rows {
            text += &format!(
                "| {} | {} | {} | {} |\n",
                cell(&row.id),
                cell(&row.title),
                status(row),
                tests(&row.tests)
            );
        }
        text += &notes(&section.rows);
        text.push('\n');
    }
    text
}

fn status(row: &Row) -> String {
    format!("{} {}", row.status.mark(), row.status.shown())
}

/// The tests of a row, each with what it came to on each driver.
fn tests(tests: &[RowTest]) -> String {
    let shown = tests.iter().map(|test| {
        let results = test.results.iter().map(|result| {
            let driver = result.driver.shown();
            match result.outcome {
                Outcome::Passed => driver.to_owned(),
                outcome => format!("{driver}: {}", outcome.shown()),
            }
        });
        let results: Vec<_> = results.collect();
        let results = if results.is_empty() {
            "not run".to_owned()
        } else {
            results.join(", ")
        };
        format!("{} ({results})", code(&test.id))
    });
    shown.collect::<Vec<_>>().join("<br>")
}

/// What the statuses don't say by themselves. Which tests were not run stands beside each of them.
fn notes(rows: &[Row]) -> String {
    let notes = rows
        .iter()
        .filter(|row| row.status != Status::NotRun)
        .flat_map(|row| row.notes.iter().map(move |note| (row, note)));
    let lines: Vec<_> = notes
        .map(|(row, note)| format!("- {}: {}\n", cell(&row.id), cell(note)))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("\n{}", lines.concat())
}

fn vulnerabilities(bundle: &Bundle) -> String {
    let rows = &bundle.vulnerabilities;
    let mut text = "## Vulnerabilities\n\n".to_owned();
    text += "| ID | Vulnerability | Severity | What answers it | Status | Tests |\n| --- | --- | --- | --- | --- | --- |\n";
    for row in rows {
        text += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            cell(&row.id),
            cell(&row.title),
            cell(row.severity.as_deref().unwrap_or("–")),
            cell(row.mitigation.as_deref().unwrap_or("–")),
            status(row),
            tests(&row.tests)
        );
    }
    text + &notes(rows) + "\n"
}

fn scenarios(features: &[Feature]) -> String {
    let mut text = "## Scenarios\n\n".to_owned();
    if features.is_empty() {
        return text + "There are no feature files.\n\n";
    }
    text += &counts_head("Feature", "scenarios");
    for feature in features {
        text += &counts_row(&code(&feature.file), &feature.counts);
    }
    text += &counts_row(
        "**all**",
        &rows::sum(features.iter().map(|feature| &feature.counts)),
    );
    for feature in features {
        text += &format!(
            "\n### {} ({})\n\n",
            cell(&feature.title),
            code(&feature.file)
        );
        text += "| Scenario | Claims | Status | Drivers |\n| --- | --- | --- | --- |\n";
        for scenario in &feature.scenarios {
            let results = scenario.test.results.iter();
            let drivers: Vec<_> = results
                .map(|result| format!("{}: {}", result.driver.shown(), result.outcome.shown()))
                .collect();
            text += &format!(
                "| {} | {} | {} {} | {} |\n",
                cell(&scenario.title),
                cell(&scenario.claims.join(", ")),
                scenario.status.mark(),
                scenario.status.shown(),
                drivers.join(", ")
            );
        }
        let notes = feature.scenarios.iter().flat_map(|one| &one.notes);
        let notes: Vec<_> = notes.map(|note| format!("- {}\n", cell(note))).collect();
        if !notes.is_empty() {
            text += &format!("\n{}", notes.concat());
        }
    }
    text + "\n"
}

fn coverage(coverage: &Coverage) -> String {
    let mut text = "## Code coverage\n\n".to_owned();
    match coverage {
        Coverage::NotMeasured(why) => text += &format!("Not measured: {}.\n\n", cell(why)),
        Coverage::Measured(lines) => text += &modules(lines),
    }
    text
}

fn modules(coverage: &LineCoverage) -> String {
    let mut text = format!(
        "Lines that the tests above went through, by {}; doc tests are not counted. Unit tests stand in the modules \
         that they test, and their lines count as lines of those.\n\n\
         | Crate and module | lines | covered | part |\n| --- | ---: | ---: | ---: |\n",
        cell(&coverage.tool)
    );
    for one in &coverage.crates {
        text += &format!(
            "| **{}** | {} | {} | {} |\n",
            cell(&one.name),
            count(one.lines.all),
            count(one.lines.covered),
            one.lines.percent()
        );
        for module in &one.modules {
            text += &format!(
                "| {} | {} | {} | {} |\n",
                code(&format!("{}::{}", one.name, module.name)),
                count(module.lines.all),
                count(module.lines.covered),
                module.lines.percent()
            );
        }
    }
    let all = coverage.lines;
    text + &format!(
        "| **all** | {} | {} | {} |\n\n",
        count(all.all),
        count(all.covered),
        percent(all.covered, all.all)
    )
}

fn conclusion(bundle: &Bundle) -> String {
    let conclusion = &bundle.conclusion;
    let mark = match conclusion.verdict {
        Verdict::Passed => "✅",
        Verdict::PassedWithReservations => "⚠️",
        Verdict::Failed => "❌",
    };
    let mut text = format!(
        "## Conclusion\n\n{mark} **{}**\n\n",
        conclusion.verdict.shown()
    );
    text += &format!(
        "- requirements that passed: {} ({})\n- vulnerabilities: {} ({})\n- scenarios: {} ({})\n- results of tests: {} \
         passed, {} failed, {} skipped\n",
        conclusion.requirements.passed_of_all(),
        percent(
            conclusion.requirements.passed,
            conclusion.requirements.total
        ),
        conclusion.vulnerabilities.passed_of_all(),
        percent(
            conclusion.vulnerabilities.passed,
            conclusion.vulnerabilities.total
        ),
        conclusion.scenarios.passed_of_all(),
        percent(conclusion.scenarios.passed, conclusion.scenarios.total),
        count(conclusion.tests.passed),
        count(conclusion.tests.failed),
        count(conclusion.tests.skipped),
    );
    for (title, said) in [
        ("What failed or is missing", &conclusion.failures),
        ("What to know beside it", &conclusion.reservations),
    ] {
        if !said.is_empty() {
            let lines: String = said
                .iter()
                .map(|line| format!("- {}\n", cell(line)))
                .collect();
            text += &format!("\n### {title}\n\n{lines}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn every_row_stands_with_its_status_and_tests() {
        let page = write(&fixture::bundle());

        for line in [
            "| FN-2.2 | Verify sealed shard | ❌ FAILED | `vram-policy rows::tests::a` (host)<br>`vram-policy rows::tests::b` (host: FAILED) |",
            "| FN-2.1 | Seal model in VRAM | ✅ passed | `vram-tests::drivers freezing::d` (simulated, GPU) |",
            "| MS-001 | VRAM pointers private | ⚠️ not run | `vram-sim gone::f` (not run) |",
            "| MS-002 | CUDA FFI bounds checking | ⚠️ not covered |  |",
            "| FN-3.1 | Allocate VRAM | 🧪 simulated only | `vram-tests::drivers wiping::e` (simulated) |",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }

    #[test]
    fn the_totals_are_those_of_the_tables() {
        let page = write(&fixture::bundle());

        assert!(
            page.contains("| **all requirements** | 6 | 1 | 1 | 1 | 1 | 1 | 1 | 16.6 % |"),
            "{page}"
        );
        assert!(
            page.contains("| `seal_model.feature` | 1 | 1 | – | – | – | – | – | 100 % |"),
            "{page}"
        );
    }

    #[test]
    fn coverage_is_never_rounded_up_to_all_of_it() {
        let page = write(&fixture::bundle());

        assert!(
            page.contains("| **vram-policy** | 10,000 | 9,997 | 99.9 % |"),
            "{page}"
        );
        assert!(
            page.contains("| **all** | 10,300 | 10,297 | 99.9 % |"),
            "{page}"
        );
        assert!(
            page.contains("| **vram-seal** | 300 | 300 | 100 % |"),
            "{page}"
        );
    }

    #[test]
    fn the_conclusion_says_what_failed() {
        let page = write(&fixture::bundle());

        let (_, conclusion) = page.split_once("## Conclusion").unwrap();
        assert!(conclusion.contains("❌ **FAILED**"), "{conclusion}");
        assert!(
            conclusion.contains("vram-policy rows::tests::b failed on the host"),
            "{conclusion}"
        );
        assert!(conclusion.contains("The source differed"), "{conclusion}");
    }

    #[test]
    fn coverage_that_was_not_measured_says_why() {
        let mut bundle = fixture::bundle();
        bundle.coverage = Coverage::NotMeasured("it was left out".to_owned());

        assert!(write(&bundle).contains("Not measured: it was left out."));
    }
}
