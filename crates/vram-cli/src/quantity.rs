//! Times, rates and sizes, as people read and write them.

use std::time::Duration;

use bytesize::ByteSize;
use serde::Serialize;

/// How long something took, and how many bytes it went through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Pace {
    seconds: f64,
    /// Nothing where the clock saw no time pass.
    bytes_per_second: Option<u64>,
    #[serde(skip)]
    duration: Duration,
}

impl Pace {
    pub(crate) fn new(bytes: u64, duration: Duration) -> Self {
        Self {
            seconds: duration.as_secs_f64(),
            bytes_per_second: rate(bytes, duration),
            duration,
        }
    }

    pub(crate) const fn duration(&self) -> Duration {
        self.duration
    }

    /// The time, as `312 ms`.
    pub(crate) fn time(&self) -> String {
        time(self.duration)
    }

    /// The rate, as `1.14 GB/s`, in powers of ten.
    pub(crate) fn rate(&self) -> String {
        const UNITS: [(u64, &str); 4] = [
            (1_000_000_000_000, "TB/s"),
            (1_000_000_000, "GB/s"),
            (1_000_000, "MB/s"),
            (1_000, "kB/s"),
        ];
        self.bytes_per_second
            .map_or_else(String::new, |rate| three_digits(rate, &UNITS, "B/s"))
    }
}

/// Reads a time as `60s`, `1h 30m` or `250ms`, of a millisecond at least and a year at most.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(366 * 24 * 3600);
    let parsed: jiff::SignedDuration = text
        .parse()
        .map_err(|_invalid| "give a number and a unit, as 60s, 5m or 1h".to_owned())?;
    let duration = Duration::try_from(parsed).ok();
    duration
        .filter(|duration| (LEAST..=MOST).contains(duration))
        .ok_or_else(|| "give 1ms at least and 366 days at most".to_owned())
}

/// A time, as `312 ms`.
pub(crate) fn time(duration: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    three_digits(nanos, &UNITS, "ns")
}

fn rate(bytes: u64, duration: Duration) -> Option<u64> {
    let rate = u128::from(bytes)
        .saturating_mul(1_000_000_000)
        .checked_div(duration.as_nanos())?;
    u64::try_from(rate).ok()
}

/// A value in the largest unit that it reaches, to three digits, rounded down.
fn three_digits(value: u64, units: &[(u64, &str)], smallest: &str) -> String {
    let Some((unit, name)) = units.iter().find(|(unit, _)| value >= *unit) else {
        return format!("{value} {smallest}");
    };
    let whole = value.checked_div(*unit).unwrap_or(0);
    let rest = value.checked_rem(*unit).unwrap_or(0);
    let hundredths = u128::from(rest)
        .saturating_mul(100)
        .checked_div(u128::from(*unit))
        .unwrap_or(0);
    match whole {
        0..10 => format!("{whole}.{hundredths:02} {name}"),
        10..100 => format!("{whole}.{} {name}", hundredths / 10),
        _ => format!("{whole} {name}"),
    }
}

/// Reads a size: bytes, or a number with a unit, as `40GiB` (powers of 1024) or `40GB` (of 1000).
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let size = text.parse::<ByteSize>();
    size.map(|size| size.as_u64())
        .map_err(|_| "give a number of bytes, or one with a unit, as 512MiB or 40GiB".to_owned())
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "tests compute on known values"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_read_well() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_999, "1.99 µs"),
            (31_260_000, "31.2 ms"),
            (312_000_000, "312 ms"),
            (1_005_000_000, "1.00 s"),
            (3_600_000_000_000, "3600 s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn rates_are_bytes_by_time() {
        let pace = Pace::new(3_000_000_000, Duration::from_millis(1500));
        assert_eq!(pace.rate(), "2.00 GB/s");
        assert_eq!(pace.bytes_per_second, Some(2_000_000_000));

        let instant = Pace::new(1, Duration::ZERO);
        assert_eq!(
            (instant.rate().as_str(), instant.time().as_str()),
            ("", "0 ns")
        );
    }

    #[test]
    fn the_largest_figures_are_shown_too() {
        let pace = Pace::new(u64::MAX, Duration::from_secs(1));
        assert_eq!(pace.rate(), "18446744 TB/s");
        assert_eq!(Pace::new(u64::MAX, Duration::from_nanos(1)).rate(), "");
    }

    #[test]
    fn sizes_are_read_with_and_without_units() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("40GiB"), Ok(40 << 30));
        assert_eq!(parse_size("1.5 MiB"), Ok(3 << 19));
        assert_eq!(parse_size("2GB"), Ok(2_000_000_000));
        for bad in ["", "GiB", "-1", "1 parsec", "0x10", "1e9"] {
            assert!(parse_size(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        for bad in ["", "10", "0s", "-1s", "1 parsec", "10m ago", "367d"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_number_of_bytes_is_read_exactly_and_with_its_unit(number in 0..=u64::from(u32::MAX)) {
            prop_assert_eq!(parse_size(&number.to_string()), Ok(number));
            for (unit, bytes) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("kB", 1000), ("MB", 1_000_000)] {
                let text = format!("{number}{unit}");
                prop_assert_eq!(parse_size(&text), Ok(number.saturating_mul(bytes)), "{}", text);
            }
        }

        #[test]
        fn a_time_is_read_exactly_and_only_within_the_limits(millis in 0..40_000_000_000_u64) {
            let read = parse_duration(&format!("{millis}ms"));
            let year = 366 * 24 * 3600 * 1000;
            if (1..=year).contains(&millis) {
                prop_assert_eq!(read, Ok(Duration::from_millis(millis)));
            } else {
                prop_assert!(read.is_err());
            }
        }

        #[test]
        fn whatever_is_given_for_a_size_or_a_time_is_answered(text in "[0-9.]{0,24} ?[a-zA-Z]{0,4}|\\PC{0,20}") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert!(duration >= Duration::from_millis(1), "{}", text);
            }
            if parse_size(&text).is_ok() {
                prop_assert!(text.contains(|character: char| character.is_ascii_digit()), "{}", text);
            }
        }

        #[test]
        fn a_shown_time_is_the_time_rounded_down_to_three_digits(nanos: u64) {
            let shown = time(Duration::from_nanos(nanos));
            let (number, unit) = shown.split_once(' ').unwrap();
            let unit = match unit {
                "ns" => 1,
                "µs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000_u128,
                other => return Err(TestCaseError::fail(format!("the unit {other}"))),
            };
            let digits = number.replace('.', "");
            let places = number.split_once('.').map_or(0, |(_, places)| places.len());
            let step = unit / 10_u128.pow(places.try_into().unwrap());
            let least = digits.parse::<u128>().unwrap() * step;
            prop_assert!((least..least + step).contains(&u128::from(nanos)), "{} is shown as {}", nanos, shown);
        }
    }
}
