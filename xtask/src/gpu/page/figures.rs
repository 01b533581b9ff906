//! What was measured, beside what it must reach and what others do.

use super::markdown::{Page, link_text};
use super::number::number;
use crate::gpu::bench::Better;
use crate::gpu::plots::{self, Plot};
use crate::gpu::results::Results;

pub(super) fn measured(page: &mut Page, results: &Results, plots: &[Plot]) {
    let bench = &results.bench;
    page.title(2, "Figures");
    page.table(&[
        "figure",
        "measured",
        "must reach",
        "aim for",
        "verdict",
        "ceiling",
        "of it",
    ]);
    for figure in &bench.figures {
        let target = figure.target;
        let bound = |value: Option<f64>| value.map_or_else(String::new, number);
        let ceiling = bench.ceiling(figure.ceiling.as_deref());
        page.row(&[
            figure.title.clone(),
            format!("{} {}", number(figure.value), figure.unit),
            target.map_or_else(String::new, |target| {
                let word = match target.better {
                    Better::Higher => "at least",
                    Better::Lower => "at most",
                };
                format!("{word} {}", number(target.must))
            }),
            bound(target.map(|target| target.aim)),
            figure.judged().shown().to_owned(),
            ceiling.map_or_else(String::new, |ceiling| ceiling.title.clone()),
            figure
                .of_ceiling
                .map_or_else(String::new, |part| format!("{} %", number(part * 100.0))),
        ]);
    }
    page.image(plots, plots::CEILINGS);
    page.image(plots, plots::TARGETS);
    if let Some(why) = bench.above_ceilings() {
        page.line(why);
    }
    page.title(3, "Ceilings, measured in the same run");
    page.table(&["ceiling", "measured"]);
    for ceiling in &bench.ceilings {
        page.row(&[
            ceiling.title.clone(),
            format!("{} {}", number(ceiling.value), ceiling.unit),
        ]);
    }
    if !bench.skipped.is_empty() {
        page.title(3, "Not measured");
        for skipped in &bench.skipped {
            page.line(&format!("- {}: {}", skipped.id, link_text(&skipped.why)));
        }
    }
    let notes: Vec<_> = bench
        .figures
        .iter()
        .filter_map(|figure| Some((figure, figure.note.as_deref()?)))
        .filter(|(_, note)| !note.is_empty())
        .collect();
    if !notes.is_empty() {
        page.title(3, "How");
        page.line("");
        for (figure, note) in notes {
            page.line(&format!("- {}: {}", figure.title, link_text(note)));
        }
    }
}

pub(super) fn peers(page: &mut Page, results: &Results, plots: &[Plot]) {
    let bench = &results.bench;
    if bench.peers.is_empty() {
        return;
    }
    page.title(2, "Beside what others do");
    page.table(&["", "measured", "compared with", "is so many times as fast"]);
    for peer in &bench.peers {
        let figure = bench.figure(&peer.compared_with);
        page.row(&[
            peer.title.clone(),
            format!("{} {}", number(peer.value), peer.unit),
            figure.map_or(peer.compared_with.clone(), |figure| {
                format!("{}: {} {}", figure.title, number(figure.value), figure.unit)
            }),
            peer.ratio.map_or_else(String::new, number),
        ]);
    }
    page.image(plots, plots::PEERS);
}
