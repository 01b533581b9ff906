//! The devices that the suite is about.

use std::env;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use vram_alloc::{Allocator, AllocatorConfig, Device, Mechanism, Platform};
use vram_sim::{DeviceModel, Machine};
use vram_sys::Driver;

pub(crate) const MIB: u64 = 1 << 20;

/// What device memory is handed out in, on every GPU so far.
pub(crate) const PAGE: u64 = 2 * MIB;

/// Memory of a simulated device: what sixteen threads need, and little enough to be searched.
const SIMULATED: u64 = 192 * MIB;

/// Which driver the suite runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Simulated,
    Gpu,
}

fn choice() -> Choice {
    match env::var("VRAM_TEST_DRIVER").as_deref() {
        Err(env::VarError::NotPresent) | Ok("simulated") => Choice::Simulated,
        Ok("gpu") => Choice::Gpu,
        other => panic!("VRAM_TEST_DRIVER is {other:?}; it must be simulated or gpu"),
    }
}

/// The driver itself: for what a program may do to the libraries behind their back.
pub(crate) fn driver() -> Arc<Driver> {
    match choice() {
        Choice::Simulated => {
            let builder = Machine::builder().device(DeviceModel::small(SIMULATED));
            builder.build().unwrap().driver()
        }
        Choice::Gpu => Arc::new(Driver::load().unwrap()),
    }
}

/// A GPU's tests use one platform, as a program does; simulated ones have a computer each.
fn platform() -> (Platform, Arc<Driver>) {
    static GPU: OnceLock<(Platform, Arc<Driver>)> = OnceLock::new();
    let started = || {
        let driver = driver();
        (Platform::with_driver(driver.clone()).unwrap(), driver)
    };
    match choice() {
        Choice::Simulated => started(),
        Choice::Gpu => GPU.get_or_init(started).clone(),
    }
}

/// A device with one of the ways to take its memory.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) platform: Platform,
    /// What the platform calls: for what a program does behind its back.
    pub(crate) driver: Arc<Driver>,
    pub(crate) device: Device,
    pub(crate) mechanism: Mechanism,
}

impl Subject {
    fn new(mechanism: Mechanism) -> Self {
        let (platform, driver) = platform();
        let device = platform.open(0).unwrap();
        Self {
            platform,
            driver,
            device,
            mechanism,
        }
    }

    pub(crate) fn config(&self) -> AllocatorConfig {
        AllocatorConfig::default().with_mechanism(self.mechanism)
    }

    pub(crate) fn allocator(&self) -> Allocator {
        Allocator::new(&self.device, self.config()).unwrap()
    }

    /// Whether regions are mapped page by page, so that the MMU can freeze them.
    pub(crate) fn maps_pages(&self) -> bool {
        let supported = self.device.properties().virtual_memory_management;
        self.mechanism == Mechanism::Auto && supported == Some(true)
    }
}

/// The subjects of a test, and its turn at the device.
#[derive(Debug)]
pub(crate) struct Platforms {
    subjects: Vec<Subject>,
    _turn: Turn,
}

/// Declared after what it guards: it ends when the test has released everything.
#[derive(Debug)]
#[expect(dead_code, reason = "held until the test is over")]
enum Turn {
    WithOthers(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

static TURNS: RwLock<()> = RwLock::new(());

impl Platforms {
    fn new(turn: Turn) -> Self {
        let subjects = [Mechanism::Auto, Mechanism::Plain].map(Subject::new);
        Self {
            subjects: subjects.into(),
            _turn: turn,
        }
    }
}

impl Deref for Platforms {
    type Target = [Subject];

    fn deref(&self) -> &[Subject] {
        &self.subjects
    }
}

/// The devices, used beside other tests.
pub(crate) fn platforms() -> Platforms {
    let turn = TURNS.read().unwrap_or_else(PoisonError::into_inner);
    Platforms::new(Turn::WithOthers(turn))
}

/// The devices, while no other test of this process holds any of their memory.
pub(crate) fn platforms_alone() -> Platforms {
    let turn = TURNS.write().unwrap_or_else(PoisonError::into_inner);
    Platforms::new(Turn::Alone(turn))
}
