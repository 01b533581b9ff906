//! Numbers as the pages show them.

use super::model::Lines;

/// A part of a whole in per cent, with one digit after the point, rounded down: 9,997 of 10,000 are `99.9 %`,
/// and only all of it is `100 %`. Of nothing there is no part: `–`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if part == whole && whole > 0 {
        return "100 %".to_owned();
    }
    // More than all of it is a mistake in what was counted, and no more than all of it is shown.
    let thousandths = u128::from(part.min(whole))
        .saturating_mul(1000)
        .checked_div(u128::from(whole));
    match thousandths {
        Some(thousandths) => {
            let tenths = thousandths.checked_rem(10).unwrap_or_default();
            let ones = thousandths.checked_div(10).unwrap_or_default();
            format!("{ones}.{tenths} %")
        }
        None => "–".to_owned(),
    }
}

impl Lines {
    /// See [`percent`].
    pub(crate) fn percent(self) -> String {
        percent(self.covered, self.all)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.covered = self.covered.saturating_add(other.covered);
    }
}

/// A count in groups of three digits: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(at);
        if at > 0 && left.is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A time: `0.004 s`, `12.3 s`, `4 min 05 s`.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{seconds:.3} s");
    }
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let minutes = (seconds / 60.0).floor();
    format!(
        "{minutes:.0} min {:02.0} s",
        (seconds - minutes * 60.0).floor()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_percentage_is_rounded_up_to_all_of_it() {
        assert_eq!(percent(9_997, 10_000), "99.9 %");
        assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.9 %");
        assert_eq!(percent(10_000, 10_000), "100 %");
        assert_eq!(percent(999, 1_000), "99.9 %");
        assert_eq!(percent(1_999, 2_000), "99.9 %");
    }

    #[test]
    fn a_part_is_rounded_down_to_a_tenth() {
        assert_eq!(percent(0, 7), "0.0 %");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(2, 3), "66.6 %");
    }

    #[test]
    fn nothing_has_no_parts() {
        assert_eq!(percent(0, 0), "–");
        assert_eq!(percent(5, 0), "–");
    }

    #[test]
    fn counts_and_times_are_written_for_people() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(seconds(0.0041), "0.004 s");
        assert_eq!(seconds(12.34), "12.3 s");
        assert_eq!(seconds(245.9), "4 min 05 s");
    }
}
