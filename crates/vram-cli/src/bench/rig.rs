//! What measurements are made with: the device, a manager on it, sizes, and files.

use std::path::PathBuf;

use vram_alloc::{Allocator, AllocatorConfig, Device};
use vram_residency::Manager;

use super::files::{self, TestFile, TestSet};
use super::host;
use super::scale::{FILES, Room, Scale};
use crate::device::{self, DeviceOptions};
use crate::key;
use crate::progress::Display;

/// The worker that the seal key is derived for.
const WORKER: &str = "vram-bench";

/// The device, and a manager and an allocator on it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) device: Device,
    pub(super) manager: Manager,
    /// For what isn't sealed.
    pub(super) allocator: Allocator,
    pub(super) simulated_because: Option<String>,
}

impl Opened {
    /// Opens the device that the options choose: loads the driver and the kernels.
    pub(super) fn new(options: &DeviceOptions) -> anyhow::Result<Self> {
        let found = device::find(&options.origin)?;
        let device = found.platform.open(options.device)?;
        let mut builder = Manager::builder()
            .token(key::random_token()?, WORKER.parse()?)
            .policy(
                options
                    .policy
                    .for_manager(found.simulated_because.is_some()),
            )
            .witness(found.witness);
        // Only ever for the simulation that was chosen, never for what turns out to be one.
        if found.simulated_because.is_some() {
            builder = builder.allow_simulated();
        }
        Ok(Self {
            manager: builder.build_on(&device)?,
            allocator: Allocator::new(&device, AllocatorConfig::default())?,
            device,
            simulated_because: found.simulated_because,
        })
    }

    pub(super) fn is_simulated(&self) -> bool {
        self.device.properties().simulated
    }
}

/// Everything that measurements are made with.
#[derive(Debug)]
pub(super) struct Rig<'a> {
    pub(super) opened: Opened,
    pub(super) scale: Scale,
    pub(super) display: &'a Display,
    /// Where files go.
    folder: PathBuf,
    big: Option<TestFile>,
}

impl<'a> Rig<'a> {
    pub(super) fn new(
        opened: Opened,
        folder: Option<PathBuf>,
        quick: bool,
        display: &'a Display,
    ) -> anyhow::Result<Self> {
        let device_free = opened.manager.capacity()?.available.0;
        let simulated = opened.is_simulated();
        // What isn't known doesn't limit.
        let unlimited = Room {
            device_free,
            host: host::available_memory().unwrap_or(u64::MAX),
            folder: u64::MAX,
            simulated,
        };
        let wanted = Scale::choose(unlimited, quick);
        let folder = files::folder(folder.as_deref(), wanted.files_len());
        let room = Room {
            folder: host::free_space(&folder).unwrap_or(u64::MAX),
            ..unlimited
        };
        Ok(Self {
            opened,
            scale: Scale::choose(room, quick),
            display,
            folder,
            big: None,
        })
    }

    /// Tells whoever watches what is being measured.
    pub(super) fn doing(&self, what: &str) {
        self.display.doing(what, "measure");
    }

    /// The large file, made when it is first needed.
    pub(super) fn big_file(&mut self) -> anyhow::Result<&TestFile> {
        let made = match self.big.take() {
            Some(made) => made,
            None => {
                self.display.doing("a large file", "make");
                TestFile::make(&self.folder, 0, &[], self.scale.big)?
            }
        };
        Ok(self.big.insert(made))
    }

    /// The large file isn't needed any more.
    pub(super) fn drop_big_file(&mut self) {
        self.big = None;
    }

    /// Several model files in a folder.
    pub(super) fn set(&self) -> anyhow::Result<TestSet> {
        self.display.doing("16 files", "make");
        TestSet::make(&self.folder, FILES, self.scale.each)
    }
}
