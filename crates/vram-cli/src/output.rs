//! What is written to stdout and stderr, and how.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use serde::Serialize;

/// Names of what is shown.
pub(crate) const LABEL: Style = Style::new().bold();
/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is not what it seems: the simulated device.
pub(crate) const CAUTION: Style = AnsiColor::Yellow.on_default().bold();
/// What is worth knowing, and stands in nobody's way.
pub(crate) const NOTED: Style = AnsiColor::Cyan.on_default();
/// What needs no attention.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Writes to stdout. Once nobody reads there any more, what is written is dropped: that is the
/// reader's decision and no error.
#[derive(Debug, Default)]
pub(crate) struct Output {
    closed: bool,
}

impl Output {
    /// Whether the reader has gone.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes text with styles, which are left out where they don't belong.
    pub(crate) fn text(&mut self, text: &str) -> anyhow::Result<()> {
        self.write(anstream::stdout().lock(), text.as_bytes())
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.write(io::stdout().lock(), bytes)
    }

    /// Writes a document. It is complete before its first byte is written.
    pub(crate) fn json(&mut self, document: &impl Serialize) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec_pretty(document).context("the JSON document failed")?;
        text.push(b'\n');
        self.bytes(&text)
    }

    fn write(&mut self, mut to: impl Write, bytes: &[u8]) -> anyhow::Result<()> {
        if self.closed {
            return Ok(());
        }
        match to.write_all(bytes).and_then(|()| to.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            written => written.context("writing the output failed"),
        }
    }
}

/// Says something to a person, on stderr. It is no part of the result; if stderr is gone, so be it.
pub(crate) fn note(text: &str) {
    let line = format!("{LABEL}vram:{LABEL:#} {text}\n");
    anstream::stderr().lock().write_all(line.as_bytes()).ok();
}

/// Says more of what was noted: whole lines, on stderr.
pub(crate) fn detail(lines: &str) {
    anstream::stderr().lock().write_all(lines.as_bytes()).ok();
}

/// What every JSON document starts with.
#[derive(Serialize)]
pub(crate) struct Document<T> {
    /// The version of this command, and so of the document.
    vram: &'static str,
    command: &'static str,
    #[serde(flatten)]
    body: T,
}

impl<T: Serialize> Document<T> {
    pub(crate) const fn new(command: &'static str, body: T) -> Self {
        Self {
            vram: env!("CARGO_PKG_VERSION"),
            command,
            body,
        }
    }
}

/// A line of `label` and value. Labels stand in a column of their own.
pub(crate) fn row(text: &mut String, label: &str, value: &str) {
    text.push_str(&format!("{LABEL}{label:<10}{LABEL:#}{value}\n"));
}
