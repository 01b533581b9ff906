//! The environment, as far as it is watched.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use vram_policy::EnvironmentVariable;

/// The watched variables that are set. No other is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    set: BTreeMap<&'static str, OsString>,
}

impl Environment {
    /// The environment of this process, now.
    pub(crate) fn of_this_process() -> Self {
        Self::reading(|name| std::env::var_os(name))
    }

    pub(crate) fn reading(value: impl Fn(&str) -> Option<OsString>) -> Self {
        Self {
            set: EnvironmentVariable::WATCHED
                .iter()
                .filter_map(|&name| Some((name, value(name)?)))
                .collect(),
        }
    }

    /// The variables as facts, by name. A value that isn't Unicode is shown with replacement characters:
    /// that the variable is set is what must not be lost.
    pub(crate) fn watched(&self) -> Option<Vec<EnvironmentVariable>> {
        let variables = self.set.iter().map(|(&name, value)| EnvironmentVariable {
            name: name.to_owned(),
            value: value.to_string_lossy().into_owned(),
        });
        Some(variables.collect())
    }

    /// Where a program looks for the control daemon of the Multi-Process Service.
    pub(crate) fn mps_pipe_directory(&self) -> PathBuf {
        self.set
            .get("CUDA_MPS_PIPE_DIRECTORY")
            .filter(|value| !value.is_empty())
            .map_or_else(|| PathBuf::from("/tmp/nvidia-mps"), PathBuf::from)
    }
}
