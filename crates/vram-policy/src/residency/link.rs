//! What the link between host and device carries at most.

use serde::{Deserialize, Serialize};

use super::evidence::LinkEvidence;
use super::rate::Rate;

/// Which link the ceiling is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LinkKind {
    /// PCI Express, of the generation and width that it was said to have.
    PciExpress,
    /// A chip-to-chip or coherent link, or one that can't be ruled out.
    ChipToChip,
}

/// The most that a link carries towards the device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceiling {
    pub(super) rate: Rate,
    pub(super) kind: LinkKind,
}

/// NVLink-C2C in one direction: 450 GB/s on Grace Hopper and Grace Blackwell, 900 GB/s in the generation after.
/// The larger counts.
const CHIP_TO_CHIP: Rate = Rate::per_second(900_000_000_000);

/// The most that a slot of 16 lanes carries today, in generation 6. A copy over a chip-to-chip link does several
/// times as much.
const PCI_EXPRESS_AT_MOST: Rate = Rate::per_second(128_000_000_000);

/// The most lanes that PCI Express defines.
const MOST_LANES: u32 = 32;

impl LinkEvidence {
    /// The largest of what the link should carry and what it was seen to carry. `None` where it isn't known.
    pub(super) fn ceiling(&self) -> Option<Ceiling> {
        let nominal = self.nominal();
        let fast = self.may_be_chip_to_chip();
        let (base, kind) = match (fast, nominal) {
            (true, Some(nominal)) => (nominal.max(CHIP_TO_CHIP), LinkKind::ChipToChip),
            // Said to be there: then it is the faster one, whatever the other is.
            (true, None) if self.chip_to_chip == Some(true) => (CHIP_TO_CHIP, LinkKind::ChipToChip),
            (false, Some(nominal)) => (nominal, LinkKind::PciExpress),
            (_, None) => return None,
        };
        let rate = self.measured_copy.map_or(base, |copy| base.max(copy));
        Some(Ceiling { rate, kind })
    }

    /// What the PCI Express link carries in one direction by its generation and width: bits on the wire less
    /// their encoding. Headers and acknowledgements, which take some more, are left in: this is a ceiling.
    #[must_use]
    pub fn nominal(&self) -> Option<Rate> {
        // Bytes per second and lane: PCI Express Base Specification, transfer rate times 8b/10b in generations 1
        // and 2, 128b/130b in 3 to 5, rounded up. Of 6 and 7, whose frames carry their own correction, the bare rate.
        let lane: u64 = match self.generation? {
            1 => 250_000_000,
            2 => 500_000_000,
            3 => 984_615_385,
            4 => 1_969_230_770,
            5 => 3_938_461_539,
            6 => 8_000_000_000,
            7 => 16_000_000_000,
            _ => return None,
        };
        let lanes = self
            .width
            .filter(|lanes| (1..=MOST_LANES).contains(lanes))?;
        lane.checked_mul(u64::from(lanes)).map(Rate::per_second)
    }

    /// Whether host memory may be behind something faster than PCI Express.
    ///
    /// Where the management library doesn't say, two others must agree that it isn't: the driver, that the
    /// device doesn't go through the host's page tables, as devices on such links do; and a copy from the host,
    /// which would have used the faster link, that it was no faster than PCI Express can be.
    fn may_be_chip_to_chip(&self) -> bool {
        if self.host_page_tables != Some(false) {
            return true;
        }
        self.chip_to_chip.unwrap_or_else(|| {
            self.measured_copy
                .is_none_or(|copy| copy > PCI_EXPRESS_AT_MOST)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PCIE5: LinkEvidence = LinkEvidence {
        generation: Some(5),
        width: Some(16),
        chip_to_chip: Some(false),
        integrated: Some(false),
        host_page_tables: Some(false),
        measured_copy: Some(Rate::per_second(54_600_000_000)),
    };

    fn shown(link: LinkEvidence) -> Option<(u64, LinkKind)> {
        let ceiling = link.ceiling()?;
        Some((
            ceiling.rate.bytes_per_second() / 1_000_000_000,
            ceiling.kind,
        ))
    }

    #[test]
    fn generations_and_widths_have_their_rates() {
        for (generation, width, gigabytes) in [
            (1, 16, 4),
            (2, 16, 8),
            (3, 16, 15),
            (4, 16, 31),
            (4, 8, 15),
            (5, 16, 63),
            (6, 16, 128),
            (7, 16, 256),
        ] {
            let link = LinkEvidence {
                generation: Some(generation),
                width: Some(width),
                ..PCIE5
            };
            let rate = link.nominal().unwrap().bytes_per_second();
            assert_eq!(rate / 1_000_000_000, gigabytes, "{generation} x{width}");
        }
        for (generation, width) in [(0, 16), (8, 16), (5, 0), (5, 33), (5, u32::MAX)] {
            let link = LinkEvidence {
                generation: Some(generation),
                width: Some(width),
                ..PCIE5
            };
            assert_eq!(link.nominal(), None, "{generation} x{width}");
        }
    }

    #[test]
    fn a_link_carries_what_it_was_seen_to_carry_if_that_is_more_than_it_should() {
        let link = LinkEvidence {
            generation: Some(3),
            ..PCIE5
        };

        assert_eq!(shown(PCIE5), Some((63, LinkKind::PciExpress)));
        assert_eq!(shown(link), Some((54, LinkKind::PciExpress)));
    }

    #[test]
    fn a_chip_to_chip_link_counts_unless_it_is_ruled_out() {
        let linked = LinkEvidence {
            chip_to_chip: Some(true),
            ..PCIE5
        };
        let coherent = LinkEvidence {
            host_page_tables: Some(true),
            ..PCIE5
        };
        let unsaid = LinkEvidence {
            host_page_tables: None,
            ..PCIE5
        };
        for link in [linked, coherent, unsaid] {
            assert_eq!(shown(link), Some((900, LinkKind::ChipToChip)), "{link:?}");
        }
        // Nobody asked the management library, but driver and copy agree.
        let unasked = LinkEvidence {
            chip_to_chip: None,
            ..PCIE5
        };
        assert_eq!(shown(unasked), Some((63, LinkKind::PciExpress)));
        // A copy at the very limit of PCI Express may have been one over PCI Express; a faster one was not.
        for (copy, kind) in [
            (128_000_000_000, LinkKind::PciExpress),
            (128_000_000_001, LinkKind::ChipToChip),
        ] {
            let at_the_limit = LinkEvidence {
                measured_copy: Some(Rate::per_second(copy)),
                ..unasked
            };
            assert_eq!(shown(at_the_limit).unwrap().1, kind, "{copy}");
        }
        for measured_copy in [None, Some(Rate::per_second(128_000_000_001))] {
            let link = LinkEvidence {
                measured_copy,
                ..unasked
            };
            assert_eq!(shown(link), Some((900, LinkKind::ChipToChip)), "{link:?}");
        }
    }

    #[test]
    fn a_link_that_nothing_is_known_of_has_no_ceiling() {
        for link in [
            LinkEvidence {
                generation: None,
                ..PCIE5
            },
            LinkEvidence {
                width: None,
                ..PCIE5
            },
            LinkEvidence {
                width: None,
                host_page_tables: Some(true),
                ..PCIE5
            },
        ] {
            assert_eq!(shown(link), None, "{link:?}");
        }
        let linked = LinkEvidence {
            generation: None,
            chip_to_chip: Some(true),
            ..PCIE5
        };
        assert_eq!(shown(linked), Some((900, LinkKind::ChipToChip)));
    }
}
