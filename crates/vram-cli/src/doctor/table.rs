//! The report for people: a line a check, and below what isn't good, what to do about it.

use anstyle::Style;
use vram_policy::residency::ResidencyStatus;
use vram_policy::{Enforcement, Finding, Profile, Report, Status, Verdict};

use super::examination::{Device, Examination};
use super::layout::{cut, labelled, length, padded, wrap};
use super::residency::Residency;
use crate::output::{BAD, CAUTION, FAINT, GOOD, LABEL, NOTED};
use crate::shown::shown;

/// How wide a report is in a pipe, and at most on a terminal.
const WIDTH: usize = 100;
/// How narrow a terminal may be before its lines break.
const LEAST_WIDTH: usize = 60;
/// A symbol, a blank, a word of at most seven letters, two blanks.
const STATUS_WIDTH: usize = 11;
const RESIDENCY: &str = "residency proof";

/// The width for where stdout goes.
pub(super) fn width() -> usize {
    let terminal = comfy_table::Table::new().width().map(usize::from);
    terminal.map_or(WIDTH, |columns| columns.clamp(LEAST_WIDTH, WIDTH))
}

pub(super) fn text(examination: &Examination, width: usize) -> String {
    let mut page = Page {
        text: String::new(),
        width,
        ids: widest_id(examination),
    };
    page.profile(examination);
    page.heading("Host", "");
    page.findings(&examination.host.report);
    for device in &examination.devices {
        page.device(device);
    }
    page.verdict(examination);
    page.text
}

/// Findings alone.
pub(super) fn findings(findings: &[Finding], width: usize) -> String {
    let ids = findings.iter().map(|finding| finding.id.as_str().len());
    let mut page = Page {
        text: String::new(),
        width,
        ids: ids.max().unwrap_or(0),
    };
    for finding in findings {
        page.finding(finding);
    }
    page.text
}

/// How wide the column of ids is, on the whole page.
fn widest_id(examination: &Examination) -> usize {
    let reports = std::iter::once(&examination.host.report)
        .chain(examination.devices.iter().map(|device| &device.report));
    let ids = reports
        .flat_map(Report::findings)
        .map(|finding| finding.id.as_str().len());
    ids.max().unwrap_or(0).max(RESIDENCY.len())
}

/// What a line amounts to: its symbol and its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Good,
    Refuses,
    Warns,
    Noted,
    None,
}

impl Effect {
    fn of(finding: &Finding) -> Self {
        match (finding.status, finding.enforcement) {
            (Status::Pass, _) => Self::Good,
            (Status::NotApplicable, _) => Self::None,
            _ if finding.blocks() => Self::Refuses,
            (_, Enforcement::Note) => Self::Noted,
            _ => Self::Warns,
        }
    }

    const fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted => Self::Good,
            Verdict::AcceptedWithWarnings => Self::Warns,
            _ => Self::Refuses,
        }
    }

    const fn symbol(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Refuses => "✗",
            Self::Warns => "!",
            Self::Noted => "·",
            Self::None => "–",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Good => GOOD,
            Self::Refuses => BAD,
            Self::Warns => CAUTION,
            Self::Noted => NOTED,
            Self::None => FAINT,
        }
    }
}

const fn word(effect: Effect, status: Status) -> &'static str {
    match (effect, status) {
        (_, Status::NotApplicable) => "n/a",
        (Effect::Noted, Status::Warn) => "note",
        (_, status) => status.as_str(),
    }
}

const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepts",
        Verdict::AcceptedWithWarnings => "accepts, warns",
        Verdict::Undecided => "can't accept",
        _ => "refuses",
    }
}

struct Page {
    text: String,
    width: usize,
    /// The width of the column of ids.
    ids: usize,
}

impl Page {
    fn profile(&mut self, examination: &Examination) {
        let profile = examination.profile;
        self.text
            .push_str(&format!("{LABEL}Profile{LABEL:#}  {profile}\n"));
        for changed in &examination.changed {
            self.text
                .push_str(&format!("{CAUTION}Changed{CAUTION:#}  {changed}\n"));
        }
    }

    fn heading(&mut self, title: &str, more: &str) {
        self.text
            .push_str(&format!("\n{LABEL}{title}{LABEL:#}{more}\n"));
    }

    fn device(&mut self, device: &Device) {
        let simulated = if device.simulated {
            format!(" {CAUTION}(simulated){CAUTION:#}")
        } else {
            String::new()
        };
        let title = format!("Device {}: {}", device.index, shown(&device.name));
        self.heading(&title, &simulated);
        self.findings(&device.report);
        self.residency(&device.residency, device.simulated);
    }

    fn findings(&mut self, report: &Report) {
        report
            .findings()
            .iter()
            .for_each(|finding| self.finding(finding));
    }

    fn finding(&mut self, finding: &Finding) {
        let effect = Effect::of(finding);
        let changed = finding
            .raised_or_lowered_from
            .map_or_else(String::new, |from| {
                format!(" [{} instead of {from}]", finding.enforcement)
            });
        let observed = format!("{}{changed}", shown(&finding.observed));
        let good = matches!(effect, Effect::Good | Effect::None);
        self.line(
            effect,
            word(effect, finding.status),
            finding.id.as_str(),
            &observed,
            good,
        );
        if !good {
            let indent = STATUS_WIDTH;
            labelled(
                &mut self.text,
                indent,
                "want",
                &finding.expected,
                self.width,
            );
            labelled(&mut self.text, indent, "fix", &finding.remedy, self.width);
        }
    }

    /// The line of a check. Where all is well it stays one line, whatever was observed.
    fn line(&mut self, effect: Effect, word: &str, id: &str, observed: &str, one_line: bool) {
        let margin = STATUS_WIDTH.saturating_add(self.ids).saturating_add(2);
        let room = self.width.saturating_sub(margin);
        let lines = if one_line {
            vec![cut(observed, room)]
        } else {
            wrap(observed, room)
        };
        let (style, symbol) = (effect.style(), effect.symbol());
        let mut first = format!(
            "{style}{symbol} {}{style:#}  {}",
            padded(word, STATUS_WIDTH.saturating_sub(4)),
            padded(id, self.ids)
        );
        for line in lines {
            self.text.push_str(format!("{first}  {line}").trim_end());
            self.text.push('\n');
            first = " ".repeat(margin.saturating_sub(2));
        }
    }

    fn residency(&mut self, residency: &Residency, simulated: bool) {
        let (effect, word) = match residency.status() {
            Some(ResidencyStatus::Proven) => (Effect::Good, "pass"),
            Some(ResidencyStatus::Contradicted) => (Effect::Refuses, "fail"),
            None if simulated => (Effect::None, "n/a"),
            Some(_) | None => (Effect::Noted, "unknown"),
        };
        self.line(effect, word, RESIDENCY, &shown(&residency.summary), false);
    }

    fn verdict(&mut self, examination: &Examination) {
        if let Some(absence) = &examination.no_device {
            self.heading("No device", "");
            for line in wrap(&shown(&absence.reason), self.width) {
                self.text.push_str(&format!("{line}\n"));
            }
            for remedy in &absence.remedies {
                labelled(&mut self.text, 2, "fix", remedy, self.width);
            }
        }
        self.heading("Verdict", "");
        if !examination.devices.is_empty() {
            self.verdict_of_each(examination);
            self.text.push('\n');
        }
        if examination.devices.is_empty() {
            let host = verdict_words(examination.host.report.verdict());
            let profile = examination.profile;
            self.text.push_str(&format!(
                "{BAD}✗{BAD:#} no device to judge; of the host alone, {profile} {host}\n"
            ));
        }
        for device in &examination.devices {
            self.verdict_of(device, examination);
        }
        self.text.push_str(&format!(
            "{FAINT}✗ stands in the way   ! is tolerated   · is noted   – does not apply{FAINT:#}\n"
        ));
    }

    /// What the profile says of a device, and what stands in the way, by name.
    fn verdict_of(&mut self, device: &Device, examination: &Examination) {
        let profile = examination.profile;
        let Some(verdict) = device.verdicts.of(profile) else {
            return;
        };
        let effect = Effect::of_verdict(verdict);
        let (style, symbol) = (effect.style(), effect.symbol());
        let reasons = reasons(device, &examination.host.report);
        let words = verdict_words(verdict);
        let colon = if reasons.is_empty() { "" } else { ": " };
        let said = format!("device {}: {profile} {words}{colon}{reasons}", device.index);
        let mut margin = format!("{style}{symbol}{style:#}");
        for line in wrap(&said, self.width.saturating_sub(2)) {
            self.text.push_str(&format!("{margin} {line}\n"));
            margin = " ".to_owned();
        }
    }

    /// A line for each device, a column for each profile.
    fn verdict_of_each(&mut self, examination: &Examination) {
        const COLUMN: usize = 18;
        let titles: Vec<String> = examination
            .devices
            .iter()
            .map(|device| format!("{}: {}", device.index, shown(&device.name)))
            .collect();
        let columns = COLUMN.saturating_mul(Profile::ALL.len());
        let widest = titles.iter().map(|title| length(title)).max().unwrap_or(0);
        let room = self.width.saturating_sub(columns).saturating_sub(2);
        let names = widest.min(room);
        let mut head = " ".repeat(names.saturating_add(2));
        for profile in Profile::ALL {
            let mark = if *profile == examination.profile {
                "*"
            } else {
                ""
            };
            head.push_str(&padded(&format!("{profile}{mark}"), COLUMN));
        }
        self.text.push_str(head.trim_end());
        self.text.push('\n');
        for (device, title) in examination.devices.iter().zip(&titles) {
            let mut line = format!("{}  ", padded(&cut(title, names), names));
            for profile in Profile::ALL {
                let Some(verdict) = device.verdicts.of(*profile) else {
                    continue;
                };
                let effect = Effect::of_verdict(verdict);
                let (style, symbol) = (effect.style(), effect.symbol());
                let words = format!("{symbol} {}", verdict_words(verdict));
                line.push_str(&format!("{style}{words}{style:#}"));
                let blanks = COLUMN.saturating_sub(length(&words));
                line.push_str(&" ".repeat(blanks));
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}

/// What stands in the way of a device on its host, by name.
fn reasons(device: &Device, host: &Report) -> String {
    let findings = host.findings().iter().chain(device.report.findings());
    let mut ids: Vec<&str> = findings
        .filter(|finding| Effect::of(finding) == Effect::Refuses)
        .map(|finding| finding.id.as_str())
        .collect();
    if device.residency.is_contradicted() {
        ids.push(RESIDENCY);
    }
    ids.join(", ")
}
