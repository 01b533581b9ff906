//! Asking: the host, the driver and the management library.

use vram_alloc::{DeviceProperties, Platform};
use vram_observe::Card;

use super::absence::Absence;
use super::examination::{Examination, Seen};
use super::residency;
use crate::device::Subject;
use crate::profile::PolicyOptions;
use crate::progress::Display;

/// Examines the host and its devices, or one of them. That there is none is a result; that the one
/// asked for isn't there is an error.
pub(super) fn examine(
    subject: &Subject,
    only: Option<usize>,
    policy: &PolicyOptions,
    display: &Display,
) -> anyhow::Result<Examination> {
    display.doing("the host", "ask");
    let host = subject.witness.host();
    display.doing("the driver", "ask");
    let (seen, absence) = match &subject.platform {
        Err(error) => (Vec::new(), Some(Absence::of(error))),
        Ok(platform) => {
            let devices = chosen(platform, only)?;
            let seen: Vec<_> = devices
                .iter()
                .map(|properties| see(subject, platform, properties, display))
                .collect();
            let absence = seen.is_empty().then(Absence::of_devices);
            (seen, absence)
        }
    };
    Ok(Examination::new(policy, host, seen, absence))
}

/// The devices to examine.
fn chosen(platform: &Platform, only: Option<usize>) -> anyhow::Result<Vec<DeviceProperties>> {
    let Some(index) = only else {
        return Ok(platform.devices()?);
    };
    // Opening says which devices there are, if it isn't one of them.
    Ok(vec![platform.open(index)?.properties().clone()])
}

fn see(
    subject: &Subject,
    platform: &Platform,
    properties: &DeviceProperties,
    display: &Display,
) -> Seen {
    let name = format!("device {}", properties.index);
    display.doing(&name, "ask");
    let management = subject.witness.management(&Card {
        uuid: properties.uuid,
        pci_bus_id: properties.pci_bus_id.as_deref(),
    });
    let facts = vram_residency::device_facts(properties, management);
    display.doing(&name, "measure");
    Seen {
        index: properties.index,
        facts,
        residency: residency::measure(subject, platform, properties),
    }
}
