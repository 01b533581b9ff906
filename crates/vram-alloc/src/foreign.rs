//! Memory that somebody else allocated: what it must be to be used through a device.

use core::fmt;

use vram_sys::{CUdeviceptr, CUmemorytype, CUpointer_attribute};

use crate::context::{Context, Entered};
use crate::observation::{self, number};
use crate::{Error, Result};

/// What is wrong with memory that somebody else allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Foreign {
    /// It reaches past the end of all addresses.
    TooLong,
    /// The driver knows nothing at the address: it was freed or unmapped, or is none of its own.
    Unknown,
    /// Managed memory, which the driver moves between host and device (`cuMemAllocManaged`).
    Managed,
    /// Host memory that is mapped for the device, which reads it over the link: the driver's own
    /// (`cuMemHostAlloc`, `cuMemAllocHost`) or the program's, registered (`cuMemHostRegister`). No attribute is
    /// documented to tell these two apart. Driver 580 answers the same of both, `cuMemHostGetFlags` included, but for
    /// the bounds of the mapping that they lie in.
    MappedHost,
    /// Neither host nor linear device memory.
    NotLinear,
    /// Device memory that the host can reach too.
    HostAlias,
    /// Memory of another device.
    WrongDevice,
    /// Memory of another context on the same device.
    OtherContext,
    /// The driver doesn't say something that must be known.
    Undisclosed {
        /// What it doesn't say.
        what: &'static str,
    },
    /// The allocation ends before the range does.
    Short,
    /// Not an allocation from its beginning to its end.
    Partial {
        /// Bytes of the allocation before the range.
        before: u64,
        /// Bytes in the range.
        len: u64,
        /// Bytes in the allocation.
        allocation: u64,
    },
    /// Not the allocation that was adopted: that was freed, and another lies there.
    Replaced,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "it is longer than any memory",
            Self::Unknown => {
                "the driver doesn't know it: it was freed, or the driver never allocated it"
            }
            Self::Managed => {
                "it is managed memory (cuMemAllocManaged), which the driver may move to the host"
            }
            Self::MappedHost => {
                "it is host memory, mapped or registered for the device (cuMemHostAlloc, cuMemHostRegister), not \
                 device memory"
            }
            Self::NotLinear => "it is not device memory, but an array or unified",
            Self::HostAlias => "the host can reach it through an address of its own",
            Self::WrongDevice => "it is another device's",
            Self::OtherContext => "it is another context's",
            Self::Undisclosed { what } => return write!(f, "the driver doesn't say {what}"),
            Self::Short => "it ends before the buffer does",
            Self::Partial {
                before,
                len,
                allocation,
            } => {
                return write!(
                    f,
                    "it is a part of an allocation, {len} bytes at offset {before} of {allocation}; give all of it"
                );
            }
            Self::Replaced => {
                "what was adopted has been freed, and other memory lies at its address"
            }
        })
    }
}

/// How much of an allocation a range must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Any part of it.
    #[cfg_attr(
        not(feature = "cust"),
        expect(dead_code, reason = "buffers of cust's are lent in parts")
    )]
    Within,
    /// All of it, where its size may be the range's rounded up to the device's granularity.
    Whole {
        /// The device's granularity in bytes.
        granularity: u64,
    },
}

/// A range that somebody claims to be memory of a context's device.
#[derive(Clone, Copy)]
pub(crate) struct Claimed {
    pub(crate) ordinal: usize,
    pub(crate) address: CUdeviceptr,
    pub(crate) len: u64,
    pub(crate) extent: Extent,
}

/// The allocation that a claim was found to be about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Identifies it for the life of the process, unlike its address; where the driver tells.
    identity: Option<u64>,
    /// Its bytes.
    pub(crate) allocation: u64,
}

impl Claimed {
    /// Refuses the range unless the driver says that it is plain memory of this context's device.
    pub(crate) fn require(&self, context: &Context) -> Result<Found> {
        let entered = context.enter()?;
        let judged = self.judge(&entered, context);
        let identity = observation::buffer_id(&entered, self.address);
        drop(entered);
        if context.is_lost() {
            // A refused answer was the device going away, not the driver having none.
            context.enter().map(drop)?;
        }
        match judged {
            Ok(allocation) => Ok(Found {
                identity,
                allocation,
            }),
            Err(why) => Err(Error::ForeignMemory { why }),
        }
    }

    fn judge(&self, entered: &Entered<'_>, context: &Context) -> Result<u64, Foreign> {
        let Self { address, len, .. } = *self;
        if address.checked_add(len).is_none() {
            return Err(Foreign::TooLong);
        }
        let kind = number::<u32>(
            entered,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
            address,
        );
        let kind = kind.map(CUmemorytype).ok_or(Foreign::Unknown)?;
        // Managed memory may say that it is the device's: this is asked first.
        let managed = CUpointer_attribute::CU_POINTER_ATTRIBUTE_IS_MANAGED;
        match number::<u32>(entered, managed, address) {
            Some(0) => {}
            Some(_) => return Err(Foreign::Managed),
            None => {
                return Err(Foreign::Undisclosed {
                    what: "whether it is managed",
                });
            }
        }
        match kind {
            CUmemorytype::CU_MEMORYTYPE_DEVICE => {}
            CUmemorytype::CU_MEMORYTYPE_HOST => return Err(Foreign::MappedHost),
            _ => return Err(Foreign::NotLinear),
        }
        match observation::host_pointer(entered, address) {
            Some(false) => {}
            Some(true) => return Err(Foreign::HostAlias),
            None => {
                return Err(Foreign::Undisclosed {
                    what: "whether the host can reach it",
                });
            }
        }
        let ordinal = number::<i32>(
            entered,
            CUpointer_attribute::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
            address,
        );
        if ordinal.and_then(|found| usize::try_from(found).ok()) != Some(self.ordinal) {
            return Err(Foreign::WrongDevice);
        }
        // Mapped memory and memory of a pool belong to no context: the driver then answers with null.
        let owner = CUpointer_attribute::CU_POINTER_ATTRIBUTE_CONTEXT;
        match number::<u64>(entered, owner, address) {
            Some(owner) if owner == 0 || owner == context.to_number() => {}
            Some(_) => return Err(Foreign::OtherContext),
            None => {
                return Err(Foreign::Undisclosed {
                    what: "whose it is",
                });
            }
        }
        self.judge_extent(entered)
    }

    /// The bytes in the allocation, if the range is as much of it as it must be.
    fn judge_extent(&self, entered: &Entered<'_>) -> Result<u64, Foreign> {
        let wide = |attribute| number::<u64>(entered, attribute, self.address);
        let range = wide(CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR)
            .and_then(|start| self.address.checked_sub(start))
            .zip(wide(CUpointer_attribute::CU_POINTER_ATTRIBUTE_RANGE_SIZE));
        let Some((before, allocation)) = range else {
            return Err(Foreign::Undisclosed {
                what: "which allocation it is of",
            });
        };
        let len = self.len;
        if allocation.checked_sub(before).is_none_or(|room| room < len) {
            return Err(Foreign::Short);
        }
        let Extent::Whole { granularity } = self.extent else {
            return Ok(allocation);
        };
        let rounded = len.checked_next_multiple_of(granularity.max(1));
        if before == 0 && (allocation == len || Some(allocation) == rounded) {
            return Ok(allocation);
        }
        Err(Foreign::Partial {
            before,
            len,
            allocation,
        })
    }
}
