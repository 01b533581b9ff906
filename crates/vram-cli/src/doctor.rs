//! `vram doctor`: what the policy finds of this machine and its GPUs, and what to do about it.

mod absence;
mod examination;
mod explain;
mod layout;
mod probe;
mod residency;
mod table;

use std::time::Instant;

use clap::Args;
use serde::Serialize;
use vram_policy::{CheckId, Finding};

use self::examination::Examination;
use crate::cli::Format;
use crate::device::{self, Kind};
use crate::exit::Exit;
use crate::output::{Document, Output};
use crate::profile::{self, PolicyOptions};
use crate::progress::Display;

/// The form of the documents.
const SCHEMA: &str = "vram-doctor/1";

/// Examine this machine and its GPUs: may weights be kept here, and if not, what is to be done?
///
/// Each check is a line: a symbol for what it amounts to under the profile, a word for what was seen,
/// and the observation. What isn't good has what was wanted, and a remedy. What could not be observed
/// is unknown and never passes. Nothing is changed, and no file is read but the system's own; with a
/// GPU, scratch data is sealed there for a moment to measure where it lies.
///
/// Ends with 0 if the profile accepts every device examined, with 4 if it refuses one, and with 1 if
/// there was no device to examine: the host's checks, the reason and what to install are shown then.
/// It examines a simulated machine only if asked to.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Examine this device alone, by its index in the driver's order.
    #[arg(long, value_name = "N", help_heading = "Device")]
    device: Option<usize>,
    /// Examine a simulated machine instead of this one.
    #[arg(
        long,
        value_name = "KIND",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "datacenter",
        help_heading = "Device"
    )]
    simulated: Option<Kind>,
    #[command(flatten)]
    policy: PolicyOptions,
    /// Say what a check means, how it is observed and what to do about it, and examine nothing.
    #[arg(
        long,
        value_name = "ID",
        value_parser = profile::check,
        conflicts_with_all = ["device", "simulated", "profile", "set"]
    )]
    explain: Option<CheckId>,
    #[command(flatten)]
    pub(crate) format: Format,
}

/// What programs are told.
#[derive(Serialize)]
struct DoctorDocument<'a> {
    schema: &'static str,
    simulated: bool,
    simulated_because: Option<&'a str>,
    exit_code: u8,
    /// From the command's start to its report.
    seconds: f64,
    #[serde(flatten)]
    examination: &'a Examination,
}

/// The lines of findings, as the report has them.
pub(crate) fn findings(findings: &[Finding]) -> String {
    table::findings(findings, table::width())
}

pub(crate) fn run(options: &Options) -> anyhow::Result<Exit> {
    if let Some(id) = options.explain {
        return explain::run(id, options.format);
    }
    let started = Instant::now();
    let display = Display::new();
    let subject = device::subject(options.simulated)?;
    let examination = probe::examine(&subject, options.device, &options.policy, &display)?;
    drop(display);

    let exit = examination.exit();
    if options.format.json {
        let body = DoctorDocument {
            schema: SCHEMA,
            simulated: subject.simulated_because.is_some(),
            simulated_because: subject.simulated_because.as_deref(),
            exit_code: exit.code(),
            seconds: started.elapsed().as_secs_f64(),
            examination: &examination,
        };
        Output::default().json(&Document::new("doctor", body))?;
    } else {
        Output::default().text(&table::text(&examination, table::width()))?;
    }
    Ok(exit)
}
