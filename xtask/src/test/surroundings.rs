//! What the tests need beside the source. Without the model or the Python packages, the tests that need them skip
//! themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{link_stub, model, process, python};

/// Tells the tests where the real model is. Where it is not set, the test that needs it skips itself.
const MODEL: &str = "VRAM_TEST_MODEL";

#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Required {
    /// Fail if the model of the end-to-end test can't be fetched, instead of testing without it.
    #[arg(long)]
    pub(crate) require_model: bool,
    /// Fail if the Python packages that tests compare with can't be installed, instead of testing without them.
    #[arg(long)]
    pub(crate) require_python: bool,
}

#[derive(Debug)]
pub(crate) struct Surroundings {
    /// What the feature `cust` is linked with where there is no CUDA.
    pub(crate) stub: PathBuf,
    /// The model's path, or why there is none.
    pub(crate) model: Result<PathBuf, String>,
    /// The Python that has the packages, or why there is none.
    pub(crate) python: Result<PathBuf, String>,
}

impl Surroundings {
    /// The command with what it finds them by.
    pub(crate) fn given_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        with_stub(command, &self.stub);
        with_model(command, &self.model);
        with_python(command, &self.python)
    }

    /// Says once more what was left out.
    pub(crate) fn report(&self) {
        if let Err(reason) = &self.model {
            process::report(&without_model(reason));
        }
        if let Err(reason) = &self.python {
            process::report(&without_python(reason));
        }
    }
}

/// The model's path, or why there is none. Where it is required, having none is a failure.
pub(crate) fn model_or_reason(required: Required) -> anyhow::Result<Result<PathBuf, String>> {
    or_reason(model::fetch(), required.require_model, without_model)
}

/// The Python that has the packages, or why there is none. Where it is required, having none is a failure.
pub(crate) fn python_or_reason(required: Required) -> anyhow::Result<Result<PathBuf, String>> {
    or_reason(python::install(), required.require_python, without_python)
}

fn or_reason(
    found: anyhow::Result<PathBuf>,
    required: bool,
    shown: fn(&str) -> String,
) -> anyhow::Result<Result<PathBuf, String>> {
    match found {
        Ok(path) => Ok(Ok(path)),
        Err(error) if required => Err(error),
        Err(error) => {
            let reason = format!("{error:#}");
            process::report(&shown(&reason));
            Ok(Err(reason))
        }
    }
}

fn without_model(reason: &str) -> String {
    format!("the end-to-end test of a real model is skipped, there is no model: {reason}")
}

fn without_python(reason: &str) -> String {
    format!(
        "the tests that compare with Python packages are skipped, they can't be installed: {reason}"
    )
}

/// Lets the feature `cust` be built where there is no CUDA.
pub(crate) fn with_stub<'c>(command: &'c mut Command, stub: &Path) -> &'c mut Command {
    command.env(link_stub::VARIABLE, stub)
}

fn with_model<'c>(command: &'c mut Command, model: &Result<PathBuf, String>) -> &'c mut Command {
    match model {
        Ok(path) => command.env(MODEL, path),
        Err(_) => command.env_remove(MODEL),
    }
}

/// Where there are none, a Python that the caller named stays.
fn with_python<'c>(command: &'c mut Command, python: &Result<PathBuf, String>) -> &'c mut Command {
    match python {
        Ok(path) => command.env(python::VARIABLE, path),
        Err(_) => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_model_the_tests_do_not_see_an_old_one() {
        let mut command = Command::new("true");
        command.env(MODEL, "old");

        with_model(&mut command, &Err("no network".to_owned()));

        assert_eq!(
            command.get_envs().collect::<Vec<_>>(),
            [(MODEL.as_ref(), None)]
        );
    }
}
