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
    /// The region is memory of the expected device, in the expected range.
    RegionDeviceMemory = "region.device-memory",
    /// The driver may not move the region to the host.
    RegionNotManaged = "region.not-managed",
    /// The region can't be reached through a host address.
    RegionNoHostAlias = "region.no-host-alias",
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
