//! Proof of residency by measurement: how fast the device reads memory, beside what its link carries.
//!
//! The judgement is `vram-policy`'s ([`vram_policy::residency`]). Here the memory is read: window by window,
//! each several times as large as the device's cache, and each in several passes, in turns with scratch memory
//! of the device's own.

use std::fmt;
use std::time::Duration;

use vram_alloc::{
    Allocator, OpenRegion, PinnedBuffer, Probes, ReadSum, Readable, Readback, Span, Stopwatch,
    Stream,
};
use vram_policy::DeviceFacts;
use vram_policy::residency::{
    LinkEvidence, NEEDED_CACHES, Rate, RateSource, ResidencyEvidence, ResidencyVerdict, Streamed,
};

use crate::{Error, Result};

/// Passes that are timed, over each window. One before them isn't: it brings the device's clocks up.
const PASSES: u8 = 5;

/// Windows are this many times as large as they must be, where there is as much memory: the less of a pass the
/// cache can answer, the more of it counts.
const ROOM: u64 = 2;

/// What windows start at a multiple of, in bytes.
const ALIGNMENT: u64 = 4096;

/// What is copied at a time to find out what the link carries, and how often in a row.
const COPY: usize = 16 << 20;
const COPIES: u64 = 4;
/// Rows of copies, of which the fastest counts; the first also wakes the link up.
const ROWS: usize = 4;

/// Bytes of sums on a simulated device, where each thread is the processor's work.
const SIMULATED_SUMS: u64 = 16 << 10;

/// Bytes whose sum is known beforehand, for the probe to prove that it reads.
const KNOWN: usize = 100_003;

/// Measures where memory lies, by how fast the device reads it.
///
/// A [`Manager`](crate::Manager) does this for its shards ([`Manager::residency_proof`]); by itself it needs an
/// allocator and a kernel that reads, and works where a policy refuses a manager.
///
/// [`Manager::residency_proof`]: crate::Manager::residency_proof
pub struct ResidencyProver {
    allocator: Allocator,
    probes: Probes,
    stream: Stream,
    watch: Stopwatch,
    /// What the threads of a pass write, to show that they have read.
    sums: OpenRegion,
    written: Readback,
    /// The best that copies to the device have reached.
    copy: Option<Rate>,
}

impl ResidencyProver {
    /// Loads the kernel, and has it prove on known bytes that it reads them all.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`]: the driver can't compile the kernel, the device has no room for its sums, or it
    /// doesn't read what it should ([`vram_alloc::Error::SelfTest`]).
    pub fn new(allocator: &Allocator) -> Result<Self> {
        let device = allocator.device();
        let probes = Probes::load(device)?;
        let len = if device.properties().simulated {
            SIMULATED_SUMS
        } else {
            probes.sums_len()
        };
        let mut prover = Self {
            allocator: allocator.clone(),
            probes,
            stream: Stream::new(device)?,
            watch: Stopwatch::new(device)?,
            sums: allocator.allocate_scratch(len)?,
            written: Readback::new(device, usize::try_from(len).unwrap_or(1))?,
            copy: None,
        };
        prover.self_test()?;
        Ok(prover)
    }

    /// Measures memory, with what is known of the device and its link. What is read is the memory as it is: a
    /// verdict says where bytes lie, not which ones they are.
    ///
    /// Each pass must find the same bytes, and must have overwritten what was put where its results go: a kernel
    /// that did nothing, or that didn't read, proves nothing.
    ///
    /// # Errors
    ///
    /// [`Error::UnsteadyRead`] if two passes differ; [`Error::Memory`] for memory of another device, and if the
    /// device fails.
    pub fn prove(
        &mut self,
        memory: &dyn Readable,
        facts: &DeviceFacts,
    ) -> Result<ResidencyVerdict> {
        let cache = self.cache();
        let window = cache.and_then(|bytes| bytes.checked_mul(NEEDED_CACHES.saturating_mul(ROOM)));
        let windows = windows(memory.len(), window.unwrap_or(u64::MAX));
        let copy = self.measured_copy()?;
        let control = self.control(&windows)?;
        let (mut of_memory, mut of_control) = (Vec::new(), Vec::new());
        for (offset, len) in windows {
            let (taken, beside) = self.window(memory.span(offset, len)?, control.as_ref())?;
            of_memory.push((len, taken));
            if let Some(control) = &control {
                of_control.push((control.len(), beside));
            }
        }
        let control_len = control.as_ref().map_or(0, OpenRegion::len);
        Ok(self.evidence(
            RateSource::Read,
            streamed(memory.len(), &of_memory),
            streamed(control_len, &of_control),
            LinkEvidence::new(facts, copy),
        ))
    }

    /// The best that copies from page-locked memory to the device reach. It is measured once.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if there is no memory to copy from or to.
    pub fn measured_copy(&mut self) -> Result<Option<Rate>> {
        if self.copy.is_none() {
            self.copy = self.measure_copy()?;
        }
        Ok(self.copy)
    }

    fn measure_copy(&mut self) -> Result<Option<Rate>> {
        let device = self.allocator.device().clone();
        let len = u64::try_from(COPY).unwrap_or(u64::MAX);
        let mut buffer = PinnedBuffer::new(&device, COPY)?;
        let mut region = self.allocator.allocate_scratch(len)?;
        let mut best = None;
        for _ in 0..ROWS {
            self.watch.start(&self.stream)?;
            for _ in 0..COPIES {
                buffer.upload(&self.stream, &mut region.span_mut(0, len)?)?;
            }
            self.watch.stop(&self.stream)?;
            let elapsed = nanos(self.watch.elapsed()?);
            best = best.max(Rate::of(len.saturating_mul(COPIES), elapsed));
        }
        Ok(best)
    }

    /// Scratch of the device's own, as large as a window; none where there is no room for it.
    fn control(&self, windows: &[(u64, u64)]) -> Result<Option<OpenRegion>> {
        let len = windows.iter().map(|(_, len)| *len).max().unwrap_or(1);
        match self.allocator.allocate_scratch(len) {
            Ok(mut region) => {
                region.span_mut(0, len)?.fill(&self.stream, 0x5a)?;
                Ok(Some(region))
            }
            Err(error) if error.is_retriable() => {
                tracing::debug!(%error, "no room to measure the device's own memory beside");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The nanoseconds of each pass over a window, and of each over the control, in turns with it.
    fn window(
        &mut self,
        memory: Span<'_>,
        control: Option<&OpenRegion>,
    ) -> Result<(Vec<u64>, Vec<u64>)> {
        let (mut sums, mut control_sums) = (None, None);
        let (mut taken, mut beside) = (Vec::new(), Vec::new());
        for pass in 0..=PASSES {
            let elapsed = self.pass(memory, pass, &mut sums)?;
            let own = control
                .map(|control| self.pass(control.span(0, control.len())?, pass, &mut control_sums))
                .transpose()?;
            if pass > 0 {
                taken.push(elapsed);
                beside.extend(own);
            }
        }
        Ok((taken, beside))
    }

    /// Reads a range once, and compares what was read with the passes before. What the results go over
    /// is another byte in each pass: equal results were written in each.
    fn pass(&mut self, memory: Span<'_>, pass: u8, sums: &mut Option<Vec<u8>>) -> Result<u64> {
        let len = self.sums.len();
        let mut room = self.sums.span_mut(0, len)?;
        room.fill(&self.stream, 0xa0_u8.wrapping_add(pass))?;
        self.watch.start(&self.stream)?;
        self.probes.read(&self.stream, memory, &mut room)?;
        self.watch.stop(&self.stream)?;
        self.written.start(&self.stream, self.sums.span(0, len)?)?;
        let elapsed = nanos(self.watch.elapsed()?);
        let written = self.written.bytes()?;
        match sums {
            None => *sums = Some(written.to_vec()),
            Some(before) if before == written => {}
            Some(_) => return Err(Error::UnsteadyRead { pass }),
        }
        Ok(elapsed)
    }

    fn self_test(&mut self) -> Result<()> {
        // 251 is prime: in whatever strides the kernel reads, it meets other bytes.
        let known: Vec<u8> = (0..=250).cycle().take(KNOWN).collect();
        let len = u64::try_from(KNOWN).unwrap_or(0);
        let mut region = self.allocator.allocate_scratch(len)?;
        region.write(0, &known)?;
        let mut sums = None;
        for pass in 0..2 {
            self.pass(region.span(0, len)?, pass, &mut sums)?;
        }
        if ReadSum::of_sums(&sums.unwrap_or_default()) == ReadSum::of_data(&known) {
            return Ok(());
        }
        let vector = "the sum of bytes that it reads";
        Err(vram_alloc::Error::SelfTest { vector }.into())
    }

    fn cache(&self) -> Option<u64> {
        let properties = self.allocator.device().properties();
        properties.l2_cache.map(|bytes| bytes.0)
    }

    fn evidence(
        &self,
        source: RateSource,
        region: Option<Streamed>,
        control: Option<Streamed>,
        link: LinkEvidence,
    ) -> ResidencyVerdict {
        ResidencyEvidence {
            simulated: self.allocator.device().properties().simulated,
            source,
            region,
            control,
            cache_bytes: self.cache(),
            link,
        }
        .judge()
    }
}

impl fmt::Debug for ResidencyProver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResidencyProver")
            .field("device", self.allocator.device())
            .field("measured_copy", &self.copy)
            .finish_non_exhaustive()
    }
}

fn streamed(bytes: u64, windows: &[(u64, Vec<u64>)]) -> Option<Streamed> {
    let windows = windows.iter().map(|(len, nanos)| (*len, nanos.as_slice()));
    Streamed::new(bytes, windows)
}

/// A duration in nanoseconds; one that is too long to count is the longest.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Cuts so many bytes into windows of at least so many, or leaves them whole: offset and length of each.
fn windows(bytes: u64, least: u64) -> Vec<(u64, u64)> {
    let count = bytes.checked_div(least).unwrap_or(1).max(1);
    let even = bytes.checked_div(count).unwrap_or(bytes);
    let step = even.saturating_sub(even.checked_rem(ALIGNMENT).unwrap_or(0));
    let last = count.saturating_sub(1);
    (0..count)
        .map(|index| {
            let offset = index.saturating_mul(step);
            let rest = bytes.saturating_sub(offset);
            (offset, if index == last { rest } else { step })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use vram_alloc::{AllocatorConfig, Platform};
    use vram_sim::{DeviceModel, Machine};

    use super::*;

    fn prover() -> (Machine, ResidencyProver) {
        let machine = Machine::builder()
            .device(DeviceModel::small(64 << 20))
            .threads(1)
            .build()
            .unwrap();
        let platform = Platform::with_driver(machine.driver()).unwrap();
        let device = platform.open(0).unwrap();
        let allocator = Allocator::new(&device, AllocatorConfig::default()).unwrap();
        let prover = ResidencyProver::new(&allocator).unwrap();
        (machine, prover)
    }

    #[test]
    fn passes_that_find_other_bytes_are_told() {
        let (_machine, mut prover) = prover();
        let mut region = prover.allocator.allocate(100_000).unwrap();
        let mut sums = None;
        for pass in 0..2 {
            let span = region.span(0, 100_000).unwrap();
            prover.pass(span, pass, &mut sums).unwrap();
        }

        region.write(54_321, &[1]).unwrap();
        let error = prover
            .pass(region.span(0, 100_000).unwrap(), 2, &mut sums)
            .unwrap_err();

        assert!(matches!(error, Error::UnsteadyRead { pass: 2 }), "{error}");
    }

    #[test]
    fn a_kernel_that_does_nothing_is_no_reading() {
        let (_machine, mut prover) = prover();
        let region = prover.allocator.allocate(100_000).unwrap();
        // Too little room for any thread's sum: nothing is launched, and what was there stays.
        prover.sums = prover.allocator.allocate_scratch(15).unwrap();
        let mut sums = None;
        let span = region.span(0, 100_000).unwrap();
        prover.pass(span, 0, &mut sums).unwrap();

        let error = prover.pass(span, 1, &mut sums).unwrap_err();

        assert!(matches!(error, Error::UnsteadyRead { pass: 1 }), "{error}");
        let test = prover.self_test().unwrap_err();
        assert!(matches!(test, Error::UnsteadyRead { .. }), "{test}");
    }

    #[test]
    fn windows_cover_every_byte_once_and_none_is_too_small() {
        for (bytes, least) in [
            (1, 1 << 20),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, 1 << 20),
            ((7 << 20) + 4097, 1 << 20),
            (1 << 36, 400 << 20),
            (1 << 30, u64::MAX),
        ] {
            let windows = windows(bytes, least);
            let mut at = 0;
            for (offset, len) in &windows {
                assert_eq!(*offset, at, "{bytes} {least}");
                assert_eq!(offset % ALIGNMENT, 0);
                assert!(*len > 0);
                // Rounding takes less than a page off each.
                assert!(
                    windows.len() == 1 || len + ALIGNMENT > least,
                    "{len} {least}"
                );
                at += len;
            }
            assert_eq!(at, bytes, "{least}");
        }
    }

    #[test]
    fn a_window_is_timed_so_often_after_a_pass_that_is_not() {
        let (_machine, mut prover) = prover();
        let region = prover.allocator.allocate(100_000).unwrap();
        let own = prover
            .control(&[(0, 5000), (5000, 100_000)])
            .unwrap()
            .unwrap();
        assert_eq!(own.len(), 100_000);

        let span = region.span(0, 100_000).unwrap();
        let (taken, beside) = prover.window(span, Some(&own)).unwrap();
        let (alone, none) = prover.window(span, None).unwrap();

        let passes = usize::from(PASSES);
        assert_eq!((taken.len(), beside.len()), (passes, passes));
        assert_eq!((alone.len(), none.len()), (passes, 0));
    }

    #[test]
    fn a_prover_shows_its_device_and_the_link() {
        let (_machine, mut prover) = prover();
        prover.measured_copy().unwrap();
        let shown = format!("{prover:?}");
        assert!(shown.starts_with("ResidencyProver { device: "), "{shown}");
        assert!(shown.contains("measured_copy: Some(Rate("), "{shown}");
    }

    #[test]
    fn without_room_there_is_no_control_and_without_a_device_no_answer() {
        let (machine, prover) = prover();
        assert!(prover.control(&[(0, 1 << 30)]).unwrap().is_none());

        machine.lose_context(0).unwrap();

        let error = prover.control(&[(0, 1 << 20)]).unwrap_err();
        assert!(error.is_fatal(), "{error}");
    }
}
