//! Working together with kernels written over the `cust` crate (feature `cust`).
//!
//! `cust` is a Rust interface to the same driver. It links libcuda when a program is built, so this is
//! an optional feature; nothing here calls into it, and a program that only turns the feature on still
//! starts on a machine without a driver.
//!
//! # One context
//!
//! `cust::context::Context::new` and `cust::quick_init` retain their device's primary context and make
//! it current. [`Platform::join_current_context`](crate::Platform::join_current_context) opens the
//! device through that context, [`Platform::open`](crate::Platform::open) through the very same one.
//! Both sides retain it on their own, so it lives until both have let go, in either order; this crate
//! destroys no context, and resets none. A context of `cust::context::legacy` belongs to one owner, who
//! may destroy it at any time, and is refused.
//!
//! # Sealed memory for a kernel
//!
//! [`FrozenRegion::expose_cust_slice`] borrows a frozen region as a [`CustSlice`], which dereferences
//! to cust's `DeviceSlice`; [`DeviceAddress::to_cust_pointer`] turns an address into its
//! `DevicePointer`. As with [`FrozenRegion::expose_address`], nothing is verified here: with the feature
//! `cust` of `vram-residency`, an execution permit gives both out.
//!
//! cust has no slice that can only be read. What its safe functions can write through is a
//! `&mut DeviceSlice`, which a [`CustSlice`] doesn't give out; but a `DeviceSlice` can be copied, and a
//! kernel writes where it likes. Frozen memory is kept from both by the device: where
//! [`FrozenRegion::freezing`] says [`Freezing::Mmu`](crate::Freezing::Mmu), the driver refuses copies
//! and fills, and a kernel that writes loses the context. A copy of the slice also forgets how long the
//! memory lives: use it no longer than what it was taken from.
//!
//! # Measuring what cust allocated
//!
//! [`Device::adopt_cust_buffer`] borrows one of cust's buffers, for [`Kernels::hash_blocks`] to measure
//! where it lies.
//!
//! ```no_run
//! use cust::memory::DeviceBuffer;
//! use vram_alloc::{Allocator, AllocatorConfig, HashStart, Kernels, Platform, Stream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let _context = cust::quick_init()?;
//! let device = Platform::load()?.join_current_context()?;
//! let allocator = Allocator::new(&device, AllocatorConfig::default())?;
//! let mut digests = allocator.allocate_scratch(32)?;
//!
//! let weights = DeviceBuffer::from_slice(&[1.0_f32; 1024])?;
//! let adopted = device.adopt_cust_buffer(&weights)?;
//! let stream = Stream::new(&device)?;
//! Kernels::load(&device)?.hash_blocks(
//!     &stream,
//!     adopted.span(0, adopted.len())?,
//!     0,
//!     HashStart::default(),
//!     &mut digests.span_mut(0, 32)?,
//! )?;
//! stream.synchronize()?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Kernels::hash_blocks`]: crate::Kernels::hash_blocks

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, Range};

use bytemuck::AnyBitPattern;
use cust::memory::{DeviceBuffer, DeviceCopy, DevicePointer, DeviceSlice};
use vram_sys::CUdeviceptr;

use crate::external::ExternalRegion;
use crate::foreign::{Extent, Foreign};
use crate::region::{DeviceAddress, FrozenRegion};
use crate::size::{self, Bytes};
use crate::span::Span;
use crate::{Device, Error, Result};

/// What weights may be viewed as: a type that cust copies to devices and that any bytes are a value of.
///
/// The second half matters: cust copies a slice to the host without looking, and weights are whatever
/// bytes their file held. `f32`, `u16` and arrays of them qualify, `bool` and `char` don't.
pub trait Element: DeviceCopy + AnyBitPattern {}

impl<T: DeviceCopy + AnyBitPattern> Element for T {}

/// Frozen memory as cust's slice, for as long as the memory is borrowed.
///
/// It dereferences to [`DeviceSlice`], shared: what cust offers there only reads.
#[derive(Clone, Copy)]
pub struct CustSlice<'memory, T: Element> {
    slice: DeviceSlice<T>,
    memory: PhantomData<&'memory FrozenRegion>,
}

impl<T: Element> Deref for CustSlice<'_, T> {
    type Target = DeviceSlice<T>;

    fn deref(&self) -> &DeviceSlice<T> {
        &self.slice
    }
}

impl<T: Element> fmt::Debug for CustSlice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustSlice")
            .field("len", &self.slice.len())
            .finish_non_exhaustive()
    }
}

impl FrozenRegion {
    /// Gives away a range as cust's slice, for kernels of the caller's own. The range is in bytes.
    ///
    /// Nothing verifies the bytes here: `vram-residency` calls this behind an execution permit, and
    /// so should everyone.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the region; [`Error::Misaligned`] and
    /// [`Error::PartialElement`] for one that isn't made up of whole, aligned elements.
    pub fn expose_cust_slice<T: Element>(&self, range: Range<u64>) -> Result<CustSlice<'_, T>> {
        let operation = "a view as cust's slice";
        let outside = Error::OutOfBounds {
            operation,
            offset: range.start,
            len: 0,
            size: self.len(),
        };
        let len = range.end.checked_sub(range.start).ok_or(outside)?;
        let address = self.region.address(operation, range.start, len)?;
        let elements = elements::<T>(operation, len)?;
        let pointer = pointer(operation, address)?;
        // SAFETY: the range was checked: so many aligned elements lie there, and any bytes are a value
        // of `T`. The region stays mapped while it is borrowed, which the result's lifetime records.
        let slice = unsafe { DeviceSlice::from_raw_parts(pointer, elements) };
        Ok(CustSlice {
            slice,
            memory: PhantomData,
        })
    }
}

impl DeviceAddress {
    /// The address as cust's pointer. It is valid as long as what the address was taken from.
    ///
    /// # Errors
    ///
    /// [`Error::Misaligned`] for an address that no `T` can lie at.
    pub fn to_cust_pointer<T: DeviceCopy>(self) -> Result<DevicePointer<T>> {
        pointer("a view as cust's pointer", self.as_raw())
    }
}

fn pointer<T: DeviceCopy>(
    operation: &'static str,
    address: CUdeviceptr,
) -> Result<DevicePointer<T>> {
    let align = size::from_usize(align_of::<T>());
    match address.checked_rem(align) {
        Some(0) => Ok(DevicePointer::from_raw(address)),
        excess => Err(Error::Misaligned {
            operation,
            excess: excess.unwrap_or(0),
            align,
        }),
    }
}

/// How many elements so many bytes are.
fn elements<T>(operation: &'static str, len: u64) -> Result<usize> {
    let element = size::from_usize(size_of::<T>());
    if len.checked_rem(element) != Some(0) {
        return Err(Error::PartialElement {
            operation,
            len,
            element,
        });
    }
    size::to_usize(operation, len.checked_div(element).unwrap_or(0))
}

/// One of cust's buffers, borrowed to be measured.
///
/// Dropping it waits for the device: the work that reads the buffer may still be queued, and cust may
/// free the buffer once it isn't borrowed any more.
pub struct AdoptedBuffer<'buffer> {
    region: ExternalRegion,
    buffer: PhantomData<&'buffer ()>,
}

impl Device {
    /// Borrows one of cust's buffers, to be read by the device.
    ///
    /// Waits for the device first: a copy into the buffer may not have arrived, and streams of this
    /// crate don't wait for cust's. Nothing keeps kernels from writing it afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignMemory`] for a buffer that isn't of this device's context; [`Error::ZeroSize`]
    /// for an empty one; [`Error::Driver`], [`Error::DeviceLost`].
    pub fn adopt_cust_buffer<'buffer, T: DeviceCopy>(
        &self,
        buffer: &'buffer DeviceBuffer<T>,
    ) -> Result<AdoptedBuffer<'buffer>> {
        // SAFETY: cust frees a buffer's memory when the buffer is dropped or taken, which it can't be
        // while it is borrowed.
        unsafe { self.adopt_cust_slice(buffer) }
    }

    /// As [`adopt_cust_buffer`](Self::adopt_cust_buffer), for a slice.
    ///
    /// # Errors
    ///
    /// As [`adopt_cust_buffer`](Self::adopt_cust_buffer).
    ///
    /// # Safety
    ///
    /// The memory isn't freed while the result lives. cust's slices can be copied out of a buffer, and
    /// borrowing a copy doesn't borrow the buffer.
    pub unsafe fn adopt_cust_slice<'slice, T: DeviceCopy>(
        &self,
        slice: &'slice DeviceSlice<T>,
    ) -> Result<AdoptedBuffer<'slice>> {
        let address = slice.as_device_ptr().as_raw();
        let element = size::from_usize(size_of::<T>());
        let len =
            size::from_usize(slice.len())
                .checked_mul(element)
                .ok_or(Error::ForeignMemory {
                    why: Foreign::TooLong,
                })?;
        // SAFETY: the memory isn't freed while the result lives, by this function's contract.
        let region = unsafe { ExternalRegion::adopt(self, address, len, Extent::Within) }?;
        Ok(AdoptedBuffer {
            region,
            buffer: PhantomData,
        })
    }
}

impl AdoptedBuffer<'_> {
    /// Bytes in the buffer.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a buffer of 0 bytes isn't adopted"
    )]
    pub const fn len(&self) -> u64 {
        self.region.len()
    }

    /// The device that it is on.
    #[must_use]
    pub const fn device(&self) -> &Device {
        self.region.device()
    }

    /// A range of the buffer, in bytes, to be read by the device.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfBounds`] for a range that leaves the buffer.
    pub fn span(&self, offset: u64, len: u64) -> Result<Span<'_>> {
        self.region.span(offset, len)
    }
}

impl fmt::Debug for AdoptedBuffer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdoptedBuffer")
            .field("len", &Bytes(self.len()))
            .field("device", self.device())
            .finish_non_exhaustive()
    }
}
