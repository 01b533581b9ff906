//! The list of devices, for people.

use comfy_table::{LineStyle, Table, presets};
use vram_alloc::{Bytes, DeviceProperties};
use vram_policy::Verdict;

use super::Listed;
use crate::output::{BAD, GOOD};
use crate::shown::shown;

/// The table, and below it what is to be said of devices that the policy would refuse. It fits 80
/// columns: each device has three lines.
pub(super) fn text(devices: &[Listed]) -> String {
    if devices.is_empty() {
        return "no devices\n".to_owned();
    }
    let line = LineStyle::none().fill('─').junction('─');
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING.header_separator(line))
        .set_header(["#", "Device", "Memory", "Driver", "Freezing"]);
    for device in devices {
        table.add_row(cells(device));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    let mut text = format!("{table}\n\n");
    for device in devices {
        text.push_str(&verdict(device));
    }
    text
}

fn cells(device: &Listed) -> [String; 5] {
    let properties = &device.properties;
    let simulated = if properties.simulated {
        " (simulated)"
    } else {
        ""
    };
    let bus = properties.pci_bus_id.as_deref().unwrap_or("no bus address");
    let free = device.free_memory.map_or_else(
        || "free: unknown".to_owned(),
        |free| format!("{} free", short(free)),
    );
    let (major, minor) = properties.compute_capability;
    [
        properties.index.to_string(),
        format!(
            "{}{simulated}\n{}\n{}",
            shown(&properties.name),
            properties.uuid_string(),
            shown(bus)
        ),
        format!(
            "{}\n{free}\n{}",
            short(properties.total_memory),
            said(properties.ecc_enabled, "ECC", "no ECC", "ECC unknown")
        ),
        format!("CUDA {}\nsm_{major}{minor}", cuda(properties)),
        said(
            properties.virtual_memory_management,
            "by MMU",
            "software",
            "unknown",
        ),
    ]
}

fn said(flag: Option<bool>, yes: &str, no: &str, unknown: &str) -> String {
    match flag {
        Some(true) => yes,
        Some(false) => no,
        None => unknown,
    }
    .to_owned()
}

/// The driver's CUDA version: 13000 is 13.0.
fn cuda(properties: &DeviceProperties) -> String {
    let version = properties.driver_version;
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// The size without its exact number of bytes.
fn short(size: Bytes) -> String {
    let text = size.to_string();
    let rounded = text.split_once(" (").map(|(_, rounded)| rounded);
    rounded
        .and_then(|rounded| rounded.strip_suffix(')'))
        .map_or(text.clone(), str::to_owned)
}

/// What the policy says of the device, and why if it refuses.
fn verdict(device: &Listed) -> String {
    let index = device.properties.index;
    let report = &device.policy;
    if report.verdict().accepts() {
        let warned = report.verdict() == Verdict::AcceptedWithWarnings;
        let warned = if warned {
            ", with warnings: see vram doctor"
        } else {
            ""
        };
        return format!("{index}: the policy {GOOD}accepts{GOOD:#} it for weights{warned}\n");
    }
    let mut text = format!("{index}: the policy {BAD}refuses{BAD:#} it for weights\n");
    for finding in report.findings() {
        if finding.blocks() {
            text.push_str(&format!(
                "   {}\n   {}\n",
                shown(&finding.to_string()),
                finding.remedy
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!(short(Bytes(80 << 30)), "80.0 GiB");
        assert_eq!(short(Bytes(17)), "17 bytes");
    }
}
