//! How much of the source the tests went through.

use maud::{Markup, html};

use super::index::Index;
use super::parts::{bar, scroll};
use crate::proof::figures::count;
use crate::proof::model::{Bundle, Coverage, CrateCoverage, LineCoverage, Lines};

pub(super) fn section(bundle: &Bundle, _: &Index<'_>) -> Markup {
    html! {
        section id="coverage" aria-labelledby="coverage-title" {
            h2 id="coverage-title" { "Code coverage" }
            @match &bundle.coverage {
                Coverage::Measured(measured) => { (of_crates(measured)) },
                Coverage::NotMeasured(why) => { p.nothing { "Not measured: " (why) } },
            }
        }
    }
}

fn of_crates(measured: &LineCoverage) -> Markup {
    let table = html! {
        table {
            caption { "Lines of each crate that a test ran" }
            thead { (columns("Crate")) }
            tbody { @for each in &measured.crates { (line(&each.name, each.lines)) } }
            tfoot { (line("All crates", measured.lines)) }
        }
    };
    html! {
        p {
            "Of the lines that can run, " (measured.lines.percent()) " did, as " (measured.tool)
            " counted them. A line that ran is not yet a line that was checked; mutation testing asks that."
        }
        (scroll("Coverage by crate", table))
        h3 { "By module" }
        @for each in &measured.crates { (of_modules(each)) }
    }
}

fn of_modules(of: &CrateCoverage) -> Markup {
    let table = html! {
        table data-sortable {
            caption.hidden-text { "Lines of each module of " (of.name) }
            thead { (columns("Module")) }
            tbody { @for module in &of.modules { (line(&module.name, module.lines)) } }
        }
    };
    html! {
        details.drawer {
            summary {
                span.title.mono { (of.name) }
                span.tally { (count(of.lines.covered)) " of " (count(of.lines.all)) " lines, " (of.lines.percent()) }
            }
            (scroll(&format!("Coverage of {}", of.name), table))
        }
    }
}

fn columns(first: &str) -> Markup {
    html! {
        tr {
            th scope="col" { (first) }
            th.number scope="col" { "Ran" }
            th.number scope="col" { "Can run" }
            th.number scope="col" { "Share" }
            th scope="col" { "Drawn" }
        }
    }
}

fn line(name: &str, lines: Lines) -> Markup {
    html! {
        tr {
            th.code scope="row" { (name) }
            td.number data-value=(lines.covered) { (count(lines.covered)) }
            td.number data-value=(lines.all) { (count(lines.all)) }
            td.number data-value=(per_million(lines)) { (lines.percent()) }
            td.plot data-value=(per_million(lines)) { (bar(lines.covered, lines.all)) }
        }
    }
}

/// To sort by.
fn per_million(lines: Lines) -> u64 {
    let part = lines.covered.saturating_mul(1_000_000);
    part.checked_div(lines.all).unwrap_or_default()
}
