//! How a manager is configured, and made.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use vram_alloc::{Allocator, AllocatorConfig, Device, Mechanism, Platform};
use vram_observe::{ThisMachine, Witness};
use vram_policy::{CheckId, Enforcement, Policy};
use vram_seal::{DeviceId, SealKey, Token, WorkerId};

use crate::clock::{Clock, DEFAULT_CLOCK_SKEW, SystemClock, Timekeeper};
use crate::enforcement::{Surroundings, Watch};
use crate::event::{self, Event, Observer, TracingObserver};
use crate::keys::{self, Previous, Secret, keys_for};
use crate::manager::{Manager, Settings};
use crate::measurer::Measurer;
use crate::staging::{DEFAULT_BUFFER_LEN, DEFAULT_BUFFERS, StagingPool};
use crate::sync::RwLock;
use crate::{Error, Result};

/// The default maximum of a shard's size: 100 GiB.
pub const DEFAULT_MAX_SHARD_SIZE: u64 = 100 << 30;

/// What can't hold where memory isn't frozen by the device, as who asks for that by name accepts.
const WITHOUT_MMU_FREEZING: [CheckId; 2] =
    [CheckId::DeviceMmuFreezing, CheckId::RegionNotExportable];

/// Configures a [`Manager`].
///
/// ```
/// use std::time::Duration;
/// use vram_residency::ManagerBuilder;
///
/// let builder = ManagerBuilder::new()
///     .device(0)
///     .budget(40 << 30)
///     .max_shard_size(16 << 30)
///     .max_age(Duration::from_secs(24 * 3600));
/// ```
#[must_use = "a builder does nothing until build is called"]
pub struct ManagerBuilder {
    device: usize,
    secret: Option<Secret>,
    previous: Vec<Previous>,
    allocator: AllocatorConfig,
    max_shard_size: u64,
    max_age: Option<Duration>,
    clock_skew: Duration,
    allow_simulated: bool,
    policy: Option<Policy>,
    witness: Option<Arc<dyn Witness>>,
    recheck_every: Option<Duration>,
    staging_buffers: usize,
    staging_buffer_len: usize,
    clock: Arc<dyn Clock>,
    observers: Vec<Arc<dyn Observer>>,
}

impl Default for ManagerBuilder {
    fn default() -> Self {
        Manager::builder()
    }
}

impl ManagerBuilder {
    /// The defaults: device 0, all its memory, shards up to 100 GiB, no maximum age, a GPU only.
    pub fn new() -> Self {
        Self {
            device: 0,
            secret: None,
            previous: Vec::new(),
            allocator: AllocatorConfig::default(),
            max_shard_size: DEFAULT_MAX_SHARD_SIZE,
            max_age: None,
            clock_skew: DEFAULT_CLOCK_SKEW,
            allow_simulated: false,
            policy: None,
            witness: None,
            recheck_every: None,
            staging_buffers: DEFAULT_BUFFERS,
            staging_buffer_len: DEFAULT_BUFFER_LEN,
            clock: Arc::new(SystemClock),
            observers: vec![Arc::new(TracingObserver)],
        }
    }

    /// Chooses the device, by its index in the driver's order.
    pub fn device(mut self, index: usize) -> Self {
        self.device = index;
        self
    }

    /// Derives the seal key from a token, for this worker and this device (HKDF-SHA256).
    pub fn token(self, token: Token, worker: WorkerId) -> Self {
        self.secret(Secret::token(token, worker))
    }

    /// Signs with a key as it is.
    pub fn key(self, key: SealKey) -> Self {
        self.secret(Secret::Key(key))
    }

    /// Seals with the key of this secret. The last one that is given counts.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Accepts what the key of this token sealed before, up to this time: see [`previous`](Self::previous).
    pub fn previous_token(self, token: Token, worker: WorkerId, until: SystemTime) -> Self {
        self.previous(Secret::token(token, worker), until)
    }

    /// Accepts what this key sealed before, up to this time: see [`previous`](Self::previous).
    pub fn previous_key(self, key: SealKey, until: SystemTime) -> Self {
        self.previous(Secret::Key(key), until)
    }

    /// Accepts what the key of this secret sealed before, up to this time: for the time in which a key is replaced.
    /// Nothing is sealed with it. [`Manager::rotate`] replaces the key of a manager that lives. May be called for
    /// several keys, [`SealKeys::MAX_PREVIOUS`](vram_seal::SealKeys::MAX_PREVIOUS) at most.
    pub fn previous(mut self, secret: Secret, until: SystemTime) -> Self {
        self.previous.push(Previous { secret, until });
        self
    }

    /// Limits device memory to so many bytes, the library's 16 MiB of scratch included. Proofs of residency take some
    /// more while they last, where there is room.
    pub fn budget(mut self, bytes: u64) -> Self {
        self.allocator = self.allocator.with_budget(bytes);
        self
    }

    /// Takes memory by plain allocation, which freezes in software only.
    ///
    /// Other processes could map such memory if this one gave them a handle to it, and no setting of the
    /// driver's keeps that from being possible. So this lowers two checks of the policy to warnings,
    /// [`CheckId::RegionNotExportable`] and [`CheckId::DeviceMmuFreezing`]: every report says that they
    /// were lowered, and the seal record says that the freezing is software's. A device that can't freeze
    /// memory needs this to be asked for; without it, its regions are refused.
    pub fn without_mmu_freezing(mut self) -> Self {
        self.allocator = self.allocator.with_mechanism(Mechanism::Plain);
        self
    }

    /// Refuses shards over so many bytes. The default is 100 GiB.
    pub fn max_shard_size(mut self, bytes: u64) -> Self {
        self.max_shard_size = bytes;
        self
    }

    /// Refuses to verify seals that are older. The limit is exact: the tolerated
    /// [skew](Self::clock_skew) doesn't stretch it.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Tolerates clocks that differ by so much. The default is
    /// [`DEFAULT_CLOCK_SKEW`](crate::DEFAULT_CLOCK_SKEW), 5 seconds.
    ///
    /// A seal that is dated further ahead of the clock is refused and stops the manager
    /// ([`Error::FromTheFuture`]), whether or not there is a [maximum age](Self::max_age). So is anything
    /// that needs the time refused while the clock is further behind than that of where it has to be: the
    /// latest time that was read, and what has passed since then by a clock that nobody can set
    /// ([`Error::ClockSetBack`]). Small steps back add up. A clock that is set forward makes seals older,
    /// and can't be set back again by more than the skew without the manager refusing.
    pub fn clock_skew(mut self, tolerated: Duration) -> Self {
        self.clock_skew = tolerated;
        self
    }

    /// Accepts a simulated device, which keeps "weights" in host memory. Everything it produces
    /// says that it is simulated. Where the device is one, and no [`policy`](Self::policy) is given, the
    /// policy is [`Policy::development`]; a GPU is judged as without this.
    pub fn allow_simulated(mut self) -> Self {
        self.allow_simulated = true;
        self
    }

    /// Enforces this policy on the device, the machine and every region. The default is
    /// [`Policy::strict`], and for a simulated device that was allowed [`Policy::development`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Learns what the CUDA driver doesn't say from this witness. The default is [`ThisMachine`]: the
    /// operating system, this process, and NVIDIA's management library.
    pub fn witness(mut self, witness: Arc<dyn Witness>) -> Self {
        self.witness = Some(witness);
        self
    }

    /// Has the device and the machine looked at again after each such interval, on a thread of its own
    /// that ends with the manager ([`Manager::recheck`]). The default is not to.
    pub fn recheck_every(mut self, interval: Duration) -> Self {
        self.recheck_every = Some(interval);
        self
    }

    /// Bounds the pinned staging of all seals under way together: 96 buffers of 2 MiB by default,
    /// 192 MiB.
    ///
    /// A buffer's length is rounded up to a multiple of 512 KiB. Buffers are lent in pairs, one pair
    /// for each thread of a seal, and pinned as they are needed: a seal of one buffer's length or
    /// less pins one. They are wiped after each seal and kept for the next; a seal that finds all
    /// pairs lent waits. Fewer pairs than cores make fewer threads that read and hash.
    pub fn staging(mut self, buffers: usize, buffer_len: usize) -> Self {
        self.staging_buffers = buffers;
        self.staging_buffer_len = buffer_len;
        self
    }

    /// Reads the time from elsewhere.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Lets an observer hear of every event, beside the log. One that can't keep an event stops the manager
    /// ([`Observer::on_event`]).
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Opens the device, judges it, loads the kernels and tests them.
    ///
    /// # Errors
    ///
    /// [`Error::NoKey`]; [`Error::Seal`] for a previous key that is the present one, comes twice, or whose time is over,
    /// or for too many of them; [`Error::Simulated`] for a simulation that wasn't allowed;
    /// [`Error::Policy`] for a device or a machine that the policy refuses; [`Error::Memory`] if there is no
    /// such device, or it has no room, or it fails the self-test, or for staging of fewer than 2
    /// buffers or of empty ones, or an interval of re-checks that is zero; [`Error::System`] if the clock gives
    /// no time.
    pub fn build(self, platform: &Platform) -> Result<Manager> {
        let device = platform.open(self.device)?;
        self.build_on(&device)
    }

    /// As [`build`](Self::build), on a device that is open already.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_on(self, device: &Device) -> Result<Manager> {
        let observers = self.observers.clone();
        self.build_untold(device).inspect_err(|error| {
            let reason = error.to_string();
            if let Err(error) = event::tell(&observers, &Event::ManagerRefused { reason }) {
                tracing::error!(%error, "an event is lost");
            }
        })
    }

    fn build_untold(self, device: &Device) -> Result<Manager> {
        if self
            .recheck_every
            .is_some_and(|interval| interval.is_zero())
        {
            return Err(Error::Memory(vram_alloc::Error::BadSetting {
                setting: "the interval of re-checks",
                value: 0,
                expected: "more than no time at all",
            }));
        }
        let properties = device.properties();
        let simulated = properties.simulated;
        if simulated && !self.allow_simulated {
            return Err(Error::Simulated {
                device: properties.name.clone(),
            });
        }
        let device_id = DeviceId {
            uuid: properties.uuid,
            simulated,
        };
        let started = Event::ManagerStarted {
            device: device_id,
            device_name: &properties.name,
            library: env!("CARGO_PKG_VERSION"),
        };
        event::tell(&self.observers, &started)?;
        let watch = self.watch(simulated);
        let surroundings = self.admit(&watch, device)?;
        let time = Timekeeper::new(self.clock, self.clock_skew)?;
        let secret = self.secret.ok_or(Error::NoKey)?;
        let keys = keys_for(secret, self.previous, &device_id, time.now()?)?;
        let allocator = Allocator::new(device, self.allocator)?;
        let staging = StagingPool::new(
            allocator.device(),
            self.staging_buffers,
            self.staging_buffer_len,
        )?;
        let measurer = Measurer::new(&allocator)?;
        event::tell(&self.observers, &keys::ready(&keys))?;
        let settings = Settings {
            allocator,
            device_id,
            watch,
            surroundings,
            keys: RwLock::new(keys),
            max_shard_size: self.max_shard_size,
            max_age: self.max_age,
            staging,
            time,
            observers: self.observers,
        };
        let manager = Manager::new(settings, measurer);
        if let Some(interval) = self.recheck_every {
            manager.recheck_every(interval)?;
        }
        Ok(manager)
    }

    /// The policy that was asked for, or the default for such a device, and who observes for it.
    fn watch(&self, simulated: bool) -> Watch {
        let policy = self.policy.clone().unwrap_or_else(|| {
            if simulated {
                Policy::development()
            } else {
                Policy::strict()
            }
        });
        let policy = if self.allocator.mechanism == Mechanism::Plain {
            WITHOUT_MMU_FREEZING.iter().fold(policy, lowered)
        } else {
            policy
        };
        let witness = self.witness.clone();
        Watch::new(
            policy,
            witness.unwrap_or_else(|| Arc::new(ThisMachine::new())),
        )
    }

    /// Judges the device and the machine, and tells what is refused or warned of.
    fn admit(&self, watch: &Watch, device: &Device) -> Result<Surroundings> {
        let surroundings = watch.look(device)?;
        let report = surroundings.together();
        if let Err(refusal) = report.enforce() {
            let violation = Event::policy_violation(None, &refusal);
            if let Err(error) = event::tell(&self.observers, &violation) {
                tracing::error!(%error, "an event is lost");
            }
            return Err(refusal.into());
        }
        let news = watch.news(&report);
        if !news.is_empty() {
            event::tell(&self.observers, &Event::policy_warning(None, news))?;
        }
        Ok(surroundings)
    }
}

/// The policy with one of its checks lowered to a warning, unless it asks for less already.
fn lowered(policy: Policy, id: &CheckId) -> Policy {
    match policy.enforcement(*id) {
        Enforcement::Refuse => policy.with(*id, Enforcement::Warn),
        _ => policy,
    }
}

impl fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerBuilder")
            .field("device", &self.device)
            .field("max_shard_size", &self.max_shard_size)
            .field("max_age", &self.max_age)
            .field("clock_skew", &self.clock_skew)
            .field("allow_simulated", &self.allow_simulated)
            .field("policy", &self.policy)
            .field("recheck_every", &self.recheck_every)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy_of(builder: &ManagerBuilder, simulated: bool) -> Policy {
        builder.watch(simulated).policy().clone()
    }

    #[test]
    fn a_gpu_is_judged_strictly_even_where_a_simulation_would_be_allowed() {
        let builder = ManagerBuilder::new();
        assert_eq!(policy_of(&builder, false), Policy::strict());

        let builder = builder.allow_simulated();

        assert_eq!(policy_of(&builder, false), Policy::strict());
        assert_eq!(policy_of(&builder, true), Policy::development());
    }

    #[test]
    fn the_policy_that_is_given_is_the_one_for_every_device() {
        let builder = ManagerBuilder::new().policy(Policy::standard());

        assert_eq!(policy_of(&builder, false), Policy::standard());
        assert_eq!(policy_of(&builder, true), Policy::standard());
    }

    #[test]
    fn going_without_mmu_freezing_lowers_what_refuses_and_raises_nothing() {
        let lax = Policy::strict().with(CheckId::DeviceMmuFreezing, Enforcement::Note);
        let builder = ManagerBuilder::new().policy(lax).without_mmu_freezing();

        let policy = policy_of(&builder, false);

        let [mmu, exportable] = WITHOUT_MMU_FREEZING.map(|id| policy.enforcement(id));
        assert_eq!((mmu, exportable), (Enforcement::Note, Enforcement::Warn));
        let untouched = CheckId::ALL
            .iter()
            .filter(|id| !WITHOUT_MMU_FREEZING.contains(id));
        for id in untouched {
            assert_eq!(policy.enforcement(*id), Policy::strict().enforcement(*id));
        }
    }
}
