//! Facts as good hardware on a good host reports them, for tests to break.

use vram_policy::{
    Access, CheckId, ComputeMode, ConfidentialCompute, DeviceFacts, EccFacts, EnvironmentVariable,
    HostFacts, LinkFacts, ManagementFacts, MemoryKind, OperatingSystem, Policy, ProcessFacts,
    ProcessKind, RegionFacts, Report, RowRemapping, Status, Virtualization,
};

/// A machine of which nothing is left to be wished for: what each check judges.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Machine {
    pub(crate) device: DeviceFacts,
    pub(crate) host: HostFacts,
    pub(crate) region: RegionFacts,
}

impl Machine {
    pub(crate) fn perfect() -> Self {
        Self {
            device: discrete_gpu(),
            host: closed_host(),
            region: plain_region(),
        }
    }

    /// Everything that a policy says of it.
    pub(crate) fn judged_by(&self, policy: &Policy) -> Report {
        policy
            .assess_device(&self.device)
            .and(policy.assess_host(&self.host))
            .and(policy.assess_region(&self.region))
    }
}

/// A discrete GPU: managed memory and host mapping are possible, as on all of them.
pub(crate) fn discrete_gpu() -> DeviceFacts {
    DeviceFacts {
        name: Some("Perfect GPU".to_owned()),
        uuid: Some("GPU-00000000-0000-0000-0000-000000000001".to_owned()),
        system: Some(OperatingSystem::Linux),
        simulated: true,
        integrated: Some(false),
        pageable_memory_access: Some(false),
        pageable_memory_access_uses_host_page_tables: Some(false),
        concurrent_managed_access: Some(true),
        direct_managed_access_from_host: Some(false),
        managed_memory: Some(true),
        can_map_host_memory: Some(true),
        virtual_memory_management: Some(true),
        compute_capability: Some((9, 0)),
        cuda_driver_version: Some(13_000),
        tcc_driver: Some(false),
        ecc_enabled: Some(true),
        peers: Some(Vec::new()),
        management: ManagementFacts {
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
            // No real card has both; so each can be broken for itself.
            pages_pending_retirement: Some(false),
            mig_mode: Some(false),
            mig_slice: Some(false),
            virtualization: Some(Virtualization::None),
            confidential_compute: Some(ConfidentialCompute {
                enabled: true,
                developer_tools: false,
                ready: Some(true),
            }),
            persistence_mode: Some(true),
            compute_mode: Some(ComputeMode::ExclusiveProcess),
            driver_model: None,
            processes: Some(vec![process(1, ProcessKind::Compute, true)]),
            link: LinkFacts {
                generation: Some(5),
                width: Some(16),
                chip_to_chip: Some(false),
            },
        },
    }
}

/// A Linux machine whose process is closed to others.
pub(crate) fn closed_host() -> HostFacts {
    HostFacts {
        system: Some(OperatingSystem::Linux),
        kernel_release: Some("6.8.0-71-generic".to_owned()),
        dxg_device: Some(false),
        environment: Some(Vec::new()),
        mps_daemon: Some(false),
        heterogeneous_memory_management: Some(false),
        core_limit: Some(0),
        core_pattern: Some("core".to_owned()),
        dumpable: Some(false),
        ptrace_scope: Some(1),
        traced: Some(false),
    }
}

/// Four mebibytes of plain device memory on device 1, frozen.
pub(crate) fn plain_region() -> RegionFacts {
    RegionFacts {
        memory: Some(MemoryKind::Device),
        device_ordinal: Some(1),
        expected_device_ordinal: 1,
        starts_at_region: Some(true),
        reported_size: Some(4 << 20),
        expected_size: 4 << 20,
        managed: Some(false),
        host_alias: Some(false),
        legacy_ipc: Some(false),
        export_handle_types: Some(0),
        access: Some(Access::Read),
        expected_frozen: true,
    }
}

pub(crate) fn process(pid: u32, kind: ProcessKind, ours: bool) -> ProcessFacts {
    ProcessFacts {
        pid,
        name: Some(format!("process-{pid}")),
        bytes: Some(1 << 30),
        kind,
        ours,
    }
}

/// The process works in an environment with this variable, beside what it has.
pub(crate) fn set(host: &mut HostFacts, name: &str, value: &str) {
    let variable = EnvironmentVariable {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    host.environment.get_or_insert_default().push(variable);
}

/// The checks that a report neither passes nor holds for meaningless, with their statuses.
pub(crate) fn not_clear(report: &Report) -> Vec<(CheckId, Status)> {
    report
        .findings()
        .iter()
        .filter(|finding| !finding.is_clear())
        .map(|finding| (finding.id, finding.status))
        .collect()
}
