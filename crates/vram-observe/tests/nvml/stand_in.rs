//! The stand-in library: compiled once, copied for each test, told what to say through a file.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use vram_observe::{Card, ManagementLibrary, ThisMachine, Witness as _};
use vram_policy::{
    ComputeMode, ConfidentialCompute, EccFacts, LinkFacts, ManagementFacts, ProcessFacts,
    ProcessKind, RowRemapping, Virtualization,
};

pub(crate) const CARD: Card<'_> = Card {
    uuid: *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x11\x22\x33\x44\x55\x66\x77",
    pci_bus_id: Some("0000:17:00.0"),
};

pub(crate) const SLICE: Card<'_> = Card {
    uuid: *b"\xfe\xdc\xba\x98\x76\x54\x32\x10\xff\xee\xdd\xcc\xbb\xaa\x99\x88",
    pci_bus_id: Some("0000:17:00.0"),
};

/// A library of a test's own.
pub(crate) struct StandIn {
    folder: TempDir,
    control: String,
}

impl StandIn {
    /// `None` where there is no C compiler: the test shows that it was skipped.
    pub(crate) fn new() -> Option<Self> {
        static COMPILED: OnceLock<Option<Vec<u8>>> = OnceLock::new();
        Self::of(COMPILED.get_or_init(|| compile(&[])).as_deref())
    }

    /// The library of an old driver.
    pub(crate) fn old() -> Option<Self> {
        static COMPILED: OnceLock<Option<Vec<u8>>> = OnceLock::new();
        Self::of(COMPILED.get_or_init(|| compile(&["-DOLD"])).as_deref())
    }

    fn of(compiled: Option<&[u8]>) -> Option<Self> {
        let Some(compiled) = compiled else {
            eprintln!("SKIPPED: there is no C compiler to build the stand-in library with");
            return None;
        };
        // A file of its own is a library of its own to the dynamic linker.
        let library = Self {
            folder: TempDir::new().unwrap(),
            control: String::new(),
        };
        fs::write(library.path(), compiled).unwrap();
        Some(library)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("libnvidia-ml.so.1")
    }

    /// Changes what the library says from now on.
    pub(crate) fn says(&mut self, key: &str, value: i64) {
        writeln!(self.control, "{key} {value}").unwrap();
        fs::write(
            self.folder.path().join("libnvidia-ml.so.1.control"),
            &self.control,
        )
        .unwrap();
    }

    pub(crate) fn fails(&mut self, function: &str, code: i64) {
        self.says(&format!("fail.{function}"), code);
    }

    /// This machine, with the stand-in for its library.
    pub(crate) fn machine(&self) -> ThisMachine {
        ThisMachine::with(ManagementLibrary::at(self.path()))
    }

    pub(crate) fn facts(&self, card: &Card<'_>) -> ManagementFacts {
        self.machine().management(card)
    }
}

fn compile(flags: &[&str]) -> Option<Vec<u8>> {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("stand-in.so");
    // Within the test, so that it runs where the sources are not.
    let source = folder.path().join("stand-in.c");
    fs::write(&source, include_str!("library.c")).unwrap();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .args(flags)
        .arg(source)
        .arg("-ldl")
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the stand-in doesn't compile: {said}"
    );
    Some(fs::read(library).unwrap())
}

/// What the stand-in says of its card.
pub(crate) fn everything() -> ManagementFacts {
    let process = |pid, bytes, kind| ProcessFacts {
        pid,
        name: None,
        bytes,
        kind,
        ours: false,
    };
    ManagementFacts {
        unavailable: None,
        driver_version: Some("580.159.04".to_owned()),
        ecc: EccFacts {
            current: Some(true),
            pending: Some(true),
            corrected: Some(11),
            uncorrected: Some(13),
            uncorrected_lifetime: Some(14),
        },
        row_remapping: Some(RowRemapping {
            after_corrected: 21,
            after_uncorrected: 22,
            pending: true,
            failed: false,
        }),
        pages_pending_retirement: Some(true),
        mig_mode: Some(false),
        mig_slice: Some(false),
        virtualization: Some(Virtualization::Passthrough),
        confidential_compute: Some(ConfidentialCompute {
            enabled: true,
            developer_tools: false,
            ready: Some(true),
        }),
        persistence_mode: Some(true),
        compute_mode: Some(ComputeMode::ExclusiveProcess),
        driver_model: None,
        processes: Some(vec![
            process(4_000_000_000, Some(3), ProcessKind::Graphics),
            process(4_000_000_001, Some(1 << 30), ProcessKind::Mps),
            process(4_000_000_002, Some(2 << 30), ProcessKind::Compute),
            process(4_000_000_003, Some(5), ProcessKind::Compute),
        ]),
        link: LinkFacts {
            generation: Some(5),
            width: Some(16),
            chip_to_chip: Some(false),
        },
    }
}
