//! The emulated machine: two serial lines, a disk, no network.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::image::Image;
use super::packages::{Packages, QEMU};

/// How much of the console is shown where the machine didn't come to its end.
const SHOWN_LINES: usize = 30;

/// Boots the machine, and returns what its second line said, once it is off.
pub(super) fn run(
    scratch: &Path,
    packages: &Packages,
    image: &Image,
    limit: Duration,
) -> anyhow::Result<String> {
    let (console, report) = (scratch.join("console.log"), scratch.join("report.log"));
    let errors = File::create(scratch.join("qemu.log"))?;
    let mut machine = Command::new(QEMU)
        // Emulated throughout: virtual machines within others are not to be relied on.
        .args(["-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024"])
        .args([
            "-no-reboot",
            "-nodefaults",
            "-display",
            "none",
            "-nic",
            "none",
        ])
        .arg("-kernel")
        .arg(&packages.kernel)
        .arg("-initrd")
        .arg(&image.initial)
        .args(["-append", "console=ttyS0 panic=-1"])
        .arg("-drive")
        .arg(drive(&image.disk))
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .arg("-serial")
        .arg(format!("file:{}", report.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .with_context(|| format!("could not start {QEMU}"))?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = machine.try_wait()? {
            break Some(status);
        }
        if began.elapsed() > limit {
            machine.kill()?;
            machine.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(100));
    };
    let tail = || {
        let said = fs::read(&console).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<_> = said.lines().collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    };
    match status {
        None => bail!(
            "the machine was not off after {limit:?}. Its console:\n{}",
            tail()
        ),
        Some(status) if !status.success() => {
            let said = fs::read_to_string(scratch.join("qemu.log")).unwrap_or_default();
            bail!("{QEMU} ended with {status}: {said}\n{}", tail())
        }
        Some(_) => {}
    }
    let said = fs::read(&report).with_context(|| report.display().to_string())?;
    let said = String::from_utf8_lossy(&said).replace('\r', "");
    if !said.lines().any(|line| line == super::report::DONE) {
        bail!(
            "the machine went off before its checks were over. Its console:\n{}\n{said}",
            tail()
        );
    }
    Ok(said)
}

/// A comma in the path is written twice, as QEMU's options want it.
fn drive(disk: &Path) -> String {
    let file = disk.display().to_string().replace(',', ",,");
    format!("file={file},format=raw,if=virtio,cache=unsafe")
}
