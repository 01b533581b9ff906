//! Faults of the simulated management library, on demand.

use std::collections::HashMap;

use vram_observe::{Error, ManagementFunction as Function};

/// How a function of the management library fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ManagementFault {
    /// The card or the driver doesn't have it.
    NotSupported,
    /// The user may not ask.
    NoPermission,
    /// There is no such card.
    NotFound,
    /// The card fell off the bus.
    CardLost,
    /// The library is older than the function.
    FunctionMissing,
    /// The kernel driver isn't loaded.
    DriverNotLoaded,
    /// Library and kernel driver are of different versions.
    VersionMismatch,
    /// An error without a reason.
    Unknown,
}

impl ManagementFault {
    /// Every way to fail.
    pub const ALL: &'static [Self] = &[
        Self::NotSupported,
        Self::NoPermission,
        Self::NotFound,
        Self::CardLost,
        Self::FunctionMissing,
        Self::DriverNotLoaded,
        Self::VersionMismatch,
        Self::Unknown,
    ];

    /// What the caller is told.
    pub(super) fn error(self, function: Function) -> Error {
        match self {
            Self::NotSupported => Error::NotSupported { function },
            Self::NoPermission => Error::NoPermission { function },
            Self::NotFound => Error::NotFound { function },
            Self::CardLost => Error::CardLost { function },
            Self::FunctionMissing => Error::FunctionMissing { function },
            Self::DriverNotLoaded => Error::DriverNotLoaded { function },
            Self::VersionMismatch => Error::VersionMismatch { function },
            Self::Unknown => Error::Refused {
                function,
                reason: "an internal driver error occurred".to_owned(),
            },
        }
    }
}

/// A fault that is waiting for its call.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    function: Function,
    /// Calls until it strikes.
    remaining: u64,
    fault: ManagementFault,
    always: bool,
}

/// Which calls fail, and how many there were.
#[derive(Debug, Default)]
pub(super) struct ManagementFaults {
    waiting: Vec<Waiting>,
    counts: HashMap<Function, u64>,
}

impl ManagementFaults {
    pub(super) fn fail_nth(&mut self, function: Function, nth: u64, fault: ManagementFault) {
        self.waiting.push(Waiting {
            function,
            remaining: nth.max(1),
            fault,
            always: false,
        });
    }

    pub(super) fn fail_always(&mut self, function: Function, fault: ManagementFault) {
        self.waiting.push(Waiting {
            function,
            remaining: 1,
            fault,
            always: true,
        });
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    pub(super) fn pending(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn calls(&self, function: Function) -> u64 {
        self.counts.get(&function).copied().unwrap_or_default()
    }

    /// Counts a call, and says how it must fail. Of several faults that strike at once the first given
    /// one decides.
    pub(super) fn on_call(&mut self, function: Function) -> Option<ManagementFault> {
        let count = self.counts.entry(function).or_default();
        *count = count.saturating_add(1);
        let mut struck = None;
        self.waiting.retain_mut(|waiting| {
            if waiting.function != function {
                return true;
            }
            if !waiting.always {
                waiting.remaining = waiting.remaining.saturating_sub(1);
                if waiting.remaining > 0 {
                    return true;
                }
            }
            struck.get_or_insert(waiting.fault);
            waiting.always
        });
        struck
    }
}
