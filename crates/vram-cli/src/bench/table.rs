//! The report for people.

use comfy_table::{LineStyle, Table, presets};

use super::report::{Better, Bounds, Figure, Report, Verdict};
use super::scale::sized;
use crate::output::{BAD, CAUTION, GOOD, row};
use crate::shown::shown;

/// The tables, in 80 columns, and below them what was measured at which size.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    show_machine(report, &mut text);
    if !report.figures.is_empty() {
        text.push_str(&figures(report));
    }
    if !report.ceilings.is_empty() {
        text.push_str(&ceilings(report));
    }
    if !report.peers.is_empty() {
        text.push_str(&peers(report));
    }
    let notes = (report.figures.iter())
        .map(|figure| (figure.id, &figure.note))
        .chain(
            report
                .ceilings
                .iter()
                .map(|ceiling| (ceiling.id, &ceiling.note)),
        )
        .chain(report.peers.iter().map(|peer| (peer.id, &peer.note)));
    for (id, note) in notes {
        text.push_str(&format!("{id:<20}{note}\n"));
    }
    if !report.skipped.is_empty() {
        text.push_str("\nNot measured\n");
    }
    for skipped in &report.skipped {
        text.push_str(&format!("{:<20}{}\n", skipped.id, shown(&skipped.why)));
    }
    text
}

fn show_machine(report: &Report, text: &mut String) {
    let device = &report.device.properties;
    let simulated = if report.simulated {
        format!(" {CAUTION}(simulated){CAUTION:#}")
    } else {
        String::new()
    };
    let name = shown(&device.name);
    row(
        text,
        "Device",
        &format!("{}: {name}{simulated}", device.index),
    );
    report.policy.show(text);
    let host = &report.host;
    let memory = host
        .memory
        .map_or_else(String::new, |memory| format!(", {}", sized(memory.0)));
    let cpu = host.cpu.as_deref().unwrap_or("unknown CPU");
    let cores = host.cores;
    row(
        text,
        "Host",
        &format!("{}, {cores} cores{memory}", shown(cpu)),
    );
    text.push('\n');
}

/// The figures' table; verdicts stand outside of it, so that colours don't count as width.
fn figures(report: &Report) -> String {
    let mut table = new([
        "Figure",
        "Measured",
        "Of its ceiling",
        "Must",
        "Aim",
        "Verdict",
    ]);
    for figure in &report.figures {
        let ceiling = match (figure.of_ceiling, figure.ceiling) {
            (Some(part), Some(ceiling)) => format!("{part:.2} {ceiling}"),
            _ => String::new(),
        };
        let [must, aim] = figure.target.map_or_else(Default::default, bounds);
        let verdict = if report.simulated {
            "simulated"
        } else {
            figure.verdict.text()
        };
        table.add_row([
            figure.id.to_owned(),
            quantity(figure.value, figure.unit),
            ceiling,
            must,
            aim,
            verdict.to_owned(),
        ]);
    }
    format!("{}{}", drawn(table), conclusion(&report.figures))
}

fn conclusion(figures: &[Figure]) -> String {
    let count = |verdict| {
        let of = figures.iter().filter(|figure| figure.verdict == verdict);
        of.count()
    };
    let (aim, must, missed) = (
        count(Verdict::Aim),
        count(Verdict::Must),
        count(Verdict::Missed),
    );
    if aim == 0 && must == 0 && missed == 0 {
        return String::new();
    }
    let style = if missed == 0 { GOOD } else { BAD };
    format!("{style}{missed} targets missed{style:#}, {must} met, {aim} met as aimed for.\n\n")
}

fn ceilings(report: &Report) -> String {
    let mut table = new(["Ceiling", "Measured", "What it is"]);
    for ceiling in &report.ceilings {
        table.add_row([
            ceiling.id.to_owned(),
            quantity(ceiling.value, ceiling.unit),
            ceiling.title.to_owned(),
        ]);
    }
    drawn(table)
}

fn peers(report: &Report) -> String {
    let mut table = new(["Peer", "Measured", "Here it is"]);
    for peer in &report.peers {
        let ratio = peer.ratio.map_or_else(String::new, |ratio| {
            format!("{} times as fast", digits(ratio))
        });
        table.add_row([peer.id.to_owned(), quantity(peer.value, peer.unit), ratio]);
    }
    let mut text = drawn(table);
    for peer in &report.peers {
        let compared = peer.compared_with;
        text.push_str(&format!(
            "{:<20}{}, against {compared}\n",
            peer.id, peer.title
        ));
    }
    text.push('\n');
    text
}

fn new<const N: usize>(header: [&str; N]) -> Table {
    let line = LineStyle::none().fill('─').junction('─');
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING.header_separator(line))
        .set_header(header);
    table
}

fn drawn(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    format!("{table}\n\n")
}

fn bounds(bounds: Bounds) -> [String; 2] {
    let sign = match bounds.better {
        Better::Higher => '≥',
        Better::Lower => '≤',
    };
    [bounds.must, bounds.aim].map(|bound| format!("{sign} {}", digits(bound)))
}

fn quantity(value: f64, unit: &str) -> String {
    format!("{} {unit}", digits(value))
}

/// Three digits at least, and no more behind the point than that takes.
fn digits(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_three_digits() {
        for (value, text) in [
            (931.6, "932"),
            (54.62, "54.6"),
            (0.331, "0.33"),
            (1234.0, "1234"),
        ] {
            assert_eq!(digits(value), text);
        }
    }

    #[test]
    fn bounds_say_which_way_is_better() {
        let lower = Bounds {
            must: 250.0,
            aim: 130.0,
            better: Better::Lower,
        };
        assert_eq!(bounds(lower), ["≤ 250", "≤ 130"]);
    }
}
