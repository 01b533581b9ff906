//! A witness that says what a test tells it to, and notices being asked.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use vram_observe::{Card, Witness};
use vram_policy::{
    ComputeMode, EccFacts, HostFacts, LinkFacts, ManagementFacts, OperatingSystem, ProcessFacts,
    ProcessKind, RowRemapping, Virtualization,
};

/// Facts that can change while a manager lives.
#[derive(Debug)]
pub(crate) struct Told {
    facts: Mutex<(HostFacts, ManagementFacts)>,
    asked: AtomicU64,
}

impl Told {
    /// A machine that no policy has anything against.
    pub(crate) fn sound() -> Self {
        Self {
            facts: Mutex::new((host(), management())),
            asked: AtomicU64::new(0),
        }
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut HostFacts, &mut ManagementFacts)) -> Self {
        self.change(change);
        self
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut HostFacts, &mut ManagementFacts)) {
        let mut facts = self.facts.lock().unwrap();
        let (host, management) = &mut *facts;
        change(host, management);
    }

    /// How often the host was asked about.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Witness for Told {
    fn host(&self) -> HostFacts {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.facts.lock().unwrap().0.clone()
    }

    fn management(&self, _: &Card<'_>) -> ManagementFacts {
        self.facts.lock().unwrap().1.clone()
    }
}

/// A process on the card, not ours.
pub(crate) fn process(pid: u32, name: Option<&str>, bytes: Option<u64>) -> ProcessFacts {
    ProcessFacts {
        pid,
        name: name.map(str::to_owned),
        bytes,
        kind: ProcessKind::Compute,
        ours: false,
    }
}

fn host() -> HostFacts {
    HostFacts {
        system: Some(OperatingSystem::Linux),
        kernel_release: Some("6.8.0".to_owned()),
        dxg_device: Some(false),
        environment: Some(Vec::new()),
        mps_daemon: Some(false),
        heterogeneous_memory_management: Some(false),
        core_limit: Some(0),
        core_pattern: Some("core".to_owned()),
        dumpable: Some(false),
        ptrace_scope: Some(3),
        traced: Some(false),
    }
}

fn management() -> ManagementFacts {
    ManagementFacts {
        unavailable: None,
        driver_version: Some("580.159.04".to_owned()),
        ecc: EccFacts {
            current: Some(true),
            pending: Some(true),
            corrected: Some(0),
            uncorrected: Some(0),
            uncorrected_lifetime: Some(0),
        },
        row_remapping: Some(RowRemapping {
            after_corrected: 0,
            after_uncorrected: 0,
            pending: false,
            failed: false,
        }),
        pages_pending_retirement: Some(false),
        mig_mode: Some(false),
        mig_slice: Some(false),
        virtualization: Some(Virtualization::None),
        confidential_compute: None,
        persistence_mode: Some(true),
        compute_mode: Some(ComputeMode::ExclusiveProcess),
        driver_model: None,
        processes: Some(Vec::new()),
        link: LinkFacts {
            generation: Some(5),
            width: Some(16),
            chip_to_chip: Some(false),
        },
    }
}
