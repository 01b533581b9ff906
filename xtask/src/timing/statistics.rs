//! Welch's t-test, as dudect applies it.

use serde::Serialize;

use super::samples::{Class, Sample};

/// |t| below which nothing is found.
pub(super) const NOTHING_BELOW: f64 = 4.5;
/// |t| from which on it is a leak.
pub(super) const LEAK_FROM: f64 = 10.0;
/// How many percentiles the measurements are cropped at.
const CROPS: u32 = 100;
/// So many first measurements say where the percentiles lie. They are not tested themselves: what is cropped
/// must not depend on what is tested.
const CALIBRATION: usize = 10_000;
/// A test counts once it has so many measurements of each class.
const ENOUGH: f64 = 10_000.0;

/// What a subject's t amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// No difference was found.
    Nothing,
    /// More measurements are needed.
    Unclear,
    /// The time depends on the value.
    Leaks,
}

impl Verdict {
    fn of(t: f64) -> Self {
        let t = t.abs();
        if t < NOTHING_BELOW {
            Self::Nothing
        } else if t < LEAK_FROM {
            Self::Unclear
        } else {
            // Not a number is not below anything, and must not pass.
            Self::Leaks
        }
    }
}

/// Which measurements a test is over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Over {
    /// All of them.
    All,
    /// Those that took less than so many nanoseconds.
    Below(f64),
    /// The squared deviations from the mean of their class.
    Squares,
}

/// The outcome of one t-test.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Tested {
    pub(super) over: Over,
    pub(super) t: f64,
}

/// What the measurements of a subject show.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    /// The test with the greatest |t|.
    pub(super) greatest: Tested,
    /// How many tests had enough measurements to count.
    pub(super) tests: usize,
    /// The means' difference, fixed less random, in nanoseconds, of measurements without the slowest twentieth;
    /// and its standard error.
    pub(super) difference: f64,
    pub(super) standard_error: f64,
}

/// Count, mean and sum of squared deviations, updated sample by sample (Welford).
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let from_old = value - self.mean;
        self.mean += from_old / self.count;
        self.squares += from_old * (value - self.mean);
    }

    /// Of both together (Chan, Golub and `LeVeque`).
    fn with(self, other: Self) -> Self {
        if self.count == 0.0 || other.count == 0.0 {
            return if self.count == 0.0 { other } else { self };
        }
        let count = self.count + other.count;
        let apart = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + apart * other.count / count,
            squares: self.squares
                + other.squares
                + apart * apart * self.count * other.count / count,
        }
    }

    /// The variance of the mean.
    fn spread(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// Both classes' moments.
#[derive(Clone, Copy, Debug, Default)]
struct Welch {
    fixed: Moments,
    random: Moments,
}

impl Welch {
    fn add(&mut self, class: Class, value: f64) {
        self.of_mut(class).add(value);
    }

    fn with(self, other: Self) -> Self {
        Self {
            fixed: self.fixed.with(other.fixed),
            random: self.random.with(other.random),
        }
    }

    fn of_mut(&mut self, class: Class) -> &mut Moments {
        match class {
            Class::Fixed => &mut self.fixed,
            Class::Random => &mut self.random,
        }
    }

    fn difference(&self) -> f64 {
        self.fixed.mean - self.random.mean
    }

    fn standard_error(&self) -> f64 {
        (self.fixed.spread() + self.random.spread()).sqrt()
    }

    fn has_enough(&self) -> bool {
        self.fixed.count >= ENOUGH && self.random.count >= ENOUGH
    }

    /// Two classes without any variance agree if their means do; otherwise nothing differs more.
    fn t(&self) -> f64 {
        let (difference, error) = (self.difference(), self.standard_error());
        if difference == 0.0 {
            0.0
        } else {
            difference / error
        }
    }
}

/// Judges a subject by its measurements; none if they are too few.
pub(super) fn judge(samples: &[Sample]) -> Option<Judged> {
    let (calibration, tested) = samples.split_at_checked(CALIBRATION)?;
    let crops = crops(calibration);
    let mut all = Welch::default();
    let mut squares = Welch::default();
    // Between two crops each; those below a crop are those of all before it.
    let mut between: Vec<Welch> = crops.iter().map(|_| Welch::default()).collect();
    let mut most = Welch::default();
    let most_below = quantile(calibration, 0.95);
    for Sample { class, nanos } in tested.iter().copied() {
        all.add(class, nanos);
        let place = crops.partition_point(|crop| *crop <= nanos);
        if let Some(welch) = between.get_mut(place) {
            welch.add(class, nanos);
        }
        if nanos <= most_below {
            most.add(class, nanos);
        }
        // Once the means are about what they will be.
        if all.has_enough() {
            let deviation = nanos - all.of_mut(class).mean;
            squares.add(class, deviation * deviation);
        }
    }
    let mut below = Welch::default();
    let cropped = crops.iter().zip(between).map(|(crop, welch)| {
        below = below.with(welch);
        (Over::Below(*crop), below)
    });
    let tests = [(Over::All, all), (Over::Squares, squares)];
    let counted: Vec<_> = tests
        .into_iter()
        .chain(cropped)
        .filter(|(_, welch)| welch.has_enough())
        .map(|(over, welch)| Tested { over, t: welch.t() })
        .collect();
    let greatest = counted
        .iter()
        .copied()
        .max_by(|one, other| one.t.abs().total_cmp(&other.t.abs()))?;
    Some(Judged {
        verdict: Verdict::of(greatest.t),
        greatest,
        tests: counted.len(),
        difference: most.difference(),
        standard_error: most.standard_error(),
    })
}

/// Where the measurements are cropped: densely among the slow ones, as interruptions make those. Equal ones
/// count once.
fn crops(calibration: &[Sample]) -> Vec<f64> {
    let quantiles = (1..=CROPS).map(|crop| {
        let share = 10.0 * f64::from(crop) / f64::from(CROPS);
        quantile(calibration, 1.0 - 0.5_f64.powf(share))
    });
    let mut crops: Vec<f64> = quantiles.collect();
    crops.dedup();
    crops
}

/// The time that this share of the measurements stays below.
fn quantile(samples: &[Sample], share: f64) -> f64 {
    let mut times: Vec<f64> = samples.iter().map(|sample| sample.nanos).collect();
    times.sort_by(f64::total_cmp);
    // Found by counting: a number of measurements is a whole one.
    let mut below = 0.0;
    let all: f64 = times.iter().map(|_| 1.0).sum();
    for time in &times {
        below += 1.0;
        if below >= share * all {
            return *time;
        }
    }
    f64::INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, the same each time.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        /// About normal, of mean 0 and variance 1.
        fn normal(&mut self) -> f64 {
            let uniform =
                |bits: u64| f64::from(u32::try_from(bits >> 32).unwrap()) / 2_f64.powi(32);
            let sum: f64 = (0..12).map(|_| uniform(self.next())).sum();
            sum - 6.0
        }
    }

    /// Measurements of mean 200 with some that were interrupted; `fixed` changes those of the fixed class.
    fn samples(count: usize, seed: u64, fixed: impl Fn(f64) -> f64) -> Vec<Sample> {
        let mut numbers = Numbers(seed);
        let mut take = || {
            let random = numbers.next() >> 63 == 1;
            let mut nanos = numbers.normal().mul_add(10.0, 200.0);
            if numbers.next().is_multiple_of(500) {
                nanos += 40_000.0;
            }
            if random {
                Sample {
                    class: Class::Random,
                    nanos,
                }
            } else {
                Sample {
                    class: Class::Fixed,
                    nanos: fixed(nanos),
                }
            }
        };
        (0..count).map(|_| take()).collect()
    }

    #[test]
    fn the_same_times_in_both_classes_are_no_leak() {
        for seed in 1..=8 {
            let judged = judge(&samples(60_000, seed, |nanos| nanos)).unwrap();
            assert_eq!(judged.verdict, Verdict::Nothing, "seed {seed}: {judged:?}");
        }
    }

    /// A fortieth of the noise, and a thousandth of the interruptions: cropping finds it, all together don't.
    #[test]
    fn a_small_difference_is_found_under_interruptions() {
        let samples = samples(800_000, 7, |nanos| nanos + 0.25);
        let judged = judge(&samples).unwrap();

        assert_eq!(judged.verdict, Verdict::Leaks, "{judged:?}");
        assert!(matches!(judged.greatest.over, Over::Below(_)));
        assert!((judged.difference - 0.25).abs() < 0.1, "{judged:?}");
        let mut all = Welch::default();
        for sample in &samples {
            all.add(sample.class, sample.nanos);
        }
        assert!(all.t().abs() < NOTHING_BELOW, "{}", all.t());
    }

    #[test]
    fn times_of_one_mean_that_spread_differently_are_found() {
        // Nothing is interrupted here, so that the squares are of the spread.
        let spread = |nanos: f64| if nanos > 1000.0 { 200.0 } else { nanos };
        let mut samples = samples(200_000, 9, |nanos| nanos);
        for sample in &mut samples {
            sample.nanos = spread(sample.nanos);
            if sample.class == Class::Fixed {
                sample.nanos = (sample.nanos - 200.0).mul_add(1.2, 200.0);
            }
        }
        let judged = judge(&samples).unwrap();
        assert_eq!(judged.verdict, Verdict::Leaks, "{judged:?}");
    }

    #[test]
    fn too_few_measurements_judge_nothing() {
        assert!(judge(&samples(9_999, 3, |nanos| nanos)).is_none());
        assert!(judge(&samples(25_000, 3, |nanos| nanos)).is_none());
    }

    #[test]
    fn moments_of_parts_are_those_of_the_whole() {
        let values = [3.0, 1.5, 400.0, 2.25, 7.0, 7.0, 0.5];
        let of = |values: &[f64]| {
            let mut moments = Moments::default();
            values.iter().for_each(|value| moments.add(*value));
            moments
        };
        let whole = of(&values);
        for at in 0..=values.len() {
            let (one, other) = values.split_at(at);
            let both = of(one).with(of(other));
            assert_eq!(both.count, whole.count);
            assert!((both.mean - whole.mean).abs() < 1e-9, "{at}");
            assert!((both.squares - whole.squares).abs() < 1e-6, "{at}");
        }
    }

    #[test]
    fn welch_is_what_the_textbook_says() {
        let mut welch = Welch::default();
        for value in [27.5, 21.0, 19.0, 23.6, 17.0, 17.9] {
            welch.add(Class::Fixed, value);
        }
        for value in [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0] {
            welch.add(Class::Random, value);
        }
        // Means 21 and 23.5; sums of squares 78.62 and 30.06 by hand.
        let expected = -2.5 / (78.62_f64 / 5.0 / 6.0 + 30.06 / 7.0 / 8.0).sqrt();
        assert!((welch.t() - expected).abs() < 1e-9, "{}", welch.t());
    }

    #[test]
    fn verdicts_follow_the_thresholds_and_no_number_is_no_pass() {
        for (t, verdict) in [
            (0.0, Verdict::Nothing),
            (-4.49, Verdict::Nothing),
            (4.5, Verdict::Unclear),
            (-9.99, Verdict::Unclear),
            (10.0, Verdict::Leaks),
            (f64::INFINITY, Verdict::Leaks),
            (f64::NAN, Verdict::Leaks),
        ] {
            assert_eq!(Verdict::of(t), verdict, "{t}");
        }
    }

    #[test]
    fn classes_without_variance_agree_or_differ() {
        let constant = |fixed: f64| {
            let mut samples = samples(60_000, 11, |_| fixed);
            for sample in &mut samples {
                if sample.class == Class::Random {
                    sample.nanos = 200.0;
                }
            }
            judge(&samples).unwrap().verdict
        };
        assert_eq!(constant(200.0), Verdict::Nothing);
        assert_eq!(constant(201.0), Verdict::Leaks);
    }
}
