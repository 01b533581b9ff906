//! What engines run: a Python script with torch and hashlib, as a child process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::bench::measured::Measured;
use crate::bench::rig::Rig;
use crate::bench::scale::sized;

/// The script, which is there to be read and run alone, too.
const SCRIPT: &str = include_str!("../../../peers/engine_checksum.py");
/// How the script ends where it can't run.
const NO_TORCH: i32 = 3;

/// What the script prints.
#[derive(Debug, Deserialize)]
struct Printed {
    samples: Vec<f64>,
    bytes: u64,
    tensor_bytes: u64,
    torch: String,
    python: String,
}

/// A measurement, or why there is none.
pub(in crate::bench) type Found = Result<Measured, String>;

/// Runs the script with the interpreter given, or with `python3`.
pub(in crate::bench) fn engine(rig: &Rig<'_>, python: Option<&PathBuf>) -> anyhow::Result<Found> {
    if rig.opened.is_simulated() {
        return Ok(Err(
            "torch needs a GPU, and the device is simulated".to_owned()
        ));
    }
    let interpreter = python.map_or_else(|| OsString::from("python3"), |path| path.clone().into());
    let scale = &rig.scale;
    let output = Command::new(&interpreter)
        .args(["-c", SCRIPT])
        .args(["--bytes", &scale.peer.to_string()])
        .args(["--tensor-bytes", &scale.tensor.to_string()])
        .args(["--repetitions", &scale.repetitions.min(3).to_string()])
        .args([
            "--device",
            &rig.opened.device.properties().index.to_string(),
        ])
        .stdin(Stdio::null())
        .output();
    let shown = interpreter.to_string_lossy().into_owned();
    let output = match output {
        Ok(output) => output,
        Err(error) if python.is_none() => return Ok(Err(format!("no {shown}: {error}"))),
        Err(error) => return Err(anyhow::Error::new(error).context(shown)),
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().last().unwrap_or_default();
    match output.status.code() {
        Some(0) => read(&output.stdout).map(Ok),
        Some(NO_TORCH) => Ok(Err(format!("{shown}: {last}"))),
        _ => anyhow::bail!("{shown} ended with {}: {last}", output.status),
    }
}

fn read(printed: &[u8]) -> anyhow::Result<Measured> {
    let printed: Printed = serde_json::from_slice(printed)?;
    let note = format!(
        "{} in tensors of {}, torch {}, Python {}",
        sized(printed.bytes),
        sized(printed.tensor_bytes),
        printed.torch,
        printed.python
    );
    Measured::new(printed.samples, note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_prints_is_read() {
        let printed = br#"{"id":"engine-python","title":"t","value":2.0,"unit":"GB/s",
            "samples":[1.0,3.0,2.0],"bytes":1048576,"tensor_bytes":1024,"torch":"2.9","python":"3.12",
            "device":"a GPU"}"#;

        let measured = read(printed).unwrap();

        assert_eq!(measured.value(), 2.0);
        assert!(measured.note.contains("1.0 MiB") && measured.note.contains("torch 2.9"));
    }

    #[test]
    fn what_is_no_measurement_is_refused() {
        for printed in [
            &b""[..],
            b"{}",
            br#"{"samples":[],"bytes":1,"tensor_bytes":1,"torch":"","python":""}"#,
        ] {
            assert!(read(printed).is_err());
        }
    }
}
