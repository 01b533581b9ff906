//! Points in time, as in-toto writes them.

use std::{fmt, str::FromStr, time::SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Error, Result};

/// A point in time: RFC 3339 in UTC, with a `Z`, and as many digits after the second as it takes, 9 at most.
///
/// It is read in that one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0.into()
    }
}

impl TryFrom<SystemTime> for Timestamp {
    type Error = Error;

    /// Refuses what lies outside the years -9999 to 9999.
    fn try_from(time: SystemTime) -> Result<Self> {
        jiff::Timestamp::try_from(time)
            .map(Self)
            .map_err(|reason| Error::Timestamp {
                reason: reason.to_string(),
            })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The greatest length of a time as text, in bytes: twice what RFC 3339 takes to the nanosecond.
const MAX_LEN: usize = 64;

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |reason: String| Error::Timestamp { reason };
        // What reads it quotes it, whole.
        let found = text.len();
        if found > MAX_LEN {
            return Err(refuse(format!(
                "it is {found} bytes long, the limit is {MAX_LEN}"
            )));
        }
        let timestamp: jiff::Timestamp = text
            .parse()
            .map_err(|reason: jiff::Error| refuse(reason.to_string()))?;
        if timestamp.to_string() == text {
            return Ok(Self(timestamp));
        }
        Err(refuse(format!("write it as {timestamp}")))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_refusal_does_not_repeat_a_long_text() {
        let long = format!("2026-03-08-{}", "\0".repeat(4000));
        let refused = long.parse::<Timestamp>().unwrap_err().to_string();
        assert!(refused.len() < 200, "{refused}");
    }

    #[test]
    fn a_timestamp_is_read_in_the_form_in_which_it_is_written() {
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.5Z",
            "2026-12-31T23:59:59.123456789Z",
        ] {
            let timestamp: Timestamp = text.parse().unwrap();
            assert_eq!(timestamp.to_string(), text);
            let time = SystemTime::from(timestamp);
            assert_eq!(Timestamp::try_from(time).unwrap(), timestamp);
        }
        for text in [
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01t00:00:00z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00.50Z",
            "2026-01-01T00:00:00",
            "2026-02-30T00:00:00Z",
            "1767225600",
            "",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        let start: Timestamp = "1970-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(SystemTime::from(start), SystemTime::UNIX_EPOCH);
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50);
        assert!(Timestamp::try_from(far).is_err());
    }

    #[test]
    fn a_text_is_refused_for_its_length_over_64_bytes() {
        let refused = |len: usize| "1".repeat(len).parse::<Timestamp>().unwrap_err();

        assert!(!refused(64).to_string().contains("the limit is 64"));
        assert!(refused(65).to_string().contains("it is 65 bytes long"));
    }
}
