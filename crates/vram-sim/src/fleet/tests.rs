use std::collections::BTreeSet;

use vram_observe::Witness as _;
use vram_policy::{EccFacts, OperatingSystem, Virtualization};
use vram_sys::{CUdevice_attribute as Attribute, CUresult, CUuuid};

use super::*;

/// What the machine's driver says, through its table.
struct Asked {
    driver: Arc<vram_sys::Driver>,
}

impl Asked {
    fn of(member: &Member) -> Self {
        let driver = member.machine.driver();
        // SAFETY: cuInit takes no pointer.
        let result = unsafe { (driver.table().cuInit)(0) };
        assert_eq!(result, CUresult::CUDA_SUCCESS);
        Self { driver }
    }

    fn count(&self) -> usize {
        let mut count = 0;
        // SAFETY: the driver writes one int.
        let result = unsafe { (self.driver.table().cuDeviceGetCount)(&raw mut count) };
        assert_eq!(result, CUresult::CUDA_SUCCESS);
        usize::try_from(count).unwrap()
    }

    fn attribute(&self, device: usize, attribute: Attribute) -> i32 {
        let mut value = -1;
        let device = i32::try_from(device).unwrap();
        // SAFETY: the driver writes one int.
        let result = unsafe {
            (self.driver.table().cuDeviceGetAttribute)(&raw mut value, attribute, device)
        };
        assert_eq!(result, CUresult::CUDA_SUCCESS);
        value
    }

    fn flag(&self, device: usize, attribute: Attribute) -> bool {
        self.attribute(device, attribute) != 0
    }

    fn uuid(&self, device: usize) -> [u8; 16] {
        let mut uuid = CUuuid::default();
        let device = i32::try_from(device).unwrap();
        // SAFETY: the driver writes one UUID.
        let result = unsafe { (self.driver.table().cuDeviceGetUuid_v2)(&raw mut uuid, device) };
        assert_eq!(result, CUresult::CUDA_SUCCESS);
        uuid.bytes.map(|byte| byte.to_ne_bytes()[0])
    }

    fn pci_bus_id(&self, device: usize) -> String {
        let mut text = [0_u8; 64];
        let device = i32::try_from(device).unwrap();
        let to = text.as_mut_ptr().cast();
        // SAFETY: the driver writes at most 64 bytes, with a NUL.
        let result = unsafe { (self.driver.table().cuDeviceGetPCIBusId)(to, 64, device) };
        assert_eq!(result, CUresult::CUDA_SUCCESS);
        let end = text.iter().position(|&byte| byte == 0).unwrap();
        String::from_utf8(text[..end].to_vec()).unwrap()
    }

    fn free_and_total(&self, device: usize) -> (usize, usize) {
        let table = self.driver.table();
        let mut context = std::ptr::null_mut();
        let device = i32::try_from(device).unwrap();
        // SAFETY: the driver writes one handle.
        let retained = unsafe { (table.cuDevicePrimaryCtxRetain)(&raw mut context, device) };
        // SAFETY: the context was retained just now.
        let pushed = unsafe { (table.cuCtxPushCurrent_v2)(context) };
        let (mut free, mut total) = (0, 0);
        // SAFETY: the driver writes two sizes.
        let asked = unsafe { (table.cuMemGetInfo_v2)(&raw mut free, &raw mut total) };
        // SAFETY: the driver writes one handle.
        let popped = unsafe { (table.cuCtxPopCurrent_v2)(&raw mut context) };
        // SAFETY: the context was retained once.
        let released = unsafe { (table.cuDevicePrimaryCtxRelease_v2)(device) };
        for result in [retained, pushed, asked, popped, released] {
            assert_eq!(result, CUresult::CUDA_SUCCESS);
        }
        (free, total)
    }
}

fn everyone() -> impl Iterator<Item = Member> {
    Kind::ALL.iter().map(|kind| kind.build().unwrap())
}

fn every_device() -> impl Iterator<Item = (Kind, usize, Asked, ManagementFacts)> {
    everyone().flat_map(|member| {
        let count = Asked::of(&member).count();
        let of = |device| {
            let asked = Asked::of(&member);
            (
                member.kind,
                device,
                asked,
                member.management(device).unwrap(),
            )
        };
        (0..count).map(of).collect::<Vec<_>>()
    })
}

#[test]
fn the_fleet_has_thirteen_kinds_with_names_of_their_own() {
    let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();

    assert_eq!(names.len(), 13);
}

#[test]
fn driver_and_library_speak_of_the_same_card() {
    for member in everyone() {
        let asked = Asked::of(&member);
        for device in 0..asked.count() {
            let card = member.card(device).unwrap();

            assert_eq!(card.uuid, asked.uuid(device), "{}", member.kind);
            assert_eq!(
                card.pci_bus_id,
                Some(&*asked.pci_bus_id(device)),
                "{}",
                member.kind
            );
        }
        assert!(member.card(asked.count()).is_err());
    }
}

#[test]
fn every_card_has_an_identity_of_its_own() {
    let mut seen = BTreeSet::new();
    for (kind, device, asked, _) in every_device() {
        assert!(seen.insert(asked.uuid(device)), "{kind}");
    }
}

#[test]
fn the_library_knows_every_card_but_a_jetsons() {
    for (kind, _, _, facts) in every_device() {
        let absent = kind == Kind::Integrated;
        assert_eq!(facts.unavailable.is_some(), absent, "{kind}: {facts:?}");
        assert_eq!(facts.driver_version.is_none(), absent, "{kind}");
    }
}

#[test]
fn driver_and_library_agree_on_ecc() {
    for (kind, device, asked, facts) in every_device() {
        let enabled = asked.flag(device, Attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED);
        if let Some(current) = facts.ecc.current {
            assert_eq!(current, enabled, "{kind}");
        }
        let counted = facts.ecc.uncorrected.is_some();
        assert_eq!(counted, facts.ecc.current == Some(true), "{kind}");
    }
}

#[test]
fn a_chip_to_chip_link_comes_with_the_hosts_page_tables() {
    for (kind, device, asked, facts) in every_device() {
        let shared = asked.flag(
            device,
            Attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES,
        );
        assert_eq!(shared, facts.link.chip_to_chip == Some(true), "{kind}");
        assert_eq!(shared, kind == Kind::Coherent, "{kind}");
    }
}

#[test]
fn pageable_memory_is_reached_only_where_the_host_lets_it() {
    for member in everyone() {
        let asked = Asked::of(&member);
        let reached = asked.flag(0, Attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS);
        let managed = member.witness.host().heterogeneous_memory_management;
        assert_eq!(reached, managed == Some(true), "{}", member.kind);
    }
}

#[test]
fn only_a_jetson_has_no_memory_of_its_own() {
    for (kind, device, asked, _) in every_device() {
        let integrated = asked.flag(device, Attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED);
        assert_eq!(integrated, kind == Kind::Integrated, "{kind}");
    }
}

#[test]
fn what_processes_hold_is_missing_from_what_is_free() {
    for (kind, device, asked, facts) in every_device() {
        let (free, total) = asked.free_and_total(device);
        let processes = facts.processes.iter().flatten();
        let held: u64 = processes.filter_map(|process| process.bytes).sum();
        let missing = u64::try_from(total.checked_sub(free).unwrap()).unwrap();
        assert_eq!(missing, held, "{kind}");
    }
}

#[test]
fn every_kind_shows_what_it_is_in_the_fleet_for() {
    let of = |kind: Kind| {
        let member = kind.build().unwrap();
        (member.management(0).unwrap(), member.witness.host())
    };
    let (facts, host) = of(Kind::Datacenter);
    assert_eq!(facts.ecc.current, Some(true));
    assert_eq!(host.system, Some(OperatingSystem::Linux));
    assert_eq!(of(Kind::Consumer).0.ecc.current, Some(false));
    assert_eq!(of(Kind::Wsl).1.dxg_device, Some(true));
    let (facts, _) = of(Kind::MigSlice);
    assert_eq!((facts.mig_slice, facts.mig_mode), (Some(true), Some(true)));
    let (facts, _) = of(Kind::VgpuGuest);
    assert_eq!(facts.virtualization, Some(Virtualization::VgpuGuest));
    let (facts, host) = of(Kind::MpsClient);
    assert_eq!(host.mps_daemon, Some(true));
    let clients = facts.processes.unwrap();
    assert!(
        clients
            .iter()
            .any(|process| process.kind == ProcessKind::Mps)
    );
    let confidential = of(Kind::ConfidentialCompute)
        .0
        .confidential_compute
        .unwrap();
    assert!(confidential.enabled && confidential.ready == Some(true));
    let (facts, _) = of(Kind::Failing);
    let expected = EccFacts {
        current: Some(true),
        pending: Some(true),
        corrected: Some(127),
        uncorrected: Some(3),
        uncorrected_lifetime: Some(5),
    };
    assert_eq!(facts.ecc, expected);
    assert!(facts.row_remapping.unwrap().pending);
    let (facts, _) = of(Kind::Shared);
    assert_eq!(facts.processes.unwrap().len(), 3);
    let (facts, _) = of(Kind::OldDriver);
    assert_eq!((facts.processes, facts.confidential_compute), (None, None));
    let two = Kind::TwoUnlike.build().unwrap();
    assert_ne!(
        two.management(0).unwrap().ecc,
        two.management(1).unwrap().ecc
    );
}

#[test]
fn whatever_fails_in_the_library_is_not_known_of_any_kind() {
    for member in everyone().filter(|member| member.kind != Kind::Integrated) {
        let function = Function::nvmlDeviceGetVirtualizationMode;
        assert!(member.management(0).unwrap().virtualization.is_some());

        member
            .witness
            .library()
            .fail_always(function, ManagementFault::Unknown);

        assert_eq!(member.management(0).unwrap().virtualization, None);
    }
}
