//! A scenario in a process of its own: for what ends a context, which no other scenario could use after it.

use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use libtest_mimic::{Completion, Failed};

const CHILD: &str = "VRAM_TEST_CHILD";

/// What is long enough for anything that doesn't hang.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whether this process is such a one.
pub(crate) fn is_one() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs a test of this program in another process. With `told`, what that says is printed.
pub(crate) fn run(test: &str, told: bool) -> Result<Completion, Failed> {
    let mut child = Command::new(env::current_exe()?);
    child
        .args([test, "--exact", "--nocapture", "--color=never"])
        .env(CHILD, "1");
    let output = output_in_time(child)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if told {
        print!("{said}");
    }
    if !output.status.success() {
        return Err(format!("the process ended with {}\n{said}{errors}", output.status).into());
    }
    let skipped = said.lines().find_map(|line| line.strip_prefix("SKIPPED: "));
    if let Some(reason) = skipped {
        if !told {
            println!("SKIPPED: {reason}");
        }
        return Ok(Completion::ignored_with(reason));
    }
    if said.contains("test result: ok. 1 passed;") {
        Ok(Completion::Completed)
    } else {
        Err(format!("the process did not run the test\n{said}{errors}").into())
    }
}

fn output_in_time(mut command: Command) -> Result<Output, Failed> {
    let (done, output) = mpsc::channel();
    thread::spawn(move || done.send(command.output()));
    let output = output
        .recv_timeout(PATIENCE)
        .map_err(|_| format!("the process still runs after {PATIENCE:?}"))?;
    Ok(output?)
}
