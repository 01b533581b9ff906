//! What a check found, with everything a reader needs to act on it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Names one check. Its text form never changes once published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CheckId {
    /// The device has memory of its own, apart from the host's.
    #[serde(rename = "device.own-memory")]
    DeviceOwnMemory,
    /// The region is memory of the expected device, in the expected range.
    #[serde(rename = "region.device-memory")]
    RegionDeviceMemory,
    /// The driver may not move the region to the host.
    #[serde(rename = "region.not-managed")]
    RegionNotManaged,
    /// The region can't be reached through a host address.
    #[serde(rename = "region.no-host-alias")]
    RegionNoHostAlias,
}

impl CheckId {
    /// Every check, in the order in which reports list them.
    pub const ALL: [Self; 4] = [
        Self::DeviceOwnMemory,
        Self::RegionDeviceMemory,
        Self::RegionNotManaged,
        Self::RegionNoHostAlias,
    ];

    /// The stable text form, for example `region.not-managed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceOwnMemory => "device.own-memory",
            Self::RegionDeviceMemory => "region.device-memory",
            Self::RegionNotManaged => "region.not-managed",
            Self::RegionNoHostAlias => "region.no-host-alias",
        }
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much a check matters when it does not pass. It does not soften a failure: the profile
/// decides that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Weakens a guarantee.
    Medium,
    /// Breaks a guarantee under conditions that can arise in operation.
    High,
    /// The guarantee does not hold.
    Critical,
}

/// What a check concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// Observed, and as it must be.
    Pass,
    /// The check has no meaning for this subject. It is no ground for acceptance.
    NotApplicable,
    /// Observed, not as it should be, and tolerated.
    Warn,
    /// Not observed: the driver could not say. Never counts as passed.
    Unknown,
    /// Observed, and not as it must be.
    Fail,
}

impl Status {
    /// Whether a finding with this status stands in the way of acceptance.
    #[must_use]
    pub const fn blocks(self) -> bool {
        match self {
            Self::Pass | Self::NotApplicable | Self::Warn => false,
            Self::Unknown | Self::Fail => true,
        }
    }

    /// The text form that JSON uses too, for example `not-applicable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotApplicable => "not-applicable",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an observation comes from, and where its meaning is documented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The driver attributes that were asked for, by their names in the driver API.
    pub attributes: Vec<Cow<'static, str>>,
    /// The chapter of the driver's documentation that defines them.
    pub documentation: Cow<'static, str>,
}

/// The outcome of one check. It holds no device address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check.
    pub id: CheckId,
    /// How much it matters when it does not pass.
    pub severity: Severity,
    /// What the check concluded.
    pub status: Status,
    /// What was seen, attribute by attribute.
    pub observed: String,
    /// What had to be seen, in the same words.
    pub expected: String,
    /// What it means for the weights when the check does not pass.
    pub meaning: Cow<'static, str>,
    /// What to do about it.
    pub remedy: Cow<'static, str>,
    /// Where the observation comes from.
    pub source: Source,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            status,
            observed,
            expected,
            ..
        } = self;
        write!(f, "{id} {status}: observed {observed}; expected {expected}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_ids_read_the_same_in_text_and_in_json() {
        for id in CheckId::ALL {
            let json = serde_json::to_string(&id).unwrap();

            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<CheckId>(&json).unwrap(), id);
        }
    }

    #[test]
    fn statuses_read_the_same_in_text_and_in_json() {
        use Status::{Fail, NotApplicable, Pass, Unknown, Warn};
        for status in [Pass, NotApplicable, Warn, Unknown, Fail] {
            assert_eq!(
                serde_json::to_string(&status).unwrap(),
                format!("\"{status}\"")
            );
        }
    }

    #[test]
    fn unknown_blocks_as_failure_does() {
        assert!(Status::Unknown.blocks());
        assert!(Status::Fail.blocks());
        assert!(!Status::Pass.blocks());
        assert!(!Status::Warn.blocks());
        assert!(!Status::NotApplicable.blocks());
    }

    #[test]
    fn severities_are_ordered() {
        assert!(Severity::Low < Severity::Medium);
        assert!(Severity::Medium < Severity::High);
        assert!(Severity::High < Severity::Critical);
    }
}
