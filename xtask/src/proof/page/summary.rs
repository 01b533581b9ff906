//! How many of each there are.

use maud::{Markup, html};

use super::index::Index;
use super::parts::{bar, of, scroll, specification};
use super::words::{DRIVERS, KINDS, OUTCOMES, STATUSES, Say as _, driver, kind};
use crate::proof::figures::{count, percent};
use crate::proof::model::{Bundle, Outcome, StatusCounts, TestRecord};

pub(super) fn section(bundle: &Bundle, _: &Index<'_>) -> Markup {
    html! {
        section id="summary" aria-labelledby="summary-title" {
            h2 id="summary-title" { "Summary" }
            p {
                "A requirement has passed when every test that claims it ran, none failed, one at least passed (where the catalogue "
                "names a test, that one), and, where it is about the device, one passed on a GPU. Percentages are rounded down. Tests that need no device run on the host alone."
            }
            (specifications(bundle))
            (tests(bundle))
        }
    }
}

fn specifications(bundle: &Bundle) -> Markup {
    let conclusion = &bundle.conclusion;
    let table = html! {
        table {
            caption { "Coverage of the specifications" }
            thead {
                tr {
                    th scope="col" { "Specification" }
                    th.number scope="col" { "Rows" }
                    @for status in STATUSES { th.number scope="col" { (capital(status.said().word)) } }
                    th.number scope="col" { "Share passed" }
                }
            }
            tbody {
                @for page in &bundle.specifications { (line(&specification(&page.doc), &page.counts)) }
                (line("Vulnerabilities", &conclusion.vulnerabilities))
                (line("Scenarios", &conclusion.scenarios))
            }
            tfoot { (line("Requirements in all", &conclusion.requirements)) }
        }
    };
    scroll("Coverage of the specifications", table)
}

fn line(name: &str, counts: &StatusCounts) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (count(counts.total)) }
            @for status in STATUSES { (number(of(counts, status), status.said().class)) }
            td.number { (percent(counts.passed, counts.total)) (bar(counts.passed, counts.total)) }
        }
    }
}

/// A count that stands out where there is something to see.
fn number(number: u64, class: &str) -> Markup {
    html! {
        td.number {
            @if number == 0 { span.muted { "0" } } @else { strong.(class) { (count(number)) } }
        }
    }
}

fn tests(bundle: &Bundle) -> Markup {
    let of_kind = KINDS.map(|wanted| {
        let tests = bundle.tests.iter().filter(|test| test.kind == wanted);
        (capital(kind(wanted)) + " tests", tests.collect::<Vec<_>>())
    });
    let on_driver = DRIVERS.map(|wanted| {
        let tests = bundle.tests.iter().filter(|test| test.driver == wanted);
        (
            format!("Driver: {}", driver(wanted)),
            tests.collect::<Vec<_>>(),
        )
    });
    let table = html! {
        table {
            caption { "Test results; a test that ran on two drivers has two" }
            thead {
                tr {
                    th scope="col" { "Tests" }
                    th.number scope="col" { "Results" }
                    @for outcome in OUTCOMES { th.number scope="col" { (capital(outcome.said().word)) } }
                }
            }
            tbody {
                @for (name, tests) in of_kind.iter().filter(|(_, tests)| !tests.is_empty()) {
                    (results(name, tests))
                }
            }
            tbody {
                @for (name, tests) in on_driver.iter().filter(|(_, tests)| !tests.is_empty()) {
                    (results(name, tests))
                }
            }
            tfoot { (results("All", &bundle.tests.iter().collect::<Vec<_>>())) }
        }
    };
    scroll("Test results by kind and driver", table)
}

fn results(name: &str, tests: &[&TestRecord]) -> Markup {
    let outcomes = |wanted: Outcome| {
        let found: Vec<_> = tests.iter().filter(|test| test.outcome == wanted).collect();
        super::parts::length(&found)
    };
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (count(super::parts::length(tests))) }
            @for outcome in OUTCOMES { (number(outcomes(outcome), outcome.said().class)) }
        }
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
