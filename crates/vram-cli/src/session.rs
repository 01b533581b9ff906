//! A manager on the chosen device, for one run.

use serde::Serialize;
use vram_alloc::DeviceProperties;
use vram_residency::{Manager, ManagerBuilder};

use crate::device::{self, DeviceOptions};
use crate::exit;
use crate::key::{self, KeyOptions, SealKeyDocument};
use crate::output::{self, CAUTION, row};
use crate::profile::Applied;
use crate::progress::Display;
use crate::trail::{Kept, TrailDocument, TrailOptions};

/// A manager, and what its device is.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) manager: Manager,
    simulated_because: Option<String>,
    key_origin: key::Origin,
    /// Declared after the manager, which tells it of its end.
    trail: Option<Kept>,
}

/// What documents say of the device.
#[derive(Serialize)]
pub(crate) struct DeviceDocument<'a> {
    simulated: bool,
    simulated_because: Option<&'a str>,
    device: &'a DeviceProperties,
    policy: Applied,
    seal_key: SealKeyDocument,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<TrailDocument>,
}

impl Session {
    /// Opens the device that the options choose.
    pub(crate) fn open(
        options: &DeviceOptions,
        keys: &KeyOptions,
        trail: &TrailOptions,
        display: &Display,
        configure: impl FnOnce(ManagerBuilder) -> ManagerBuilder,
    ) -> anyhow::Result<Self> {
        let secrets = keys.read()?;
        let key_origin = secrets.origin();
        let trail = trail.open()?;
        let found = device::find(&options.origin)?;
        let mut builder = secrets
            .for_manager(Manager::builder())
            .device(options.device)
            .policy(
                options
                    .policy
                    .for_manager(found.simulated_because.is_some()),
            )
            .witness(found.witness)
            .observer(display.observer());
        if let Some(trail) = &trail {
            builder = builder.observer(trail.observer());
        }
        // Only ever for the simulation that was chosen above, never for what turns out to be one.
        if found.simulated_because.is_some() {
            builder = builder.allow_simulated();
        }
        let manager = match configure(builder).build(&found.platform) {
            Ok(manager) => manager,
            // That there was none is recorded: the trail ends in order all the same.
            Err(error) => return ended(Err(error.into()), trail.map_or(Ok(()), Kept::close)),
        };
        Ok(Self {
            manager,
            simulated_because: found.simulated_because,
            key_origin,
            trail,
        })
    }

    /// The audit trail that is kept, if one is.
    pub(crate) const fn trail(&self) -> Option<&Kept> {
        self.trail.as_ref()
    }

    /// Ends the run in order: the manager first, then the trail that it tells. The shards must be gone.
    fn close(self) -> anyhow::Result<()> {
        let Self { manager, trail, .. } = self;
        drop(manager);
        trail.map_or(Ok(()), Kept::close)
    }

    /// Ends the run in order, whatever came of it. What went wrong in it is the error; if nothing did, what went wrong
    /// in ending it. The shards must be gone.
    pub(crate) fn end<T>(self, came_of_it: anyhow::Result<T>) -> anyhow::Result<T> {
        ended(came_of_it, self.close())
    }

    /// The lines that say which device it is, and under which policy it is used.
    pub(crate) fn show_device(&self, text: &mut String) {
        let device = self.manager.device();
        let simulated = if device.simulated {
            format!(" {CAUTION}(simulated){CAUTION:#}")
        } else {
            String::new()
        };
        let name = format!("{}: {}{simulated}", device.index, device.name);
        row(text, "Device", &name);
        row(text, "", &device.uuid_string());
        row(text, "Seal key", &self.seal_key().line());
        Applied::by(&self.manager).show(text);
    }

    fn seal_key(&self) -> SealKeyDocument {
        SealKeyDocument::new(&self.manager, self.key_origin)
    }

    /// The same for programs.
    pub(crate) fn device_document(&self) -> DeviceDocument<'_> {
        let device = self.manager.device();
        DeviceDocument {
            simulated: device.simulated,
            simulated_because: self.simulated_because.as_deref(),
            device,
            policy: Applied::by(&self.manager),
            seal_key: self.seal_key(),
            audit: self.trail.as_ref().map(Kept::document),
        }
    }
}

/// What came of a run that has been closed, and of closing it. Of two errors, the one of closing is told at once.
fn ended<T>(came_of_it: anyhow::Result<T>, closed: anyhow::Result<()>) -> anyhow::Result<T> {
    match (came_of_it, closed) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        (Err(error), Err(closing)) => {
            output::note(&exit::message(&closing));
            Err(error)
        }
    }
}
