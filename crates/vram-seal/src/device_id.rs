//! Which device holds a shard.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result, digest::write_hex};

/// What follows the UUID of a device that is not there.
const SIMULATED: &str = " (simulated)";

/// How many characters a UUID has when printed: as many as an error shows of what is none.
const TEXT_LEN: usize = 40;

/// A device's identity: the UUID that the driver reports (`cuDeviceGetUuid`), and whether the
/// device is simulated.
///
/// It prints as the driver's tools print it, and says so if it is simulated:
///
/// ```
/// # use vram_seal::DeviceId;
/// let id = DeviceId { uuid: [0xab; 16], simulated: true };
/// assert_eq!(id.to_string(), "GPU-abababab-abab-abab-abab-abababababab (simulated)");
/// assert_eq!(id.to_string().parse::<DeviceId>()?, id);
/// # Ok::<(), vram_seal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceId {
    /// The UUID, in the order in which it is printed.
    #[serde(
        serialize_with = "serialize_uuid",
        deserialize_with = "deserialize_uuid"
    )]
    pub uuid: [u8; 16],
    /// Whether software plays the device.
    pub simulated: bool,
}

/// The UUID as text.
struct Uuid<'a>(&'a [u8; 16]);

impl fmt::Display for Uuid<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GPU")?;
        let mut rest = self.0.as_slice();
        for len in [4, 2, 2, 2, 6] {
            let (part, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            formatter.write_str("-")?;
            write_hex(part, formatter)?;
            rest = after;
        }
        Ok(())
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid(&self.uuid).fmt(formatter)?;
        formatter.write_str(if self.simulated { SIMULATED } else { "" })
    }
}

impl FromStr for DeviceId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_suffix(SIMULATED) {
            Some(uuid) => Ok(Self {
                uuid: parse_uuid(uuid)?,
                simulated: true,
            }),
            None => Ok(Self {
                uuid: parse_uuid(text)?,
                simulated: false,
            }),
        }
    }
}

fn parse_uuid(text: &str) -> Result<[u8; 16]> {
    let mut uuid = [0; 16];
    text.strip_prefix("GPU-")
        .filter(|digits| digits.split('-').map(str::len).eq([8, 4, 4, 4, 12]))
        .and_then(|digits| hex::decode_to_slice(digits.replace('-', ""), &mut uuid).ok())
        .ok_or_else(|| Error::DeviceIdText {
            found: text.chars().take(TEXT_LEN).collect(),
        })?;
    Ok(uuid)
}

pub(crate) fn serialize_uuid<S: Serializer>(
    uuid: &[u8; 16],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Uuid(uuid))
}

pub(crate) fn deserialize_uuid<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; 16], D::Error> {
    parse_uuid(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f";

    fn id(simulated: bool) -> DeviceId {
        DeviceId {
            uuid: std::array::from_fn(|at| u8::try_from(at).unwrap()),
            simulated,
        }
    }

    #[test]
    fn it_prints_and_reads_as_the_drivers_tools_print_it() {
        assert_eq!(id(false).to_string(), TEXT);
        assert_eq!(TEXT.parse::<DeviceId>().unwrap(), id(false));
        assert_eq!(TEXT.to_uppercase().parse::<DeviceId>().unwrap(), id(false));
    }

    #[test]
    fn a_simulated_device_says_so() {
        assert_eq!(id(true).to_string(), format!("{TEXT} (simulated)"));
        assert_eq!(id(true).to_string().parse::<DeviceId>().unwrap(), id(true));
        assert_ne!(id(true), id(false));
    }

    #[test]
    fn json_holds_the_uuid_and_whether_it_is_simulated() {
        let json = serde_json::to_string(&id(true)).unwrap();
        assert_eq!(json, format!(r#"{{"uuid":"{TEXT}","simulated":true}}"#));
        assert_eq!(serde_json::from_str::<DeviceId>(&json).unwrap(), id(true));
        assert!(serde_json::from_str::<DeviceId>(&json.replace("GPU-0", "GPU-")).is_err());
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("{TEXT}-{}", "0".repeat(1000));
        for text in [
            "",
            "GPU-",
            &TEXT[4..],
            &TEXT.replace("-04", "04-"),
            &TEXT.replace('f', "g"),
            &long,
        ] {
            let error = text.parse::<DeviceId>().unwrap_err();
            assert!(matches!(&error, Error::DeviceIdText { found } if text.starts_with(found)));
            assert!(error.to_string().len() < 250, "{error}");
        }
    }
}
