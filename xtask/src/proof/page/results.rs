//! Every result of every test, by the program that it is in.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::catalogue::drivers;
use super::filter::{Choice, Filter};
use super::index::{Index, anchor};
use super::parts::{counted, length, mark, scroll};
use super::scenarios::claims;
use super::words::{KINDS, OUTCOMES, Say as _, driver, driver_key, kind};
use crate::proof::figures::{count, seconds};
use crate::proof::model::{Bundle, Outcome, TestRecord};

type Placed<'a> = (usize, &'a TestRecord);

pub(super) fn section(bundle: &Bundle, index: &Index<'_>) -> Markup {
    let mut binaries: BTreeMap<&str, Vec<Placed<'_>>> = BTreeMap::new();
    for (at, test) in bundle.tests.iter().enumerate() {
        binaries.entry(&test.binary).or_default().push((at, test));
    }
    html! {
        section id="tests" aria-labelledby="tests-title" {
            h2 id="tests-title" { "Test results" }
            p {
                (counted(length(&bundle.tests), "result", "results")) " of "
                (counted(u64::try_from(binaries.len()).unwrap_or(u64::MAX), "test program", "test programs"))
                ". Programs with a failed test stand open."
            }
            (filter().controls())
            @for (binary, tests) in &binaries { (program(binary, tests, index)) }
        }
    }
}

fn filter() -> Filter<'static> {
    let option = |value: &str| (value.to_owned(), value.to_owned());
    Filter {
        key: "tests",
        region: "tests",
        things: "results",
        search: "part of a name, of a reason or of a row's id",
        choices: vec![
            Choice {
                name: "status",
                label: "Outcome",
                options: OUTCOMES.map(|outcome| option(outcome.key())).to_vec(),
            },
            Choice {
                name: "kind",
                label: "Kind",
                options: KINDS.map(|each| option(kind(each))).to_vec(),
            },
            drivers(),
        ],
    }
}

fn program(binary: &str, tests: &[Placed<'_>], index: &Index<'_>) -> Markup {
    let outcomes = |wanted: Outcome| {
        let found: Vec<_> = tests
            .iter()
            .filter(|(_, test)| test.outcome == wanted)
            .collect();
        length(&found)
    };
    let failed = outcomes(Outcome::Failed);
    let skipped = outcomes(Outcome::Skipped);
    let times: Vec<f64> = tests.iter().filter_map(|(_, test)| test.seconds).collect();
    let table = html! {
        table.results.stacked data-sortable {
            caption.hidden-text { "Results of " (binary) }
            thead {
                tr {
                    th scope="col" { "Test" }
                    th.kind scope="col" { "Kind" }
                    th.driver scope="col" { "Driver" }
                    th.claims scope="col" { "Covers" }
                    th.outcome scope="col" { "Outcome" }
                    th.number.time scope="col" { "Time" }
                }
            }
            tbody { @for (at, test) in tests { (line(*at, test, index)) } }
        }
    };
    html! {
        details.drawer data-group open[failed > 0] {
            summary {
                span.title.mono { (binary) }
                span.tally {
                    @if failed > 0 { strong.failed { "✗ " (count(failed)) " failed" } ", " }
                    @if skipped > 0 { strong.caution { "– " (count(skipped)) " skipped" } ", " }
                    (count(outcomes(Outcome::Passed))) " passed"
                    // A runner that measured none of them says nothing of their time.
                    @if !times.is_empty() { ", " (seconds(times.iter().sum())) }
                }
            }
            (scroll(&format!("Results of {binary}"), table))
        }
    }
}

fn line(at: usize, test: &TestRecord, index: &Index<'_>) -> Markup {
    html! {
        tr id=(anchor(at)) data-row data-status=(test.outcome.key()) data-kind=(kind(test.kind))
            data-driver=(driver_key(test.driver)) {
            th.wide scope="row" {
                code { (test.name) }
                @if test.machine != "here" { " " span.machine { "on " (test.machine) } }
                @if let Some(reason) = &test.reason { pre tabindex="0" { (reason) } }
            }
            td data-head="Kind" { (kind(test.kind)) }
            td.wrap data-head="Driver" { (driver(test.driver)) }
            td.wrap data-head="Covers" { (claims(index.claims(&test.id).iter().copied(), index)) }
            td.status { (mark(test.outcome)) }
            td.number data-head="Time" data-value=[test.seconds] { (test.seconds.map_or("–".to_owned(), seconds)) }
        }
    }
}
