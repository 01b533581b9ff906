//! How large what is measured is: what the targets ask for, or less where there is less room.

use vram_alloc::Bytes;

pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// Files that are sealed at once.
pub(super) const FILES: u64 = 16;
/// The smallest large shard that targets are for.
const LARGE: u64 = 4 * GIB;
/// A whole card.
const CARD: u64 = 64 * GIB;
/// Device memory that a shard of 1 MiB takes.
const MAPPED: u64 = 2 * MIB;

/// What there is to measure with, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) device_free: u64,
    /// Host memory that could be used without swapping.
    pub(super) host: u64,
    /// Free space where the files go.
    pub(super) folder: u64,
    pub(super) simulated: bool,
}

/// The sizes of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    /// The large shard and the large file.
    pub(super) big: u64,
    /// Each of the files that are sealed at once.
    pub(super) each: u64,
    /// The shard of 64 MiB.
    pub(super) medium: u64,
    /// Small shards that are verified in one call.
    pub(super) many: u64,
    /// Large shards that fill the card.
    pub(super) card_shards: u64,
    /// Large shards sealed while host memory is watched.
    pub(super) memory_shards: u64,
    /// Pinned memory that goes over the link at once.
    pub(super) link: u64,
    /// What hashing of the host goes through, on each core.
    pub(super) host_hash: u64,
    /// A tensor, as peers have them.
    pub(super) tensor: u64,
    /// Bytes that the slow peers go through.
    pub(super) peer: u64,
    pub(super) repetitions: usize,
    /// Of what takes microseconds.
    pub(super) short_repetitions: usize,
}

impl Scale {
    pub(super) fn choose(room: Room, quick: bool) -> Self {
        let mut scale = Self::wanted(room.simulated, quick);
        let host = (room.host / 2).min((room.folder / 10).saturating_mul(9));
        while scale.big > MIB
            && (scale.files_len() > host || scale.big.saturating_mul(2) > room.device_free)
        {
            scale.big /= 2;
            scale.each = (scale.each / 2).max(MIB / 4);
        }
        while scale.each > MIB / 4 && scale.each.saturating_mul(FILES) > room.device_free {
            scale.each /= 2;
        }
        scale.medium = scale.medium.min(scale.big);
        scale.tensor = scale.tensor.min(scale.big);
        scale.peer = scale.peer.min(scale.big);
        scale.link = scale.link.min(scale.big);
        scale.many = scale.many.min(room.device_free / 2 / MAPPED).max(1);
        let most = (room.device_free / 10).saturating_mul(9);
        let fit = most.checked_div(scale.big);
        scale.card_shards = scale.card_shards.min(fit.unwrap_or(1)).max(1);
        scale.memory_shards = scale.memory_shards.min(scale.card_shards);
        scale
    }

    const fn wanted(simulated: bool, quick: bool) -> Self {
        let full = Self {
            big: 8 * GIB,
            each: GIB,
            medium: 64 * MIB,
            many: 1000,
            card_shards: 8,
            memory_shards: 4,
            link: 256 * MIB,
            host_hash: 256 * MIB,
            tensor: 64 * MIB,
            peer: GIB,
            repetitions: 5,
            short_repetitions: 100,
        };
        match (simulated, quick) {
            (false, false) => full,
            (false, true) => Self {
                big: GIB,
                each: 128 * MIB,
                many: 200,
                repetitions: 3,
                host_hash: 64 * MIB,
                peer: 256 * MIB,
                ..full
            },
            // As large as a CPU can play the device in a minute.
            (true, false) => Self {
                big: 64 * MIB,
                each: 4 * MIB,
                medium: 16 * MIB,
                many: 32,
                card_shards: 4,
                link: 32 * MIB,
                host_hash: 32 * MIB,
                tensor: 8 * MIB,
                peer: 32 * MIB,
                repetitions: 3,
                short_repetitions: 10,
                ..full
            },
            (true, true) => Self {
                big: 4 * MIB,
                each: MIB / 4,
                medium: 2 * MIB,
                many: 4,
                card_shards: 2,
                link: 2 * MIB,
                host_hash: 2 * MIB,
                tensor: MIB,
                peer: 2 * MIB,
                repetitions: 2,
                short_repetitions: 3,
                ..full
            },
        }
    }

    /// All the files together.
    pub(super) const fn files_len(&self) -> u64 {
        self.big.saturating_add(self.each.saturating_mul(FILES))
    }

    pub(super) const fn card(&self) -> u64 {
        self.big.saturating_mul(self.card_shards)
    }

    pub(super) const fn large_is_full(&self) -> bool {
        self.big >= LARGE
    }

    pub(super) const fn card_is_full(&self) -> bool {
        self.card() == CARD
    }

    pub(super) const fn memory_is_full(&self) -> bool {
        self.big.saturating_mul(self.memory_shards) >= CARD / 2
    }
}

/// A size as notes have it: `8.0 GiB`.
pub(super) fn sized(bytes: u64) -> String {
    let text = Bytes(bytes).to_string();
    let rounded = text.split_once(" (").map(|(_, rounded)| rounded);
    let rounded = rounded.and_then(|rounded| rounded.strip_suffix(')'));
    rounded.map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: Room = Room {
        device_free: 79 * GIB,
        host: 120 * GIB,
        folder: 60 * GIB,
        simulated: false,
    };

    #[test]
    fn an_h100_is_measured_at_the_sizes_that_targets_are_for() {
        let scale = Scale::choose(H100, false);

        assert_eq!((scale.big, scale.each, scale.many), (8 * GIB, GIB, 1000));
        assert!(scale.large_is_full() && scale.card_is_full() && scale.memory_is_full());
        assert_eq!(scale.medium, 64 * MIB);
    }

    #[test]
    fn a_quick_run_is_smaller_and_meets_no_target_for_large_shards() {
        let scale = Scale::choose(H100, true);

        assert!(scale.big < LARGE && !scale.large_is_full() && !scale.card_is_full());
        assert!(scale.repetitions < Scale::choose(H100, false).repetitions);
    }

    #[test]
    fn everything_fits_however_little_there_is() {
        let rooms = [
            (24 * GIB, 64 * GIB, 500 * GIB),
            (79 * GIB, 16 * GIB, 500 * GIB),
            (79 * GIB, 120 * GIB, 10 * GIB),
            (2 * GIB, 4 * GIB, GIB),
            (64 * MIB, GIB, 64 * MIB),
        ];
        for (device_free, host, folder) in rooms {
            for (simulated, quick) in [(false, false), (false, true), (true, false), (true, true)] {
                let room = Room {
                    device_free,
                    host,
                    folder,
                    simulated,
                };
                let scale = Scale::choose(room, quick);
                assert!(
                    scale.files_len() <= folder && scale.files_len() <= host,
                    "{room:?}"
                );
                assert!(scale.card() <= device_free, "{room:?}");
                assert!(scale.many * MAPPED <= device_free, "{room:?}");
                assert!(scale.each * FILES <= device_free, "{room:?}");
                for part in [scale.medium, scale.tensor, scale.peer, scale.link] {
                    assert!(part > 0 && part <= scale.big, "{room:?}");
                }
            }
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(sized(8 * GIB), "8.0 GiB");
        assert_eq!(sized(100), "100 bytes");
    }
}
