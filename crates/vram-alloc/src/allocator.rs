//! Allocating within a budget: taking the capacity and taking the memory are one step.

use std::sync::{Arc, PoisonError};

use serde::Serialize;
use vram_sys::Function;

use crate::memory::{self, Memory};
use crate::region::{OpenRegion, Region};
use crate::size::{self, Bytes};
use crate::sync::{Mutex, MutexGuard};
use crate::{Device, Error, Result};

/// How an [`Allocator`] takes memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllocatorConfig {
    /// The most bytes to hold at a time; `None` leaves it to the device.
    pub budget: Option<u64>,
    /// Which of the driver's allocators to use.
    pub mechanism: Mechanism,
}

impl AllocatorConfig {
    /// Limits the allocator to so many bytes, what sizes are rounded up to included.
    #[must_use]
    pub const fn with_budget(mut self, bytes: u64) -> Self {
        self.budget = Some(bytes);
        self
    }

    /// Chooses the driver's allocator.
    #[must_use]
    pub const fn with_mechanism(mut self, mechanism: Mechanism) -> Self {
        self.mechanism = mechanism;
        self
    }
}

/// Which of the driver's allocators to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// Virtual memory management where the device has it, plain allocation elsewhere.
    #[default]
    Auto,
    /// Plain allocation (`cuMemAlloc`): regions freeze in software only.
    Plain,
}

/// What a region is for, and so which account it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Weights.
    Shard,
    /// The library's own working memory.
    Scratch,
}

/// Hands out regions of a device's memory. Cheap to clone; clones share one budget.
#[derive(Clone, Debug)]
pub struct Allocator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    device: Device,
    virtual_memory: bool,
    budget: Option<u64>,
    /// Held while the driver allocates and frees: what it holds is true whenever it is free.
    books: Mutex<Books>,
}

/// What is held, in bytes mapped.
#[derive(Debug, Default)]
struct Books {
    shards: u64,
    scratch: u64,
    unreleased: u64,
    regions: u64,
    allocations: u64,
    frees: u64,
}

impl Books {
    /// Everything the budget has to cover.
    fn held(&self) -> u64 {
        self.shards
            .saturating_add(self.scratch)
            .saturating_add(self.unreleased)
    }

    const fn account(&mut self, purpose: Purpose) -> &mut u64 {
        match purpose {
            Purpose::Shard => &mut self.shards,
            Purpose::Scratch => &mut self.scratch,
        }
    }
}

/// A device's memory and this allocator's part in it, at one moment.
///
/// `used + available + unavailable == total`, always; `unavailable` changes only by what happens
/// outside this allocator, or by its scratch memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Capacity {
    /// The device's memory.
    pub total: Bytes,
    /// What live shards hold, each rounded up to the device's granularity.
    pub used: Bytes,
    /// What one more shard may take now.
    pub available: Bytes,
    /// The rest: other processes, the driver, scratch memory, what lies beyond the budget.
    pub unavailable: Bytes,
    /// The configured budget.
    pub budget: Option<Bytes>,
    /// The library's own working memory on the device, within `unavailable`.
    pub scratch: Bytes,
    /// Memory that could not be wiped or that the driver refused to take back, within
    /// `unavailable`. Anything but 0 deserves a look at the log.
    pub unreleased: Bytes,
    /// Live regions, scratch included.
    pub regions: u64,
    /// Allocations since the start.
    pub allocations: u64,
    /// Releases since the start.
    pub frees: u64,
}

impl Allocator {
    /// An allocator on a device.
    ///
    /// # Errors
    ///
    /// [`Error::BadSetting`] for a budget under the device's granularity.
    pub fn new(device: &Device, config: AllocatorConfig) -> Result<Self> {
        if let Some(budget) = config
            .budget
            .filter(|budget| *budget < device.granularity())
        {
            let expected = "at least the device's allocation granularity, usually 2 MiB";
            return Err(Error::BadSetting {
                setting: "the budget",
                value: budget,
                expected,
            });
        }
        let supported = device.properties().virtual_memory_management == Some(true);
        let inner = Inner {
            device: device.clone(),
            virtual_memory: supported && config.mechanism == Mechanism::Auto,
            budget: config.budget,
            books: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// Allocates an open region for weights.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroSize`], [`Error::SizeOverflow`] and [`Error::OutOfMemory`] before the driver is
    /// asked to allocate; [`Error::OutOfMemory`] also when the driver finds no room.
    pub fn allocate(&self, size: u64) -> Result<OpenRegion> {
        self.allocate_for(Purpose::Shard, size)
    }

    /// Allocates working memory: within the budget, and in an account of its own.
    ///
    /// # Errors
    ///
    /// As [`allocate`](Self::allocate).
    pub fn allocate_scratch(&self, size: u64) -> Result<OpenRegion> {
        self.allocate_for(Purpose::Scratch, size)
    }

    /// Whether a region of this size could be allocated now, without allocating it.
    ///
    /// # Errors
    ///
    /// What [`allocate`](Self::allocate) would refuse.
    pub fn check(&self, size: u64) -> Result<()> {
        self.inner.room_for(&self.inner.lock(), size).map(drop)
    }

    /// Whether regions of these sizes could all be allocated now, together.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroSize`] and [`Error::SizeOverflow`] for a size; [`Error::OutOfMemory`] with what all
    /// of them need.
    pub fn check_all(&self, sizes: impl IntoIterator<Item = u64>) -> Result<()> {
        let inner = &self.inner;
        let books = inner.lock();
        let mut needed: u64 = 0;
        for size in sizes {
            needed = needed.saturating_add(inner.rounded(size)?);
        }
        let free = inner.device.memory()?.free.0;
        if needed > inner.available(&books, free) {
            return Err(inner.out_of_memory(&books, needed, free));
        }
        Ok(())
    }

    /// The device's memory and this allocator's part in it.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] or [`Error::DeviceLost`] if the driver won't say.
    pub fn capacity(&self) -> Result<Capacity> {
        let inner = &self.inner;
        let books = inner.lock();
        let memory = inner.device.memory()?;
        let available = inner.available(&books, memory.free.0);
        let unavailable = memory
            .total
            .0
            .saturating_sub(books.shards)
            .saturating_sub(available);
        Ok(Capacity {
            total: memory.total,
            used: Bytes(books.shards),
            available: Bytes(available),
            unavailable: Bytes(unavailable),
            budget: inner.budget.map(Bytes),
            scratch: Bytes(books.scratch),
            unreleased: Bytes(books.unreleased),
            regions: books.regions,
            allocations: books.allocations,
            frees: books.frees,
        })
    }

    fn allocate_for(&self, purpose: Purpose, size: u64) -> Result<OpenRegion> {
        let inner = &self.inner;
        let mut books = inner.lock();
        let mapped = inner.room_for(&books, size)?;
        let refused = inner.device.release_failures();
        let memory = match memory::allocate(&inner.device, mapped, inner.virtual_memory) {
            Ok(memory) => memory,
            Err(error) => {
                // What a failed allocation could not give back is held all the same. Another
                // thread's refused release may be taken for it, which errs on the safe side.
                if inner.device.release_failures() > refused {
                    books.unreleased = books.unreleased.saturating_add(mapped);
                }
                return Err(inner.explain(error, &books, mapped));
            }
        };
        let account = books.account(purpose);
        *account = account.saturating_add(mapped);
        books.regions = books.regions.saturating_add(1);
        books.allocations = books.allocations.saturating_add(1);
        drop(books);
        let region = Region::new(Arc::clone(inner), memory, purpose, size, mapped);
        // What follows the last byte is measured as zeros; make it so.
        region.zero_padding()?;
        Ok(OpenRegion::new(region))
    }
}

impl Inner {
    pub(crate) const fn device(&self) -> &Device {
        &self.device
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // Nothing that runs under the lock can panic half-way through a change.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size rounded up to whole units of the granularity.
    fn rounded(&self, size: u64) -> Result<u64> {
        if size == 0 {
            return Err(Error::ZeroSize);
        }
        size::round_up(size, self.device.granularity())
    }

    /// The size rounded up, if there is room for it.
    fn room_for(&self, books: &Books, size: u64) -> Result<u64> {
        let mapped = self.rounded(size)?;
        let free = self.device.memory()?.free.0;
        if mapped > self.available(books, free) {
            return Err(self.out_of_memory(books, mapped, free));
        }
        Ok(mapped)
    }

    fn out_of_memory(&self, books: &Books, needed: u64, free: u64) -> Error {
        let available = self.available(books, free);
        let within_free = free.checked_sub(needed).is_some();
        Error::OutOfMemory {
            needed: Bytes(needed),
            available: Bytes(available),
            budget: self.budget.filter(|_| within_free).map(Bytes),
        }
    }

    /// What fits in the budget and in the device, in whole units of the granularity.
    fn available(&self, books: &Books, free: u64) -> u64 {
        let left = self
            .budget
            .map_or(free, |budget| budget.saturating_sub(books.held()).min(free));
        let granularity = self.device.granularity();
        left.checked_rem(granularity)
            .map_or(0, |rest| left.saturating_sub(rest))
    }

    /// The driver may find no room where its own figures promised some: another process was faster.
    fn explain(&self, error: Error, books: &Books, needed: u64) -> Error {
        match &error {
            Error::Driver {
                function: Function::cuMemCreate | Function::cuMemAlloc_v2,
                code,
                ..
            } if *code == vram_sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY.0 => {
                let free = self.device.memory().map_or(0, |memory| memory.free.0);
                self.out_of_memory(books, needed, free)
            }
            _ => error,
        }
    }

    /// Releases a region's memory and returns its capacity, as one step.
    ///
    /// # Errors
    /// What the driver said when it refused to take it back.
    pub(crate) fn release(&self, mut memory: Memory, purpose: Purpose, mapped: u64) -> Result<()> {
        let mut books = self.lock();
        let released = memory.release();
        if let Err(error) = &released {
            self.device.context().release_failed("device memory", error);
        }
        self.settle(&mut books, purpose, mapped, released.is_ok());
        drop(books);
        if released.is_ok() {
            return released;
        }
        // Already tried twice: the memory stays the driver's. Where the device is lost it went with the
        // context, and nothing is gained by keeping hold of that; otherwise it is, so that nobody gets the memory.
        if self.device.is_lost() {
            memory.abandon();
        } else {
            core::mem::forget(memory);
        }
        released
    }

    /// Keeps memory that could not be wiped: to give it back would be to give away what it holds.
    pub(crate) fn quarantine(&self, memory: Memory, purpose: Purpose, mapped: u64) {
        self.settle(&mut self.lock(), purpose, mapped, false);
        core::mem::forget(memory);
    }

    fn settle(&self, books: &mut Books, purpose: Purpose, mapped: u64, released: bool) {
        let account = books.account(purpose);
        *account = account.saturating_sub(mapped);
        books.regions = books.regions.saturating_sub(1);
        if released {
            books.frees = books.frees.saturating_add(1);
        } else {
            books.unreleased = books.unreleased.saturating_add(mapped);
        }
    }
}
