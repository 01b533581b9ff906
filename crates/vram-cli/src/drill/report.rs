//! What the drill showed, for people and for programs.

use serde::Serialize;
use vram_residency::Difference;

use super::{Findings, Flip};
use crate::output::{BAD, GOOD, row};
use crate::session::{DeviceDocument, Session};

/// The document for programs.
#[derive(Serialize)]
pub(super) struct DrillDocument<'a> {
    #[serde(flatten)]
    device: DeviceDocument<'a>,
    drill: &'a Findings,
}

pub(super) fn document<'a>(session: &'a Session, findings: &'a Findings) -> DrillDocument<'a> {
    DrillDocument {
        device: session.device_document(),
        drill: findings,
    }
}

/// The same for people.
pub(super) fn text(session: &Session, findings: &Findings) -> String {
    let Flip { offset, bit, block } = findings.flipped;
    let mut text = String::new();
    session.show_device(&mut text);
    text.push('\n');
    let sealed = format!(
        "{} of random scratch data, in {}",
        findings.size,
        findings.sealing.time()
    );
    row(&mut text, "Sealed", &sealed);
    let verified = format!("as it was sealed, in {}", findings.verifying.time());
    row(&mut text, "Verified", &verified);
    let flipped = format!("bit {bit} of byte {offset}, in the 4096-byte block {block}");
    row(&mut text, "Flipped", &flipped);
    row(
        &mut text,
        "Found",
        &verdict(findings.found, &found(findings)),
    );
    row(
        &mut text,
        "Located",
        &verdict(findings.located, &located(findings)),
    );
    let stopped = if findings.stopped {
        "the manager permits and seals nothing more"
    } else {
        "the manager goes on"
    };
    row(&mut text, "Stopped", &verdict(findings.stopped, stopped));
    text.push('\n');
    text.push_str(&if findings.passed {
        format!("{GOOD}Drill passed:{GOOD:#} the flipped bit was found where it lies.\n")
    } else {
        format!("{BAD}Drill FAILED:{BAD:#} don't rely on this device or this build.\n")
    });
    text
}

fn verdict(good: bool, what: &str) -> String {
    if good {
        format!("{GOOD}yes{GOOD:#}: {what}")
    } else {
        format!("{BAD}NO{BAD:#}: {what}")
    }
}

fn found(findings: &Findings) -> String {
    if findings.found {
        "the data is not what was sealed".to_owned()
    } else {
        "verification took damaged data for what was sealed".to_owned()
    }
}

fn located(findings: &Findings) -> String {
    match &findings.difference {
        None => "nowhere".to_owned(),
        Some(difference) => places(difference),
    }
}

fn places(difference: &Difference) -> String {
    difference.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vram_alloc::Bytes;

    use super::*;
    use crate::quantity::Pace;

    #[test]
    fn a_flip_that_was_not_found_is_told_as_a_failure() {
        let pace = Pace::new(1, Duration::ZERO);
        let findings = Findings {
            passed: false,
            size: Bytes(1),
            sealing: pace,
            verifying: pace,
            flipped: Flip {
                offset: 0,
                bit: 0,
                block: 0,
            },
            found: false,
            located: false,
            stopped: false,
            verdict: String::new(),
            difference: None,
        };

        assert!(found(&findings).contains("damaged"));
        assert!(verdict(findings.found, "x").contains("NO"));
        assert_eq!(located(&findings), "nowhere");
    }
}
