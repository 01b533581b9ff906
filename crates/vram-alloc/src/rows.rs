//! Tables of many pieces of data, which one launch hashes together.

use core::fmt;

use vram_kernels::Row;

use crate::pinned::PinnedBuffer;
use crate::region::OpenRegion;
use crate::size;
use crate::stream::{Event, Stream};
use crate::{Allocator, Error, Result};

/// Bytes in a row.
const ROW: u64 = 16;

/// Tables in device memory for [`Kernels::hash_rows`](crate::Kernels::hash_rows) and
/// [`Kernels::verity_digests`](crate::Kernels::verity_digests): each lists the pieces of data of one launch. They
/// are made once and filled again for each launch.
pub struct RowTables {
    device: OpenRegion,
    tables: Vec<Table>,
    rows: u64,
}

/// A table, filled on the host and copied to the device in the stream's order.
struct Table {
    host: PinnedBuffer,
    /// Passed once the last launch over the table is done.
    used: Event,
}

impl RowTables {
    /// So many tables, with room for so many rows each. They lie in scratch memory, 16 bytes a row.
    ///
    /// # Errors
    ///
    /// As [`Allocator::allocate_scratch`]; [`Error::Driver`] if the host has no memory to pin.
    pub fn new(allocator: &Allocator, tables: u64, rows: u64) -> Result<Self> {
        let (count, rows) = (tables.max(1), rows.max(1));
        let bytes = rows.saturating_mul(ROW);
        let device = allocator.allocate_scratch(bytes.saturating_mul(count))?;
        let on = allocator.device();
        let table = |_| -> Result<Table> {
            let len = size::to_usize("a table", bytes)?;
            Ok(Table {
                host: PinnedBuffer::new(on, len)?,
                used: Event::new(on)?,
            })
        };
        let tables = (0..count).map(table).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            device,
            tables,
            rows,
        })
    }

    /// Rows that a table has room for.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Fills a table, in the stream's order and behind the last launch over it, and gives its device
    /// address. The caller [marks](Self::launched) the launch that it makes, over no more rows than the iterator gave.
    pub(crate) fn fill(
        &mut self,
        stream: &Stream,
        index: usize,
        rows: impl ExactSizeIterator<Item = Row>,
    ) -> Result<u64> {
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        if count > self.rows {
            return Err(Error::BadSetting {
                setting: "the number of rows",
                value: count,
                expected: "what a table has room for",
            });
        }
        let place = u64::try_from(index).unwrap_or(u64::MAX);
        let table = self.tables.get_mut(index).ok_or(Error::BadSetting {
            setting: "the table's index",
            value: place,
            expected: "one of the tables, counted from 0",
        })?;
        let (slots, _) = table.host.bytes_mut()?.as_chunks_mut::<16>();
        for (slot, row) in slots.iter_mut().zip(rows) {
            *slot = row.to_bytes();
        }
        let offset = place.saturating_mul(self.rows).saturating_mul(ROW);
        let mut on_device = self.device.span_mut(offset, count.saturating_mul(ROW))?;
        stream.wait_for(&table.used)?;
        table.host.upload(stream, &mut on_device)?;
        Ok(on_device.address())
    }

    /// Marks the launch over a table, on its stream.
    pub(crate) fn launched(&self, stream: &Stream, index: usize) -> Result<()> {
        let Some(table) = self.tables.get(index) else {
            return stream.settle();
        };
        stream.record(&table.used).or_else(|error| {
            // Without the mark, only the stream itself can tell when the table may be filled again.
            stream.settle()?;
            Err(error)
        })
    }
}

impl fmt::Debug for RowTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowTables")
            .field("tables", &self.tables.len())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
