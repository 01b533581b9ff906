//! What a campaign found, for programs and for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use vram_alloc::DeviceProperties;

use super::Campaign;
use super::control::ControlReport;
use super::flip::{Bit, Flip, FlipKind};
use super::plan::{Plan, Round, SizeClass};
use super::round::{Tally, Verdict};
use super::subject::Driver;

/// The form of the document.
const SCHEMA: &str = "vram-faults/1";

/// A commit, and whether there was more to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// Whether anything differed from it.
    pub dirty: bool,
}

/// What a campaign found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The form of the document: `vram-faults/1`.
    pub schema: &'static str,
    /// Whether every flip was found and located, every control came out as it must, and nothing went wrong.
    pub passed: bool,
    /// The driver that it ran on.
    pub driver: Driver,
    /// The device's name.
    pub device: String,
    /// Whether the device was simulated.
    pub simulated: bool,
    /// What the program was built from, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// What everything random came from. Text: it may be larger than JSON's numbers are exact.
    pub seed: String,
    /// How many flips were asked for.
    pub asked: u64,
    /// How many were made.
    pub flips: u64,
    /// Those of one bit.
    pub single_bit: u64,
    /// Those of several.
    pub multi_bit: u64,
    /// Bits flipped in them.
    pub bits: u64,
    /// Flips of each kind.
    pub kinds: BTreeMap<FlipKind, u64>,
    /// Shards that were sealed for them.
    pub shards: u64,
    /// How large those were to be.
    pub sizes: Vec<SizeReport>,
    /// Flips that verification found.
    pub found: u64,
    /// Flips whose blocks were named: all, and no other.
    pub located: u64,
    /// Flips that were not found, or not located.
    pub missed: u64,
    /// The first hundred of those.
    pub misses: Vec<Miss>,
    /// How often a shard verified again after its bits were flipped back.
    pub restored: u64,
    /// Faults that must not pass for found, or for located.
    pub controls: Vec<ControlReport>,
    /// What ended the campaign early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many shards were worked on at a time.
    pub threads: usize,
    /// How long it took.
    pub seconds: f64,
}

/// How large the planned shards of a class are, and how often they are damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SizeReport {
    /// The class.
    pub class: SizeClass,
    /// How many shards.
    pub shards: u64,
    /// How many flips.
    pub flips: u64,
    /// The smallest in bytes.
    pub smallest: u64,
    /// The largest in bytes.
    pub largest: u64,
    /// How many different sizes.
    pub distinct: usize,
    /// How many end with a block that isn't whole.
    pub partial: u64,
}

impl SizeReport {
    fn of(plan: &Plan, class: SizeClass) -> Option<Self> {
        let rounds = || plan.rounds().iter().filter(|round| round.class == class);
        let sizes: BTreeSet<u64> = rounds().map(|round| round.size).collect();
        let partial = rounds().filter(|round| !round.size.is_multiple_of(super::plan::BLOCK));
        Some(Self {
            class,
            shards: u64::try_from(rounds().count()).unwrap_or(u64::MAX),
            flips: rounds().fold(0, |sum, round| round.flips.saturating_add(sum)),
            smallest: *sizes.first()?,
            largest: *sizes.last()?,
            distinct: sizes.len(),
            partial: u64::try_from(partial.count()).unwrap_or(u64::MAX),
        })
    }
}

/// A flip that was not found, or not located.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Miss {
    /// The shard's place in the campaign.
    pub round: u64,
    /// The flip's place among the shard's.
    pub flip: u64,
    /// The shard's size in bytes.
    pub size: u64,
    /// The bits that were flipped.
    pub bits: Vec<Bit>,
    /// The blocks that they lie in.
    pub blocks: Vec<u64>,
    /// Whether it was found that the shard changed.
    pub found: bool,
    /// What was said of where.
    pub said: String,
}

impl Miss {
    pub(super) fn new(round: &Round, number: u64, flip: &Flip, verdict: &Verdict) -> Self {
        Self {
            round: round.number,
            flip: number,
            size: round.size,
            bits: flip.bits().collect(),
            blocks: flip.blocks().into_iter().collect(),
            found: verdict.found(),
            said: match verdict {
                Verdict::Unchanged => "as it was sealed".to_owned(),
                Verdict::Changed(difference) => difference.to_string(),
            },
        }
    }
}

impl Report {
    pub(super) fn new(campaign: &Campaign, device: DeviceProperties) -> Self {
        Self {
            schema: SCHEMA,
            passed: false,
            driver: campaign.driver,
            device: device.name,
            simulated: device.simulated,
            commit: campaign.commit.clone(),
            seed: campaign.seed.to_string(),
            asked: campaign.flips,
            flips: 0,
            single_bit: 0,
            multi_bit: 0,
            bits: 0,
            kinds: BTreeMap::new(),
            shards: 0,
            sizes: Vec::new(),
            found: 0,
            located: 0,
            missed: 0,
            misses: Vec::new(),
            restored: 0,
            controls: Vec::new(),
            error: None,
            threads: campaign.threads,
            seconds: 0.0,
        }
    }

    pub(super) fn add(&mut self, plan: &Plan, tally: Tally) {
        let classes = SizeClass::ALL.iter();
        self.sizes = classes
            .filter_map(|class| SizeReport::of(plan, *class))
            .collect();
        self.flips = tally.flips;
        self.single_bit = tally.kinds.get(&FlipKind::Single).copied().unwrap_or(0);
        self.multi_bit = tally.flips.saturating_sub(self.single_bit);
        self.bits = tally.bits;
        self.kinds = tally.kinds;
        self.shards = tally.shards;
        self.found = tally.found;
        self.located = tally.located;
        self.missed = tally.missed;
        self.misses = tally.misses;
        self.restored = tally.restored;
    }

    /// The first error is told: what follows comes of it.
    pub(super) fn note_error(&mut self, error: &anyhow::Error) {
        self.error.get_or_insert(format!("{error:#}"));
    }

    pub(super) fn finish(&mut self, took: Duration) {
        self.seconds = took.as_secs_f64();
        self.passed = self.error.is_none()
            && self.flips == self.asked
            && self.found == self.flips
            && self.located == self.flips
            && self.missed == 0
            && self.controls.len() == super::Control::ALL.len()
            && self.controls.iter().all(|control| control.as_it_must_be);
    }
}

/// The same for people.
impl fmt::Display for Report {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simulated = if self.simulated { " (simulated)" } else { "" };
        writeln!(text, "Device    {}{simulated}", self.device)?;
        writeln!(text, "Seed      {}", self.seed)?;
        let (single, multi, shards) = (self.single_bit, self.multi_bit, self.shards);
        writeln!(
            text,
            "Flips     {} of {}: {single} of one bit, {multi} of several, in {shards} shards",
            self.flips, self.asked
        )?;
        for size in &self.sizes {
            writeln!(
                text,
                "          {}: {} flips in {} shards of {} to {} bytes",
                size.class, size.flips, size.shards, size.smallest, size.largest
            )?;
        }
        writeln!(text, "Found     {} of {}", self.found, self.flips)?;
        writeln!(text, "Located   {} of {}", self.located, self.flips)?;
        writeln!(text, "Restored  {} times", self.restored)?;
        for control in &self.controls {
            let verdict = if control.as_it_must_be {
                "as it must be"
            } else {
                "NOT as it must be"
            };
            writeln!(
                text,
                "Control   {}: {} of {} found, {} located, {verdict}",
                control.control, control.found, control.flips, control.located
            )?;
        }
        for miss in &self.misses {
            let found = if miss.found {
                "not located"
            } else {
                "not found"
            };
            writeln!(
                text,
                "MISSED    shard {} of {} bytes, flip {}: blocks {:?} {found}; said: {}",
                miss.round, miss.size, miss.flip, miss.blocks, miss.said
            )?;
        }
        if let Some(error) = &self.error {
            writeln!(text, "ERROR     {error}")?;
        }
        let verdict = if self.passed { "passed" } else { "FAILED" };
        writeln!(text, "Campaign  {verdict} after {:.1} s", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use vram_sim::Machine;

    use super::super::control::Control;
    use super::*;

    /// A report of a campaign of ten flips in which all went well.
    fn report() -> Report {
        let campaign = Campaign {
            flips: 10,
            seed: 1,
            driver: Driver::Simulated,
            threads: 1,
            commit: None,
        };
        let machine = Machine::builder()
            .device(vram_sim::DeviceModel::small(4 << 20))
            .build()
            .unwrap();
        let platform = vram_alloc::Platform::with_driver(machine.driver()).unwrap();
        let device = platform.open(0).unwrap().properties().clone();
        let mut report = Report::new(&campaign, device);
        (report.flips, report.found, report.located) = (10, 10, 10);
        report.controls = Control::ALL
            .iter()
            .map(|control| ControlReport {
                control: *control,
                flips: 32,
                found: 32,
                located: 0,
                as_it_must_be: true,
            })
            .collect();
        report
    }

    fn passes(change: impl FnOnce(&mut Report)) -> bool {
        let mut report = report();
        change(&mut report);
        report.finish(Duration::ZERO);
        report.passed
    }

    #[test]
    fn a_campaign_passes_only_if_nothing_at_all_went_wrong() {
        assert!(passes(|_| {}));
        assert!(!passes(|report| report.found = 9));
        assert!(!passes(|report| report.located = 9));
        assert!(!passes(|report| report.missed = 1));
        assert!(!passes(|report| report.note_error(&anyhow::anyhow!("lost"))));
    }

    #[test]
    fn a_campaign_that_was_cut_short_has_not_passed() {
        let cut = |report: &mut Report| {
            (report.flips, report.found, report.located) = (9, 9, 9);
        };

        assert!(!passes(cut));
    }

    #[test]
    fn a_campaign_whose_controls_are_missing_or_wrong_has_not_passed() {
        assert!(!passes(|report| report.controls.truncate(2)));
        assert!(!passes(|report| report.controls[1].as_it_must_be = false));
    }

    #[test]
    fn the_text_says_what_failed() {
        let mut report = report();
        report.located = 9;
        report.finish(Duration::ZERO);

        let text = report.to_string();
        assert!(text.contains("(simulated)"), "{text}");
        assert!(text.contains("Located   9 of 10"), "{text}");
        assert!(text.contains("FAILED"), "{text}");
    }
}
