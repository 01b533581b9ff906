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
    let (devices, absence) = match &subject.platform {
        Err(error) => (Vec::new(), Some(Absence::of(error))),
        Ok(platform) => chosen(platform, only)?,
    };
    let seen = devices
        .iter()
        .map(|properties| see(subject, properties, display));
    Ok(Examination::new(policy, host, seen.collect(), absence))
}

/// The devices to examine, and why there are none.
fn chosen(
    platform: &Platform,
    only: Option<usize>,
) -> anyhow::Result<(Vec<DeviceProperties>, Option<Absence>)> {
    let mut devices = match platform.devices() {
        Ok(devices) if devices.is_empty() => return Ok((devices, Some(Absence::of_devices()))),
        Ok(devices) => devices,
        Err(error) => return Ok((Vec::new(), Some(Absence::of(&error)))),
    };
    if let Some(index) = only {
        devices.retain(|device| device.index == index);
        if devices.is_empty() {
            // Opening says which devices there are.
            platform.open(index)?;
        }
    }
    Ok((devices, None))
}

fn see(subject: &Subject, properties: &DeviceProperties, display: &Display) -> Seen {
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
        residency: residency::measure(subject, properties),
    }
}
