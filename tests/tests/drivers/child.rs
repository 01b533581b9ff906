//! A test in a process of its own: for what ends a context, and what a process says when it ends.

use std::process::{self, Command, Output};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{env, thread};

const CHILD: &str = "VRAM_TEST_CHILD";

/// How the process ends once its part is done: with none of the statuses that panics, signals and the
/// test runner have.
const DONE: i32 = 75;

/// What is long enough for anything that doesn't hang.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs this test again in another process, and there the part that is given. Everything that the part
/// holds must be released, the process ended and its status [`DONE`], or the test fails.
#[expect(clippy::exit, reason = "the status is what the test looks at")]
pub(crate) fn in_a_process_of_its_own(test: &str, part: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        part();
        process::exit(DONE);
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.args([test, "--exact", "--nocapture"]).env(CHILD, "1");
    let output = output_in_time(child);
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(DONE), "{said}{errors}");
    if let Some((_, why)) = said.split_once("skipped: ") {
        println!("skipped: {}", why.lines().next().unwrap_or(why));
    }
}

fn output_in_time(mut command: Command) -> Output {
    let (done, output) = mpsc::channel();
    thread::spawn(move || done.send(command.output()));
    match output.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(RecvTimeoutError::Timeout) => panic!("the process still runs after {PATIENCE:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("nobody waits for the process"),
    }
}
