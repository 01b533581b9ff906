//! The device that the worker runs on.

use std::env;
use std::sync::Arc;

use vram_alloc::{Device, Platform};
use vram_sim::{DeviceModel, Machine};
use vram_sys::Driver;

use crate::interference::Interference;

/// Memory of a simulated device: enough for every scenario.
const SIMULATED: u64 = 192 << 20;

/// The driver that the scenario runs on, and its first device.
#[derive(Debug)]
pub(crate) struct Scene {
    /// What stands between, where the scenario asked for it: declared first, to free what it holds before the
    /// device's context ends.
    pub(crate) interference: Option<Interference>,
    pub(crate) device: Device,
    pub(crate) platform: Platform,
    /// What the platform calls.
    pub(crate) driver: Arc<Driver>,
}

impl Scene {
    /// With `interfering`, the driver's answers can be changed. As a driver that isn't libcuda itself it counts as
    /// simulated then, also where a GPU answers in the end.
    pub(crate) fn new(interfering: bool) -> Self {
        let own = driver();
        let interference = interfering.then(|| Interference::begin(&own));
        let driver = interference
            .as_ref()
            .map_or_else(|| Arc::clone(&own), Interference::driver);
        let platform = Platform::with_driver(Arc::clone(&driver)).unwrap();
        Self {
            device: platform.open(0).unwrap(),
            platform,
            driver,
            interference,
        }
    }
}

/// The simulated driver or the GPU's, as the environment says.
fn driver() -> Arc<Driver> {
    match env::var("VRAM_TEST_DRIVER").as_deref() {
        Err(env::VarError::NotPresent) | Ok("simulated") => {
            let builder = Machine::builder().device(DeviceModel::small(SIMULATED));
            builder.build().unwrap().driver()
        }
        Ok("gpu") => Arc::new(Driver::load().unwrap()),
        other => panic!("VRAM_TEST_DRIVER is {other:?}; it must be simulated or gpu"),
    }
}
