//! A bar with its ticks.

use maud::{Markup, Render, html};

/// What a bar stands for.
#[derive(Clone, Copy)]
pub(super) enum Colour {
    Ours,
    Missed,
    Others,
}

impl Colour {
    fn class(self) -> &'static str {
        match self {
            Self::Ours => "",
            Self::Missed => "missed",
            Self::Others => "others",
        }
    }
}

/// One bar over a scale from nothing to the most. The row that it stands in says the same in figures.
pub(super) struct Drawing {
    most: f64,
    ticks: Vec<f64>,
    aim: Option<f64>,
    bar: Option<(f64, Colour)>,
}

impl Drawing {
    pub(super) fn new(most: f64) -> Self {
        Self {
            most,
            ticks: Vec::new(),
            aim: None,
            bar: None,
        }
    }

    pub(super) fn ticks(mut self, at: &[f64]) -> Self {
        self.ticks.extend(at);
        self
    }

    pub(super) fn aim(mut self, at: f64) -> Self {
        self.aim = Some(at);
        self
    }

    pub(super) fn bar(mut self, value: f64, colour: Colour) -> Self {
        self.bar = Some((value, colour));
        self
    }

    /// For a legend.
    pub(super) fn sample(colour: Colour) -> Self {
        Self::new(1.0).bar(1.0, colour)
    }

    /// For a legend.
    pub(super) fn line(aim: bool) -> Self {
        if aim {
            Self::new(1.0).aim(0.5)
        } else {
            Self::new(1.0).ticks(&[0.5])
        }
    }

    fn x(&self, value: f64) -> String {
        let part = value / self.most;
        let part = if part.is_finite() { part } else { 0.0 };
        format!("{:.1}", part.clamp(0.0, 1.0) * 1000.0)
    }
}

impl Render for Drawing {
    fn render(&self) -> Markup {
        let tick = |at: f64, class: &str| {
            let x = self.x(at);
            html! { line.tick.(class) x1=(x) x2=(x) y1="-2" y2="12" {} }
        };
        html! {
            svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
                @if let Some((value, colour)) = self.bar {
                    rect.whole width="1000" height="10" {}
                    rect.part.(colour.class()) width=(self.x(value)) height="10" {}
                }
                @for at in &self.ticks { (tick(*at, "must")) }
                @if let Some(at) = self.aim { (tick(at, "aim")) }
            }
        }
    }
}
