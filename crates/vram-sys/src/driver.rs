//! A driver: a table, where it came from, and what keeps it callable.

use core::any::Any;
use core::fmt;

use crate::Table;

/// Who answers when the table is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// NVIDIA's driver library: calls reach a GPU.
    Libcuda,
    /// A simulation in software. What it reports was not observed on a GPU.
    Simulated,
}

/// A filled table with its origin, and whatever must live while it is called.
pub struct Driver {
    table: Table,
    origin: Origin,
    _owner: Option<Box<dyn Any + Send + Sync>>,
}

impl Driver {
    /// A driver that isn't `libcuda`, as `vram-sim` makes it. Its origin is [`Origin::Simulated`]:
    /// only [`Driver::load`] makes a driver that counts as a GPU's.
    ///
    /// `owner` is kept as long as the driver.
    ///
    /// # Safety
    ///
    /// Each function in `table` behaves as NVIDIA documents the function of its name, as far as
    /// memory safety goes, may be called from any thread, and stays callable while `owner` lives.
    #[must_use]
    pub unsafe fn simulated(table: Table, owner: Box<dyn Any + Send + Sync>) -> Self {
        Self {
            table,
            origin: Origin::Simulated,
            _owner: Some(owner),
        }
    }

    pub(crate) const fn libcuda(table: Table) -> Self {
        Self {
            table,
            origin: Origin::Libcuda,
            _owner: None,
        }
    }

    /// The functions.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// Who answers when they are called.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
