//! What the machine says of its checks.

use anyhow::{Context as _, bail};

/// The last line of a machine that came to its end.
pub(super) const DONE: &str = "== done";
const BEGIN: &str = "== begin ";
const END: &str = "== end ";
const KERNEL: &str = "== kernel ";

/// One check that ran to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: String,
    /// The exit status of its test program.
    pub(super) status: i32,
    pub(super) output: String,
}

impl Check {
    /// It ended well, and tests ran: a filter that names none runs none, and ends well.
    pub(super) fn passed(&self) -> bool {
        self.status == 0 && self.tests().is_some_and(|tests| tests > 0)
    }

    /// How many tests passed.
    pub(super) fn tests(&self) -> Option<u64> {
        let rest = self.output.lines().find_map(|line| {
            let (_, rest) = line.split_once("test result: ok. ")?;
            rest.split_once(" passed")
        })?;
        rest.0.parse().ok()
    }

    /// The first line that says a test could not do its work.
    pub(super) fn skipped(&self) -> Option<&str> {
        let at = self.output.find("SKIPPED")?;
        self.output.get(at..)?.lines().next()
    }
}

/// The kernel's version.
pub(super) fn kernel(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_prefix(KERNEL))
}

/// The checks that ended, in their order.
pub(super) fn read(said: &str) -> anyhow::Result<Vec<Check>> {
    let mut checks = Vec::new();
    let mut open: Option<(String, Vec<&str>)> = None;
    for line in said.lines() {
        if let Some(name) = line.strip_prefix(BEGIN) {
            if let Some((unfinished, _)) = open {
                bail!("the check {unfinished:?} did not end before {name:?} began");
            }
            open = Some((name.to_owned(), Vec::new()));
        } else if let Some(status) = line.strip_prefix(END) {
            let (name, output) = open.take().context("a check ended that never began")?;
            checks.push(Check {
                name,
                status: status.trim().parse().context("how a check ended")?,
                output: output.join("\n"),
            });
        } else if let Some((_, output)) = &mut open {
            output.push(line);
        }
    }
    if let Some((unfinished, _)) = open {
        bail!("the check {unfinished:?} did not end");
    }
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "== kernel 6.1.0\n== begin one thing\nrunning 2 tests\n\
                        test a ... SKIPPED: no such blocks\nok\n\
                        test result: ok. 2 passed; 0 failed; 0 ignored\n== end 0\n\
                        == begin other\nboom\n== end 101\n== done\n";

    #[test]
    fn checks_are_read_with_their_output_and_how_they_ended() {
        let checks = read(SAID).unwrap();

        assert_eq!(kernel(SAID), Some("6.1.0"));
        let [one, other] = &checks[..] else {
            panic!("{checks:?}")
        };
        assert_eq!((one.name.as_str(), one.tests()), ("one thing", Some(2)));
        assert!(one.passed());
        assert_eq!(one.skipped(), Some("SKIPPED: no such blocks"));
        assert!(!other.passed() && other.tests().is_none() && other.skipped().is_none());
    }

    #[test]
    fn a_check_that_did_not_end_is_refused() {
        assert!(read("== begin one\nline\n").is_err());
        assert!(read("== begin one\n== begin two\n== end 0\n").is_err());
        assert!(read("== end 0\n").is_err());
    }
}
