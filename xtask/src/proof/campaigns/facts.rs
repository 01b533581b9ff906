//! What the pages show of a report. All of it is in the report's own file.

use serde_json::Value;

use crate::campaign::{FAULTS, FUZZING, Kind, MUTATION, PLANTED_BREAKS, TIMING};
use crate::proof::figures::{self, count};
use crate::proof::model::Fact;

/// The longest text that is taken from a report, in characters.
const TEXT: usize = 400;

/// The facts of a report, in an order in which they can be read. What a report doesn't say is no fact.
pub(super) fn of(kind: &Kind, report: &Value) -> Vec<Fact> {
    let facts = if kind == &FAULTS {
        faults(report)
    } else if kind == &PLANTED_BREAKS {
        planted_breaks(report)
    } else if kind == &MUTATION {
        mutation(report)
    } else if kind == &FUZZING {
        fuzzing(report)
    } else if kind == &TIMING {
        timing(report)
    } else {
        Vec::new()
    };
    facts.into_iter().flatten().collect()
}

type Facts = Vec<Option<Fact>>;

fn faults(report: &Value) -> Facts {
    let flips = number(report, "flips");
    let of_flips = |field| Some(format!("{} of {}", number(report, field)?, flips.as_ref()?));
    let mut facts = vec![
        fact("Device", text(report, "device")),
        fact("Flips", flips.clone()),
        fact("of one bit", number(report, "single_bit")),
        fact("of several bits", number(report, "multi_bit")),
        fact("Found", of_flips("found")),
        fact("Located to their blocks", of_flips("located")),
        fact("Shards", number(report, "shards")),
    ];
    facts.extend(each(report, "sizes").map(|size| {
        let (smallest, largest) = (number(size, "smallest")?, number(size, "largest")?);
        let (flips, shards) = (number(size, "flips")?, number(size, "shards")?);
        fact(
            &format!("of {smallest} to {largest} bytes"),
            Some(format!("{shards}, with {flips} flips")),
        )
    }));
    facts.extend(each(report, "controls").map(|control| {
        let (found, located) = (number(control, "found")?, number(control, "located")?);
        let flips = number(control, "flips")?;
        fact(
            &format!("Control: {}", text(control, "control")?),
            Some(format!(
                "{found} of {flips} found, {located} located, {}",
                if control.get("as_it_must_be") == Some(&Value::Bool(true)) {
                    "as it must be"
                } else {
                    "NOT as it must be"
                }
            )),
        )
    }));
    facts.push(fact("Seed", text(report, "seed")));
    facts.push(fact("Time", seconds(report)));
    facts
}

fn planted_breaks(report: &Value) -> Facts {
    let breaks: Vec<&Value> = each(report, "breaks").collect();
    let is_red = |broken: &&&Value| text(broken, "outcome").as_deref() == Some("red");
    let red = breaks.iter().filter(is_red).count();
    let mut facts = vec![fact(
        "Turned a test red",
        (!breaks.is_empty()).then(|| format!("{red} of {}", breaks.len())),
    )];
    facts.extend(
        breaks
            .iter()
            .filter(|broken| !is_red(broken))
            .map(|broken| {
                let (row, what) = (text(broken, "row")?, text(broken, "what")?);
                fact(
                    &row,
                    Some(format!(
                        "{}: {what}",
                        text(broken, "outcome")?.to_uppercase()
                    )),
                )
            }),
    );
    let without: Vec<&str> = each(report, "without_break")
        .filter_map(Value::as_str)
        .collect();
    facts.push(fact(
        "No break is planted for",
        (!without.is_empty()).then(|| without.join(", ")),
    ));
    facts
}

fn mutation(report: &Value) -> Facts {
    const COUNTS: [(&str, &str); 4] = [
        ("caught", "caught"),
        ("timed_out", "timed out"),
        ("unviable", "don't build"),
        ("not_tried", "not tried"),
    ];
    const LISTS: [(&str, &str); 3] = [
        ("excepted", "excepted"),
        ("missed", "MISSED"),
        ("stale", "exceptions out of date"),
    ];
    let package = |package: &Value| {
        let mut parts = vec![format!("{} mutants", number(package, "mutants")?)];
        for (field, words) in COUNTS {
            parts.push(format!("{} {words}", number(package, field)?));
        }
        for (field, words) in LISTS {
            parts.push(format!("{} {words}", each(package, field).count()));
        }
        fact(&text(package, "package")?, Some(parts.join(", ")))
    };
    each(report, "packages").map(package).collect()
}

fn fuzzing(report: &Value) -> Facts {
    let target = |target: &Value| {
        let ended = if target.get("succeeded") == Some(&Value::Bool(true)) {
            ""
        } else {
            ", FAILED"
        };
        let executions = number(target, "executions").unwrap_or_else(|| "no".to_owned());
        let reached = number(target, "coverage").unwrap_or_else(|| "no".to_owned());
        fact(
            &text(target, "target")?,
            Some(format!(
                "{executions} inputs, {reached} places reached{ended}"
            )),
        )
    };
    let each_for = report.get("seconds_each").and_then(Value::as_f64);
    let mut facts = vec![fact("Time of each", each_for.map(figures::seconds))];
    facts.extend(each(report, "targets").map(target));
    facts
}

fn timing(report: &Value) -> Facts {
    let subject = |subject: &Value| {
        let statistic = subject.get("greatest")?.get("t")?.as_f64()?.abs();
        let nanos = subject.get("difference_nanos")?.as_f64()?;
        let control = text(subject, "control").map_or_else(String::new, |must| {
            format!("; a control that must come out as: {must}")
        });
        fact(
            &text(subject, "name")?,
            Some(format!(
                "{}: |t| at most {statistic:.1}, difference {nanos:.3} ns, {} measurements{control}",
                text(subject, "verdict")?,
                number(subject, "measurements")?
            )),
        )
    };
    let mut facts = vec![
        fact("Method", text(report, "method")),
        fact("Processor", text(report, "architecture")),
    ];
    facts.extend(each(report, "subjects").map(subject));
    facts
}

/// A fact, where the report says it.
fn fact(name: &str, value: Option<String>) -> Option<Fact> {
    let value = value?.chars().take(TEXT).collect();
    let name = name.chars().take(TEXT).collect();
    Some(Fact { name, value })
}

fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().map(str::to_owned)
}

fn number(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_u64().map(count)
}

fn seconds(value: &Value) -> Option<String> {
    value.get("seconds")?.as_f64().map(figures::seconds)
}

/// The entries of a list; none where there is none.
fn each<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    let list = value.get(field).and_then(Value::as_array);
    list.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(kind: &Kind, report: &Value) -> Vec<String> {
        let facts = of(kind, report).into_iter();
        facts
            .map(|fact| format!("{}: {}", fact.name, fact.value))
            .collect()
    }

    #[test]
    fn a_fault_campaign_tells_its_flips_sizes_and_controls() {
        let report = json!({
            "device": "Simulated GPU", "seed": "7", "flips": 1000, "single_bit": 600, "multi_bit": 400,
            "found": 999, "located": 998, "shards": 10, "seconds": 61.5,
            "sizes": [{"smallest": 1, "largest": 4096, "flips": 1000, "shards": 10}],
            "controls": [
                {"control": "undone", "flips": 32, "found": 0, "located": 0, "as_it_must_be": true},
                {"control": "elsewhere", "flips": 32, "found": 31, "located": 0, "as_it_must_be": false}
            ],
        });

        assert_eq!(
            shown(&FAULTS, &report),
            [
                "Device: Simulated GPU",
                "Flips: 1,000",
                "of one bit: 600",
                "of several bits: 400",
                "Found: 999 of 1,000",
                "Located to their blocks: 998 of 1,000",
                "Shards: 10",
                "of 1 to 4,096 bytes: 10, with 1,000 flips",
                "Control: undone: 0 of 32 found, 0 located, as it must be",
                "Control: elsewhere: 31 of 32 found, 0 located, NOT as it must be",
                "Seed: 7",
                "Time: 1 min 01 s",
            ]
        );
    }

    #[test]
    fn of_planted_breaks_those_that_nothing_noticed_are_named() {
        let report = json!({
            "breaks": [
                {"row": "FN-2.1", "what": "Something.", "outcome": "red", "tests": ["a b"], "seconds": 2.0},
                {"row": "FN-2.2", "what": "Another thing.", "outcome": "unnoticed", "seconds": 3.0}
            ],
            "without_break": ["EV-1", "EV-2"],
        });

        assert_eq!(
            shown(&PLANTED_BREAKS, &report),
            [
                "Turned a test red: 1 of 2",
                "FN-2.2: UNNOTICED: Another thing.",
                "No break is planted for: EV-1, EV-2",
            ]
        );
    }

    #[test]
    fn mutants_are_told_by_package_and_inputs_by_target() {
        let mutants = json!({"packages": [{
            "package": "vram-seal", "mutants": 1200, "caught": 1000, "timed_out": 1, "unviable": 190,
            "not_tried": 6, "excepted": [{}], "missed": ["a", "b"], "stale": [],
        }]});
        let fuzzing = json!({"seconds_each": 60, "targets": [
            {"target": "seal_record", "succeeded": true, "executions": 120_000, "coverage": 321},
            {"target": "sidecar", "succeeded": false, "executions": null, "coverage": null},
        ]});

        assert_eq!(
            shown(&MUTATION, &mutants),
            [
                "vram-seal: 1,200 mutants, 1,000 caught, 1 timed out, 190 don't build, 6 not tried, 1 excepted, \
              2 MISSED, 0 exceptions out of date"
            ]
        );
        assert_eq!(
            shown(&FUZZING, &fuzzing),
            [
                "Time of each: 1 min 00 s",
                "seal_record: 120,000 inputs, 321 places reached",
                "sidecar: no inputs, no places reached, FAILED",
            ]
        );
    }

    #[test]
    fn a_comparison_is_told_with_what_was_seen_of_its_time() {
        let report = json!({"method": "dudect", "architecture": "x86_64", "subjects": [
            {"name": "digest-equal", "control": null, "verdict": "nothing", "measurements": 1_000_000,
             "greatest": {"t": -2.28}, "difference_nanos": -0.0016},
            {"name": "control-looks-at-nothing", "control": "nothing", "verdict": "nothing",
             "measurements": 10, "greatest": {"t": 1.0}, "difference_nanos": 0.0},
        ]});

        assert_eq!(
            shown(&TIMING, &report),
            [
                "Method: dudect",
                "Processor: x86_64",
                "digest-equal: nothing: |t| at most 2.3, difference -0.002 ns, 1,000,000 measurements",
                "control-looks-at-nothing: nothing: |t| at most 1.0, difference 0.000 ns, 10 measurements; \
                 a control that must come out as: nothing",
            ]
        );
    }

    #[test]
    fn what_a_report_does_not_say_is_no_fact() {
        for kind in crate::campaign::KINDS {
            let other = json!({"flips": "many", "breaks": 3, "packages": [1], "targets": {}, "subjects": [null]});
            assert_eq!(shown(kind, &other), [""; 0], "{}", kind.id);
            assert_eq!(shown(kind, &Value::Null), [""; 0], "{}", kind.id);
        }
    }
}
