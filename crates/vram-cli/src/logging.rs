//! The log, on stderr. Without `-v` and `RUST_LOG` there is none: errors are told anyway.

use std::io;

use anstream::ColorChoice;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging: `RUST_LOG` decides where it is set, the number of `-v` elsewhere.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::OFF,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let choice = anstream::AutoStream::choice(&io::stderr());
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(choice != ColorChoice::Never)
        .try_init();
    // Only a second start fails, and that changes nothing.
    started.ok();
}

/// Whether anything is logged: what draws on the same terminal had better not.
pub(crate) fn is_on() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}
