//! Pieces that several sections are made of.

use maud::{Markup, html};

use super::words::Say;
use crate::proof::figures;
use crate::proof::model::{Status, StatusCounts};

/// A status, as symbol and word.
pub(super) fn mark(status: impl Say) -> Markup {
    let said = status.said();
    html! {
        span.mark.(said.class) {
            span.symbol aria-hidden="true" { (said.symbol) } (said.word)
        }
    }
}

/// A table that scrolls in itself where the page is too narrow for it, which a keyboard can do as well.
pub(super) fn scroll(label: &str, table: Markup) -> Markup {
    html! {
        div.scroll role="group" aria-label=(label) tabindex="0" { (table) }
    }
}

/// A part of a whole as a bar; the text beside it says the same.
pub(super) fn bar(part: u64, whole: u64) -> Markup {
    let width = part
        .min(whole)
        .saturating_mul(1000)
        .checked_div(whole)
        .unwrap_or(0);
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.whole width="1000" height="10" {}
            rect.part width=(width) height="10" {}
        }
    }
}

/// `1 test`, `2 tests`
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        figures::count(count),
        if count == 1 { one } else { many }
    )
}

pub(super) fn of(counts: &StatusCounts, status: Status) -> u64 {
    match status {
        Status::Passed => counts.passed,
        Status::Failed => counts.failed,
        Status::Skipped => counts.skipped,
        Status::SimulatedOnly => counts.simulated_only,
        Status::NotRun => counts.not_run,
        Status::NotCovered => counts.not_covered,
    }
}

/// How many of a list there are.
pub(super) fn length<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// `00_vram-residency` as a title: `00 vram-residency`.
pub(super) fn specification(doc: &str) -> String {
    doc.replacen('_', " ", 1)
}

/// The first digits of a commit, which name it well enough to be read.
pub(super) fn short(commit: &str) -> String {
    commit.chars().take(12).collect()
}

/// `2026-01-31T23:59:59Z` as `2026-01-31 23:59:59 UTC`; what has another form, as it is.
pub(super) fn date(date: &str) -> String {
    match date.strip_suffix('Z').and_then(|rest| rest.split_once('T')) {
        Some((day, time)) => format!("{day} {time} UTC"),
        None => date.to_owned(),
    }
}
