//! Seals weights, verifies them, and launches a kernel of `cust`'s over them where they lie; then measures
//! one of cust's own buffers. Fails if anything comes out differently than on the host.
//!
//! ```text
//! CUDA_LIBRARY_PATH=$(cargo xtask link-stub) \
//!     cargo run --release -p vram-residency --features cust --example cust_kernel
//! ```
//!
//! It needs a GPU. The stub is for building only: the program loads the machine's own driver.
#![expect(clippy::print_stdout, reason = "what comes out is what it is run for")]

use std::error::Error;

use cust::launch;
use cust::memory::{CopyDestination, DeviceBuffer};
use cust::module::Module;
use cust::stream::{Stream, StreamFlags};
use ring::rand::{SecureRandom, SystemRandom};
use vram_alloc::{Allocator, AllocatorConfig, Device, HashStart, Kernels, Platform};
use vram_policy::Policy;
use vram_residency::{ExecutionPermit, Manager, SealRequest};
use vram_seal::verity::{BLOCK_SIZE, GROUP_SIZE, finish_from_groups};
use vram_seal::{BlockHash, HashPlan, Salt, Token, VerityDigest, hash_bytes};

/// The kernel: `dot(weights, inputs, count, result)` adds to one f32.
const DOT: &str = include_str!("dot.ptx");
/// How many weights: 2 MiB. They are small whole numbers, so that a sum of f32 comes out the same in
/// whatever order threads add: below 2^24 every one of them is exact.
const COUNT: u32 = 1 << 19;
const HASH: u64 = 32;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result {
    // cust retains the device's primary context and makes it current; we join it.
    let _context = cust::quick_init()?;
    let device = Platform::load()?.join_current_context()?;
    println!("device: {}", device.properties().name);

    let mut secret = [0; 32];
    let random = SystemRandom::new().fill(&mut secret);
    random.map_err(|_| "the system gives no random bytes")?;
    let manager = Manager::builder()
        .token(Token::new(&secret)?, "example".parse()?)
        // For any machine that it is tried on. The default, strict, is what production is for.
        .policy(Policy::development())
        .build_on(&device)?;
    let weights = whole_numbers(13);
    let bytes: Vec<u8> = weights
        .iter()
        .flat_map(|weight| weight.to_le_bytes())
        .collect();
    let shard = manager.seal(SealRequest::bytes("weights".parse()?, &bytes))?;
    println!("sealed: {} ({:?})", shard.verity_digest(), shard.freezing());

    let inputs = whole_numbers(7);
    let expected: f64 = weights
        .iter()
        .zip(&inputs)
        .map(|(weight, input)| f64::from(*weight) * f64::from(*input))
        .sum();
    let verified = manager.verify(&shard)?;
    let found = f64::from(dot(&verified.permit, &inputs)?);
    println!("kernel over the sealed weights: {found}; on the host: {expected}");
    same(found, expected)?;
    // The kernel only read.
    println!("verified again: {}", manager.verify(&shard)?.report.verity);

    let buffer = DeviceBuffer::from_slice(&bytes)?;
    let measured = measure(&device, &buffer)?;
    let hashed = hash_bytes(&bytes, HashPlan::VERITY, &Salt::none());
    println!("cust's buffer, measured: {measured}");
    same(Some(measured), hashed.verity.map(|verity| verity.digest()))?;
    same(measured, shard.verity_digest())?;

    refuse_writes(&manager.verify(&shard)?.permit)?;
    Ok(())
}

/// So many weights, over and over the whole numbers around 0 that have `period` values.
fn whole_numbers(period: u8) -> Vec<f32> {
    let middle = f32::from(period.div_euclid(2));
    let values = (0..period).cycle().map(|value| f32::from(value) - middle);
    values.zip(0..COUNT).map(|(value, _)| value).collect()
}

/// The dot product of sealed weights with inputs, computed by a kernel that cust launches.
fn dot(permit: &ExecutionPermit<'_>, inputs: &[f32]) -> Result<f32> {
    let weights = permit.cust_slice::<f32>(0..permit.shard().size().0)?;
    let inputs = DeviceBuffer::from_slice(inputs)?;
    let result = DeviceBuffer::from_slice(&[0.0_f32])?;
    let module = Module::from_ptx(DOT, &[])?;
    // It takes turns with the stream that the copies above went through.
    let stream = Stream::new(StreamFlags::DEFAULT, None)?;
    // SAFETY: the kernel takes these four parameters. It reads COUNT elements of each of the first two,
    // which have them, and adds to the one of the last; all live until the stream has been waited for.
    let launched = unsafe {
        launch!(module.dot<<<264, 256, 0, stream>>>(
            weights.as_device_ptr(),
            inputs.as_device_ptr(),
            COUNT,
            result.as_device_ptr()
        ))
    };
    launched?;
    stream.synchronize()?;
    let mut sum = [0.0];
    result.copy_to(&mut sum)?;
    let [sum] = sum;
    Ok(sum)
}

/// The verity digest of one of cust's buffers, which stays where it is: its leaf hashes and the hashes of
/// its groups are computed on the device, the little that is above on the host.
fn measure(device: &Device, buffer: &DeviceBuffer<u8>) -> Result<VerityDigest> {
    let adopted = device.adopt_cust_buffer(buffer)?;
    let count = |len: u64, of: usize| Ok::<u64, Box<dyn Error>>(len.div_ceil(u64::try_from(of)?));
    let leaves = count(adopted.len(), BLOCK_SIZE)?;
    let groups = count(adopted.len(), GROUP_SIZE)?;
    let allocator = Allocator::new(device, AllocatorConfig::default())?;
    let mut leaf_hashes = allocator.allocate_scratch(leaves.saturating_mul(HASH))?;
    let mut group_hashes = allocator.allocate_scratch(groups.saturating_mul(HASH))?;

    let (kernels, stream) = (Kernels::load(device)?, vram_alloc::Stream::new(device)?);
    let start = HashStart::default();
    let data = adopted.span(0, adopted.len())?;
    let mut into = leaf_hashes.span_mut(0, leaves.saturating_mul(HASH))?;
    kernels.hash_blocks(&stream, data, 0, start, &mut into)?;
    let data = leaf_hashes.span(0, leaf_hashes.len())?;
    let mut into = group_hashes.span_mut(0, groups.saturating_mul(HASH))?;
    kernels.hash_blocks(&stream, data, 0, start, &mut into)?;
    stream.synchronize()?;

    let mut hashes = vec![0; usize::try_from(group_hashes.len())?];
    group_hashes.read_back(0, &mut hashes)?;
    let (hashes, _) = hashes.as_chunks::<32>();
    let hashes = hashes.iter().map(|hash| BlockHash::from_bytes(*hash));
    let measurement = finish_from_groups(hashes.collect(), adopted.len(), &Salt::none())?;
    Ok(measurement.digest())
}

/// What cust can write through is a copy of the slice, which nothing keeps from being made.
fn refuse_writes(permit: &ExecutionPermit<'_>) -> Result {
    let weights = permit.cust_slice::<f32>(0..16)?;
    let mut copy = *weights;
    match (copy.copy_from(&[0.0; 4]), permit.shard().freezing()) {
        (Err(error), _) => println!("a copy into the sealed weights is refused: {error}"),
        (Ok(()), vram_seal::Freezing::Mmu) => return Err("frozen weights were written".into()),
        (Ok(()), _) => println!("the weights are frozen in software only, and were written"),
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result {
    if found == expected {
        return Ok(());
    }
    Err(format!("found {found:?}, expected {expected:?}").into())
}
