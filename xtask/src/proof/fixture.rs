//! A bundle for tests, with one of everything that a page can show.

use std::collections::BTreeMap;

use super::model::{
    Benchmark, Bundle, Campaign, CampaignOutcome, Conclusion, Coverage, CrateCoverage, DataFile,
    Driver, Environment, Fact, Feature, Gpu, GpuRun, GpuSuite, Kind, LineCoverage, Lines,
    ModuleCoverage, Outcome, Row, RowResult, RowTest, Run, Scenario, Section, Signer,
    Specification, Stage, StageOutcome, Status, StatusCounts, TestCounts, TestRecord, Verdict,
};

const GPU: &str = "NVIDIA H100 80GB HBM3";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) fn bundle() -> Bundle {
    let failed = Some("thread panicked: <left> & \"right\" differ");
    let skipped = Some("SKIPPED: there is no C compiler");
    let tests = vec![
        test(
            "vram-policy rows::tests::a",
            Kind::Property,
            Driver::Host,
            Outcome::Passed,
            None,
        ),
        test(
            "vram-policy rows::tests::b",
            Kind::Unit,
            Driver::Host,
            Outcome::Failed,
            failed,
        ),
        test(
            "vram-policy::doc src/lib.rs - (line 7)",
            Kind::Doc,
            Driver::Host,
            Outcome::Passed,
            None,
        ),
        test(
            "vram-observe::suite nvml::c",
            Kind::Integration,
            Driver::Host,
            Outcome::Skipped,
            skipped,
        ),
        test(
            "vram-tests::drivers freezing::d",
            Kind::Integration,
            Driver::Simulated,
            Outcome::Passed,
            None,
        ),
        test(
            "vram-tests::drivers freezing::d",
            Kind::Integration,
            Driver::Gpu,
            Outcome::Passed,
            None,
        ),
        test(
            "vram-tests::drivers wiping::e",
            Kind::Integration,
            Driver::Simulated,
            Outcome::Passed,
            None,
        ),
        test(
            "vram-tests::features seal_model::a model that fits",
            Kind::Feature,
            Driver::Simulated,
            Outcome::Passed,
            None,
        ),
    ];
    Bundle {
        run: run(),
        environment: environment(),
        gpu_run: Some(gpu_run()),
        specifications: specifications(&tests),
        vulnerabilities: vec![Row {
            severity: Some("CRITICAL".to_owned()),
            mitigation: Some("HMAC-SHA256".to_owned()),
            ..row(
                "VU-2",
                "Seal forgery",
                Status::Passed,
                &tests,
                &["vram-policy rows::tests::a"],
            )
        }],
        features: features(&tests),
        coverage: coverage(),
        benchmarks: benchmarks(),
        campaigns: campaigns(),
        conclusion: conclusion(),
        files: vec![
            DataFile {
                name: "features/seal_model.feature".to_owned(),
                bytes: 1_234,
                sha256: "12".repeat(32),
            },
            DataFile {
                name: "results.ndjson".to_owned(),
                bytes: 56_789,
                sha256: "34".repeat(32),
            },
        ],
        tests,
    }
}

fn run() -> Run {
    let stage = |name: &str, outcome, why: Option<&str>, seconds| Stage {
        name: name.to_owned(),
        outcome,
        why: why.map(str::to_owned),
        seconds,
    };
    Run {
        schema: "vram-proof/1".to_owned(),
        id: "20260131-235959-01234567".to_owned(),
        date: "2026-01-31T23:59:59Z".to_owned(),
        commit: COMMIT.to_owned(),
        dirty: true,
        packages: Vec::new(),
        stages: vec![
            stage("catalogue", StageOutcome::Passed, None, 0.5),
            stage("tests", StageOutcome::Failed, Some("1 of 5 failed"), 312.4),
            stage("every test ran", StageOutcome::Passed, None, 0.2),
            stage("doc tests", StageOutcome::Passed, None, 41.0),
            stage(
                "tests on the GPU",
                StageOutcome::Skipped,
                Some("there is no GPU"),
                0.0,
            ),
            stage("source unchanged", StageOutcome::Passed, None, 0.0),
        ],
        signer: Signer {
            key_id: "ab".repeat(32),
            given: false,
        },
        coverage_not_measured: None,
        other_commit_allowed: true,
    }
}

fn environment() -> Environment {
    Environment {
        rustc: "rustc 1.95.0 (59807616e 2026-04-14)".to_owned(),
        cargo: "cargo 1.95.0".to_owned(),
        system: Some("Debian GNU/Linux 12 (bookworm)".to_owned()),
        kernel: Some("6.1.0".to_owned()),
        architecture: "x86_64".to_owned(),
        cpu: Some("Intel(R) Xeon(R) Processor".to_owned()),
        cores: Some(2),
        memory: Some(25_000_000_000),
        gpu: None,
        tools: BTreeMap::from([("cargo-nextest".to_owned(), "0.9.143".to_owned())]),
    }
}

fn gpu_run() -> GpuRun {
    GpuRun {
        gpu: Gpu {
            name: GPU.to_owned(),
            driver: "580.159.04".to_owned(),
        },
        date: "2026-01-30T09:28:47Z".to_owned(),
        commit: "fedcba9876543210fedcba9876543210fedcba98".to_owned(),
        dirty: false,
        other_commit: true,
        system: Some("Ubuntu 24.04.3 LTS".to_owned()),
        cpu: Some("Intel(R) Xeon(R) Processor".to_owned()),
        stages: vec![Stage {
            name: "conformance".to_owned(),
            outcome: StageOutcome::Passed,
            why: None,
            seconds: 9.0,
        }],
        suites: vec![GpuSuite {
            title: "suite drivers on the GPU".to_owned(),
            status: Some(0),
            unfinished: 0,
        }],
    }
}

fn test(
    id: &str,
    kind: Kind,
    driver: Driver,
    outcome: Outcome,
    reason: Option<&str>,
) -> TestRecord {
    let (binary, name) = id.split_once(' ').unwrap();
    let gpu = driver == Driver::Gpu;
    TestRecord {
        id: id.to_owned(),
        binary: binary.to_owned(),
        name: name.to_owned(),
        kind,
        driver,
        machine: if gpu { GPU } else { "here" }.to_owned(),
        outcome,
        reason: reason.map(str::to_owned),
        seconds: (!gpu && kind != Kind::Doc).then_some(0.25),
        output_sha256: (!gpu && kind != Kind::Doc).then(|| "cd".repeat(32)),
    }
}

fn row(id: &str, title: &str, status: Status, tests: &[TestRecord], claims: &[&str]) -> Row {
    let mut notes = Vec::new();
    if status == Status::NotRun {
        notes.push("vram-sim gone::f was not run".to_owned());
    }
    Row {
        id: id.to_owned(),
        title: title.to_owned(),
        means: format!("What {title} demands, with <angles> & \"quotes\"."),
        severity: None,
        mitigation: None,
        device: status == Status::SimulatedOnly,
        status,
        notes,
        tests: claims.iter().map(|id| claimed(id, tests)).collect(),
    }
}

fn claimed(id: &str, tests: &[TestRecord]) -> RowTest {
    let of_it = tests.iter().filter(|test| test.id == id);
    RowTest {
        id: id.to_owned(),
        results: of_it
            .map(|test| RowResult {
                driver: test.driver,
                machine: test.machine.clone(),
                outcome: test.outcome,
                reason: test.reason.clone(),
            })
            .collect(),
    }
}

fn specifications(tests: &[TestRecord]) -> Vec<Specification> {
    let section = |title: &str, rows| Section {
        title: title.to_owned(),
        rows,
    };
    let specification = |doc: &str, counts, sections| Specification {
        doc: doc.to_owned(),
        counts,
        sections,
    };
    vec![
        specification(
            "00_vram-residency",
            StatusCounts {
                total: 4,
                passed: 1,
                failed: 1,
                simulated_only: 1,
                skipped: 1,
                ..StatusCounts::default()
            },
            vec![
                section(
                    "§2 Core operations",
                    vec![
                        row(
                            "FN-2.1",
                            "Seal model in VRAM",
                            Status::Passed,
                            tests,
                            &["vram-tests::drivers freezing::d"],
                        ),
                        row(
                            "FN-2.2",
                            "Verify sealed shard",
                            Status::Failed,
                            tests,
                            &["vram-policy rows::tests::a", "vram-policy rows::tests::b"],
                        ),
                    ],
                ),
                section(
                    "§3 VRAM management",
                    vec![
                        row(
                            "FN-3.1",
                            "Allocate VRAM",
                            Status::SimulatedOnly,
                            tests,
                            &["vram-tests::drivers wiping::e"],
                        ),
                        row(
                            "FN-3.2",
                            "Deallocate VRAM",
                            Status::Skipped,
                            tests,
                            &["vram-observe::suite nvml::c"],
                        ),
                    ],
                ),
            ],
        ),
        specification(
            "20_security",
            StatusCounts {
                total: 2,
                not_run: 1,
                not_covered: 1,
                ..StatusCounts::default()
            },
            vec![section(
                "Memory safety (MS)",
                vec![
                    row(
                        "MS-001",
                        "VRAM pointers private",
                        Status::NotRun,
                        tests,
                        &["vram-sim gone::f"],
                    ),
                    row(
                        "MS-002",
                        "CUDA FFI bounds checking",
                        Status::NotCovered,
                        tests,
                        &[],
                    ),
                ],
            )],
        ),
    ]
}

fn features(tests: &[TestRecord]) -> Vec<Feature> {
    vec![Feature {
        file: "seal_model.feature".to_owned(),
        title: "Sealing a model".to_owned(),
        counts: StatusCounts {
            total: 1,
            passed: 1,
            ..StatusCounts::default()
        },
        scenarios: vec![Scenario {
            title: "a model that fits".to_owned(),
            status: Status::Passed,
            notes: Vec::new(),
            claims: vec!["FN-2.1".to_owned()],
            test: claimed("vram-tests::features seal_model::a model that fits", tests),
        }],
    }]
}

fn coverage() -> Coverage {
    let module = |name: &str, all, covered| ModuleCoverage {
        name: name.to_owned(),
        lines: Lines { all, covered },
    };
    Coverage::Measured(LineCoverage {
        tool: "cargo-llvm-cov 0.6.21".to_owned(),
        lines: Lines {
            all: 10_300,
            covered: 10_297,
        },
        crates: vec![
            CrateCoverage {
                name: "vram-policy".to_owned(),
                lines: Lines {
                    all: 10_000,
                    covered: 9_997,
                },
                modules: vec![
                    module("rows", 9_000, 8_997),
                    module("verdict", 1_000, 1_000),
                ],
            },
            CrateCoverage {
                name: "vram-seal".to_owned(),
                lines: Lines {
                    all: 300,
                    covered: 300,
                },
                modules: vec![module("tag", 300, 300)],
            },
        ],
    })
}

/// The form of `vram bench --json`.
fn benchmarks() -> Vec<Benchmark> {
    let bench = serde_json::json!({
        "schema": "vram-bench/1",
        "simulated": false,
        "ceilings": [{"id": "sha256-registers", "title": "SHA-256 on the device", "value": 1005.7, "unit": "GB/s", "samples": [1005.7, 1003.6]}],
        "figures": [
            {"id": "verify-large", "title": "Verify one large shard", "value": 939.8, "unit": "GB/s", "samples": [942.1, 935.1],
             "ceiling": "sha256-registers", "of_ceiling": 0.9345, "target": {"must": 945.3, "aim": 985.5, "better": "higher"},
             "verdict": "missed", "note": "one shard of 8.0 GiB"},
            {"id": "verify-1m", "title": "Verify one shard of 1 MiB", "value": 108.4, "unit": "µs", "samples": [109.6, 108.8],
             "target": {"must": 250.0, "aim": 130.0, "better": "lower"}, "verdict": "aim"}
        ],
        "peers": [{"id": "sha256sum", "title": "sha256sum", "value": 1.2, "unit": "GB/s", "samples": [1.2], "compared_with": "verify-large", "ratio": 783.1}],
        "skipped": [{"id": "seal-both-16", "why": "too few cores"}]
    });
    vec![Benchmark {
        file: "gpu-results.json".to_owned(),
        machine: GPU.to_owned(),
        bench: serde_json::from_value(bench).unwrap(),
    }]
}

fn campaigns() -> Vec<Campaign> {
    vec![
        Campaign {
            id: "mutation".to_owned(),
            title: "Mutation testing".to_owned(),
            outcome: CampaignOutcome::NotDone,
            why: Some("only with --full".to_owned()),
            file: None,
            facts: Vec::new(),
        },
        Campaign {
            id: "faults".to_owned(),
            title: "Fault campaign".to_owned(),
            outcome: CampaignOutcome::Passed,
            why: None,
            file: Some("faults.json".to_owned()),
            facts: vec![Fact {
                name: "flips".to_owned(),
                value: "1000000".to_owned(),
            }],
        },
    ]
}

fn conclusion() -> Conclusion {
    Conclusion {
        verdict: Verdict::Failed,
        tests: TestCounts {
            total: 8,
            passed: 6,
            failed: 1,
            skipped: 1,
        },
        requirements: StatusCounts {
            total: 6,
            passed: 1,
            failed: 1,
            skipped: 1,
            simulated_only: 1,
            not_run: 1,
            not_covered: 1,
        },
        vulnerabilities: StatusCounts {
            total: 1,
            passed: 1,
            ..StatusCounts::default()
        },
        scenarios: StatusCounts {
            total: 1,
            passed: 1,
            ..StatusCounts::default()
        },
        failures: vec!["vram-policy rows::tests::b failed on the host".to_owned()],
        reservations: vec!["The source differed from the commit.".to_owned()],
    }
}
