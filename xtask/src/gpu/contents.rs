//! What the archive holds, as a list: what the workspace doesn't have (yet) is left out with a notice.

use anyhow::Context as _;
use serde::Deserialize;

/// What is built in a way that measures what users get.
const RELEASE: &str = "archive";
/// What is built with the checks that a release leaves out.
const CHECKED: &str = "archive-tests";

/// A program to pack.
pub(crate) struct Program {
    pub(crate) package: &'static str,
    pub(crate) kind: Kind,
    /// The target's name; `None` takes every target of that kind.
    pub(crate) name: Option<&'static str>,
    /// Where it lies in the archive: a file, or a folder for several.
    pub(crate) place: &'static str,
    pub(crate) profile: &'static str,
}

/// A kind of build target, by the name that cargo gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bin,
    Test,
    Bench,
    Example,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bin => "bin",
            Self::Test => "test",
            Self::Bench => "bench",
            Self::Example => "example",
        }
    }
}

/// Programs. `run.sh` knows them by their place.
pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        package: "vram-cli",
        kind: Kind::Bin,
        name: Some("vram"),
        place: "vram",
        profile: RELEASE,
    },
    // One suite over both drivers: the one that runs on the GPU.
    Program {
        package: "vram-tests",
        kind: Kind::Test,
        name: Some("drivers"),
        place: "tests/drivers",
        profile: CHECKED,
    },
    // The fault campaign.
    Program {
        package: "vram-tests",
        kind: Kind::Bin,
        name: Some("faults"),
        place: "faults",
        profile: RELEASE,
    },
    // The scenarios, with the feature files in the program.
    Program {
        package: "vram-tests",
        kind: Kind::Test,
        name: Some("features"),
        place: "tests/features",
        profile: CHECKED,
    },
    // These run on the simulated driver wherever they are; they read nothing of the source tree.
    Program {
        package: "vram-alloc",
        kind: Kind::Test,
        name: Some("simulated"),
        place: "tests/simulated/vram-alloc",
        profile: CHECKED,
    },
    Program {
        package: "vram-residency",
        kind: Kind::Test,
        name: Some("suite"),
        place: "tests/simulated/vram-residency",
        profile: CHECKED,
    },
    // Host hashing beside `ring`.
    Program {
        package: "vram-seal",
        kind: Kind::Bench,
        name: Some("hashing"),
        place: "benches/hashing",
        profile: RELEASE,
    },
    // Does comparing tell where two values differ? That depends on the processor.
    Program {
        package: "vram-seal",
        kind: Kind::Bench,
        name: Some("comparison"),
        place: "benches/comparison",
        profile: RELEASE,
    },
    Program {
        package: "vram-alloc",
        kind: Kind::Example,
        name: None,
        place: "examples",
        profile: RELEASE,
    },
    Program {
        package: "vram-residency",
        kind: Kind::Example,
        name: None,
        place: "examples",
        profile: RELEASE,
    },
];

/// Folders of scripts: where in the workspace, the ending, and where in the archive.
pub(crate) const SCRIPTS: &[(&str, &str, &str)] = &[("benches/peers", "py", "benches/peers")];

/// A target that exists, to be built and packed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) package: String,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) features: Vec<String>,
    pub(crate) place: String,
    pub(crate) profile: &'static str,
}

/// The part of `cargo metadata` that says which targets there are.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
    #[serde(default, rename = "required-features")]
    features: Vec<String>,
}

impl Metadata {
    pub(crate) fn parse(json: &[u8]) -> anyhow::Result<Self> {
        serde_json::from_slice(json).context("cargo metadata said something unexpected")
    }

    /// A package's version.
    pub(crate) fn version(&self, package: &str) -> Option<&str> {
        let mut packages = self.packages.iter();
        let found = packages.find(|found| found.name == package)?;
        Some(&found.version)
    }

    /// The targets that a program of the list stands for; none if the workspace has no such thing.
    pub(crate) fn choose(&self, program: &Program) -> Vec<Chosen> {
        let targets = self
            .packages
            .iter()
            .filter(|package| package.name == program.package)
            .flat_map(|package| &package.targets)
            .filter(|target| target.kind.iter().any(|kind| kind == program.kind.name()));
        targets
            .filter(|target| program.name.is_none_or(|name| name == target.name))
            .map(|target| Chosen {
                package: program.package.to_owned(),
                kind: program.kind,
                name: target.name.clone(),
                features: target.features.clone(),
                place: if program.name.is_some() {
                    program.place.to_owned()
                } else {
                    format!("{}/{}", program.place, target.name)
                },
                profile: program.profile,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &[u8] = br#"{"packages": [
        {"name": "vram-alloc", "version": "0.1.0", "targets": [
            {"kind": ["lib"], "name": "vram_alloc"},
            {"kind": ["test"], "name": "simulated"},
            {"kind": ["example"], "name": "one", "required-features": ["cust"]},
            {"kind": ["example"], "name": "two"}
        ]},
        {"name": "other", "version": "0.2.0", "targets": [{"kind": ["example"], "name": "three"}]}
    ]}"#;

    const fn program(kind: Kind, name: Option<&'static str>) -> Program {
        Program {
            package: "vram-alloc",
            kind,
            name,
            place: "there",
            profile: RELEASE,
        }
    }

    #[test]
    fn a_named_target_is_packed_under_its_place() {
        let metadata = Metadata::parse(METADATA).unwrap();

        let chosen = metadata.choose(&program(Kind::Test, Some("simulated")));

        assert_eq!(chosen.len(), 1);
        assert_eq!(chosen[0].name, "simulated");
        assert_eq!(chosen[0].place, "there");
    }

    #[test]
    fn every_example_is_packed_with_the_features_that_it_needs() {
        let metadata = Metadata::parse(METADATA).unwrap();

        let chosen = metadata.choose(&program(Kind::Example, None));

        let places: Vec<_> = chosen.iter().map(|found| found.place.as_str()).collect();
        assert_eq!(places, ["there/one", "there/two"]);
        assert_eq!(chosen[0].features, ["cust"]);
        assert!(chosen[1].features.is_empty());
    }

    #[test]
    fn what_the_workspace_lacks_stands_for_nothing() {
        let metadata = Metadata::parse(METADATA).unwrap();

        let chosen = metadata.choose(&program(Kind::Bench, Some("hashing")));

        assert_eq!(chosen, []);
    }
}
