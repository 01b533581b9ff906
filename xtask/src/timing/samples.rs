//! Having the benchmark measure, and reading what it measured.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::process;

/// Which of the two classes of values was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Fixed,
    Random,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) class: Class,
    pub(super) nanos: f64,
}

/// What was timed, and how many calls are in one measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timed {
    pub(super) name: String,
    pub(super) calls: u32,
}

/// Measures all subjects, or one.
pub(super) fn measure(
    folder: &Path,
    measurements: u32,
    only: Option<&str>,
) -> anyhow::Result<Vec<Timed>> {
    let mut command = process::cargo();
    command.args(["bench", "--quiet", "--locked", "--package", "vram-seal"]);
    command.args(["--bench", "comparison", "--", "--folder"]);
    command.arg(folder);
    command.arg("--measurements").arg(measurements.to_string());
    if let Some(only) = only {
        command.args(["--subject", only]);
    }
    process::run(&mut command)?;
    subjects(folder)
}

/// What was measured into this folder.
pub(super) fn subjects(folder: &Path) -> anyhow::Result<Vec<Timed>> {
    let path = folder.join("subjects");
    let timed = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    timed.lines().map(subject).collect()
}

/// A line of the benchmark's: a name, and how many calls are in one measurement.
fn subject(line: &str) -> anyhow::Result<Timed> {
    let told = line.split_once(' ').and_then(|(name, calls)| {
        let calls = calls.parse().ok().filter(|calls| *calls > 0)?;
        // It is a file's name too, and may come from another machine.
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        let name = Some(name.to_owned()).filter(|name| name.bytes().all(plain))?;
        Some(Timed { name, calls })
    });
    told.with_context(|| format!("the benchmark said {line:?}"))
}

/// Reads a subject's measurements, in the order in which they were taken.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Sample>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let (samples, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        bail!("{} ends within a measurement", path.display());
    }
    Ok(samples.iter().map(|bytes| sample(*bytes)).collect())
}

/// Twice the nanoseconds, plus one for the random class. What took over four seconds counts as that long.
fn sample(bytes: [u8; 8]) -> Sample {
    let value = u64::from_le_bytes(bytes);
    let class = if value & 1 == 1 {
        Class::Random
    } else {
        Class::Fixed
    };
    let nanos = u32::try_from(value >> 1).unwrap_or(u32::MAX);
    Sample {
        class,
        nanos: f64::from(nanos),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_holds_its_class_and_time() {
        let of = |value: u64| sample(value.to_le_bytes());

        assert_eq!((of(84).class, of(84).nanos), (Class::Fixed, 42.0));
        assert_eq!((of(85).class, of(85).nanos), (Class::Random, 42.0));
        assert_eq!(of(u64::MAX).nanos, f64::from(u32::MAX));
    }

    #[test]
    fn what_the_benchmark_says_is_read_or_quoted() {
        let timed = subject("digest-equal 16").unwrap();

        assert_eq!((timed.name.as_str(), timed.calls), ("digest-equal", 16));
        for wrong in ["digest", "digest none", "digest 0", "../digest 1", ""] {
            let error = subject(wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
    }
}
