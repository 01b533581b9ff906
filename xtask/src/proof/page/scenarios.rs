//! The feature files' scenarios.

use std::slice::from_ref;

use maud::{Markup, html};

use super::catalogue::tests;
use super::index::Index;
use super::parts::{counted, mark, scroll};
use super::words::driver;
use crate::proof::model::{Bundle, Feature, Scenario};

pub(super) fn section(bundle: &Bundle, index: &Index<'_>) -> Markup {
    let counts = &bundle.conclusion.scenarios;
    html! {
        section id="scenarios" aria-labelledby="scenarios-title" {
            h2 id="scenarios-title" { "Scenarios" }
            p {
                "What the feature files under tests/features tell, each run as a test of its own: "
                (counts.passed) " of " (counted(counts.total, "scenario", "scenarios")) " passed."
            }
            @if bundle.features.is_empty() { p.nothing { "There are none." } }
            @for feature in &bundle.features { (of_feature(feature, index)) }
        }
    }
}

fn of_feature(feature: &Feature, index: &Index<'_>) -> Markup {
    let table = html! {
        table.stacked {
            caption {
                code { (feature.file) } ": " (feature.counts.passed) " of " (feature.counts.total) " passed"
            }
            thead {
                tr {
                    th scope="col" { "Scenario" }
                    th scope="col" { "Covers" }
                    th scope="col" { "Drivers" }
                    th scope="col" { "Status" }
                }
            }
            tbody { @for scenario in &feature.scenarios { (line(scenario, index)) } }
        }
    };
    html! {
        h3 { (feature.title) }
        (scroll(&format!("Scenarios of {}", feature.file), table))
    }
}

fn line(scenario: &Scenario, index: &Index<'_>) -> Markup {
    let mut drivers: Vec<_> = scenario
        .test
        .results
        .iter()
        .map(|result| driver(result.driver))
        .collect();
    drivers.dedup();
    html! {
        tr {
            td.name.wide {
                details.row {
                    summary { (scenario.title) }
                    @for note in &scenario.notes { p.wrap { strong { (note) } } }
                    (tests(from_ref(&scenario.test), index))
                }
            }
            td data-head="Covers" { (claims(scenario.claims.iter().map(String::as_str), index)) }
            td data-head="Drivers" { @if drivers.is_empty() { "–" } @else { (drivers.join(", ")) } }
            td.status { (mark(scenario.status)) }
        }
    }
}

/// Rows of the catalogue, each with the way to it.
pub(super) fn claims<'a>(ids: impl Iterator<Item = &'a str>, index: &Index<'_>) -> Markup {
    html! {
        @for (at, id) in ids.enumerate() {
            @if at > 0 { ", " }
            @if index.has_row(id) {
                a.mono href={ "#" (id) } { (id) }
            } @else {
                span.mono { (id) }
            }
        }
    }
}
