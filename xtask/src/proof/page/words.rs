//! What statuses, outcomes and drivers are called, with the symbol and the colour that repeat it.

use crate::proof::model::{CampaignOutcome, Driver, Kind, Outcome, StageOutcome, Status};

/// A word with its symbol, so that colour alone never says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) word: &'static str,
    pub(super) symbol: &'static str,
    /// A class of the style.
    pub(super) class: &'static str,
}

const fn said(word: &'static str, symbol: &'static str, class: &'static str) -> Said {
    Said {
        word,
        symbol,
        class,
    }
}

const PASSED: Said = said("passed", "✓", "passed");
const FAILED: Said = said("failed", "✗", "failed");
const SKIPPED: Said = said("skipped", "–", "caution");

pub(super) trait Say {
    fn said(self) -> Said;
    /// As it stands in an attribute that a filter reads.
    fn key(self) -> &'static str;
}

/// Every status, in the order in which a reader wants to see them counted.
pub(super) const STATUSES: [Status; 6] = [
    Status::Passed,
    Status::Failed,
    Status::Skipped,
    Status::SimulatedOnly,
    Status::NotRun,
    Status::NotCovered,
];

impl Say for Status {
    fn said(self) -> Said {
        match self {
            Self::Passed => PASSED,
            Self::Failed => FAILED,
            Self::Skipped => SKIPPED,
            Self::SimulatedOnly => said("simulated only", "◐", "simulated"),
            Self::NotRun => said("not run", "○", "caution"),
            Self::NotCovered => said("not covered", "!", "failed"),
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::SimulatedOnly => "simulated-only",
            Self::NotRun => "not-run",
            Self::NotCovered => "not-covered",
        }
    }
}

pub(super) const OUTCOMES: [Outcome; 3] = [Outcome::Passed, Outcome::Failed, Outcome::Skipped];

impl Say for Outcome {
    fn said(self) -> Said {
        match self {
            Self::Passed => PASSED,
            Self::Failed => FAILED,
            Self::Skipped => SKIPPED,
        }
    }

    fn key(self) -> &'static str {
        self.said().word
    }
}

impl Say for StageOutcome {
    fn said(self) -> Said {
        match self {
            Self::Passed => PASSED,
            Self::Failed => FAILED,
            Self::Skipped => SKIPPED,
        }
    }

    fn key(self) -> &'static str {
        self.said().word
    }
}

impl Say for CampaignOutcome {
    fn said(self) -> Said {
        match self {
            Self::Passed => PASSED,
            Self::Failed => FAILED,
            Self::NotDone => said("not done", "○", "caution"),
        }
    }

    fn key(self) -> &'static str {
        self.said().word
    }
}

pub(super) const DRIVERS: [Driver; 3] = [Driver::Host, Driver::Simulated, Driver::Gpu];

pub(super) fn driver(driver: Driver) -> &'static str {
    match driver {
        Driver::Host => "host",
        Driver::Simulated => "simulated",
        Driver::Gpu => "GPU",
    }
}

pub(super) fn driver_key(driver: Driver) -> &'static str {
    match driver {
        Driver::Host => "host",
        Driver::Simulated => "simulated",
        Driver::Gpu => "gpu",
    }
}

pub(super) const KINDS: [Kind; 5] = [
    Kind::Unit,
    Kind::Integration,
    Kind::Property,
    Kind::Feature,
    Kind::Doc,
];

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Unit => "unit",
        Kind::Integration => "integration",
        Kind::Property => "property",
        Kind::Feature => "feature",
        Kind::Doc => "doc",
    }
}
