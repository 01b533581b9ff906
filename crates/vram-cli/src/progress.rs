//! How far a seal has come, drawn on a terminal's stderr. In a pipe nothing is drawn.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vram_residency::{Event, Observer, Progress, Stage};

use crate::logging;

/// No colours: the line is gone when the command ends.
const COUNTING: &str = "{spinner} {msg:8} {prefix:24!} {wide_bar} {binary_bytes:>10} of \
                        {binary_total_bytes:>10}";
/// For what nothing is counted of.
const WAITING: &str = "{spinner} {msg:8} {prefix:24!}";
const STEP: Duration = Duration::from_millis(100);

/// One line that shows the shard at hand, the stage and how far it is. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Display {
    line: Arc<Line>,
}

#[derive(Debug)]
pub(crate) struct Line(ProgressBar);

impl Display {
    pub(crate) fn new() -> Self {
        let target = if logging::is_on() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self {
            line: Arc::new(Line(ProgressBar::with_draw_target(Some(0), target))),
        }
    }

    /// What the manager tells of shards.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::<Line>::clone(&self.line)
    }

    /// What a seal tells of itself.
    pub(crate) fn progress(&self) -> &dyn Progress {
        self.line.as_ref()
    }

    /// Says what is done now that nothing is counted of.
    pub(crate) fn doing(&self, shard: &str, what: &'static str) {
        self.line.show(WAITING, shard);
        self.line.0.set_message(what);
    }
}

impl Line {
    fn show(&self, template: &str, shard: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.set_prefix(shard.to_owned());
        self.0.enable_steady_tick(STEP);
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.line.0.finish_and_clear();
    }
}

impl Observer for Line {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Allocated { shard, .. } = event {
            self.0.reset();
            self.show(COUNTING, shard.as_str());
        }
    }
}

impl Progress for Line {
    fn advanced(&self, stage: Stage, done: u64, total: u64) {
        // What is uploaded whole is measured next, and nothing is heard until a part of that is done.
        let (stage, done) = match stage {
            Stage::Upload if done == total => (Stage::Measure, 0),
            stage => (stage, done),
        };
        self.0.set_message(stage.to_string());
        self.0.set_length(total);
        self.0.set_position(done);
    }
}
