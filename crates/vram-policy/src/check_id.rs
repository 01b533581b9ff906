//! The names of the checks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::{self, UnknownName};

macro_rules! check_ids {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+) => {
        /// Names one check. Its text form never changes once published.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum CheckId {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl CheckId {
            /// Every check, in the order in which reports list them: the device's, the host's, the
            /// region's.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable text form, for example `region.not-managed`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

check_ids! {
    /// The device has memory of its own, apart from the host's.
    DeviceOwnMemory = "device.own-memory",
    /// The host can't read the device's memory over a coherent link.
    DeviceCoherentLink = "device.coherent-link",
    /// The driver, and not Windows, manages the device's memory.
    DeviceDriverModel = "device.driver-model",
    /// The device can run the measuring kernels.
    DeviceComputeCapability = "device.compute-capability",
    /// The driver is new enough for the measuring kernels.
    DeviceDriverVersion = "device.driver-version",
    /// The device's own memory management unit can freeze regions.
    DeviceMmuFreezing = "device.mmu-freezing",
    /// The management library is there and knows the card.
    DeviceManagementLibrary = "device.management-library",
    /// The device is a whole card, not a share of one.
    DeviceVirtualization = "device.virtualization",
    /// The device is a whole card, not a slice of one.
    DeviceMig = "device.mig",
    /// No process uses the device through the Multi-Process Service.
    DeviceMps = "device.mps",
    /// No other process uses the device.
    DeviceOtherProcesses = "device.other-processes",
    /// ECC protects the device's memory, and will after the next reset.
    DeviceEccMode = "device.ecc-mode",
    /// No error has been beyond ECC since the driver was loaded.
    DeviceEccErrors = "device.ecc-errors",
    /// The device's memory has no history of errors.
    DeviceEccHistory = "device.ecc-history",
    /// No row of the device's memory waits to be replaced, and none failed to be.
    DeviceRowRemapping = "device.row-remapping",
    /// No page of the device's memory waits to be retired.
    DevicePageRetirement = "device.page-retirement",
    /// Confidential computing closes the device's memory to the host.
    DeviceConfidentialCompute = "device.confidential-compute",
    /// Where confidential computing is on, nothing weakens it.
    DeviceConfidentialComputeIntact = "device.confidential-compute-intact",
    /// The driver stays loaded when nobody uses the device.
    DevicePersistence = "device.persistence",
    /// One process alone may use the device.
    DeviceComputeMode = "device.compute-mode",
    /// No other device could map this one's memory.
    DevicePeerAccess = "device.peer-access",
    /// The device does not belong to a Windows host.
    HostWsl = "host.wsl",
    /// Nothing in the environment asks for unified memory.
    HostUnifiedMemory = "host.unified-memory",
    /// The environment leaves engines their usual allocator.
    HostAllocator = "host.allocator",
    /// Nothing in the environment renumbers the devices.
    HostVisibleDevices = "host.visible-devices",
    /// Nothing in the environment loads foreign code into the process.
    HostInjectedLibraries = "host.injected-libraries",
    /// Nothing in the environment changes where libraries are found.
    HostLibraryPath = "host.library-path",
    /// The process is no client of the Multi-Process Service, and can become none.
    HostMps = "host.mps",
    /// The driver writes no core dumps of the device.
    HostGpuCoreDumps = "host.gpu-core-dumps",
    /// The kernel makes no core dump of the process.
    HostCoreDumps = "host.core-dumps",
    /// No process of the same user may look into the process.
    HostDumpable = "host.dumpable",
    /// The system restricts who may trace whom.
    HostPtraceScope = "host.ptrace-scope",
    /// Nobody traces the process.
    HostTraced = "host.traced",
    /// The kernel shares no host pages with the device.
    HostHeterogeneousMemory = "host.heterogeneous-memory",
    /// The region is memory of the expected device, in the expected range.
    RegionDeviceMemory = "region.device-memory",
    /// The driver may not move the region to the host.
    RegionNotManaged = "region.not-managed",
    /// The region can't be reached through a host address.
    RegionNoHostAlias = "region.no-host-alias",
    /// The region can't be handed to another process.
    RegionNotExportable = "region.not-exportable",
    /// The region is read-only once it was frozen.
    RegionReadOnly = "region.read-only",
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CheckId {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        names::find("check", text, Self::ALL, |id| id.as_str())
    }
}

impl Serialize for CheckId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CheckId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_ids_read_the_same_in_text_and_in_json() {
        for id in CheckId::ALL {
            let json = serde_json::to_string(id).unwrap();

            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<CheckId>(&json).unwrap(), *id);
            assert_eq!(id.as_str().parse(), Ok(*id));
        }
    }

    #[test]
    fn no_two_checks_share_a_name() {
        let mut names: Vec<&str> = CheckId::ALL.iter().map(|id| id.as_str()).collect();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), CheckId::ALL.len());
    }

    #[test]
    fn a_name_that_no_check_has_is_refused_with_those_that_there_are() {
        let error = "region.not-manged".parse::<CheckId>().unwrap_err();

        let text = error.to_string();
        assert!(text.contains("\"region.not-manged\""), "{text}");
        assert!(text.contains("region.not-managed"), "{text}");
        assert!(serde_json::from_str::<CheckId>("\"region\"").is_err());
    }
}
