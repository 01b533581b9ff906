//! The head of the page: the verdict, which run it is of, and what a reader has to know before the rest.

use maud::{Markup, html};

use super::flags::flags;
use super::parts::{counted, date, length, short};
use super::verdict;
use crate::proof::figures::count;
use crate::proof::model::{Bundle, Driver, Outcome};

pub(super) fn head(bundle: &Bundle) -> Markup {
    let sign = verdict::sign(bundle);
    let tests = &bundle.conclusion.tests;
    html! {
        header.mast {
            div.frame {
                p.kicker { strong { "Proof bundle" } " of vram-residency, run " span.mono { (bundle.run.id) } }
                h1 {
                    span.sign.(sign.class) aria-hidden="true" { (sign.symbol) }
                    span { span.(sign.class) { (sign.word) ":" } " " (verdict::sentence(bundle)) }
                }
                p.lead {
                    (counted(tests.total, "test result", "test results")) ": "
                    (count(tests.passed)) " passed, " (count(tests.failed)) " failed, "
                    (count(tests.skipped)) " skipped. "
                    (drivers(bundle))
                }
                (identity(bundle))
                (notices(bundle))
            }
        }
    }
}

/// On what the tests ran.
fn drivers(bundle: &Bundle) -> String {
    let ran = |driver| {
        let passed = |outcome| outcome != Outcome::Skipped;
        bundle
            .tests
            .iter()
            .any(|test| test.driver == driver && passed(test.outcome))
    };
    match (ran(Driver::Simulated), ran(Driver::Gpu)) {
        (true, true) => "Tests of devices ran on the simulated driver and on a GPU.".to_owned(),
        (true, false) => "Tests of devices ran on the simulated driver alone.".to_owned(),
        (false, true) => "Tests of devices ran on a GPU.".to_owned(),
        (false, false) => "No test of a device ran.".to_owned(),
    }
}

fn identity(bundle: &Bundle) -> Markup {
    let run = &bundle.run;
    let here = &bundle.environment;
    html! {
        dl.identity {
            div {
                dt { "Commit" }
                dd {
                    code title=(run.commit) { (short(&run.commit)) }
                    @if run.dirty {
                        br; span.mark.caution { span.symbol aria-hidden="true" { "!" } "with changes" }
                    } @else {
                        ", unchanged"
                    }
                }
            }
            div { dt { "Begun" } dd { (date(&run.date)) } }
            div {
                dt { "This machine" }
                dd {
                    @match &here.gpu {
                        Some(gpu) => { (gpu.name) br; span.muted { "driver " (gpu.driver) } },
                        None => {
                            span.mark.simulated { span.symbol aria-hidden="true" { "◐" } "simulated driver" }
                            br; span.muted { (here.cpu.as_deref().unwrap_or(&here.architecture)) }
                        },
                    }
                }
            }
            @if let Some(gpu_run) = &bundle.gpu_run {
                div {
                    dt { "Run on a GPU, merged in" }
                    dd {
                        (gpu_run.gpu.name) br;
                        span.muted {
                            "driver " (gpu_run.gpu.driver) ", " (date(&gpu_run.date)) ", commit "
                            code title=(gpu_run.commit) { (short(&gpu_run.commit)) }
                            @if gpu_run.dirty { ", with changes" }
                        }
                        @if gpu_run.other_commit {
                            br; span.mark.caution { span.symbol aria-hidden="true" { "!" } "another commit" }
                        }
                    }
                }
            }
        }
    }
}

fn notices(bundle: &Bundle) -> Markup {
    let failures = &bundle.conclusion.failures;
    let reservations = &bundle.conclusion.reservations;
    let flags = flags(bundle);
    html! {
        @if !(failures.is_empty() && reservations.is_empty() && flags.is_empty()) {
            ul.notices {
                @if !failures.is_empty() {
                    li.failed {
                        strong { span aria-hidden="true" { "✗ " } "What failed or is missing" }
                        (list(failures))
                    }
                }
                @if !flags.is_empty() || !reservations.is_empty() {
                    li {
                        strong { span aria-hidden="true" { "! " } "To be known beside the verdict" }
                        @if !flags.is_empty() {
                            p.flags {
                                @for flag in &flags {
                                    span.flag.(flag.class) { span.symbol aria-hidden="true" { (flag.symbol) } (flag.text) }
                                    " "
                                }
                            }
                        }
                        (list(reservations))
                    }
                }
            }
        }
    }
}

/// The first of them; the others open.
fn list(reasons: &[String]) -> Markup {
    const FIRST: usize = 12;
    let (first, others) = reasons.split_at_checked(FIRST).unwrap_or((reasons, &[]));
    html! {
        @if !first.is_empty() { ul { @for reason in first { li.wrap { (reason) } } } }
        @if !others.is_empty() {
            details {
                summary { (count(length(others))) " more" }
                ul { @for reason in others { li.wrap { (reason) } } }
            }
        }
    }
}
