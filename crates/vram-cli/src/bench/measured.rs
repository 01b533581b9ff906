//! A value that was measured several times.

use std::time::{Duration, Instant};

/// Every repetition's value, and of what.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    /// In the order they were taken. Never empty.
    samples: Vec<f64>,
    /// What was measured, its size above all.
    pub(super) note: String,
    /// Bytes that each repetition went through, where the unit is a time.
    pub(super) bytes: Option<u64>,
    /// Whether it was measured at the size that targets are for.
    pub(super) full_size: bool,
}

impl Measured {
    pub(super) fn new(samples: Vec<f64>, note: impl Into<String>) -> anyhow::Result<Self> {
        let sound = !samples.is_empty() && samples.iter().all(|sample| sample.is_finite());
        anyhow::ensure!(sound, "the clock saw no time pass");
        Ok(Self {
            samples,
            note: note.into(),
            bytes: None,
            full_size: true,
        })
    }

    /// Says that it was measured at another size than targets are for, if so.
    pub(super) const fn at_full_size(mut self, full: bool) -> Self {
        self.full_size = full;
        self
    }

    pub(super) const fn of_bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    pub(super) fn samples(&self) -> &[f64] {
        &self.samples
    }

    /// The median: what one slow repetition can't change.
    pub(super) fn value(&self) -> f64 {
        median(&self.samples)
    }
}

/// The middle value, or the mean of the two in the middle.
pub(super) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let lower = sorted.len().saturating_sub(1) / 2;
    match (sorted.get(lower), sorted.get(upper)) {
        (Some(lower), Some(upper)) => lower.midpoint(*upper),
        _ => 0.0,
    }
}

/// A count as a floating-point number; exact up to 2^53.
pub(super) fn number(count: u64) -> f64 {
    let low = u32::try_from(count & u64::from(u32::MAX)).unwrap_or(0);
    let high = u32::try_from(count >> 32).unwrap_or(0);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

/// A rate in GB/s.
pub(super) fn rate(bytes: u64, time: Duration) -> f64 {
    number(bytes) / time.as_secs_f64() / 1e9
}

/// Bytes in MiB.
pub(super) fn mebibytes(bytes: u64) -> f64 {
    number(bytes) / 1_048_576.0
}

/// Times the work, `repetitions` times.
pub(super) fn times(
    repetitions: usize,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    (0..repetitions.max(1))
        .map(|_| {
            let started = Instant::now();
            work()?;
            Ok(started.elapsed())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_middles() {
        for (samples, middle) in [
            (&[7.0][..], 7.0),
            (&[9.0, 1.0], 5.0),
            (&[100.0, 1.0, 2.0], 2.0),
            (&[4.0, 1.0, 3.0, 2.0], 2.5),
        ] {
            assert_eq!(median(samples), middle, "{samples:?}");
        }
    }

    #[test]
    fn samples_keep_their_order() {
        let measured = Measured::new(vec![3.0, 1.0, 2.0], "").unwrap();

        assert_eq!(
            (measured.samples(), measured.value()),
            (&[3.0, 1.0, 2.0][..], 2.0)
        );
    }

    #[test]
    fn nothing_measured_is_no_value() {
        for samples in [vec![], vec![f64::INFINITY], vec![1.0, f64::NAN]] {
            assert!(Measured::new(samples, "").is_err());
        }
    }

    #[test]
    fn numbers_and_rates_are_exact_enough() {
        assert_eq!(number(0), 0.0);
        assert_eq!(number(u64::from(u32::MAX) + 1), 4_294_967_296.0);
        assert_eq!(number((1 << 53) - 1), 9_007_199_254_740_991.0);
        assert_eq!(rate(3_000_000_000, Duration::from_millis(1500)), 2.0);
        assert_eq!(mebibytes(5 << 19), 2.5);
    }

    #[test]
    fn work_is_repeated_once_at_least_and_its_error_ends_it() {
        let mut done = 0;
        let timed = times(0, || {
            done += 1;
            Ok(())
        });
        assert_eq!((timed.unwrap().len(), done), (1, 1));
        assert!(times(5, || anyhow::bail!("no")).is_err());
    }
}
