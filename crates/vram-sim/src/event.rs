//! Events: marks in streams.

use std::time::{Duration, Instant};

use vram_sys::CUresult;

use crate::answer::Answer;
use crate::handle::Handle;
use crate::state::State;
use crate::work::Work;

/// A mark that a stream passes.
#[derive(Debug)]
pub(crate) struct Event {
    device: usize,
    timed: bool,
    recorded: Option<Record>,
}

/// What an event captured last.
#[derive(Clone, Copy, Debug)]
struct Record {
    stream: Handle,
    sequence: u64,
    passed: Option<Instant>,
    polled: bool,
}

impl Event {
    pub(crate) const fn device(&self) -> usize {
        self.device
    }

    /// The stream has come to where the event was recorded.
    pub(crate) fn complete(&mut self, sequence: u64, now: Instant) {
        if let Some(record) = self
            .recorded
            .as_mut()
            .filter(|record| record.sequence == sequence)
        {
            record.passed = Some(now);
        }
    }
}

impl State {
    pub(crate) fn create_event(&mut self, timed: bool) -> Answer<Handle> {
        let device = self.current()?;
        let handle = Handle::fresh();
        self.events.insert(
            handle,
            Event {
                device,
                timed,
                recorded: None,
            },
        );
        Ok(handle)
    }

    pub(crate) fn destroy_event(&mut self, handle: Handle) -> Answer {
        let index = self.current()?;
        self.event_in(handle, index)?;
        self.events.remove(&handle);
        Ok(())
    }

    fn event(&self, handle: Handle) -> Answer<&Event> {
        self.events
            .get(&handle)
            .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
    }

    fn event_in(&self, handle: Handle, index: usize) -> Answer<&Event> {
        let event = self.event(handle)?;
        if event.device == index {
            Ok(event)
        } else {
            Err(CUresult::CUDA_ERROR_INVALID_HANDLE)
        }
    }

    /// `cuEventRecord`: event and stream must be of the same context.
    pub(crate) fn record_event(&mut self, handle: Handle, stream: Handle) -> Answer {
        let stream = self.stream_of(stream)?;
        self.event_in(handle, self.current()?)?;
        // Recorded before queued: an eager stream passes the mark while it is being queued.
        let sequence = self.sequence.saturating_add(1);
        let before = self.events.get(&handle).and_then(|event| event.recorded);
        let record = Record {
            stream,
            sequence,
            passed: None,
            polled: false,
        };
        if let Some(event) = self.events.get_mut(&handle) {
            event.recorded = Some(record);
        }
        let queued = self.enqueue(stream, Work::Record { event: handle });
        if queued.is_err()
            && let Some(event) = self.events.get_mut(&handle)
        {
            event.recorded = before;
        }
        queued.map(|_| ())
    }

    /// `cuStreamWaitEvent`: the event may be of another context.
    pub(crate) fn wait_event(&mut self, stream: Handle, handle: Handle) -> Answer {
        let stream = self.stream_of(stream)?;
        let Some(record) = self.event(handle)?.recorded else {
            return Ok(());
        };
        let work = Work::Wait {
            stream: record.stream,
            sequence: record.sequence,
        };
        self.enqueue(stream, work).map(|_| ())
    }

    /// The latest record of an event whose device works.
    fn record_of(&self, handle: Handle) -> Answer<Option<Record>> {
        let event = self.event(handle)?;
        self.device(event.device)?.working()?;
        Ok(event.recorded)
    }

    /// `cuEventQuery`. The first question about unfinished work is answered with
    /// `CUDA_ERROR_NOT_READY`, and the work is done before the second: a program that polls gets on,
    /// and one that takes the first answer for granted is found out.
    pub(crate) fn query_event(&mut self, handle: Handle) -> Answer {
        let Some(record) = self
            .record_of(handle)?
            .filter(|record| record.passed.is_none())
        else {
            return Ok(());
        };
        if !record.polled {
            if let Some(record) = self
                .events
                .get_mut(&handle)
                .and_then(|event| event.recorded.as_mut())
            {
                record.polled = true;
            }
            return Err(CUresult::CUDA_ERROR_NOT_READY);
        }
        self.synchronize_event(handle)
    }

    /// `cuEventSynchronize`: an event that was never recorded has nothing to wait for.
    pub(crate) fn synchronize_event(&mut self, handle: Handle) -> Answer {
        let Some(record) = self.record_of(handle)? else {
            return Ok(());
        };
        self.run_until(record.stream, record.sequence);
        self.record_of(handle).map(|_| ())
    }

    /// `cuEventElapsedTime`.
    pub(crate) fn elapsed(&self, start: Handle, end: Handle) -> Answer<f32> {
        let record = |handle| -> Answer<Record> {
            let recorded = self.record_of(handle)?;
            let timed = self.event(handle)?.timed;
            recorded
                .filter(|_| timed)
                .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
        };
        let (start, end) = (record(start)?, record(end)?);
        let (Some(start), Some(end)) = (start.passed, end.passed) else {
            return Err(CUresult::CUDA_ERROR_NOT_READY);
        };
        let milliseconds = |time: Duration| time.as_secs_f32() * 1000.0;
        Ok(match end.checked_duration_since(start) {
            Some(later) => milliseconds(later),
            None => -milliseconds(start.duration_since(end)),
        })
    }
}
