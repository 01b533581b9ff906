//! One shard: sealed, damaged and verified again and again.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use rand::{Rng as _, RngCore as _};
use rand_chacha::ChaCha8Rng;
use vram_residency::{Difference, Error, HostHashing, Manager, SealRequest, SealedShard};

use super::control::Control;
use super::flip::{Flip, FlipKind};
use super::plan::{BLOCK, Round};
use super::report::Miss;
use super::subject::{Sealed, Subject};

/// After how many flips the shard must verify again, as it was sealed.
const RESTORED_EVERY: u64 = 8;
/// How many misses are told in full.
const TOLD: usize = 100;
/// Blocks of a 512 KiB group.
const GROUP_BLOCKS: u64 = 128;

/// What came of flips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there were, of one bit or several.
    pub flips: u64,
    /// How many bits were flipped in them, all together.
    pub bits: u64,
    /// How many there were of each kind.
    pub kinds: BTreeMap<FlipKind, u64>,
    /// How many verification found.
    pub found: u64,
    /// For how many it named the blocks: all, and no other.
    pub located: u64,
    /// How many were not found, or not located.
    pub missed: u64,
    /// The first of those.
    pub misses: Vec<Miss>,
    /// How often the shard verified again after its bits were flipped back.
    pub restored: u64,
    /// How many shards there were.
    pub shards: u64,
}

impl Tally {
    /// Adds what came of other flips.
    pub fn merge(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.flips, other.flips),
            (&mut self.bits, other.bits),
            (&mut self.found, other.found),
            (&mut self.located, other.located),
            (&mut self.missed, other.missed),
            (&mut self.restored, other.restored),
            (&mut self.shards, other.shards),
        ] {
            *sum = sum.saturating_add(more);
        }
        for (kind, count) in other.kinds {
            let sum = self.kinds.entry(kind).or_default();
            *sum = sum.saturating_add(count);
        }
        self.misses.extend(other.misses);
        self.misses.sort_by_key(|miss| (miss.round, miss.flip));
        self.misses.truncate(TOLD);
    }

    fn add(&mut self, round: &Round, number: u64, flip: &Flip, verdict: &Verdict) {
        let bits = u64::try_from(flip.bits().count()).unwrap_or(u64::MAX);
        let kind = self.kinds.entry(flip.kind()).or_default();
        *kind = kind.saturating_add(1);
        self.flips = self.flips.saturating_add(1);
        self.bits = self.bits.saturating_add(bits);
        self.found = self.found.saturating_add(u64::from(verdict.found()));
        let located = verdict.located(flip);
        self.located = self.located.saturating_add(u64::from(located));
        if !located {
            self.missed = self.missed.saturating_add(1);
            if self.misses.len() < TOLD {
                self.misses.push(Miss::new(round, number, flip, verdict));
            }
        }
    }
}

/// What a verification said.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// The shard is as it was sealed.
    Unchanged,
    /// It is not.
    Changed(Difference),
}

impl Verdict {
    /// What a verification came to. What says nothing of the bytes is an error of the campaign.
    fn of(outcome: Result<(), Error>) -> anyhow::Result<Self> {
        match outcome {
            Ok(()) => Ok(Self::Unchanged),
            Err(Error::Tampered { difference, .. }) => Ok(Self::Changed(difference)),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) const fn found(&self) -> bool {
        matches!(self, Self::Changed(_))
    }

    /// Whether exactly the blocks of the flip were named, in order, with the number of their groups.
    fn located(&self, flip: &Flip) -> bool {
        let Self::Changed(difference) = self else {
            return false;
        };
        let blocks: Vec<u64> = flip.blocks().into_iter().collect();
        let mut groups: Vec<u64> = blocks.iter().map(|block| block / GROUP_BLOCKS).collect();
        groups.dedup();
        difference.blocks == blocks
            && Ok(difference.changed_groups) == u64::try_from(groups.len())
            && difference.unpinned.is_empty()
    }
}

/// Seals the round's shard and puts its flips into it, or what a control puts there instead.
pub(super) fn run(
    round: &Round,
    subject: &Subject,
    seed: u64,
    control: Option<Control>,
) -> anyhow::Result<Tally> {
    let (number, size) = (round.number, round.size);
    work(round, subject, seed, control)
        .with_context(|| format!("shard {number} of the campaign, of {size} bytes"))
}

fn work(
    round: &Round,
    subject: &Subject,
    seed: u64,
    control: Option<Control>,
) -> anyhow::Result<Tally> {
    let mut random = round.random(seed);
    let manager = subject.manager(random.random_ratio(1, 4))?;
    let mut bytes = vec![0; usize::try_from(round.size)?];
    random.fill_bytes(&mut bytes);
    let hashing = if random.random() {
        HostHashing::ContentAndVerity
    } else {
        HostHashing::Verity
    };
    let id = format!("scratch-{}", round.number).parse()?;
    let request = SealRequest::bytes(id, &bytes).hashing(hashing);
    let mut sealed = subject.seal(&manager, request)?;
    drop(manager.verify(&sealed.shard)?);

    let together = random.random();
    let mut tally = Tally {
        shards: 1,
        ..Tally::default()
    };
    for number in 0..round.flips {
        let flip = draw(round, control, &mut random);
        let put = control.map_or_else(|| flip.clone(), |control| control.put(&flip, blocks(round)));
        subject.flip(&manager, &mut sealed, &put)?;
        if control == Some(Control::Undone) {
            subject.flip(&manager, &mut sealed, &put)?;
        }
        let first = number == 0 && control.is_none();
        let verdict = if first {
            verify(&manager, &sealed.shard, together)?
        } else {
            Verdict::of(manager.inspect(&sealed.shard).map(drop))?
        };
        tally.add(round, number, &flip, &verdict);
        if control != Some(Control::Undone) {
            subject.flip(&manager, &mut sealed, &put)?;
        }
        let done = number.saturating_add(1);
        if done.is_multiple_of(RESTORED_EVERY) || done == round.flips {
            require_restored(&manager, &sealed)?;
            tally.restored = tally.restored.saturating_add(1);
        }
    }
    Ok(tally)
}

const fn blocks(round: &Round) -> u64 {
    round.size.div_ceil(BLOCK)
}

fn draw(round: &Round, control: Option<Control>, random: &mut ChaCha8Rng) -> Flip {
    match control.and_then(Control::kind) {
        Some(kind) => Flip::of_kind(kind, round.size, random),
        None => Flip::draw(round.size, random),
    }
}

/// The first flip of a shard is looked for by a verification proper, alone or as a set. It must leave the
/// manager permitting nothing more, if it found anything.
fn verify(manager: &Manager, shard: &SealedShard, together: bool) -> anyhow::Result<Verdict> {
    let outcome = if together {
        let permits = manager.verify_all([shard])?.into_permits();
        permits.map(drop)
    } else {
        manager.verify(shard).map(drop)
    };
    let verdict = Verdict::of(outcome)?;
    if verdict.found() {
        match manager.verify(shard) {
            Err(Error::Stopped { .. }) => {}
            Err(error) => return Err(error).context("the manager was to have stopped"),
            Ok(_) => bail!("a manager that found a flipped bit gave a permit after it"),
        }
    }
    Ok(verdict)
}

fn require_restored(manager: &Manager, sealed: &Sealed) -> anyhow::Result<()> {
    let verdict = Verdict::of(manager.inspect(&sealed.shard).map(drop))?;
    ensure!(
        !verdict.found(),
        "every bit was flipped back, and the shard is not what it was: {verdict:?}"
    );
    Ok(())
}
