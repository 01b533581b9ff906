//! The report: values beside their ceilings, targets and peers, for people and for programs.

use serde::Serialize;
use vram_alloc::{Bytes, DeviceProperties};

use super::catalogue::{Id, Kind, Target};
use super::host::Host;
use super::measured::{Measured, number};
use crate::profile::Applied;

/// The form of the document.
const SCHEMA: &str = "vram-bench/1";

/// Everything that one run measured.
#[derive(Debug, Default)]
pub(super) struct Results {
    measured: Vec<(Id, Measured)>,
    skipped: Vec<(Id, String)>,
}

impl Results {
    pub(super) fn add(&mut self, id: Id, measured: Measured) {
        self.measured.push((id, measured));
    }

    pub(super) fn skip(&mut self, id: Id, why: impl Into<String>) {
        self.skipped.push((id, why.into()));
    }

    fn find(&self, id: Id) -> Option<&Measured> {
        let found = self.measured.iter().find(|(other, _)| *other == id);
        found.map(|(_, measured)| measured)
    }

    fn of_kind(&self, wanted: impl Fn(Kind) -> bool) -> Vec<(Id, &Measured)> {
        let mut of_kind: Vec<_> = self
            .measured
            .iter()
            .filter(|(id, _)| wanted(id.kind()))
            .map(|(id, measured)| (*id, measured))
            .collect();
        of_kind.sort_by_key(|(id, _)| *id);
        of_kind
    }
}

/// The document.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: &'static str,
    pub(super) simulated: bool,
    simulated_because: Option<String>,
    quick: bool,
    pub(super) policy: Applied,
    pub(super) device: Device,
    pub(super) host: Host,
    pub(super) ceilings: Vec<Ceiling>,
    pub(super) figures: Vec<Figure>,
    pub(super) peers: Vec<Peer>,
    pub(super) skipped: Vec<Skipped>,
}

#[derive(Debug, Serialize)]
pub(super) struct Device {
    #[serde(flatten)]
    pub(super) properties: DeviceProperties,
    memory: Bytes,
    free_memory: Bytes,
}

#[derive(Debug, Serialize)]
pub(super) struct Ceiling {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    samples: Vec<f64>,
    pub(super) note: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Figure {
    pub(super) id: &'static str,
    title: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    samples: Vec<f64>,
    pub(super) ceiling: Option<&'static str>,
    pub(super) of_ceiling: Option<f64>,
    pub(super) target: Option<Bounds>,
    pub(super) verdict: Verdict,
    pub(super) note: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Peer {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    samples: Vec<f64>,
    pub(super) compared_with: &'static str,
    /// How many times the figure is as fast.
    pub(super) ratio: Option<f64>,
    pub(super) note: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Skipped {
    pub(super) id: &'static str,
    pub(super) why: String,
}

/// A target in the figure's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Bounds {
    pub(super) must: f64,
    pub(super) aim: f64,
    pub(super) better: Better,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Better {
    Higher,
    Lower,
}

/// How a value stands to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Verdict {
    #[serde(rename = "aim")]
    Aim,
    #[serde(rename = "must")]
    Must,
    #[serde(rename = "missed")]
    Missed,
    #[serde(rename = "no target")]
    NoTarget,
}

impl Bounds {
    /// The target as values of the figure, if there is one and its ceiling is known.
    fn of(target: Target, ceiling: Option<f64>) -> Option<Self> {
        let (must, aim, better) = match target {
            Target::None => return None,
            Target::AtLeast { must, aim } => (must, aim, Better::Higher),
            Target::AtMost { must, aim } => (must, aim, Better::Lower),
            Target::OfCeiling { must, aim } => {
                let ceiling = ceiling?;
                (must * ceiling, aim * ceiling, Better::Higher)
            }
        };
        Some(Self { must, aim, better })
    }

    fn judge(&self, value: f64) -> Verdict {
        let reaches = |bound: f64| match self.better {
            Better::Higher => value >= bound,
            Better::Lower => value <= bound,
        };
        if reaches(self.aim) {
            Verdict::Aim
        } else if reaches(self.must) {
            Verdict::Must
        } else {
            Verdict::Missed
        }
    }
}

impl Verdict {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Aim => "aim",
            Self::Must => "must",
            Self::Missed => "missed",
            Self::NoTarget => "no target",
        }
    }
}

/// Where the results come from.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) properties: DeviceProperties,
    pub(super) free_memory: Bytes,
    pub(super) simulated_because: Option<String>,
    pub(super) host: Host,
    pub(super) policy: Applied,
    pub(super) quick: bool,
}

impl Report {
    pub(super) fn new(origin: Origin, results: &Results) -> Self {
        let simulated = origin.properties.simulated;
        let ceilings = results.of_kind(|kind| kind == Kind::Ceiling);
        let figures = results.of_kind(|kind| kind == Kind::Figure);
        let peers = results.of_kind(|kind| matches!(kind, Kind::Peer { .. }));
        let mut skipped: Vec<_> = results.skipped.iter().collect();
        skipped.sort_by_key(|(id, _)| *id);
        Self {
            schema: SCHEMA,
            simulated,
            simulated_because: origin.simulated_because,
            quick: origin.quick,
            policy: origin.policy,
            device: Device {
                memory: origin.properties.total_memory,
                free_memory: origin.free_memory,
                properties: origin.properties,
            },
            host: origin.host,
            ceilings: ceilings
                .into_iter()
                .map(|(id, measured)| Ceiling {
                    id: id.name(),
                    title: id.title(),
                    value: measured.value(),
                    unit: id.unit().symbol(),
                    samples: measured.samples().to_vec(),
                    note: measured.note.clone(),
                })
                .collect(),
            figures: figures
                .into_iter()
                .map(|(id, measured)| Figure::new(id, measured, results, simulated))
                .collect(),
            peers: peers
                .into_iter()
                .filter_map(|(id, measured)| Peer::new(id, measured, results))
                .collect(),
            skipped: skipped
                .into_iter()
                .map(|(id, why)| Skipped {
                    id: id.name(),
                    why: why.clone(),
                })
                .collect(),
        }
    }
}

impl Figure {
    fn new(id: Id, measured: &Measured, results: &Results, simulated: bool) -> Self {
        let value = measured.value();
        let ceiling = id.ceiling().and_then(|ceiling| results.find(ceiling));
        let ceiling = ceiling.map(Measured::value);
        // Targets are for the full size on a GPU: there is none for anything else.
        let bounds = Bounds::of(id.target(), ceiling);
        let bounds = bounds.filter(|_| measured.full_size && !simulated);
        Self {
            id: id.name(),
            title: id.title(),
            value,
            unit: id.unit().symbol(),
            samples: measured.samples().to_vec(),
            ceiling: id.ceiling().map(Id::name),
            of_ceiling: ceiling.and_then(|ceiling| part(id, measured, ceiling)),
            target: bounds,
            verdict: bounds.map_or(Verdict::NoTarget, |bounds| bounds.judge(value)),
            note: measured.note.clone(),
        }
    }
}

/// Which part of its ceiling, a rate, a figure reaches.
fn part(id: Id, measured: &Measured, ceiling: f64) -> Option<f64> {
    let value = measured.value();
    let rate = match id.unit().per_second() {
        None => value,
        Some(per_second) => number(measured.bytes?) / (value / per_second) / 1e9,
    };
    Some(rate / ceiling).filter(|part| part.is_finite())
}

impl Peer {
    fn new(id: Id, measured: &Measured, results: &Results) -> Option<Self> {
        let Kind::Peer { compared_with } = id.kind() else {
            return None;
        };
        let value = measured.value();
        let figure = results.find(compared_with).map(Measured::value);
        Some(Self {
            id: id.name(),
            title: id.title(),
            value,
            unit: id.unit().symbol(),
            samples: measured.samples().to_vec(),
            compared_with: compared_with.name(),
            ratio: figure
                .map(|figure| figure / value)
                .filter(|ratio| ratio.is_finite()),
            note: measured.note.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(better: Better, value: f64) -> Verdict {
        let (must, aim) = match better {
            Better::Higher => (250.0, 400.0),
            Better::Lower => (250.0, 130.0),
        };
        Bounds { must, aim, better }.judge(value)
    }

    fn measured(value: f64) -> Measured {
        Measured::new(vec![value], "at some size").unwrap()
    }

    fn figure(results: &Results, id: Id, simulated: bool) -> Figure {
        Figure::new(id, results.find(id).unwrap(), results, simulated)
    }

    #[test]
    fn higher_is_judged_by_its_lower_bounds() {
        for (value, verdict) in [
            (400.0, Verdict::Aim),
            (399.9, Verdict::Must),
            (250.0, Verdict::Must),
            (249.9, Verdict::Missed),
        ] {
            assert_eq!(judged(Better::Higher, value), verdict, "{value}");
        }
    }

    #[test]
    fn lower_is_judged_by_its_upper_bounds() {
        for (value, verdict) in [
            (130.0, Verdict::Aim),
            (130.1, Verdict::Must),
            (250.0, Verdict::Must),
            (250.1, Verdict::Missed),
        ] {
            assert_eq!(judged(Better::Lower, value), verdict, "{value}");
        }
    }

    #[test]
    fn a_target_in_parts_of_the_ceiling_is_one_in_the_figures_unit() {
        let mut results = Results::default();
        results.add(Id::Sha256Registers, measured(1000.0));
        results.add(Id::VerifyLarge, measured(950.0));

        let figure = figure(&results, Id::VerifyLarge, false);

        assert_eq!(figure.of_ceiling, Some(0.95));
        assert_eq!(
            figure.target.map(|bounds| (bounds.must, bounds.aim)),
            Some((940.0, 980.0))
        );
        assert_eq!(figure.verdict, Verdict::Must);
    }

    #[test]
    fn without_its_ceiling_a_part_of_it_is_no_target() {
        let mut results = Results::default();
        results.add(Id::VerifyLarge, measured(950.0));

        let figure = figure(&results, Id::VerifyLarge, false);

        assert_eq!((figure.target, figure.of_ceiling), (None, None));
        assert_eq!(figure.verdict, Verdict::NoTarget);
    }

    #[test]
    fn a_time_is_held_against_its_ceiling_as_the_rate_that_it_is() {
        let mut results = Results::default();
        results.add(Id::Sha256Registers, measured(1000.0));
        // 60 GB in 75 ms are 800 GB/s.
        results.add(Id::VerifyCard, measured(75.0).of_bytes(60_000_000_000));

        let part = figure(&results, Id::VerifyCard, false).of_ceiling.unwrap();

        assert!((part - 0.8).abs() < 1e-12, "{part}");
    }

    #[test]
    fn what_is_simulated_or_smaller_has_no_target() {
        let mut results = Results::default();
        results.add(Id::Verify1m, measured(1.0));
        results.add(Id::Verify64m, measured(500.0).at_full_size(false));

        let simulated = figure(&results, Id::Verify1m, true);
        let smaller = figure(&results, Id::Verify64m, false);

        for figure in [simulated, smaller] {
            assert_eq!((figure.target, figure.verdict), (None, Verdict::NoTarget));
        }
        let real = figure(&results, Id::Verify1m, false);
        assert_eq!(real.verdict, Verdict::Aim);
    }

    #[test]
    fn a_peers_ratio_is_how_many_times_the_figure_is_as_fast() {
        let mut results = Results::default();
        results.add(Id::EngineRust, measured(0.5));
        let ratio = |results: &Results| {
            let peer = results.find(Id::EngineRust).unwrap();
            Peer::new(Id::EngineRust, peer, results).unwrap().ratio
        };

        assert_eq!(ratio(&results), None);
        results.add(Id::VerifyLarge, measured(900.0));
        assert_eq!(ratio(&results), Some(1800.0));
    }

    #[test]
    fn the_document_has_the_fields_that_readers_rely_on() {
        let mut results = Results::default();
        results.add(Id::Sha256Registers, measured(1000.0));
        results.add(Id::VerifyLarge, measured(950.0));
        results.add(Id::Scratch, measured(6.0));
        results.skip(Id::EnginePython, "no torch");
        let figure = figure(&results, Id::VerifyLarge, false);
        let figure = serde_json::to_value(figure).unwrap();
        let scratch = Figure::new(Id::Scratch, &measured(6.0), &results, true);
        let scratch = serde_json::to_value(scratch).unwrap();

        assert_eq!(
            figure,
            serde_json::json!({
                "id": "verify-large", "title": Id::VerifyLarge.title(),
                "value": 950.0, "unit": "GB/s", "samples": [950.0],
                "ceiling": "sha256-registers", "of_ceiling": 0.95,
                "target": {"must": 940.0, "aim": 980.0, "better": "higher"},
                "verdict": "must", "note": "at some size",
            })
        );
        for absent in ["ceiling", "of_ceiling", "target"] {
            assert!(scratch[absent].is_null(), "{absent}");
        }
        assert_eq!(scratch["verdict"], "no target");
    }
}
