//! How a manager is configured, and made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use vram_alloc::{Allocator, AllocatorConfig, Device, DeviceProperties, Mechanism, Platform};
use vram_policy::{DeviceFacts, Policy};
use vram_seal::{DeviceId, SealKey, Token, WorkerId};

use crate::clock::{Clock, SystemClock};
use crate::event::{Event, Observer, TracingObserver};
use crate::manager::{Manager, Settings};
use crate::measurer::Measurer;
use crate::staging::{DEFAULT_BUFFER_LEN, DEFAULT_BUFFERS, StagingPool};
use crate::{Error, Result};

/// The default maximum of a shard's size: 100 GiB.
pub const DEFAULT_MAX_SHARD_SIZE: u64 = 100 << 30;

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
    worker: Option<WorkerId>,
    allocator: AllocatorConfig,
    max_shard_size: u64,
    max_age: Option<Duration>,
    allow_simulated: bool,
    staging_buffers: usize,
    staging_buffer_len: usize,
    clock: Arc<dyn Clock>,
    observers: Vec<Arc<dyn Observer>>,
}

enum Secret {
    Token(Token),
    Key(SealKey),
}

impl Default for ManagerBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ManagerBuilder {
    /// The defaults: device 0, all its memory, shards up to 100 GiB, no maximum age, a GPU only.
    pub fn new() -> Self {
        Self {
            device: 0,
            secret: None,
            worker: None,
            allocator: AllocatorConfig::default(),
            max_shard_size: DEFAULT_MAX_SHARD_SIZE,
            max_age: None,
            allow_simulated: false,
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
    pub fn token(mut self, token: Token, worker: WorkerId) -> Self {
        self.secret = Some(Secret::Token(token));
        self.worker = Some(worker);
        self
    }

    /// Signs with a key as it is.
    pub fn key(mut self, key: SealKey) -> Self {
        self.secret = Some(Secret::Key(key));
        self
    }

    /// Limits device memory to so many bytes, the library's 16 MiB of scratch included.
    pub fn budget(mut self, bytes: u64) -> Self {
        self.allocator = self.allocator.with_budget(bytes);
        self
    }

    /// Takes memory by plain allocation, which freezes in software only.
    pub fn without_mmu_freezing(mut self) -> Self {
        self.allocator = self.allocator.with_mechanism(Mechanism::Plain);
        self
    }

    /// Refuses shards over so many bytes. The default is 100 GiB.
    pub fn max_shard_size(mut self, bytes: u64) -> Self {
        self.max_shard_size = bytes;
        self
    }

    /// Refuses to verify seals that are older.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Accepts a simulated device, which keeps "weights" in host memory. Everything it produces
    /// says that it is simulated.
    pub fn allow_simulated(mut self) -> Self {
        self.allow_simulated = true;
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

    /// Lets an observer hear of every event, beside the log.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Opens the device, judges it, loads the kernels and tests them.
    ///
    /// # Errors
    ///
    /// [`Error::NoKey`]; [`Error::Simulated`] for a simulation that wasn't allowed;
    /// [`Error::Policy`] for a device that the policy refuses; [`Error::Memory`] if there is no
    /// such device, or it has no room, or it fails the self-test, or for staging of fewer than 2
    /// buffers or of empty ones.
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
        let properties = device.properties();
        let simulated = properties.simulated;
        if simulated && !self.allow_simulated {
            return Err(Error::Simulated {
                device: properties.name.clone(),
            });
        }
        let policy = Policy::strict();
        let admitted = policy
            .admit_device(&device_facts(properties))
            .inspect_err(|refusal| {
                let event = Event::policy_violation(None, refusal);
                self.observers
                    .iter()
                    .for_each(|observer| observer.on_event(&event));
            })?;
        let device_id = DeviceId {
            uuid: properties.uuid,
            simulated,
        };
        let key = match (self.secret, &self.worker) {
            (Some(Secret::Key(key)), _) => key,
            (Some(Secret::Token(token)), Some(worker)) => {
                SealKey::derive(&token, worker, &device_id)?
            }
            (Some(Secret::Token(_)) | None, _) => return Err(Error::NoKey),
        };
        let allocator = Allocator::new(device, self.allocator)?;
        let staging = StagingPool::new(
            allocator.device(),
            self.staging_buffers,
            self.staging_buffer_len,
        )?;
        let measurer = Measurer::new(&allocator)?;
        let settings = Settings {
            allocator,
            device_id,
            device_report: admitted.report().clone(),
            policy,
            key,
            max_shard_size: self.max_shard_size,
            max_age: self.max_age,
            staging,
            clock: self.clock,
            observers: self.observers,
        };
        Ok(Manager::new(settings, measurer))
    }
}

impl fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerBuilder")
            .field("device", &self.device)
            .field("max_shard_size", &self.max_shard_size)
            .field("max_age", &self.max_age)
            .field("allow_simulated", &self.allow_simulated)
            .finish_non_exhaustive()
    }
}

/// What the driver says of a device, as the policy takes it.
#[must_use]
pub fn device_facts(properties: &DeviceProperties) -> DeviceFacts {
    DeviceFacts {
        name: Some(properties.name.clone()),
        uuid: Some(properties.uuid_string()),
        simulated: properties.simulated,
        integrated: properties.integrated,
        pageable_memory_access: properties.pageable_memory_access,
        pageable_memory_access_uses_host_page_tables: properties.uses_host_page_tables,
        managed_memory: properties.managed_memory,
        can_map_host_memory: properties.can_map_host_memory,
        virtual_memory_management: properties.virtual_memory_management,
        ecc_enabled: properties.ecc_enabled,
        ..DeviceFacts::default()
    }
}
