//! Primary contexts, and which one is current to which thread.

use std::thread;

use vram_sys::CUresult;

use crate::answer::Answer;
use crate::handle::Handle;
use crate::state::State;
use crate::stream::Stream;

/// A device's primary context, and those that other libraries made: the table has no function that
/// makes one.
#[derive(Debug, Default)]
pub(crate) struct Context {
    live: Option<Live>,
    others: Vec<Handle>,
}

#[derive(Debug)]
struct Live {
    handle: Handle,
    /// The stream that a null handle means.
    null_stream: Handle,
    retained: u64,
}

impl Context {
    pub(crate) fn handle(&self) -> Option<Handle> {
        self.live.as_ref().map(|live| live.handle)
    }

    pub(crate) fn null_stream(&self) -> Option<Handle> {
        self.live.as_ref().map(|live| live.null_stream)
    }

    /// Whether a handle is one of the device's contexts.
    fn includes(&self, handle: Handle) -> bool {
        self.handle() == Some(handle) || self.others.contains(&handle)
    }

    pub(crate) fn retained(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.retained)
    }
}

impl State {
    /// `cuDevicePrimaryCtxRetain`.
    pub(crate) fn retain_context(&mut self, index: usize) -> Answer<Handle> {
        let device = self.device_mut(index)?;
        device.working()?;
        if let Some(live) = &mut device.context.live {
            live.retained = live.retained.saturating_add(1);
            return Ok(live.handle);
        }
        let (handle, null_stream) = (Handle::fresh(), Handle::fresh());
        device.context.live = Some(Live {
            handle,
            null_stream,
            retained: 1,
        });
        self.streams.insert(null_stream, Stream::null(index));
        Ok(handle)
    }

    /// `cuDevicePrimaryCtxRelease`: the last one resets the context, as documented. What the
    /// program had not released by then is counted as left behind.
    pub(crate) fn release_context(&mut self, index: usize) -> Answer {
        let device = self.device_mut(index)?;
        device.present()?;
        let live = device
            .context
            .live
            .as_mut()
            .ok_or(CUresult::CUDA_ERROR_INVALID_CONTEXT)?;
        live.retained = live.retained.saturating_sub(1);
        if live.retained == 0 {
            self.reset_context(index);
        }
        Ok(())
    }

    fn reset_context(&mut self, index: usize) {
        let lost = self
            .device(index)
            .is_ok_and(|device| device.working().is_err());
        let Ok(device) = self.device_mut(index) else {
            return;
        };
        let live = device.context.live.take();
        if let Some(live) = live {
            self.streams.remove(&live.null_stream);
        }
        let objects = |state: &Self| {
            let streams = state
                .streams
                .values()
                .filter(|stream| !stream.is_destroyed())
                .count();
            [
                streams,
                state.events.len(),
                state.modules.len(),
                state.space.regions().count(),
            ]
            .into_iter()
            .fold(0_usize, usize::saturating_add)
        };
        let before = objects(self);
        self.streams.retain(|_, stream| stream.device() != index);
        self.events.retain(|_, event| event.device() != index);
        self.modules.retain(|_, module| module.device() != index);
        let modules = &self.modules;
        self.functions
            .retain(|_, function| modules.contains_key(&function.module()));
        self.free_memory_of_context(index);
        // A program can't release what a lost context holds.
        if !lost {
            let swept = before.saturating_sub(objects(self));
            self.left_behind = self.left_behind.saturating_add(swept);
        }
    }

    /// What another library's `cuCtxCreate` does: a context beside the primary one, current from now on.
    pub(crate) fn create_context(&mut self, index: usize) {
        let handle = Handle::fresh();
        if let Ok(device) = self.device_mut(index) {
            device.context.others.push(handle);
        }
        self.make_current(handle);
    }

    /// `cuCtxPushCurrent`.
    pub(crate) fn push_context(&mut self, handle: Handle) -> Answer {
        if !self
            .devices
            .iter()
            .any(|device| device.context.includes(handle))
        {
            return Err(CUresult::CUDA_ERROR_INVALID_CONTEXT);
        }
        self.make_current(handle);
        Ok(())
    }

    fn make_current(&mut self, handle: Handle) {
        let stack = self.current.entry(thread::current().id()).or_default();
        stack.push(handle);
    }

    /// `cuCtxPopCurrent`.
    pub(crate) fn pop_context(&mut self) -> Answer<Handle> {
        let thread = thread::current().id();
        let stack = self
            .current
            .get_mut(&thread)
            .ok_or(CUresult::CUDA_ERROR_INVALID_CONTEXT)?;
        let popped = stack.pop().ok_or(CUresult::CUDA_ERROR_INVALID_CONTEXT)?;
        if stack.is_empty() {
            self.current.remove(&thread);
        }
        Ok(popped)
    }

    /// The device of the context current to this thread, which is usable.
    pub(crate) fn current(&self) -> Answer<usize> {
        let index = self.device_of_current_context()?;
        self.device(index)?.working()?;
        Ok(index)
    }

    /// The context current to this thread.
    pub(crate) fn current_context(&self) -> Option<Handle> {
        let stack = self.current.get(&thread::current().id())?;
        stack.last().copied()
    }

    /// The device of the context current to this thread, which may be lost.
    pub(crate) fn device_of_current_context(&self) -> Answer<usize> {
        let handle = self
            .current_context()
            .ok_or(CUresult::CUDA_ERROR_INVALID_CONTEXT)?;
        self.devices
            .iter()
            .position(|device| device.context.includes(handle))
            .ok_or(CUresult::CUDA_ERROR_CONTEXT_IS_DESTROYED)
    }
}
