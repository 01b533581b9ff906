//! Kernel launches: the CPU build of the kernels over real addresses.

use core::ffi::c_void;
use core::mem::offset_of;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use vram_kernels::{
    BLOCK_SIZE, DIGEST_SIZE, Kernel, Message, PROBE_STATE_SIZE, PROBE_UNIT, ProbeReadArgs,
    ProbeRegistersArgs, Row, Sha256BlocksArgs, Sha256MessagesArgs, VerityDigestsArgs, cpu,
};
use vram_sys::CUresult;

use crate::answer::Answer;
use crate::state::State;

/// Words in the largest argument struct, and some to spare.
const WORDS: usize = 16;

/// The most bytes that a kernel's arguments have.
pub(crate) const ARGUMENTS: usize = WORDS * size_of::<u64>();

/// Blocks that a CPU thread takes at a time.
const SHARE: u32 = 16;

/// A launch with the arguments that it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launch {
    pub(crate) kernel: Kernel,
    pub(crate) grid_x: u32,
    pub(crate) block_x: u32,
    pub(crate) arguments: [u64; WORDS],
}

/// A range of memory, as start and length.
type Span = (u64, u64);

/// What a launch reads and writes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reach {
    reads: Vec<Span>,
    writes: Vec<Span>,
}

impl Launch {
    /// The 64-bit argument at a byte offset.
    fn argument(&self, offset: usize) -> u64 {
        let word = offset.checked_div(size_of::<u64>()).unwrap_or(WORDS);
        self.arguments.get(word).copied().unwrap_or_default()
    }

    /// Threads in the grid.
    fn threads(&self) -> u64 {
        u64::from(self.grid_x).saturating_mul(u64::from(self.block_x))
    }

    /// The memory that the kernel touches with these arguments, before any of it is touched.
    fn reach(&self) -> Reach {
        match self.kernel {
            // The two take the same arguments.
            Kernel::Sha256Blocks | Kernel::Sha256FewBlocks => {
                let count = self.argument(offset_of!(Sha256BlocksArgs, block_count));
                let len = self.argument(offset_of!(Sha256BlocksArgs, data_len));
                let first = self.argument(offset_of!(Sha256BlocksArgs, first_block));
                let blocks = count.min(self.threads());
                let from = first.saturating_mul(BLOCK_SIZE).min(len);
                let until = first
                    .saturating_add(blocks)
                    .saturating_mul(BLOCK_SIZE)
                    .min(len);
                let data = self.argument(offset_of!(Sha256BlocksArgs, data));
                let digests = self.argument(offset_of!(Sha256BlocksArgs, digests));
                let reads = match self.table() {
                    // What the rows name is looked at once the table itself may be read.
                    Some(table) => vec![table],
                    None => vec![(data.wrapping_add(from), until.saturating_sub(from))],
                };
                Reach {
                    reads,
                    writes: vec![(digests, blocks.saturating_mul(DIGEST_SIZE))],
                }
            }
            Kernel::VerityDigests => {
                let digests = self.argument(offset_of!(VerityDigestsArgs, digests));
                let rows = self
                    .argument(offset_of!(VerityDigestsArgs, row_count))
                    .min(self.threads());
                Reach {
                    reads: self.table().into_iter().collect(),
                    writes: vec![(digests, rows.saturating_mul(DIGEST_SIZE))],
                }
            }
            Kernel::Sha256Messages => {
                let count = self.argument(offset_of!(Sha256MessagesArgs, message_count));
                let messages = count.min(self.threads());
                let table = self.argument(offset_of!(Sha256MessagesArgs, messages));
                let digests = self.argument(offset_of!(Sha256MessagesArgs, digests));
                let row = size_of::<Message>() as u64;
                Reach {
                    reads: vec![
                        (table, messages.saturating_mul(row)),
                        (
                            self.argument(offset_of!(Sha256MessagesArgs, data)),
                            self.argument(offset_of!(Sha256MessagesArgs, data_len)),
                        ),
                    ],
                    writes: vec![(digests, messages.saturating_mul(DIGEST_SIZE))],
                }
            }
            Kernel::ProbeRegisters => {
                let threads = self.argument(offset_of!(ProbeRegistersArgs, threads));
                let states = self.argument(offset_of!(ProbeRegistersArgs, states));
                let threads = threads.min(self.threads());
                Reach {
                    reads: Vec::new(),
                    writes: vec![(states, threads.saturating_mul(PROBE_STATE_SIZE))],
                }
            }
            Kernel::ProbeRead => {
                let threads = self.argument(offset_of!(ProbeReadArgs, threads));
                let sums = self.argument(offset_of!(ProbeReadArgs, sums));
                let threads = threads.min(self.threads());
                Reach {
                    reads: vec![(
                        self.argument(offset_of!(ProbeReadArgs, data)),
                        self.argument(offset_of!(ProbeReadArgs, data_len)),
                    )],
                    writes: vec![(sums, threads.saturating_mul(PROBE_UNIT))],
                }
            }
            _ => Reach::default(),
        }
    }

    /// Blocks that a row stands for.
    fn row_blocks(&self) -> u64 {
        let shift = self.argument(offset_of!(Sha256BlocksArgs, row_shift)) & 31;
        1 << shift
    }

    /// The rows that a launch over a table reads.
    fn table(&self) -> Option<Span> {
        let row = size_of::<Row>() as u64;
        match self.kernel {
            Kernel::Sha256Blocks | Kernel::Sha256FewBlocks => {
                let rows = self.argument(offset_of!(Sha256BlocksArgs, rows));
                if rows == 0 {
                    return None;
                }
                let first = self.argument(offset_of!(Sha256BlocksArgs, first_block));
                let count = self.argument(offset_of!(Sha256BlocksArgs, block_count));
                let last = first.saturating_add(count.min(self.threads()));
                let row_of = |block: u64| block.checked_div(self.row_blocks()).unwrap_or(0);
                let (from, until) = (row_of(first), last.div_ceil(self.row_blocks()));
                let start = rows.wrapping_add(from.saturating_mul(row));
                Some((start, until.saturating_sub(from).saturating_mul(row)))
            }
            Kernel::VerityDigests => {
                let rows = self.argument(offset_of!(VerityDigestsArgs, rows));
                let count = self.argument(offset_of!(VerityDigestsArgs, row_count));
                Some((rows, count.min(self.threads()).saturating_mul(row)))
            }
            _ => None,
        }
    }

    /// What of a row's piece of data the kernel reads; where the row is a root's, the root.
    fn piece(&self, row: &[u8; 16]) -> Span {
        let row = u128::from_le_bytes(*row);
        let word = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        if self.kernel == Kernel::VerityDigests {
            return (word(row), DIGEST_SIZE);
        }
        let room = self.row_blocks().saturating_mul(BLOCK_SIZE);
        (word(row), word(row >> u64::BITS).min(room))
    }

    /// Runs some of the blocks; `false` if the kernel touched memory that it must not touch.
    fn run(&self, blocks: Range<u32>) -> bool {
        let arguments: *const c_void = self.arguments.as_ptr().cast();
        // SAFETY: the arguments are a copy, larger than any kernel's, of what the program gave for
        // this kernel. `run_launch` has checked that whatever they name is memory of the simulated
        // device, where an access that isn't allowed faults.
        unsafe { cpu::launch(self.kernel, self.grid_x, self.block_x, blocks, arguments) }.is_ok()
    }
}

impl State {
    /// Runs a launch to its end.
    ///
    /// Addresses that aren't the device's at all are an illegal address, as they are on the chip,
    /// where no other memory can be named. Within the device's memory the page protection decides.
    pub(crate) fn run_launch(&self, index: usize, launch: &Launch) -> Answer {
        let reach = launch.reach();
        for &(start, len) in reach.reads.iter().chain(&reach.writes) {
            self.reach(index, start, len)
                .map_err(|_| CUresult::CUDA_ERROR_ILLEGAL_ADDRESS)?;
        }
        if let Some((start, len)) = launch.table() {
            let table = self.read_bytes(index, start, len)?;
            let (rows, _) = table.as_chunks::<16>();
            for row in rows {
                let (start, len) = launch.piece(row);
                self.reach(index, start, len)
                    .map_err(|_| CUresult::CUDA_ERROR_ILLEGAL_ADDRESS)?;
            }
        }
        let threads = u32::try_from(self.threads).unwrap_or(u32::MAX);
        let helpers = threads.min(launch.grid_x.div_ceil(SHARE)).saturating_sub(1);
        if spread(launch, helpers) {
            Ok(())
        } else {
            Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS)
        }
    }
}

/// Runs every block on this thread and `helpers` more; `false` after a fault on any.
fn spread(launch: &Launch, helpers: u32) -> bool {
    let next = AtomicU32::new(0);
    let sound = AtomicBool::new(true);
    let work = || {
        while sound.load(Ordering::Relaxed) {
            let first = next.fetch_add(SHARE, Ordering::Relaxed);
            if first >= launch.grid_x {
                break;
            }
            if !launch.run(first..first.saturating_add(SHARE).min(launch.grid_x)) {
                sound.store(false, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..helpers {
            // Where no thread can be had, those that are there do the work.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    sound.into_inner()
}
