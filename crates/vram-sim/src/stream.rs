//! Streams: work in order, and when it runs.

use std::collections::VecDeque;
use std::time::Instant;

use vram_sys::CUresult;

use crate::answer::Answer;
use crate::handle::Handle;
use crate::state::State;
use crate::work::Work;

/// When queued work runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Execution {
    /// At the last moment that NVIDIA's documentation allows: when something waits for it. Code that
    /// forgets to wait sees old bytes every time, not once in a thousand runs.
    #[default]
    Lazy,
    /// At once, as when the GPU is always faster than the program.
    Eager,
}

/// A stream, which outlives its handle until its work is done.
#[derive(Debug)]
pub(crate) struct Stream {
    device: usize,
    role: Role,
    destroyed: bool,
    queue: VecDeque<Queued>,
}

/// How a stream stands to the null stream of its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It is the null stream.
    Null,
    /// It takes turns with the null stream.
    Blocking,
    /// It takes no notice of the null stream (`CU_STREAM_NON_BLOCKING`).
    NonBlocking,
}

/// A piece of work with its place among all the work of the machine.
#[derive(Debug)]
struct Queued {
    sequence: u64,
    work: Work,
}

impl Stream {
    pub(crate) const fn new(device: usize, blocking: bool) -> Self {
        let role = if blocking {
            Role::Blocking
        } else {
            Role::NonBlocking
        };
        Self {
            device,
            role,
            destroyed: false,
            queue: VecDeque::new(),
        }
    }

    pub(crate) const fn null(device: usize) -> Self {
        Self {
            device,
            role: Role::Null,
            destroyed: false,
            queue: VecDeque::new(),
        }
    }

    pub(crate) const fn device(&self) -> usize {
        self.device
    }

    /// Whether it has no handle any more, or never had one.
    pub(crate) const fn is_destroyed(&self) -> bool {
        self.destroyed || matches!(self.role, Role::Null)
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether work up to `sequence` is still to be done.
    pub(crate) fn has_work_until(&self, sequence: u64) -> bool {
        self.queue
            .front()
            .is_some_and(|queued| queued.sequence <= sequence)
    }
}

impl State {
    /// The stream that a caller's handle means, in the current context. A handle of another
    /// context, of another kind of object, or destroyed is no handle here.
    pub(crate) fn stream_of(&self, given: Handle) -> Answer<Handle> {
        let index = self.current()?;
        if given.to_number() == 0 {
            let null = self.device(index)?.context.null_stream();
            return null.ok_or(CUresult::CUDA_ERROR_INVALID_CONTEXT);
        }
        self.streams
            .get(&given)
            .filter(|stream| !stream.is_destroyed() && stream.device == index)
            .map(|_| given)
            .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)
    }

    pub(crate) fn create_stream(&mut self, blocking: bool) -> Answer<Handle> {
        let index = self.current()?;
        let handle = Handle::fresh();
        self.streams.insert(handle, Stream::new(index, blocking));
        Ok(handle)
    }

    /// `cuStreamDestroy`: returns at once; work that is queued is still done, and counts as the
    /// context's.
    pub(crate) fn destroy_stream(&mut self, given: Handle) -> Answer {
        if given.to_number() == 0 {
            return Err(CUresult::CUDA_ERROR_INVALID_HANDLE);
        }
        let handle = self.stream_of(given)?;
        if let Some(stream) = self.streams.get_mut(&handle) {
            stream.destroyed = true;
        }
        self.forget_if_done(handle);
        Ok(())
    }

    fn forget_if_done(&mut self, handle: Handle) {
        if self
            .streams
            .get(&handle)
            .is_some_and(|s| s.destroyed && s.queue.is_empty())
        {
            self.streams.remove(&handle);
        }
    }

    /// Queues work and returns its place among all work. The error that running it gives is the
    /// next call's, as on a device that works beside the program.
    pub(crate) fn enqueue(&mut self, handle: Handle, work: Work) -> Answer<u64> {
        self.take_turns(handle)?;
        self.sequence = self.sequence.saturating_add(1);
        let sequence = self.sequence;
        let stream = self
            .streams
            .get_mut(&handle)
            .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)?;
        stream.queue.push_back(Queued { sequence, work });
        if self.execution == Execution::Eager {
            self.run_until(handle, sequence);
        }
        Ok(sequence)
    }

    /// Keeps the null stream and the blocking streams of its context in the order in which work was
    /// given to them, by running what the other has before something is queued on the one.
    fn take_turns(&mut self, handle: Handle) -> Answer {
        let stream = self
            .streams
            .get(&handle)
            .ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)?;
        let (index, other) = match stream.role {
            Role::Null => (stream.device, Role::Blocking),
            Role::Blocking => (stream.device, Role::Null),
            Role::NonBlocking => return Ok(()),
        };
        let others: Vec<Handle> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.device == index && stream.role == other)
            .map(|(&handle, _)| handle)
            .collect();
        for other in others {
            self.run_until(other, u64::MAX);
        }
        self.device(index)?.working()
    }

    /// Waits for everything that a stream has.
    pub(crate) fn synchronize_stream(&mut self, handle: Handle) -> Answer {
        let index = self.streams.get(&handle).map(Stream::device);
        self.run_until(handle, u64::MAX);
        self.device(index.ok_or(CUresult::CUDA_ERROR_INVALID_HANDLE)?)?
            .working()
    }

    /// Waits for everything that a device has.
    pub(crate) fn synchronize_device(&mut self, index: usize) -> Answer {
        let mut streams: Vec<Handle> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.device == index)
            .map(|(&handle, _)| handle)
            .collect();
        streams.sort_unstable();
        for handle in streams {
            self.run_until(handle, u64::MAX);
        }
        self.device(index)?.working()
    }

    /// Does a stream's work up to `sequence`, and before it whatever that waits for.
    ///
    /// Work waits only for work that was queued before it, so this comes to an end.
    pub(crate) fn run_until(&mut self, handle: Handle, sequence: u64) {
        let mut goals = vec![(handle, sequence)];
        while let Some(&(handle, sequence)) = goals.last() {
            let next = self
                .streams
                .get(&handle)
                .and_then(|stream| stream.queue.front())
                .filter(|queued| queued.sequence <= sequence);
            let Some(queued) = next else {
                self.forget_if_done(handle);
                goals.pop();
                continue;
            };
            if let Work::Wait { stream, sequence } = queued.work
                && self
                    .streams
                    .get(&stream)
                    .is_some_and(|other| other.has_work_until(sequence))
            {
                goals.push((stream, sequence));
                continue;
            }
            self.run_next(handle);
        }
    }

    fn run_next(&mut self, handle: Handle) {
        let Some(stream) = self.streams.get_mut(&handle) else {
            return;
        };
        let index = stream.device;
        let Some(queued) = stream.queue.pop_front() else {
            return;
        };
        if let Work::Record { event } = queued.work {
            if let Some(event) = self.events.get_mut(&event) {
                event.complete(queued.sequence, Instant::now());
            }
            return;
        }
        if let Err(code) = self.execute(index, queued.work) {
            tracing::debug!(
                device = index,
                code = code.0,
                "simulated work failed: the context is lost"
            );
            self.lose(index, code);
        }
    }

    /// Loses a device's context: every further use gives this error, and queued work is dropped.
    pub(crate) fn lose(&mut self, index: usize, code: CUresult) {
        if let Ok(device) = self.device_mut(index) {
            device.lose(code);
        }
        for stream in self
            .streams
            .values_mut()
            .filter(|stream| stream.device == index)
        {
            stream.queue.clear();
        }
        self.streams
            .retain(|_, stream| !(stream.device == index && stream.destroyed));
    }
}
