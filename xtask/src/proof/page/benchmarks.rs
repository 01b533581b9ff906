//! What `vram bench` measured, next to what the machine can do and to what was aimed at.

use maud::{Markup, html};

use super::index::Index;
use super::parts::scroll;
use crate::gpu::bench::{Bench, Better, Figure, Target, Verdict};
use crate::gpu::page::number;
use crate::proof::model::{Benchmark, Bundle};
use drawing::{Colour, Drawing};

mod drawing;

pub(super) fn section(bundle: &Bundle, _: &Index<'_>) -> Markup {
    html! {
        section id="benchmarks" aria-labelledby="benchmarks-title" {
            h2 id="benchmarks-title" { "Benchmarks" }
            @if bundle.benchmarks.is_empty() {
                p.nothing { "Not run." }
            }
            @for benchmark in &bundle.benchmarks { (of_machine(benchmark)) }
        }
    }
}

fn of_machine(benchmark: &Benchmark) -> Markup {
    let bench = &benchmark.bench;
    html! {
        h3 { (benchmark.machine) }
        p.intro {
            "From " code { (benchmark.file) } "."
            @if bench.simulated {
                " " strong.simulated { "◐ On the simulated driver: these figures say nothing about a GPU." }
            }
            @if bench.is_quick() {
                " " strong.caution { "! A quick run on little data: it shows that the benchmark works and judges nothing." }
            }
        }
        (beside_ceilings(bench))
        (beside_targets(bench))
        (others(bench))
        (peers(bench))
        @if !bench.skipped.is_empty() {
            p.intro { "Not measured:" }
            ul { @for skipped in &bench.skipped { li { code { (skipped.id) } ": " (skipped.why) } } }
        }
    }
}

/// Figures with a ceiling, drawn as parts of it.
fn beside_ceilings(bench: &Bench) -> Markup {
    let lines: Vec<_> = bench
        .figures
        .iter()
        .filter_map(|figure| {
            let ceiling = bench.ceiling(figure.ceiling.as_deref())?;
            let part = figure.of_ceiling.filter(|part| part.is_finite())?;
            Some((figure, ceiling, part))
        })
        .collect();
    let most = lines
        .iter()
        .fold(1.0_f64, |most, (.., part)| most.max(*part));
    let table = html! {
        table.stacked {
            caption {
                "Beside the ceiling: what the same machine was measured to do, in the same run."
                @if let Some(why) = bench.above_ceilings() { " " (why) }
            }
            thead {
                tr {
                    th scope="col" { "Figure" }
                    th scope="col" { "Part of the ceiling" }
                    th.number scope="col" { "Measured" }
                    th.number scope="col" { "Ceiling" }
                    th.number scope="col" { "Part" }
                }
            }
            tbody {
                @for (figure, ceiling, part) in &lines {
                    tr {
                        th.name.wide scope="row" { (title(figure)) }
                        td.plot.wide {
                            (Drawing::new(most).ticks(&[1.0]).bar(*part, colour(figure)))
                            div.muted.small { "Ceiling: " (ceiling.title) }
                        }
                        td.number data-head="Measured" { (number(figure.value)) " " (figure.unit) }
                        td.number data-head="Ceiling" { (number(ceiling.value)) " " (ceiling.unit) }
                        td.number data-head="Part" { (share(*part)) }
                    }
                }
            }
        }
    };
    html! {
        @if !lines.is_empty() {
            (scroll("Figures beside their ceilings", table))
            ul.legend {
                li { (Drawing::sample(Colour::Ours)) "measured" }
                li { (Drawing::sample(Colour::Missed)) "measured, target missed" }
                li { (Drawing::line(false)) "the ceiling" }
            }
        }
    }
}

/// Figures with a target, drawn beside what they must reach.
fn beside_targets(bench: &Bench) -> Markup {
    let lines: Vec<_> = bench
        .figures
        .iter()
        .filter_map(|figure| {
            let target = figure.target?;
            let standing = target.standing(figure.value);
            let aim = target.standing(target.aim);
            (standing.is_finite() && aim.is_finite()).then_some((figure, target, standing, aim))
        })
        .collect();
    let most = lines.iter().fold(1.0_f64, |most, (_, _, standing, aim)| {
        most.max(*standing).max(*aim)
    });
    let table = html! {
        table.stacked {
            caption { "Beside the targets: what each must reach and what it aims at; a longer bar is better" }
            thead {
                tr {
                    th scope="col" { "Figure" }
                    th scope="col" { "Times what it must be" }
                    th.number scope="col" { "Measured" }
                    th.number scope="col" { "Must" }
                    th.number scope="col" { "Aim" }
                    th scope="col" { "Verdict" }
                }
            }
            tbody {
                @for (figure, target, standing, aim) in &lines {
                    tr {
                        th.name.wide scope="row" { (title(figure)) }
                        td.plot.wide {
                            (Drawing::new(most).ticks(&[1.0]).aim(*aim).bar(*standing, colour(figure)))
                        }
                        td.number data-head="Measured" { (apart(figure.value, *target)) " " (figure.unit) }
                        td.number data-head="Must" { (bound(target.must, *target)) " " (figure.unit) }
                        td.number data-head="Aim" { (bound(target.aim, *target)) " " (figure.unit) }
                        td.status { (verdict(figure.judged())) }
                    }
                }
            }
        }
    };
    html! {
        @if !lines.is_empty() {
            (scroll("Figures beside their targets", table))
            ul.legend {
                li { (Drawing::sample(Colour::Ours)) "reached" }
                li { (Drawing::sample(Colour::Missed)) "missed" }
                li { (Drawing::line(false)) "must" }
                li { (Drawing::line(true)) "aim" }
            }
        }
    }
}

/// Figures that have neither a ceiling nor a target.
fn others(bench: &Bench) -> Markup {
    let lines: Vec<_> = bench
        .figures
        .iter()
        .filter(|figure| figure.target.is_none() && figure.of_ceiling.is_none())
        .collect();
    let table = html! {
        table.stacked {
            caption { "Other figures" }
            thead {
                tr {
                    th scope="col" { "Figure" }
                    th.number scope="col" { "Measured" }
                }
            }
            tbody {
                @for figure in &lines {
                    tr {
                        th.name.wide scope="row" { (title(figure)) }
                        td.number data-head="Measured" { (number(figure.value)) " " (figure.unit) }
                    }
                }
            }
        }
    };
    html! { @if !lines.is_empty() { (scroll("Other figures", table)) } }
}

/// What others do for the same end, on a logarithmic scale.
fn peers(bench: &Bench) -> Markup {
    let lines: Vec<_> = bench
        .peers
        .iter()
        .filter(|peer| peer.value > 0.0)
        .map(|peer| (peer, bench.figure(&peer.compared_with)))
        .collect();
    let scale = |wanted: &str| {
        let own = lines.iter().filter_map(|(_, figure)| *figure);
        let values = lines.iter().map(|(peer, _)| (peer.value, &peer.unit));
        let values = values.chain(own.map(|figure| (figure.value, &figure.unit)));
        Logarithmic::over(
            values
                .filter(|(value, unit)| *unit == wanted && *value > 0.0)
                .map(|(value, _)| value),
        )
    };
    let table = html! {
        table.stacked {
            caption { "The same check as others do it, on a logarithmic scale" }
            thead {
                tr {
                    th scope="col" { "Other way" }
                    th scope="col" { "Theirs over ours" }
                    th.number scope="col" { "Measured" }
                    th.number scope="col" { "Ours" }
                    th scope="col" { "Compared with" }
                    th.number scope="col" { "Ours is" }
                }
            }
            tbody {
                @for (peer, figure) in &lines {
                    @let scale = scale(&peer.unit);
                    tr {
                        th.name.wide scope="row" { (peer.title) }
                        td.plot.wide {
                            (Drawing::new(1.0).bar(scale.part(peer.value), Colour::Others))
                            @if let Some(figure) = figure.filter(|figure| figure.unit == peer.unit && figure.value > 0.0) {
                                (Drawing::new(1.0).bar(scale.part(figure.value), colour(figure)))
                            }
                        }
                        td.number data-head="Measured" { (number(peer.value)) " " (peer.unit) }
                        td.number data-head="Ours" {
                            @match figure { Some(figure) => { (number(figure.value)) " " (figure.unit) }, None => { "–" } }
                        }
                        td.wide data-head="Compared with" { (figure.map_or(peer.compared_with.as_str(), |figure| &figure.title)) }
                        td.number.wide data-head="Ours is" { @match peer.ratio { Some(ratio) => { (number(ratio)) " times as fast" }, None => { "–" } } }
                    }
                }
            }
        }
    };
    html! { @if !lines.is_empty() { (scroll("Other ways to check the same", table)) } }
}

fn title(figure: &Figure) -> Markup {
    html! { (figure.title) @if let Some(note) = &figure.note { div.muted { (note) } } }
}

fn colour(figure: &Figure) -> Colour {
    if figure.judged() == Verdict::Missed {
        Colour::Missed
    } else {
        Colour::Ours
    }
}

fn verdict(verdict: Verdict) -> Markup {
    let (word, symbol, class) = match verdict {
        Verdict::Aim => ("aim reached", "✓", "passed"),
        Verdict::Must => ("reached", "✓", "passed"),
        Verdict::Missed => ("missed", "✗", "failed"),
        Verdict::NoTarget => ("not judged", "–", "absent"),
    };
    html! { span.mark.(class) { span.symbol aria-hidden="true" { (symbol) } (word) } }
}

/// In per cent, rounded down to a tenth.
fn share(part: f64) -> String {
    let tenths = (part * 1000.0).floor() / 10.0;
    if tenths.fract() == 0.0 {
        format!("{tenths:.0} %")
    } else {
        format!("{tenths:.1} %")
    }
}

/// A value with as many digits as it takes to tell it from its target.
fn apart(value: f64, target: Target) -> String {
    let near = [target.must, target.aim]
        .into_iter()
        .any(|bound| number(bound) == number(value) && bound.to_bits() != value.to_bits());
    if near {
        value.to_string()
    } else {
        number(value)
    }
}

fn bound(bound: f64, target: Target) -> String {
    let direction = match target.better {
        Better::Higher => "≥",
        Better::Lower => "≤",
    };
    format!("{direction} {}", number(bound))
}

/// A scale over whole powers of ten.
struct Logarithmic {
    low: f64,
    high: f64,
}

impl Logarithmic {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        // Below the least there is a whole power more, so that its bar has a length.
        Self {
            low: low.log10().floor() - 1.0,
            high: high.log10(),
        }
    }

    /// How far along the scale a value lies, up to 1.
    fn part(&self, value: f64) -> f64 {
        let part = (value.log10() - self.low) / (self.high - self.low);
        if part.is_finite() {
            part.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}
