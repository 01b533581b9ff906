//! `vram devices`: what there is, and whether it may hold weights.

mod table;

use clap::Args;
use serde::Serialize;
use vram_alloc::{Bytes, DeviceProperties};
use vram_observe::Card;
use vram_policy::Report;

use crate::cli::Format;
use crate::device::{self, Found, OriginOptions};
use crate::exit::Exit;
use crate::output::{self, Document, Output};
use crate::profile::PolicyOptions;
use crate::shown::shown;

/// List the devices: memory, driver, what can be frozen, and what the policy says of each.
///
/// Without a GPU it says so and shows the simulated device. A GPU is judged by the profile strict, a
/// simulated device by development, and the host around them is not: that is for vram doctor. Ends
/// with 0 also if the policy would refuse a device: this is a list, and refuses nothing.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    origin: OriginOptions,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// A device as it is listed.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    properties: DeviceProperties,
    /// Nothing where the driver would not say.
    free_memory: Option<Bytes>,
    policy: Report,
}

#[derive(Serialize)]
struct DevicesDocument<'a> {
    simulated: bool,
    simulated_because: Option<&'a str>,
    devices: &'a [Listed],
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    let found = device::find(&options.origin)?;
    let devices = found.platform.devices()?;
    let devices: Vec<_> = devices
        .into_iter()
        .map(|properties| list(&found, properties))
        .collect();
    if options.format.json {
        let body = DevicesDocument {
            simulated: found.platform.is_simulated(),
            simulated_because: found.simulated_because.as_deref(),
            devices: &devices,
        };
        Output::default().json(&Document::new("devices", body))?;
    } else {
        Output::default().text(&table::text(&devices))?;
    }
    Ok(Exit::Good)
}

fn list(found: &Found, properties: DeviceProperties) -> Listed {
    let index = properties.index;
    let memory = found
        .platform
        .open(index)
        .and_then(|device| device.memory());
    let free_memory = match memory {
        Ok(memory) => Some(memory.free),
        Err(error) => {
            output::note(&shown(&format!(
                "device {index}: free memory unknown: {error}"
            )));
            None
        }
    };
    let management = found.witness.management(&Card {
        uuid: properties.uuid,
        pci_bus_id: properties.pci_bus_id.as_deref(),
    });
    let facts = vram_residency::device_facts(&properties, management);
    let policy = PolicyOptions::default().for_manager(properties.simulated);
    let policy = policy.assess_device(&facts);
    Listed {
        properties,
        free_memory,
        policy,
    }
}
