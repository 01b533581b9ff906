//! A chart of horizontal bars.

use anyhow::anyhow;
use plotters::backend::SVGBackend;
use plotters::drawing::{DrawingArea, IntoDrawingArea as _};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, RGBColor, TextStyle};

use crate::gpu::page::number;

/// In pixels.
const WIDTH: f64 = 960.0;
const LABELS: f64 = 400.0;
const VALUES: f64 = 190.0;
const TOP: f64 = 44.0;
const ROW: f64 = 34.0;
const BOTTOM: f64 = 44.0;

const INK: RGBColor = RGBColor(34, 34, 34);
const GRID: RGBColor = RGBColor(215, 215, 215);
const REACHED: RGBColor = RGBColor(0, 114, 178);
const OTHERS: RGBColor = RGBColor(128, 128, 128);
const MISSED: RGBColor = RGBColor(213, 94, 0);

pub(super) struct Chart {
    pub(super) title: String,
    pub(super) scale: Scale,
    /// Where a line stands that all bars are compared with.
    pub(super) line: Option<f64>,
    pub(super) bars: Vec<Bar>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Logarithmic,
}

pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// What stands at its end.
    pub(super) text: String,
    pub(super) kind: Kind,
    pub(super) marks: Vec<Mark>,
}

/// What a bar stands for, which its colour shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    Missed,
    Others,
}

/// A tick across a bar.
pub(super) struct Mark {
    pub(super) name: &'static str,
    pub(super) at: f64,
}

impl Bar {
    pub(super) fn plain(label: &str, value: f64, unit: &str, kind: Kind) -> Self {
        Self {
            label: label.to_owned(),
            value,
            text: format!("{} {unit}", number(value)),
            kind,
            marks: Vec::new(),
        }
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

impl Chart {
    /// The chart as an SVG document.
    pub(super) fn draw(&self) -> anyhow::Result<String> {
        let rows = u32::try_from(self.bars.len())?;
        let bottom = TOP + ROW * f64::from(rows);
        let mut svg = String::new();
        {
            let size = (pixel(WIDTH), pixel(bottom + BOTTOM));
            let size = (u32::try_from(size.0)?, u32::try_from(size.1)?);
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&RGBColor(255, 255, 255)).map_err(failed)?;
            let axis = Axis::over(self);
            text(&area, &self.title, (12.0, 22.0), 18.0, HPos::Left)?;
            for (at, label) in axis.ticks() {
                let x = axis.x(at);
                vertical(&area, x, (TOP, bottom), GRID, 1)?;
                text(&area, &label, (x, bottom + 18.0), 13.0, HPos::Center)?;
            }
            for (row, bar) in (0_u32..).zip(&self.bars) {
                bar.draw(&area, &axis, TOP + ROW * f64::from(row))?;
            }
            if let Some(at) = self.line {
                vertical(&area, axis.x(at), (TOP, bottom), INK, 2)?;
            }
            area.present().map_err(failed)?;
        }
        svg.push('\n');
        Ok(svg)
    }
}

impl Bar {
    fn draw(&self, area: &Area<'_>, axis: &Axis, top: f64) -> anyhow::Result<()> {
        let middle = top + ROW / 2.0;
        let label = shortened(&self.label, 58);
        text(area, &label, (LABELS - 10.0, middle), 13.0, HPos::Right)?;
        let colour = match self.kind {
            Kind::Ours => REACHED,
            Kind::Missed => MISSED,
            Kind::Others => OTHERS,
        };
        let end = axis.x(self.value);
        let corners = [
            (pixel(LABELS), pixel(top + 8.0)),
            (pixel(end), pixel(top + ROW - 8.0)),
        ];
        let bar = Rectangle::new(corners, colour.filled());
        area.draw(&bar).map_err(failed)?;
        // Two marks may stand close together: their names point away from each other.
        let sides = [(HPos::Right, -3.0), (HPos::Left, 3.0)];
        let last = self.marks.len().saturating_sub(1);
        for (row, mark) in self.marks.iter().enumerate() {
            let x = axis.x(mark.at);
            let [before, after] = sides;
            let (side, gap) = if row < last { before } else { after };
            vertical(area, x, (top + 4.0, top + ROW - 4.0), INK, 2)?;
            text(area, mark.name, (x + gap, top + 3.0), 9.0, side)?;
        }
        let shown = if self.kind == Kind::Missed {
            format!("{} (missed)", self.text)
        } else {
            self.text.clone()
        };
        let column = WIDTH - VALUES + 14.0;
        text(area, &shown, (column, middle), 13.0, HPos::Left)
    }
}

/// What the horizontal axis spans.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    fn over(chart: &Chart) -> Self {
        let marks = chart.bars.iter().flat_map(|bar| &bar.marks);
        let values = chart.bars.iter().map(|bar| bar.value);
        let all = || values.clone().chain(marks.clone().map(|mark| mark.at));
        let high = all().chain(chart.line).fold(f64::MIN_POSITIVE, f64::max);
        match chart.scale {
            Scale::Linear => Self {
                scale: chart.scale,
                low: 0.0,
                high,
            },
            Scale::Logarithmic => Self {
                scale: chart.scale,
                low: all().fold(high, f64::min).log10().floor() - 0.5,
                high: high.log10(),
            },
        }
    }

    /// The pixel of a value.
    fn x(&self, value: f64) -> f64 {
        let value = match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.log10(),
        };
        let part = (value - self.low) / (self.high - self.low);
        LABELS + part.clamp(0.0, 1.0) * (WIDTH - LABELS - VALUES)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let step = match self.scale {
            Scale::Linear if self.high <= 1.2 => 0.25,
            Scale::Linear if self.high <= 3.0 => 0.5,
            Scale::Linear => (self.high / 5.0).ceil(),
            Scale::Logarithmic => 1.0,
        };
        let first = (self.low / step).ceil();
        (0..12_u32)
            .map(|tick| (first + f64::from(tick)) * step)
            .take_while(|at| *at <= self.high)
            .map(|at| match self.scale {
                Scale::Linear => at,
                Scale::Logarithmic => 10_f64.powf(at),
            })
            .map(|at| (at, number(at)))
            .collect()
    }
}

fn vertical(
    area: &Area<'_>,
    x: f64,
    (top, bottom): (f64, f64),
    colour: RGBColor,
    width: u32,
) -> anyhow::Result<()> {
    let points = [(pixel(x), pixel(top)), (pixel(x), pixel(bottom))];
    let line = PathElement::new(points, colour.stroke_width(width));
    area.draw(&line).map_err(failed)
}

fn text(
    area: &Area<'_>,
    shown: &str,
    (x, y): (f64, f64),
    size: f64,
    anchor: HPos,
) -> anyhow::Result<()> {
    let style = TextStyle::from(("sans-serif", size).into_font())
        .color(&INK)
        .pos(Pos::new(anchor, VPos::Center));
    let text = Text::new(shown.to_owned(), (pixel(x), pixel(y)), style);
    area.draw(&text).map_err(failed)
}

/// A text of at most so many letters.
fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "…"
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a chart is less than a hundred thousand pixels high"
)]
fn pixel(at: f64) -> i32 {
    at.clamp(0.0, 100_000.0).round() as i32
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("could not draw: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(scale: Scale, values: &[f64]) -> Chart {
        let bars = values
            .iter()
            .map(|value| Bar::plain("A <bar>", *value, "GB/s", Kind::Ours));
        Chart {
            title: "Rates & such".to_owned(),
            scale,
            line: None,
            bars: bars.collect(),
        }
    }

    #[test]
    fn a_longer_bar_ends_further_right() {
        let chart = chart(Scale::Logarithmic, &[0.3, 15.0, 900.0]);
        let axis = Axis::over(&chart);

        let ends: Vec<_> = [0.3, 15.0, 900.0].map(|value| axis.x(value)).into();

        assert!(
            LABELS < ends[0] && ends[0] < ends[1] && ends[1] < ends[2],
            "{ends:?}"
        );
        assert_eq!(ends[2], WIDTH - VALUES);
    }

    #[test]
    fn a_logarithmic_axis_is_marked_in_powers_of_ten() {
        let axis = Axis::over(&chart(Scale::Logarithmic, &[0.3, 900.0]));

        let labels: Vec<_> = axis.ticks().into_iter().map(|(_, label)| label).collect();

        assert_eq!(labels, ["0.1", "1", "10", "100"]);
    }

    #[test]
    fn texts_are_escaped_and_values_shown() {
        let svg = chart(Scale::Linear, &[1.0, 900.0]).draw().unwrap();

        assert!(svg.starts_with("<svg"), "{svg}");
        assert!(svg.contains("Rates &amp; such") && svg.contains("A &lt;bar&gt;"));
        assert!(svg.contains("900 GB/s"));
    }
}
