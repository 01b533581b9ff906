//! Both digests of a shard in one pass, spread over the machine's cores.

use std::{fmt, io::Read};

use ring::digest::{Context, SHA256};

use crate::{
    Digest, Error, Result, Salt,
    digest::to_array,
    spread,
    verity::{GROUP_SIZE, LeafPrints, VerityHasher, VerityMeasurement, count},
    wiped_buffer::WipedBuffer,
};

/// How much is gathered before it is hashed, when it comes in smaller pieces: 16 groups, enough
/// to keep 16 cores busy.
const BATCH_SIZE: usize = 8_388_608;

/// From how many bytes on the two digests are computed side by side: hashing so much takes ten
/// times as long as waking a thread.
const SPREAD_FROM: usize = 65_536;

/// What to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashPlan {
    /// The content digest. It can't be spread over cores: one core's speed is its limit.
    pub content: bool,
    /// The verity digest, with the group hashes and leaf prints.
    pub verity: bool,
}

impl HashPlan {
    /// Both digests.
    pub const BOTH: Self = Self {
        content: true,
        verity: true,
    };
    /// The content digest alone.
    pub const CONTENT: Self = Self {
        content: true,
        verity: false,
    };
    /// The verity digest alone.
    pub const VERITY: Self = Self {
        content: false,
        verity: true,
    };
}

/// What was computed, as far as it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardDigests {
    /// How many bytes were hashed.
    pub size: u64,
    /// The content digest.
    pub content: Option<Digest>,
    /// The verity tree's measurement.
    pub verity: Option<VerityMeasurement>,
    /// What pins a change down to its block, beside `verity`.
    pub prints: Option<LeafPrints>,
}

/// Hashes a shard that arrives in pieces of any size.
///
/// The pieces don't matter to the result, only to speed: several MiB at a time, in multiples of
/// 512 KiB, are hashed where they lie. Smaller pieces are gathered in a buffer of 8 MiB, which is
/// wiped on drop.
///
/// ```
/// use vram_seal::{HashPlan, Salt, ShardHasher};
///
/// let mut hasher = ShardHasher::new(HashPlan::BOTH, &Salt::none());
/// hasher.update(b"model ");
/// hasher.update(b"weights");
/// let digests = hasher.finish();
/// assert_eq!(digests.size, 13);
/// assert_eq!(digests.content, Some(vram_seal::Digest::of(b"model weights")));
/// ```
pub struct ShardHasher {
    size: u64,
    content: Option<Context>,
    verity: Option<VerityHasher>,
    /// Bytes that have arrived but are not hashed yet. Without room until it is needed.
    pending: WipedBuffer,
}

impl ShardHasher {
    /// Starts hashing. `salt` goes into the verity digest only.
    #[must_use]
    pub fn new(plan: HashPlan, salt: &Salt) -> Self {
        Self {
            size: 0,
            content: plan.content.then(|| Context::new(&SHA256)),
            verity: plan.verity.then(|| VerityHasher::new(salt)),
            pending: WipedBuffer::default(),
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, mut data: &[u8]) {
        self.size = self.size.saturating_add(count(data.len()));
        if self.verity.is_none() {
            // The content digest has no groups to wait for.
            return self.hash(data);
        }
        if !self.pending.filled().is_empty() {
            data = self.pending.take_from(data);
            if self.pending.is_full() {
                self.hash_pending();
            }
        }
        if data.len() >= BATCH_SIZE {
            let whole_groups = data.len().saturating_sub(data.len() % GROUP_SIZE);
            let (groups, rest) = data.split_at(whole_groups);
            self.hash(groups);
            data = rest;
        }
        if !data.is_empty() {
            if self.pending.capacity() == 0 {
                self.pending = WipedBuffer::new(BATCH_SIZE);
            }
            // What is left is less than the buffer, which is empty or has just taken all it can.
            self.pending.take_from(data);
        }
    }

    /// The digests of all that was taken in.
    #[must_use]
    pub fn finish(mut self) -> ShardDigests {
        let pending = std::mem::take(&mut self.pending);
        self.finish_with(pending.filled())
    }

    fn hash_pending(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        self.hash(pending.filled());
        pending.clear();
        self.pending = pending;
    }

    /// Hashes whole groups, or anything if there is no tree to compute.
    fn hash(&mut self, data: &[u8]) {
        let Self {
            content, verity, ..
        } = self;
        side_by_side(
            data.len(),
            || {
                if let Some(content) = content {
                    content.update(data);
                }
            },
            || {
                if let Some(verity) = verity {
                    verity.absorb(data);
                }
            },
        );
    }

    /// Hashes the last bytes from where they lie. Nothing is pending.
    fn finish_with(self, tail: &[u8]) -> ShardDigests {
        let Self {
            size,
            content,
            verity,
            ..
        } = self;
        let (content, verity) = side_by_side(
            tail.len(),
            || {
                content.map(|mut content| {
                    content.update(tail);
                    Digest::from_bytes(to_array(content.finish()))
                })
            },
            || verity.map(|verity| verity.finish(tail)),
        );
        let (verity, prints) = verity.unzip();
        ShardDigests {
            size,
            content,
            verity,
            prints,
        }
    }
}

impl fmt::Debug for ShardHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ShardHasher")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Runs both, on two threads where `len` bytes are worth it.
fn side_by_side<A: Send, B: Send>(
    len: usize,
    content: impl FnOnce() -> A + Send,
    verity: impl FnOnce() -> B + Send,
) -> (A, B) {
    if spread::pays(len, SPREAD_FROM) {
        rayon::join(content, verity)
    } else {
        (content(), verity())
    }
}

/// Hashes bytes in memory, where they lie.
#[must_use]
pub fn hash_bytes(data: &[u8], plan: HashPlan, salt: &Salt) -> ShardDigests {
    let mut hasher = ShardHasher::new(plan, salt);
    hasher.size = count(data.len());
    hasher.finish_with(data)
}

/// Hashes all that a reader gives, reading ahead while hashing.
///
/// Holds 16 MiB at a time, and wipes them. Reads that were interrupted by a signal are repeated.
///
/// # Errors
/// [`Error::Read`] with the reader's own error.
pub fn hash_reader(mut reader: impl Read, plan: HashPlan, salt: &Salt) -> Result<ShardDigests> {
    let mut hasher = ShardHasher::new(plan, salt);
    let mut hashing = WipedBuffer::new(BATCH_SIZE);
    let mut reading = WipedBuffer::new(BATCH_SIZE);
    let mut read = 0_u64;
    let mut fill = |buffer: &mut WipedBuffer| {
        buffer.clear();
        let result = buffer.fill_from(&mut reader);
        read = read.saturating_add(count(buffer.filled().len()));
        result.map_err(|source| Error::Read { read, source })
    };

    fill(&mut hashing)?;
    while hashing.is_full() {
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| hasher.update(hashing.filled()));
            fill(&mut reading)
        })?;
        std::mem::swap(&mut hashing, &mut reading);
    }
    hasher.size = hasher.size.saturating_add(count(hashing.filled().len()));
    Ok(hasher.finish_with(hashing.filled()))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// "abc": what `sha256sum` and `fsverity digest` print.
    const ABC: (&str, &str) = (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "700b6bd8510f0b4f9bac8b9cf0459151a1c4a99f467892bb4bd289a67df8e19c",
    );

    fn pattern(size: usize) -> Vec<u8> {
        (0..size)
            .map(|at| u8::try_from((at ^ at >> 9) % 251).unwrap())
            .collect()
    }

    /// Covers: FN-2.3, CI-004.
    #[test]
    fn test_compute_digest_deterministic() {
        let digests = hash_bytes(b"abc", HashPlan::BOTH, &Salt::none());
        assert_eq!(digests.size, 3);
        assert_eq!(digests.content.unwrap().to_string(), ABC.0);
        assert_eq!(digests.verity.unwrap().digest().to_string(), ABC.1);

        // The same bytes give the same digests, however often and on however many threads.
        let data = pattern(3 * GROUP_SIZE + 17);
        let expected = hash_bytes(&data, HashPlan::BOTH, &Salt::none());
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let digests = pool.install(|| hash_bytes(&data, HashPlan::BOTH, &Salt::none()));
            assert_eq!(digests, expected, "{threads} threads");
            let read = pool.install(|| hash_reader(&data[..], HashPlan::BOTH, &Salt::none()));
            assert_eq!(read.unwrap(), expected, "{threads} threads");
        }
        let mut changed = data;
        changed[GROUP_SIZE] ^= 1;
        let other = hash_bytes(&changed, HashPlan::BOTH, &Salt::none());
        assert_ne!(other.content, expected.content);
        assert_ne!(other.verity, expected.verity);
    }

    #[test]
    fn only_what_was_planned_is_computed() {
        let data = pattern(5000);
        let both = hash_bytes(&data, HashPlan::BOTH, &Salt::none());
        let content = hash_bytes(&data, HashPlan::CONTENT, &Salt::none());
        assert_eq!(
            (content.content, content.verity, content.prints),
            (both.content, None, None)
        );
        let verity = hash_bytes(&data, HashPlan::VERITY, &Salt::none());
        assert_eq!(
            (verity.content, verity.verity, verity.prints),
            (None, both.verity, both.prints)
        );
        let neither = HashPlan {
            content: false,
            verity: false,
        };
        let neither = hash_bytes(&data, neither, &Salt::none());
        assert_eq!(
            (neither.size, neither.content, neither.verity),
            (5000, None, None)
        );
    }

    #[test]
    fn the_salt_goes_into_the_verity_digest_only() {
        let data = pattern(5000);
        let plain = hash_bytes(&data, HashPlan::BOTH, &Salt::none());
        let salted = hash_bytes(&data, HashPlan::BOTH, &Salt::new(b"challenge").unwrap());
        assert_eq!(plain.content, salted.content);
        assert_ne!(
            plain.verity.unwrap().digest(),
            salted.verity.unwrap().digest()
        );
    }

    /// Covers: FN-2.3.
    #[test]
    fn nothing_hashes_alike_however_it_arrives() {
        let expected = hash_bytes(b"", HashPlan::BOTH, &Salt::none());
        assert_eq!(expected.content, Some(Digest::of(b"")));
        assert_eq!(
            expected.verity.as_ref().unwrap().root().as_bytes(),
            &[0; 32]
        );
        assert!(expected.verity.as_ref().unwrap().groups().is_empty());
        assert!(expected.prints.as_ref().unwrap().is_empty());
        let mut hasher = ShardHasher::new(HashPlan::BOTH, &Salt::none());
        hasher.update(b"");
        assert_eq!(hasher.finish(), expected);
        assert_eq!(
            hash_reader(io::empty(), HashPlan::BOTH, &Salt::none()).unwrap(),
            expected
        );
    }

    #[test]
    fn pieces_around_the_buffers_size_hash_alike() {
        let data = pattern(2 * BATCH_SIZE + 3);
        let expected = hash_bytes(&data, HashPlan::VERITY, &Salt::none());
        for piece in [
            BATCH_SIZE - 1,
            BATCH_SIZE,
            BATCH_SIZE + 1,
            BATCH_SIZE + GROUP_SIZE + 1,
        ] {
            let mut hasher = ShardHasher::new(HashPlan::VERITY, &Salt::none());
            data.chunks(piece).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn content_alone_needs_no_buffer() {
        let mut hasher = ShardHasher::new(HashPlan::CONTENT, &Salt::none());
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.pending.capacity(), 0);
        assert_eq!(hasher.finish().content.unwrap().to_string(), ABC.0);
    }

    #[test]
    fn a_reader_of_whole_batches_is_read_to_its_end() {
        for size in [BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1, 2 * BATCH_SIZE] {
            let data = pattern(size);
            let read = hash_reader(&data[..], HashPlan::VERITY, &Salt::none()).unwrap();
            assert_eq!(
                read,
                hash_bytes(&data, HashPlan::VERITY, &Salt::none()),
                "{size} bytes"
            );
        }
    }

    #[test]
    fn a_failing_reader_is_reported_with_how_far_it_came() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        for before in [0, 5, BATCH_SIZE, BATCH_SIZE + 5] {
            let data = pattern(before);
            let error = hash_reader(
                data.as_slice().chain(Failing),
                HashPlan::BOTH,
                &Salt::none(),
            )
            .unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("reading failed after {before} bytes: gone")
            );
            assert!(error.is_retriable());
        }
    }

    #[test]
    fn debug_shows_no_bytes() {
        let mut hasher = ShardHasher::new(HashPlan::BOTH, &Salt::none());
        hasher.update(b"abc");
        assert_eq!(format!("{hasher:?}"), "ShardHasher { size: 3, .. }");
    }
}
