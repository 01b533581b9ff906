//! What `vram doctor` found: the part of its document that the page shows.

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// The form of the document that is understood here.
const SCHEMA: &str = "vram-doctor/1";

/// The document, as far as the page needs it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Doctor {
    schema: String,
    simulated: bool,
    pub(crate) profile: String,
    pub(crate) verdict: String,
    /// From the command's start to its report.
    pub(crate) seconds: f64,
    host: Host,
    pub(crate) devices: Vec<Device>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Host {
    report: Report,
}

/// A device and what was found of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Device {
    pub(crate) index: usize,
    name: String,
    report: Report,
    pub(crate) residency: Residency,
}

/// Whether scratch data was in the device's own memory, as measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Residency {
    pub(crate) summary: String,
}

/// A verdict and what it rests on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) verdict: String,
    pub(crate) findings: Vec<Finding>,
}

/// The outcome of one check.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) enforcement: String,
    pub(crate) observed: String,
}

/// The host or a device, under the name that the page gives it.
pub(crate) struct Subject<'a> {
    pub(crate) name: String,
    pub(crate) report: &'a Report,
}

impl Doctor {
    /// The document's name in a run's folder.
    pub(crate) const FILE: &'static str = "doctor.json";

    /// Reads a document, and refuses one that is not of a GPU.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let unreadable = || format!("{} can't be read", Self::FILE);
        let doctor: Self = serde_json::from_str(text).with_context(unreadable)?;
        if doctor.schema != SCHEMA {
            let (file, found) = (Self::FILE, &doctor.schema);
            bail!("{file} is of form {found}; this task knows {SCHEMA}");
        }
        if doctor.simulated {
            bail!(
                "{} is of a simulated device, which says nothing about a GPU",
                Self::FILE
            );
        }
        Ok(doctor)
    }

    /// The host, then each device.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = Subject<'_>> {
        let host = Subject {
            name: "host".to_owned(),
            report: &self.host.report,
        };
        let devices = self.devices.iter().map(|device| Subject {
            name: format!("device {}: {}", device.index, device.name),
            report: &device.report,
        });
        std::iter::once(host).chain(devices)
    }
}

impl Report {
    /// How many findings have that status.
    pub(crate) fn count(&self, status: &str) -> usize {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.status == status).count()
    }
}
