//! What can be measured: ids, units, ceilings and targets.

use std::fmt;

use clap::builder::PossibleValue;

use self::Id::{
    CpuBest, DeviceRead, DeviceToHost, EnginePython, EngineRust, FirstUse, HostSha256All,
    HostSha256One, HostToDevice, RegionChecks, ResidencyDevice, ResidencyHost, Scratch, SealBoth16,
    SealMemory, SealTrusted1, SealVerity1, Sha256Registers, Verify1m, Verify64m, VerifyAll,
    VerifyCard, VerifyLarge, WarmStart,
};

/// Something that is measured. The order is that of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Sha256Registers,
    DeviceRead,
    HostToDevice,
    DeviceToHost,
    HostSha256One,
    HostSha256All,
    VerifyLarge,
    Verify64m,
    Verify1m,
    VerifyAll,
    VerifyCard,
    Scratch,
    RegionChecks,
    ResidencyDevice,
    ResidencyHost,
    SealBoth16,
    SealVerity1,
    SealTrusted1,
    SealMemory,
    FirstUse,
    WarmStart,
    EngineRust,
    CpuBest,
    EnginePython,
}

/// What a measurement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the machine can do at most.
    Ceiling,
    /// What this software does.
    Figure,
    /// What others do; its ratio is that of this figure to it.
    Peer { compared_with: Id },
}

/// What values are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Powers of ten.
    GigabytesPerSecond,
    Seconds,
    Milliseconds,
    Microseconds,
    Mebibytes,
}

/// Which values are good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    None,
    /// In the figure's unit, no less than.
    AtLeast {
        must: f64,
        aim: f64,
    },
    /// In the figure's unit, no more than.
    AtMost {
        must: f64,
        aim: f64,
    },
    /// No less than such a part of the ceiling.
    OfCeiling {
        must: f64,
        aim: f64,
    },
}

impl Id {
    pub(super) const ALL: [Self; 24] = [
        Sha256Registers,
        DeviceRead,
        HostToDevice,
        DeviceToHost,
        HostSha256One,
        HostSha256All,
        VerifyLarge,
        Verify64m,
        Verify1m,
        VerifyAll,
        VerifyCard,
        Scratch,
        RegionChecks,
        ResidencyDevice,
        ResidencyHost,
        SealBoth16,
        SealVerity1,
        SealTrusted1,
        SealMemory,
        FirstUse,
        WarmStart,
        EngineRust,
        CpuBest,
        EnginePython,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Sha256Registers => "sha256-registers",
            DeviceRead => "device-read",
            HostToDevice => "host-to-device",
            DeviceToHost => "device-to-host",
            HostSha256One => "host-sha256-1",
            HostSha256All => "host-sha256-all",
            VerifyLarge => "verify-large",
            Verify64m => "verify-64m",
            Verify1m => "verify-1m",
            VerifyAll => "verify-all-1000x1m",
            VerifyCard => "verify-card",
            Scratch => "scratch",
            RegionChecks => "region-checks",
            ResidencyDevice => "residency-device",
            ResidencyHost => "residency-host",
            SealBoth16 => "seal-both-16",
            SealVerity1 => "seal-verity-1",
            SealTrusted1 => "seal-trusted-1",
            SealMemory => "seal-memory",
            FirstUse => "first-use",
            WarmStart => "warm-start",
            EngineRust => "engine-rust",
            CpuBest => "cpu-best",
            EnginePython => "engine-python",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Sha256Registers => "SHA-256 on the device, in registers alone",
            DeviceRead => "The device reads its memory",
            HostToDevice => "Pinned host memory to the device",
            DeviceToHost => "The device to pinned host memory",
            HostSha256One => "SHA-256 on one core of the host",
            HostSha256All => "SHA-256 on all cores of the host",
            VerifyLarge => "Verify one large shard",
            Verify64m => "Verify one shard of 64 MiB",
            Verify1m => "Verify one shard of 1 MiB, from call to permit",
            VerifyAll => "Verify 1,000 shards of 1 MiB in one call",
            VerifyCard => "Verify a whole card, 64 GiB",
            Scratch => "Device scratch while measuring",
            RegionChecks => "Asking the driver about a region and judging it, in each verify",
            ResidencyDevice => "Residency proof: a region of the device's own memory is read",
            ResidencyHost => "Residency proof: as much mapped host memory is read",
            SealBoth16 => "Seal 16 files at once, both digests on the host",
            SealVerity1 => "Seal one file, verity digest alone",
            SealTrusted1 => "Seal one file, digest known beforehand",
            SealMemory => "Host memory beyond the page cache while sealing 32 GiB",
            FirstUse => "First use: load the driver, compile, seal and verify 1 MiB",
            WarmStart => "The same with what the driver keeps from the first use",
            EngineRust => "Copy each tensor to pageable memory, hash it on one core",
            CpuBest => "Copy tensors to pinned memory, hash them on all cores",
            EnginePython => "The same as engines do it: torch and hashlib, tensor by tensor",
        }
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Sha256Registers | DeviceRead | HostToDevice | DeviceToHost | HostSha256One
            | HostSha256All => Kind::Ceiling,
            EngineRust | CpuBest | EnginePython => Kind::Peer {
                compared_with: VerifyLarge,
            },
            _ => Kind::Figure,
        }
    }

    pub(super) const fn unit(self) -> Unit {
        match self {
            Verify1m | RegionChecks => Unit::Microseconds,
            VerifyCard => Unit::Milliseconds,
            Scratch | SealMemory => Unit::Mebibytes,
            FirstUse | WarmStart => Unit::Seconds,
            _ => Unit::GigabytesPerSecond,
        }
    }

    /// What a figure could reach at most, if that is one thing.
    pub(super) const fn ceiling(self) -> Option<Self> {
        match self {
            VerifyLarge | Verify64m | VerifyAll | VerifyCard => Some(Sha256Registers),
            SealBoth16 | SealVerity1 => Some(HostSha256All),
            SealTrusted1 | ResidencyHost => Some(HostToDevice),
            ResidencyDevice => Some(DeviceRead),
            _ => None,
        }
    }

    /// What is expected of an H100 in a host of 16 cores.
    pub(super) const fn target(self) -> Target {
        match self {
            VerifyLarge => Target::OfCeiling {
                must: 0.94,
                aim: 0.98,
            },
            Verify64m => Target::AtLeast {
                must: 250.0,
                aim: 400.0,
            },
            Verify1m => Target::AtMost {
                must: 250.0,
                aim: 130.0,
            },
            VerifyAll => Target::AtLeast {
                must: 400.0,
                aim: 620.0,
            },
            VerifyCard => Target::AtMost {
                must: 75.0,
                aim: 70.0,
            },
            Scratch => Target::AtMost {
                must: 64.0,
                aim: 16.0,
            },
            RegionChecks => Target::AtMost {
                must: 20.0,
                aim: 10.0,
            },
            SealBoth16 => Target::AtLeast {
                must: 6.0,
                aim: 7.5,
            },
            SealVerity1 => Target::AtLeast {
                must: 8.0,
                aim: 14.0,
            },
            SealTrusted1 => Target::AtLeast {
                must: 20.0,
                aim: 45.0,
            },
            SealMemory => Target::AtMost {
                must: 512.0,
                aim: 256.0,
            },
            FirstUse => Target::AtMost {
                must: 1.5,
                aim: 0.6,
            },
            _ => Target::None,
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl clap::ValueEnum for Id {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.title()))
    }
}

impl Unit {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::GigabytesPerSecond => "GB/s",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
            Self::Mebibytes => "MiB",
        }
    }

    /// How many of a unit of time make a second.
    pub(super) const fn per_second(self) -> Option<f64> {
        match self {
            Self::Seconds => Some(1.0),
            Self::Milliseconds => Some(1e3),
            Self::Microseconds => Some(1e6),
            Self::GigabytesPerSecond | Self::Mebibytes => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_id_is_listed_once_and_found_by_its_name() {
        for (index, id) in Id::ALL.into_iter().enumerate() {
            assert_eq!(Id::from_str(id.name(), false), Ok(id));
            let first = Id::ALL.iter().position(|other| other.name() == id.name());
            assert_eq!(first, Some(index), "{id}");
        }
        assert!(Id::ALL.is_sorted());
    }

    #[test]
    fn ceilings_are_ceilings_and_peers_are_compared_with_figures() {
        for id in Id::ALL {
            if let Some(ceiling) = id.ceiling() {
                assert_eq!(
                    (id.kind(), ceiling.kind()),
                    (Kind::Figure, Kind::Ceiling),
                    "{id}"
                );
            }
            if let Kind::Peer { compared_with } = id.kind() {
                assert_eq!(compared_with.kind(), Kind::Figure);
                assert_eq!(compared_with.unit(), id.unit());
            }
        }
    }

    #[test]
    fn what_must_be_is_never_stricter_than_what_is_aimed_for() {
        for id in Id::ALL {
            let fair = match id.target() {
                Target::None => true,
                Target::AtLeast { must, aim } | Target::OfCeiling { must, aim } => must <= aim,
                Target::AtMost { must, aim } => must >= aim,
            };
            assert!(fair, "{id}");
            let figure = id.kind() == Kind::Figure;
            assert!(figure || id.target() == Target::None, "{id}");
        }
    }
}
