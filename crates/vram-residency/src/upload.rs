//! Bringing a source to the device: read, copied and hashed by a crew of threads, each chunk by one.
//!
//! Each thread has pinned buffers and a stream of its own, and does the same again and again: reads
//! a chunk, hands it to the copy engine, hashes it while that copies, goes on to the next. What
//! can't be spread, the content digest, the threads do in turn, each with its own chunk.

use std::num::{NonZeroU64, NonZeroUsize};
use std::panic::resume_unwind;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use vram_alloc::OpenRegion;
use vram_seal::verity::{LeafPrints, PieceHasher, PieceTree};
use vram_seal::{Digest, HashPlan, Salt, ShardHasher, ShardId, VerityMeasurement};

use crate::chunks::{Chunk, Chunks};
use crate::hashing::HostHashing;
use crate::manager::lock;
use crate::pieces::PieceDigester;
use crate::progress::{Progress, Stage};
use crate::staging::{Lent, StagingPool};
use crate::sync::{Condvar, Mutex, scope, spawn_scoped};
use crate::together::Together;
use crate::{Error, Result};

/// Threads that keep a content digest busy: one hashes content while the others read, and hash
/// groups.
const ABREAST: usize = 3;

/// From how many bytes on a lone thread has its two digests computed side by side: hashing so much
/// takes ten times as long as waking another.
const SPREAD_FROM: usize = 65_536;

/// How an upload is done.
pub(crate) struct Upload<'a> {
    pub(crate) shard: &'a ShardId,
    pub(crate) hashing: HostHashing,
    /// The size of the pieces whose content digests are wanted too, where content is hashed at all.
    pub(crate) piece_size: Option<NonZeroU64>,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) together: &'a Together,
}

/// What the host computed of the bytes that went to the device, as far as it was to.
#[derive(Default)]
pub(crate) struct Passed {
    pub(crate) content: Option<Digest>,
    /// Of each piece, in order.
    pub(crate) pieces: Option<Vec<Digest>>,
    pub(crate) verity: Option<(VerityMeasurement, LeafPrints)>,
}

impl Upload<'_> {
    /// Fills the region. When it returns, every byte is there, or an error is, and staging is wiped.
    pub(crate) fn run(
        &self,
        chunks: Chunks<'_>,
        region: &mut OpenRegion,
        pool: &StagingPool,
    ) -> Result<Passed> {
        let mut lent = pool.lend(self.threads(chunks.count()));
        let crew = Crew {
            upload: self,
            content: self.hashes_content().then(|| InTurn::new(self.piece_size)),
            verity: self.hashes_verity().then(|| Verity::new(chunks.size())),
            alone: lent.len() == 1,
            chunks,
            region: Mutex::new(region),
            done: Mutex::new(0),
            halted: AtomicBool::new(false),
            failure: Mutex::new(None),
        };
        let own = lent.pop();
        scope(|scope| {
            let crew = &crew;
            let spawn = |lent| spawn_scoped(scope, "vram-upload", move || crew.work(lent));
            // A thread that the system doesn't give is done without.
            let threads: Vec<_> = lent.drain(..).flat_map(spawn).collect();
            if let Some(own) = own {
                crew.work(own);
            }
            for thread in threads {
                if let Err(panic) = thread.join() {
                    resume_unwind(panic);
                }
            }
        });
        crew.finish()
    }

    /// How many threads are worth having.
    fn threads(&self, chunks: u64) -> NonZeroUsize {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let share = |threads: usize| threads.div_ceil(self.together.seals().get());
        let wanted = if self.hashes_content() {
            share(cores.saturating_mul(2)).clamp(2, ABREAST)
        } else {
            share(cores)
        };
        let chunks = usize::try_from(chunks).unwrap_or(usize::MAX);
        NonZeroUsize::new(wanted.min(chunks)).unwrap_or(NonZeroUsize::MIN)
    }

    const fn hashes_content(&self) -> bool {
        matches!(self.hashing, HostHashing::ContentAndVerity)
    }

    const fn hashes_verity(&self) -> bool {
        !matches!(self.hashing, HostHashing::Trusted)
    }
}

/// The threads of one upload, and what they share.
struct Crew<'a, 'source> {
    upload: &'a Upload<'a>,
    chunks: Chunks<'source>,
    region: Mutex<&'a mut OpenRegion>,
    content: Option<InTurn>,
    verity: Option<Verity>,
    /// One thread is all: its groups are spread over the cores that have nothing else to do.
    alone: bool,
    /// Bytes that are through.
    done: Mutex<u64>,
    halted: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

/// Why a thread gave up.
struct Failure {
    /// The chunk it was at; of two failures, the first in the file is told.
    at: u64,
    error: Error,
}

impl Failure {
    /// The one that counts: a lost device before a bad file, then the first in the file.
    fn or(self, other: Self) -> Self {
        let rank = |failure: &Self| (!failure.error.is_fatal(), failure.at);
        if rank(&other) < rank(&self) {
            other
        } else {
            self
        }
    }
}

/// Whether a thread that carries so many bytes, alone or beside others, has them hashed on two.
const fn spread_pays(alone: bool, len: usize) -> bool {
    alone && len >= SPREAD_FROM
}

impl Crew<'_, '_> {
    fn work(&self, mut lent: Lent<'_>) {
        let mut alarm = Alarm {
            crew: self,
            armed: true,
        };
        let mut at = 0;
        if let Err(error) = self.carry(&mut lent, &mut at) {
            self.fail(Failure { at, error });
        }
        alarm.armed = false;
    }

    /// Carries chunks to the device until there are none left. `at` is the chunk at hand.
    fn carry(&self, lent: &mut Lent<'_>, at: &mut u64) -> Result<()> {
        let ring = lent.ring()?;
        while !self.is_halted() && !self.chunks.is_exhausted() {
            if self.upload.together.is_cancelled() || self.upload.progress.is_cancelled() {
                return Err(Error::Cancelled {
                    shard: self.upload.shard.clone(),
                });
            }
            let mut buffer = ring.acquire()?;
            let next = self
                .chunks
                .read_next(buffer.bytes_mut(), || self.is_halted());
            let chunk = match next {
                Some((chunk, Ok(()))) => chunk,
                Some((chunk, Err(error))) => {
                    *at = chunk.index;
                    ring.put_back(buffer);
                    return Err(error);
                }
                None => {
                    ring.put_back(buffer);
                    break;
                }
            };
            *at = chunk.index;
            let mut region = lock(&self.region);
            let sent = ring.send(buffer, chunk.len, &mut region, chunk.offset)?;
            drop(region);
            let hashed = self.hash(&chunk, &sent);
            ring.give_back(sent);
            hashed?;
            self.tell(&chunk);
        }
        ring.drain()?;
        Ok(())
    }

    fn hash(&self, chunk: &Chunk, data: &[u8]) -> Result<()> {
        let groups = || match &self.verity {
            Some(verity) => verity.take_in(chunk, data, self.alone),
            None => Ok(()),
        };
        let Some(content) = &self.content else {
            return groups();
        };
        if spread_pays(self.alone, data.len()) {
            let content = || content.take_in(chunk, data, || self.is_halted());
            return rayon::join(content, groups).1;
        }
        // Whoever's turn it is doesn't let the others wait.
        let taken = content.take_in_if_next(chunk, data);
        groups()?;
        if !taken {
            content.take_in(chunk, data, || self.is_halted());
        }
        Ok(())
    }

    fn tell(&self, chunk: &Chunk) {
        let len = u64::try_from(chunk.len).unwrap_or(u64::MAX);
        // Told under the lock: nobody hears of less after more.
        let mut done = lock(&self.done);
        *done = done.saturating_add(len);
        let (progress, size) = (self.upload.progress, self.chunks.size());
        progress.advanced(Stage::Upload, *done, size);
    }

    fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    /// Keeps the failure that counts.
    fn fail(&self, failure: Failure) {
        let mut kept = lock(&self.failure);
        *kept = Some(match kept.take() {
            Some(kept) => kept.or(failure),
            None => failure,
        });
        drop(kept);
        self.halt();
    }

    /// Lets every thread end with the chunk that it has.
    fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
        if let Some(content) = &self.content {
            content.wake();
        }
    }

    fn finish(self) -> Result<Passed> {
        let failure = self.failure.into_inner();
        if let Some(Failure { error, .. }) = failure.unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let done = self.done.into_inner();
        let done = done.unwrap_or_else(PoisonError::into_inner);
        if done != self.chunks.size() {
            return Err(self.chunks.changed(done));
        }
        self.chunks.finish()?;
        let (content, pieces) = self.content.map_or((None, None), InTurn::finish);
        Ok(Passed {
            content,
            pieces,
            verity: self.verity.map(Verity::finish).transpose()?,
        })
    }
}

/// Halts the crew if its thread panics: the others may be waiting for what that was to do.
struct Alarm<'crew, 'a, 'source> {
    crew: &'crew Crew<'a, 'source>,
    armed: bool,
}

impl Drop for Alarm<'_, '_, '_> {
    fn drop(&mut self) {
        if self.armed {
            self.crew.halt();
        }
    }
}

/// The content digest, which takes the chunks in their order.
///
/// Chunks are given out in order too, and a thread takes no other before its own is through: the one
/// whose turn it is has its chunk at hand.
struct InTurn {
    turn: Mutex<Turn>,
    passed: Condvar,
}

struct Turn {
    next: u64,
    hasher: ShardHasher,
    pieces: Option<PieceDigester>,
}

impl InTurn {
    fn new(piece_size: Option<NonZeroU64>) -> Self {
        Self {
            turn: Mutex::new(Turn {
                next: 0,
                hasher: ShardHasher::new(HashPlan::CONTENT, &Salt::none()),
                pieces: piece_size.map(PieceDigester::new),
            }),
            passed: Condvar::new(),
        }
    }

    /// Takes the chunk in if it is the next; says whether it was.
    fn take_in_if_next(&self, chunk: &Chunk, data: &[u8]) -> bool {
        let Ok(mut turn) = self.turn.try_lock() else {
            return false;
        };
        if turn.next != chunk.index {
            return false;
        }
        turn.take_in(data);
        drop(turn);
        self.passed.notify_all();
        true
    }

    /// Takes the chunk in when it is the next; not at all if the crew is halted before.
    fn take_in(&self, chunk: &Chunk, data: &[u8], halted: impl Fn() -> bool) {
        let turn = lock(&self.turn);
        let waiting = |turn: &mut Turn| turn.next != chunk.index && !halted();
        let mut turn = self
            .passed
            .wait_while(turn, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        if turn.next == chunk.index {
            turn.take_in(data);
        }
        drop(turn);
        self.passed.notify_all();
    }

    /// Lets those who wait look whether they still should.
    fn wake(&self) {
        // Under the lock: whoever looked before is waiting by now.
        let turn = lock(&self.turn);
        self.passed.notify_all();
        drop(turn);
    }

    /// The content digest, and those of the pieces if they were wanted.
    fn finish(self) -> (Option<Digest>, Option<Vec<Digest>>) {
        let turn = self.turn.into_inner();
        let turn = turn.unwrap_or_else(PoisonError::into_inner);
        let pieces = turn.pieces.map(PieceDigester::finish);
        (turn.hasher.finish().content, pieces)
    }
}

impl Turn {
    fn take_in(&mut self, data: &[u8]) {
        self.hasher.update(data);
        if let Some(pieces) = &mut self.pieces {
            pieces.update(data);
        }
        self.next = self.next.saturating_add(1);
    }
}

/// The verity tree, whose groups are hashed in any order.
struct Verity {
    hasher: PieceHasher,
    tree: Mutex<PieceTree>,
}

impl Verity {
    fn new(size: u64) -> Self {
        Self {
            hasher: PieceHasher::new(size, &Salt::none()),
            tree: Mutex::new(PieceTree::new(size, &Salt::none())),
        }
    }

    fn take_in(&self, chunk: &Chunk, data: &[u8], spread: bool) -> Result<()> {
        let piece = if spread {
            self.hasher.hash_spread(chunk.offset, data)?
        } else {
            self.hasher.hash(chunk.offset, data)?
        };
        lock(&self.tree).place(&piece);
        Ok(())
    }

    fn finish(self) -> Result<(VerityMeasurement, LeafPrints)> {
        let tree = self.tree.into_inner();
        Ok(tree.unwrap_or_else(PoisonError::into_inner).finish()?)
    }
}

#[cfg(test)]
mod tests;
