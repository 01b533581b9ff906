//! The pinned host memory of all seals under way: bounded, reused, and wiped after each.

use std::num::NonZeroUsize;
use std::sync::PoisonError;

use serde::Serialize;
use vram_alloc::{Bytes, Device, StagingRing};
use vram_seal::verity::GROUP_SIZE;

use crate::Result;
use crate::manager::lock;
use crate::sync::{Condvar, Mutex};

/// The default: 192 MiB at most, in buffers of four groups. A buffer of that size takes a core 2 ms
/// to hash and the link 40 µs to copy, which leaves the calls in between without weight.
pub(crate) const DEFAULT_BUFFERS: usize = 96;
/// As [`DEFAULT_BUFFERS`].
pub(crate) const DEFAULT_BUFFER_LEN: usize = 2 << 20;

/// Buffers of a ring: one is filled and hashed while the other is copied.
const RING: usize = 2;

/// Rings of pinned buffers, lent to the threads of seals. A seal that finds none free waits until
/// another ends; none waits while it holds some.
#[derive(Debug)]
pub(crate) struct StagingPool {
    device: Device,
    buffer_len: usize,
    /// The last rings that are free: lent one to a seal, so that many seals find one each.
    reserve: usize,
    rings: usize,
    books: Mutex<Books>,
    returned: Condvar,
}

/// The pinned host memory that seals use, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StagingUse {
    /// What may be pinned at most.
    pub limit: Bytes,
    /// What is lent to seals under way: pinned as they need it.
    pub lent: Bytes,
    /// What is pinned, wiped, and waits for the next seal.
    pub idle: Bytes,
}

#[derive(Debug)]
struct Books {
    /// Rings that nobody uses, each wiped. Never more than `free`.
    idle: Vec<StagingRing>,
    /// Rings that may be lent now, made yet or not.
    free: usize,
}

impl StagingPool {
    /// At most `buffers` buffers of `len` bytes, rounded up to whole groups. Nothing is pinned yet.
    pub(crate) fn new(device: &Device, buffers: usize, len: usize) -> Result<Self> {
        let refused = |setting, value, expected| vram_alloc::Error::BadSetting {
            setting,
            value: u64::try_from(value).unwrap_or(u64::MAX),
            expected,
        };
        if buffers < RING {
            let expected = "2 or more, so that one is filled while another is copied";
            return Err(refused("the number of staging buffers", buffers, expected).into());
        }
        let expected = "1 byte or more, and little enough to be pinned";
        let whole = len.checked_next_multiple_of(GROUP_SIZE);
        let buffer_len = whole
            .filter(|len| *len > 0)
            .ok_or_else(|| refused("the staging buffers' length", len, expected))?;
        let rings = buffers.checked_div(RING).unwrap_or(1);
        Ok(Self {
            device: device.clone(),
            buffer_len,
            reserve: rings.checked_div(3).unwrap_or(0),
            rings,
            books: Mutex::new(Books {
                idle: Vec::new(),
                free: rings,
            }),
            returned: Condvar::new(),
        })
    }

    /// Bytes in each buffer, whole groups.
    pub(crate) const fn buffer_len(&self) -> usize {
        self.buffer_len
    }

    /// What is in use now.
    pub(crate) fn in_use(&self) -> StagingUse {
        let (free, idle) = {
            let books = lock(&self.books);
            (books.free, books.idle.len())
        };
        let bytes = |rings: usize| {
            let bytes = rings.saturating_mul(RING).saturating_mul(self.buffer_len);
            Bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
        };
        StagingUse {
            limit: bytes(self.rings),
            lent: bytes(self.rings.saturating_sub(free)),
            idle: bytes(idle),
        }
    }

    /// Lends one ring at least and `want` at most, for one seal.
    pub(crate) fn lend(&self, want: NonZeroUsize) -> Vec<Lent<'_>> {
        let books = lock(&self.books);
        let mut books = self
            .returned
            .wait_while(books, |books| books.free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        let plenty = books.free.saturating_sub(self.reserve);
        let count = want.get().min(plenty.max(1));
        books.free = books.free.saturating_sub(count);
        (0..count)
            .map(|_| Lent {
                pool: self,
                ring: books.idle.pop(),
            })
            .collect()
    }
}

/// A ring that one thread of a seal uses. It is wiped before it goes back, however the seal ends.
#[derive(Debug)]
pub(crate) struct Lent<'pool> {
    pool: &'pool StagingPool,
    /// None until it is used, where no earlier seal has left one.
    ring: Option<StagingRing>,
}

impl Lent<'_> {
    pub(crate) fn ring(&mut self) -> Result<&mut StagingRing> {
        let ring = match self.ring.take() {
            Some(ring) => ring,
            None => StagingRing::growing(&self.pool.device, RING, self.pool.buffer_len)?,
        };
        Ok(self.ring.insert(ring))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let ring = self.ring.take().and_then(|mut ring| match ring.wipe() {
            Ok(()) => Some(ring),
            // Dropped, which wipes it as well.
            Err(error) => {
                tracing::warn!(%error, "staging is not used again");
                None
            }
        });
        let mut books = lock(&self.pool.books);
        books.idle.extend(ring);
        books.free = books.free.saturating_add(1);
        drop(books);
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(buffers: usize) -> StagingPool {
        let model = vram_sim::DeviceModel::small(2 << 20);
        let machine = vram_sim::Machine::builder().device(model).build().unwrap();
        let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
        StagingPool::new(&platform.open(0).unwrap(), buffers, DEFAULT_BUFFER_LEN).unwrap()
    }

    /// How many rings each of so many seals is lent, if none ends.
    fn lent(pool: &StagingPool, want: usize, seals: usize) -> Vec<usize> {
        let want = NonZeroUsize::new(want).unwrap();
        let lent: Vec<_> = (0..seals).map(|_| pool.lend(want)).collect();
        lent.iter().map(Vec::len).collect()
    }

    #[test]
    fn the_last_third_is_lent_one_by_one() {
        let pool = pool(DEFAULT_BUFFERS);

        assert_eq!(lent(&pool, 16, 4), [16, 16, 1, 1]);
        assert_eq!(lent(&pool, 64, 3), [32, 1, 1]);
        let sixteen = lent(&pool, 3, 16);
        assert!(sixteen.iter().sum::<usize>() <= 48, "{sixteen:?}");
        assert!(sixteen.iter().all(|rings| *rings > 0), "{sixteen:?}");
        // All of it came back each time.
        assert_eq!(lent(&pool, 1, 48), [1; 48]);
    }

    #[test]
    fn what_is_lent_is_counted_until_it_comes_back() {
        let pool = pool(6);
        let pair = Bytes(2 << 21);

        let lent = pool.lend(NonZeroUsize::MIN);

        assert_eq!(pool.in_use().limit, Bytes(3 * pair.0));
        assert_eq!(pool.in_use().lent, pair);
        drop(lent);
        assert_eq!(pool.in_use().lent, Bytes(0));
    }

    #[test]
    fn the_smallest_pool_lends_its_one_pair() {
        assert_eq!(lent(&pool(2), 16, 1), [1]);
        assert_eq!(lent(&pool(3), 16, 1), [1]);
        assert_eq!(lent(&pool(6), 16, 2), [2, 1]);
    }

    #[test]
    fn lengths_are_whole_groups() {
        let model = vram_sim::DeviceModel::small(2 << 20);
        let machine = vram_sim::Machine::builder().device(model).build().unwrap();
        let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
        let device = platform.open(0).unwrap();
        let of = |len| StagingPool::new(&device, 2, len).unwrap().buffer_len();

        assert_eq!([1, 524_288, 524_289].map(of), [524_288, 524_288, 1_048_576]);
    }
}
