//! How far a seal has come, drawn on a terminal's stderr. In a pipe nothing is drawn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vram_residency::{Event, Observer, ObserverError, Progress, Stage};

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
pub(crate) struct Line {
    bar: ProgressBar,
    /// Whether several shards are sealed at a time, and counted together.
    together: AtomicBool,
}

impl Display {
    pub(crate) fn new() -> Self {
        let target = if logging::is_on() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self {
            line: Arc::new(Line {
                bar: ProgressBar::with_draw_target(Some(0), target),
                together: AtomicBool::new(false),
            }),
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

    /// Says that so many files are sealed next, counted together.
    pub(crate) fn counting_together(&self, files: usize) {
        self.line.begin(&match files {
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        });
        self.line.together.store(true, Ordering::Relaxed);
    }

    /// Says that shards are counted one by one again.
    pub(crate) fn counting_each(&self) {
        self.line.together.store(false, Ordering::Relaxed);
    }

    /// Says what is done now that nothing is counted of.
    pub(crate) fn doing(&self, shard: &str, what: &'static str) {
        self.line.show(WAITING, shard);
        self.line.bar.set_message(what);
    }
}

impl Line {
    /// Counts from nothing, for what is named.
    fn begin(&self, name: &str) {
        self.bar.reset();
        self.show(COUNTING, name);
    }

    fn show(&self, template: &str, shard: &str) {
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(shard.to_owned());
        self.bar.enable_steady_tick(STEP);
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.line.bar.finish_and_clear();
    }
}

impl Observer for Line {
    fn on_event(&self, event: &Event<'_>) -> Result<(), ObserverError> {
        if let Event::Allocated { shard, .. } = event
            && !self.together.load(Ordering::Relaxed)
        {
            self.begin(shard.as_str());
        }
        Ok(())
    }
}

impl Progress for Line {
    fn advanced(&self, stage: Stage, done: u64, total: u64) {
        // What is uploaded whole is measured next, and nothing is heard until a part of that is done.
        let (stage, done) = match stage {
            Stage::Upload if done == total => (Stage::Measure, 0),
            stage => (stage, done),
        };
        self.bar.set_message(stage.to_string());
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}
