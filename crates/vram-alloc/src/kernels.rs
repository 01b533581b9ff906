//! The project's kernels on a device: loaded, tested on known answers, and launched over checked
//! ranges.

use core::ffi::{CStr, c_void};
use core::fmt;
use std::sync::Arc;

use vram_kernels::{
    BLOCK_SIZE, DIGEST_SIZE, Kernel, KernelArgs, Message, Prefix, Row, Sha256BlocksArgs,
    Sha256FewBlocksArgs, Sha256MessagesArgs, THREADS_PER_BLOCK, VerityDigestsArgs, grid_for,
};
use vram_sys::{CUfunction, CUmodule, Function};

use crate::context::Context;
use crate::rows::RowTables;
use crate::size;
use crate::span::{Span, SpanMut};
use crate::stream::Stream;
use crate::{Device, Error, Result};

/// The SHA-256 state that each block's hash starts from: that of FIPS 180-4, or one that has
/// absorbed a salt already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashStart {
    /// The eight state words.
    pub words: [u32; 8],
    /// Bytes absorbed so far: 0, or 64 for a salt block.
    pub prefix_len: u64,
}

impl Default for HashStart {
    fn default() -> Self {
        Self {
            words: vram_kernels::SHA256_INITIAL_STATE,
            prefix_len: 0,
        }
    }
}

/// The kernels, loaded into a device's context.
pub struct Kernels {
    module: Module,
    blocks: CUfunction,
    few_blocks: CUfunction,
    verity_digests: CUfunction,
    messages: CUfunction,
    many_blocks: u64,
}

/// Launches of fewer blocks than these, 256 MiB of data, are done by the kernel that ends each block sooner. Alone on an
/// H100, that kernel is still the faster one by 6 % at this size; where several such launches are under way at a time, as
/// windows are, the other one is.
const MANY_BLOCKS: u64 = 65_536;

/// A loaded module (`cuModuleLoadDataEx`).
pub(crate) struct Module {
    pub(crate) context: Arc<Context>,
    raw: CUmodule,
}

// SAFETY: module and function handles are taken by the driver from any thread.
unsafe impl Send for Kernels {}
// SAFETY: as for Send; launches from several threads are the driver's to order.
unsafe impl Sync for Kernels {}

impl Kernels {
    /// SHA-256 of the PTX that [`load`](Self::load) gives to the driver, in lower-case hexadecimal.
    pub const PTX_SHA256: &'static str = vram_kernels::PTX_SHA256;

    /// Loads the kernels: the driver compiles their PTX for the device, or finds it in its cache.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] if the driver can't compile or load them.
    pub fn load(device: &Device) -> Result<Self> {
        let module = Module::load(Arc::clone(device.context()), vram_kernels::PTX)?;
        Ok(Self {
            blocks: module.function(Kernel::Sha256Blocks)?,
            few_blocks: module.function(Kernel::Sha256FewBlocks)?,
            verity_digests: module.function(Kernel::VerityDigests)?,
            messages: module.function(Kernel::Sha256Messages)?,
            many_blocks: MANY_BLOCKS,
            module,
        })
    }

    /// Sets how many blocks are many: a launch of fewer is done by a kernel that ends each block sooner, one of
    /// as many by a kernel that does more of them at a time. The digests are the same. Unless told otherwise,
    /// 65,536 are many, which are 256 MiB: a launch of which several are under way at a time.
    #[must_use]
    pub const fn with_many_blocks(mut self, blocks: u64) -> Self {
        self.many_blocks = blocks;
        self
    }

    /// Hashes 4096-byte blocks of `data`, from block `first_block` on, each from `start`, and
    /// writes their digests one after the other to `digests`; as many as fit there and exist.
    ///
    /// The last block counts as padded with zeros. Returns at once: the work is on the stream. The
    /// number of digests is returned.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDevice`] for ranges of another device; [`Error::BadSetting`] for a start that
    /// no salt gives; [`Error::Driver`], [`Error::DeviceLost`].
    pub fn hash_blocks(
        &self,
        stream: &Stream,
        data: Span<'_>,
        first_block: u64,
        start: HashStart,
        digests: &mut SpanMut<'_>,
    ) -> Result<u64> {
        self.hash_blocks_from(self.many_blocks, stream, data, first_block, start, digests)
    }

    /// As [`hash_blocks`](Self::hash_blocks), where so many blocks are many.
    pub(crate) fn hash_blocks_from(
        &self,
        many_blocks: u64,
        stream: &Stream,
        data: Span<'_>,
        first_block: u64,
        start: HashStart,
        digests: &mut SpanMut<'_>,
    ) -> Result<u64> {
        self.same_device(stream, &[data.context(), digests.context()])?;
        let prefix = prefix_of(start)?;
        let blocks = data.len().div_ceil(BLOCK_SIZE).saturating_sub(first_block);
        // Constants that aren't zero: the divisions always have a result.
        let room = digests.len().checked_div(DIGEST_SIZE).unwrap_or(0);
        let count = blocks.min(room);
        if count == 0 {
            return Ok(0);
        }
        let args = Sha256BlocksArgs::new(data.address(), data.len(), digests.address())
            .with_initial_state(start.words, prefix)
            .with_window(first_block, count);
        // SAFETY: the kernel reads within `data` and writes 32 bytes a block, `count` of which fit
        // in `digests`; both are ranges of living regions, and `digests` is borrowed alone.
        unsafe { self.launch_blocks(many_blocks, stream, args) }?;
        Ok(count)
    }

    /// Hashes many pieces of data in one launch, each piece's 4096-byte blocks as
    /// [`hash_blocks`](Self::hash_blocks) would: its last block counts as padded with zeros.
    ///
    /// Each piece has `row_blocks` digests' room in `digests`, one piece after the other. Digests of
    /// blocks that a piece doesn't have are not written. The pieces are listed in the table `table` of
    /// `tables`; the call waits for an earlier launch over the same table.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDevice`] for ranges of another device; [`Error::BadSetting`] for a number of blocks
    /// that is no power of two below 2<sup>31</sup>, for a piece with more blocks, for more pieces than
    /// the table has rows, and for a start that no salt gives; [`Error::OutOfBounds`] if the digests have
    /// no room; [`Error::Driver`], [`Error::DeviceLost`].
    #[expect(
        clippy::too_many_arguments,
        reason = "a launch is described by all of them, and by nothing else"
    )]
    pub fn hash_rows(
        &self,
        stream: &Stream,
        tables: &mut RowTables,
        table: usize,
        pieces: &[Span<'_>],
        row_blocks: u64,
        start: HashStart,
        digests: &mut SpanMut<'_>,
    ) -> Result<()> {
        self.same_device(stream, &[digests.context()])?;
        pieces
            .iter()
            .try_for_each(|piece| self.same_device(stream, &[piece.context()]))?;
        let prefix = prefix_of(start)?;
        let shift = row_blocks.trailing_zeros();
        if !row_blocks.is_power_of_two() || shift > MAX_ROW_SHIFT {
            return Err(Error::BadSetting {
                setting: "the number of blocks in a row",
                value: row_blocks,
                expected: "a power of two below 2^31",
            });
        }
        let row_len = row_blocks.saturating_mul(BLOCK_SIZE);
        if let Some(piece) = pieces.iter().find(|piece| piece.len() > row_len) {
            return Err(Error::BadSetting {
                setting: "a piece's length",
                value: piece.len(),
                expected: "no more than a row's blocks",
            });
        }
        let count = size::len_u64(pieces);
        let needed = count.saturating_mul(row_blocks).saturating_mul(DIGEST_SIZE);
        size::check_range("hashing", 0, needed, digests.len())?;
        if count == 0 {
            return Ok(());
        }
        let rows = pieces.iter().map(|piece| Row {
            address: piece.address(),
            length: piece.len(),
        });
        let rows = tables.fill(stream, table, rows)?;
        let args = Sha256BlocksArgs::of_rows(rows, count, shift, digests.address())
            .with_initial_state(start.words, prefix);
        // SAFETY: the kernel reads the table just filled, `count` rows of it, and within the pieces
        // listed there; it writes 32 bytes a block, and `digests` has room for every row's. All are
        // ranges of living regions, and `digests` is borrowed alone.
        let launched = unsafe { self.launch_blocks(self.many_blocks, stream, args) };
        // Also after a refusal: the table's copy is under way.
        tables.launched(stream, table)?;
        launched
    }

    /// The fs-verity digests of many pieces of data whose roots are known: SHA-256 of each one's descriptor
    /// (`struct fsverity_descriptor`), one digest after the other.
    ///
    /// Each of `rows` is a root, 32 bytes at a multiple of 8, with the bytes of data that it is the root of. They
    /// are listed in the table `table` of `tables`; the call waits for an earlier launch over the same table.
    ///
    /// # Errors
    ///
    /// As [`hash_rows`](Self::hash_rows); [`Error::BadSetting`] for a root of another length or elsewhere, and for
    /// a salt of more than 32 bytes.
    pub fn verity_digests(
        &self,
        stream: &Stream,
        tables: &mut RowTables,
        table: usize,
        rows: &[(Span<'_>, u64)],
        salt: &[u8],
        digests: &mut SpanMut<'_>,
    ) -> Result<()> {
        self.same_device(stream, &[digests.context()])?;
        for (root, _) in rows {
            self.same_device(stream, &[root.context()])?;
            if root.len() != DIGEST_SIZE {
                return Err(Error::BadSetting {
                    setting: "a root's length",
                    value: root.len(),
                    expected: "32 bytes",
                });
            }
            require_eighth("a root's offset", *root)?;
        }
        let count = size::len_u64(rows);
        let needed = count.saturating_mul(DIGEST_SIZE);
        size::check_range("hashing", 0, needed, digests.len())?;
        let args = VerityDigestsArgs::new(0, count, digests.address());
        let mut args = args.with_salt(salt).ok_or(Error::BadSetting {
            setting: "the salt's length",
            value: size::len_u64(salt),
            expected: "32 bytes at most",
        })?;
        if count == 0 {
            return Ok(());
        }
        let listed = rows.iter().map(|(root, length)| Row {
            address: root.address(),
            length: *length,
        });
        args.rows = tables.fill(stream, table, listed)?;
        // SAFETY: the kernel reads the table just filled, `count` rows of it, and the 32 aligned bytes that each
        // names; it writes 32 bytes a row, `count` of which fit in `digests`. All are ranges of living regions, and
        // `digests` is borrowed alone.
        let launched = unsafe { self.launch_verity_digests(stream, args) };
        // Also after a refusal: the table's copy is under way.
        tables.launched(stream, table)?;
        launched
    }

    /// The plain SHA-256 of each of the messages that `table` lists in `data`, 32 bytes a message to
    /// `digests`. For known-answer tests.
    ///
    /// `table` holds rows of [`message_row`]; as many are hashed as have room in `digests`.
    ///
    /// # Errors
    ///
    /// As [`hash_blocks`](Self::hash_blocks).
    pub fn hash_messages(
        &self,
        stream: &Stream,
        data: Span<'_>,
        table: Span<'_>,
        digests: &mut SpanMut<'_>,
    ) -> Result<u64> {
        let contexts = [data.context(), table.context(), digests.context()];
        self.same_device(stream, &contexts)?;
        let rows = table.len().checked_div(MESSAGE_ROW).unwrap_or(0);
        let room = digests.len().checked_div(DIGEST_SIZE).unwrap_or(0);
        let count = rows.min(room);
        if count == 0 {
            return Ok(0);
        }
        require_eighth("the message table's offset", table)?;
        let args = Sha256MessagesArgs::new(
            data.address(),
            data.len(),
            table.address(),
            count,
            digests.address(),
        );
        // SAFETY: the kernel reads `count` aligned rows of `table` and bytes within `data` (it
        // follows no row outside), and writes 32 bytes a row, `count` of which fit in `digests`.
        unsafe { self.module.launch(stream, self.messages, count, args) }?;
        Ok(count)
    }

    /// Launches the kernel that suits the number of blocks.
    ///
    /// # Safety
    ///
    /// As [`Module::launch`].
    unsafe fn launch_blocks(
        &self,
        many_blocks: u64,
        stream: &Stream,
        args: Sha256BlocksArgs,
    ) -> Result<()> {
        let (module, count) = (&self.module, args.block_count);
        if count < many_blocks {
            let args = Sha256FewBlocksArgs(args);
            // SAFETY: the caller's promise; this kernel reads and writes what the other does.
            unsafe { module.launch(stream, self.few_blocks, count, args) }
        } else {
            // SAFETY: the caller's promise.
            unsafe { module.launch(stream, self.blocks, count, args) }
        }
    }

    /// Launches the kernel that hashes descriptors.
    ///
    /// # Safety
    ///
    /// As [`Module::launch`].
    pub(crate) unsafe fn launch_verity_digests(
        &self,
        stream: &Stream,
        args: VerityDigestsArgs,
    ) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe {
            self.module
                .launch(stream, self.verity_digests, args.row_count, args)
        }
    }

    fn same_device(&self, stream: &Stream, contexts: &[&Context]) -> Result<()> {
        let operation = "hashing";
        stream.same_context(&self.module.context, operation)?;
        contexts
            .iter()
            .try_for_each(|context| stream.same_context(context, operation))
    }
}

/// The largest power of two that a row's blocks may be.
const MAX_ROW_SHIFT: u32 = 30;

fn prefix_of(start: HashStart) -> Result<Prefix> {
    Prefix::from_len(start.prefix_len).ok_or(Error::BadSetting {
        setting: "the salt's prefix",
        value: start.prefix_len,
        expected: "0 or 64 bytes",
    })
}

/// Refuses a range that doesn't start at a multiple of 8 bytes.
fn require_eighth(setting: &'static str, span: Span<'_>) -> Result<()> {
    match span.address().checked_rem(8) {
        Some(0) => Ok(()),
        off => Err(Error::BadSetting {
            setting,
            value: off.unwrap_or(0),
            expected: "a multiple of 8 bytes",
        }),
    }
}

/// Bytes in a row of the message table.
const MESSAGE_ROW: u64 = 16;

/// A row of [`Kernels::hash_messages`]'s table: where a message starts, and its length in bytes.
#[must_use]
pub fn message_row(offset: u64, length: u64) -> [u8; 16] {
    Message { offset, length }.to_bytes()
}

impl Module {
    pub(crate) fn load(context: Arc<Context>, ptx: &'static CStr) -> Result<Self> {
        let mut raw = core::ptr::null_mut();
        let entered = context.enter()?;
        // SAFETY: PTX is NUL-terminated text with static lifetime; there are no options.
        let result = unsafe {
            (entered.table().cuModuleLoadDataEx)(
                &raw mut raw,
                ptx.as_ptr().cast(),
                0,
                core::ptr::null_mut(),
                core::ptr::null_mut(),
            )
        };
        entered.check(Function::cuModuleLoadDataEx, result, "loading the kernels")?;
        drop(entered);
        Ok(Self { context, raw })
    }

    pub(crate) fn function(&self, kernel: Kernel) -> Result<CUfunction> {
        let mut function = core::ptr::null_mut();
        let entered = self.context.enter()?;
        // SAFETY: the module is loaded, the name NUL-terminated; the driver writes one handle.
        let result = unsafe {
            (entered.table().cuModuleGetFunction)(
                &raw mut function,
                self.raw,
                kernel.name().as_ptr(),
            )
        };
        entered.check(Function::cuModuleGetFunction, result, "finding a kernel")?;
        // Now rather than at the first launch, so that a lack of memory shows here.
        if let Some(load) = entered.table().cuFuncLoad {
            // SAFETY: the handle was just given by the driver.
            let result = unsafe { load(function) };
            entered.check(Function::cuFuncLoad, result, "loading a kernel's code")?;
        }
        Ok(function)
    }

    /// Launches a kernel, a thread an item.
    ///
    /// # Safety
    ///
    /// `function` is this module's kernel of `A`, and every address in `args` is a range of this device that
    /// stays mapped, with the access that the kernel needs, until the device has been waited for.
    pub(crate) unsafe fn launch<A: KernelArgs>(
        &self,
        stream: &Stream,
        function: CUfunction,
        items: u64,
        mut args: A,
    ) -> Result<()> {
        let grid = grid_for(items).ok_or(Error::BadSetting {
            setting: "the number of threads in a launch",
            value: items,
            expected: "what one launch can cover; launch over a part at a time",
        })?;
        let mut parameters = [(&raw mut args).cast::<c_void>()];
        let entered = self.context.enter()?;
        // SAFETY: the kernel takes one parameter of type `A`, which the driver copies before it
        // returns; the rest is this function's contract.
        let result = unsafe {
            (entered.table().cuLaunchKernel)(
                function,
                grid,
                1,
                1,
                THREADS_PER_BLOCK,
                1,
                1,
                0,
                stream.raw(),
                parameters.as_mut_ptr(),
                core::ptr::null_mut(),
            )
        };
        entered.check(Function::cuLaunchKernel, result, "launching a kernel")
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let released = self.context.enter_even_if_lost().and_then(|entered| {
            // SAFETY: this value owns the module and drops it once. Launches still queued were
            // handed to the driver, which waits for them before it unloads code.
            let result = unsafe { (entered.table().cuModuleUnload)(self.raw) };
            entered.check(Function::cuModuleUnload, result, "unloading the kernels")
        });
        if let Err(error) = released {
            self.context.release_failed("the kernels", &error);
        }
    }
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernels")
            .field("lost", &self.module.context.is_lost())
            .finish_non_exhaustive()
    }
}
