//! Each check, broken by one fact: exactly that check turns.

use serde_json::Value;
use vram_policy::{
    Access, CheckId, ComputeMode, DriverModel, Policy, ProcessKind, Status, Verdict, Virtualization,
};

use crate::subjects::{Machine, not_clear, process, set};

type Breaking = (CheckId, fn(&mut Machine));

/// For each check, ways to break it by changing one fact.
const BREAKINGS: &[Breaking] = &[
    (CheckId::DeviceOwnMemory, |m| {
        m.device.integrated = Some(true);
    }),
    (CheckId::DeviceOwnMemory, |m| {
        m.device.pageable_memory_access = Some(true);
    }),
    (CheckId::DeviceOwnMemory, |m| {
        m.device.pageable_memory_access_uses_host_page_tables = Some(true);
    }),
    (CheckId::DeviceCoherentLink, |m| {
        m.device.direct_managed_access_from_host = Some(true);
    }),
    (CheckId::DeviceCoherentLink, |m| {
        m.device.management.link.chip_to_chip = Some(true);
    }),
    (CheckId::DeviceDriverModel, |m| {
        m.device.management.driver_model = Some(DriverModel::Wddm);
    }),
    (CheckId::DeviceDriverModel, |m| {
        m.device.management.driver_model = Some(DriverModel::Mcdm);
    }),
    (CheckId::DeviceComputeCapability, |m| {
        m.device.compute_capability = Some((7, 2));
    }),
    (CheckId::DeviceComputeCapability, |m| {
        m.device.compute_capability = Some((6, 9));
    }),
    (CheckId::DeviceDriverVersion, |m| {
        m.device.cuda_driver_version = Some(11_080);
    }),
    (CheckId::DeviceMmuFreezing, |m| {
        m.device.virtual_memory_management = Some(false);
    }),
    (CheckId::DeviceManagementLibrary, |m| {
        m.device.management.unavailable = Some("libnvidia-ml.so.1 was not found".to_owned());
    }),
    (CheckId::DeviceVirtualization, |m| {
        m.device.management.virtualization = Some(Virtualization::VgpuGuest);
    }),
    (CheckId::DeviceVirtualization, |m| {
        m.device.management.virtualization = Some(Virtualization::VgpuHost);
    }),
    (CheckId::DeviceVirtualization, |m| {
        m.device.management.virtualization = Some(Virtualization::Other(9));
    }),
    (CheckId::DeviceMig, |m| {
        m.device.management.mig_slice = Some(true);
    }),
    (CheckId::DeviceMig, |m| {
        m.device.management.mig_mode = Some(true);
    }),
    (CheckId::DeviceMps, |m| {
        m.device.management.processes = Some(vec![process(7, ProcessKind::Mps, false)]);
    }),
    (CheckId::DeviceMps, |m| {
        m.device.management.processes = Some(vec![process(1, ProcessKind::Mps, true)]);
    }),
    (CheckId::DeviceOtherProcesses, |m| {
        m.device.management.processes = Some(vec![
            process(1, ProcessKind::Compute, true),
            process(7, ProcessKind::Graphics, false),
        ]);
    }),
    (CheckId::DeviceEccMode, |m| {
        m.device.ecc_enabled = Some(false);
    }),
    (CheckId::DeviceEccMode, |m| {
        m.device.management.ecc.current = Some(false);
    }),
    (CheckId::DeviceEccMode, |m| {
        m.device.management.ecc.pending = Some(false);
    }),
    (CheckId::DeviceEccErrors, |m| {
        m.device.management.ecc.uncorrected = Some(1);
    }),
    (CheckId::DeviceEccHistory, |m| {
        m.device.management.ecc.corrected = Some(1);
    }),
    (CheckId::DeviceEccHistory, |m| {
        m.device.management.ecc.uncorrected_lifetime = Some(1);
    }),
    (CheckId::DeviceRowRemapping, |m| {
        m.device.management.row_remapping.as_mut().unwrap().pending = true;
    }),
    (CheckId::DeviceRowRemapping, |m| {
        m.device.management.row_remapping.as_mut().unwrap().failed = true;
    }),
    (CheckId::DevicePageRetirement, |m| {
        m.device.management.pages_pending_retirement = Some(true);
    }),
    (CheckId::DeviceConfidentialCompute, |m| {
        m.device
            .management
            .confidential_compute
            .as_mut()
            .unwrap()
            .enabled = false;
    }),
    (CheckId::DeviceConfidentialComputeIntact, |m| {
        let state = m.device.management.confidential_compute.as_mut();
        state.unwrap().developer_tools = true;
    }),
    (CheckId::DeviceConfidentialComputeIntact, |m| {
        m.device
            .management
            .confidential_compute
            .as_mut()
            .unwrap()
            .ready = Some(false);
    }),
    (CheckId::DevicePersistence, |m| {
        m.device.management.persistence_mode = Some(false);
    }),
    (CheckId::DeviceComputeMode, |m| {
        m.device.management.compute_mode = Some(ComputeMode::Default);
    }),
    (CheckId::DevicePeerAccess, |m| {
        m.device.peers = Some(vec![1, 2]);
    }),
    (CheckId::HostWsl, |m| m.host.dxg_device = Some(true)),
    (CheckId::HostWsl, |m| {
        m.host.kernel_release = Some("5.15.167.4-microsoft-standard-WSL2".to_owned());
    }),
    (CheckId::HostWsl, |m| {
        m.host.kernel_release = Some("4.4.0-19041-Microsoft".to_owned());
    }),
    (CheckId::HostUnifiedMemory, |m| {
        set(&mut m.host, "CUDA_MANAGED_FORCE_DEVICE_ALLOC", "1");
    }),
    (CheckId::HostUnifiedMemory, |m| {
        set(&mut m.host, "GGML_CUDA_ENABLE_UNIFIED_MEMORY", "0");
    }),
    (CheckId::HostUnifiedMemory, |m| {
        set(&mut m.host, "TF_FORCE_UNIFIED_MEMORY", "true");
    }),
    (CheckId::HostAllocator, |m| {
        set(
            &mut m.host,
            "PYTORCH_CUDA_ALLOC_CONF",
            "max_split_size_mb:64, backend:cudaMallocAsync",
        );
    }),
    (CheckId::HostAllocator, |m| {
        set(
            &mut m.host,
            "PYTORCH_ALLOC_CONF",
            "expandable_segments:True",
        );
    }),
    (CheckId::HostAllocator, |m| {
        set(&mut m.host, "XLA_PYTHON_CLIENT_ALLOCATOR", "platform");
    }),
    (CheckId::HostVisibleDevices, |m| {
        set(&mut m.host, "CUDA_VISIBLE_DEVICES", "1");
    }),
    (CheckId::HostInjectedLibraries, |m| {
        set(&mut m.host, "CUDA_INJECTION64_PATH", "/x.so");
    }),
    (CheckId::HostInjectedLibraries, |m| {
        set(&mut m.host, "LD_PRELOAD", "/x.so");
    }),
    (CheckId::HostInjectedLibraries, |m| {
        set(&mut m.host, "LD_AUDIT", "/x.so");
    }),
    (CheckId::HostLibraryPath, |m| {
        set(&mut m.host, "LD_LIBRARY_PATH", "/opt/lib");
    }),
    (CheckId::HostMps, |m| m.host.mps_daemon = Some(true)),
    (CheckId::HostMps, |m| {
        set(&mut m.host, "CUDA_MPS_PIPE_DIRECTORY", "/tmp/mps");
    }),
    (CheckId::HostGpuCoreDumps, |m| {
        set(&mut m.host, "CUDA_ENABLE_COREDUMP_ON_EXCEPTION", "1");
    }),
    (CheckId::HostGpuCoreDumps, |m| {
        set(&mut m.host, "CUDA_ENABLE_USER_TRIGGERED_COREDUMP", "1");
    }),
    (CheckId::HostCoreDumps, |m| {
        m.host.core_limit = Some(u64::MAX);
    }),
    (CheckId::HostCoreDumps, |m| m.host.core_limit = Some(2)),
    (CheckId::HostDumpable, |m| m.host.dumpable = Some(true)),
    (CheckId::HostPtraceScope, |m| m.host.ptrace_scope = Some(0)),
    (CheckId::HostTraced, |m| m.host.traced = Some(true)),
    (CheckId::HostHeterogeneousMemory, |m| {
        m.host.heterogeneous_memory_management = Some(true);
    }),
    (CheckId::RegionDeviceMemory, |m| {
        m.region.device_ordinal = Some(0);
    }),
    (CheckId::RegionNotManaged, |m| m.region.managed = Some(true)),
    (CheckId::RegionNoHostAlias, |m| {
        m.region.host_alias = Some(true);
    }),
    (CheckId::RegionNotExportable, |m| {
        m.region.legacy_ipc = Some(true);
    }),
    (CheckId::RegionNotExportable, |m| {
        m.region.export_handle_types = Some(1);
    }),
    (CheckId::RegionReadOnly, |m| {
        m.region.access = Some(Access::ReadWrite);
    }),
    (CheckId::RegionReadOnly, |m| {
        m.region.access = Some(Access::None);
    }),
    (CheckId::RegionReadOnly, |m| {
        m.region.access = Some(Access::Other(2));
    }),
];

/// How many facts differ. A list is one fact.
fn differences(a: &Value, b: &Value) -> usize {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => a
            .iter()
            .map(|(name, value)| differences(value, &b[name]))
            .sum(),
        (a, b) => usize::from(a != b),
    }
}

fn broken(breaking: fn(&mut Machine)) -> Machine {
    let mut machine = Machine::perfect();
    breaking(&mut machine);
    machine
}

#[test]
fn a_perfect_machine_is_accepted_by_every_profile_and_leaves_nothing_to_say() {
    for policy in [Policy::strict(), Policy::standard(), Policy::development()] {
        let report = Machine::perfect().judged_by(&policy);

        assert_eq!(report.verdict(), Verdict::Accepted);
        assert_eq!(not_clear(&report), []);
        assert_eq!(report.findings().len(), CheckId::ALL.len());
    }
}

#[test]
fn every_check_has_a_breaking_of_one_fact() {
    for id in CheckId::ALL {
        assert!(BREAKINGS.iter().any(|(broken, _)| broken == id), "{id}");
    }
    for (id, breaking) in BREAKINGS {
        let [perfect, broken] =
            [Machine::perfect(), broken(*breaking)].map(|m| serde_json::to_value(m).unwrap());
        assert_eq!(differences(&perfect, &broken), 1, "{id}");
    }
}

/// Covers: PO-2.
#[test]
fn each_check_turns_for_its_fact_and_no_other_check_does() {
    for (id, breaking) in BREAKINGS {
        let machine = broken(*breaking);
        for policy in [Policy::strict(), Policy::standard(), Policy::development()] {
            let report = machine.judged_by(&policy);

            let finding = report.finding(*id).unwrap();
            let enforcement = match finding.status {
                Status::Unknown => policy.enforcement_when_unknown(*id),
                _ => policy.enforcement(*id),
            };
            assert_eq!(not_clear(&report), [(*id, finding.status)], "{finding}");
            assert_eq!(finding.enforcement, enforcement, "{finding}");
            assert_ne!(finding.observed, finding.expected, "{finding}");
        }
    }
}

#[test]
fn a_broken_check_that_is_made_to_refuse_refuses_alone() {
    for (id, breaking) in BREAKINGS {
        let machine = broken(*breaking);
        let mut policy = Policy::development();
        for other in CheckId::ALL {
            policy = policy.with(*other, vram_policy::Enforcement::Note);
        }
        assert!(machine.judged_by(&policy).enforce().is_ok(), "{id}");

        let refusal = machine
            .judged_by(&policy.with(*id, vram_policy::Enforcement::Refuse))
            .enforce()
            .unwrap_err();

        assert!(refusal.names(*id));
        assert_eq!(refusal.findings().len(), 1, "{id}");
    }
}
