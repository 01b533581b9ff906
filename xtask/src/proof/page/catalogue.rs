//! The matrix: every row of the catalogue, with the tests that claim it and what they came to.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::filter::{Choice, Filter};
use super::index::{Index, anchor};
use super::parts::{counted, length, mark, scroll, specification};
use super::words::{DRIVERS, STATUSES, Say as _, driver, driver_key};
use crate::proof::figures::{percent, seconds};
use crate::proof::model::{Bundle, Driver, Outcome, Row, RowTest, Specification, Status};

pub(super) fn requirements(bundle: &Bundle, index: &Index<'_>) -> Markup {
    let specifications = bundle.specifications.iter();
    let filter = Filter {
        key: "rows",
        region: "requirements",
        things: "requirements",
        search: "id, words or the name of a test",
        choices: vec![
            statuses(),
            Choice {
                name: "spec",
                label: "Specification",
                options: specifications
                    .map(|page| (page.doc.clone(), specification(&page.doc)))
                    .collect(),
            },
            drivers(),
        ],
    };
    html! {
        section id="requirements" aria-labelledby="requirements-title" {
            h2 id="requirements-title" { "Requirements" }
            p { "Each opens to what it demands and to the tests that claim it." }
            (filter.controls())
            @for page in &bundle.specifications { (of_specification(page, index)) }
        }
    }
}

fn of_specification(page: &Specification, index: &Index<'_>) -> Markup {
    let name = specification(&page.doc);
    let table = html! {
        table.stacked {
            caption {
                (counted(page.counts.passed, "requirement", "requirements")) " of "
                (page.counts.total) " passed, " (percent(page.counts.passed, page.counts.total))
            }
            thead {
                tr {
                    th scope="col" { "Id" }
                    th scope="col" { "Requirement" }
                    th scope="col" { "Tests" }
                    th scope="col" { "Drivers" }
                    th scope="col" { "Status" }
                }
            }
            @for section in &page.sections {
                tbody data-group {
                    tr.group { th colspan="5" scope="rowgroup" { (section.title) } }
                    @for row in &section.rows { (requirement(&page.doc, row, index)) }
                }
            }
        }
    };
    html! {
        div data-group {
            h3 { (name) }
            (scroll(&format!("Requirements of {name}"), table))
        }
    }
}

fn requirement(doc: &str, row: &Row, index: &Index<'_>) -> Markup {
    html! {
        tr id=(row.id) data-row data-status=(row.status.key()) data-spec=(doc) data-driver=(driver_keys(row)) {
            th.code.first scope="row" { a href={ "#" (row.id) } { (row.id) } }
            td.name.wide { (opening(row, index)) }
            td data-head="Tests" { (tally(row)) }
            td data-head="Drivers" { (driver_names(row)) }
            td.status { (mark(row.status)) }
        }
    }
}

pub(super) fn vulnerabilities(bundle: &Bundle, index: &Index<'_>) -> Markup {
    let table = html! {
        table.stacked {
            caption {
                (counted(bundle.conclusion.vulnerabilities.passed, "vulnerability", "vulnerabilities")) " of "
                (bundle.conclusion.vulnerabilities.total) " answered by tests that passed"
            }
            thead {
                tr {
                    th scope="col" { "Id" }
                    th scope="col" { "Vulnerability" }
                    th scope="col" { "Severity" }
                    th scope="col" { "Answered by" }
                    th scope="col" { "Tests" }
                    th scope="col" { "Drivers" }
                    th scope="col" { "Status" }
                }
            }
            tbody {
                @for row in &bundle.vulnerabilities {
                    tr id=(row.id) data-row {
                        th.code.first scope="row" { a href={ "#" (row.id) } { (row.id) } }
                        td.name.wide { (opening(row, index)) }
                        td data-head="Severity" { (row.severity.as_deref().unwrap_or("–")) }
                        td.wide data-head="Answered by" { (row.mitigation.as_deref().unwrap_or("–")) }
                        td data-head="Tests" { (tally(row)) }
                        td data-head="Drivers" { (driver_names(row)) }
                        td.status { (mark(row.status)) }
                    }
                }
            }
        }
    };
    html! {
        section id="vulnerabilities" aria-labelledby="vulnerabilities-title" {
            h2 id="vulnerabilities-title" { "Vulnerabilities" }
            p { "Known ways to break what this software promises, and the tests that show each is closed." }
            @if bundle.vulnerabilities.is_empty() {
                p.nothing { "The catalogue lists none." }
            } @else {
                (scroll("Vulnerabilities", table))
            }
        }
    }
}

/// A row's title, which opens to what it means and its tests.
fn opening(row: &Row, index: &Index<'_>) -> Markup {
    html! {
        details.row {
            summary { (row.title) }
            @if !row.means.is_empty() { p { (row.means) } }
            @if row.device { p { "About the device: only a test on a GPU shows it." } }
            @for note in &row.notes { p.wrap { strong { (note) } } }
            (tests(&row.tests, index))
        }
    }
}

/// The tests that claim something, with their results.
pub(super) fn tests(tests: &[RowTest], index: &Index<'_>) -> Markup {
    if tests.is_empty() {
        return html! { p.nothing { "No test claims it." } };
    }
    html! {
        table.inner {
            caption.hidden-text { "Tests that claim it" }
            thead {
                tr {
                    th scope="col" { "Test" }
                    th scope="col" { "Driver" }
                    th scope="col" { "Outcome" }
                    th.number scope="col" { "Time" }
                }
            }
            tbody { @for test in tests { (results(test, index)) } }
        }
    }
}

fn results(test: &RowTest, index: &Index<'_>) -> Markup {
    if test.results.is_empty() {
        return html! {
            tr {
                th scope="row" { code { (test.id) } }
                td { "–" }
                td { (mark(Status::NotRun)) }
                td.number { "–" }
            }
        };
    }
    html! {
        @for result in &test.results {
            @let found = index.result(&test.id, result.driver, &result.machine);
            tr {
                th scope="row" {
                    @match found {
                        Some((at, _)) => { a href={ "#" (anchor(at)) } { code { (test.id) } } },
                        None => { code { (test.id) } },
                    }
                    @if let Some(reason) = &result.reason { div.muted.wrap { (reason) } }
                }
                td { (driver(result.driver)) }
                td.status { (mark(result.outcome)) }
                td.number { (found.and_then(|(_, test)| test.seconds).map_or("–".to_owned(), seconds)) }
            }
        }
    }
}

/// How many of a row's tests passed, on every driver that they ran on.
fn tally(row: &Row) -> Markup {
    let passed: Vec<_> = row.tests.iter().filter(|test| passed(test)).collect();
    html! {
        @if row.tests.is_empty() {
            "none"
        } @else {
            (length(&passed)) " of " (length(&row.tests)) " passed"
        }
    }
}

fn passed(test: &RowTest) -> bool {
    !test.results.is_empty()
        && test
            .results
            .iter()
            .all(|result| result.outcome == Outcome::Passed)
}

/// The drivers that a row has results of.
fn ran_on(row: &Row) -> Vec<Driver> {
    let results = row.tests.iter().flat_map(|test| &test.results);
    let found: BTreeSet<_> = results.map(|result| result.driver).collect();
    found.into_iter().collect()
}

fn driver_names(row: &Row) -> String {
    let names: Vec<_> = ran_on(row).into_iter().map(driver).collect();
    if names.is_empty() {
        "–".to_owned()
    } else {
        names.join(", ")
    }
}

fn driver_keys(row: &Row) -> String {
    let keys: Vec<_> = ran_on(row).into_iter().map(driver_key).collect();
    keys.join(" ")
}

fn statuses() -> Choice {
    Choice {
        name: "status",
        label: "Status",
        options: STATUSES
            .map(|status| (status.key().to_owned(), status.said().word.to_owned()))
            .to_vec(),
    }
}

pub(super) fn drivers() -> Choice {
    Choice {
        name: "driver",
        label: "Driver",
        options: DRIVERS
            .map(|each| (driver_key(each).to_owned(), driver(each).to_owned()))
            .to_vec(),
    }
}
