//! How a command ends: its exit code, and what is said about an error.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use vram_policy::{Finding, Refusal};
use vram_residency::Difference;

use crate::cli::Format;
use crate::doctor;
use crate::output::{self, Document, Output};
use crate::shown::shown;

/// How a command ended. The codes are part of the interface: `vram --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exit {
    Good,
    Error,
    Usage,
    Integrity,
    Policy,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Integrity => 3,
            Self::Policy => 4,
        }
    }

    /// What an error amounts to.
    fn of(error: &anyhow::Error) -> Self {
        if error.is::<Misused>() {
            return Self::Usage;
        }
        match cause(error) {
            Some(error) if error.is_integrity_failure() => Self::Integrity,
            Some(error) if error.is_policy_refusal() => Self::Policy,
            Some(_) | None => Self::Error,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Options that make no sense together, in a way that the parser can't know.
#[derive(Debug)]
pub(crate) struct Misused(pub(crate) String);

impl fmt::Display for Misused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misused {}

/// Says that the arguments can't be understood, or prints the help that they ask for.
pub(crate) fn not_understood(error: &clap::Error) -> Exit {
    // Whoever asked for help and closed the pipe doesn't want it.
    error.print().ok();
    if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Good
    }
}

/// Says what went wrong, in one line on stderr, and to programs as the one document on stdout.
pub(crate) fn report(command: &'static str, error: &anyhow::Error, format: Format) -> Exit {
    let exit = told(command, error);
    if format.json {
        let message = headline(error);
        let failure = Failure::new(exit, message, cause(error));
        let document = Document::new(command, FailureDocument { error: failure });
        // What could be said of a failure here has been said on stderr.
        Output::default().json(&document).ok();
    }
    exit
}

/// What went wrong, in a line.
fn headline(error: &anyhow::Error) -> String {
    match refusal(error) {
        Some(refusal) => refused(refusal),
        None => message(error),
    }
}

/// Says what went wrong on stderr alone: for what goes wrong after the document was printed.
pub(crate) fn told(command: &'static str, error: &anyhow::Error) -> Exit {
    let exit = Exit::of(error);
    let message = headline(error);
    output::note(&message);
    if let Some(refusal) = refusal(error) {
        output::detail(&doctor::findings(refusal.findings()));
        output::note("vram doctor shows every check; --profile and --set choose how each counts");
    }
    if exit == Exit::Usage {
        output::note(&format!("see vram {command} --help"));
    }
    exit
}

/// What a program is told of an error.
#[derive(Serialize)]
struct Failure<'a> {
    kind: Exit,
    exit_code: u8,
    message: String,
    retriable: bool,
    /// Where the bytes differ, if that is the matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<&'a Difference>,
    /// What the policy found, if it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a [Finding]>,
}

#[derive(Serialize)]
struct FailureDocument<'a> {
    error: Failure<'a>,
}

impl<'a> Failure<'a> {
    fn new(exit: Exit, message: String, cause: Option<&'a vram_residency::Error>) -> Self {
        let (mut difference, mut findings) = (None, None);
        match cause {
            Some(vram_residency::Error::Tampered {
                difference: found, ..
            }) => {
                difference = Some(found);
            }
            Some(vram_residency::Error::Policy(refusal)) => findings = Some(refusal.findings()),
            _ => {}
        }
        Self {
            kind: exit,
            exit_code: exit.code(),
            message,
            retriable: cause.is_some_and(vram_residency::Error::is_retriable),
            difference,
            findings,
        }
    }
}

/// The policy's refusal, if that is what went wrong.
fn refusal(error: &anyhow::Error) -> Option<&Refusal> {
    match cause(error)? {
        vram_residency::Error::Policy(refusal) => Some(refusal),
        _ => None,
    }
}

/// What stands in the way, by name: the findings themselves follow.
fn refused(refusal: &Refusal) -> String {
    let findings = refusal.findings();
    if findings.is_empty() {
        return shown(&refusal.to_string());
    }
    let ids: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    format!("refused by policy: {}", ids.join(", "))
}

fn cause(error: &anyhow::Error) -> Option<&vram_residency::Error> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// The error and its causes in one line. Many errors quote their cause: it isn't said twice.
pub(crate) fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if message.is_empty() {
            message = cause;
        } else if !message.contains(&cause) {
            message = format!("{message}: {cause}");
        }
    }
    shown(&message)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let system = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let quoting = vram_residency::Error::File {
            path: "m".into(),
            doing: "opening it",
            source: system(),
        };

        let quoted = message(&quoting.into());
        let told = message(&Err::<(), _>(system()).context("no m").unwrap_err());

        assert_eq!(quoted, "m: opening it failed: entity not found");
        assert_eq!(told, "no m: entity not found");
    }

    /// Covers: IV-005.
    #[test]
    fn a_message_is_one_line_without_control_characters() {
        let error = anyhow::anyhow!("a\nb\u{1b}[31m");

        assert_eq!(message(&error), r"a\nb\u{1b}[31m");
    }

    /// Covers: CL-1.
    #[test]
    fn each_kind_of_error_has_its_code() {
        let code = |error: anyhow::Error| Exit::of(&error).code();
        let unexpected = || vram_residency::Error::Unexpected {
            shard: "a".parse().unwrap(),
            kind: "content",
            found: String::new(),
            expected: String::new(),
        };
        let simulated = vram_residency::Error::Simulated {
            device: String::new(),
        };

        assert_eq!(code(anyhow::anyhow!("plain")), 1);
        assert_eq!(code(Misused(String::new()).into()), 2);
        assert_eq!(code(unexpected().into()), 3);
        assert_eq!(code(anyhow::Error::from(unexpected()).context("c")), 3);
        assert_eq!(code(simulated.into()), 4);
    }
}
