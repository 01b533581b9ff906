//! Hashing beside what `ring` alone needs for the same work on as many threads.
//!
//! Two pairs: both digests on two threads, and the verity digest alone on all of them. Each pair is
//! measured by criterion on 32 MiB, then in turn on 1 GiB, where the ratio of the best times is
//! printed. `-- --test` runs everything once on little data.
#![expect(
    clippy::cast_precision_loss,
    reason = "rates are shown with three digits"
)]
#![expect(
    clippy::print_stdout,
    reason = "the ratio is what this benchmark is for"
)]

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput};
use ring::digest::{SHA256, digest};
use vram_seal::{HashPlan, Salt, hash_bytes, verity::BLOCK_SIZE};

const MIB: usize = 1 << 20;
/// How much better or worse each side may come out by chance is levelled by taking turns.
const ROUNDS: usize = 5;
/// What the ratio of both digests must not exceed.
const LIMIT: f64 = 1.15;

fn main() {
    let once = std::env::args().any(|argument| argument == "--test");
    let threads = rayon::current_num_threads();
    let data: Vec<u8> = (0..if once { MIB } else { 1024 * MIB })
        .map(|at| (at >> 12 ^ at).to_le_bytes()[0])
        .collect();

    let sample = data.get(..32 * MIB).unwrap_or(&data);
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut group = criterion.benchmark_group("hashing");
    group.throughput(Throughput::Bytes(sample.len() as u64));
    let mut bench = |name: &str, threads: usize, work: &dyn Fn(&[u8])| {
        let id = BenchmarkId::new(name, threads);
        group.bench_with_input(id, sample, |bencher, sample| bencher.iter(|| work(sample)));
    };
    bench("both/vram-seal", threads, &|data| {
        ours(data, HashPlan::BOTH);
    });
    bench("both/ring", 2, &ring_both);
    bench("verity/vram-seal", threads, &|data| {
        ours(data, HashPlan::VERITY);
    });
    bench("verity/ring", threads, &|data| ring_blocks(data, threads));
    group.finish();

    let rounds = if once { 1 } else { ROUNDS };
    println!(
        "\n{} MiB, best of {rounds} rounds in turn, {threads} threads",
        data.len() / MIB
    );
    let both = compare(
        "both digests",
        &data,
        rounds,
        &|data| ours(data, HashPlan::BOTH),
        &ring_both,
    );
    let verdict = if both <= LIMIT { "within" } else { "OVER" };
    println!("  {verdict} the limit of {LIMIT} for two threads");
    compare(
        "verity digest alone",
        &data,
        rounds,
        &|data| ours(data, HashPlan::VERITY),
        &|data| ring_blocks(data, threads),
    );
}

fn ours(data: &[u8], plan: HashPlan) {
    black_box(hash_bytes(data, plan, &Salt::none()));
}

/// The content digest on one thread, the digest of every block on another.
fn ring_both(data: &[u8]) {
    thread::scope(|scope| {
        scope.spawn(|| black_box(digest(&SHA256, data)));
        ring_blocks(data, 1);
    });
}

/// The digest of every block, on so many threads.
fn ring_blocks(data: &[u8], threads: usize) {
    let share = data.len().div_ceil(threads).next_multiple_of(BLOCK_SIZE);
    thread::scope(|scope| {
        for share in data.chunks(share) {
            scope.spawn(move || {
                for block in share.chunks(BLOCK_SIZE) {
                    black_box(digest(&SHA256, block));
                }
            });
        }
    });
}

/// Prints both times and their ratio, and returns the ratio.
fn compare(
    name: &str,
    data: &[u8],
    rounds: usize,
    ours: &dyn Fn(&[u8]),
    ring: &dyn Fn(&[u8]),
) -> f64 {
    let time = |work: &dyn Fn(&[u8])| {
        let start = Instant::now();
        work(data);
        start.elapsed().as_secs_f64()
    };
    let (ours, ring) = (0..rounds).fold((f64::MAX, f64::MAX), |(best_ours, best_ring), _| {
        (best_ours.min(time(ours)), best_ring.min(time(ring)))
    });
    let (ratio, rate) = (ours / ring, |seconds: f64| {
        data.len() as f64 / seconds / 1e9
    });
    println!(
        "  {name}: vram-seal {ours:.3} s ({:.2} GB/s), ring {ring:.3} s ({:.2} GB/s), ratio {ratio:.3}",
        rate(ours),
        rate(ring),
    );
    ratio
}
