//! The page's plots, as SVG: bars on a white ground, every one with its value as text.

use anyhow::Context as _;

use super::bench::{Figure, Verdict};
use super::page::number;
use super::results::Results;
use bars::{Bar, Chart, Kind, Mark, Scale};

mod bars;

/// Figures as parts of their ceilings.
pub(crate) const CEILINGS: &str = "ceilings.svg";
/// Figures beside what they must reach.
pub(crate) const TARGETS: &str = "targets.svg";
/// Rates of others, on a logarithmic scale.
pub(crate) const PEERS: &str = "peers.svg";

/// A drawn plot.
pub(crate) struct Plot {
    pub(crate) file: &'static str,
    /// What the picture shows, for those who don't see it.
    pub(crate) title: String,
    pub(crate) svg: String,
}

/// Draws what the results have values for.
pub(crate) fn draw(results: &Results) -> anyhow::Result<Vec<Plot>> {
    let charts = [
        (CEILINGS, ceilings(results)),
        (TARGETS, targets(results)),
        (PEERS, peers(results)),
    ];
    charts
        .into_iter()
        .filter(|(_, chart)| !chart.bars.is_empty())
        .map(|(file, chart)| {
            let svg = chart.draw().with_context(|| file.to_owned())?;
            Ok(Plot {
                file,
                title: chart.title,
                svg,
            })
        })
        .collect()
}

fn kind(figure: &Figure) -> Kind {
    if figure.judged() == Verdict::Missed {
        Kind::Missed
    } else {
        Kind::Ours
    }
}

fn ceilings(results: &Results) -> Chart {
    let bench = &results.bench;
    let bars = bench.figures.iter().filter_map(|figure| {
        let ceiling = bench.ceiling(figure.ceiling.as_deref())?;
        let part = figure.of_ceiling?;
        let comparable = figure.unit == ceiling.unit && ceiling.value > 0.0;
        let marks = figure.target.filter(|_| comparable).map(|target| {
            let mark = |name, value: f64| Mark {
                name,
                at: value / ceiling.value,
            };
            vec![mark("must", target.must), mark("aim", target.aim)]
        });
        let value = format!(
            "{} %, {} {}",
            number(part * 100.0),
            number(figure.value),
            figure.unit
        );
        Some(Bar {
            label: figure.title.clone(),
            value: part,
            text: value,
            kind: kind(figure),
            marks: marks.unwrap_or_default(),
        })
    });
    Chart {
        title: "Figures as parts of their ceilings, measured in the same run".to_owned(),
        scale: Scale::Linear,
        line: Some(1.0),
        bars: bars.collect(),
    }
}

fn targets(results: &Results) -> Chart {
    let bars = results.bench.figures.iter().filter_map(|figure| {
        let target = figure.target?;
        let standing = target.standing(figure.value);
        let aim = Mark {
            name: "aim",
            at: target.standing(target.aim),
        };
        (standing.is_finite() && aim.at.is_finite()).then(|| Bar {
            label: figure.title.clone(),
            value: standing,
            text: format!("{} {}", number(figure.value), figure.unit),
            kind: kind(figure),
            marks: vec![aim],
        })
    });
    Chart {
        title: "Figures beside what they must reach, which is 1; more is better".to_owned(),
        scale: Scale::Linear,
        line: Some(1.0),
        bars: bars.collect(),
    }
}

fn peers(results: &Results) -> Chart {
    let bench = &results.bench;
    let mut bars = Vec::new();
    let mut unit = None;
    for peer in bench.peers.iter().filter(|peer| peer.value > 0.0) {
        // Bars of one unit only can stand on one axis.
        if *unit.get_or_insert(&peer.unit) != &peer.unit {
            continue;
        }
        bars.push(Bar::plain(
            &peer.title,
            peer.value,
            &peer.unit,
            Kind::Others,
        ));
    }
    for figure in &bench.figures {
        let compared = bench
            .peers
            .iter()
            .any(|peer| peer.compared_with == figure.id);
        if compared && unit == Some(&figure.unit) && figure.value > 0.0 {
            bars.push(Bar::plain(
                &figure.title,
                figure.value,
                &figure.unit,
                kind(figure),
            ));
        }
    }
    Chart {
        title: format!(
            "Checking weights in device memory, {}, on a logarithmic scale",
            unit.map_or("", String::as_str)
        ),
        scale: Scale::Logarithmic,
        line: None,
        bars,
    }
}
