//! Timing a stretch of a stream's work by the device's own clock.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use vram_sys::{CUevent, CUevent_flags, Function};

use crate::context::Context;
use crate::stream::Stream;
use crate::{Device, Error, Result};

/// Two events with timing (`cuEventCreate`): what lies between them in a stream is timed by the
/// device, to about half a microsecond, whatever the host does meanwhile.
///
/// ```
/// # use vram_alloc::{Allocator, AllocatorConfig, Platform, Stopwatch, Stream};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let machine = vram_sim::Machine::builder().device(vram_sim::DeviceModel::h100()).build()?;
/// # let device = Platform::with_driver(machine.driver())?.open(0)?;
/// # let mut region = Allocator::new(&device, AllocatorConfig::default())?.allocate(4096)?;
/// let stream = Stream::new(&device)?;
/// let mut watch = Stopwatch::new(&device)?;
/// watch.start(&stream)?;
/// region.span_mut(0, 4096)?.fill(&stream, 1)?;
/// watch.stop(&stream)?;
/// println!("{:?}", watch.elapsed()?); // waits for the fill
/// # Ok(())
/// # }
/// ```
pub struct Stopwatch {
    context: Arc<Context>,
    start: Mark,
    end: Mark,
    running: State,
}

/// How far a measurement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Started,
    Stopped,
}

/// One event.
struct Mark {
    context: Arc<Context>,
    raw: CUevent,
}

// SAFETY: a CUevent is a handle that the driver takes from any thread.
unsafe impl Send for Mark {}
// SAFETY: as for Send.
unsafe impl Sync for Mark {}

impl Stopwatch {
    /// A stopwatch on a device.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] or [`Error::DeviceLost`].
    pub fn new(device: &Device) -> Result<Self> {
        let context = device.context();
        Ok(Self {
            context: Arc::clone(context),
            start: Mark::new(Arc::clone(context))?,
            end: Mark::new(Arc::clone(context))?,
            running: State::Idle,
        })
    }

    /// Starts: what is queued on the stream from now on is timed (`cuEventRecord`).
    ///
    /// # Errors
    ///
    /// [`Error::WrongDevice`] for a stream of another device; [`Error::Driver`],
    /// [`Error::DeviceLost`].
    pub fn start(&mut self, stream: &Stream) -> Result<()> {
        self.running = State::Idle;
        self.start.record(stream)?;
        self.running = State::Started;
        Ok(())
    }

    /// Stops: what is queued on the stream from now on isn't timed. The same stream as started.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn stop(&mut self, stream: &Stream) -> Result<()> {
        self.end.record(stream)?;
        if self.running == State::Started {
            self.running = State::Stopped;
        }
        Ok(())
    }

    /// Waits for what was timed, and says how long it took (`cuEventElapsedTime`).
    ///
    /// # Errors
    ///
    /// [`Error::BadSetting`] if it wasn't started and then stopped; [`Error::DeviceLost`] if any of
    /// the work ended the context.
    pub fn elapsed(&self) -> Result<Duration> {
        if self.running != State::Stopped {
            return Err(Error::BadSetting {
                setting: "the number of marks of a stopwatch",
                value: u64::from(self.running == State::Started),
                expected: "2: start it, then stop it",
            });
        }
        let entered = self.context.enter()?;
        // SAFETY: the event is owned by this value.
        let result = unsafe { (entered.table().cuEventSynchronize)(self.end.raw) };
        let doing = "waiting for an event";
        entered.check(Function::cuEventSynchronize, result, doing)?;
        let mut milliseconds = 0.0;
        // SAFETY: both events are owned by this value, have timing and were recorded; the driver
        // writes one float.
        let result = unsafe {
            (entered.table().cuEventElapsedTime)(
                &raw mut milliseconds,
                self.start.raw,
                self.end.raw,
            )
        };
        let doing = "reading a stopwatch";
        entered.check(Function::cuEventElapsedTime, result, doing)?;
        Ok(duration(milliseconds))
    }
}

/// What is no time at all (negative, or not a number) counts as none.
fn duration(milliseconds: f32) -> Duration {
    let seconds = f64::from(milliseconds) / 1000.0;
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl Mark {
    fn new(context: Arc<Context>) -> Result<Self> {
        let mut raw = core::ptr::null_mut();
        let entered = context.enter()?;
        let flags = CUevent_flags::CU_EVENT_DEFAULT.0;
        // SAFETY: the driver writes one handle.
        let result = unsafe { (entered.table().cuEventCreate)(&raw mut raw, flags) };
        entered.check(Function::cuEventCreate, result, "making an event")?;
        drop(entered);
        Ok(Self { context, raw })
    }

    fn record(&self, stream: &Stream) -> Result<()> {
        stream.same_context(&self.context, "timing")?;
        let entered = self.context.enter()?;
        // SAFETY: both handles are owned by living values of this context.
        let result = unsafe { (entered.table().cuEventRecord)(self.raw, stream.raw()) };
        entered.check(Function::cuEventRecord, result, "recording an event")
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let released = self.context.enter_even_if_lost().and_then(|entered| {
            // SAFETY: this value owns the event and drops it once.
            let result = unsafe { (entered.table().cuEventDestroy_v2)(self.raw) };
            entered.check(Function::cuEventDestroy_v2, result, "destroying an event")
        });
        if let Err(error) = released {
            self.context.release_failed("an event", &error);
        }
    }
}

impl fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopwatch")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_a_duration_unless_they_are_no_time() {
        assert_eq!(duration(1500.0), Duration::from_millis(1500));
        assert_eq!(duration(0.25), Duration::from_micros(250));
        for nothing in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(duration(nothing), Duration::ZERO);
        }
    }
}
