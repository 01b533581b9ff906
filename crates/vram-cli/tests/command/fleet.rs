//! What `vram doctor` says of machines of many kinds, all of them simulated: each report, for people and for
//! programs, is kept beside this file. `VRAM_BLESS=1` writes them anew. Of the document, what is the same in
//! every report is left out: the meaning and the source of each check.
//!
//! A golden report shows that something changed, not that it is right. So what must be said of each kind
//! of hardware stands here by name.

use std::path::PathBuf;

use serde_json::Value;

use crate::run::{Ran, run};

const ACCEPTED: &str = "accepted";
const WARNED: &str = "accepted-with-warnings";
const REFUSED: &str = "refused";

/// A kind of machine, and what has to be said of it.
struct Kind {
    /// What `--simulated` takes.
    name: &'static str,
    /// The verdicts of strict, standard and development.
    verdicts: [&'static str; 3],
    /// Every check that stands in the way of strict, host and devices, in order.
    in_the_way: &'static [&'static str],
    /// What an operator must be shown, somewhere in the report.
    shown: &'static [&'static str],
}

const FLEET: &[Kind] = &[
    Kind {
        name: "datacenter",
        verdicts: [ACCEPTED; 3],
        in_the_way: &[],
        shown: &[
            "release 580.159.04",
            "ECC current 1",
            "VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED 1",
        ],
    },
    // Without ECC nobody counts errors either.
    Kind {
        name: "consumer",
        verdicts: [REFUSED, WARNED, WARNED],
        in_the_way: &["device.ecc-mode", "device.ecc-errors"],
        shown: &["ECC current 0", "Xorg (graphics)"],
    },
    // Memory that is the host's is refused whatever the profile; nothing else is known without NVML.
    Kind {
        name: "integrated",
        verdicts: [REFUSED; 3],
        in_the_way: &[
            "device.own-memory",
            "device.management-library",
            "device.virtualization",
            "device.mps",
            "device.ecc-mode",
            "device.ecc-errors",
            "device.row-remapping",
            "device.page-retirement",
        ],
        shown: &["INTEGRATED 1", "NVML unknown"],
    },
    Kind {
        name: "coherent",
        verdicts: [REFUSED; 3],
        in_the_way: &["device.own-memory", "device.coherent-link"],
        shown: &[
            "PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES 1",
            "C2C link on 1",
        ],
    },
    // Windows pages the GPU's memory, and NVML there says little.
    Kind {
        name: "wsl",
        verdicts: [REFUSED, REFUSED, WARNED],
        in_the_way: &[
            "host.wsl",
            "device.mps",
            "device.ecc-mode",
            "device.ecc-errors",
            "device.row-remapping",
            "device.page-retirement",
        ],
        shown: &["/dev/dxg 1", "microsoft-standard-WSL2"],
    },
    // A slice has memory of its own: a fact to know, and no fault.
    Kind {
        name: "mig-slice",
        verdicts: [ACCEPTED; 3],
        in_the_way: &[],
        shown: &["MIG slice 1", "NVIDIA_VISIBLE_DEVICES=0:0"],
    },
    // The hypervisor schedules others on the same silicon, and the guest can't freeze memory.
    Kind {
        name: "vgpu-guest",
        verdicts: [REFUSED, REFUSED, WARNED],
        in_the_way: &[
            "device.mmu-freezing",
            "device.virtualization",
            "device.ecc-mode",
            "device.ecc-errors",
            "device.row-remapping",
            "device.page-retirement",
        ],
        shown: &[
            "virtualization vGPU guest",
            "VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED 0",
        ],
    },
    Kind {
        name: "mps-client",
        verdicts: [REFUSED, WARNED, WARNED],
        in_the_way: &["host.mps", "device.mps"],
        shown: &[
            "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=50",
            "pid 3204 python3 (MPS)",
        ],
    },
    Kind {
        name: "confidential-compute",
        verdicts: [ACCEPTED; 3],
        in_the_way: &[],
        shown: &["confidential computing 1", "developer tools 0"],
    },
    Kind {
        name: "failing",
        verdicts: [REFUSED, REFUSED, WARNED],
        in_the_way: &["device.ecc-errors", "device.row-remapping"],
        shown: &[
            "uncorrected, volatile 3",
            "lifetime 5",
            "remapping pending 1",
        ],
    },
    Kind {
        name: "shared",
        verdicts: [WARNED; 3],
        in_the_way: &[],
        shown: &[
            "pid 40112 vllm (compute)",
            "pid 40977 python3",
            "pid 41530 ffmpeg",
        ],
    },
    // The kernels are for compute capability 7.5 and later, the driver for R525 and later.
    Kind {
        name: "old-driver",
        verdicts: [REFUSED, REFUSED, WARNED],
        in_the_way: &[
            "device.compute-capability",
            "device.driver-version",
            "device.mps",
        ],
        shown: &["CUDA 11.4, release 470.256.02", "COMPUTE_CAPABILITY 7.0"],
    },
    // What stands in the way is the second device's: the first one is accepted.
    Kind {
        name: "two-unlike",
        verdicts: [REFUSED, WARNED, WARNED],
        in_the_way: &[
            "device.ecc-mode",
            "device.ecc-errors",
            "device.row-remapping",
            "device.page-retirement",
        ],
        shown: &[
            "Device 0: Simulated RTX 6000 Ada Generation",
            "Device 1: Simulated T1000 8GB",
            "! device 0: strict accepts, warns",
            "✗ device 1: strict refuses: device.ecc-mode",
        ],
    },
];

fn examine(kind: &Kind, arguments: &[&str]) -> Ran {
    let simulated = format!("--simulated={}", kind.name);
    run(["doctor", &simulated].iter().chain(arguments))
}

/// Compares text with the report kept, or keeps it.
fn compare(name: &str, text: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/command/fleet");
    let path = folder.join(name);
    if std::env::var_os("VRAM_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept, text,
        "{name} differs; if that is meant, VRAM_BLESS=1 writes it anew"
    );
}

fn every_finding(document: &mut Value) -> Vec<&mut Value> {
    let document = document.as_object_mut().unwrap();
    let mut subjects = Vec::new();
    for (key, value) in document.iter_mut() {
        match key.as_str() {
            "host" => subjects.push(value),
            "devices" => subjects.extend(value.as_array_mut().unwrap()),
            _ => {}
        }
    }
    let reports = subjects.into_iter().map(|subject| &mut subject["report"]);
    reports
        .flat_map(|report| report["findings"].as_array_mut().unwrap())
        .collect()
}

/// The ids of a document's findings that stand in the way, host first, each once.
fn in_the_way(document: &Value) -> Vec<String> {
    let devices = document["devices"].as_array().unwrap().iter();
    let reports = std::iter::once(&document["host"]).chain(devices);
    let mut ids = Vec::new();
    for finding in reports.flat_map(|subject| subject["report"]["findings"].as_array().unwrap()) {
        let bad = finding["status"] == "fail" || finding["status"] == "unknown";
        let id = finding["id"].as_str().unwrap().to_owned();
        if bad && finding["enforcement"] == "refuse" && !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

#[test]
fn every_report_for_people_is_as_it_was_read_and_found_right() {
    for kind in FLEET {
        compare(&format!("{}.txt", kind.name), examine(kind, &[]).text());
    }
}

#[test]
fn every_report_for_programs_is_as_it_was_read_and_found_right() {
    for kind in FLEET {
        let mut document = examine(kind, &["--json"]).json();
        document["seconds"] = Value::Null;
        document["vram"] = Value::Null;
        for finding in every_finding(&mut document) {
            let finding = finding.as_object_mut().unwrap();
            assert!(finding.remove("meaning").is_some() && finding.remove("source").is_some());
        }

        let text = serde_json::to_string_pretty(&document).unwrap() + "\n";

        compare(&format!("{}.json", kind.name), &text);
    }
}

/// Covers: VP-002.
#[test]
fn each_profile_says_of_each_machine_what_its_hardware_deserves() {
    for kind in FLEET {
        let document = examine(kind, &["--json"]).json();
        for (profile, verdict) in ["strict", "standard", "development"]
            .iter()
            .zip(kind.verdicts)
        {
            // The worst over the devices.
            let ran = examine(kind, &["--json", "--profile", profile]);

            assert_eq!(ran.json()["verdict"], verdict, "{}, {profile}", kind.name);
            let code = if [ACCEPTED, WARNED].contains(&verdict) {
                0
            } else {
                4
            };
            assert_eq!(ran.code, code, "{}, {profile}", kind.name);
        }
        assert_eq!(in_the_way(&document), kind.in_the_way, "{}", kind.name);
    }
}

#[test]
fn each_report_shows_what_is_particular_to_its_machine() {
    for kind in FLEET {
        let ran = examine(kind, &[]);
        // Lines are wrapped: what is looked for may be broken over two.
        let words: Vec<_> = ran.text().split_whitespace().collect();
        let text = words.join(" ");

        for expected in kind.shown {
            assert!(
                text.contains(expected),
                "{}: {expected} in {text}",
                kind.name
            );
        }
        assert!(text.contains("(simulated)"), "{}", kind.name);
    }
}

#[test]
fn every_simulated_machine_is_in_the_fleet() {
    let ran = run(["doctor", "--simulated=none-of-them"]);

    let (_, names) = ran.stderr.split_once("[possible values: ").unwrap();
    let (names, _) = names.split_once(']').unwrap();
    let mut names: Vec<_> = names.split(", ").collect();
    names.sort_unstable();
    let mut fleet: Vec<_> = FLEET.iter().map(|kind| kind.name).collect();
    fleet.sort_unstable();
    assert_eq!(names, fleet);
}
