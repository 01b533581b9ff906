//! The feature files are the seven that were agreed on, with the 31 scenarios of these names.

use std::fs;
use std::path::Path;

use gherkin::{Feature, GherkinEnv};

/// Each file's name, and its scenarios in order.
const AGREED: &[(&str, &[&str])] = &[
    (
        "error_recovery",
        &[
            "a refused oversized model does not stop the next one that fits",
            "after an id was refused a valid one is sealed",
            "after an empty model was refused a real one is sealed",
            "after a driver allocation failure the capacity is what it was and the next seal succeeds",
        ],
    ),
    (
        "multi_shard",
        &[
            "three shards sealed one after another are all tracked and used memory is their sum",
            "shards verify independently",
            "one tampered shard among three fails and the other two still verify",
            "shards of different sizes report their own sizes",
            "the shard that no longer fits is refused and the earlier ones stay valid",
        ],
    ),
    (
        "seal_model",
        &[
            "a model that fits is sealed and reports id, device, size and both digests",
            "a path-traversal id is refused and nothing is audited as sealed",
            "an id with a NUL is refused likewise",
            "a model larger than what is free is refused with needed and available",
            "a model that fills the capacity exactly is sealed",
            "an empty model is refused",
        ],
    ),
    (
        "seal_verification_extended",
        &[
            "a fresh shard verifies at once",
            "a shard verifies after time has passed, within the allowed age",
            "a record older than the allowed age is refused",
            "a record without a tag is refused as not sealed",
            "after a failed verification the manager is stopped and issues no permit for any shard",
        ],
    ),
    (
        "security",
        &[
            "a forged tag is refused and audited",
            "one bit changed in device memory is found, and the report says where",
            "key material appears nowhere in the log, the audit trail or an error",
            "device addresses appear nowhere in serialized output",
            "a write to a frozen shard is refused by the device",
            "a shard sealed under another worker's key is refused",
        ],
    ),
    (
        "verify_seal",
        &[
            "an untouched shard verifies and the audit trail says so",
            "a record with a changed digest is refused as critical",
            "a record with a replaced tag is refused as critical",
        ],
    ),
    (
        "vram_policy",
        &[
            "the policy passes on a device with its own memory, and lists each check with the value it observed",
            "a managed, host-mapped or foreign-device region is refused, audited as a policy violation, and stops the worker",
        ],
    ),
];

/// The features in the folder, by file name.
fn features() -> Vec<(String, Feature)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("features");
    let mut features: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            assert_eq!(path.extension().unwrap(), "feature", "{}", path.display());
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let feature = Feature::parse_path(&path, GherkinEnv::default()).unwrap();
            (stem, feature)
        })
        .collect();
    features.sort_by(|one, other| one.0.cmp(&other.0));
    features
}

/// Covers: TS-1.3.
#[test]
fn there_are_seven_features_with_the_thirty_one_scenarios_agreed_on() {
    let features = features();

    let found: Vec<_> = features
        .iter()
        .map(|(stem, feature)| {
            let names = feature.scenarios.iter().map(|all| all.name.as_str());
            (stem.as_str(), names.collect::<Vec<_>>())
        })
        .collect();
    let agreed: Vec<_> = AGREED
        .iter()
        .map(|(stem, names)| (*stem, names.to_vec()))
        .collect();
    assert_eq!(found, agreed);
    let scenarios: usize = found.iter().map(|(_, names)| names.len()).sum();
    assert_eq!((found.len(), scenarios), (7, 31));
}

/// A scenario that only arranges something would pass whatever became of it.
#[test]
fn every_scenario_requires_something() {
    for (stem, feature) in features() {
        for scenario in &feature.scenarios {
            let mut steps = scenario.steps.iter();
            let requires = steps.any(|step| step.ty == gherkin::StepType::Then);
            assert!(requires, "{stem}: {}", scenario.name);
        }
    }
}

/// The program that runs them has them within it: a file that it doesn't name is run by nobody.
#[test]
fn every_feature_file_is_one_that_is_run() {
    let program = include_str!("../features/scenarios.rs");
    for (stem, _) in features() {
        let named = format!("\n    \"{stem}\",\n");
        assert_eq!(program.matches(&named).count(), 1, "{stem}");
    }
}
