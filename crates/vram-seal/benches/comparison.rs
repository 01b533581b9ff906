//! Whether comparing takes a time that says where two values differ: Welch's t-test.
//!
//! Two classes of input, drawn at random, are compared with the same reference: values that differ
//! from it in the first byte, and values that differ in the last. A comparison that stops at the
//! first difference tells them apart at once. |t| under 4.5 is what leakage assessments demand
//! (Goodwill et al., "A testing methodology for side-channel resistance validation"). A comparison
//! of slices is measured first: it shows that this test would see a leak.
#![expect(
    clippy::cast_precision_loss,
    reason = "nanoseconds and counts are far below 2^52"
)]
#![expect(clippy::print_stdout, reason = "t is what this benchmark is for")]

use std::{hint::black_box, time::Instant};

use vram_seal::{Digest, SealTag};

/// What |t| must stay under.
const LIMIT: f64 = 4.5;
/// How many comparisons are timed together: one alone is shorter than the clock's step.
const BATCH: u32 = 256;

/// Count, mean and sum of squared deviations, updated sample by sample (Welford).
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, sample: f64) {
        self.count += 1.0;
        let from_old = sample - self.mean;
        self.mean += from_old / self.count;
        self.squares += from_old * (sample - self.mean);
    }

    /// The variance of the mean.
    fn spread(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// Which class comes next, as a coin would have it.
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 & 1 == 0
    }
}

fn main() {
    let once = std::env::args().any(|argument| argument == "--test");
    let samples: u32 = if once { 100 } else { 200_000 };

    let same = [0x5a; 32];
    let (mut first, mut last) = (same, same);
    first[0] ^= 1;
    last[31] ^= 1;

    let slices = |value: [u8; 32]| {
        move || {
            let reference = black_box(same);
            reference
                .iter()
                .zip(&black_box(value))
                .all(|(one, other)| one == other)
        }
    };
    report(
        "byte by byte until they differ",
        samples,
        slices(first),
        slices(last),
    );

    let digests =
        |value| move || black_box(Digest::from_bytes(same)) == black_box(Digest::from_bytes(value));
    report("Digest", samples, digests(first), digests(last));

    let tag = |value: &[u8; 32]| SealTag::from_bytes(value).ok();
    let tags = |value: [u8; 32]| {
        let (reference, value) = (tag(&same), tag(&value));
        move || black_box(reference) == black_box(value)
    };
    report("SealTag", samples, tags(first), tags(last));
}

/// Measures both classes in random order and prints t.
fn report(name: &str, samples: u32, first: impl Fn() -> bool, last: impl Fn() -> bool) {
    let mut coin = Coin(0x2545_f491_4f6c_dd1d);
    let mut times: Vec<(bool, f64)> = (0..samples)
        .map(|_| {
            let is_first = coin.toss();
            let nanos = if is_first { time(&first) } else { time(&last) };
            (is_first, nanos)
        })
        .collect();

    // The slowest tenth was interrupted: it measures the machine.
    let mut sorted: Vec<f64> = times.iter().map(|(_, nanos)| *nanos).collect();
    sorted.sort_by(f64::total_cmp);
    let bound = sorted
        .get(sorted.len().saturating_mul(9) / 10)
        .copied()
        .unwrap_or(f64::MAX);
    times.retain(|(_, nanos)| *nanos <= bound);

    let (mut one, mut other) = (Moments::default(), Moments::default());
    for (is_first, nanos) in times {
        if is_first {
            one.add(nanos);
        } else {
            other.add(nanos);
        }
    }
    let t = (one.mean - other.mean) / (one.spread() + other.spread()).sqrt();
    let verdict = if t.abs() < LIMIT {
        "shows no leak"
    } else {
        "LEAKS"
    };
    println!(
        "{name}: first byte {:.2} ns, last byte {:.2} ns, t = {t:.2}: {verdict}",
        one.mean, other.mean
    );
}

/// Nanoseconds for one comparison, over a batch.
fn time(compare: impl Fn() -> bool) -> f64 {
    let start = Instant::now();
    for _ in 0..BATCH {
        black_box(compare());
    }
    start.elapsed().as_nanos() as f64 / f64::from(BATCH)
}
