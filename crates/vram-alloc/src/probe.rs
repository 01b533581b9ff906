//! Probes of a device's limits: how fast it compresses, and how fast it reads.

use core::fmt;
use std::sync::Arc;

use vram_kernels::{
    Kernel, PROBE_STATE_SIZE, PROBE_UNIT, PROBES_PTX, ProbeReadArgs, ProbeRegistersArgs,
    THREADS_PER_BLOCK,
};
use vram_sys::CUfunction;

use crate::kernels::Module;
use crate::span::{Span, SpanMut};
use crate::stream::Stream;
use crate::{Device, Error, Result};

/// The probe kernels, loaded into a device's context.
///
/// What they work for is a rate: put a [`Stopwatch`](crate::Stopwatch) around a launch. What they
/// write shows that the work was done.
///
/// ```
/// # use vram_alloc::{Allocator, AllocatorConfig, Platform, Probes, ReadSum, Stream};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let machine = vram_sim::Machine::builder().device(vram_sim::DeviceModel::h100()).build()?;
/// # let device = Platform::with_driver(machine.driver())?.open(0)?;
/// # let allocator = Allocator::new(&device, AllocatorConfig::default())?;
/// let mut data = allocator.allocate(40)?;
/// data.write(0, &[1; 40])?;
/// let probes = Probes::load(&device)?;
/// let stream = Stream::new(&device)?;
///
/// let mut sums = allocator.allocate_scratch(probes.sums_len())?;
/// let mut room = sums.span_mut(0, probes.sums_len())?;
/// probes.read(&stream, data.span(0, 40)?, &mut room)?;
/// stream.synchronize()?;
///
/// let mut written = vec![0; usize::try_from(probes.sums_len())?];
/// sums.read_back(0, &mut written)?;
/// // Two units of 16 bytes cancel out; the last 8 bytes are left.
/// assert_eq!(ReadSum::of_sums(&written), ReadSum::of_data(&[1; 40]));
/// # Ok(())
/// # }
/// ```
pub struct Probes {
    module: Module,
    registers: CUfunction,
    read: CUfunction,
    multiprocessors: u64,
}

// SAFETY: module and function handles are taken by the driver from any thread.
unsafe impl Send for Probes {}
// SAFETY: as for Send; launches from several threads are the driver's to order.
unsafe impl Sync for Probes {}

/// Blocks for each multiprocessor when compressing. Few that run side by side to the end: which number a chip does
/// best with differs. And several times what any runs at a time, a multiple of whatever number that is, so that
/// none idles at the end.
const REGISTER_BLOCKS: [u64; 4] = [4, 6, 8, 120];
/// Blocks for each multiprocessor when reading: as many as it runs at a time.
const READ_BLOCKS: u64 = 8;

impl Probes {
    /// Loads the probes: the driver compiles their PTX for the device, or finds it in its cache.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] if the driver can't compile or load them.
    pub fn load(device: &Device) -> Result<Self> {
        let module = Module::load(Arc::clone(device.context()), PROBES_PTX)?;
        let registers = module.function(Kernel::ProbeRegisters)?;
        let read = module.function(Kernel::ProbeRead)?;
        let multiprocessors = device.properties().multiprocessors;
        Ok(Self {
            module,
            registers,
            read,
            multiprocessors: u64::try_from(multiprocessors).unwrap_or(1).max(1),
        })
    }

    /// Bytes of states for a [`compress`](Self::compress) that keeps the whole device busy, in several ways: which
    /// one is the fastest depends on the chip.
    #[must_use]
    pub fn states_lens(&self) -> [u64; 4] {
        REGISTER_BLOCKS.map(|blocks| self.threads(blocks).saturating_mul(PROBE_STATE_SIZE))
    }

    /// Bytes of sums for a [`read`](Self::read) that keeps the whole device busy.
    #[must_use]
    pub const fn sums_len(&self) -> u64 {
        self.threads(READ_BLOCKS).saturating_mul(PROBE_UNIT)
    }

    const fn threads(&self, blocks: u64) -> u64 {
        // Lossless: a u32.
        self.multiprocessors
            .saturating_mul(blocks)
            .saturating_mul(THREADS_PER_BLOCK as u64)
    }

    /// Has a thread for every 32 bytes of `states` do so many SHA-256 compressions in a row, with
    /// everything in registers, and write its state there. The number of compressions, 64 bytes
    /// each, is returned. The work is on the stream.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDevice`] for a range of another device; [`Error::BadSetting`] for one that
    /// isn't aligned to 16 bytes, or longer than one launch can fill; [`Error::Driver`],
    /// [`Error::DeviceLost`].
    pub fn compress(
        &self,
        stream: &Stream,
        compressions: u32,
        states: &mut SpanMut<'_>,
    ) -> Result<u64> {
        let operation = "compressing";
        stream.same_context(&self.module.context, operation)?;
        stream.same_context(states.context(), operation)?;
        require_aligned("the states' offset", states.address())?;
        let threads = states.len().checked_div(PROBE_STATE_SIZE).unwrap_or(0);
        if threads == 0 {
            return Ok(0);
        }
        let args = ProbeRegistersArgs::new(states.address(), threads, compressions);
        // SAFETY: the kernel reads nothing and writes 32 bytes a thread, all of which fit in
        // `states`, a range of a living region that is borrowed alone.
        unsafe { self.module.launch(stream, self.registers, threads, args) }?;
        Ok(threads.saturating_mul(u64::from(compressions)))
    }

    /// Reads every byte of `data` once, 16 at a time, with a thread for every 16 bytes of `sums`,
    /// and writes there the exclusive or of what each thread has read: see [`ReadSum`]. The number
    /// of bytes read is returned. The work is on the stream.
    ///
    /// # Errors
    ///
    /// As [`compress`](Self::compress), for either range.
    pub fn read(&self, stream: &Stream, data: Span<'_>, sums: &mut SpanMut<'_>) -> Result<u64> {
        let operation = "reading";
        stream.same_context(&self.module.context, operation)?;
        stream.same_context(data.context(), operation)?;
        stream.same_context(sums.context(), operation)?;
        require_aligned("the data's offset", data.address())?;
        require_aligned("the sums' offset", sums.address())?;
        let threads = sums.len().checked_div(PROBE_UNIT).unwrap_or(0);
        if threads == 0 {
            return Ok(0);
        }
        let args = ProbeReadArgs::new(data.address(), data.len(), sums.address(), threads);
        // SAFETY: the kernel reads within `data` and writes 16 bytes a thread, all of which fit in
        // `sums`; both are ranges of living regions, and `sums` is borrowed alone.
        unsafe { self.module.launch(stream, self.read, threads, args) }?;
        Ok(data.len())
    }
}

fn require_aligned(setting: &'static str, address: u64) -> Result<()> {
    // A constant that isn't zero: the division always has a result.
    match address.checked_rem(PROBE_UNIT).unwrap_or(0) {
        0 => Ok(()),
        value => Err(Error::BadSetting {
            setting,
            value,
            expected: "a multiple of 16 bytes",
        }),
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probes")
            .field("lost", &self.module.context.is_lost())
            .finish_non_exhaustive()
    }
}

/// The exclusive or of the 16-byte units of some data, the last padded with zeros: what
/// [`Probes::read`] shows of every byte having been read.
///
/// It is no digest: anyone can make data of a given sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReadSum(pub [u8; 16]);

impl ReadSum {
    /// The sum of bytes that are in host memory.
    #[must_use]
    pub fn of_data(data: &[u8]) -> Self {
        let mut sum = [0; 16];
        for unit in data.chunks(sum.len()) {
            for (total, byte) in sum.iter_mut().zip(unit) {
                *total ^= byte;
            }
        }
        Self(sum)
    }

    /// The sum of the data, from what [`Probes::read`] wrote.
    #[must_use]
    pub fn of_sums(sums: &[u8]) -> Self {
        Self::of_data(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_the_exclusive_or_of_its_units() {
        assert_eq!(ReadSum::of_data(&[]), ReadSum::default());
        assert_eq!(ReadSum::of_data(&[0b1100; 16]), ReadSum([0b1100; 16]));
        let two = [[0b1100; 16], [0b1010; 16]].concat();
        assert_eq!(ReadSum::of_data(&two), ReadSum([0b0110; 16]));
        // The last unit is padded with zeros.
        let mut sum = [0b1100; 16];
        sum[0] = 0b0110;
        assert_eq!(ReadSum::of_data(&two[..17]), ReadSum(sum));
        assert_eq!(ReadSum::of_sums(&two), ReadSum([0b0110; 16]));
    }
}
