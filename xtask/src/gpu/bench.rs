//! The document of `vram bench --json`, form `vram-bench/1`. Fields that are not known here are let pass.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) const SCHEMA: &str = "vram-bench/1";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bench {
    pub(crate) schema: String,
    pub(crate) simulated: bool,
    #[serde(default)]
    pub(crate) ceilings: Vec<Ceiling>,
    #[serde(default)]
    pub(crate) figures: Vec<Figure>,
    #[serde(default)]
    pub(crate) peers: Vec<Peer>,
    #[serde(default)]
    pub(crate) skipped: Vec<Skipped>,
    /// The device, the host and whatever later versions say.
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

/// What the machine itself was measured to do, in the same run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ceiling {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    #[serde(default)]
    pub(crate) samples: Vec<f64>,
}

/// What this software does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    #[serde(default)]
    pub(crate) samples: Vec<f64>,
    /// A ceiling's id.
    #[serde(default)]
    pub(crate) ceiling: Option<String>,
    #[serde(default)]
    pub(crate) of_ceiling: Option<f64>,
    #[serde(default)]
    pub(crate) target: Option<Target>,
    #[serde(default)]
    pub(crate) verdict: Verdict,
    #[serde(default)]
    pub(crate) note: Option<String>,
}

/// In the figure's unit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) must: f64,
    pub(crate) aim: f64,
    pub(crate) better: Better,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Better {
    Higher,
    Lower,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    #[serde(rename = "aim")]
    Aim,
    #[serde(rename = "must")]
    Must,
    #[serde(rename = "missed")]
    Missed,
    #[default]
    #[serde(rename = "no target")]
    NoTarget,
}

/// What others do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    #[serde(default)]
    pub(crate) samples: Vec<f64>,
    /// The id of the figure that it is compared with.
    pub(crate) compared_with: String,
    /// How many times the figure is as fast.
    #[serde(default)]
    pub(crate) ratio: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Skipped {
    pub(crate) id: String,
    pub(crate) why: String,
}

impl Bench {
    pub(crate) fn ceiling(&self, id: Option<&str>) -> Option<&Ceiling> {
        let id = id?;
        self.ceilings.iter().find(|ceiling| ceiling.id == id)
    }

    pub(crate) fn figure(&self, id: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.id == id)
    }

    /// Why figures lie above their ceilings, where some do.
    pub(crate) fn above_ceilings(&self) -> Option<&'static str> {
        let above = |figure: &Figure| figure.of_ceiling.is_some_and(|part| part > 1.0);
        self.figures.iter().any(above).then_some(
            "Where a figure is above its ceiling, the machine gave more while the figure was measured than while the \
             ceiling was.",
        )
    }

    /// Whether it was measured on little data, to see that the benchmark works.
    pub(crate) fn is_quick(&self) -> bool {
        self.other.get("quick").and_then(Value::as_bool) == Some(true)
    }
}

impl Figure {
    /// Judged again from the value, so that what is said follows from what is shown. A run on little
    /// data has targets and no verdict.
    pub(crate) fn judged(&self) -> Verdict {
        match (self.verdict, self.target) {
            (Verdict::NoTarget, _) | (_, None) => Verdict::NoTarget,
            (_, Some(target)) => target.judge(self.value),
        }
    }
}

impl Target {
    /// How good a value is beside what it must be: 1 is just reached, more is better.
    pub(crate) fn standing(&self, value: f64) -> f64 {
        match self.better {
            Better::Higher => value / self.must,
            Better::Lower => self.must / value,
        }
    }

    pub(crate) fn judge(&self, value: f64) -> Verdict {
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
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Aim => "aim reached",
            Self::Must => "reached",
            Self::Missed => "**missed**",
            Self::NoTarget => "no target",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_pass_and_are_kept() {
        let json = r#"{"schema": "vram-bench/1", "simulated": false, "weather": "fine",
            "figures": [{"id": "a", "title": "A", "value": 1.5, "unit": "s", "colour": "red"}]}"#;

        let bench: Bench = serde_json::from_str(json).unwrap();

        assert_eq!(bench.other["weather"], "fine");
        assert_eq!(bench.figures[0].verdict, Verdict::NoTarget);
        assert!(bench.peers.is_empty());
    }

    #[test]
    fn a_target_judges_in_its_direction() {
        let target = |must, aim, better| Target { must, aim, better };
        let rate = target(250.0, 400.0, Better::Higher);
        let time = target(250.0, 130.0, Better::Lower);

        assert_eq!(rate.judge(249.0), Verdict::Missed);
        assert_eq!(rate.judge(250.0), Verdict::Must);
        assert_eq!(rate.judge(400.0), Verdict::Aim);
        assert_eq!(time.judge(251.0), Verdict::Missed);
        assert_eq!(time.judge(250.0), Verdict::Must);
        assert_eq!(time.judge(130.0), Verdict::Aim);
    }
}
