use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::{SCRIPT, hash, render};
use crate::proof::fixture;
use crate::proof::model::{
    Bundle, Campaign, CampaignOutcome, Conclusion, Coverage, Driver, Lines, Outcome, StageOutcome,
    Status, StatusCounts, TestCounts, Verdict,
};

type Change = fn(&mut Bundle);

/// The fixture with everything in order: all passed, on the commit, on a GPU as well.
fn clean() -> Bundle {
    let mut bundle = fixture::bundle();
    bundle.run.dirty = false;
    for stage in &mut bundle.run.stages {
        (stage.outcome, stage.why) = (StageOutcome::Passed, None);
    }
    let gpu_run = bundle.gpu_run.as_mut().unwrap();
    gpu_run.other_commit = false;
    gpu_run.commit.clone_from(&bundle.run.commit);
    for test in &mut bundle.tests {
        (test.outcome, test.reason) = (Outcome::Passed, None);
    }
    let sections = bundle
        .specifications
        .iter_mut()
        .flat_map(|page| &mut page.sections);
    for row in sections.flat_map(|section| &mut section.rows) {
        row.status = Status::Passed;
        row.tests.clear();
    }
    for campaign in &mut bundle.campaigns {
        (campaign.outcome, campaign.why) = (CampaignOutcome::Passed, None);
    }
    let all = |total| StatusCounts {
        total,
        passed: total,
        ..StatusCounts::default()
    };
    bundle.conclusion = Conclusion {
        verdict: Verdict::Passed,
        tests: TestCounts {
            total: 8,
            passed: 8,
            ..TestCounts::default()
        },
        requirements: all(6),
        vulnerabilities: all(1),
        scenarios: all(1),
        failures: Vec::new(),
        reservations: Vec::new(),
    };
    bundle
}

/// The text between the first `from` and the next `to`.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

/// What a reader reads of a piece of a page.
fn read(piece: &str) -> String {
    Regex::new("<[^>]*>")
        .unwrap()
        .replace_all(piece, "")
        .into_owned()
}

fn heading(bundle: &Bundle) -> String {
    read(between(&render(bundle).unwrap(), "<h1>", "</h1>"))
}

fn first_row(bundle: &mut Bundle) -> &mut crate::proof::model::Row {
    &mut bundle.specifications[0].sections[0].rows[0]
}

#[test]
fn a_clean_run_has_passed_without_a_notice() {
    let bundle = clean();

    assert_eq!(
        heading(&bundle),
        "✓Passed: no test failed, and all 6 requirements are covered"
    );
    assert!(!render(&bundle).unwrap().contains("class=\"notices\""));
}

#[test]
fn anything_red_makes_the_verdict_say_failed_whatever_the_conclusion_says() {
    let breaks: [Change; 9] = [
        |bundle| first_row(bundle).status = Status::NotRun,
        |bundle| first_row(bundle).status = Status::NotCovered,
        |bundle| first_row(bundle).status = Status::Failed,
        |bundle| bundle.vulnerabilities[0].status = Status::Failed,
        |bundle| bundle.features[0].scenarios[0].status = Status::Failed,
        |bundle| bundle.tests[3].outcome = Outcome::Failed,
        |bundle| bundle.run.stages[0].outcome = StageOutcome::Failed,
        |bundle| bundle.campaigns[1].outcome = CampaignOutcome::Failed,
        |bundle| bundle.conclusion.failures.push("a row is gone".to_owned()),
    ];

    for (at, break_it) in breaks.into_iter().enumerate() {
        let mut bundle = clean();
        break_it(&mut bundle);

        assert!(
            heading(&bundle).starts_with("✗Failed: "),
            "break {at}: {}",
            heading(&bundle)
        );
        assert!(
            render(&bundle).unwrap().contains("<title>Failed: "),
            "break {at}"
        );
    }
}

#[test]
fn the_verdict_says_how_much_failed() {
    let mut bundle = fixture::bundle();
    bundle.conclusion.tests.total = 3004;

    assert_eq!(
        heading(&bundle),
        "✗Failed: 1 of 3,004 test results and 1 of 6 requirements"
    );
}

#[test]
fn what_was_left_out_stands_at_the_head() {
    let cases: [(Change, &str); 9] = [
        (
            |bundle| bundle.run.dirty = true,
            "source with changes beside the commit",
        ),
        (
            |bundle| bundle.run.packages = vec!["vram-seal".to_owned()],
            "confined to vram-seal",
        ),
        (
            |bundle| {
                let run = bundle.gpu_run.as_mut().unwrap();
                run.other_commit = true;
                run.commit = "fedcba987654ffff".to_owned();
            },
            "results on the GPU are of commit fedcba987654",
        ),
        (
            |bundle| bundle.gpu_run.as_mut().unwrap().dirty = true,
            "source on the GPU with changes beside the commit",
        ),
        (
            |bundle| bundle.tests[0].outcome = Outcome::Skipped,
            "1 test result skipped",
        ),
        (
            |bundle| bundle.tests.retain(|test| test.driver != Driver::Gpu),
            "simulated driver only: nothing here ran on a GPU",
        ),
        (
            |bundle| first_row(bundle).status = Status::SimulatedOnly,
            "1 row simulated only",
        ),
        (
            |bundle| first_row(bundle).status = Status::Skipped,
            "1 row skipped",
        ),
        (
            |bundle| bundle.campaigns[0].outcome = CampaignOutcome::NotDone,
            "Mutation testing: not done",
        ),
    ];

    for (leave_out, said) in cases {
        let mut bundle = clean();
        leave_out(&mut bundle);
        let page = render(&bundle).unwrap();

        assert!(
            read(between(&page, "class=\"notices\"", "</header>")).contains(said),
            "{said}"
        );
    }
}

#[test]
fn reservations_are_part_of_the_verdict() {
    let mut bundle = clean();
    bundle.conclusion.verdict = Verdict::PassedWithReservations;
    bundle.conclusion.requirements.passed = 4;
    bundle.conclusion.requirements.simulated_only = 2;

    assert_eq!(
        heading(&bundle),
        "!Passed with reservations: no test failed, but of 6 requirements 2 are simulated only"
    );
}

#[test]
fn in_a_run_of_some_packages_the_rows_of_others_are_open_and_not_missing() {
    let mut bundle = clean();
    bundle.run.packages = vec!["vram-seal".to_owned()];
    first_row(&mut bundle).status = Status::NotRun;
    bundle.conclusion.verdict = Verdict::PassedWithReservations;

    assert!(heading(&bundle).starts_with("!Passed with reservations: "));
}

#[test]
fn the_model_s_own_reasons_stand_at_the_head() {
    let bundle = fixture::bundle();
    let page = render(&bundle).unwrap();
    let head = read(between(&page, "<header", "</header>"));

    for reason in bundle
        .conclusion
        .failures
        .iter()
        .chain(&bundle.conclusion.reservations)
    {
        assert!(head.contains(reason), "{reason}");
    }
}

#[test]
fn a_row_shows_the_status_that_the_model_gives_it() {
    let statuses = [
        (Status::Passed, "passed", "✓passed"),
        (Status::Failed, "failed", "✗failed"),
        (Status::Skipped, "skipped", "–skipped"),
        (Status::SimulatedOnly, "simulated-only", "◐simulated only"),
        (Status::NotRun, "not-run", "○not run"),
        (Status::NotCovered, "not-covered", "!not covered"),
    ];

    for (status, key, said) in statuses {
        let mut bundle = clean();
        bundle.specifications.truncate(1);
        bundle.specifications[0].sections.truncate(1);
        bundle.specifications[0].sections[0].rows.truncate(1);
        first_row(&mut bundle).status = status;
        bundle.vulnerabilities[0].status = status;
        bundle.vulnerabilities[0].tests.clear();
        bundle.features[0].scenarios[0].status = status;
        let page = render(&bundle).unwrap();
        let shown = |region: &str| {
            let region = between(&page, &format!("<section id=\"{region}\""), "</section>");
            let (_, last) = region.rsplit_once("<td class=\"status\">").unwrap();
            read(last.split_once("</td>").unwrap().0)
        };

        assert!(
            page.contains(&format!("id=\"FN-2.1\" data-row data-status=\"{key}\"")),
            "{key}"
        );
        assert_eq!(shown("requirements"), said);
        assert_eq!(shown("vulnerabilities"), said);
        assert_eq!(shown("scenarios"), said);
    }
}

#[test]
fn a_result_shows_the_outcome_and_the_reason_that_the_model_gives_it() {
    for (outcome, said) in [
        (Outcome::Passed, "✓passed"),
        (Outcome::Failed, "✗failed"),
        (Outcome::Skipped, "–skipped"),
    ] {
        let mut bundle = clean();
        bundle.tests.truncate(1);
        bundle.tests[0].outcome = outcome;
        bundle.tests[0].reason = Some("because of it".to_owned());
        let page = render(&bundle).unwrap();
        let results = between(&page, "<section id=\"tests\"", "</section>");

        assert_eq!(
            read(between(results, "<td class=\"status\">", "</td>")),
            said
        );
        assert!(results.contains("because of it"));
    }
}

#[test]
fn text_from_outside_never_becomes_markup() {
    const MARKUP: &str = "<script>alert(1)</script>\"'&";
    // Words of the form itself, which nobody outside chooses.
    const WORDS: [&str; 6] = ["outcome", "status", "driver", "kind", "verdict", "better"];
    fn poison(value: &mut Value) {
        match value {
            Value::String(text) => text.push_str(MARKUP),
            Value::Array(values) => values.iter_mut().for_each(poison),
            Value::Object(fields) => {
                for (name, value) in fields {
                    if !(WORDS.contains(&name.as_str()) && value.is_string()) {
                        poison(value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(fixture::bundle()).unwrap();
    // A driver's version is a text that is called as a word of the form is.
    value["gpu_run"]["gpu"]["driver"] = Value::String(MARKUP.to_owned());
    poison(&mut value);
    let bundle: Bundle = serde_json::from_value(value).unwrap();

    let page = render(&bundle).unwrap();

    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;"));
    assert!(!page.contains("<script>alert"));
    assert!(
        !page.contains("&lt;/script&gt;\""),
        "a quote ends an attribute"
    );
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("<style").count(), 1);
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = render(&fixture::bundle()).unwrap();
    let links = Regex::new("href=\"([^\"]*)\"").unwrap();

    for word in [
        "http:", "https:", "src=", "url(", "@import", "<link", "<img", "<iframe", "fetch(",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    for link in links.captures_iter(&page) {
        assert!(link[1].starts_with('#'), "{}", &link[1]);
    }
}

#[test]
fn the_policy_allows_this_style_and_this_script_and_nothing_else() {
    let page = render(&fixture::bundle()).unwrap();
    let style = between(&page, "<style>", "</style>");
    let script = between(&page, "<script>", "</script>");
    let policy = format!(
        "content=\"default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'\"",
        hash(style),
        hash(script)
    );

    assert_eq!(script, SCRIPT);
    assert!(page.contains(&policy));
    assert!(!page.contains(" style=\"") && !page.contains(" onclick="));
}

#[test]
fn every_link_within_the_page_leads_somewhere() {
    let page = render(&fixture::bundle()).unwrap();
    let anchors = Regex::new(" id=\"([^\"]*)\"").unwrap();
    let links = Regex::new("href=\"#([^\"]*)\"").unwrap();
    let listed: Vec<_> = anchors
        .captures_iter(&page)
        .map(|found| found[1].to_owned())
        .collect();
    let known: BTreeSet<_> = listed.iter().cloned().collect();

    assert_eq!(listed.len(), known.len(), "an anchor stands twice");
    for link in links.captures_iter(&page) {
        assert!(known.contains(&link[1]), "#{}", &link[1]);
    }
}

#[test]
fn each_data_file_stands_with_its_size_and_hash() {
    let bundle = fixture::bundle();
    let page = render(&bundle).unwrap();
    let list = read(between(&page, "aria-label=\"Data files\"", "</table>"));

    for file in &bundle.files {
        assert!(
            list.contains(&file.name) && list.contains(&file.sha256),
            "{}",
            file.name
        );
    }
    assert!(list.contains("56,789"));
}

#[test]
fn the_same_data_always_makes_the_same_page() {
    let bundle = fixture::bundle();
    let json = serde_json::to_string(&bundle).unwrap();
    let again: Bundle = serde_json::from_str(&json).unwrap();

    assert_eq!(render(&bundle).unwrap(), render(&again).unwrap());
}

#[test]
fn almost_all_is_never_shown_as_all() {
    let mut bundle = fixture::bundle();
    let almost = StatusCounts {
        total: 10_000,
        passed: 9_997,
        failed: 3,
        ..StatusCounts::default()
    };
    let Coverage::Measured(coverage) = &mut bundle.coverage else {
        panic!("the fixture has coverage");
    };
    let lines = Lines {
        all: 10_000,
        covered: 9_997,
    };
    coverage.lines = lines;
    for each in &mut coverage.crates {
        each.lines = lines;
        each.modules
            .iter_mut()
            .for_each(|module| module.lines = lines);
    }
    for page in &mut bundle.specifications {
        page.counts = almost;
    }
    bundle.conclusion.requirements = almost;
    bundle.conclusion.vulnerabilities = almost;
    bundle.conclusion.scenarios = almost;
    bundle.benchmarks[0].bench.figures[0].of_ceiling = Some(0.9997);
    let page = render(&bundle).unwrap();

    assert!(page.contains("99.9 %"));
    assert!(!page.contains("100 %"));
}

#[test]
fn a_figure_that_misses_its_target_is_shown_as_missed() {
    let mut bundle = fixture::bundle();
    let figure = &mut bundle.benchmarks[0].bench.figures[0];
    let must = figure.target.unwrap().must;
    figure.value = must - 0.01;
    let page = render(&bundle).unwrap();
    let table = between(
        &page,
        "aria-label=\"Figures beside their targets\"",
        "</table>",
    );

    assert!(read(table).contains("✗missed"));
    assert!(
        read(table).contains("945.29 GB/s"),
        "its digits tell it from the target"
    );
}

#[test]
fn figures_of_a_simulated_device_say_so() {
    let mut bundle = fixture::bundle();
    bundle.benchmarks[0].bench.simulated = true;

    assert!(
        render(&bundle)
            .unwrap()
            .contains("On the simulated driver: these figures say nothing about a GPU.")
    );
}

#[test]
fn what_was_not_done_is_shown_as_not_run() {
    let mut bundle = clean();
    bundle.coverage = Coverage::NotMeasured("the tool is missing".to_owned());
    bundle.benchmarks.clear();
    bundle.campaigns = vec![Campaign {
        outcome: CampaignOutcome::NotDone,
        why: Some("only when asked".to_owned()),
        ..bundle.campaigns[0].clone()
    }];
    let page = render(&bundle).unwrap();
    let section = |id: &str| {
        read(between(
            &page,
            &format!("<section id=\"{id}\""),
            "</section>",
        ))
    };

    assert!(section("coverage").contains("Not measured: the tool is missing"));
    assert!(section("benchmarks").contains("Not run."));
    assert!(section("campaigns").contains("○not doneonly when asked"));
}

#[test]
fn the_controls_that_need_a_script_are_hidden_without_one() {
    let page = render(&fixture::bundle()).unwrap();
    let controls = Regex::new("<search [^>]*>").unwrap();
    let found: Vec<_> = controls
        .find_iter(&page)
        .map(|found| found.as_str())
        .collect();

    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|tag| tag.contains(" hidden ")));
}

#[test]
fn the_head_of_each_sheet_holds_no_character_that_ends_a_text_of_the_style() {
    let head = super::running_head("2026\"; } body { display: none } </style>-0a");

    assert!(
        head.contains("\"Proof bundle 2026bodydisplaynonestyle-0a\""),
        "{head}"
    );
}

#[test]
fn a_program_whose_runner_measured_no_time_shows_none() {
    let mut bundle = clean();
    let tallies = |bundle: &Bundle| {
        let page = render(bundle).unwrap();
        let results = between(&page, "<section id=\"tests\"", "</section>");
        let tallies = Regex::new(r#"<span class="tally">.*?</span>"#).unwrap();
        let found = tallies.find_iter(results).map(|found| read(found.as_str()));
        found.collect::<Vec<_>>()
    };
    bundle
        .tests
        .iter_mut()
        .for_each(|test| test.seconds = Some(1.0));
    let timed = tallies(&bundle);
    assert!(
        !timed.is_empty() && timed.iter().all(|tally| tally.ends_with(" s")),
        "{timed:?}"
    );

    bundle.tests.iter_mut().for_each(|test| test.seconds = None);
    let untimed = tallies(&bundle);
    assert_eq!(untimed.len(), timed.len());
    assert!(
        untimed.iter().all(|tally| tally.ends_with(" passed")),
        "{untimed:?}"
    );
}

#[test]
fn a_result_from_elsewhere_names_the_machine() {
    let bundle = clean();
    let page = render(&bundle).unwrap();
    let elsewhere = bundle.tests.iter().filter(|test| test.machine != "here");
    let named = page.matches("class=\"machine\"").count();
    assert!(named > 0);
    assert_eq!(named, elsewhere.count());
}

#[test]
fn a_figure_above_its_ceiling_is_explained_on_every_page_that_shows_it() {
    let mut bundle = clean();
    let explained = |bundle: &Bundle| {
        let pages = crate::proof::pages::write(bundle).unwrap();
        let explained = pages
            .into_iter()
            .filter(|(_, text)| text.contains("above its ceiling"));
        explained.map(|(name, _)| name).collect::<Vec<_>>()
    };
    bundle.benchmarks[0].bench.figures[0].of_ceiling = Some(1.0);
    assert!(explained(&bundle).is_empty());

    bundle.benchmarks[0].bench.figures[0].of_ceiling = Some(1.004);
    let mut pages = explained(&bundle);
    pages.sort_unstable();
    assert_eq!(pages, ["index.html", "test_report.md"]);
}
